package optim

import "github.com/affine-go/affine/layer/device"

// NewAdagrad returns Adagrad (Duchi, Hazan and Singer, 2011, Journal of Machine
// Learning Research 12), torch.optim.Adagrad:
//
//	g ← ∇ + λ·w
//	s ← s + g²
//	w ← w − lr/(1 + (t − 1)·η) · g / (√s + ε)     in step t = 1, 2, …
//
// Options and defaults: [WithLR] 0.01, [WithLRDecay] η 0, [WithWeightDecay] λ 0,
// [WithInitialAccumulator] s starts from 0, [WithEps] ε 1e-10; and those of
// every optimizer, see [NewAdam].
func NewAdagrad(opts ...Option) (*Optimizer, error) { return newOptimizer(&adagrad, opts) }

var adagrad = kind{
	name:     "adagrad",
	defaults: settings{Update: device.Update{Rule: device.Adagrad, LR: 1e-2, Eps: 1e-10}},
	takes:    []string{"lr_decay", "eps", "weight_decay", "initial_accumulator_value"},
}
