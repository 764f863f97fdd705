//go:build !amd64 || purego

package cpu

var (
	vectors32 [avx512 + 1]vectorKernels[float32]
	vectors64 [avx512 + 1]vectorKernels[float64]
)

// crossEntropyBlock has no assembly in this build.
func crossEntropyBlock[T Float](variant, Matrix[T], Matrix[T], int, int) (float64, bool) {
	return 0, false
}
