package optim_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/affine-go/affine/internal/nettest"
	"github.com/affine-go/affine/internal/reference"
	"github.com/affine-go/affine/layer"
	"github.com/affine-go/affine/layer/device"
	"github.com/affine-go/affine/train/optim"
	"github.com/affine-go/affine/train/vm"
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

// Optimizers, schedules, clipping and a training give what PyTorch computed for
// the same inputs: for every array, |got − PyTorch| ≤ tolerance · max |PyTorch|
// with 1e-5 in float32 and 1e-10 in float64, as [reference.Compare] says.

func TestOptimizersTakePyTorchsSteps(t *testing.T) {
	t.Run("float32", optimizersTakePyTorchsSteps[float32])
	t.Run("float64", optimizersTakePyTorchsSteps[float64])
}

func optimizersTakePyTorchsSteps[T reference.Float](t *testing.T) {
	for _, c := range pytorchCases[T](t, "optimizers") {
		t.Run(c.Name, func(t *testing.T) {
			name, variant, _ := strings.Cut(c.Name, "/")
			var opts []optim.Option
			if variant != "default" {
				var s pytorchOptimizer
				nettest.Must(t, c.Decode(&s))
				opts = s.options(name)
			}
			optimizer, err := optim.New(name, opts...)
			nettest.Must(t, err)
			weight, bias := newParameter(t, c, "W"), newParameter(t, c, "b")
			steps := weight.path.Shape[0]
			for step := range steps {
				weight.setGradient(step)
				bias.setGradient(step)
				if err := optimizer.Step([]gorgonia.ValueGrad{weight, bias}); err != nil {
					t.Fatal(err)
				}
				weight.compare(t, step)
				bias.compare(t, step)
				if t.Failed() {
					return // what follows a wrong step is wrong too
				}
			}
		})
	}
}

// parameter is a learnable with the gradients that PyTorch was given and the
// values that it had after each step.
type parameter[T reference.Float] struct {
	name            string
	value, gradient *tensor.Dense
	gradients, path reference.Array[T]
}

func newParameter[T reference.Float](t *testing.T, c reference.Case[T], name string) *parameter[T] {
	t.Helper()
	initial := pytorchArray(t, c, name+"_initial")
	return &parameter[T]{
		name:      name,
		value:     dense(initial),
		gradient:  dense(initial), // its values are set before each step
		gradients: pytorchArray(t, c, name+"_gradients"),
		path:      pytorchArray(t, c, name),
	}
}

func (p *parameter[T]) Name() string                  { return p.name }
func (p *parameter[T]) Value() gorgonia.Value         { return p.value }
func (p *parameter[T]) Grad() (gorgonia.Value, error) { return p.gradient, nil }

// at returns the part of a that belongs to one step.
func (p *parameter[T]) at(a reference.Array[T], step int) []T {
	n := len(a.Data) / a.Shape[0]
	return a.Data[step*n : (step+1)*n]
}

func (p *parameter[T]) setGradient(step int) {
	copy(p.gradient.Data().([]T), p.at(p.gradients, step))
}

func (p *parameter[T]) compare(t *testing.T, step int) {
	t.Helper()
	if err := reference.Compare(p.value.Data().([]T), p.at(p.path, step)); err != nil {
		t.Errorf("step %d: %s: %v", step+1, p.name, err)
	}
}

func TestTrainingFollowsPyTorch(t *testing.T) {
	t.Run("float32", trainingFollowsPyTorch[float32])
	t.Run("float64", trainingFollowsPyTorch[float64])
}

// trainingFollowsPyTorch takes ten steps of a 2-8-8-3 classifier with Adam on
// our machine and compares the loss of each.
func trainingFollowsPyTorch[T reference.Float](t *testing.T) {
	for _, c := range pytorchCases[T](t, "mlp") {
		t.Run(c.Name, func(t *testing.T) {
			var s struct {
				Activation string
				LR         float64
			}
			nettest.Must(t, c.Decode(&s))
			act, err := layer.ParseActivation(s.Activation)
			nettest.Must(t, err)
			g := gorgonia.NewGraph()
			node := func(name string) *gorgonia.Node {
				return gorgonia.NodeFromAny(g, dense(pytorchArray(t, c, name)), gorgonia.WithName(name))
			}
			var learnables gorgonia.Nodes
			logits := node("X")
			for i := range 3 {
				w, b := node(fmt.Sprint("W", i)), node(fmt.Sprint("b", i))
				learnables = append(learnables, w, b)
				if i == 2 {
					act = layer.Identity
				}
				if logits, err = layer.Apply(logits, w, b, layer.WithActivation(act)); err != nil {
					t.Fatal(err)
				}
			}
			loss, err := layer.SoftmaxCrossEntropy(logits, node("targets"))
			nettest.Must(t, err)
			gradients, err := gorgonia.Grad(loss, learnables...)
			nettest.Must(t, err)
			params, err := vm.NewParams(learnables, gradients)
			nettest.Must(t, err)
			machine, err := vm.New(g, vm.WithOutputs(loss), vm.WithOutputs(params.Gradients()...))
			nettest.Must(t, err)
			defer machine.Close()
			adam, err := optim.NewAdam(optim.WithLR(s.LR))
			nettest.Must(t, err)

			want := pytorchArray(t, c, "losses")
			var got []T
			for range want.Data {
				if err := machine.RunAll(); err != nil {
					t.Fatal(err)
				}
				got = append(got, loss.Value().Data().(T))
				if err := adam.Step(params.ValueGrads()); err != nil {
					t.Fatal(err)
				}
			}
			if err := reference.Compare(got, want.Data); err != nil {
				t.Errorf("losses: %v", err)
			}
		})
	}
}

func TestSchedulesGivePyTorchsRates(t *testing.T) {
	for _, c := range pytorchCases[float64](t, "schedules") {
		t.Run(c.Name, func(t *testing.T) {
			schedule := pytorchSchedule(t, c)
			want := pytorchArray(t, c, "rates")
			got := make([]float64, len(want.Data))
			for step := range got {
				got[step] = schedule.At(step)
			}
			if err := reference.Compare(got, want.Data); err != nil {
				t.Error(err)
			}
		})
	}
}

func pytorchSchedule(t *testing.T, c reference.Case[float64]) optim.Schedule {
	t.Helper()
	var s struct {
		Schedule       string
		LR, Gamma      float64
		StepSize       int     `json:"step_size"`
		TMax           int     `json:"T_max"`
		EtaMin         float64 `json:"eta_min"`
		StartFactor    float64 `json:"start_factor"`
		TotalIters     int     `json:"total_iters"`
		MaxLR          float64 `json:"max_lr"`
		TotalSteps     int     `json:"total_steps"`
		PctStart       float64 `json:"pct_start"`
		DivFactor      float64 `json:"div_factor"`
		FinalDivFactor float64 `json:"final_div_factor"`
		AnnealStrategy string  `json:"anneal_strategy"`
	}
	nettest.Must(t, c.Decode(&s))
	cosine := optim.CosineLR{LR: s.LR, Min: s.EtaMin, Steps: s.TMax}
	warmup := optim.WarmupLR{From: s.StartFactor, Steps: s.TotalIters, Then: optim.ConstantLR{LR: s.LR}}
	cycle := optim.OneCycleLR{Max: s.MaxLR, Steps: s.TotalSteps, Linear: s.AnnealStrategy == "linear"}
	switch s.Schedule {
	case "step":
		return optim.StepLR{LR: s.LR, Every: s.StepSize, Gamma: s.Gamma}
	case "cosine":
		return cosine
	case "warmup":
		return warmup
	case "warmup_cosine":
		warmup.Then = cosine
		return warmup
	case "one_cycle":
		// cos and linear were made with PyTorch's defaults: ours must be the same.
		if c.Name != "one_cycle/cos" && c.Name != "one_cycle/linear" {
			cycle.Rise, cycle.Div, cycle.FinalDiv = s.PctStart, s.DivFactor, s.FinalDivFactor
		}
		return cycle
	}
	t.Fatalf("no schedule for %q", s.Schedule)
	return nil
}

func TestClippingAgreesWithPyTorch(t *testing.T) {
	t.Run("float32", clippingAgreesWithPyTorch[float32])
	t.Run("float64", clippingAgreesWithPyTorch[float64])
}

func clippingAgreesWithPyTorch[T reference.Float](t *testing.T) {
	cpu, err := device.Open("cpu")
	nettest.Must(t, err)
	for _, c := range pytorchCases[T](t, "clipping") {
		t.Run(c.Name, func(t *testing.T) {
			var s struct {
				Clip  string
				Limit float64
			}
			nettest.Must(t, c.Decode(&s))
			names := []string{"a", "b", "c"}
			var model []gorgonia.ValueGrad
			gradients := map[string]*tensor.Dense{}
			for _, name := range names {
				gradients[name] = dense(pytorchArray(t, c, name+"_before"))
				model = append(model, &parameter[T]{name: name, value: gradients[name], gradient: gradients[name]})
			}
			switch s.Clip {
			case "norm":
				norm, err := optim.ClipByNorm(cpu, model, s.Limit)
				nettest.Must(t, err)
				if err := reference.Compare([]T{T(norm)}, pytorchArray(t, c, "norm").Data); err != nil {
					t.Errorf("norm: %v", err)
				}
			case "value":
				if err := optim.ClipByValue(cpu, model, s.Limit); err != nil {
					t.Fatal(err)
				}
			default:
				t.Fatalf("no clipping by %q", s.Clip)
			}
			for _, name := range names {
				if err := reference.Compare(gradients[name].Data().([]T), pytorchArray(t, c, name+"_after").Data); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		})
	}
}

func pytorchCases[T reference.Float](t *testing.T, family string) []reference.Case[T] {
	t.Helper()
	cases, err := reference.Cases[T](family)
	nettest.Must(t, err)
	return cases
}

func pytorchArray[T reference.Float](t *testing.T, c reference.Case[T], name string) reference.Array[T] {
	t.Helper()
	a, err := c.Array(name)
	nettest.Must(t, err)
	return a
}

// dense copies an array into a tensor.
func dense[T reference.Float](a reference.Array[T]) *tensor.Dense {
	return tensor.New(tensor.WithShape(a.Shape...), tensor.WithBacking(append([]T(nil), a.Data...)))
}
