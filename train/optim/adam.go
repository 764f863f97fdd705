package optim

import "github.com/affine-go/affine/layer/device"

// NewAdam returns Adam (Kingma and Ba, 2014, arXiv:1412.6980), torch.optim.Adam:
//
//	g ← ∇ + λ·w
//	m ← β₁·m + (1 − β₁)·g
//	v ← β₂·v + (1 − β₂)·g²
//	w ← w − lr/(1 − β₁ᵗ) · m / (√v/√(1 − β₂ᵗ) + ε)     in step t = 1, 2, …
//
// Options and defaults: [WithLR] 0.001, [WithBetas] β₁ 0.9 and β₂ 0.999,
// [WithEps] ε 1e-8, [WithWeightDecay] λ 0, [WithDevice] the processor.
func NewAdam(opts ...Option) (*Optimizer, error) { return newOptimizer(&adam, opts) }

// NewAdamW returns Adam with decoupled weight decay (Loshchilov and Hutter,
// 2017, arXiv:1711.05101), torch.optim.AdamW: as [NewAdam] with g ← ∇, and
//
//	w ← w − lr·λ·w
//
// before the update. Defaults are Adam's but for [WithWeightDecay] λ 0.01.
func NewAdamW(opts ...Option) (*Optimizer, error) { return newOptimizer(&adamW, opts) }

var adam = optimizerKind{
	name:     "adam",
	defaults: optimizerSettings{lr: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8},
	takes:    adamTakes,
	moments:  adamMoments,
	float32:  func(s *optimizerSettings) update[float32] { return adamUpdate[float32](s, false) },
	float64:  func(s *optimizerSettings) update[float64] { return adamUpdate[float64](s, false) },
}

var adamW = optimizerKind{
	name:     "adamw",
	defaults: optimizerSettings{lr: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 1e-2},
	takes:    adamTakes,
	moments:  adamMoments,
	float32:  func(s *optimizerSettings) update[float32] { return adamUpdate[float32](s, true) },
	float64:  func(s *optimizerSettings) update[float64] { return adamUpdate[float64](s, true) },
}

var adamTakes = []string{"betas", "eps", "weight_decay"}

func adamMoments(*optimizerSettings) []string { return []string{"exp_avg", "exp_avg_sq"} }

func adamUpdate[T device.Float](s *optimizerSettings, decoupled bool) update[T] {
	return func(k device.Kernels[T], w, g []T, moments [][]T, step int) error {
		return k.Adam(w, g, moments[0], moments[1], nil, device.AdamStep{
			LR: s.lr, Beta1: s.beta1, Beta2: s.beta2, Eps: s.eps, WeightDecay: s.weightDecay,
			Step: step, Decoupled: decoupled, ZeroGrad: true,
		})
	}
}
