package cpu

import "github.com/affine-go/affine/internal/kernel"

// Kernels are the processor's [kernel.Kernels]. They have no state and return
// no errors.
type Kernels[T Float] struct{}

var _ kernel.Kernels[float32] = Kernels[float32]{}

func (Kernels[T]) Alloc(n int) ([]T, error) { return Alloc[T](n), nil }

// Free leaves the memory to the garbage collector.
func (Kernels[T]) Free([]T) {}

func (Kernels[T]) Linear(y, z, x, w Matrix[T], b []T, act Activation) error {
	Linear(y, z, x, w, b, act)
	return nil
}

func (Kernels[T]) LinearBackward(dx, dw Matrix[T], db []T, x, w, dy, saved Matrix[T], act Activation) error {
	LinearBackward(dx, dw, db, x, w, dy, saved, act)
	return nil
}

func (Kernels[T]) Activate(y, z []T, act Activation) error {
	Activate(y, z, act)
	return nil
}

func (Kernels[T]) ActivationBackward(dz, dy, saved []T, act Activation, order int) error {
	ActivationBackward(dz, dy, saved, act, order)
	return nil
}

func (Kernels[T]) SoftmaxCrossEntropy(logits, targets Matrix[T]) (T, error) {
	return SoftmaxCrossEntropy(logits, targets), nil
}

func (Kernels[T]) SoftmaxCrossEntropyBackward(dlogits, logits, targets Matrix[T], scale T) error {
	SoftmaxCrossEntropyBackward(dlogits, logits, targets, scale)
	return nil
}

func (Kernels[T]) MSE(pred, target []T) (T, error) { return MSE(pred, target), nil }

func (Kernels[T]) MSEBackward(dpred, pred, target []T, scale T) error {
	MSEBackward(dpred, pred, target, scale)
	return nil
}

func (Kernels[T]) BinaryCrossEntropy(logits, targets []T) (T, error) {
	return BinaryCrossEntropy(logits, targets), nil
}

func (Kernels[T]) BinaryCrossEntropyBackward(dlogits, logits, targets []T, scale T) error {
	BinaryCrossEntropyBackward(dlogits, logits, targets, scale)
	return nil
}

func (Kernels[T]) Softmax(y, z Matrix[T]) error {
	Softmax(y, z)
	return nil
}

func (Kernels[T]) BroadcastRows(y Matrix[T], v []T) error {
	BroadcastRows(y, v)
	return nil
}

func (Kernels[T]) GatherRows(dst, src Matrix[T], index []int) error {
	GatherRows(dst, src, index)
	return nil
}

func (Kernels[T]) SumOfSquares(x []T) (float64, error) { return SumOfSquares(x), nil }

func (Kernels[T]) Scale(x []T, s T) error {
	Scale(x, s)
	return nil
}

func (Kernels[T]) Clamp(x []T, limit T) error {
	Clamp(x, limit)
	return nil
}

func (Kernels[T]) SGD(w, g, momentum []T, s kernel.SGDStep) error {
	SGD(w, g, momentum, s)
	return nil
}

func (Kernels[T]) Adam(w, g, m, v, vmax []T, s kernel.AdamStep) error {
	Adam(w, g, m, v, vmax, s)
	return nil
}

func (Kernels[T]) RMSprop(w, g, square, momentum, mean []T, s kernel.RMSpropStep) error {
	RMSprop(w, g, square, momentum, mean, s)
	return nil
}

func (Kernels[T]) Adagrad(w, g, sum []T, s kernel.AdagradStep) error {
	Adagrad(w, g, sum, s)
	return nil
}

func (Kernels[T]) Lion(w, g, m []T, s kernel.LionStep) error {
	Lion(w, g, m, s)
	return nil
}
