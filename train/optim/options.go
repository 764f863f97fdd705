package optim

import (
	"errors"
	"fmt"
	"math"

	"github.com/affine-go/affine/layer/device"
)

// OptimizerOption changes a setting of an optimiser.
type Option struct {
	name string // PyTorch's
	set  func(*optimizerSettings) error
}

// optimizerSettings holds every setting; each kind of optimiser uses its own.
type optimizerSettings struct {
	lr                  float64
	weightDecay         float64
	momentum, dampening float64
	nesterov            bool
	beta1, beta2, eps   float64
	alpha               float64
	centered            bool
	lrDecay             float64
	initialAccumulator  float64
	device              device.Device
}

// generalOptions are the options that every optimiser has.
var generalOptions = []string{"lr", "device"}

// WithLR sets the learning rate, at least 0. Every optimiser has one.
func WithLR(lr float64) Option {
	return atLeastZero("lr", lr, func(s *optimizerSettings) { s.lr = lr })
}

// OnDevice sets the device that computes the updates, the processor by default.
func WithDevice(d device.Device) Option {
	return Option{"device", func(s *optimizerSettings) error {
		if d == nil {
			return errors.New("device is nil")
		}
		s.device = d
		return nil
	}}
}

// WithWeightDecay sets the weight decay λ, at least 0: λ·w is added to the
// gradient; in AdamW w shrinks by the factor 1 − lr·λ instead.
func WithWeightDecay(lambda float64) Option {
	return atLeastZero("weight_decay", lambda, func(s *optimizerSettings) { s.weightDecay = lambda })
}

// WithMomentum sets the momentum μ of SGD or RMSprop, at least 0.
func WithMomentum(mu float64) Option {
	return atLeastZero("momentum", mu, func(s *optimizerSettings) { s.momentum = mu })
}

// WithDampening sets the dampening τ of SGD's momentum.
func WithDampening(tau float64) Option {
	return Option{"dampening", func(s *optimizerSettings) error {
		if math.IsNaN(tau) || math.IsInf(tau, 0) {
			return fmt.Errorf("dampening is %v, want a finite number", tau)
		}
		s.dampening = tau
		return nil
	}}
}

// WithNesterov makes SGD use Nesterov's momentum, which takes a momentum above
// 0 and no dampening.
func WithNesterov() Option {
	return Option{"nesterov", func(s *optimizerSettings) error {
		s.nesterov = true
		return nil
	}}
}

// WithBetas sets the decay rates β₁ and β₂ of Adam's and AdamW's moments, each
// in [0, 1).
func WithBetas(beta1, beta2 float64) Option {
	return Option{"betas", func(s *optimizerSettings) error {
		for _, b := range []float64{beta1, beta2} {
			if !(b >= 0 && b < 1) {
				return fmt.Errorf("betas are (%v, %v), want each in [0, 1)", beta1, beta2)
			}
		}
		s.beta1, s.beta2 = beta1, beta2
		return nil
	}}
}

// WithEps sets what is added to the denominator of Adam, AdamW, RMSprop and
// Adagrad, at least 0.
func WithEps(eps float64) Option {
	return atLeastZero("eps", eps, func(s *optimizerSettings) { s.eps = eps })
}

// WithAlpha sets the decay rate α of RMSprop's moments, at least 0.
func WithAlpha(alpha float64) Option {
	return atLeastZero("alpha", alpha, func(s *optimizerSettings) { s.alpha = alpha })
}

// WithCentered makes RMSprop divide by the standard deviation of the gradient
// instead of the root of its mean square.
func WithCentered() Option {
	return Option{"centered", func(s *optimizerSettings) error {
		s.centered = true
		return nil
	}}
}

// WithLRDecay sets the decay η of Adagrad's learning rate, at least 0.
func WithLRDecay(eta float64) Option {
	return atLeastZero("lr_decay", eta, func(s *optimizerSettings) { s.lrDecay = eta })
}

// WithInitialAccumulator sets the value that Adagrad's sum of squares starts
// from, at least 0.
func WithInitialAccumulator(sum float64) Option {
	return atLeastZero("initial_accumulator_value", sum, func(s *optimizerSettings) { s.initialAccumulator = sum })
}

func atLeastZero(name string, x float64, set func(*optimizerSettings)) Option {
	return Option{name, func(s *optimizerSettings) error {
		if !(x >= 0) || math.IsInf(x, 0) {
			return fmt.Errorf("%s is %v, want a finite number of at least 0", name, x)
		}
		set(s)
		return nil
	}}
}

// text returns the value of the option called name.
func (s *optimizerSettings) text(name string) string {
	switch name {
	case "weight_decay":
		return fmt.Sprint(s.weightDecay)
	case "momentum":
		return fmt.Sprint(s.momentum)
	case "dampening":
		return fmt.Sprint(s.dampening)
	case "nesterov":
		return fmt.Sprint(s.nesterov)
	case "betas":
		return fmt.Sprintf("(%v, %v)", s.beta1, s.beta2)
	case "eps":
		return fmt.Sprint(s.eps)
	case "alpha":
		return fmt.Sprint(s.alpha)
	case "centered":
		return fmt.Sprint(s.centered)
	case "lr_decay":
		return fmt.Sprint(s.lrDecay)
	case "initial_accumulator_value":
		return fmt.Sprint(s.initialAccumulator)
	}
	return "?"
}
