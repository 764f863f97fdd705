package vm

import (
	"math"
	"unsafe"

	"github.com/affine-go/affine/internal/values"
	"github.com/affine-go/affine/layer/device"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// matchElementwise recognises ops that compute element by element.
func (f *fusion) matchElementwise(n *gorgonia.Node) *part { return nil }

// exponential is exp(x) of each element.
type exponential struct{}

func (*exponential) keeps() bool { return true }

func (*exponential) compute(results, args []gorgonia.Value) error {
	switch args[0].Dtype() {
	case tensor.Float32:
		return runExponential[float32](results, args)
	case tensor.Float64:
		return runExponential[float64](results, args)
	}
	return otherDtype(args[0])
}

func runExponential[T device.Float](results, args []gorgonia.Value) error {
	x, err := values.Elements[T](args[0])
	if err != nil {
		return err
	}
	t, y := roomFor[T](results[0], args[0].Shape())
	results[0] = t
	for i, v := range x {
		y[i] = T(math.Exp(float64(v)))
	}
	return nil
}

// maskNegative computes dz = dy where z ≥ 0, and 0 elsewhere. The sign bit
// decides, without a branch that a processor could not foresee; adding 0 makes
// −0 a 0.
func maskNegative[T device.Float](dz, dy, z []T) {
	if len(dz) == 0 {
		return
	}
	switch unsafe.Sizeof(dz[0]) {
	case 4:
		dz, dy, z := any(dz).([]float32), any(dy).([]float32), any(z).([]float32)
		dy, z = dy[:len(dz)], z[:len(dz)]
		for i := range dz {
			negative := uint32(int32(math.Float32bits(z[i]+0)) >> 31)
			dz[i] = math.Float32frombits(math.Float32bits(dy[i]) &^ negative)
		}
	default:
		dz, dy, z := any(dz).([]float64), any(dy).([]float64), any(z).([]float64)
		dy, z = dy[:len(dz)], z[:len(dz)]
		for i := range dz {
			negative := uint64(int64(math.Float64bits(z[i]+0)) >> 63)
			dz[i] = math.Float64frombits(math.Float64bits(dy[i]) &^ negative)
		}
	}
}
