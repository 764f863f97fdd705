package optim

import "github.com/affine-go/affine/layer/device"

// NewRMSprop returns RMSprop (Hinton, Neural Networks for Machine Learning,
// lecture 6, 2012; centred: Graves, 2013, arXiv:1308.0850), torch.optim.RMSprop:
//
//	g ← ∇ + λ·w
//	v ← α·v + (1 − α)·g²
//	u ← v, or when centred: a ← α·a + (1 − α)·g, u ← v − a²
//	w ← w − lr·g/(√u + ε), or with momentum: b ← μ·b + g/(√u + ε), w ← w − lr·b
//
// Options and defaults: [WithLR] 0.01, [WithAlpha] α 0.99, [WithEps] ε 1e-8,
// [WithWeightDecay] λ 0, [WithMomentum] μ 0, [WithCentered] off; and those of
// every optimizer, see [NewAdam].
func NewRMSprop(opts ...Option) (*Optimizer, error) { return newOptimizer(&rmsprop, opts) }

var rmsprop = kind{
	name:     "rmsprop",
	defaults: settings{lr: 1e-2, alpha: 0.99, eps: 1e-8},
	takes:    []string{"momentum", "alpha", "eps", "centered", "weight_decay"},
	moments: func(s *settings) []string {
		names := []string{"square_avg"}
		if s.momentum > 0 {
			names = append(names, "momentum_buffer")
		}
		if s.centered {
			names = append(names, "grad_avg")
		}
		return names
	},
	float32: stepRMSprop[float32],
	float64: stepRMSprop[float64],
}

func stepRMSprop[T device.Float](k device.Kernels[T], u *update[T]) error {
	var momentum, mean []T
	if u.momentum > 0 {
		momentum = u.moments[1]
	}
	if u.centered {
		mean = u.moments[len(u.moments)-1]
	}
	return k.RMSprop(u.w, u.g, u.moments[0], momentum, mean, device.RMSpropStep{
		LR: u.LR, Alpha: u.alpha, Eps: u.eps, WeightDecay: u.weightDecay, Momentum: u.momentum,
		Centered: u.centered, Maximize: u.maximize, ZeroGrad: true,
	})
}
