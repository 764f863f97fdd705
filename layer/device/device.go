// Package device is the only door between an op and the hardware.
//
// A [Device] offers, for float32 and for float64, the [Kernels] that the ops,
// losses and optimisers of this module are made of, in plain slices, shapes
// and scalars. The processor and CUDA stand behind the same interface. No
// kernel knows what a graph is, and no op contains a loop over elements.
//
// Results do not depend on GOMAXPROCS: no sum is split by thread.
package device

// Float is the set of element types.
type Float interface{ float32 | float64 }

// Device is one machine to compute on, opened by [Open]. It is safe for
// concurrent use.
type Device interface {
	// Name is what [Open] takes to open this device again: "cpu", "cuda:0".
	Name() string
	// Description tells a person what was found: instruction set and threads,
	// or the product name of the card.
	Description() string
	// Float32 and Float64 return the kernels of each element type.
	Float32() Kernels[float32]
	Float64() Kernels[float64]
	// Sync waits for all work handed to the device and returns the first
	// error that any of it met.
	Sync() error
	// Close waits and releases the device. The processor is never released.
	Close() error
}

// For returns the kernels of d for element type T.
func For[T Float](d Device) Kernels[T] {
	var zero T
	if _, ok := any(zero).(float32); ok {
		return any(d.Float32()).(Kernels[T])
	}
	return any(d.Float64()).(Kernels[T])
}

// Matrix is a row-major view: element (i, j) is Data[i*Stride+j].
// Stride is at least Cols. A zero Matrix stands for "not given".
type Matrix[T Float] struct {
	Data               []T
	Rows, Cols, Stride int
}

// MatrixOf views data as rows×cols without gaps.
func MatrixOf[T Float](data []T, rows, cols int) Matrix[T] {
	return Matrix[T]{Data: data, Rows: rows, Cols: cols, Stride: cols}
}

// Given reports whether the matrix was given at all.
func (m Matrix[T]) Given() bool { return m.Data != nil }

// Activation selects act in Y = act(Z). Alpha is the slope of LeakyReLU for
// negative Z and unused otherwise.
type Activation struct {
	Kind  ActivationKind
	Alpha float64
}

// ActivationKind names an activation function.
type ActivationKind uint8

// The activation functions. UsesZ tells in which quantity act' is written.
const (
	Identity  ActivationKind = iota // y = z;               act' = 1
	ReLU                            // y = max(z, 0);       act' = 1 where y > 0, else 0
	LeakyReLU                       // y = z or αz (z < 0); act' = 1 where y > 0, else α
	Tanh                            // y = tanh z;          act' = 1 − y²
	Sigmoid                         // y = 1/(1+e⁻ᶻ);       act' = y(1−y)
	GELU                            // y = z·Φ(z);          act' = Φ(z) + z·φ(z), the exact form with erf
	SiLU                            // y = z·σ(z);          act' = σ(z)(1 + z(1−σ(z)))
)

// UsesZ reports whether the derivative is a function of Z = X·W + b, as it is
// where act has no inverse (GELU, SiLU), rather than of Y = act(Z).
func (k ActivationKind) UsesZ() bool { return k == GELU || k == SiLU }

// Kernels is what a device computes for one element type. Shapes are checked;
// an error names the kernel, what came and what was wanted. Outputs are
// written whole, whatever they held, and must not overlap inputs unless a
// method says that they may. Inputs are never written.
type Kernels[T Float] interface {
	// Alloc returns n zeroed elements in memory that the host can read and the
	// device computes on without a copy. Free gives them back. What is not freed
	// goes back when the device closes; the processor's memory is collected.
	// Operands may also lie in any other memory of the host: a card copies them.
	Alloc(n int) ([]T, error)
	Free(data []T)

	// Linear computes Y = act(X·W + b).
	//
	// X [n, in]  W [in, out]  b [out] or nil  Y [n, out]. Where z is given
	// (same shape as Y), Z = X·W + b is stored there too.
	Linear(y, z, x, w Matrix[T], b []T, act Activation) error

	// LinearBackward computes those gradients of Y = act(X·W + b) that are
	// given room, with dZ = dY ⊙ act':
	//
	//	dX = dZ·Wᵀ   dW = Xᵀ·dZ   db = Σ over rows of dZ
	//
	// a is the quantity that act' is written in (Y, or Z if act.Kind.UsesZ)
	// and may be left out for Identity. x is read for dW only and w for dX
	// only. dx and dw may be zero matrices and db nil: that gradient is skipped.
	LinearBackward(dx, dw Matrix[T], db []T, x, w, dy, a Matrix[T], act Activation) error

	// Activate computes y = act(z) over equally long slices; y may be z.
	Activate(y, z []T, act Activation) error
	// ActivationBackward computes dz = dy ⊙ D(a), where D is the derivative of
	// act written in a (order 1), or the derivative of that by a (order 2).
	// dz may be dy.
	ActivationBackward(dz, dy, a []T, act Activation, order int) error

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

	// The optimiser updates: one pass over the weights w, their gradient g and
	// the moments, in place. With ZeroGrad set, g is zero afterwards.
	// The formulas are PyTorch's (torch.optim, version 2).
	SGD(w, g, momentum []T, s SGDStep) error
	Adam(w, g, m, v []T, s AdamStep) error
	RMSprop(w, g, square, momentum, mean []T, s RMSpropStep) error
	Adagrad(w, g, sum []T, s AdagradStep) error
}

// SGDStep holds the scalars of one step of stochastic gradient descent:
// g += WeightDecay·w; with momentum μ ≠ 0: m = μ·m + (1−Dampening)·g (m = g in
// the First step), g = g + μ·m under Nesterov, else m; w −= LR·g.
type SGDStep struct {
	LR, Momentum, Dampening, WeightDecay float64
	Nesterov, First, ZeroGrad            bool
}

// AdamStep holds the scalars of one step of Adam or, when Decoupled, AdamW.
// Step counts from 1: g += WeightDecay·w (Adam) or w −= LR·WeightDecay·w
// (AdamW); m = β₁m + (1−β₁)g; v = β₂v + (1−β₂)g²;
// w −= LR/(1−β₁ᵗ) · m / (√v/√(1−β₂ᵗ) + Eps).
type AdamStep struct {
	LR, Beta1, Beta2, Eps, WeightDecay float64
	Step                               int
	Decoupled, ZeroGrad                bool
}

// RMSpropStep holds the scalars of one step of RMSprop: g += WeightDecay·w;
// v = αv + (1−α)g²; Centered: mean = α·mean + (1−α)g and v' = v − mean², else
// v' = v; with momentum μ > 0: b = μb + g/(√v' + Eps), w −= LR·b; else
// w −= LR·g/(√v' + Eps). Unused moments are nil.
type RMSpropStep struct {
	LR, Alpha, Eps, WeightDecay, Momentum float64
	Centered, ZeroGrad                    bool
}

// AdagradStep holds the scalars of one step of Adagrad, counted from 1:
// g += WeightDecay·w; s += g²; w −= LR/(1 + (Step−1)·LRDecay) · g/(√s + Eps).
type AdagradStep struct {
	LR, LRDecay, WeightDecay, Eps float64
	Step                          int
	ZeroGrad                      bool
}

// PeakMeter is a device that can measure its highest rate of multiplications
// and additions, in operations a second, for the given number of threads: what
// the speed of a product is compared with.
type PeakMeter interface {
	PeakFLOPS32(threads int) float64
	PeakFLOPS64(threads int) float64
}
