package cpu

// Gemm computes C = alpha·op(A)·op(B) + beta·C, BLAS's general product, where
// op(A) [m, k] is A, or Aᵀ if transA is set, and likewise op(B) [k, n]:
//
//	A [m, k] or [k, m]   B [k, n] or [n, k]   C [m, n]
//
// With beta = 0 C is not read, with alpha = 0 neither are A and B. C must not
// overlap A or B.
func Gemm[T Float](transA, transB bool, alpha T, a, b Matrix[T], beta T, c Matrix[T]) {
	depth := a.Cols
	if transA {
		depth = a.Rows
	}
	if depth == 0 || alpha == 0 {
		scaleRows(c, beta)
		return
	}
	p := product[T]{
		m: c.Rows, n: c.Cols, depth: depth,
		a: a, aRows: !transA, b: b, bRows: transB,
		c: c, beta: beta,
	}
	pool, work := poolOf[T](), p.work()
	if p.small() && work < limits.parallel {
		s := pool.scratch.Get().(*scratch[T])
		p.times(&s.dz, alpha)
		kernelsOf[T]().direct(s, &p)
		pool.scratch.Put(s)
		return
	}
	call := pool.calls.Get().(*call[T])
	call.kernels, call.pool, call.work = kernelsOf[T](), pool, work
	call.forward(&p, alpha)
	call.done()
}

// times multiplies the smaller factor with alpha, in a copy.
func (p *product[T]) times(buffer *[]T, alpha T) {
	if alpha == 1 {
		return
	}
	m := &p.a
	if p.n < p.m {
		m = &p.b
	}
	scaled := Matrix[T]{Data: room(buffer, m.Rows*m.Cols), Rows: m.Rows, Cols: m.Cols, Stride: m.Cols}
	for i := range m.Rows {
		copy(scaled.Row(i), m.Row(i))
	}
	scale(scaled.Data, alpha)
	*m = scaled
}

// scaleRows multiplies a matrix with beta. With beta = 0 it is not read.
func scaleRows[T Float](c Matrix[T], beta T) {
	if beta == 1 || c.Cols == 0 {
		return
	}
	for i := range c.Rows {
		if row := c.Row(i); beta == 0 {
			clear(row)
		} else {
			scale(row, beta)
		}
	}
}

// startAt makes the sums of a tile start at beta·C: it multiplies C, if need
// be, and returns whether the micro-kernel adds it.
func startAt[T Float](c Matrix[T], beta T) (add int) {
	if beta == 0 {
		return 0
	}
	scaleRows(c, beta)
	return 1
}
