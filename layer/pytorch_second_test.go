package layer_test

import (
	"slices"
	"testing"

	"github.com/affine-go/affine/internal/reference"
	"github.com/affine-go/affine/layer"
	"github.com/affine-go/affine/train/vm"
	"gorgonia.org/gorgonia"
)

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

// loss is half the square of a loss.
func (s secondOrderSettings) loss(t *testing.T, prediction, targets *gorgonia.Node) *gorgonia.Node {
	var opts []layer.Option
	if s.Reduction == "sum" {
		opts = append(opts, layer.WithReduction(layer.Sum))
	}
	if s.Weights != nil {
		opts = append(opts, layer.WithClassWeights(s.Weights...))
	}
	losses := map[string]func(pred, targets *gorgonia.Node, opts ...layer.Option) (*gorgonia.Node, error){
		"cross_entropy": layer.SoftmaxCrossEntropy, "mse": layer.MSE, "binary_cross_entropy": layer.BinaryCrossEntropy,
	}
	l := must(losses[s.Loss](prediction, targets, opts...))(t)
	return must(gorgonia.Mul(l, must(gorgonia.HadamardProd(l, half(t, l)))(t)))(t)
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
