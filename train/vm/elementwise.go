package vm

import (
	"math"
	"unsafe"

	"github.com/affine-go/affine/layer/device"
	"gorgonia.org/gorgonia"
)

// matchElementwise recognises ops that compute element by element.
func (f *fusion) matchElementwise(n *gorgonia.Node) *part { return nil }

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
