package optim

import (
	"errors"

	"github.com/affine-go/affine/layer/device"
)

// NewSGD returns stochastic gradient descent, torch.optim.SGD:
//
//	g ← ∇ + λ·w
//	m ← μ·m + (1 − τ)·g     (m ← g in the first step)
//	g ← g + μ·m with Nesterov's momentum, else m
//	w ← w − lr·g
//
// Without momentum (μ = 0) the second and third lines fall away. Options and
// defaults: [WithLR] 0.001, [WithMomentum] μ 0, [WithDampening] τ 0,
// [WithNesterov] off, [WithWeightDecay] λ 0, [WithDevice] the processor.
func NewSGD(opts ...Option) (*Optimizer, error) { return newOptimizer(&sgd, opts) }

var sgd = optimizerKind{
	name:     "sgd",
	defaults: optimizerSettings{lr: 1e-3},
	takes:    []string{"momentum", "dampening", "weight_decay", "nesterov"},
	check: func(s *optimizerSettings) error {
		if s.nesterov && (s.momentum == 0 || s.dampening != 0) {
			return errors.New("nesterov wants a momentum above 0 and no dampening")
		}
		return nil
	},
	moments: func(s *optimizerSettings) []string {
		if s.momentum == 0 {
			return nil
		}
		return []string{"momentum_buffer"}
	},
	float32: sgdUpdate[float32],
	float64: sgdUpdate[float64],
}

func sgdUpdate[T device.Float](s *optimizerSettings) update[T] {
	return func(k device.Kernels[T], w, g []T, moments [][]T, step int) error {
		var momentum []T
		if len(moments) > 0 {
			momentum = moments[0]
		}
		return k.SGD(w, g, momentum, device.SGDStep{
			LR: s.lr, Momentum: s.momentum, Dampening: s.dampening, WeightDecay: s.weightDecay,
			Nesterov: s.nesterov, First: step == 1, ZeroGrad: true,
		})
	}
}
