package layer_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/affine-go/affine/internal/reference"
	"github.com/affine-go/affine/layer"
	"github.com/affine-go/affine/train/vm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// The tests of this file hold the layer against what PyTorch computed for the
// same inputs. For every array, |got − PyTorch| ≤ tolerance · max |PyTorch|
// with 1e-5 in float32 and 1e-10 in float64: see [reference.Compare].

func TestLinearAgreesWithPyTorch(t *testing.T) {
	onBothMachines(t, linearAgreesWithPyTorch[float32], linearAgreesWithPyTorch[float64])
}

func linearAgreesWithPyTorch[T reference.Float](t *testing.T, machine machine) {
	for _, c := range cases[T](t, "linear") {
		t.Run(c.Name, func(t *testing.T) {
			var settings struct {
				Activation string
				Alpha      float64
				Bias       bool
			}
			if err := c.Decode(&settings); err != nil {
				t.Fatal(err)
			}
			g := gorgonia.NewGraph()
			x, w, dy := input(t, g, c, "X"), input(t, g, c, "W"), input(t, g, c, "dY")
			var b *gorgonia.Node
			wrt := map[string]*gorgonia.Node{"dX": x, "dW": w}
			if settings.Bias {
				b = input(t, g, c, "b")
				wrt["db"] = b
			}
			act := activation(t, settings.Activation, settings.Alpha)
			y := must(layer.Apply(x, w, b, layer.WithActivation(act)))(t)
			// The gradient of Σ Y ⊙ dY by Y is dY.
			cost := must(gorgonia.Sum(must(gorgonia.HadamardProd(y, dy))(t)))(t)

			values := machine(t, cost, y, wrt)
			compare(t, c, "Y", values["output"])
			for name := range wrt {
				compare(t, c, name, values[name])
			}
		})
	}
}

func TestLossesAgreeWithPyTorch(t *testing.T) {
	onBothMachines(t, lossesAgreeWithPyTorch[float32], lossesAgreeWithPyTorch[float64])
}

func lossesAgreeWithPyTorch[T reference.Float](t *testing.T, machine machine) {
	losses := map[string]func(pred, targets *gorgonia.Node, opts ...layer.Option) (*gorgonia.Node, error){
		"cross_entropy": layer.SoftmaxCrossEntropy, "mse": layer.MSE, "binary_cross_entropy": layer.BinaryCrossEntropy,
	}
	for _, c := range cases[T](t, "losses") {
		t.Run(c.Name, func(t *testing.T) {
			var settings struct {
				Loss   string
				Factor T
			}
			if err := c.Decode(&settings); err != nil {
				t.Fatal(err)
			}
			g := gorgonia.NewGraph()
			prediction, targets := input(t, g, c, "prediction"), input(t, g, c, "targets")
			loss := must(losses[settings.Loss](prediction, targets))(t)
			cost := loss
			if settings.Factor != 1 {
				cost = must(gorgonia.Mul(loss, gorgonia.NewConstant(settings.Factor)))(t)
			}

			values := machine(t, cost, loss, map[string]*gorgonia.Node{"gradient": prediction})
			compare(t, c, "loss", values["output"])
			compare(t, c, "gradient", values["gradient"])
		})
	}
}

func TestMLPAgreesWithPyTorch(t *testing.T) {
	onBothMachines(t, mlpAgreesWithPyTorch[float32], mlpAgreesWithPyTorch[float64])
}

func mlpAgreesWithPyTorch[T reference.Float](t *testing.T, machine machine) {
	for _, c := range cases[T](t, "mlp") {
		t.Run(c.Name, func(t *testing.T) {
			var settings struct{ Activation string }
			if err := c.Decode(&settings); err != nil {
				t.Fatal(err)
			}
			g := gorgonia.NewGraph()
			logits := input(t, g, c, "X")
			wrt := map[string]*gorgonia.Node{}
			for i := range 3 {
				w, b := input(t, g, c, fmt.Sprint("W", i)), input(t, g, c, fmt.Sprint("b", i))
				wrt[fmt.Sprint("dW", i)], wrt[fmt.Sprint("db", i)] = w, b
				act := layer.Identity
				if i < 2 {
					act = activation(t, settings.Activation, 0)
				}
				logits = must(layer.Apply(logits, w, b, layer.WithActivation(act)))(t)
			}
			loss := must(layer.SoftmaxCrossEntropy(logits, input(t, g, c, "targets")))(t)

			values := machine(t, loss, logits, wrt)
			compare(t, c, "logits", values["output"])
			for name := range wrt {
				compare(t, c, name, values[name])
			}
			losses := must(c.Array("losses"))(t)
			if err := reference.Compare([]T{values["cost"].Data().(T)}, losses.Data[:1]); err != nil {
				t.Errorf("loss: %v", err)
			}
		})
	}
}

// TestInitialisersDrawFromPyTorchsDistributions compares the bound of uniform
// draws and the standard deviation of normal ones. Of n uniform draws, the
// largest falls short of the bound by more than 1e-3 with probability
// e^(−n/1000); the deviation of n normal draws is off by 1/√(2n) of itself.
func TestInitialisersDrawFromPyTorchsDistributions(t *testing.T) {
	inits := map[string]layer.Init{
		"xavier_uniform": layer.GlorotUniform, "xavier_normal": layer.GlorotNormal,
		"kaiming_uniform": layer.HeUniform, "kaiming_normal": layer.HeNormal,
		"linear_weight": layer.FanInUniform, "linear_bias": layer.FanInUniform,
	}
	const n = 100_000
	for _, c := range cases[float64](t, "initializers") {
		t.Run(c.Name, func(t *testing.T) {
			var want struct {
				Initializer, Distribution string
				FanIn                     int `json:"fan_in"`
				FanOut                    int `json:"fan_out"`
				Low, High, Mean, Std      float64
			}
			if err := c.Decode(&want); err != nil {
				t.Fatal(err)
			}
			init, ok := inits[want.Initializer]
			if !ok {
				t.Fatalf("no initialiser for %q", want.Initializer)
			}
			var low, high, sum, squares float64
			for _, v := range init.Values(n, want.FanIn, want.FanOut, 1, "w") {
				low, high = min(low, v), max(high, v)
				sum += v
				squares += v * v
			}
			mean := sum / n
			std := math.Sqrt(squares/n - mean*mean)
			switch want.Distribution {
			case "uniform":
				if low < want.Low || high > want.High || low > want.Low*(1-1e-3) || high < want.High*(1-1e-3) {
					t.Errorf("drew from [%v, %v], PyTorch from [%v, %v)", low, high, want.Low, want.High)
				}
				if wantStd := want.High / math.Sqrt(3); math.Abs(std-wantStd) > 0.01*wantStd {
					t.Errorf("standard deviation %v is not a uniform distribution's, %v", std, wantStd)
				}
			case "normal":
				if math.Abs(mean-want.Mean) > 0.01*want.Std || math.Abs(std-want.Std) > 0.01*want.Std {
					t.Errorf("drew from N(%v, %v), PyTorch from N(%v, %v)", mean, std, want.Mean, want.Std)
				}
				if max(-low, high) < 3*want.Std {
					t.Errorf("no draw of %d is beyond 3 standard deviations: %v, %v", n, low, high)
				}
			default:
				t.Fatalf("distribution %q", want.Distribution)
			}
		})
	}
}

// machine runs the graph of a scalar cost and returns the values of the cost,
// of the output, and of the gradients of the cost by the nodes of wrt.
type machine func(t *testing.T, cost, output *gorgonia.Node, wrt map[string]*gorgonia.Node) map[string]gorgonia.Value

func onBothMachines(t *testing.T, single, double func(*testing.T, machine)) {
	for name, m := range map[string]machine{"TapeMachine": onTape, "LispMachine": onLisp} {
		t.Run(name+"/float32", func(t *testing.T) { single(t, m) })
		t.Run(name+"/float64", func(t *testing.T) { double(t, m) })
	}
}

func onTape(t *testing.T, cost, output *gorgonia.Node, wrt map[string]*gorgonia.Node) map[string]gorgonia.Value {
	t.Helper()
	names, nodes := make([]string, 0, len(wrt)), make(gorgonia.Nodes, 0, len(wrt))
	for name, n := range wrt {
		names, nodes = append(names, name), append(nodes, n)
	}
	values := map[string]gorgonia.Value{}
	read := map[string]*gorgonia.Value{"cost": readAfter(cost), "output": readAfter(output)}
	for i, n := range must(gorgonia.Grad(cost, nodes...))(t) {
		read[names[i]] = readAfter(n)
	}
	m := gorgonia.NewTapeMachine(cost.Graph())
	defer m.Close()
	if err := m.RunAll(); err != nil {
		t.Fatal(err)
	}
	for name, v := range read {
		values[name] = *v
	}
	return values
}

func onLisp(t *testing.T, cost, output *gorgonia.Node, wrt map[string]*gorgonia.Node) map[string]gorgonia.Value {
	t.Helper()
	m := gorgonia.NewLispMachine(cost.Graph())
	defer m.Close()
	if err := m.RunAll(); err != nil {
		t.Fatal(err)
	}
	values := map[string]gorgonia.Value{"cost": cost.Value(), "output": output.Value()}
	for name, n := range wrt {
		values[name] = must(n.Grad())(t)
	}
	return values
}

func readAfter(n *gorgonia.Node) *gorgonia.Value {
	v := new(gorgonia.Value)
	gorgonia.Read(n, v)
	return v
}

// input adds the named array of the case to the graph as a node with a value.
func input[T reference.Float](t *testing.T, g *gorgonia.ExprGraph, c reference.Case[T], name string) *gorgonia.Node {
	t.Helper()
	a := must(c.Array(name))(t)
	value := tensor.New(tensor.WithShape(a.Shape...), tensor.WithBacking(append([]T(nil), a.Data...)))
	return gorgonia.NewTensor(g, value.Dtype(), len(a.Shape), gorgonia.WithName(name), gorgonia.WithValue(value))
}

// compare holds a value against the named array of the case. PyTorch's scalars
// are arrays of one element there.
func compare[T reference.Float](t *testing.T, c reference.Case[T], name string, got gorgonia.Value) {
	t.Helper()
	want := must(c.Array(name))(t)
	data, isSlice := got.Data().([]T)
	switch {
	case !isSlice:
		data = []T{got.Data().(T)}
	case !slices.Equal(got.Shape(), want.Shape):
		t.Errorf("%s: shape %v, PyTorch has %v", name, got.Shape(), want.Shape)
	}
	if err := reference.Compare(data, want.Data); err != nil {
		t.Errorf("%s: %v", name, err)
	}
}

func cases[T reference.Float](t *testing.T, family string) []reference.Case[T] {
	t.Helper()
	return must(reference.Cases[T](family))(t)
}

func activation(t *testing.T, name string, alpha float64) layer.Activation {
	t.Helper()
	if name == "leaky_relu" {
		return layer.LeakyReLU(alpha)
	}
	return must(layer.ParseActivation(name))(t)
}

// must returns v, or ends the test with err.
func must[V any](v V, err error) func(*testing.T) V {
	return func(t *testing.T) V {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// evaluate computes the values of nodes on one of the machines.
type evaluate func(t *testing.T, g *gorgonia.ExprGraph, nodes gorgonia.Nodes) []gorgonia.Value

var evaluators = map[string]evaluate{
	"TapeMachine": func(t *testing.T, g *gorgonia.ExprGraph, nodes gorgonia.Nodes) []gorgonia.Value {
		values := make([]gorgonia.Value, len(nodes))
		for i, n := range nodes {
			gorgonia.Read(n, &values[i])
		}
		m := gorgonia.NewTapeMachine(g)
		defer m.Close()
		if err := m.RunAll(); err != nil {
			t.Fatal(err)
		}
		return values
	},
	"our machine": func(t *testing.T, g *gorgonia.ExprGraph, nodes gorgonia.Nodes) []gorgonia.Value {
		m := must(vm.New(g, vm.WithOutputs(nodes...)))(t)
		defer m.Close()
		if err := m.RunAll(); err != nil {
			t.Fatal(err)
		}
		values := make([]gorgonia.Value, len(nodes))
		for i, n := range nodes {
			values[i] = n.Value()
		}
		return values
	},
}

func onEvaluators(t *testing.T, single, double func(*testing.T, evaluate)) {
	for name, e := range evaluators {
		t.Run(name+"/float32", func(t *testing.T) { single(t, e) })
		t.Run(name+"/float64", func(t *testing.T) { double(t, e) })
	}
}

type secondOrderSettings struct {
	Activation, Loss, Reduction string
	Alpha, Beta, Threshold      float64
	Weights                     []float64
}

func (s secondOrderSettings) act(t *testing.T) layer.Activation {
	if s.Activation == "softplus" {
		return layer.Softplus(s.Beta, s.Threshold)
	}
	return activation(t, s.Activation, s.Alpha)
}

// loss is half the sum of the squares of the losses.
func (s secondOrderSettings) loss(t *testing.T, prediction, targets *gorgonia.Node) *gorgonia.Node {
	var opts []layer.Option
	reductions := map[string]layer.Reduction{"mean": layer.Mean, "sum": layer.Sum, "none": layer.NoReduction}
	if s.Reduction != "mean" {
		opts = append(opts, layer.WithReduction(reductions[s.Reduction]))
	}
	if s.Weights != nil {
		opts = append(opts, layer.WithClassWeights(s.Weights...))
	}
	losses := map[string]func(pred, targets *gorgonia.Node, opts ...layer.Option) (*gorgonia.Node, error){
		"cross_entropy": layer.SoftmaxCrossEntropy, "mse": layer.MSE, "binary_cross_entropy": layer.BinaryCrossEntropy,
	}
	l := must(losses[s.Loss](prediction, targets, opts...))(t)
	return must(gorgonia.Sum(must(gorgonia.HadamardProd(l, must(gorgonia.HadamardProd(l, half(t, l)))(t)))(t)))(t)
}

func half(t *testing.T, like *gorgonia.Node) *gorgonia.Node {
	t.Helper()
	if like.Dtype() == gorgonia.Float32 {
		return gorgonia.NewConstant(float32(0.5), gorgonia.WithName("half32"))
	}
	return gorgonia.NewConstant(0.5, gorgonia.WithName("half64"))
}

func TestHigherDerivativesAgreeWithPyTorch(t *testing.T) {
	onEvaluators(t, higherDerivatives[float32], higherDerivatives[float64])
}

// higherDerivatives computes the first derivatives by all inputs, the second
// ones by every pair, and third ones.
func higherDerivatives[T reference.Float](t *testing.T, run evaluate) {
	for _, c := range cases[T](t, "second_order") {
		t.Run(c.Name, func(t *testing.T) {
			var s secondOrderSettings
			if err := c.Decode(&s); err != nil {
				t.Fatal(err)
			}
			g := gorgonia.NewGraph()
			var names []string
			var inputs gorgonia.Nodes
			add := func(name string) *gorgonia.Node {
				names, inputs = append(names, name), append(inputs, input(t, g, c, name))
				return inputs[len(inputs)-1]
			}
			var cost *gorgonia.Node
			if s.Loss != "" {
				cost = s.loss(t, add("prediction"), add("targets"))
			} else {
				y := must(layer.Apply(add("X"), add("W"), add("b"), layer.WithActivation(s.act(t))))(t)
				cost = sumOfProduct(t, y, add("dY"))
			}
			want, nodes := []string{"cost"}, gorgonia.Nodes{cost}
			// grads adds the gradients of a cost by all inputs under the name prefix+input.
			grads := func(prefix string, cost *gorgonia.Node) (found gorgonia.Nodes) {
				for i, in := range inputs {
					grad, err := layer.Grad(cost, in)
					if err != nil { // no path: PyTorch's must be zero
						if zero := must(c.Array(prefix + names[i]))(t); slices.ContainsFunc(zero.Data, func(x T) bool { return x != 0 }) {
							t.Fatalf("%s%s: %v", prefix, names[i], err)
						}
						found = append(found, nil)
						continue
					}
					found = append(found, grad[0])
					want, nodes = append(want, prefix+names[i]), append(nodes, grad[0])
				}
				return found
			}
			first := grads("d_", cost)
			for i, a := range names {
				second := grads("d_"+a+"_", sumOfProduct(t, first[i], input(t, g, c, "V_"+a)))
				if i == 0 && second[0] != nil {
					grads("third_", sumOfProduct(t, second[0], input(t, g, c, "U")))
				}
			}
			for i, v := range run(t, g, nodes) {
				compare(t, c, want[i], v)
			}
		})
	}
}

func sumOfProduct(t *testing.T, a, b *gorgonia.Node) *gorgonia.Node {
	t.Helper()
	return must(gorgonia.Sum(must(gorgonia.HadamardProd(a, b))(t)))(t)
}

func TestGradientPenaltyAgreesWithPyTorch(t *testing.T) {
	onEvaluators(t, gradientPenalty[float32], gradientPenalty[float64])
}

// gradientPenalty trains on loss + λ·mean over rows of ‖∂out/∂x‖².
func gradientPenalty[T reference.Float](t *testing.T, run evaluate) {
	for _, c := range cases[T](t, "gradient_penalty") {
		t.Run(c.Name, func(t *testing.T) {
			var s struct {
				Activation  string
				LR, Penalty float64
				Steps       int
			}
			if err := c.Decode(&s); err != nil {
				t.Fatal(err)
			}
			params := map[string][]T{}
			names := []string{"W0", "b0", "W1", "b1"}
			var costs []T
			for range s.Steps {
				g := gorgonia.NewGraph()
				var learnables gorgonia.Nodes
				for _, name := range names {
					n := input(t, g, c, name)
					if values, ok := params[name]; ok {
						copy(n.Value().Data().([]T), values)
					}
					learnables = append(learnables, n)
				}
				x, targets := input(t, g, c, "X"), input(t, g, c, "targets")
				hidden := must(layer.Apply(x, learnables[0], learnables[1], layer.WithActivation(activation(t, s.Activation, 0))))(t)
				out := must(layer.Apply(hidden, learnables[2], learnables[3]))(t)
				slope := must(layer.Grad(must(gorgonia.Sum(out))(t), x))(t)[0]
				loss := must(layer.BinaryCrossEntropy(out, targets))(t)
				factor := gorgonia.NewConstant(T(s.Penalty / float64(x.Shape()[0])))
				squares := must(gorgonia.Sum(must(gorgonia.Square(slope))(t)))(t)
				cost := must(gorgonia.Add(loss, must(gorgonia.Mul(squares, factor))(t)))(t)
				grads := must(layer.Grad(cost, learnables...))(t)
				values := run(t, g, append(gorgonia.Nodes{cost}, grads...))
				costs = append(costs, values[0].Data().(T))
				for i, name := range names {
					w := slices.Clone(learnables[i].Value().Data().([]T))
					for j, d := range values[1+i].Data().([]T) {
						w[j] -= T(s.LR) * d
					}
					params[name] = w
				}
			}
			for name, got := range map[string][]T{"costs": costs,
				"W0_trained": params["W0"], "b0_trained": params["b0"], "W1_trained": params["W1"], "b1_trained": params["b1"]} {
				if err := reference.Compare(got, must(c.Array(name))(t).Data); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		})
	}
}
