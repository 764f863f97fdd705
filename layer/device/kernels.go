package device

import "github.com/affine-go/affine/internal/kernel"

// The vocabulary of the kernels, which devices share, is that of package
// internal/kernel.
type (
	// Float is the set of element types.
	Float = kernel.Float
	// Matrix is a view of rows × columns.
	Matrix[T Float] = kernel.Matrix[T]
	// Activation selects act in Y = act(Z).
	Activation = kernel.Activation
	// ActivationKind names an activation function.
	ActivationKind = kernel.ActivationKind
	// Kernels is what a device computes for one element type. The ones that a
	// [Device] returns check their arguments: an error names the kernel, what
	// came and what was wanted.
	Kernels[T Float] = kernel.Kernels[T]

	// Dropout says which elements a dropout sets to zero.
	Dropout = kernel.Dropout

	// SGDStep holds the scalars of a step of stochastic gradient descent.
	SGDStep = kernel.SGDStep
	// AdamStep holds the scalars of a step of Adam or AdamW.
	AdamStep = kernel.AdamStep
	// RMSpropStep holds the scalars of a step of RMSprop.
	RMSpropStep = kernel.RMSpropStep
	// AdagradStep holds the scalars of a step of Adagrad.
	AdagradStep = kernel.AdagradStep
	// LionStep holds the scalars of a step of Lion.
	LionStep = kernel.LionStep
)

// The activation functions.
const (
	Identity  = kernel.Identity
	ReLU      = kernel.ReLU
	LeakyReLU = kernel.LeakyReLU
	Tanh      = kernel.Tanh
	Sigmoid   = kernel.Sigmoid
	GELU      = kernel.GELU
	SiLU      = kernel.SiLU
	Softplus  = kernel.Softplus
)

// What the derivative of an activation may be written in: see
// [ActivationKind.Saved].
const (
	SavedY = kernel.SavedY
	SavedZ = kernel.SavedZ
)

// MatrixOf views data as rows×cols without gaps.
func MatrixOf[T Float](data []T, rows, cols int) Matrix[T] { return kernel.MatrixOf(data, rows, cols) }

// Activations returns all kinds of activation, Identity first.
func Activations() []ActivationKind { return kernel.Activations() }
