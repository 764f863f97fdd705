package cpu

// Linear computes Y = act(X·W + b).
//
// X [n, in]  W [in, out]  b [out] or nil  Y [n, out]. Where z is given (same
// shape as Y), Z = X·W + b is stored there too.
func Linear[T Float](y, z, x, w Matrix[T], b []T, act Activation) {
	if y.Rows == 0 || y.Cols == 0 {
		return
	}
	pool := poolOf[T]()
	f := pool.forward.Get().(*forward[T])
	f.product = product[T]{
		m: y.Rows, n: y.Cols, depth: w.Rows,
		a: operand[T]{Matrix: x, alongRows: true},
		b: operand[T]{Matrix: w},
		c: y, z: z, bias: b, act: act,
	}
	f.prepare(kernelsOf[T]())
	f.compute(pool)
	f.product.forget()
	pool.forward.Put(f)
}

// forward is one call of Linear.
type forward[T Float] struct {
	product[T]
	pool    *pool[T]
	packing bool // packing A, not computing yet
	buffer  []T  // A
}

func (f *forward[T]) compute(pool *pool[T]) {
	work := f.m * f.n * f.depth
	if work <= limits.direct {
		s := pool.scratch.Get().(*scratch[T])
		f.a.inPlace, f.b.inPlace = true, true
		f.whole(s)
		pool.scratch.Put(s)
		return
	}
	f.pool = pool
	f.a.packed = room(&f.buffer, f.m*f.depth)
	f.packing = true
	spread(work, (f.rowTiles.pieces+packGroup-1)/packGroup, f)
	f.packing = false
	spread(work, f.jobs(), f)
}

func (f *forward[T]) run(lo, hi int) {
	s := f.pool.scratch.Get().(*scratch[T])
	defer f.pool.scratch.Put(s)
	if f.packing {
		f.packTiles(s, lo*packGroup, min(hi*packGroup, f.rowTiles.pieces))
		return
	}
	for i := lo; i < hi; i++ {
		f.job(i, s)
	}
}

// LinearBackward computes those gradients of Y = act(X·W + b) that are given
// room, with dZ = dY ⊙ act':
//
//	dX = dZ·Wᵀ   dW = Xᵀ·dZ   db = Σ over rows of dZ
//
// a is the quantity that act' is written in (Y, or Z for GELU and SiLU) and
// may be a zero matrix for Identity. x is read for dW only and w for dX only.
// dx and dw may be zero matrices and db nil: that gradient is skipped.
func LinearBackward[T Float](dx, dw Matrix[T], db []T, x, w, dy, a Matrix[T], act Activation) {
	pool := poolOf[T]()
	b := pool.backward.Get().(*backward[T])
	b.dy, b.a, b.act, b.db = dy, a, act, db
	b.dx = product[T]{
		m: dy.Rows, n: dx.Cols, depth: dy.Cols,
		a: operand[T]{Matrix: dy, alongRows: true},
		b: operand[T]{Matrix: w, alongRows: true},
		c: dx,
	}
	b.dw = product[T]{
		m: dw.Rows, n: dw.Cols, depth: dy.Rows,
		a: operand[T]{Matrix: x},
		b: operand[T]{Matrix: dy},
		c: dw,
	}
	k := kernelsOf[T]()
	b.dx.prepare(k)
	b.dw.prepare(k)
	b.compute(pool)
	b.dx.forget()
	b.dw.forget()
	b.dy, b.a, b.db = Matrix[T]{}, Matrix[T]{}, nil
	pool.backward.Put(b)
}
