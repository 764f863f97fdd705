package cpu

// backward is one call of LinearBackward.
type backward[T Float] struct {
	dx, dw product[T] // missing where they have no rows or columns
	dy, a  Matrix[T]
	act    Activation
	db     []T // may be nil

	pool      *pool[T]
	computing bool // the products, after packing dZ and X
	strips    int  // of dZ

	// dZ as the left factor of dX and as the right one of dW, and X.
	dzLeft, dzRight, xLeft []T
}

const (
	// stripColumns is how many columns of dZ are packed together: enough for
	// the calls that do it not to count, few enough for several threads to
	// have some. Every panel's width divides it.
	stripColumns = 128
	// stripTiles is how many tiles of rows of dZ are made at a time, so that
	// they are still in L1 when they are packed for the second product.
	stripTiles = 4
	// packGroup is how many tiles of an operand one part of the work packs.
	packGroup = 8
)

func (b *backward[T]) compute(pool *pool[T]) {
	work := b.dx.m*b.dx.n*b.dx.depth + b.dw.m*b.dw.n*b.dw.depth
	if work <= limits.direct {
		s := pool.scratch.Get().(*scratch[T])
		b.direct(s)
		pool.scratch.Put(s)
		return
	}
	b.pool = pool
	if b.dx.given() {
		b.dx.a.packed = room(&b.dzLeft, b.dx.m*b.dx.depth)
	}
	groups := 0
	if b.dw.given() {
		b.dw.a.packed = room(&b.xLeft, b.dw.m*b.dw.depth)
		b.dw.b.packed = room(&b.dzRight, b.dw.panels*b.dw.vectors*b.dw.lanes*b.dw.depth)
		groups = (b.dw.rowTiles.pieces + packGroup - 1) / packGroup
	}
	b.strips = (b.dy.Cols + stripColumns - 1) / stripColumns
	b.computing = false
	spread(work, b.strips+groups, b)
	b.computing = true
	spread(work, b.dw.jobs()+b.dx.jobs(), b)
}

func (b *backward[T]) run(lo, hi int) {
	s := b.pool.scratch.Get().(*scratch[T])
	for i := lo; i < hi; i++ {
		switch {
		case b.computing && i < b.dw.jobs():
			b.dw.job(i, s)
		case b.computing:
			b.dx.job(i-b.dw.jobs(), s)
		case i < b.strips:
			b.packStrip(s, i*stripColumns, min((i+1)*stripColumns, b.dy.Cols))
		default:
			t := (i - b.strips) * packGroup
			b.dw.packTiles(s, t, min(t+packGroup, b.dw.rowTiles.pieces))
		}
	}
	b.pool.scratch.Put(s)
}

// direct computes everything in this thread. Only Wᵀ is packed.
func (b *backward[T]) direct(s *scratch[T]) {
	dz := b.dy
	if b.act.Kind != Identity {
		dz.Data, dz.Stride = room(&b.dzRight, dz.Rows*dz.Cols), dz.Cols
		b.derive(dz, 0, dz.Rows, 0, dz.Cols)
	}
	if b.db != nil {
		clear(b.db)
		b.dw.addRows(s, b.db, dz, 0, dz.Rows)
	}
	if b.dx.given() {
		b.dx.a.Matrix, b.dx.a.inPlace = dz, true
		b.dx.whole(s)
	}
	if b.dw.given() {
		b.dw.b.Matrix, b.dw.b.inPlace = dz, true
		b.dw.a.inPlace = true
		b.dw.whole(s)
	}
}

// derive computes dZ = dY ⊙ act' for rows i0 to i1 and columns j0 to j1.
func (b *backward[T]) derive(dz Matrix[T], i0, i1, j0, j1 int) {
	for i := i0; i < i1; i++ {
		ActivationBackward(dz.Row(i-i0), b.dy.Row(i)[j0:j1], b.a.Row(i)[j0:j1], b.act, 1)
	}
}

// addRows adds rows i0 to i1 of a matrix to sum.
func (k *kernels[T]) addRows(s *scratch[T], sum []T, m Matrix[T], i0, i1 int) {
	if len(sum) == 0 || i0 == i1 {
		return
	}
	p := &s.pack
	p.dst, p.src = &sum[0], pointer(m.Data, i0*m.Stride)
	p.srcStep = m.Stride * size[T]()
	p.n = i1 - i0
	p.vectors = (len(sum) + k.lanes - 1) / k.lanes
	p.load[0] = k.masks[len(sum)-(p.vectors-1)*k.lanes]
	k.sumRows(p)
}

// packStrip makes dZ for columns j0 to j1, a few tiles of rows at a time, adds
// them to db and packs them for both products while they are in the cache.
func (b *backward[T]) packStrip(s *scratch[T], j0, j1 int) {
	k := b.dx.kernels
	var db []T
	if b.db != nil {
		db = b.db[j0:j1]
		clear(db)
	}
	tiles := b.dx.rowTiles
	for t := 0; t < tiles.pieces; t += stripTiles {
		i0, i1 := tiles.start(t), tiles.start(min(t+stripTiles, tiles.pieces))
		dz := b.dy
		dz.Data = dz.Data[i0*dz.Stride+j0:]
		if b.act.Kind != Identity {
			dz = Matrix[T]{Data: s.panel, Cols: j1 - j0, Stride: stripColumns}
			b.derive(dz, i0, i1, j0, j1)
		}
		k.addRows(s, db, dz, 0, i1-i0)
		if b.dw.given() {
			b.packRight(s, dz, i0, i1, j0, j1)
		}
		if b.dx.given() {
			b.packLeft(s, dz, t, min(t+stripTiles, tiles.pieces), j0, j1)
		}
	}
}

// packRight packs rows i0 to i1 and columns j0 to j1 of dZ, which dz holds, as
// the right factor of dW.
func (b *backward[T]) packRight(s *scratch[T], dz Matrix[T], i0, i1, j0, j1 int) {
	p := &b.dw
	o := operand[T]{Matrix: dz}
	width := p.vectors * p.lanes
	for d := range p.depths.pieces {
		d0, d1 := p.depths.bounds(d)
		from, to := max(d0, i0), min(d1, i1)
		if from >= to {
			continue
		}
		for j := j0; j < j1; j += width {
			last := min(j+width, j1)
			step := (last - j + p.lanes - 1) / p.lanes * p.lanes
			dst := p.b.packed[d0*p.panels*width+j*(d1-d0)+(from-d0)*step:]
			p.packStrip(s, dst, step, &o, j-j0, last-j0, from-i0, to-i0, true)
		}
	}
}

// packLeft packs tiles t0 to t1 and columns j0 to j1 of dZ, which dz holds, as
// the left factor of dX.
func (b *backward[T]) packLeft(s *scratch[T], dz Matrix[T], t0, t1, j0, j1 int) {
	p := &b.dx
	o := operand[T]{Matrix: dz, alongRows: true}
	first := p.rowTiles.start(t0)
	for d := range p.depths.pieces {
		d0, d1 := p.depths.bounds(d)
		from, to := max(d0, j0), min(d1, j1)
		if from >= to {
			continue
		}
		for t := t0; t < t1; t++ {
			i0, i1 := p.rowTiles.bounds(t)
			dst := p.a.packed[p.m*d0+i0*(d1-d0)+(from-d0)*(i1-i0):]
			p.packStrip(s, dst, i1-i0, &o, i0-first, i1-first, from-j0, to-j0, false)
		}
	}
}
