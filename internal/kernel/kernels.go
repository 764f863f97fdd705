package kernel

// Kernels is what a device computes for one element type. Outputs are written
// whole, whatever they held, and must not overlap inputs unless a method says
// that they may. Inputs are never written. Package device checks the arguments
// once for all devices; what implements Kernels is called with sound ones.
type Kernels[T Float] interface {
	// Alloc returns n zeroed elements in memory that the host can read and the
	// device computes on without a copy. Free gives them back. What is not freed
	// goes back when the device closes; the processor's memory is collected.
	// Operands may also lie in any other memory of the host: a card copies them.
	Alloc(n int) ([]T, error)
	Free(data []T)

	// Linear computes Y = act(X·W + b).
	//
	// X [n, in]  W [in, out]  b [out] or nil  Y [n, out]. If z is given (same
	// shape as Y), Z = X·W + b is stored there too. W may be Transposed.
	Linear(y, z, x, w Matrix[T], b []T, act Activation) error

	// LinearBackward computes the gradients of Y = act(X·W + b) that are asked
	// for, with dZ = dY ⊙ act':
	//
	//	dX = dZ·Wᵀ   dW = Xᵀ·dZ   db = Σ over rows of dZ
	//
	// saved is the quantity that act' is written in (act.Kind.Saved: Y or Z) and
	// may be left out for Identity. x is read for dW only and w for dX only. dx
	// and dw may be zero matrices and db nil: that gradient is skipped. W and dW
	// may be Transposed.
	LinearBackward(dx, dw Matrix[T], db []T, x, w, dy, saved Matrix[T], act Activation) error

	// Activate computes y = act(z) over equally long slices; y may be z.
	Activate(y, z []T, act Activation) error
	// ActivationBackward computes dz = dy ⊙ D(saved), where D is act' written in
	// saved (order 1), or the derivative of that by saved (order 2). dz may be dy.
	ActivationBackward(dz, dy, saved []T, act Activation, order int) error

	// SoftmaxCrossEntropy returns −(1/n) Σ_rows Σ_j t_j·log softmax(z)_j.
	// Logits and targets are [n, classes].
	SoftmaxCrossEntropy(logits, targets Matrix[T]) (T, error)
	// SoftmaxCrossEntropyBackward computes
	// dlogits = scale/n · (softmax(z)·Σ_j t_j − t) for each row.
	SoftmaxCrossEntropyBackward(dlogits, logits, targets Matrix[T], scale T) error
	// MSE returns the mean over all elements of (p − t)².
	MSE(pred, target []T) (T, error)
	// MSEBackward computes dpred = scale·2(p − t)/N, N the number of elements.
	MSEBackward(dpred, pred, target []T, scale T) error
	// BinaryCrossEntropy returns the mean over all elements of
	// max(z, 0) − z·t + log(1 + e^−|z|).
	BinaryCrossEntropy(logits, targets []T) (T, error)
	// BinaryCrossEntropyBackward computes dlogits = scale·(σ(z) − t)/N.
	BinaryCrossEntropyBackward(dlogits, logits, targets []T, scale T) error
	// Softmax computes each row's softmax; y may be z.
	Softmax(y, z Matrix[T]) error

	// Dropout computes Y = X ⊙ M, M the mask that d describes; Y may be X. A
	// device may lack it; it then returns an error.
	Dropout(y, x Matrix[T], d Dropout) error
	// BroadcastRows copies the vector v into every row of y.
	BroadcastRows(y Matrix[T], v []T) error
	// GatherRows copies row index[i] of src into row i of dst.
	GatherRows(dst, src Matrix[T], index []int) error
	// SumOfSquares returns Σ x², accumulated in float64.
	SumOfSquares(x []T) (float64, error)
	// Scale multiplies x by s in place.
	Scale(x []T, s T) error
	// Clamp limits every element of x to [−limit, limit] in place.
	Clamp(x []T, limit T) error

	// Update makes a step of an optimizer: one pass over the weights w, their
	// gradient g and the moments, in place.
	Update(w, g []T, moments Moments[T], u *Update) error
}
