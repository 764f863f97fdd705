package gemm

import (
	"github.com/affine-go/affine/internal/cpu/threads"
	"github.com/affine-go/affine/internal/kernel"
)

// Linear computes Y = act(X·W + b), see [kernel.Kernels]. It takes pointers since
// to copy the matrices once more is 5 % of a small layer's time.
func Linear[T kernel.Float](y, z, x, w *kernel.Matrix[T], b []T, act kernel.Activation) {
	if y.Rows == 0 || y.Cols == 0 {
		return
	}
	var p product[T]
	p.m, p.n, p.depth = y.Rows, y.Cols, w.Rows
	p.a, p.aRows, p.bRows, p.bias, p.act = *x, true, w.Transposed, b, act
	setStored(&p.b, w)
	p.c, p.z = *y, *z
	work := p.cost()
	if p.small() && work < limits.parallel {
		s := takeScratch[T]()
		kernelsOf[T]().direct(s, &p)
		s.giveBack()
		return
	}
	c := newCall[T](work)
	c.setProduct(&p, 1)
	threads.Run(c.parts, c.grain, c)
	c.giveBack()
}

// LinearBackward computes the gradients of Y = act(X·W + b) that are asked for,
// see [kernel.Kernels], with dZ = dY ⊙ act':
//
//	dX = dZ·Wᵀ   dW = Xᵀ·dZ   db = Σ over rows of dZ
//
// If dW is stored transposed, dWᵀ = dZᵀ·X is computed.
func LinearBackward[T kernel.Float](dx, dw *kernel.Matrix[T], db []T, x, w, dy, saved *kernel.Matrix[T], act kernel.Activation) {
	var px, pw product[T]
	px.m, px.n, px.depth = dx.Rows, dx.Cols, dy.Cols
	px.a, px.aRows, px.bRows, px.c, px.anyOrder = *dy, true, !w.Transposed, *dx, true
	setStored(&px.b, w)
	pw.m, pw.n, pw.depth = dw.Rows, dw.Cols, dy.Rows
	pw.a, pw.b = *x, *dy
	setStored(&pw.c, dw)
	dz := &pw.b
	if dw.Transposed {
		pw.m, pw.n, pw.a, pw.b = pw.n, pw.m, *dy, *x
		dz = &pw.a
	}
	work := px.cost() + pw.cost()
	small := px.small() && pw.small()
	if small && work < limits.parallel {
		k, s := kernelsOf[T](), takeScratch[T]()
		if act.Kind != kernel.Identity {
			px.a = kernel.MatrixOf(grow(&s.dz, dy.Rows*dy.Cols), dy.Rows, dy.Cols)
			activationBackward(px.a, *dy, *saved, act)
			*dz = px.a
		}
		k.sumRows(s, db, px.a)
		k.direct(s, &px)
		k.direct(s, &pw)
		s.giveBack()
		return
	}
	c := newCall[T](work)
	c.dy, c.saved, c.act, c.db, c.dwTransposed = *dy, *saved, act, db, dw.Transposed
	if small {
		c.setDirect(&px, &pw)
	} else {
		c.setBlocked(&px, &pw)
	}
	threads.Run(c.parts, c.grain, c)
	c.giveBack()
}

// setStored sets m to w.Stored().
func setStored[T kernel.Float](m, w *kernel.Matrix[T]) {
	m.Data, m.Rows, m.Cols, m.Stride = w.Data, w.Rows, w.Cols, w.Stride
	if w.Transposed {
		m.Rows, m.Cols = w.Cols, w.Rows
	}
}
