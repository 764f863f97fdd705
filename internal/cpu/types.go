// Package cpu holds the processor's kernels: the matrix products of a linear
// layer with their epilogues, activations, losses, reductions and optimiser
// updates, in float32 and float64.
//
// Every function takes plain slices and shapes that the caller has checked;
// nothing here knows what a tensor, a graph or a device is. Results are the
// same bits for every value of GOMAXPROCS: work is split between threads by
// output, never inside a sum.
package cpu

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

// Row returns row i without the padding between rows.
func (m Matrix[T]) Row(i int) []T { return m.Data[i*m.Stride : i*m.Stride+m.Cols] }

// Activation selects act in Y = act(Z). Alpha is the slope of LeakyReLU for
// negative Z and unused otherwise.
type Activation struct {
	Kind  ActivationKind
	Alpha float64
}

// ActivationKind names an activation function.
type ActivationKind uint8

// The activation functions, with act'(Z) written in the quantity that the
// backward functions take: Y for all up to Sigmoid, Z for GELU and SiLU.
const (
	Identity  ActivationKind = iota // y = z;               act' = 1
	ReLU                            // y = max(z, 0);       act' = 1 where y > 0, else 0
	LeakyReLU                       // y = z or αz (z < 0); act' = 1 where y > 0, else α
	Tanh                            // y = tanh z;          act' = 1 − y²
	Sigmoid                         // y = 1/(1+e⁻ᶻ);       act' = y(1−y)
	GELU                            // y = z·Φ(z);          act' = Φ(z) + z·φ(z), the exact form with erf
	SiLU                            // y = z·σ(z);          act' = σ(z)(1 + z(1−σ(z)))
)
