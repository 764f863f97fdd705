//go:build gpu

package cuda

import (
	_ "embed" // for the list of kinds
	"fmt"
	"strings"

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

//go:embed kernels/activation.cuh
var activationSource string

// numbers are the places of the kinds in the source's enum, which is the list of
// those that the kernels have.
var numbers = func() map[kernel.ActivationKind]uint64 {
	_, list, _ := strings.Cut(activationSource, "\nenum {")
	list, _, _ = strings.Cut(list, "}")
	numbers := map[kernel.ActivationKind]uint64{}
	for i, name := range strings.Split(list, ",") {
		for _, kind := range kernel.Activations() {
			if strings.EqualFold(strings.TrimSpace(name), kind.String()) {
				numbers[kind] = uint64(i)
			}
		}
	}
	return numbers
}()

// activationOf returns act for the kernels, or an error if they lack it.
func activationOf(act kernel.Activation) (activation, error) {
	n, ok := numbers[act.Kind]
	if !ok {
		return activation{}, fmt.Errorf("got activation %v, for which CUDA has no kernel; want another, or device cpu", act.Kind)
	}
	return activation{act, n}, nil
}

// parameters are the three arguments of the kernels for act: its kind, its first
// number and its second.
func (a activation) parameters() (kind, alpha, limit uint64) {
	v := a.Values()
	return a.number, float(v[0]), float(v[1])
}

// row views v as one row.
func row[T kernel.Float](v []T) kernel.Matrix[T] { return kernel.MatrixOf(v, 1, len(v)) }
