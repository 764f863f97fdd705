package layer

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// TestInitialisersDrawTheirDistribution compares range, mean and standard
// deviation of many values with the published definition.
func TestInitialisersDrawTheirDistribution(t *testing.T) {
	const in, out, n = 300, 200, 60000
	for _, c := range []struct {
		init  Init
		sigma float64 // standard deviation
		bound float64 // largest possible absolute value
	}{
		{Zeros, 0, 0},
		{Ones, 0, 1},
		{Constant(-0.25), 0, 0.25},
		{GlorotUniform, math.Sqrt(6.0/(in+out)) / math.Sqrt(3), math.Sqrt(6.0 / (in + out))},
		{GlorotNormal, math.Sqrt(2.0 / (in + out)), math.Inf(1)},
		{HeUniform, math.Sqrt(6.0/in) / math.Sqrt(3), math.Sqrt(6.0 / in)},
		{HeNormal, math.Sqrt(2.0 / in), math.Inf(1)},
		{FanInUniform, 1 / math.Sqrt(in) / math.Sqrt(3), 1 / math.Sqrt(in)},
	} {
		values := c.init.Values(n, in, out, 1, "w")
		mean, largest := 0.0, 0.0
		for _, v := range values {
			mean += v / n
			largest = max(largest, math.Abs(v))
		}
		variance := 0.0
		for _, v := range values {
			variance += (v - mean) * (v - mean) / n
		}
		// Five standard errors of the standard deviation of n draws.
		if sigma := math.Sqrt(variance); math.Abs(sigma-c.sigma) > 5*c.sigma/math.Sqrt(2*n)+1e-12 {
			t.Errorf("%v: standard deviation is %g, want %g", c.init, sigma, c.sigma)
		}
		if largest > c.bound || (!math.IsInf(c.bound, 1) && largest < 0.999*c.bound) {
			t.Errorf("%v: largest absolute value is %g, want up to %g", c.init, largest, c.bound)
		}
		if math.IsInf(c.bound, 1) && largest < 3.5*c.sigma {
			t.Errorf("%v: largest of %d values is %g, too small for a normal distribution with σ = %g", c.init, n, largest, c.sigma)
		}
	}
}

func TestSeedAndNameDecideTheWeights(t *testing.T) {
	weights := func(opts ...Option) []float64 {
		l, err := NewLinear(gorgonia.NewGraph(), 3, 2, append([]Option{WithDtype(tensor.Float64)}, opts...)...)
		requireNoError(t, err)
		return floats(t, l.Weight().Value())
	}
	base := weights(WithSeed(1), WithName("a"))
	requireClose(t, "same seed and name", weights(WithSeed(1), WithName("a")), base, 0)
	for what, other := range map[string][]float64{
		"another seed": weights(WithSeed(2), WithName("a")),
		"another name": weights(WithSeed(1), WithName("b")),
	} {
		if fmt.Sprint(other) == fmt.Sprint(base) {
			t.Errorf("%s gives the same weights", what)
		}
	}
	single, err := NewLinear(gorgonia.NewGraph(), 3, 2, WithSeed(1), WithName("a"))
	requireNoError(t, err)
	requireClose(t, "float32 is float64 rounded", floats(t, single.Weight().Value()), base, 1e-7)
}

func TestLinearHasItsNodesNamesAndShape(t *testing.T) {
	g := gorgonia.NewGraph()
	first, err := NewLinear(g, 3, 2)
	requireNoError(t, err)
	second, err := NewLinear(g, 2, 4, WithoutBias(), WithActivation(LeakyReLU(0.2)), WithDtype(tensor.Float64))
	requireNoError(t, err)
	if got := fmt.Sprint(first.Weight().Name(), " ", first.Bias().Name(), " ", second.Weight().Name()); got != "linear1.weight linear1.bias linear2.weight" {
		t.Errorf("names are %s", got)
	}
	if !first.Weight().Shape().Eq(tensor.Shape{3, 2}) || !first.Bias().Shape().Eq(tensor.Shape{2}) || len(first.Learnables()) != 2 {
		t.Errorf("weight %v, bias %v, %d learnables", first.Weight().Shape(), first.Bias().Shape(), len(first.Learnables()))
	}
	if second.Bias() != nil || len(second.Learnables()) != 1 {
		t.Errorf("a layer without bias has bias %v and %d learnables", second.Bias(), len(second.Learnables()))
	}
	if got, want := first.String(), "linear1: Linear(in=3, out=2, bias=true, activation=identity, dtype=float32, device=cpu)"; got != want {
		t.Errorf("printed as %s, want %s", got, want)
	}
	if got, want := second.String(), "linear2: Linear(in=2, out=4, bias=false, activation=leakyrelu(0.2), dtype=float64, device=cpu)"; got != want {
		t.Errorf("printed as %s, want %s", got, want)
	}
}

func TestLinearIsApplyOnItsLearnables(t *testing.T) {
	g := gorgonia.NewGraph()
	rng := generator(47)
	l, err := NewLinear(g, 3, 2, WithActivation(Tanh), WithDtype(tensor.Float64), WithBiasInit(Constant(0.5)), WithInit(HeNormal))
	requireNoError(t, err)
	vector, batch := input(g, "vector", random(rng, tensor.Float64, 3)), input(g, "batch", random(rng, tensor.Float64, 4, 3))
	for _, x := range []*gorgonia.Node{vector, batch} {
		y, err := l.Fwd(x)
		requireNoError(t, err)
		want, err := Builtin(x, l.Weight(), l.Bias(), WithActivation(Tanh))
		requireNoError(t, err)
		m := gorgonia.NewTapeMachine(g)
		requireNoError(t, m.RunAll())
		requireClose(t, fmt.Sprintf("rank %d", x.Dims()), floats(t, y.Value()), floats(t, want.Value()), 1e-15)
		requireNoError(t, m.Close())
	}
	if _, err := l.Fwd(input(g, "wide", random(rng, tensor.Float64, 4, 5))); err == nil || !strings.HasPrefix(err.Error(), "linear1: ") {
		t.Errorf("wrong input: error is %v, want one that names the layer", err)
	}
}

func TestWrongLayersAreRefused(t *testing.T) {
	g := gorgonia.NewGraph()
	_, err := NewLinear(g, 1, 1, WithName("taken"))
	requireNoError(t, err)
	input(g, "mine.bias", random(generator(59), tensor.Float32, 1))
	for _, c := range []struct {
		name    string
		g       *gorgonia.ExprGraph
		in, out int
		opts    []Option
		want    string
	}{
		{"nil graph", nil, 1, 1, nil, "graph is nil"},
		{"no inputs", g, 0, 1, nil, "in is 0 and out 1"},
		{"negative outputs", g, 1, -1, nil, "out -1"},
		{"integer dtype", g, 1, 1, []Option{WithDtype(tensor.Int)}, "dtype is int, want float32 or float64"},
		{"taken name", g, 1, 1, []Option{WithName("taken")}, `named "taken" already`},
		{"taken name of a bias", g, 1, 1, []Option{WithName("mine")}, `named "mine" already`},
		{"more than memory", g, 1 << 20, 1 << 20, nil, "in is 1048576 and out 1048576, want at most 1073741824 weights"},
		{"more than integers", g, math.MaxInt, math.MaxInt, nil, "want at most 1073741824 weights"},
		{"bad slope", g, 1, 1, []Option{WithActivation(LeakyReLU(math.Inf(1)))}, "slope is +Inf"},
	} {
		if _, err := NewLinear(c.g, c.in, c.out, c.opts...); err == nil || !strings.Contains(err.Error(), "layer.NewLinear: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error is %v, want one that says %q", c.name, err, c.want)
		}
	}
}

func TestActivationsAreParsedAsTheyPrint(t *testing.T) {
	for _, act := range append(activations, LeakyReLU(0.01)) {
		got, err := ParseActivation(act.String())
		requireNoError(t, err)
		if got != act {
			t.Errorf("%v was parsed as %v", act, got)
		}
	}
	if act, err := ParseActivation("LeakyReLU"); err != nil || act != LeakyReLU(0.01) {
		t.Errorf("LeakyReLU without slope is %v, %v, want PyTorch's default 0.01", act, err)
	}
	for name, want := range map[string]string{
		"rellu":          "want one of identity, relu",
		"relu(2)":        "takes no argument",
		"leakyrelu(":     "want a slope",
		"leakyrelu(x)":   "want a slope",
		"leakyrelu(-1)":  "≥ 0",
		"leakyrelu(NaN)": "≥ 0",
	} {
		if _, err := ParseActivation(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error is %v, want one that says %q", name, err, want)
		}
	}
}

// TestGorgoniasSolversTrainTheLayer fits y = tanh(x·W + b) of a known layer.
func TestGorgoniasSolversTrainTheLayer(t *testing.T) {
	for name, solver := range map[string]func() gorgonia.Solver{
		"vanilla": func() gorgonia.Solver { return gorgonia.NewVanillaSolver(gorgonia.WithLearnRate(0.5)) },
		"adam":    func() gorgonia.Solver { return gorgonia.NewAdamSolver(gorgonia.WithLearnRate(0.05)) },
		"rmsprop": func() gorgonia.Solver { return gorgonia.NewRMSPropSolver(gorgonia.WithLearnRate(0.02)) },
	} {
		for _, dt := range dtypes {
			for _, machine := range []string{"tape", "lisp"} {
				t.Run(fmt.Sprintf("%s/%v/%s", name, dt, machine), func(t *testing.T) {
					first, last := trainedLoss(t, solver(), dt, machine)
					if !(last < first/20) {
						t.Errorf("loss went from %g to %g, want less than a twentieth", first, last)
					}
				})
			}
		}
	}
}

func trainedLoss(t *testing.T, solver gorgonia.Solver, dt tensor.Dtype, machine string) (first, last float64) {
	g := gorgonia.NewGraph()
	rng := generator(53)
	x := input(g, "x", random(rng, dt, 32, 3))
	teacher := linearCase(t, "tape", Apply, Tanh, x.Value().(*tensor.Dense), random(rng, dt, 3, 2), random(rng, dt, 2), random(rng, dt, 32, 2))[0]
	target := tensor.New(tensor.WithShape(32, 2), tensor.WithBacking(teacher))
	if dt == tensor.Float32 {
		rounded := make([]float32, len(teacher))
		for i, v := range teacher {
			rounded[i] = float32(v)
		}
		target = tensor.New(tensor.WithShape(32, 2), tensor.WithBacking(rounded))
	}
	l, err := NewLinear(g, 3, 2, WithActivation(Tanh), WithDtype(dt), WithoutInputGrad())
	requireNoError(t, err)
	y, err := l.Fwd(x)
	requireNoError(t, err)
	cost, err := MSE(y, input(g, "target", target))
	requireNoError(t, err)
	newMachine := func() gorgonia.VM { return gorgonia.NewLispMachine(g) }
	if machine == "tape" {
		_, err = gorgonia.Grad(cost, l.Learnables()...)
		requireNoError(t, err)
		tape := gorgonia.NewTapeMachine(g, gorgonia.BindDualValues(l.Learnables()...))
		newMachine = func() gorgonia.VM { return tape }
	}
	for step := range 200 {
		// A LispMachine runs its graph once; Reset does not rewind it.
		vm := newMachine()
		requireNoError(t, vm.RunAll())
		last = floats(t, cost.Value())[0]
		if step == 0 {
			first = last
		}
		requireNoError(t, solver.Step(gorgonia.NodesToValueGrads(l.Learnables())))
		vm.Reset()
	}
	return first, last
}
