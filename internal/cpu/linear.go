package cpu

// Linear computes Y = act(X·W + b).
//
// X [n, in]  W [in, out]  b [out] or nil  Y [n, out]. Where z is given (same
// shape as Y), Z = X·W + b is stored there too.
func Linear[T Float](y, z, x, w Matrix[T], b []T, act Activation) {
	if y.Rows == 0 || y.Cols == 0 {
		return
	}
	p := product[T]{
		m: y.Rows, n: y.Cols, depth: w.Rows,
		a: x, aRows: true, b: w.Stored(), bRows: w.Transposed,
		c: y, z: z, bias: b, act: act,
	}
	k, pool := kernelsOf[T](), poolOf[T]()
	work := p.work()
	if p.small() && work < limits.parallel {
		s := pool.scratch.Get().(*scratch[T])
		k.direct(s, &p)
		pool.scratch.Put(s)
		return
	}
	c := pool.calls.Get().(*call[T])
	c.kernels, c.pool, c.work = k, pool, work
	c.forward(&p, 1)
	c.done()
}

// LinearBackward computes the gradients of Y = act(X·W + b) that are asked for,
// with dZ = dY ⊙ act':
//
//	dX = dZ·Wᵀ   dW = Xᵀ·dZ   db = Σ over rows of dZ
//
// saved is the quantity that act' is written in (Y, or Z for GELU and SiLU) and
// may be a zero matrix for Identity. x is read for dW only and w for dX only.
// dx and dw may be zero matrices and db nil: that gradient is skipped.
func LinearBackward[T Float](dx, dw Matrix[T], db []T, x, w, dy, saved Matrix[T], act Activation) {
	px := product[T]{
		m: dx.Rows, n: dx.Cols, depth: dy.Cols,
		a: dy, aRows: true, b: w.Stored(), bRows: !w.Transposed,
		c: dx,
	}
	pw := product[T]{
		m: dw.Rows, n: dw.Cols, depth: dy.Rows,
		a: x, b: dy,
		c: dw,
	}
	if dw.Transposed {
		pw.m, pw.n, pw.a, pw.b, pw.c = pw.n, pw.m, pw.b, pw.a, dw.Stored()
	}
	k, pool := kernelsOf[T](), poolOf[T]()
	work := px.work() + pw.work()
	small := px.small() && pw.small()
	if small && work < limits.parallel {
		s := pool.scratch.Get().(*scratch[T])
		if act.Kind != Identity {
			dy = k.deriveInto(room(&s.dz, dy.Rows*dy.Cols), dy, saved, act)
			px.a = dy
			if dw.Transposed {
				pw.a = dy
			} else {
				pw.b = dy
			}
		}
		k.sumRows(s, db, dy)
		k.direct(s, &px)
		k.direct(s, &pw)
		pool.scratch.Put(s)
		return
	}
	c := pool.calls.Get().(*call[T])
	c.kernels, c.pool, c.work = k, pool, work
	c.dy, c.saved, c.act, c.db, c.transposed = dy, saved, act, db, dw.Transposed
	if small {
		c.backwardDirect(&px, &pw)
	} else {
		c.backwardBlocked(&px, &pw)
	}
	c.done()
}

// limits are amounts of work, in multiply-adds, measured on a Xeon (Granite
// Rapids) where a core does 100 of them in a nanosecond at most. Tests change
// them.
var limits = struct {
	// direct: up to here operands are read as they lie. In float32 a forward
	// of 64×64×64 then takes 2.7 µs instead of 4.3, of 192×192×192 60 to 74
	// instead of 75 to 85; with 256×256×256 the two are even.
	direct int
	// parallel: from here on several threads share the work. It is then some
	// 20 µs for one of them, and waking another takes 5.
	parallel int
}{1 << 23, 1 << 21}
