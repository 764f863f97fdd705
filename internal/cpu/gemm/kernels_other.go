//go:build (!amd64 && !arm64) || purego

package gemm

// This build has plain Go alone.
var (
	avx2Kernels32, avx512Kernels32, neonKernels32 *kernels[float32]
	avx2Kernels64, avx512Kernels64, neonKernels64 *kernels[float64]
)
