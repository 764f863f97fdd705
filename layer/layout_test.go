package layer

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// layouts lists the forms of W and b, with the shapes of X that they allow.
var layouts = []struct {
	name    string
	w, b    tensor.Shape
	opts    []Option
	vectorX bool
}{
	{"b [1, out]", tensor.Shape{3, 2}, tensor.Shape{1, 2}, nil, true},
	{"W [out, in]", tensor.Shape{2, 3}, tensor.Shape{2}, []Option{WithTransposedWeight()}, true},
	{"W [out, in], b [1, out]", tensor.Shape{2, 3}, tensor.Shape{1, 2}, []Option{WithTransposedWeight()}, true},
	{"W [out, in], no b", tensor.Shape{2, 3}, nil, []Option{WithTransposedWeight()}, true},
	{"W [in], b [1]", tensor.Shape{3}, tensor.Shape{1}, nil, false},
	{"W [in], b [1, 1]", tensor.Shape{3}, tensor.Shape{1, 1}, nil, false},
	{"W [in], scalar b", tensor.Shape{3}, tensor.Shape{}, nil, false},
	{"W [in], no b", tensor.Shape{3}, nil, nil, false},
}

// eachLayout calls f with the inputs of every layout and shape of X.
func eachLayout(rng *rand.Rand, dt tensor.Dtype, f func(name string, inputs []*tensor.Dense, opts []Option)) {
	for _, l := range layouts {
		for _, x := range []tensor.Shape{{3}, {4, 3}, {2, 5, 3}} {
			if len(x) == 1 && !l.vectorX {
				continue
			}
			inputs := []*tensor.Dense{random(rng, dt, x...), random(rng, dt, l.w...)}
			if l.b != nil {
				inputs = append(inputs, random(rng, dt, l.b...))
			}
			f(fmt.Sprintf("%s, X %v", l.name, x), inputs, l.opts)
		}
	}
}

func TestEveryLayoutEqualsTheBuiltinOps(t *testing.T) {
	rng := generator(71)
	for _, dt := range dtypes {
		for _, act := range activations {
			eachLayout(rng, dt, func(name string, inputs []*tensor.Dense, opts []Option) {
				what := fmt.Sprintf("%s, %v, %v", name, act, dt)
				wrt := []int{0, 1, 2}[:len(inputs)]
				// The twin ends with a Reshape: a TapeMachine that squared its result in
				// place would overwrite the Y that the gradient of tanh is written in.
				cost := func(y *gorgonia.Node) (*gorgonia.Node, error) {
					return weighted(y, input(y.Graph(), "dY", random(generator(97), dt, y.Shape()...)))
				}
				graph := func(build linearBuilder) func(gorgonia.Nodes) (*gorgonia.Node, gorgonia.Nodes, error) {
					return func(n gorgonia.Nodes) (*gorgonia.Node, gorgonia.Nodes, error) {
						var b *gorgonia.Node
						if len(n) > 2 {
							b = n[2]
						}
						y, err := build(n[0], n[1], b, append(slices.Clone(opts), WithActivation(act))...)
						if err != nil {
							return nil, nil, err
						}
						c, err := cost(y)
						return c, gorgonia.Nodes{y, c}, err
					}
				}
				values, grads := run(t, "tape", inputs, wrt, graph(Apply))
				lispValues, lispGrads := run(t, "lisp", inputs, wrt, graph(Apply))
				twinValues, twinGrads := run(t, "tape", inputs, wrt, graph(Builtin))
				for i := range values {
					requireClose(t, what+": value", values[i], twinValues[i], 10*tolerance(dt))
					requireClose(t, what+": value on the LispMachine", lispValues[i], values[i], tolerance(dt))
				}
				for i := range grads {
					requireClose(t, fmt.Sprintf("%s: gradient %d", what, i), grads[i], twinGrads[i], 20*tolerance(dt))
					requireClose(t, fmt.Sprintf("%s: gradient %d on the LispMachine", what, i), lispGrads[i], grads[i], tolerance(dt))
				}
			})
		}
	}
}

func TestGradientsHaveTheShapesOfTheirInputs(t *testing.T) {
	eachLayout(generator(73), tensor.Float64, func(name string, inputs []*tensor.Dense, opts []Option) {
		g := gorgonia.NewGraph()
		var nodes gorgonia.Nodes
		for i, in := range inputs {
			nodes = append(nodes, input(g, fmt.Sprint("in", i), in))
		}
		var b *gorgonia.Node
		if len(nodes) > 2 {
			b = nodes[2]
		}
		y, err := Apply(nodes[0], nodes[1], b, append(slices.Clone(opts), WithActivation(SiLU))...)
		requireNoError(t, err)
		cost, err := gorgonia.Sum(gorgonia.Must(gorgonia.Square(y)))
		requireNoError(t, err)
		grads, err := Grad(cost, nodes...)
		requireNoError(t, err)
		m := gorgonia.NewTapeMachine(g)
		defer m.Close()
		requireNoError(t, m.RunAll())
		for i, grad := range grads {
			if !slices.Equal(grad.Shape(), nodes[i].Shape()) || !slices.Equal(grad.Value().Shape(), nodes[i].Value().Shape()) {
				t.Errorf("%s: gradient %d has shape %v (value %v), want %v", name, i, grad.Shape(), grad.Value().Shape(), nodes[i].Shape())
			}
		}
		requireSecond(t, name, cost, nodes)
	})
}

func TestGroupsOfEveryLayoutGiveTheSameGradients(t *testing.T) {
	eachLayout(generator(79), tensor.Float64, func(name string, inputs []*tensor.Dense, opts []Option) {
		g := gorgonia.NewGraph()
		var nodes gorgonia.Nodes
		for i, in := range inputs {
			nodes = append(nodes, input(g, fmt.Sprint("in", i), in))
		}
		var b *gorgonia.Node
		if len(nodes) > 2 {
			b = nodes[2]
		}
		y, err := Apply(nodes[0], nodes[1], b, append(slices.Clone(opts), WithActivation(Tanh))...)
		requireNoError(t, err)
		cost, err := gorgonia.Sum(gorgonia.Must(gorgonia.Square(y)))
		requireNoError(t, err)
		grads, err := Grad(cost, nodes...)
		requireNoError(t, err)
		m := gorgonia.NewTapeMachine(g)
		defer m.Close()
		requireNoError(t, m.RunAll())
		rootsFirst, err := gorgonia.Sort(g)
		requireNoError(t, err)
		slices.Reverse(rootsFirst)
		arguments := func(n *gorgonia.Node) (args gorgonia.Nodes) {
			for it := g.From(n.ID()); n.Op() != nil && it.Next(); {
				args = append(args, it.Node().(*gorgonia.Node))
			}
			return args
		}
		groups := GradientGroups(rootsFirst, arguments, func(*gorgonia.Node) bool { return false })
		if len(groups) != 1 || len(groups[0].Outputs) != len(grads) {
			t.Fatalf("%s: got %d groups, want one of %d gradients", name, len(groups), len(grads))
		}
		in := make([]gorgonia.Value, len(groups[0].Inputs))
		for i, n := range groups[0].Inputs {
			in[i] = n.Value()
		}
		out := make([]gorgonia.Value, len(groups[0].Outputs))
		for range 2 { // the second time into what stands there
			requireNoError(t, groups[0].Compute(out, in))
			for i, n := range groups[0].Outputs {
				if !slices.Equal(out[i].Shape(), n.Value().Shape()) {
					t.Errorf("%s: %v has shape %v, want %v", name, n, out[i].Shape(), n.Value().Shape())
				}
				requireClose(t, name, floats(t, out[i]), floats(t, n.Value()), 1e-13)
			}
		}
	})
}

func TestTransposedLinearEqualsAFlippedOne(t *testing.T) {
	g := gorgonia.NewGraph()
	flipped, err := NewLinear(g, 3, 2, WithTransposedWeight(), WithDtype(tensor.Float64), WithActivation(GELU))
	requireNoError(t, err)
	if shape := flipped.Weight().Shape(); !slices.Equal(shape, tensor.Shape{2, 3}) {
		t.Fatalf("weight has shape %v, want (2, 3)", shape)
	}
	x := input(g, "x", random(generator(83), tensor.Float64, 4, 3))
	y, err := flipped.Fwd(x)
	requireNoError(t, err)
	straight, err := Apply(x, gorgonia.Must(gorgonia.Transpose(flipped.Weight(), 1, 0)), flipped.Bias(), WithActivation(GELU))
	requireNoError(t, err)
	m := gorgonia.NewTapeMachine(g)
	defer m.Close()
	requireNoError(t, m.RunAll())
	requireClose(t, "Y", floats(t, y.Value()), floats(t, straight.Value()), 1e-14)
}

func TestOptionsThatDoNothingAreRefused(t *testing.T) {
	g := gorgonia.NewGraph()
	rng := generator(89)
	x, w := input(g, "x", random(rng, tensor.Float64, 2, 3)), input(g, "w", random(rng, tensor.Float64, 3, 2))
	target := input(g, "t", random(rng, tensor.Float64, 2, 3))
	all := map[string]Option{
		"WithName": WithName("n"), "WithoutBias": WithoutBias(), "WithActivation": WithActivation(ReLU), "WithInit": WithInit(Zeros),
		"WithBiasInit": WithBiasInit(Zeros), "WithSeed": WithSeed(1), "WithDtype": WithDtype(tensor.Float64), "WithDevice": WithDevice(nil),
		"WithoutInputGrad": WithoutInputGrad(), "WithTransposedWeight": WithTransposedWeight(),
		"WithClassWeights": WithClassWeights(1, 2, 3), "WithReduction": WithReduction(Sum),
	}
	for _, c := range []struct {
		name  string
		taken []string
		call  func(Option) error
	}{
		{"Apply", applyOptions, func(o Option) error { _, err := Apply(x, w, nil, o); return err }},
		{"Builtin", builtinOptions, func(o Option) error { _, err := Builtin(x, w, nil, o); return err }},
		{"NewLinear", linearOptions, func(o Option) error { _, err := NewLinear(gorgonia.NewGraph(), 3, 2, o); return err }},
		{"SoftmaxCrossEntropy", crossEntropyOptions, func(o Option) error { _, err := SoftmaxCrossEntropy(x, target, o); return err }},
		{"MSE", lossOptions, func(o Option) error { _, err := MSE(x, target, o); return err }},
		{"BinaryCrossEntropy", lossOptions, func(o Option) error { _, err := BinaryCrossEntropy(x, target, o); return err }},
	} {
		for name, o := range all {
			err := c.call(o)
			refused := err != nil && strings.Contains(err.Error(), "option "+name+" does not apply")
			if refused == slices.Contains(c.taken, name) {
				t.Errorf("%s with %s: error is %v", c.name, name, err)
			}
		}
	}
	_, err := NewLinear(gorgonia.NewGraph(), 3, 2, WithoutBias(), WithBiasInit(Zeros))
	if err == nil || !strings.Contains(err.Error(), "WithBiasInit does not apply to a layer WithoutBias") {
		t.Errorf("a bias initialiser without a bias: error is %v", err)
	}
}

// differentiatedLayer is a layer with all its gradients: the nodes in the order
// of their execution, the gradients, and the arguments of a node.
func differentiatedLayer(t *testing.T, act Activation) (order, grads gorgonia.Nodes, arguments func(*gorgonia.Node) gorgonia.Nodes) {
	t.Helper()
	g := gorgonia.NewGraph()
	rng := generator(61)
	l, err := NewLinear(g, 3, 2, WithActivation(act), WithDtype(tensor.Float64))
	requireNoError(t, err)
	x := input(g, "x", random(rng, tensor.Float64, 4, 3))
	y, err := l.Fwd(x)
	requireNoError(t, err)
	cost, err := weighted(y, input(g, "dy", random(rng, tensor.Float64, 4, 2)))
	requireNoError(t, err)
	grads, err = gorgonia.Grad(cost, append(l.Learnables(), x)...)
	requireNoError(t, err)
	rootsFirst, err := gorgonia.Sort(g)
	requireNoError(t, err)
	for i := range rootsFirst {
		order = append(order, rootsFirst[len(rootsFirst)-1-i])
	}
	return order, grads, func(n *gorgonia.Node) (args gorgonia.Nodes) {
		for it := g.From(n.ID()); it.Next(); {
			args = append(args, it.Node().(*gorgonia.Node))
		}
		return args
	}
}

func TestGradientGroupHidesTheActivationGradientUnlessKept(t *testing.T) {
	for _, act := range activations {
		order, grads, arguments := differentiatedLayer(t, act)
		for _, keep := range []bool{false, true} {
			groups := GradientGroups(order, arguments, func(*gorgonia.Node) bool { return keep })
			if len(groups) != 1 || len(groups[0].Outputs) != 3 {
				t.Fatalf("%v: got %d groups, want one of three gradients", act, len(groups))
			}
			for _, n := range groups[0].Outputs {
				if !grads.Contains(n) {
					t.Errorf("%v: %v is none of the gradients", act, n)
				}
			}
			if hidden := groups[0].Hidden != nil; hidden != (act != Identity && !keep) {
				t.Errorf("%v, keep %t: dZ hidden is %t", act, keep, hidden)
			}
		}
	}
}

func TestGradientGroupNeedsItsInputsFirst(t *testing.T) {
	order, _, arguments := differentiatedLayer(t, ReLU)
	reversed := make(gorgonia.Nodes, 0, len(order))
	for i := range order {
		reversed = append(reversed, order[len(order)-1-i])
	}
	if groups := GradientGroups(reversed, arguments, func(*gorgonia.Node) bool { return false }); len(groups) != 0 {
		t.Errorf("got %d groups from nodes in the wrong order, want none", len(groups))
	}
}

func TestGradientGroupRefusesMissingValues(t *testing.T) {
	order, _, arguments := differentiatedLayer(t, ReLU)
	group := GradientGroups(order, arguments, func(*gorgonia.Node) bool { return false })[0]
	out, in := make([]gorgonia.Value, 3), make([]gorgonia.Value, len(group.Inputs))
	refuse := func(want string, err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want one that says %q", err, want)
		}
	}
	refuse("has no value", group.Compute(out, in))
	refuse("room for 1 values", group.Compute(out[:1], in))
	for i := range in {
		in[i] = tensor.New(tensor.WithShape(2, 2), tensor.Of(tensor.Int))
	}
	refuse("dtype is int", group.Compute(out, in))
}

// A product over no inputs is zero, and so is a sum over no rows.
func TestEmptyShapesGiveEmptyOrConstantResults(t *testing.T) {
	rng := generator(101)
	for _, dt := range dtypes {
		for _, act := range []Activation{Identity, ReLU, Tanh, GELU} {
			for _, transposed := range []bool{false, true} {
				for _, c := range []struct{ n, in, out int }{{0, 3, 2}, {4, 0, 2}, {4, 3, 0}, {0, 0, 2}, {0, 0, 0}} {
					what := fmt.Sprintf("%+v, %v, %v, transposed %t", c, act, dt, transposed)
					l, opts := plain(2), []Option{WithActivation(act)}
					if transposed {
						l.weight, opts = outIn, append(opts, WithTransposedWeight())
					}
					g := gorgonia.NewGraph()
					x, w := input(g, "x", random(rng, dt, c.n, c.in)), input(g, "w", random(rng, dt, l.weightShape(c.in, c.out)...))
					b, dy := input(g, "b", random(rng, dt, c.out)), input(g, "dy", random(rng, dt, c.n, c.out))
					y, err := Apply(x, w, b, opts...)
					requireNoError(t, err)
					grads, err := gorgonia.Backpropagate(gorgonia.Nodes{y}, gorgonia.Nodes{dy}, gorgonia.Nodes{x, w, b})
					requireNoError(t, err)
					m := gorgonia.NewTapeMachine(g)
					requireNoError(t, m.RunAll())
					m.Close()

					// The same layer with one input that is zero has the same Y and db.
					h := gorgonia.NewGraph()
					zeros := func(name string, shape ...int) *gorgonia.Node {
						return input(h, name, tensor.New(tensor.WithShape(shape...), tensor.Of(dt)))
					}
					wantY, wantDB := []float64{}, make([]float64, c.out)
					if c.in == 0 && c.n > 0 && c.out > 0 {
						b2 := input(h, "b", b.Value().(*tensor.Dense))
						y2, err := Apply(zeros("x", c.n, 1), zeros("w", 1, c.out), b2, WithActivation(act))
						requireNoError(t, err)
						db, err := gorgonia.Backpropagate(gorgonia.Nodes{y2}, gorgonia.Nodes{input(h, "dy", dy.Value().(*tensor.Dense))}, gorgonia.Nodes{b2})
						requireNoError(t, err)
						m := gorgonia.NewTapeMachine(h)
						requireNoError(t, m.RunAll())
						wantY, wantDB = floats(t, y2.Value()), floats(t, db[0].Value())
						m.Close()
					}
					requireClose(t, what+": Y", floats(t, y.Value()), wantY, 0)
					requireClose(t, what+": dX", floats(t, grads[0].Value()), make([]float64, c.n*c.in), 0)
					requireClose(t, what+": dW", floats(t, grads[1].Value()), make([]float64, c.in*c.out), 0)
					requireClose(t, what+": db", floats(t, grads[2].Value()), wantDB, 0)
				}
			}
		}
	}
}

func TestLossesOfNothingAreRefused(t *testing.T) {
	for name, loss := range map[string]func(p, t *gorgonia.Node, opts ...Option) (*gorgonia.Node, error){
		"cross-entropy": SoftmaxCrossEntropy, "squared error": MSE, "binary cross-entropy": BinaryCrossEntropy,
	} {
		for _, shape := range []tensor.Shape{{0, 3}, {3, 0}, {0}} {
			g := gorgonia.NewGraph()
			node := func(name string) *gorgonia.Node {
				return gorgonia.NewTensor(g, tensor.Float64, len(shape), gorgonia.WithShape(shape...), gorgonia.WithName(name))
			}
			if _, err := loss(node("p"), node("t")); err == nil || !strings.Contains(err.Error(), "want at least one element") {
				t.Errorf("%s of shape %v: error is %v", name, shape, err)
			}
		}
	}
}
