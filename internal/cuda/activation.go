//go:build gpu

package cuda

import (
	"fmt"

	"github.com/affine-go/affine/internal/kernel"
)

// Kernels are a card's [kernel.Kernels].
type Kernels[T kernel.Float] struct{ device *Device }

var _ kernel.Kernels[float32] = Kernels[float32]{}

// NewKernels returns the kernels of d.
func NewKernels[T kernel.Float](d *Device) Kernels[T] { return Kernels[T]{d} }

// An activation is a kernel.Activation as the kernels take it: numbered as in
// kernels/activation.cuh.
type activation struct {
	kernel.Activation
	number uint64
}

// numbers are those of the enum in kernels/activation.cuh.
var numbers = map[kernel.ActivationKind]uint64{
	kernel.Identity: 0, kernel.ReLU: 1, kernel.LeakyReLU: 2, kernel.Tanh: 3, kernel.Sigmoid: 4, kernel.GELU: 5, kernel.SiLU: 6,
	kernel.Softplus: 7,
}

// activationOf returns act for the kernels, or an error if they lack it.
func activationOf(act kernel.Activation) (activation, error) {
	n, ok := numbers[act.Kind]
	if !ok {
		return activation{}, fmt.Errorf("%v is not implemented for CUDA", act.Kind)
	}
	return activation{act, n}, nil
}

// parameters are the three arguments of the kernels for act: its kind, its first
// number and its second.
func (a activation) parameters() (kind, alpha, limit uint64) {
	if a.Kind == kernel.Softplus {
		return a.number, float(a.Beta), float(a.Threshold)
	}
	return a.number, float(a.Alpha), 0
}

// row views v as one row.
func row[T kernel.Float](v []T) kernel.Matrix[T] { return kernel.MatrixOf(v, 1, len(v)) }
