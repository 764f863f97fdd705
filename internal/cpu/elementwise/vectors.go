package elementwise

import (
	"github.com/affine-go/affine/internal/cpu/arch"
	"github.com/affine-go/affine/internal/cpu/threads"
	"github.com/affine-go/affine/internal/kernel"
)

// vectorKernels are the loops of one instruction set over contiguous elements and
// over rows of logits; plain Go has none.
type vectorKernels[T kernel.Float] struct {
	scale func(x *T, n int, s T)
	clamp func(x *T, n int, bound T)

	sumOfSquares         func(x *T, n int) float64
	squaredError         func(p, t *T, n int) float64
	squaredErrorBackward func(d, p, t *T, n int, scale T)
	logisticLoss         func(z, t *T, n int) float64
	logisticLossBackward func(d, z, t *T, n int, scale float64)

	crossEntropyBackward func(d *T, dStride int, z *T, zStride int, t *T, tStride int, rows, cols int, scale float64)
	// The same for rows of a few classes; nil if there is none.
	crossEntropyNarrow         func(z *T, zStride int, t *T, tStride int, rows, cols int) float64
	crossEntropyBackwardNarrow func(d *T, dStride int, z *T, zStride int, t *T, tStride int, rows, cols int, scale float64)

	softmax func(y *T, yStride int, z *T, zStride int, rows, cols int)
}

// vectorsOf returns the kernels of the set for element type T, or nil for plain
// Go.
func vectorsOf[T kernel.Float](set arch.Set) *vectorKernels[T] {
	if set == arch.Generic {
		return nil
	}
	var zero T
	if _, ok := any(zero).(float32); ok {
		return any(&vectors32[set]).(*vectorKernels[T])
	}
	return any(&vectors64[set]).(*vectorKernels[T])
}

// chunk is the number of elements that one thread takes at a time. Sums add up
// the sums of chunks, in order, and chunks do not depend on the number of
// threads. Below one chunk there is nothing to share: it takes about 3 µs from
// the L2 cache of a 2.6 GHz Xeon, and waking a thread takes 5.
const chunk = 32768

// inChunks calls f for all of [0, n), on several threads if n is large.
func inChunks(n int, f func(lo, hi int)) { threads.Each(n, chunk, f) }

// sumChunks returns the sum over all chunks of [0, n).
func sumChunks(n, chunk int, f func(lo, hi int) float64) float64 {
	sums := make([]float64, (n+chunk-1)/chunk)
	threads.Each(len(sums), 1, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			sums[i] = f(i*chunk, min((i+1)*chunk, n))
		}
	})
	var sum float64
	for _, s := range sums {
		sum += s
	}
	return sum
}
