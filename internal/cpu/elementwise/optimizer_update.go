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

// updatesOf returns the updates of the set for element type T, or nil for plain
// Go.
func updatesOf[T kernel.Float](set arch.Set) *updateKernels[T] {
	if set == arch.Generic {
		return nil
	}
	var zero T
	if _, ok := any(zero).(float32); ok {
		return any(&updateKernels32[set]).(*updateKernels[T])
	}
	return any(&updateKernels64[set]).(*updateKernels[T])
}

// The updates follow the order in which torch.optim evaluates its formulas:
// scalars in float64, each rounded once to T, and the elements in T.

func sgd[T kernel.Float](w, g, m []T, s kernel.SGDStep) {
	n := len(w)
	if n == 0 {
		return
	}
	rate, decay, mu, rest := T(s.LR), T(s.WeightDecay), T(s.Momentum), T(1-s.Dampening)
	if s.First && s.Momentum != 0 {
		clear(m)
		rest = 1
	}
	sign := sign[T](s.Maximize)
	k := updatesOf[T](arch.Current())
	switch {
	case k == nil:
		sgdGeneric(w, g, m, rate, decay, mu, rest, s)
		zero(g, s.ZeroGrad)
	case s.Momentum == 0:
		k.sgd(&w[0], &g[0], n, sign*rate, sign*decay, s.ZeroGrad)
	case s.Nesterov:
		k.sgdNesterov(&w[0], &g[0], &m[0], n, sign, rate, decay, mu, rest, s.ZeroGrad)
	default:
		k.sgdMomentum(&w[0], &g[0], &m[0], n, rate, sign*decay, mu, sign*rest, s.ZeroGrad)
	}
}

func adam[T kernel.Float](w, g, m, v, vmax []T, s kernel.AdamStep) {
	n := len(w)
	if n == 0 {
		return
	}
	t := float64(s.Step)
	step := T(s.LR / (1 - math.Pow(s.Beta1, t)))
	scale := T(1 / math.Sqrt(1-math.Pow(s.Beta2, t)))
	decay, keep := T(s.WeightDecay), T(1)
	if s.Decoupled {
		decay, keep = 0, T(1-s.LR*s.WeightDecay)
	}
	beta1, rest1, beta2, rest2, eps := T(s.Beta1), T(1-s.Beta1), T(s.Beta2), T(1-s.Beta2), T(s.Eps)
	sign := sign[T](s.Maximize)
	switch k := updatesOf[T](arch.Current()); {
	case k == nil:
		adamGeneric(w, g, m, v, vmax, step, keep, decay, beta1, rest1, beta2, rest2, scale, eps, s)
		zero(g, s.ZeroGrad)
	case s.AMSGrad:
		k.adamAMSGrad(&w[0], &g[0], &m[0], &v[0], &vmax[0], n, step, keep, sign*decay, beta1, sign*rest1, beta2, rest2, scale, eps, s.ZeroGrad)
	default:
		k.adam(&w[0], &g[0], &m[0], &v[0], n, step, keep, sign*decay, beta1, sign*rest1, beta2, rest2, scale, eps, s.ZeroGrad)
	}
}

func rmsprop[T kernel.Float](w, g, v, b, mean []T, s kernel.RMSpropStep) {
	n := len(w)
	if n == 0 {
		return
	}
	rate, decay, alpha, rest := T(s.LR), T(s.WeightDecay), T(s.Alpha), T(1-s.Alpha)
	inside, eps, mu := T(0), T(s.Eps), T(s.Momentum)
	if s.EpsInRoot {
		inside, eps = eps, 0
	}
	k := updatesOf[T](arch.Current())
	switch momentum := s.Momentum > 0; {
	case k == nil:
		rmspropGeneric(w, g, v, b, mean, rate, decay, alpha, rest, inside, eps, mu, s)
		zero(g, s.ZeroGrad)
	case s.Centered && momentum:
		k.rmspropCenteredMomentum(&w[0], &g[0], &v[0], &mean[0], &b[0], n, sign[T](s.Maximize), rate, decay, alpha, rest, inside, eps, mu, s.ZeroGrad)
	case s.Centered:
		k.rmspropCentered(&w[0], &g[0], &v[0], &mean[0], n, sign[T](s.Maximize), rate, decay, alpha, rest, inside, eps, s.ZeroGrad)
	case momentum:
		k.rmspropMomentum(&w[0], &g[0], &v[0], &b[0], n, sign[T](s.Maximize), rate, decay, alpha, rest, inside, eps, mu, s.ZeroGrad)
	default:
		k.rmsprop(&w[0], &g[0], &v[0], n, sign[T](s.Maximize), rate, decay, alpha, rest, inside, eps, s.ZeroGrad)
	}
}

func adagrad[T kernel.Float](w, g, sum []T, s kernel.AdagradStep) {
	n := len(w)
	if n == 0 {
		return
	}
	rate := T(s.LR / (1 + float64(s.Step-1)*s.LRDecay))
	decay, eps := T(s.WeightDecay), T(s.Eps)
	if k := updatesOf[T](arch.Current()); k != nil {
		sign := sign[T](s.Maximize)
		k.adagrad(&w[0], &g[0], &sum[0], n, sign*rate, sign*decay, eps, s.ZeroGrad)
		return
	}
	adagradGeneric(w, g, sum, rate, decay, eps, s)
	zero(g, s.ZeroGrad)
}

func lion[T kernel.Float](w, g, m []T, s kernel.LionStep) {
	n := len(w)
	if n == 0 {
		return
	}
	rate, keep := T(s.LR), T(1-s.LR*s.WeightDecay)
	beta1, rest1, beta2, rest2 := T(s.Beta1), T(1-s.Beta1), T(s.Beta2), T(1-s.Beta2)
	if k := updatesOf[T](arch.Current()); k != nil {
		sign := sign[T](s.Maximize)
		k.lion(&w[0], &g[0], &m[0], n, rate, keep, beta1, sign*rest1, beta2, sign*rest2, s.ZeroGrad)
		return
	}
	lionGeneric(w, g, m, rate, keep, beta1, rest1, beta2, rest2, s)
	zero(g, s.ZeroGrad)
}

// sign is what the gradient is multiplied by.
func sign[T kernel.Float](maximize bool) T {
	if maximize {
		return -1
	}
	return 1
}

// zero clears the gradient if wanted.
func zero[T kernel.Float](g []T, wanted bool) {
	if wanted {
		clear(g)
	}
}
