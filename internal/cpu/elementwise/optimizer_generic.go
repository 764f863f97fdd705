package elementwise

import (
	"math"

	"github.com/affine-go/affine/internal/kernel"
)

// The updates in plain Go, which also stand in for what the assembly lacks.

func sqrt[T kernel.Float](x T) T { return T(math.Sqrt(float64(x))) }

func sgdGeneric[T kernel.Float](w, g, m []T, rate, decay, mu, rest T, s kernel.SGDStep) {
	for i, d := range g {
		d = sign[T](s.Maximize)*d + decay*w[i]
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
}

func adamGeneric[T kernel.Float](w, g, m, v, vmax []T, step, keep, decay, beta1, rest1, beta2, rest2, scale, eps T, s kernel.AdamStep) {
	for i, d := range g {
		x := w[i]
		d = sign[T](s.Maximize)*d + decay*x
		m[i] = beta1*m[i] + rest1*d
		v[i] = beta2*v[i] + rest2*d*d
		u := v[i]
		if s.AMSGrad {
			vmax[i] = max(vmax[i], u)
			u = vmax[i]
		}
		w[i] = keep*x - step*m[i]/(sqrt(u)*scale+eps)
	}
}

func rmspropGeneric[T kernel.Float](w, g, v, b, mean []T, rate, decay, alpha, rest, inside, eps, mu T, s kernel.RMSpropStep) {
	for i, d := range g {
		d = sign[T](s.Maximize)*d + decay*w[i]
		v[i] = alpha*v[i] + rest*d*d
		u := v[i]
		if s.Centered {
			mean[i] = alpha*mean[i] + rest*d
			u -= mean[i] * mean[i]
		}
		root := sqrt(u+inside) + eps
		if s.Momentum > 0 {
			b[i] = mu*b[i] + d/root
			w[i] -= rate * b[i]
		} else {
			w[i] -= rate * d / root
		}
	}
}

func adagradGeneric[T kernel.Float](w, g, sum []T, rate, decay, eps T, s kernel.AdagradStep) {
	for i, d := range g {
		d = sign[T](s.Maximize)*d + decay*w[i]
		sum[i] += d * d
		w[i] -= rate * d / (sqrt(sum[i]) + eps)
	}
}

func lionGeneric[T kernel.Float](w, g, m []T, rate, keep, beta1, rest1, beta2, rest2 T, s kernel.LionStep) {
	for i, d := range g {
		d *= sign[T](s.Maximize)
		x := keep * w[i]
		switch c := beta1*m[i] + rest1*d; {
		case c > 0:
			x -= rate
		case c < 0:
			x += rate
		}
		w[i] = x
		m[i] = beta2*m[i] + rest2*d
	}
}
