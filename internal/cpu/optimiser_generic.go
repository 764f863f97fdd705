package cpu

import "math"

// The plain Go updates follow the order in which torch.optim evaluates its
// formulas: scalars in float64, each rounded once to T, and the elements in T.

func sqrt[T Float](x T) T { return T(math.Sqrt(float64(x))) }

func sgdGeneric[T Float](w, g, m []T, s SGDStep) {
	lr, mu, decay, damp := T(s.LR), T(s.Momentum), T(s.WeightDecay), T(1-s.Dampening)
	for i, d := range g {
		d += decay * w[i]
		if s.Momentum != 0 {
			if s.First {
				m[i] = d
			} else {
				m[i] = mu*m[i] + damp*d
			}
			if s.Nesterov {
				d += mu * m[i]
			} else {
				d = m[i]
			}
		}
		w[i] -= lr * d
	}
	if s.ZeroGrad {
		clear(g)
	}
}

func adamGeneric[T Float](w, g, m, v []T, s AdamStep) {
	step := T(s.LR / (1 - math.Pow(s.Beta1, float64(s.Step))))
	root := T(math.Sqrt(1 - math.Pow(s.Beta2, float64(s.Step))))
	beta1, beta2, rest1, rest2 := T(s.Beta1), T(s.Beta2), T(1-s.Beta1), T(1-s.Beta2)
	eps, decay, keep := T(s.Eps), T(s.WeightDecay), T(1)
	if s.Decoupled {
		decay, keep = 0, T(1-s.LR*s.WeightDecay)
	}
	for i, d := range g {
		x := w[i]
		d += decay * x
		x *= keep
		m[i] = beta1*m[i] + rest1*d
		v[i] = beta2*v[i] + rest2*d*d
		w[i] = x - step*m[i]/(sqrt(v[i])/root+eps)
	}
	if s.ZeroGrad {
		clear(g)
	}
}

func rmspropGeneric[T Float](w, g, v, b, mean []T, s RMSpropStep) {
	lr, alpha, rest := T(s.LR), T(s.Alpha), T(1-s.Alpha)
	eps, decay, mu := T(s.Eps), T(s.WeightDecay), T(s.Momentum)
	for i, d := range g {
		d += decay * w[i]
		v[i] = alpha*v[i] + rest*d*d
		u := v[i]
		if s.Centered {
			mean[i] = alpha*mean[i] + rest*d
			u -= mean[i] * mean[i]
		}
		root := sqrt(u) + eps
		if s.Momentum > 0 {
			b[i] = mu*b[i] + d/root
			w[i] -= lr * b[i]
		} else {
			w[i] -= lr * d / root
		}
	}
	if s.ZeroGrad {
		clear(g)
	}
}

func adagradGeneric[T Float](w, g, sum []T, s AdagradStep) {
	rate := T(s.LR / (1 + float64(s.Step-1)*s.LRDecay))
	eps, decay := T(s.Eps), T(s.WeightDecay)
	for i, d := range g {
		d += decay * w[i]
		sum[i] += d * d
		w[i] -= rate * d / (sqrt(sum[i]) + eps)
	}
	if s.ZeroGrad {
		clear(g)
	}
}
