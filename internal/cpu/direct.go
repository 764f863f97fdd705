package cpu

// Small products: the tile kernels read A and B as they lie. Only a B whose
// sums run along its rows (Wᵀ) is packed, a panel at a time, since a vector of
// it has to be gathered from as many rows.

// direct computes a product in this thread.
func (k *kernels[T]) direct(s *scratch[T], p *product[T]) {
	m, n := p.m, p.n
	if m == 0 || n == 0 {
		return
	}
	element := size[T]()
	t := &s.tile
	t.k, t.add = p.depth, startAt(p.c, p.beta)
	t.act, t.alpha = tileActivation(p.act.Kind), T(p.act.Alpha)
	t.cStep, t.zStep, t.bStep = p.c.Stride*element, p.z.Stride*element, p.b.Stride*element
	t.rowStep, t.colStep = element, p.a.Stride*element
	if p.aRows {
		t.rowStep, t.colStep = t.colStep, t.rowStep
	}
	t.prefetchStep, t.prefetchTile = 0, 0

	// Tiles of rows are as even as can be: big ones, then some with a row less.
	tiles := (m + k.rows - 1) / k.rows
	rows := (m + tiles - 1) / tiles
	big := m - tiles*(rows-1)

	most := k.vectors
	if wide := len(k.tiles); m <= len(k.tiles[wide-1]) {
		most = wide
	}
	for j := 0; j < n; {
		vectors := most
		columns := vectors * k.lanes
		if left := n - j; left < columns {
			vectors = (left + k.lanes - 1) / k.lanes
			for len(k.tiles[vectors-1]) == 0 {
				vectors--
			}
			columns = min(left, vectors*k.lanes)
		}
		t.mask = k.masks[columns-(vectors-1)*k.lanes]
		t.whole = p.depth
		switch {
		case p.bRows:
			step := vectors * k.lanes
			panel := room(&s.panel, p.depth*step)
			k.packAlong(s, panel, step, p.b, j, j+columns, 0, p.depth, true)
			t.b, t.bStep = pointer(panel, 0), step*element
		case columns%k.lanes != 0:
			t.whole = 0
			fallthrough
		default:
			t.b = pointer(p.b.Data, j)
		}
		t.prefetch = t.b
		t.bias = pointer(p.bias, j)

		t.a, t.c, t.z = pointer(p.a.Data, 0), pointer(p.c.Data, j), pointer(p.z.Data, j)
		t.tiles, t.tileStep = big, rows*t.rowStep
		k.tiles[vectors-1][rows-1](t)
		if tiles > big {
			i := big * rows
			t.a = pointer(p.a.Data, i*t.rowStep/element)
			t.c, t.z = pointer(p.c.Data, i*p.c.Stride+j), pointer(p.z.Data, i*p.z.Stride+j)
			t.tiles, t.tileStep = tiles-big, (rows-1)*t.rowStep
			k.tiles[vectors-1][rows-2](t)
		}
		j += columns
	}
	p.activate(0, m, 0, n)
}

// deriveInto computes dZ = dY ⊙ act' into data, without gaps between the rows.
func (k *kernels[T]) deriveInto(data []T, dy, a Matrix[T], act Activation) Matrix[T] {
	dz := Matrix[T]{Data: data, Rows: dy.Rows, Cols: dy.Cols, Stride: dy.Cols}
	if dy.Cols == dy.Stride && dy.Cols == a.Stride {
		all := dy.Rows * dy.Cols
		ActivationBackward(data[:all], dy.Data[:all], a.Data[:all], act, 1)
		return dz
	}
	for i := range dy.Rows {
		ActivationBackward(dz.Row(i), dy.Row(i), a.Row(i), act, 1)
	}
	return dz
}

// addRows adds all rows of a matrix to sum, which may be nil.
func (k *kernels[T]) addRows(s *scratch[T], sum []T, m Matrix[T]) {
	if len(sum) == 0 || m.Rows == 0 {
		return
	}
	p := &s.pack
	p.dst, p.src = &sum[0], &m.Data[0]
	p.srcStep = m.Stride * size[T]()
	p.n = m.Rows
	p.vectors = (len(sum) + k.lanes - 1) / k.lanes
	p.load[0] = k.masks[len(sum)-(p.vectors-1)*k.lanes]
	k.sumRows(p)
}

// pointer returns the address of element i, or nil behind the end of a slice:
// nothing is read there then.
func pointer[T Float](s []T, i int) *T {
	if i >= len(s) {
		return nil
	}
	return &s[i]
}

// partWork is how many multiply-adds one part of a direct product has at
// least, when threads share it: some 5 µs, ten times what taking a part costs.
const partWork = 1 << 19

// parts returns into how many parts a direct product is cut.
func (k *kernels[T]) parts(p *product[T]) int {
	if p.m == 0 || p.n == 0 {
		return 0
	}
	strips := k.strips(p)
	if p.bRows && !k.byColumns(p) {
		strips /= packRepeat
	}
	return max(1, min(p.work()/partWork, strips))
}

// packRepeat is how many tiles of rows share a packed B, where parts do not.
const packRepeat = 8

// byColumns tells which way a product is cut.
func (k *kernels[T]) byColumns(p *product[T]) bool { return p.n > 2*k.vectors*k.lanes }

// strips returns in how many strips a product can be cut: panels of columns,
// or tiles of rows where there are few columns.
func (k *kernels[T]) strips(p *product[T]) int {
	if width := k.vectors * k.lanes; k.byColumns(p) {
		return (p.n + width - 1) / width
	}
	return (p.m + k.rows - 1) / k.rows
}

// directPart computes part i of a product.
func (k *kernels[T]) directPart(s *scratch[T], p *product[T], i int) {
	parts, strips := k.parts(p), k.strips(p)
	lo, hi := i*strips/parts, (i+1)*strips/parts
	q := *p
	if width := k.vectors * k.lanes; k.byColumns(p) {
		q = p.part(0, p.m, lo*width, min(hi*width, p.n))
	} else {
		q = p.part(lo*k.rows, min(hi*k.rows, p.m), 0, p.n)
	}
	k.direct(s, &q)
}
