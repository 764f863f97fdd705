package elementwise

import (
	"github.com/affine-go/affine/internal/cpu/arch"
	"github.com/affine-go/affine/internal/kernel"
)

// Scale multiplies x by s in place.
func Scale[T kernel.Float](x []T, s T) {
	if len(x) <= chunk {
		scale(x, s)
	} else {
		inChunks(len(x), func(lo, hi int) { scale(x[lo:hi], s) })
	}
}

func scale[T kernel.Float](x []T, s T) {
	if k := vectorsOf[T](arch.Current()); k != nil && len(x) > 0 {
		k.scale(&x[0], len(x), s)
		return
	}
	for i := range x {
		x[i] *= s
	}
}

// Clamp limits every element of x to [−bound, bound] in place. NaN stays NaN.
func Clamp[T kernel.Float](x []T, bound T) {
	if len(x) <= chunk {
		clamp(x, bound)
	} else {
		inChunks(len(x), func(lo, hi int) { clamp(x[lo:hi], bound) })
	}
}

func clamp[T kernel.Float](x []T, bound T) {
	if k := vectorsOf[T](arch.Current()); k != nil && len(x) > 0 {
		k.clamp(&x[0], len(x), bound)
		return
	}
	for i, v := range x {
		x[i] = limit(v, bound)
	}
}

// BroadcastRows copies v into every row of y.
func BroadcastRows[T kernel.Float](y kernel.Matrix[T], v []T) {
	for i := range y.Rows {
		copy(y.Row(i), v)
	}
}

// GatherRows copies row index[i] of src into row i of dst.
func GatherRows[T kernel.Float](dst, src kernel.Matrix[T], index []int) {
	for i, j := range index {
		copy(dst.Row(i), src.Row(j))
	}
}
