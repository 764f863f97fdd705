//go:build !purego

package elementwise

import (
	"unsafe"

	"github.com/affine-go/affine/internal/cpu/arch"
	"github.com/affine-go/affine/internal/kernel"
)

// blockRows is the number of rows whose sums are taken at a time: enough to
// fill the vectors of the logarithm, few enough to lie on the stack.
const blockRows = 32

// crossEntropyBlock returns the loss of rows lo to hi, or false in the generic
// variant. It calls the kernels by name, not from a table, so that the
// compiler sees that the sums may stay on the stack.
func crossEntropyBlock[T kernel.Float](set arch.Set, logits, targets kernel.Matrix[T], lo, hi int) (loss float64, ok bool) {
	if set == arch.Generic {
		return 0, false
	}
	var sum, weight, dot [blockRows]float64
	for ; lo < hi; lo += blockRows {
		n := min(blockRows, hi-lo)
		z, t := &logits.Data[lo*logits.Stride], &targets.Data[lo*targets.Stride]
		if unsafe.Sizeof(*z) == 4 {
			z, t := (*float32)(unsafe.Pointer(z)), (*float32)(unsafe.Pointer(t))
			if set == arch.AVX512 {
				crossEntropyRowsAVX512Float32(&sum[0], &weight[0], &dot[0], z, logits.Stride, t, targets.Stride, n, logits.Cols)
			} else {
				crossEntropyRowsAVX2Float32(&sum[0], &weight[0], &dot[0], z, logits.Stride, t, targets.Stride, n, logits.Cols)
			}
		} else {
			z, t := (*float64)(unsafe.Pointer(z)), (*float64)(unsafe.Pointer(t))
			if set == arch.AVX512 {
				crossEntropyRowsAVX512Float64(&sum[0], &weight[0], &dot[0], z, logits.Stride, t, targets.Stride, n, logits.Cols)
			} else {
				crossEntropyRowsAVX2Float64(&sum[0], &weight[0], &dot[0], z, logits.Stride, t, targets.Stride, n, logits.Cols)
			}
		}
		if set == arch.AVX512 {
			loss += crossEntropyTotalAVX512Float64(&sum[0], &weight[0], &dot[0], n)
		} else {
			loss += crossEntropyTotalAVX2Float64(&sum[0], &weight[0], &dot[0], n)
		}
	}
	return loss, true
}
