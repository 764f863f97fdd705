// Package cpu holds the processor's kernels: the matrix products of a linear
// layer with their epilogues, activations, losses, reductions and optimizer
// updates, in float32 and float64. [Kernels] is the way in.
//
// Every function takes plain slices and shapes that the caller has checked;
// nothing here knows what a tensor, a graph or a device is. Results are the
// same bits for every value of GOMAXPROCS: work is split between threads by
// output, never inside a sum.
package cpu

import "github.com/affine-go/affine/internal/kernel"

// The vocabulary is that of package kernel.
type (
	Float                  = kernel.Float
	Matrix[T kernel.Float] = kernel.Matrix[T]
	Activation             = kernel.Activation
	ActivationKind         = kernel.ActivationKind
)

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
