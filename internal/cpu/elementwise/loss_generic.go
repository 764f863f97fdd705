package elementwise

import (
	"math"

	"github.com/affine-go/affine/internal/kernel"
)

func crossEntropyGeneric[T kernel.Float](logits, targets kernel.Matrix[T], lo, hi int) float64 {
	var loss float64
	for i := lo; i < hi; i++ {
		z, t := logits.Row(i), targets.Row(i)
		top, sum := logSumExp(z)
		lse := math.Log(sum)
		for j, p := range t {
			// A zero target contributes nothing, even where the
			// probability is so small that its logarithm is −∞.
			if p != 0 {
				loss += float64(p) * (lse - (float64(z[j]) - top))
			}
		}
	}
	return loss
}

func crossEntropyBackwardGeneric[T kernel.Float](dlogits, logits, targets kernel.Matrix[T], c float64, lo, hi int) {
	for i := lo; i < hi; i++ {
		d, z, t := dlogits.Row(i), logits.Row(i), targets.Row(i)
		top, sum := logSumExp(z)
		var weight float64
		for _, p := range t {
			weight += float64(p)
		}
		for j, p := range t {
			d[j] = T(c * (math.Exp(float64(z[j])-top)*weight/sum - float64(p)))
		}
	}
}

func softmaxGeneric[T kernel.Float](y, z kernel.Matrix[T], lo, hi int) {
	for i := lo; i < hi; i++ {
		dst, src := y.Row(i), z.Row(i)
		top, sum := logSumExp(src)
		for j, v := range src {
			dst[j] = T(math.Exp(float64(v)-top) / sum)
		}
	}
}

// logSumExp returns top = max z and sum = Σ e^(z−top), so that
// log Σ e^z = top + log sum without overflow.
func logSumExp[T kernel.Float](z []T) (top, sum float64) {
	top = math.Inf(-1)
	for _, v := range z {
		top = max(top, float64(v)) // max keeps NaN
	}
	for _, v := range z {
		sum += math.Exp(float64(v) - top)
	}
	return top, sum
}

func squaredErrorGeneric[T kernel.Float](p, t []T) float64 {
	var sum float64
	for i, v := range p {
		d := float64(v) - float64(t[i])
		sum += d * d
	}
	return sum
}

func logisticLossGeneric[T kernel.Float](logits, targets []T) float64 {
	var sum float64
	for i, v := range logits {
		z := float64(v)
		sum += max(z, 0) - z*float64(targets[i]) + math.Log1p(math.Exp(-math.Abs(z)))
	}
	return sum
}
