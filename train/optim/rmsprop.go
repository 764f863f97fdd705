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
// [WithWeightDecay] λ 0, [WithMomentum] μ 0, [WithCentered] off, [WithDevice]
// the processor.
func NewRMSprop(opts ...Option) (*Optimizer, error) { return newOptimizer(&rmsprop, opts) }

var rmsprop = optimizerKind{
	name:     "rmsprop",
	defaults: optimizerSettings{lr: 1e-2, alpha: 0.99, eps: 1e-8},
	takes:    []string{"momentum", "alpha", "eps", "centered", "weight_decay"},
	moments: func(s *optimizerSettings) []string {
		names := []string{"square_avg"}
		if s.momentum > 0 {
			names = append(names, "momentum_buffer")
		}
		if s.centered {
			names = append(names, "grad_avg")
		}
		return names
	},
	float32: rmspropUpdate[float32],
	float64: rmspropUpdate[float64],
}

func rmspropUpdate[T device.Float](s *optimizerSettings) update[T] {
	return func(k device.Kernels[T], w, g []T, moments [][]T, step int) error {
		var momentum, mean []T
		if s.momentum > 0 {
			momentum = moments[1]
		}
		if s.centered {
			mean = moments[len(moments)-1]
		}
		return k.RMSprop(w, g, moments[0], momentum, mean, device.RMSpropStep{
			LR: s.lr, Alpha: s.alpha, Eps: s.eps, WeightDecay: s.weightDecay, Momentum: s.momentum,
			Centered: s.centered, ZeroGrad: true,
		})
	}
}
