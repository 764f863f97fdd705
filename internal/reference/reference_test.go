package reference_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/affine-go/affine/internal/reference"
)

func TestFilesNameTheirVersions(t *testing.T) {
	for _, family := range reference.Families() {
		v, err := reference.VersionsOf(family)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(v.Torch, "1.13") && !strings.HasPrefix(v.Torch, "2.") || v.Numpy == "" || v.Python == "" {
			t.Errorf("%s: made with %+v, want PyTorch 1.13 or 2 and the versions of NumPy and Python", family, v)
		}
	}
}

// arrays holds for each family the arrays that each of its cases must have.
var arrays = map[string][]string{
	"linear":     {"X", "W", "b", "dY", "Y", "dX", "dW"},
	"losses":     {"prediction", "targets", "loss", "gradient"},
	"optimizers": {"W_initial", "b_initial", "W_gradients", "b_gradients", "W", "b"},
	"clipping":   {"a_before", "b_before", "c_before", "a_after", "b_after", "c_after"},
	"mlp": {"X", "targets", "W0", "b0", "W1", "b1", "W2", "b2", "logits", "losses",
		"dW0", "db0", "dW1", "db1", "dW2", "db2"},
}

func TestEveryCaseHasItsArraysWhole(t *testing.T) {
	t.Run("float32", everyCaseHasItsArraysWhole[float32])
	t.Run("float64", everyCaseHasItsArraysWhole[float64])
}

func everyCaseHasItsArraysWhole[T reference.Float](t *testing.T) {
	for family, names := range arrays {
		cases, err := reference.Cases[T](family)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range cases {
			for _, name := range names {
				a, err := c.Array(name)
				if err != nil {
					t.Error(err)
					continue
				}
				size := 1
				for _, d := range a.Shape {
					size *= d
				}
				if len(a.Shape) == 0 || size != len(a.Data) {
					t.Errorf("%s %s %s: %d elements for shape %v", family, c.Name, name, len(a.Data), a.Shape)
				}
				for i, v := range a.Data {
					if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
						t.Errorf("%s %s %s: element %d is %v", family, c.Name, name, i, v)
					}
				}
			}
		}
	}
}

func TestBothElementTypesHoldTheSameResults(t *testing.T) {
	for family, names := range arrays {
		single, err := reference.Cases[float32](family)
		if err != nil {
			t.Fatal(err)
		}
		double, err := reference.Cases[float64](family)
		if err != nil {
			t.Fatal(err)
		}
		for i, c := range single {
			for _, name := range names {
				a, _ := c.Array(name)
				b, _ := double[i].Array(name)
				if !slices.Equal(a.Shape, b.Shape) {
					t.Errorf("%s %s %s: shape %v and %v", family, c.Name, name, a.Shape, b.Shape)
					continue
				}
				narrowed := make([]float32, len(b.Data))
				for j, v := range b.Data {
					narrowed[j] = float32(v)
				}
				if err := reference.Compare(narrowed, a.Data); err != nil {
					t.Errorf("%s %s %s: float64 against float32: %v", family, c.Name, name, err)
				}
			}
		}
	}
}

func TestEveryActivationIsThereInEveryShape(t *testing.T) {
	shapes := map[string][3][]int{ // X, W, Y
		"1x1x1":   {{1, 1}, {1, 1}, {1, 1}},
		"5x3x4":   {{5, 3}, {3, 4}, {5, 4}},
		"1x7x2":   {{1, 7}, {7, 2}, {1, 2}},
		"33x17x9": {{33, 17}, {17, 9}, {33, 9}},
		"2x3x5x4": {{2, 3, 5}, {5, 4}, {2, 3, 4}},
	}
	for _, act := range []string{"identity", "relu", "leaky_relu_0.01", "leaky_relu_0.2", "tanh", "sigmoid", "gelu", "silu"} {
		for shape, want := range shapes {
			for _, bias := range []string{"bias", "nobias"} {
				c, err := reference.Load[float64]("linear", fmt.Sprintf("%s/%s/%s", act, shape, bias))
				if err != nil {
					t.Error(err)
					continue
				}
				for i, name := range []string{"X", "W", "Y"} {
					if a, err := c.Array(name); err != nil || !slices.Equal(a.Shape, want[i]) {
						t.Errorf("%s %s: shape %v, want %v (%v)", c.Name, name, a.Shape, want[i], err)
					}
				}
				if c.Has("db") != (bias == "bias") {
					t.Errorf("%s: has db: %v", c.Name, c.Has("db"))
				}
			}
		}
	}
}

func TestCasesByName(t *testing.T) {
	for family, names := range map[string][]string{
		"losses": {
			"cross_entropy/soft/33x10", "cross_entropy/one_hot/4x3", "cross_entropy/extreme/4x3",
			"cross_entropy/extreme_one_hot/33x10", "cross_entropy/soft/4x3/half",
			"mse/5x1", "mse/7x3", "mse/7x3/half",
			"binary_cross_entropy/soft/7x3", "binary_cross_entropy/hard/5x1", "binary_cross_entropy/extreme/7x3",
			"binary_cross_entropy/soft/5x1/half",
		},
		"optimizers": {
			"sgd/plain", "sgd/momentum", "sgd/momentum_dampening", "sgd/nesterov", "sgd/weight_decay",
			"adam/default", "adam/weight_decay", "adam/betas_eps", "adamw/default", "adamw/weight_decay",
			"rmsprop/default", "rmsprop/centered", "rmsprop/momentum", "rmsprop/weight_decay",
			"adagrad/default", "adagrad/lr_decay", "adagrad/weight_decay", "adagrad/initial_accumulator_value",
		},
		"schedules": {
			"step/10", "cosine/60", "warmup/5", "warmup/10", "warmup_cosine/10", "one_cycle/cos", "one_cycle/linear",
		},
		"clipping": {"norm/above", "norm/below", "norm/zero", "value/some", "value/none"},
		"mlp":      {"tanh", "relu"},
		"initializers": {
			"xavier_uniform/784x512", "xavier_normal/3x4", "kaiming_uniform/784x512", "kaiming_normal/512x10",
			"linear_weight/784x512", "linear_bias/1x1",
		},
	} {
		for _, name := range names {
			if _, err := reference.Load[float64](family, name); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestTrajectoriesAreAsLongAsTheySay(t *testing.T) {
	for _, want := range []struct {
		family, array string
		length        int
	}{{"optimizers", "W", 30}, {"schedules", "rates", 60}, {"mlp", "losses", 10}} {
		cases, err := reference.Cases[float64](want.family)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range cases {
			if a, err := c.Array(want.array); err != nil || a.Shape[0] != want.length {
				t.Errorf("%s %s: %v steps, want %d (%v)", want.family, c.Name, a.Shape, want.length, err)
			}
		}
	}
}

func TestSettingsAreReadByPyTorchsNames(t *testing.T) {
	c, err := reference.Load[float32]("optimizers", "adam/betas_eps")
	if err != nil {
		t.Fatal(err)
	}
	var s struct {
		LR, Eps float64
		Betas   [2]float64
	}
	if err := c.Decode(&s); err != nil {
		t.Fatal(err)
	}
	if s.LR != 0.02 || s.Eps != 1e-4 || s.Betas != [2]float64{0.8, 0.95} {
		t.Errorf("settings are %+v", s)
	}
}

func TestUnknownNamesAreErrors(t *testing.T) {
	c, err := reference.Load[float64]("mlp", "tanh")
	if err != nil {
		t.Fatal(err)
	}
	_, noFamily := reference.Cases[float64]("nosuch")
	_, noCase := reference.Load[float64]("mlp", "nosuch")
	_, noArray := c.Array("nosuch")
	for want, err := range map[string]error{
		`no family "nosuch", there are linear`:        noFamily,
		`family "mlp" has no case "nosuch"`:           noCase,
		`mlp "tanh" has no array "nosuch" in float64`: noArray,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one that says: %s", err, want)
		}
	}
}

func TestCompareAllowsOnlyTheTolerance(t *testing.T) {
	want := []float64{0, 1, -4}
	for _, tc := range []struct {
		name string
		got  []float64
		ok   bool
	}{
		{"equal", []float64{0, 1, -4}, true},
		{"within the scale of the array", []float64{3.9e-10, 1, -4}, true},
		{"beyond it", []float64{4.1e-10, 1, -4}, false},
		{"not a number", []float64{0, math.NaN(), -4}, false},
		{"infinite", []float64{0, 1, math.Inf(-1)}, false},
		{"shorter", []float64{0, 1}, false},
	} {
		if err := reference.Compare(tc.got, want); (err == nil) != tc.ok {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
	if err := reference.Compare([]float32{1 + 1e-4}, []float32{1}); err == nil {
		t.Error("float32: a difference of 1e-4 passed")
	}
	if err := reference.Compare([]float32{1e-30}, []float32{0}); err == nil {
		t.Error("a reference of zero must be met exactly")
	}
}
