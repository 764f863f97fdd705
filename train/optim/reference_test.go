package optim_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/affine-go/affine/internal/nettest"
	"github.com/affine-go/affine/layer/device"
	"github.com/affine-go/affine/train/optim"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"
)

// learnable is a gorgonia.ValueGrad made of two values.
type learnable struct {
	name        string
	value, grad gorgonia.Value
}

func (l *learnable) Value() gorgonia.Value         { return l.value }
func (l *learnable) Grad() (gorgonia.Value, error) { return l.grad, nil }
func (l *learnable) Name() string                  { return l.name }

func newLearnable(name string, dt tensor.Dtype, shape ...int) *learnable {
	return &learnable{name: name, value: nettest.Waves(dt, 1, shape...), grad: nettest.Waves(dt, 2, shape...)}
}

func model(learnables ...*learnable) []gorgonia.ValueGrad {
	list := make([]gorgonia.ValueGrad, len(learnables))
	for i, l := range learnables {
		list[i] = l
	}
	return list
}

// moveTo puts value and gradient into memory of the device.
func (l *learnable) moveTo(t interface{ Fatal(...any) }, d device.Device) {
	for _, v := range []*gorgonia.Value{&l.value, &l.grad} {
		from := (*v).(*tensor.Dense)
		var backing any
		var err error
		if from.Dtype() == tensor.Float32 {
			backing, err = d.Float32().Alloc(from.Size())
		} else {
			backing, err = d.Float64().Alloc(from.Size())
		}
		nettest.Must(t, err)
		to := tensor.New(tensor.WithShape(from.Shape()...), tensor.WithBacking(backing))
		nettest.Must(t, tensor.Copy(to, from))
		*v = to
	}
}

// settings are all that an optimizer can be set to.
type settings struct {
	lr, decay, mu, tau, beta1, beta2, eps, alpha, eta, initial float64
	nesterov, centered, amsgrad, maximize                      bool
}

// element is one weight, updated in float64 by formulas as they stand in the
// documentation of torch.optim.
type element struct {
	w, m, v, a float64
	uncertain  bool // a rounding error may decide the sign of a step
}

var formulas = map[string]func(e *element, g float64, t int, s settings){
	"sgd": func(e *element, g float64, t int, s settings) {
		g += s.decay * e.w
		if s.mu != 0 {
			if t > 1 {
				e.m = s.mu*e.m + (1-s.tau)*g
			} else {
				e.m = g
			}
			if s.nesterov {
				g += s.mu * e.m
			} else {
				g = e.m
			}
		}
		e.w -= s.lr * g
	},
	"adam": func(e *element, g float64, t int, s settings) {
		g += s.decay * e.w
		e.m = s.beta1*e.m + (1-s.beta1)*g
		e.v = s.beta2*e.v + (1-s.beta2)*g*g
		v := e.v
		if s.amsgrad {
			e.a = math.Max(e.a, e.v)
			v = e.a
		}
		m := e.m / (1 - math.Pow(s.beta1, float64(t)))
		v /= 1 - math.Pow(s.beta2, float64(t))
		e.w -= s.lr * m / (math.Sqrt(v) + s.eps)
	},
	"adamw": func(e *element, g float64, t int, s settings) {
		e.w -= s.lr * s.decay * e.w
		e.m = s.beta1*e.m + (1-s.beta1)*g
		e.v = s.beta2*e.v + (1-s.beta2)*g*g
		v := e.v
		if s.amsgrad {
			e.a = math.Max(e.a, e.v)
			v = e.a
		}
		m := e.m / (1 - math.Pow(s.beta1, float64(t)))
		v /= 1 - math.Pow(s.beta2, float64(t))
		e.w -= s.lr * m / (math.Sqrt(v) + s.eps)
	},
	"rmsprop": func(e *element, g float64, t int, s settings) {
		g += s.decay * e.w
		e.v = s.alpha*e.v + (1-s.alpha)*g*g
		v := e.v
		if s.centered {
			e.a = s.alpha*e.a + (1-s.alpha)*g
			v -= e.a * e.a
		}
		if s.mu > 0 {
			e.m = s.mu*e.m + g/(math.Sqrt(v)+s.eps)
			e.w -= s.lr * e.m
		} else {
			e.w -= s.lr * g / (math.Sqrt(v) + s.eps)
		}
	},
	"adagrad": func(e *element, g float64, t int, s settings) {
		g += s.decay * e.w
		if t == 1 {
			e.v = s.initial
		}
		e.v += g * g
		e.w -= s.lr / (1 + float64(t-1)*s.eta) * g / (math.Sqrt(e.v) + s.eps)
	},
	"lion": func(e *element, g float64, t int, s settings) {
		step := s.beta1*e.m + (1-s.beta1)*g
		e.uncertain = e.uncertain || math.Abs(step) < 1e-5
		e.w -= s.lr * s.decay * e.w
		e.w -= s.lr * math.Copysign(1, step)
		e.m = s.beta2*e.m + (1-s.beta2)*g
	},
}

// drawSettings draws settings for the optimizer and the options that set them.
func drawSettings(rt *rapid.T, name string) (settings, []optim.Option) {
	draw := func(what string, low, high float64) float64 { return rapid.Float64Range(low, high).Draw(rt, what) }
	s := settings{
		lr: draw("lr", 1e-4, 0.1), decay: draw("decay", 0, 0.2), eps: draw("eps", 1e-4, 1e-2),
		mu: rapid.SampledFrom([]float64{0, 0.5, 0.9}).Draw(rt, "mu"), tau: draw("tau", 0, 0.5),
		beta1: draw("beta1", 0, 0.95), beta2: draw("beta2", 0.5, 0.999), alpha: draw("alpha", 0.5, 0.99),
		eta: draw("eta", 0, 0.1), initial: draw("initial", 0, 1),
		nesterov: rapid.Bool().Draw(rt, "nesterov"), centered: rapid.Bool().Draw(rt, "centered"),
		amsgrad: rapid.Bool().Draw(rt, "amsgrad"), maximize: rapid.Bool().Draw(rt, "maximize"),
	}
	opts := []optim.Option{optim.WithLR(s.lr), optim.WithWeightDecay(s.decay)}
	if s.maximize {
		opts = append(opts, optim.WithMaximize())
	}
	switch name {
	case "sgd":
		if s.nesterov = s.nesterov && s.mu > 0; s.nesterov {
			s.tau = 0
			opts = append(opts, optim.WithNesterov())
		}
		opts = append(opts, optim.WithMomentum(s.mu), optim.WithDampening(s.tau))
	case "adam", "adamw":
		opts = append(opts, optim.WithBetas(s.beta1, s.beta2), optim.WithEps(s.eps))
		if s.amsgrad {
			opts = append(opts, optim.WithAMSGrad())
		}
	case "lion":
		opts = append(opts, optim.WithBetas(s.beta1, s.beta2))
	case "rmsprop":
		opts = append(opts, optim.WithMomentum(s.mu), optim.WithAlpha(s.alpha), optim.WithEps(s.eps))
		if s.centered {
			opts = append(opts, optim.WithCentered())
		}
	case "adagrad":
		opts = append(opts, optim.WithLRDecay(s.eta), optim.WithInitialAccumulator(s.initial), optim.WithEps(s.eps))
	}
	return s, opts
}

func TestOptimizersFollowTheirFormulas(t *testing.T) {
	for _, d := range nettest.Devices(t) {
		for _, name := range optim.Names() {
			for dt, tolerance := range map[tensor.Dtype]float64{tensor.Float32: 1e-5, tensor.Float64: 1e-12} {
				t.Run(fmt.Sprint(d.Name(), "/", name, "/", dt), func(t *testing.T) {
					rapid.Check(t, func(rt *rapid.T) { followsItsFormula(rt, d, name, dt, tolerance) })
				})
			}
		}
	}
}

func followsItsFormula(rt *rapid.T, d device.Device, name string, dt tensor.Dtype, tolerance float64) {
	s, opts := drawSettings(rt, name)
	o, err := optim.New(name, append(opts, optim.WithDevice(d))...)
	nettest.Must(rt, err)
	// 21 elements: more than a vector register holds, with a rest.
	learnables := []*learnable{newLearnable("W", dt, 3, 7), newLearnable("b", dt, 2)}
	elements := make([][]element, len(learnables))
	for i, l := range learnables {
		for _, w := range nettest.Numbers(l.value) {
			elements[i] = append(elements[i], element{w: w})
		}
		l.moveTo(rt, d)
	}
	for step := 1; step <= 40; step++ {
		for i, l := range learnables {
			nettest.Must(rt, tensor.Copy(l.grad.(*tensor.Dense), nettest.Waves(dt, float64(3*step+i), l.value.Shape()...)))
			for j, g := range nettest.Numbers(l.grad) {
				if s.maximize {
					g = -g
				}
				formulas[name](&elements[i][j], g, step, s)
			}
		}
		nettest.Must(rt, o.Step(model(learnables...)))
		nettest.Must(rt, d.Sync())
		for i, l := range learnables {
			for j, got := range nettest.Numbers(l.value) {
				if want := elements[i][j].w; !elements[i][j].uncertain && !(math.Abs(got-want) <= tolerance*math.Max(1, math.Abs(want))) {
					rt.Fatalf("step %d: %s[%d] is %v, want %v", step, l.name, j, got, want)
				}
			}
		}
	}
}
