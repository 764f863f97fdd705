package elementwise

import (
	"github.com/affine-go/affine/internal/cpu/threads"
	"github.com/affine-go/affine/internal/kernel"
)

// Dropout computes Y = X ⊙ M, M the mask of d with 0 or 1/(1 − P) in each place;
// Y may be X. NaN and infinite elements are NaN if they are dropped, as with
// PyTorch.
func Dropout[T kernel.Float](y, x kernel.Matrix[T], d kernel.Dropout) {
	grain := max(1, chunk/max(1, x.Cols))
	if x.Rows <= grain {
		dropRows(y, x, d, 0, x.Rows)
		return
	}
	threads.Each(x.Rows, grain, func(lo, hi int) { dropRows(y, x, d, lo, hi) })
}

func dropRows[T kernel.Float](y, x kernel.Matrix[T], d kernel.Dropout, lo, hi int) {
	// A branch would be mispredicted as often as there are zeros: the factor is
	// looked up by the sign of a difference.
	factors, below := [2]T{T(1 / (1 - d.P)), 0}, d.Below()
	for i := lo; i < hi; i++ {
		state := d.Row(i)
		from, to := x.Row(i), y.Row(i)[:x.Cols]
		for j := 1; j < len(from); j += 2 {
			bits := d.Pair(state, j/2)
			to[j-1] = from[j-1] * factors[(bits&0xffffffff-below)>>63]
			to[j] = from[j] * factors[(bits>>32-below)>>63]
		}
		if j := len(from) - 1; j >= 0 && j%2 == 0 {
			to[j] = from[j] * factors[(d.Pair(state, j/2)&0xffffffff-below)>>63]
		}
	}
}
