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
// [WithInitialAccumulator] s starts from 0, [WithEps] ε 1e-10, [WithDevice] the
// processor.
func NewAdagrad(opts ...Option) (*Optimizer, error) { return newOptimizer(&adagrad, opts) }

var adagrad = optimizerKind{
	name:     "adagrad",
	defaults: optimizerSettings{lr: 1e-2, eps: 1e-10},
	takes:    []string{"lr_decay", "eps", "weight_decay", "initial_accumulator_value"},
	moments:  func(*optimizerSettings) []string { return []string{"sum"} },
	float32:  adagradUpdate[float32],
	float64:  adagradUpdate[float64],
}

func adagradUpdate[T device.Float](s *optimizerSettings) update[T] {
	return func(k device.Kernels[T], w, g []T, moments [][]T, step int) error {
		return k.Adagrad(w, g, moments[0], device.AdagradStep{
			LR: s.lr, LRDecay: s.lrDecay, WeightDecay: s.weightDecay, Eps: s.eps,
			Step: step, ZeroGrad: true,
		})
	}
}
