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
	defaults: settings{lr: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8},
	takes:    adamTakes,
	moments:  adamMoments,
	float32:  stepAdam[float32],
	float64:  stepAdam[float64],
}

var adamW = kind{
	name:     "adamw",
	defaults: settings{lr: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 1e-2},
	takes:    adamTakes,
	moments:  adamMoments,
	float32:  stepAdamW[float32],
	float64:  stepAdamW[float64],
}

var adamTakes = []string{"betas", "eps", "weight_decay", "amsgrad"}

func adamMoments(s *settings) []string {
	if s.amsgrad {
		return []string{"exp_avg", "exp_avg_sq", "max_exp_avg_sq"}
	}
	return []string{"exp_avg", "exp_avg_sq"}
}

func stepAdam[T device.Float](k device.Kernels[T], u *update[T]) error {
	return adamStep(k, u, false)
}

func stepAdamW[T device.Float](k device.Kernels[T], u *update[T]) error {
	return adamStep(k, u, true)
}

func adamStep[T device.Float](k device.Kernels[T], u *update[T], decoupled bool) error {
	var largest []T
	if u.amsgrad {
		largest = u.moments[2]
	}
	return k.Adam(u.w, u.g, u.moments[0], u.moments[1], largest, device.AdamStep{
		LR: u.LR, Beta1: u.beta1, Beta2: u.beta2, Eps: u.eps, WeightDecay: u.weightDecay, Step: u.Step,
		Decoupled: decoupled, AMSGrad: u.amsgrad, Maximize: u.maximize, ZeroGrad: true,
	})
}
