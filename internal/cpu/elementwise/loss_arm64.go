//go:build !purego

package elementwise

import "github.com/affine-go/affine/internal/cpu/arch"

// The sums of rows of logits, and the loss of them: there is one instruction set.

func crossEntropyRows32(_ arch.Set, sum, weight, dot *float64, z *float32, zStride int, t *float32, tStride int, rows, cols int) {
	crossEntropyRowsNEONFloat32(sum, weight, dot, z, zStride, t, tStride, rows, cols)
}

func crossEntropyRows64(_ arch.Set, sum, weight, dot *float64, z *float64, zStride int, t *float64, tStride int, rows, cols int) {
	crossEntropyRowsNEONFloat64(sum, weight, dot, z, zStride, t, tStride, rows, cols)
}

func crossEntropyTotal(_ arch.Set, sum, weight, dot *float64, n int) float64 {
	return crossEntropyTotalNEONFloat64(sum, weight, dot, n)
}
