package layer

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/affine-go/affine/layer/gradcheck"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"
)

// losses are the three losses with their twins; wrt is the number of inputs
// that have gradients.
var losses = []struct {
	name  string
	loss  func(pred, target *gorgonia.Node, opts ...Option) (*gorgonia.Node, error)
	twin  func(pred, target *gorgonia.Node) (*gorgonia.Node, error)
	wrt   int
	class bool // targets are distributions over the last dimension
}{
	{"softmaxCrossEntropy", SoftmaxCrossEntropy, BuiltinSoftmaxCrossEntropy, 1, true},
	{"mse", MSE, BuiltinMSE, 2, false},
	{"binaryCrossEntropy", BinaryCrossEntropy, BuiltinBinaryCrossEntropy, 1, false},
}

// targetsLike draws probabilities; for classes, each row sums to 1.
func targetsLike(rng *rand.Rand, dt tensor.Dtype, class bool, shape ...int) *tensor.Dense {
	cols := shape[len(shape)-1]
	values := make([]float64, tensor.Shape(shape).TotalSize())
	for i := 0; i < len(values); i += cols {
		sum := 0.0
		for j := range cols {
			values[i+j] = rng.Float64()
			sum += values[i+j]
		}
		for j := range cols {
			if class {
				values[i+j] /= sum
			}
		}
	}
	if dt == tensor.Float64 {
		return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(values))
	}
	rounded := make([]float32, len(values))
	for i, v := range values {
		rounded[i] = float32(v)
	}
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(rounded))
}

// halved makes the gradient that arrives at the loss another one than 1.
func halved(l *gorgonia.Node, dt tensor.Dtype) (*gorgonia.Node, error) {
	half := gorgonia.NewConstant(0.5)
	if dt == tensor.Float32 {
		half = gorgonia.NewConstant(float32(0.5))
	}
	return gorgonia.HadamardProd(l, half)
}

func TestLossesAgreeWithBuiltinOps(t *testing.T) {
	for _, c := range losses {
		t.Run(c.name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				dt := rapid.SampledFrom(dtypes).Draw(t, "dtype")
				rng := generator(rapid.Uint64().Draw(t, "seed"))
				shape := []int{rapid.IntRange(1, 6).Draw(t, "rows"), rapid.IntRange(1, 6).Draw(t, "columns")}
				inputs := []*tensor.Dense{random(rng, dt, shape...), targetsLike(rng, dt, c.class, shape...)}
				wrt := []int{0, 1}[:c.wrt]
				machine := rapid.SampledFrom([]string{"tape", "lisp"}).Draw(t, "machine")
				values, grads := run(t, machine, inputs, wrt, func(n gorgonia.Nodes) (*gorgonia.Node, gorgonia.Nodes, error) {
					l, err := c.loss(n[0], n[1])
					if err != nil {
						return nil, nil, err
					}
					cost, err := halved(l, dt)
					return cost, gorgonia.Nodes{l}, err
				})
				twinValues, twinGrads := run(t, "tape", inputs, wrt, func(n gorgonia.Nodes) (*gorgonia.Node, gorgonia.Nodes, error) {
					l, err := c.twin(n[0], n[1])
					if err != nil {
						return nil, nil, err
					}
					cost, err := halved(l, dt)
					return cost, gorgonia.Nodes{l}, err
				})
				requireClose(t, "loss", values[0], twinValues[0], tolerance(dt))
				for i := range grads {
					requireClose(t, fmt.Sprintf("gradient %d", i), grads[i], twinGrads[i], tolerance(dt))
				}
			})
		})
	}
}

func TestLossGradientsPassFiniteDifferences(t *testing.T) {
	for _, c := range losses {
		for _, shape := range [][]int{{4}, {3, 5}, {2, 3, 4}, {1, 1}} {
			g := gorgonia.NewGraph()
			rng := generator(43)
			pred := input(g, "pred", random(rng, tensor.Float64, shape...))
			target := input(g, "target", targetsLike(rng, tensor.Float64, c.class, shape...))
			l, err := c.loss(pred, target)
			requireNoError(t, err)
			cost, err := halved(l, tensor.Float64)
			requireNoError(t, err)
			report, err := gradcheck.Check(cost, gorgonia.Nodes{pred, target}[:c.wrt])
			requireNoError(t, err)
			if !report.OK() {
				t.Errorf("%s %v: %v", c.name, shape, report)
			}
		}
	}
}

// TestHugeLogitsGiveFiniteLossesAndGradients: with one class 10⁴ above the
// others the loss is 0 or 2·10⁴ and the gradient ±1/n, exactly.
func TestHugeLogitsGiveFiniteLossesAndGradients(t *testing.T) {
	for _, dt := range dtypes {
		dense := func(v ...float64) *tensor.Dense {
			if dt == tensor.Float64 {
				return tensor.New(tensor.WithShape(2, 2), tensor.WithBacking(v))
			}
			return tensor.New(tensor.WithShape(2, 2), tensor.WithBacking([]float32{float32(v[0]), float32(v[1]), float32(v[2]), float32(v[3])}))
		}
		logits := dense(1e4, -1e4, -1e4, 1e4)
		for _, c := range []struct {
			name   string
			loss   func(pred, target *gorgonia.Node, opts ...Option) (*gorgonia.Node, error)
			target *tensor.Dense
			want   float64
			grad   []float64
		}{
			{"cross entropy, right", SoftmaxCrossEntropy, dense(1, 0, 0, 1), 0, []float64{0, 0, 0, 0}},
			{"cross entropy, wrong", SoftmaxCrossEntropy, dense(0, 1, 1, 0), 2e4, []float64{0.5, -0.5, -0.5, 0.5}},
			{"binary, right", BinaryCrossEntropy, dense(1, 0, 0, 1), 0, []float64{0, 0, 0, 0}},
			{"binary, wrong", BinaryCrossEntropy, dense(0, 1, 1, 0), 1e4, []float64{0.25, -0.25, -0.25, 0.25}},
		} {
			values, grads := run(t, "tape", []*tensor.Dense{logits, c.target}, []int{0}, func(n gorgonia.Nodes) (*gorgonia.Node, gorgonia.Nodes, error) {
				l, err := c.loss(n[0], n[1])
				return l, gorgonia.Nodes{l}, err
			})
			if got := values[0][0]; got != c.want {
				t.Errorf("%v %s: loss is %v, want %v", dt, c.name, got, c.want)
			}
			requireClose(t, c.name, grads[0], c.grad, 0)
		}
	}
}

func TestSoftTargetsGiveTheEntropyAtTheirOwnLogits(t *testing.T) {
	p := []float64{0.7, 0.2, 0.1}
	entropy := 0.0
	logits := make([]float64, len(p))
	for i, x := range p {
		logits[i] = math.Log(x)
		entropy -= x * math.Log(x)
	}
	inputs := []*tensor.Dense{
		tensor.New(tensor.WithShape(1, 3), tensor.WithBacking(logits)),
		tensor.New(tensor.WithShape(1, 3), tensor.WithBacking(p)),
	}
	values, grads := run(t, "tape", inputs, []int{0}, func(n gorgonia.Nodes) (*gorgonia.Node, gorgonia.Nodes, error) {
		l, err := SoftmaxCrossEntropy(n[0], n[1])
		return l, gorgonia.Nodes{l}, err
	})
	requireClose(t, "entropy", values[0], []float64{entropy}, 1e-15)
	requireClose(t, "gradient", grads[0], []float64{0, 0, 0}, 1e-15)
}

func TestWrongLossNodesAreRefused(t *testing.T) {
	g, other := gorgonia.NewGraph(), gorgonia.NewGraph()
	node := func(g *gorgonia.ExprGraph, dt tensor.Dtype, shape ...int) *gorgonia.Node {
		return gorgonia.NewTensor(g, dt, len(shape), gorgonia.WithShape(shape...), gorgonia.WithName(fmt.Sprint(dt, shape)))
	}
	f32, f64 := tensor.Float32, tensor.Float64
	pred := node(g, f64, 4, 3)
	for _, loss := range losses {
		for _, c := range []struct {
			name         string
			pred, target *gorgonia.Node
			want         string
		}{
			{"nil prediction", nil, pred, "is nil"},
			{"nil target", pred, nil, "is nil"},
			{"foreign target", pred, node(other, f64, 4, 3), "another graph"},
			{"other dtype", pred, node(g, f32, 4, 3), "has dtype float32, want float64"},
			{"column for a vector", node(g, f64, 4, 1), node(g, f64, 4), "has shape (4, 1)"},
			{"scalars", gorgonia.NewScalar(g, f64, gorgonia.WithName("a")), gorgonia.NewScalar(g, f64, gorgonia.WithName("b")), "at least one dimension"},
		} {
			_, err := loss.loss(c.pred, c.target)
			if err == nil || !strings.Contains(err.Error(), loss.name+": ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s, %s: error is %v, want one that says %q", loss.name, c.name, err, c.want)
			}
			if _, err := loss.twin(c.pred, c.target); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("twin of %s, %s: error is %v, want one that says %q", loss.name, c.name, err, c.want)
			}
		}
	}
}

func TestWeightsAndReductionsOnBothMachines(t *testing.T) {
	type loss func(p, t *gorgonia.Node, opts ...Option) (*gorgonia.Node, error)
	for _, c := range []struct {
		name string
		loss loss
		opts []Option
	}{
		{"weighted cross-entropy", SoftmaxCrossEntropy, []Option{WithClassWeights(0.5, 2, 0)}},
		{"sum of weighted cross-entropies", SoftmaxCrossEntropy, []Option{WithClassWeights(0.5, 2, 1), WithReduction(Sum)}},
		{"sum of squares", MSE, []Option{WithReduction(Sum)}},
		{"squares", MSE, []Option{WithReduction(NoReduction)}},
		{"sum of binary cross-entropies", BinaryCrossEntropy, []Option{WithReduction(Sum)}},
		{"binary cross-entropies", BinaryCrossEntropy, []Option{WithReduction(NoReduction)}},
	} {
		for _, dt := range dtypes {
			rng := generator(107)
			inputs := []*tensor.Dense{random(rng, dt, 4, 3), random(rng, dt, 4, 3)}
			f := func(n gorgonia.Nodes) (*gorgonia.Node, gorgonia.Nodes, error) {
				l, err := c.loss(n[0], n[1], c.opts...)
				if err != nil {
					return nil, nil, err
				}
				cost, err := gorgonia.Sum(l)
				return cost, gorgonia.Nodes{l}, err
			}
			values, grads := run(t, "tape", inputs, []int{0}, f)
			lispValues, lispGrads := run(t, "lisp", inputs, []int{0}, f)
			requireClose(t, c.name, lispValues[0], values[0], tolerance(dt))
			requireClose(t, c.name+": gradient", lispGrads[0], grads[0], tolerance(dt))
		}
	}
}

// At z = 0 the terms max(z, 0) and |z| have no derivative, but the loss has.
func TestBinaryCrossEntropyAtZero(t *testing.T) {
	losses := map[string]func(z, t *gorgonia.Node) (*gorgonia.Node, error){
		"mean": func(z, t *gorgonia.Node) (*gorgonia.Node, error) { return BinaryCrossEntropy(z, t) },
		"none": func(z, t *gorgonia.Node) (*gorgonia.Node, error) {
			return BinaryCrossEntropy(z, t, WithReduction(NoReduction))
		},
		"built-in": BuiltinBinaryCrossEntropy,
	}
	for name, loss := range losses {
		g := gorgonia.NewGraph()
		z := input(g, "z", tensor.New(tensor.WithShape(1, 1), tensor.WithBacking([]float64{0})))
		target := input(g, "t", tensor.New(tensor.WithShape(1, 1), tensor.WithBacking([]float64{0.25})))
		l, err := loss(z, target)
		requireNoError(t, err)
		if !l.IsScalar() {
			l = gorgonia.Must(gorgonia.Sum(l))
		}
		grads, err := Grad(l, z)
		requireNoError(t, err)
		m := gorgonia.NewTapeMachine(g)
		requireNoError(t, m.RunAll())
		requireClose(t, name, floats(t, grads[0].Value()), []float64{0.25}, 1e-15)
		m.Close()
	}
}
