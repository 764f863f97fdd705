package train_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/internal/nettest"
	"github.com/affine-go/affine/layer"
	"github.com/affine-go/affine/train"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

func smallSpec() train.Spec {
	return train.Spec{Task: datasets.Classification, Inputs: 3, Outputs: 2, Hidden: []int{4}, Activation: layer.Tanh,
		Init: layer.GlorotNormal, BiasInit: layer.HeNormal, Seed: 5}
}

func TestModelHasAWeightAndABiasForEachLayer(t *testing.T) {
	m, err := train.NewModel(smallSpec())
	nettest.Must(t, err)
	want := map[string]tensor.Shape{
		"linear1.weight": {3, 4}, "linear1.bias": {4}, "linear2.weight": {4, 2}, "linear2.bias": {2},
	}
	weights := m.Weights()
	if len(weights) != len(want) {
		t.Errorf("%d learnables, want %d", len(weights), len(want))
	}
	for name, shape := range want {
		if w := weights[name]; w == nil || !slices.Equal(w.Shape(), shape) || w.Dtype() != tensor.Float32 {
			t.Errorf("%s is %v, want float32 of shape %v", name, w, shape)
		}
	}
	if m.Parameters() != 3*4+4+4*2+2 {
		t.Errorf("%d parameters, want %d", m.Parameters(), 3*4+4+4*2+2)
	}
	if got, want := m.String(), "3-4-2 tanh, classification, 26 parameters, float32, fused on cpu"; got != want {
		t.Errorf("model describes itself as %q, want %q", got, want)
	}
	s := smallSpec()
	s.Hidden = nil
	linear, err := train.NewModel(s)
	nettest.Must(t, err)
	if got, want := linear.String(), "3-2, classification, 8 parameters, float32, fused on cpu"; got != want {
		t.Errorf("model without hidden layers describes itself as %q, want %q", got, want)
	}
}

// The weights are those that layer.NewLinear draws under the same names.
func TestModelDrawsItsWeightsAsLayersDo(t *testing.T) {
	m, err := train.NewModel(smallSpec())
	nettest.Must(t, err)
	g := gorgonia.NewGraph()
	for _, dims := range [][2]int{{3, 4}, {4, 2}} {
		l, err := layer.NewLinear(g, dims[0], dims[1], layer.WithInit(layer.GlorotNormal), layer.WithBiasInit(layer.HeNormal), layer.WithSeed(5))
		nettest.Must(t, err)
		for _, n := range l.Learnables() {
			if !nettest.SameNumbers(n.Value(), m.Weights()[n.Name()]) {
				t.Errorf("%s is not what the layer draws", n.Name())
			}
		}
	}
}

func TestNewModelRefusesWhatCannotBeBuilt(t *testing.T) {
	for _, c := range []struct {
		change func(*train.Spec)
		words  []string
	}{
		{func(s *train.Spec) { s.Task = datasets.AutoTask }, []string{"task", "auto", "classification", "regression"}},
		{func(s *train.Spec) { s.Inputs = 0 }, []string{"0 inputs", "at least 1"}},
		{func(s *train.Spec) { s.Outputs = 1 }, []string{"1 classes", "at least 2"}},
		{func(s *train.Spec) { s.Task, s.Outputs = datasets.Regression, 0 }, []string{"0 outputs", "at least 1"}},
		{func(s *train.Spec) { s.Hidden = []int{4, -1} }, []string{"hidden layer 2", "-1", "at least 1"}},
		{func(s *train.Spec) { s.Hidden = []int{1 << 40} }, []string{"parameters", "1099511627776", "at most 1073741824"}},
		{func(s *train.Spec) { s.Hidden = []int{math.MaxInt, math.MaxInt} }, []string{"parameters", "at most"}},
		{func(s *train.Spec) { s.Dtype = tensor.Int }, []string{"dtype", "int", "float32", "float64"}},
		{func(s *train.Spec) { s.Impl = "magic" }, []string{"impl", "magic", "fused", "builtin"}},
		{func(s *train.Spec) { s.Machine = "lisp" }, []string{"machine", "lisp", "ours", "tape"}},
	} {
		s := smallSpec()
		c.change(&s)
		_, err := train.NewModel(s)
		wantError(t, fmt.Sprint(c.words[0]), err, append(c.words, "new model")...)
	}
}

// A row's outputs do not depend on the rows that come with it, nor on how many
// chunks there are.
func TestForwardTakesAnyNumberOfRows(t *testing.T) {
	for _, impl := range []string{train.Fused, train.Builtin} {
		for _, machine := range []string{train.OurMachine, train.TapeMachine} {
			s := smallSpec()
			s.Impl, s.Machine = impl, machine
			m, err := train.NewModel(s)
			nettest.Must(t, err)
			x := nettest.Numbers(nettest.Waves(tensor.Float64, 2, 600, 3))
			all, err := m.Forward(x)
			nettest.Must(t, err)
			for _, n := range []int{0, 1, 2, 255, 256, 257, 512, 513, 600} {
				part, err := m.Forward(x[:3*n])
				nettest.Must(t, err)
				if !slices.Equal(part, all[:2*n]) {
					t.Errorf("%s, %s: outputs of %d rows differ from those of the first of 600", impl, machine, n)
				}
			}
		}
	}
}

func TestForwardIsTheFunctionOfItsWeights(t *testing.T) {
	s := smallSpec()
	s.Dtype = tensor.Float64
	m, err := train.NewModel(s)
	nettest.Must(t, err)
	at := func(name string, i, j int) float64 {
		w := m.Weights()[name]
		if w.Dims() == 1 {
			return w.Float64s()[j]
		}
		return w.Float64s()[i*w.Shape()[1]+j]
	}
	x := []float64{0.3, -1.2, 2.5}
	var h [4]float64
	for j := range h {
		z := at("linear1.bias", 0, j)
		for i := range x {
			z += x[i] * at("linear1.weight", i, j)
		}
		h[j] = math.Tanh(z)
	}
	y, err := m.Forward(x)
	nettest.Must(t, err)
	for j := range y {
		want := at("linear2.bias", 0, j)
		for i := range h {
			want += h[i] * at("linear2.weight", i, j)
		}
		if math.Abs(y[j]-want) > 1e-14*(1+math.Abs(want)) {
			t.Errorf("output %d is %v, want %v", j, y[j], want)
		}
	}
}

func TestForwardRefusesRowsOfAnotherWidth(t *testing.T) {
	m, err := train.NewModel(smallSpec())
	nettest.Must(t, err)
	_, err = m.Forward(make([]float64, 7))
	wantError(t, "7 values", err, "7 values", "rows of 3")
}

func TestSetWeightsTakesWhatWeightsGive(t *testing.T) {
	s := smallSpec()
	a, err := train.NewModel(s)
	nettest.Must(t, err)
	s.Seed++
	b, err := train.NewModel(s)
	nettest.Must(t, err)
	nettest.Must(t, b.SetWeights(a.Weights()))
	for name, w := range a.Weights() {
		if !nettest.SameNumbers(w, b.Weights()[name]) {
			t.Errorf("%s differs", name)
		}
	}
}

func TestSetWeightsRefusesOthers(t *testing.T) {
	m, err := train.NewModel(smallSpec())
	nettest.Must(t, err)
	for what, c := range map[string]struct {
		change func(map[string]*tensor.Dense)
		words  []string
	}{
		"missing": {func(w map[string]*tensor.Dense) { delete(w, "linear2.bias") }, []string{"linear2.bias", "missing"}},
		"other shape": {func(w map[string]*tensor.Dense) { w["linear1.weight"] = nettest.Waves(tensor.Float32, 1, 4, 3) },
			[]string{"linear1.weight", "(4, 3)", "(3, 4)"}},
		"other dtype": {func(w map[string]*tensor.Dense) { w["linear1.bias"] = nettest.Waves(tensor.Float64, 1, 4) },
			[]string{"linear1.bias", "float64", "float32"}},
		"unknown": {func(w map[string]*tensor.Dense) { w["linear3.bias"] = nettest.Waves(tensor.Float32, 1, 4) },
			[]string{"linear3.bias", "none of the model's"}},
	} {
		weights := m.Weights()
		c.change(weights)
		before := nettest.Numbers(m.Weights()["linear1.weight"])
		wantError(t, what, m.SetWeights(weights), c.words...)
		if !slices.Equal(before, nettest.Numbers(m.Weights()["linear1.weight"])) {
			t.Errorf("%s: weights changed", what)
		}
	}
}
