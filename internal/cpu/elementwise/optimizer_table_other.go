//go:build !amd64 || purego

package elementwise

import (
	"github.com/affine-go/affine/internal/cpu/arch"
)

var (
	updateKernels32 [arch.Sets]updateKernels[float32]
	updateKernels64 [arch.Sets]updateKernels[float64]
)
