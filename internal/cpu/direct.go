package cpu

// Small products: the tile kernels read A and B as they lie. Only a B whose
// sums run along its rows (Wᵀ) is packed, a panel at a time, since a vector of
// it has to be gathered from as many rows.

// direct computes a product in this thread, panel of columns by panel.
func (k *kernels[T]) direct(s *scratch[T], p *product[T]) {
	if p.m == 0 || p.n == 0 {
		return
	}
	element := size[T]()
	t := &s.tile
	t.alpha = T(p.act.Alpha)
	t.cStep, t.zStep = p.c.Stride*element, p.z.Stride*element
	t.rowStep, t.colStep = element, p.a.Stride*element
	if p.aRows {
		t.rowStep, t.colStep = t.colStep, t.rowStep
	}
	t.prefetchStep, t.prefetchTile = 0, 0
	first := startAt(p.c, p.beta)

	// Tiles of rows are as even as can be: big ones, then some with a row less.
	tiles := (p.m + k.rows - 1) / k.rows
	rows := (p.m + tiles - 1) / tiles
	big := p.m - tiles*(rows-1)

	most := k.vectors
	if wide := len(k.tiles); p.m <= len(k.tiles[wide-1]) {
		most = wide
	}
	depths := splitDepth(p.depth)
	for j := 0; j < p.n; {
		vectors := most
		columns := vectors * k.lanes
		if left := p.n - j; left < columns {
			vectors = (left + k.lanes - 1) / k.lanes
			for len(k.tiles[vectors-1]) == 0 {
				vectors--
			}
			columns = min(left, vectors*k.lanes)
		}
		t.mask = k.masks[columns-(vectors-1)*k.lanes]
		for d := range depths.pieces {
			d0, d1 := depths.bounds(d)
			t.k, t.whole = d1-d0, d1-d0
			t.add, t.bias, t.act = 1, nil, tileIdentity
			if d == 0 {
				t.add, t.bias = first, pointer(p.bias, j)
			}
			last := d == depths.pieces-1
			if last {
				t.act = tileActivation(p.act.Kind)
			}
			switch {
			case p.bRows:
				step := vectors * k.lanes
				panel := room(&s.panel, (d1-d0)*step)
				k.packAlong(s, panel, step, p.b, j, j+columns, d0, d1, true)
				t.b, t.bStep = pointer(panel, 0), step*element
			case columns%k.lanes != 0:
				t.whole = 0
				fallthrough
			default:
				t.b, t.bStep = pointer(p.b.Data, d0*p.b.Stride+j), p.b.Stride*element
			}
			t.prefetch = t.b
			for i, at := 0, 0; i < p.m; i += t.tiles * at {
				at, t.tiles = rows, big
				if i > 0 {
					at, t.tiles = rows-1, tiles-big
				}
				n := t.tiles
				t.tileStep = at * t.rowStep
				t.a = pointer(p.a.Data, (i*t.rowStep+d0*t.colStep)/element)
				t.c, t.z = pointer(p.c.Data, i*p.c.Stride+j), nil
				if last {
					t.z = pointer(p.z.Data, i*p.z.Stride+j)
				}
				k.tiles[vectors-1][at-1](t)
				t.tiles = n
			}
		}
		j += columns
	}
	p.activate(0, p.m, 0, p.n)
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

// sumRows computes the sums over all rows of a matrix, in blocks as products
// have them.
func (k *kernels[T]) sumRows(s *scratch[T], sums []T, m Matrix[T]) {
	clear(sums)
	blocks := splitDepth(m.Rows)
	for b := range blocks.pieces {
		lo, hi := blocks.bounds(b)
		k.addBlock(s, sums, m.View(lo, hi, 0, m.Cols), b == 0)
	}
}

// addBlock adds the sums over the rows of a block to sums, which hold zeros
// before the first. A block is summed by itself: errors then grow with the
// number of blocks and the rows in one, not with that of all rows.
func (k *kernels[T]) addBlock(s *scratch[T], sums []T, m Matrix[T], first bool) {
	if first {
		k.addRows(s, sums, m)
		return
	}
	block := room(&s.sums, len(sums))
	clear(block)
	k.addRows(s, block, m)
	k.addRows(s, sums, Matrix[T]{Data: block, Rows: 1, Cols: len(sums), Stride: len(sums)})
}

// addRows adds all rows of a matrix to sums, which may be nil.
func (k *kernels[T]) addRows(s *scratch[T], sums []T, m Matrix[T]) {
	if len(sums) == 0 || m.Rows == 0 {
		return
	}
	p := &s.pack
	p.dst, p.src = &sums[0], &m.Data[0]
	p.srcStep = m.Stride * size[T]()
	p.n = m.Rows
	p.vectors = (len(sums) + k.lanes - 1) / k.lanes
	p.load[0] = k.masks[len(sums)-(p.vectors-1)*k.lanes]
	k.addRowsKernel(p)
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
