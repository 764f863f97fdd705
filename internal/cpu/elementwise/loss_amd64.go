//go:build !purego

package elementwise

import "github.com/affine-go/affine/internal/cpu/arch"

// The sums of rows of logits, and the loss of them, by instruction set.

func crossEntropyRows32(set arch.Set, sum, weight, dot *float64, z *float32, zStride int, t *float32, tStride int, rows, cols int) {
	if set == arch.AVX512 {
		crossEntropyRowsAVX512Float32(sum, weight, dot, z, zStride, t, tStride, rows, cols)
	} else {
		crossEntropyRowsAVX2Float32(sum, weight, dot, z, zStride, t, tStride, rows, cols)
	}
}

func crossEntropyRows64(set arch.Set, sum, weight, dot *float64, z *float64, zStride int, t *float64, tStride int, rows, cols int) {
	if set == arch.AVX512 {
		crossEntropyRowsAVX512Float64(sum, weight, dot, z, zStride, t, tStride, rows, cols)
	} else {
		crossEntropyRowsAVX2Float64(sum, weight, dot, z, zStride, t, tStride, rows, cols)
	}
}

func crossEntropyTotal(set arch.Set, sum, weight, dot *float64, n int) float64 {
	if set == arch.AVX512 {
		return crossEntropyTotalAVX512Float64(sum, weight, dot, n)
	}
	return crossEntropyTotalAVX2Float64(sum, weight, dot, n)
}
