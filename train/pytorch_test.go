package train_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/affine-go/affine/internal/reference"
	"github.com/affine-go/affine/layer"
	"github.com/affine-go/affine/layer/device"
	"github.com/affine-go/affine/train/optim"
	"github.com/affine-go/affine/train/vm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// The tests of this file hold optimisers and training against what PyTorch
// computed for the same inputs. For every array, |got − PyTorch| ≤
// tolerance · max |PyTorch| with 1e-5 in float32 and 1e-10 in float64: see
// [reference.Compare].

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
				opts = optimizerOptions(t, name, c)
			}
			optimizer, err := optim.New(name, opts...)
			if err != nil {
				t.Fatal(err)
			}
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

// optimizerOptions sets everything that PyTorch had set or filled in.
func optimizerOptions[T reference.Float](t *testing.T, name string, c reference.Case[T]) []optim.Option {
	t.Helper()
	var s struct {
		LR, Momentum, Dampening, Eps, Alpha float64
		WeightDecay                         float64 `json:"weight_decay"`
		LRDecay                             float64 `json:"lr_decay"`
		InitialAccumulator                  float64 `json:"initial_accumulator_value"`
		Betas                               [2]float64
		Nesterov, Centered                  bool
	}
	if err := c.Decode(&s); err != nil {
		t.Fatal(err)
	}
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
	}
	if s.Nesterov {
		opts = append(opts, optim.WithNesterov())
	}
	if s.Centered {
		opts = append(opts, optim.WithCentered())
	}
	return opts
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
			if err := c.Decode(&s); err != nil {
				t.Fatal(err)
			}
			act, err := layer.ParseActivation(s.Activation)
			if err != nil {
				t.Fatal(err)
			}
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
			if err != nil {
				t.Fatal(err)
			}
			gradients, err := gorgonia.Grad(loss, learnables...)
			if err != nil {
				t.Fatal(err)
			}
			params, err := vm.NewParams(learnables, gradients)
			if err != nil {
				t.Fatal(err)
			}
			machine, err := vm.New(g, vm.WithOutputs(loss), vm.WithOutputs(params.Gradients()...))
			if err != nil {
				t.Fatal(err)
			}
			defer machine.Close()
			adam, err := optim.NewAdam(optim.WithLR(s.LR))
			if err != nil {
				t.Fatal(err)
			}

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
	if err := c.Decode(&s); err != nil {
		t.Fatal(err)
	}
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
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range pytorchCases[T](t, "clipping") {
		t.Run(c.Name, func(t *testing.T) {
			var s struct {
				Clip  string
				Limit float64
			}
			if err := c.Decode(&s); err != nil {
				t.Fatal(err)
			}
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
				if err != nil {
					t.Fatal(err)
				}
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
	if err != nil {
		t.Fatal(err)
	}
	return cases
}

func pytorchArray[T reference.Float](t *testing.T, c reference.Case[T], name string) reference.Array[T] {
	t.Helper()
	a, err := c.Array(name)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// dense copies an array into a tensor.
func dense[T reference.Float](a reference.Array[T]) *tensor.Dense {
	return tensor.New(tensor.WithShape(a.Shape...), tensor.WithBacking(append([]T(nil), a.Data...)))
}
