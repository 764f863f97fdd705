package gemm

import "github.com/affine-go/affine/internal/kernel"

// Linear computes Y = act(X·W + b), see [kernel.Kernels].
func Linear[T kernel.Float](y, z, x, w kernel.Matrix[T], b []T, act kernel.Activation) {
	if y.Rows == 0 || y.Cols == 0 {
		return
	}
	p := product[T]{
		m: y.Rows, n: y.Cols, depth: w.Rows,
		a: x, aRows: true, b: w.Stored(), bRows: w.Transposed,
		c: y, z: z, bias: b, act: act,
	}
	work := p.cost()
	if p.small() && work < limits.parallel {
		s := takeScratch[T]()
		kernelsOf[T]().multiply(s, &p)
		s.giveBack()
		return
	}
	c := newCall[T](work)
	c.multiply(&p, 1)
	c.giveBack()
}

// LinearBackward computes the gradients of Y = act(X·W + b) that are asked for,
// see [kernel.Kernels], with dZ = dY ⊙ act':
//
//	dX = dZ·Wᵀ   dW = Xᵀ·dZ   db = Σ over rows of dZ
//
// If dW is stored transposed, dWᵀ = dZᵀ·X is computed.
func LinearBackward[T kernel.Float](dx, dw kernel.Matrix[T], db []T, x, w, dy, saved kernel.Matrix[T], act kernel.Activation) {
	px := product[T]{
		m: dx.Rows, n: dx.Cols, depth: dy.Cols,
		a: dy, aRows: true, b: w.Stored(), bRows: !w.Transposed,
		c: dx, anyOrder: true,
	}
	pw := product[T]{
		m: dw.Rows, n: dw.Cols, depth: dy.Rows,
		a: x, b: dy,
		c: dw,
	}
	dz := &pw.b
	if dw.Transposed {
		pw.m, pw.n, pw.a, pw.b, pw.c = pw.n, pw.m, pw.b, pw.a, dw.Stored()
		dz = &pw.a
	}
	work := px.cost() + pw.cost()
	small := px.small() && pw.small()
	if small && work < limits.parallel {
		k, s := kernelsOf[T](), takeScratch[T]()
		if act.Kind != kernel.Identity {
			dy = kernel.MatrixOf(grow(&s.dz, dy.Rows*dy.Cols), dy.Rows, dy.Cols)
			activationBackward(dy, *dz, saved, act)
			px.a, *dz = dy, dy
		}
		k.sumRows(s, db, dy)
		k.multiply(s, &px)
		k.multiply(s, &pw)
		s.giveBack()
		return
	}
	c := newCall[T](work)
	c.dy, c.saved, c.act, c.db, c.dwTransposed = dy, saved, act, db, dw.Transposed
	if small {
		c.backwardDirect(&px, &pw)
	} else {
		c.backwardBlocked(&px, &pw)
	}
	c.giveBack()
}
