package optim

import "github.com/affine-go/affine/layer/device"

// NewLion returns Lion (Chen et al., 2023, "Symbolic Discovery of Optimization
// Algorithms", arXiv:2302.06675):
//
//	g ← ∇
//	w ← w − lr·λ·w
//	w ← w − lr·sign(β₁·m + (1 − β₁)·g)
//	m ← β₂·m + (1 − β₂)·g
//
// The sign of 0 is 0. Each weight moves by lr in every step, so a learning rate
// is good that is 3 to 10 times smaller than Adam's.
//
// Options and the paper's defaults: [WithLR] 0.0001, [WithBetas] β₁ 0.9 and β₂
// 0.99, [WithWeightDecay] λ 0; and those of every optimizer.
func NewLion(opts ...Option) (*Optimizer, error) { return newOptimizer(&lion, opts) }

var lion = kind{
	name:     "lion",
	defaults: settings{Update: device.Update{Rule: device.Lion, LR: 1e-4, Beta1: 0.9, Beta2: 0.99}},
	takes:    []string{"betas", "weight_decay"},
}
