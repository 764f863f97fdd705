package cpu

import "math"

func sqrt[T Float](x T) T { return T(math.Sqrt(float64(x))) }

func sgdGeneric[T Float](w, g, m []T, rate, decay, mu, rest T, s SGDStep) {
	for i, d := range g {
		d += decay * w[i]
		if s.Momentum != 0 {
			m[i] = mu*m[i] + rest*d
			if s.Nesterov {
				d += mu * m[i]
			} else {
				d = m[i]
			}
		}
		w[i] -= rate * d
	}
	if s.ZeroGrad {
		clear(g)
	}
}

func rmspropGeneric[T Float](w, g, v, b, mean []T, rate, decay, alpha, rest, eps, mu T, s RMSpropStep) {
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
			w[i] -= rate * b[i]
		} else {
			w[i] -= rate * d / root
		}
	}
	if s.ZeroGrad {
		clear(g)
	}
}
