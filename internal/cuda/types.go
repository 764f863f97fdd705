//go:build gpu

package cuda

// Float is the set of element types.
type Float interface{ float32 | float64 }

// Matrix is a row-major view: element (i, j) is Data[i*Stride+j].
// Stride is at least Cols. A zero Matrix stands for "not given".
type Matrix[T Float] struct {
	Data               []T
	Rows, Cols, Stride int
}

// Given reports whether the matrix was given at all.
func (m Matrix[T]) Given() bool { return m.Data != nil }

// extent is the number of elements from the first of m to its last.
func (m Matrix[T]) extent() int {
	if m.Rows == 0 || m.Cols == 0 {
		return 0
	}
	return (m.Rows-1)*m.Stride + m.Cols
}

// row views v as one row.
func row[T Float](v []T) Matrix[T] { return Matrix[T]{Data: v, Rows: 1, Cols: len(v), Stride: len(v)} }

// Activation selects act in Y = act(Z). Alpha is the slope of LeakyReLU for
// negative Z and unused otherwise.
type Activation struct {
	Kind  ActivationKind
	Alpha float64
}

// ActivationKind names an activation function, numbered as in kernels/activation.cuh.
type ActivationKind uint8

// The activation functions.
const (
	Identity ActivationKind = iota
	ReLU
	LeakyReLU
	Tanh
	Sigmoid
	GELU
	SiLU
)

// SGDStep holds the scalars of one step of stochastic gradient descent.
type SGDStep struct {
	LR, Momentum, Dampening, WeightDecay float64
	Nesterov, First, ZeroGrad            bool
}

// AdamStep holds the scalars of one step of Adam or, when Decoupled, AdamW.
type AdamStep struct {
	LR, Beta1, Beta2, Eps, WeightDecay float64
	Step                               int
	Decoupled, ZeroGrad                bool
}

// RMSpropStep holds the scalars of one step of RMSprop.
type RMSpropStep struct {
	LR, Alpha, Eps, WeightDecay, Momentum float64
	Centered, ZeroGrad                    bool
}

// AdagradStep holds the scalars of one step of Adagrad.
type AdagradStep struct {
	LR, LRDecay, WeightDecay, Eps float64
	Step                          int
	ZeroGrad                      bool
}
