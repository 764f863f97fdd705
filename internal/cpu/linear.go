package cpu

// Linear computes Y = act(X·W + b).
//
// X [n, in]  W [in, out]  b [out] or nil  Y [n, out]. Where z is given (same
// shape as Y), Z = X·W + b is stored there too.
func Linear[T Float](y, z, x, w Matrix[T], b []T, act Activation) {
	linearGeneric(y, z, x, w, b, act)
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
	linearBackwardGeneric(dx, dw, db, x, w, dy, a, act)
}
