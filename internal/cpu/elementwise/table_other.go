//go:build (!amd64 && !arm64) || purego

package elementwise

import (
	"github.com/affine-go/affine/internal/cpu/arch"
	"github.com/affine-go/affine/internal/kernel"
)

// This build has plain Go alone.
var (
	activations32   [arch.Sets]activationKernels[float32]
	activations64   [arch.Sets]activationKernels[float64]
	updateKernels32 [arch.Sets]updateKernels[float32]
	updateKernels64 [arch.Sets]updateKernels[float64]
	vectors32       [arch.Sets]vectorKernels[float32]
	vectors64       [arch.Sets]vectorKernels[float64]
)

// crossEntropyBlock has no assembly in this build.
func crossEntropyBlock[T kernel.Float](arch.Set, kernel.Matrix[T], kernel.Matrix[T], int, int) (float64, bool) {
	return 0, false
}
