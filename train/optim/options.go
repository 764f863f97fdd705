package optim

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/affine-go/affine/layer/device"
)

// Option changes a setting of an optimizer.
type Option struct {
	name string // PyTorch's
	set  func(*settings) error
}

// settings holds every setting; each kind of optimizer uses its own.
type settings struct {
	device.Update      // all numbers and switches of a step
	initialAccumulator float64
	device             device.Device
	groups             []groupOption

	gorgonia gorgoniaSettings // of the kinds that FromGorgonia makes
}

// Every optimizer has these options, before and after its own.
var (
	firstOptions = []string{"lr", "device"}
	lastOptions  = []string{"maximize", "groups"}
	// silentOptions are not printed if they are off.
	silentOptions = []string{"amsgrad", "maximize"}
)

// apply takes over options, which must be among those of the kind.
func (s *settings) apply(k *kind, opts []Option) error {
	known := slices.Concat(firstOptions, k.takes, lastOptions)
	for _, opt := range opts {
		if !slices.Contains(known, opt.name) {
			return fmt.Errorf("there is no %s, want %s", opt.name, strings.Join(known, ", "))
		}
		if err := opt.set(s); err != nil {
			return err
		}
	}
	if k.check != nil {
		return k.check(s)
	}
	return nil
}

// WithLR sets the learning rate, at least 0. Every optimizer has one.
func WithLR(lr float64) Option {
	return atLeastZero("lr", lr, func(s *settings) { s.LR = lr })
}

// WithDevice sets the device that computes the updates, the processor by default.
func WithDevice(d device.Device) Option {
	return Option{"device", func(s *settings) error {
		if d == nil {
			return errors.New("device is nil")
		}
		s.device = d
		return nil
	}}
}

// WithWeightDecay sets the weight decay λ, at least 0: λ·w is added to the
// gradient or, in optimizers that decouple it, w shrinks by the factor 1 − lr·λ
// instead.
func WithWeightDecay(lambda float64) Option {
	return atLeastZero("weight_decay", lambda, func(s *settings) { s.WeightDecay = lambda })
}

// WithMaximize makes steps go up instead of down: −∇ takes the place of the
// gradient ∇. Every optimizer has it.
func WithMaximize() Option {
	return flag("maximize", func(s *settings) { s.Maximize = true })
}

// WithMomentum sets the momentum μ of SGD or RMSprop, at least 0.
func WithMomentum(mu float64) Option {
	return atLeastZero("momentum", mu, func(s *settings) { s.Momentum = mu })
}

// WithDampening sets the dampening τ of SGD's momentum.
func WithDampening(tau float64) Option {
	return Option{"dampening", func(s *settings) error {
		if math.IsNaN(tau) || math.IsInf(tau, 0) {
			return fmt.Errorf("dampening is %v, want a finite number", tau)
		}
		s.Dampening = tau
		return nil
	}}
}

// WithNesterov makes SGD use Nesterov's momentum, which takes a momentum above
// 0 and no dampening.
func WithNesterov() Option {
	return flag("nesterov", func(s *settings) { s.Nesterov = true })
}

// WithBetas sets the decay rates β₁ and β₂ of the moments of Adam and of others
// with two, each in [0, 1).
func WithBetas(beta1, beta2 float64) Option {
	return Option{"betas", func(s *settings) error {
		for _, b := range []float64{beta1, beta2} {
			if !(b >= 0 && b < 1) {
				return fmt.Errorf("betas are (%v, %v), want each in [0, 1)", beta1, beta2)
			}
		}
		s.Beta1, s.Beta2 = beta1, beta2
		return nil
	}}
}

// WithAMSGrad makes Adam and AdamW divide by the root of the largest v of all
// steps so far (Reddi, Kale and Kumar, 2018, arXiv:1904.09237).
func WithAMSGrad() Option {
	return flag("amsgrad", func(s *settings) { s.AMSGrad = true })
}

// WithEps sets what is added to the denominator of Adam, AdamW, RMSprop and
// Adagrad, at least 0.
func WithEps(eps float64) Option {
	return atLeastZero("eps", eps, func(s *settings) { s.Eps = eps })
}

// WithAlpha sets the decay rate α of RMSprop's moments, at least 0.
func WithAlpha(alpha float64) Option {
	return atLeastZero("alpha", alpha, func(s *settings) { s.Alpha = alpha })
}

// WithCentered makes RMSprop divide by the standard deviation of the gradient
// instead of the root of its mean square.
func WithCentered() Option {
	return flag("centered", func(s *settings) { s.Centered = true })
}

// WithLRDecay sets the decay η of Adagrad's learning rate, at least 0.
func WithLRDecay(eta float64) Option {
	return atLeastZero("lr_decay", eta, func(s *settings) { s.LRDecay = eta })
}

// WithInitialAccumulator sets the value that Adagrad's sum of squares starts
// from, at least 0.
func WithInitialAccumulator(sum float64) Option {
	return atLeastZero("initial_accumulator_value", sum, func(s *settings) { s.initialAccumulator = sum })
}

func flag(name string, set func(*settings)) Option {
	return Option{name, func(s *settings) error { set(s); return nil }}
}

func atLeastZero(name string, x float64, set func(*settings)) Option {
	return Option{name, func(s *settings) error {
		if !(x >= 0) || math.IsInf(x, 0) {
			return fmt.Errorf("%s is %v, want a finite number of at least 0", name, x)
		}
		set(s)
		return nil
	}}
}

// text returns the value of the option called name.
func (s *settings) text(name string) string {
	switch name {
	case "weight_decay":
		return fmt.Sprint(s.WeightDecay)
	case "momentum":
		return fmt.Sprint(s.Momentum)
	case "dampening":
		return fmt.Sprint(s.Dampening)
	case "nesterov":
		return fmt.Sprint(s.Nesterov)
	case "betas":
		return fmt.Sprintf("(%v, %v)", s.Beta1, s.Beta2)
	case "eps":
		return fmt.Sprint(s.Eps)
	case "amsgrad":
		return fmt.Sprint(s.AMSGrad)
	case "alpha":
		return fmt.Sprint(s.Alpha)
	case "centered":
		return fmt.Sprint(s.Centered)
	case "lr_decay":
		return fmt.Sprint(s.LRDecay)
	case "initial_accumulator_value":
		return fmt.Sprint(s.initialAccumulator)
	case "maximize":
		return fmt.Sprint(s.Maximize)
	case "groups":
		if len(s.groups) > 0 {
			return fmt.Sprint(len(s.groups))
		}
		return ""
	}
	return s.gorgonia.text(name)
}
