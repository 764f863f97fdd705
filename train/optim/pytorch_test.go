package optim_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/affine-go/affine/internal/nettest"
	"github.com/affine-go/affine/internal/reference"
	"github.com/affine-go/affine/train/optim"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// pytorchOptimizer has the settings of an optimizer by PyTorch's names.
type pytorchOptimizer struct {
	Optimizer                           string
	LR, Momentum, Dampening, Eps, Alpha float64
	WeightDecay                         float64 `json:"weight_decay"`
	LRDecay                             float64 `json:"lr_decay"`
	InitialAccumulator                  float64 `json:"initial_accumulator_value"`
	Betas                               [2]float64
	Nesterov, Centered                  bool
	AMSGrad, Maximize                   bool
	Group                               *pytorchOptimizer // of the learnable b
}

// options sets everything that PyTorch had set or filled in.
func (s *pytorchOptimizer) options(name string) []optim.Option {
	opts := []optim.Option{optim.WithLR(s.LR), optim.WithWeightDecay(s.WeightDecay)}
	switch name {
	case "sgd":
		opts = append(opts, optim.WithMomentum(s.Momentum), optim.WithDampening(s.Dampening))
	case "adam", "adamw":
		opts = append(opts, optim.WithBetas(s.Betas[0], s.Betas[1]), optim.WithEps(s.Eps))
	case "rmsprop":
		opts = append(opts, optim.WithMomentum(s.Momentum), optim.WithAlpha(s.Alpha), optim.WithEps(s.Eps))
	case "adagrad":
		opts = append(opts, optim.WithLRDecay(s.LRDecay), optim.WithInitialAccumulator(s.InitialAccumulator), optim.WithEps(s.Eps))
	case "lion":
		opts = append(opts, optim.WithBetas(s.Betas[0], s.Betas[1]))
	}
	for option, set := range map[*bool]func() optim.Option{
		&s.Nesterov: optim.WithNesterov, &s.Centered: optim.WithCentered, &s.AMSGrad: optim.WithAMSGrad, &s.Maximize: optim.WithMaximize,
	} {
		if *option {
			opts = append(opts, set())
		}
	}
	if s.Group != nil {
		opts = append(opts, optim.WithGroup(func(name string) bool { return name == "b" }, s.Group.options(name)...))
	}
	return opts
}

// A thousand steps end where PyTorch's do: to 1e-6 of the largest weight so far
// in float32, and to 1e-12 in float64.
func TestAThousandStepsAreThoseOfPyTorch(t *testing.T) {
	t.Run("float32", func(t *testing.T) { testLongPaths[float32](t, 1e-6) })
	t.Run("float64", func(t *testing.T) { testLongPaths[float64](t, 1e-12) })
}

func testLongPaths[T reference.Float](t *testing.T, tolerance float64) {
	cases, err := reference.Cases[T]("optimizers_long")
	nettest.Must(t, err)
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			var s struct {
				pytorchOptimizer
				Snapshots []int
				Feedback  bool
				Sign      float64
			}
			nettest.Must(t, c.Decode(&s))
			var opts []optim.Option
			if !strings.HasSuffix(c.Name, "/default") {
				opts = s.options(s.Optimizer)
			}
			o, err := optim.New(s.Optimizer, opts...)
			nettest.Must(t, err)

			shapes := map[string]tensor.Shape{"W": {4, 3}, "b": {3}}
			var learnables []*learnable
			noise := map[string][]T{}
			for _, name := range []string{"W", "b"} {
				shape := shapes[name]
				n := shape.TotalSize()
				learnables = append(learnables, &learnable{name: name, value: tensor.New(tensor.WithShape(shape...), tensor.WithBacking(counted[T](n)))})
				noise[name] = counted[T](s.Snapshots[len(s.Snapshots)-1] * n)
			}
			largest := 0.5 // that a weight starts from
			for snapshot, step := 0, 0; snapshot < len(s.Snapshots); step++ {
				for _, l := range learnables {
					w := l.value.Data().([]T)
					g := make([]T, len(w))
					for i := range g {
						g[i] = noise[l.name][step*len(g)+i]
						if s.Feedback {
							slope := T(math.Pow(0.5, float64(i%3)))
							g[i] = T(slope*T(w[i]-T(2-0.25*float64(i)))) + g[i]
						}
						g[i] *= T(s.Sign * math.Pow(0.125, float64(i%4)))
					}
					l.grad = tensor.New(tensor.WithShape(l.value.Shape()...), tensor.WithBacking(g))
				}
				nettest.Must(t, o.Step(model(learnables...)))
				if step+1 < s.Snapshots[snapshot] {
					continue
				}
				for _, l := range learnables {
					path, err := c.Array(l.name)
					nettest.Must(t, err)
					got := l.value.Data().([]T)
					want := path.Data[snapshot*len(got):][:len(got)]
					for _, w := range want {
						largest = math.Max(largest, math.Abs(float64(w)))
					}
					for i := range want {
						if d := math.Abs(float64(got[i]) - float64(want[i])); !(d <= tolerance*largest) {
							t.Fatalf("after step %d %s[%d] is %v, PyTorch has %v, %.1e away", step+1, l.name, i, got[i], want[i], d/largest)
						}
					}
				}
				snapshot++
			}
		})
	}
}

// counted returns the numbers that make.py's function of this name returns.
func counted[T reference.Float](n int) []T {
	x := make([]T, n)
	for i := range x {
		mixed := uint32(i) * 2654435761
		mixed = (mixed ^ mixed>>15) * 2246822519
		mixed = (mixed ^ mixed>>13) % 1024
		x[i] = T(float64(mixed)/1024 - 0.5)
	}
	return x
}

// Gradients whose squares are subnormal count as in PyTorch.
func TestTinyGradientsMoveWeightsAsInPyTorch(t *testing.T) {
	cases, err := reference.Cases[float32]("optimizers_tiny")
	nettest.Must(t, err)
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			var s pytorchOptimizer
			nettest.Must(t, c.Decode(&s))
			o, err := optim.New(s.Optimizer, s.options(s.Optimizer)...)
			nettest.Must(t, err)
			array := func(name string) reference.Array[float32] {
				a, err := c.Array(name)
				nettest.Must(t, err)
				return a
			}
			gradients, path := array("w_gradients"), array("w")
			w := tensor.New(tensor.WithBacking(append([]float32(nil), array("w_initial").Data...)))
			l := &learnable{name: "w", value: w}
			n := w.Size()
			for step := range path.Shape[0] {
				l.grad = tensor.New(tensor.WithBacking(append([]float32(nil), gradients.Data[step*n:][:n]...)))
				nettest.Must(t, o.Step([]gorgonia.ValueGrad{l}))
				for i, got := range w.Float32s() {
					want := path.Data[step*n+i]
					same := math.IsNaN(float64(want)) && math.IsNaN(float64(got)) || got == want
					if d := math.Abs(float64(got) - float64(want)); !same && !(d <= 1e-6*math.Abs(float64(want))) {
						t.Errorf("step %d, gradient %v: w is %v, in PyTorch %v", step+1, gradients.Data[step*n+i], got, want)
					}
				}
			}
		})
	}
}

func TestOneCycleOfAThousandStepsIsPyTorchs(t *testing.T) {
	cases, err := reference.Cases[float64]("schedules_long")
	nettest.Must(t, err)
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			var s struct {
				MaxLR      float64 `json:"max_lr"`
				TotalSteps int     `json:"total_steps"`
				PctStart   float64 `json:"pct_start"`
				ThreePhase bool    `json:"three_phase"`
				Strategy   string  `json:"anneal_strategy"`
			}
			nettest.Must(t, c.Decode(&s))
			schedule := optim.OneCycleLR{Max: s.MaxLR, Steps: s.TotalSteps, Rise: s.PctStart, NoRise: s.PctStart == 0,
				ThreePhase: s.ThreePhase, Linear: s.Strategy == "linear"}
			rates, err := c.Array("rates")
			nettest.Must(t, err)
			for step, want := range rates.Data {
				if got := schedule.At(step); !(math.Abs(got-want) <= 1e-12*s.MaxLR) {
					t.Fatalf("%s: rate of step %d is %v, PyTorch's %v", fmt.Sprintf("%+v", schedule), step, got, want)
				}
			}
		})
	}
}
