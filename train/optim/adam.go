package optim

import "github.com/affine-go/affine/layer/device"

// NewAdam returns Adam (Kingma and Ba, 2014, arXiv:1412.6980), torch.optim.Adam:
//
//	g ← ∇ + λ·w
//	m ← β₁·m + (1 − β₁)·g
//	v ← β₂·v + (1 − β₂)·g²
//	w ← w − lr/(1 − β₁ᵗ) · m / (√v/√(1 − β₂ᵗ) + ε)     in step t = 1, 2, …
//
// With AMSGrad, the largest v so far takes the place of v in the last line.
//
// Options and defaults: [WithLR] 0.001, [WithBetas] β₁ 0.9 and β₂ 0.999,
// [WithEps] ε 1e-8, [WithWeightDecay] λ 0, [WithAMSGrad] off; and those of every
// optimizer: [WithMaximize] off, [WithGroup] none, [WithDevice] the processor.
func NewAdam(opts ...Option) (*Optimizer, error) { return newOptimizer(&adam, opts) }

// NewAdamW returns Adam with decoupled weight decay (Loshchilov and Hutter,
// 2017, arXiv:1711.05101), torch.optim.AdamW: as [NewAdam] with g ← ∇, and
//
//	w ← w − lr·λ·w
//
// before the update. Defaults are Adam's but for [WithWeightDecay] λ 0.01.
func NewAdamW(opts ...Option) (*Optimizer, error) { return newOptimizer(&adamW, opts) }

var adam = kind{
	name:     "adam",
	defaults: settings{Update: device.Update{Rule: device.Adam, LR: 1e-3, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8}},
	takes:    adamTakes,
}

var adamW = kind{
	name:     "adamw",
	defaults: settings{Update: device.Update{Rule: device.Adam, LR: 1e-3, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, WeightDecay: 1e-2, Decoupled: true}},
	takes:    adamTakes,
}

var adamTakes = []string{"betas", "eps", "weight_decay", "amsgrad"}
