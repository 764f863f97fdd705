//go:build !amd64 || purego

package elementwise

import (
	"github.com/affine-go/affine/internal/cpu/arch"
)

var (
	activations32 [arch.Sets]activationKernels[float32]
	activations64 [arch.Sets]activationKernels[float64]
)
