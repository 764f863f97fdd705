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
// [WithNesterov] off, [WithWeightDecay] λ 0; and those of every optimizer, see
// [NewAdam].
func NewSGD(opts ...Option) (*Optimizer, error) { return newOptimizer(&sgd, opts) }

var sgd = kind{
	name:     "sgd",
	defaults: settings{Update: device.Update{Rule: device.SGD, LR: 1e-3}},
	takes:    []string{"momentum", "dampening", "weight_decay", "nesterov"},
	check: func(s *settings) error {
		if s.Nesterov && (s.Momentum == 0 || s.Dampening != 0) {
			return errors.New("nesterov wants a momentum above 0 and no dampening")
		}
		return nil
	},
}
