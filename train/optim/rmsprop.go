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
	defaults: settings{Update: device.Update{Rule: device.RMSprop, LR: 1e-2, Alpha: 0.99, Eps: 1e-8}},
	takes:    []string{"momentum", "alpha", "eps", "centered", "weight_decay"},
}
