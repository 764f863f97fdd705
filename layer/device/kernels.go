package device

import "github.com/affine-go/affine/internal/kernel"

//go:generate go run ../../internal/kernel/names -from ../../internal/kernel -pkg device -out names.go

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

	// Rule is the formula by which an optimizer updates weights.
	Rule = kernel.Rule
	// Update is one step of an optimizer.
	Update = kernel.Update
	// Moments are what an optimizer keeps for each weight.
	Moments[T Float] = kernel.Moments[T]
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
