package elementwise

import (
	"github.com/affine-go/affine/internal/cpu/arch"
	"github.com/affine-go/affine/internal/kernel"
)

// SumOfSquares returns Σ x², accumulated in float64.
func SumOfSquares[T kernel.Float](x []T) float64 {
	if len(x) <= chunk {
		return sumOfSquares(x)
	}
	return sumChunks(len(x), chunk, func(lo, hi int) float64 { return sumOfSquares(x[lo:hi]) })
}

func sumOfSquares[T kernel.Float](x []T) float64 {
	if k := vectorsOf[T](arch.Current()); k != nil && len(x) > 0 {
		return k.sumOfSquares(&x[0], len(x))
	}
	var sum float64
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return sum
}
