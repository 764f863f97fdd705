//go:build !amd64 || purego

package cpu

var (
	activations32 [avx512 + 1]activationKernels[float32]
	activations64 [avx512 + 1]activationKernels[float64]
)
