//go:build (amd64 || arm64) && !purego

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
// variant. The kernels are called by name, not from a table, so that the compiler
// sees that the sums may stay on the stack.
func crossEntropyBlock[T kernel.Float](set arch.Set, logits, targets kernel.Matrix[T], lo, hi int) (loss float64, ok bool) {
	if set == arch.Generic {
		return 0, false
	}
	var sum, weight, dot [blockRows]float64
	for ; lo < hi; lo += blockRows {
		n := min(blockRows, hi-lo)
		z, t := unsafe.Pointer(&logits.Data[lo*logits.Stride]), unsafe.Pointer(&targets.Data[lo*targets.Stride])
		if arch.Size[T]() == 4 {
			crossEntropyRows32(set, &sum[0], &weight[0], &dot[0], (*float32)(z), logits.Stride, (*float32)(t), targets.Stride, n, logits.Cols)
		} else {
			crossEntropyRows64(set, &sum[0], &weight[0], &dot[0], (*float64)(z), logits.Stride, (*float64)(t), targets.Stride, n, logits.Cols)
		}
		loss += crossEntropyTotal(set, &sum[0], &weight[0], &dot[0], n)
	}
	return loss, true
}
