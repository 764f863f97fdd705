package cpu

import "math"

// SoftmaxCrossEntropy returns −(1/n) Σ_rows Σ_j t_j·log softmax(z)_j for
// logits and targets of n rows.
func SoftmaxCrossEntropy[T Float](logits, targets Matrix[T]) T {
	var loss float64
	for i := range logits.Rows {
		z, t := logits.Row(i), targets.Row(i)
		hi, sum := logSumExp(z)
		lse := math.Log(sum)
		for j, p := range t {
			// A zero target contributes nothing, even where the
			// probability is so small that its logarithm is −∞.
			if p != 0 {
				loss += float64(p) * (lse - (float64(z[j]) - hi))
			}
		}
	}
	return T(loss / float64(logits.Rows))
}

// SoftmaxCrossEntropyBackward computes dlogits = scale/n·(softmax(z)·Σt − t)
// for each of n rows. dlogits may be logits.
func SoftmaxCrossEntropyBackward[T Float](dlogits, logits, targets Matrix[T], scale T) {
	c := float64(scale) / float64(logits.Rows)
	for i := range logits.Rows {
		d, z, t := dlogits.Row(i), logits.Row(i), targets.Row(i)
		hi, sum := logSumExp(z)
		var total float64
		for _, p := range t {
			total += float64(p)
		}
		for j, p := range t {
			d[j] = T(c * (math.Exp(float64(z[j])-hi)/sum*total - float64(p)))
		}
	}
}

// Softmax computes each row's softmax. y may be z.
func Softmax[T Float](y, z Matrix[T]) {
	for i := range z.Rows {
		dst, src := y.Row(i), z.Row(i)
		hi, sum := logSumExp(src)
		for j, v := range src {
			dst[j] = T(math.Exp(float64(v)-hi) / sum)
		}
	}
}

// logSumExp returns hi = max z and sum = Σ e^(z−hi), so that
// log Σ e^z = hi + log sum without overflow.
func logSumExp[T Float](z []T) (hi, sum float64) {
	hi = math.Inf(-1)
	for _, v := range z {
		hi = max(hi, float64(v)) // max keeps NaN
	}
	for _, v := range z {
		sum += math.Exp(float64(v) - hi)
	}
	return hi, sum
}

// MSE returns the mean of (p − t)².
func MSE[T Float](pred, target []T) T {
	var sum float64
	for i, p := range pred {
		d := float64(p) - float64(target[i])
		sum += d * d
	}
	return T(sum / float64(len(pred)))
}

// MSEBackward computes dpred = scale·2(p − t)/N. dpred may be pred.
func MSEBackward[T Float](dpred, pred, target []T, scale T) {
	c := T(2 * float64(scale) / float64(len(pred)))
	for i, p := range pred {
		dpred[i] = c * (p - target[i])
	}
}

// BinaryCrossEntropy returns the mean of max(z, 0) − z·t + log(1 + e^−|z|).
func BinaryCrossEntropy[T Float](logits, targets []T) T {
	var sum float64
	for i, v := range logits {
		z := float64(v)
		sum += max(z, 0) - z*float64(targets[i]) + math.Log1p(math.Exp(-math.Abs(z)))
	}
	return T(sum / float64(len(logits)))
}

// BinaryCrossEntropyBackward computes dlogits = scale·(σ(z) − t)/N. dlogits
// may be logits.
func BinaryCrossEntropyBackward[T Float](dlogits, logits, targets []T, scale T) {
	c := T(float64(scale) / float64(len(logits)))
	for i, z := range logits {
		dlogits[i] = c * T(sigmoid(float64(z))-float64(targets[i]))
	}
}
