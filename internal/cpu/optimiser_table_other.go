//go:build !amd64 || purego

package cpu

var (
	updateKernels32 [avx512 + 1]updateKernels[float32]
	updateKernels64 [avx512 + 1]updateKernels[float64]
)
