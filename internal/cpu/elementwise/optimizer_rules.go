package elementwise

import (
	"math"

	"github.com/affine-go/affine/internal/cpu/arch"
	"github.com/affine-go/affine/internal/kernel"
)

// updateKernels are the updates of one instruction set; plain Go has none. The
// scalars are named as in the formulas, rest being 1 less the factor of the
// average before it. If clear is set g is zero afterwards. To maximize, sign is
// −1; those without it get scalars of the other sign instead: d' = g −
// decay·w stands for −d, so the factors of d change theirs, and those of d² do
// not.
type updateKernels[T kernel.Float] struct {
	sgd         func(w, g *T, n int, rate, decay T, clear bool)
	sgdMomentum func(w, g, m *T, n int, rate, decay, mu, rest T, clear bool)
	sgdNesterov func(w, g, m *T, n int, sign, rate, decay, mu, rest T, clear bool)

	adam        func(w, g, m, v *T, n int, step, keep, decay, beta1, rest1, beta2, rest2, scale, eps T, clear bool)
	adamAMSGrad func(w, g, m, v, vmax *T, n int, step, keep, decay, beta1, rest1, beta2, rest2, scale, eps T, clear bool)

	rmsprop                 func(w, g, v *T, n int, sign, rate, decay, alpha, rest, inside, eps T, clear bool)
	rmspropMomentum         func(w, g, v, b *T, n int, sign, rate, decay, alpha, rest, inside, eps, mu T, clear bool)
	rmspropCentered         func(w, g, v, mean *T, n int, sign, rate, decay, alpha, rest, inside, eps T, clear bool)
	rmspropCenteredMomentum func(w, g, v, mean, b *T, n int, sign, rate, decay, alpha, rest, inside, eps, mu T, clear bool)

	lion    func(w, g, m *T, n int, rate, keep, beta1, rest1, beta2, rest2 T, clear bool)
	adagrad func(w, g, sum *T, n int, rate, decay, eps T, clear bool)
}

// update makes a step on the calling thread: by assembly, or in plain Go, which
// defines what the assembly must equal.
func update[T kernel.Float](w, g []T, m kernel.Moments[T], u *kernel.Update) {
	if len(w) == 0 {
		return
	}
	k := updatesOf[T](arch.Current())
	switch u.Rule {
	case kernel.SGD:
		sgd(k, w, g, m[0], u)
	case kernel.Adam:
		adam(k, w, g, m[0], m[1], m[2], u)
	case kernel.RMSprop:
		rmsprop(k, w, g, m[0], m[1], m[2], u)
	case kernel.Adagrad:
		adagrad(k, w, g, m[0], u)
	case kernel.Lion:
		lion(k, w, g, m[0], u)
	}
	if k == nil && u.ZeroGrad {
		clear(g)
	}
}

func sgd[T kernel.Float](k *updateKernels[T], w, g, m []T, u *kernel.Update) {
	rate, mu, rest, decay := T(u.LR), T(u.Momentum), T(1-u.Dampening), T(u.WeightDecay)
	sign, n := sign[T](u.Maximize), len(w)
	if u.Momentum != 0 && u.Step == 1 {
		clear(m)
		rest = 1
	}
	switch {
	case k == nil:
		for i, d := range g {
			d = sign*d + decay*w[i]
			if u.Momentum != 0 {
				m[i] = mu*m[i] + rest*d
				if u.Nesterov {
					d += mu * m[i]
				} else {
					d = m[i]
				}
			}
			w[i] -= rate * d
		}
	case u.Momentum == 0:
		k.sgd(&w[0], &g[0], n, sign*rate, sign*decay, u.ZeroGrad)
	case u.Nesterov:
		k.sgdNesterov(&w[0], &g[0], &m[0], n, sign, rate, decay, mu, rest, u.ZeroGrad)
	default:
		k.sgdMomentum(&w[0], &g[0], &m[0], n, rate, sign*decay, mu, sign*rest, u.ZeroGrad)
	}
}

func adam[T kernel.Float](k *updateKernels[T], w, g, m, v, vmax []T, u *kernel.Update) {
	s := u.Scalars()
	step, scale, keep := T(s.Changing[0]), T(1/s.Changing[1]), T(s.Changing[2])
	beta1, rest1, beta2, rest2 := T(u.Beta1), T(1-u.Beta1), T(u.Beta2), T(1-u.Beta2)
	eps, decay := T(s.Constant[2]), T(s.Constant[3])
	sign, n := sign[T](u.Maximize), len(w)
	switch {
	case k == nil:
		for i, d := range g {
			x := w[i]
			d = sign*d + decay*x
			m[i] = beta1*m[i] + rest1*d
			v[i] = beta2*v[i] + rest2*d*d
			most := v[i]
			if u.AMSGrad {
				vmax[i] = max(vmax[i], most)
				most = vmax[i]
			}
			w[i] = keep*x - step*m[i]/(sqrt(most)*scale+eps)
		}
	case u.AMSGrad:
		k.adamAMSGrad(&w[0], &g[0], &m[0], &v[0], &vmax[0], n, step, keep, sign*decay, beta1, sign*rest1, beta2, rest2, scale, eps, u.ZeroGrad)
	default:
		k.adam(&w[0], &g[0], &m[0], &v[0], n, step, keep, sign*decay, beta1, sign*rest1, beta2, rest2, scale, eps, u.ZeroGrad)
	}
}

func rmsprop[T kernel.Float](k *updateKernels[T], w, g, v, b, mean []T, u *kernel.Update) {
	rate, decay, alpha, rest := T(u.LR), T(u.WeightDecay), T(u.Alpha), T(1-u.Alpha)
	inside, eps, mu := T(0), T(u.Eps), T(u.Momentum)
	if u.EpsInRoot {
		inside, eps = eps, 0
	}
	sign, n := sign[T](u.Maximize), len(w)
	switch momentum := u.Momentum > 0; {
	case k == nil:
		for i, d := range g {
			d = sign*d + decay*w[i]
			v[i] = alpha*v[i] + rest*d*d
			variance := v[i]
			if u.Centered {
				mean[i] = alpha*mean[i] + rest*d
				variance -= mean[i] * mean[i]
			}
			root := sqrt(variance+inside) + eps
			if momentum {
				b[i] = mu*b[i] + d/root
				w[i] -= rate * b[i]
			} else {
				w[i] -= rate * d / root
			}
		}
	case u.Centered && momentum:
		k.rmspropCenteredMomentum(&w[0], &g[0], &v[0], &mean[0], &b[0], n, sign, rate, decay, alpha, rest, inside, eps, mu, u.ZeroGrad)
	case u.Centered:
		k.rmspropCentered(&w[0], &g[0], &v[0], &mean[0], n, sign, rate, decay, alpha, rest, inside, eps, u.ZeroGrad)
	case momentum:
		k.rmspropMomentum(&w[0], &g[0], &v[0], &b[0], n, sign, rate, decay, alpha, rest, inside, eps, mu, u.ZeroGrad)
	default:
		k.rmsprop(&w[0], &g[0], &v[0], n, sign, rate, decay, alpha, rest, inside, eps, u.ZeroGrad)
	}
}

func adagrad[T kernel.Float](k *updateKernels[T], w, g, sum []T, u *kernel.Update) {
	rate, decay, eps := T(u.Scalars().Changing[0]), T(u.WeightDecay), T(u.Eps)
	sign := sign[T](u.Maximize)
	if k != nil {
		k.adagrad(&w[0], &g[0], &sum[0], len(w), sign*rate, sign*decay, eps, u.ZeroGrad)
		return
	}
	for i, d := range g {
		d = sign*d + decay*w[i]
		sum[i] += d * d
		w[i] -= rate * d / (sqrt(sum[i]) + eps)
	}
}

func lion[T kernel.Float](k *updateKernels[T], w, g, m []T, u *kernel.Update) {
	rate, keep := T(u.LR), T(1-u.LR*u.WeightDecay)
	beta1, rest1, beta2, rest2 := T(u.Beta1), T(1-u.Beta1), T(u.Beta2), T(1-u.Beta2)
	sign := sign[T](u.Maximize)
	if k != nil {
		k.lion(&w[0], &g[0], &m[0], len(w), rate, keep, beta1, sign*rest1, beta2, sign*rest2, u.ZeroGrad)
		return
	}
	for i, d := range g {
		d *= sign
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

// sign is what the gradient is multiplied by.
func sign[T kernel.Float](maximize bool) T {
	if maximize {
		return -1
	}
	return 1
}

func sqrt[T kernel.Float](x T) T { return T(math.Sqrt(float64(x))) }
