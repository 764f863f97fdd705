//go:build !purego

package elementwise

import (
	"unsafe"

	"github.com/affine-go/affine/internal/cpu/arch"
	"github.com/affine-go/affine/internal/kernel"
)

var vectors32 = [...]vectorKernels[float32]{
	arch.AVX2: {
		scale:                scaleAVX2Float32,
		clamp:                clampAVX2Float32,
		sumOfSquares:         sumOfSquaresAVX2Float32,
		squaredError:         squaredErrorAVX2Float32,
		squaredErrorBackward: squaredErrorBackwardAVX2Float32,
		logisticLoss:         logisticLossAVX2Float32,
		logisticLossBackward: logisticLossBackwardAVX2Float32,
		crossEntropyBackward: crossEntropyBackwardRowsAVX2Float32,
		softmax:              softmaxRowsAVX2Float32,
	},
	arch.AVX512: {
		scale:                      scaleAVX512Float32,
		clamp:                      clampAVX512Float32,
		sumOfSquares:               sumOfSquaresAVX512Float32,
		squaredError:               squaredErrorAVX512Float32,
		squaredErrorBackward:       squaredErrorBackwardAVX512Float32,
		logisticLoss:               logisticLossAVX512Float32,
		logisticLossBackward:       logisticLossBackwardAVX512Float32,
		crossEntropyBackward:       crossEntropyBackwardRowsAVX512Float32,
		crossEntropyNarrow:         crossEntropyNarrowAVX512Float32,
		crossEntropyBackwardNarrow: crossEntropyBackwardNarrowAVX512Float32,
		softmax:                    softmaxRowsAVX512Float32,
	},
}

var vectors64 = [...]vectorKernels[float64]{
	arch.AVX2: {
		scale:                scaleAVX2Float64,
		clamp:                clampAVX2Float64,
		sumOfSquares:         sumOfSquaresAVX2Float64,
		squaredError:         squaredErrorAVX2Float64,
		squaredErrorBackward: squaredErrorBackwardAVX2Float64,
		logisticLoss:         logisticLossAVX2Float64,
		logisticLossBackward: logisticLossBackwardAVX2Float64,
		crossEntropyBackward: crossEntropyBackwardRowsAVX2Float64,
		softmax:              softmaxRowsAVX2Float64,
	},
	arch.AVX512: {
		scale:                      scaleAVX512Float64,
		clamp:                      clampAVX512Float64,
		sumOfSquares:               sumOfSquaresAVX512Float64,
		squaredError:               squaredErrorAVX512Float64,
		squaredErrorBackward:       squaredErrorBackwardAVX512Float64,
		logisticLoss:               logisticLossAVX512Float64,
		logisticLossBackward:       logisticLossBackwardAVX512Float64,
		crossEntropyBackward:       crossEntropyBackwardRowsAVX512Float64,
		crossEntropyNarrow:         crossEntropyNarrowAVX512Float64,
		crossEntropyBackwardNarrow: crossEntropyBackwardNarrowAVX512Float64,
		softmax:                    softmaxRowsAVX512Float64,
	},
}

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
