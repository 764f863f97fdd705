package autodiff_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/affine-go/affine/internal/nettest"
	"github.com/affine-go/affine/layer"
	"github.com/affine-go/affine/layer/gradcheck"
	"github.com/affine-go/affine/layer/internal/autodiff"
	"github.com/affine-go/affine/train/vm"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"
)

// randomCost builds a scalar from up to six ops between nodes of shape
// (rows, width), a weight, a bias and a scalar, Gorgonia's ops and this module's.
// Every node may be used several times. The ops keep values small, so that
// finite differences are exact enough.
func randomCost(t *rapid.T, g *G.ExprGraph, rows, width int) (cost *G.Node, in G.Nodes) {
	in = inputs(g, []tensor.Shape{{rows, width}, {rows, width}, {width, width}, {width}, {}}, false)
	w, b, s := in[2], in[3], in[4]
	pool := G.Nodes{in[0], in[1]}
	draw := func(what string) *G.Node {
		return pool[rapid.IntRange(0, len(pool)-1).Draw(t, what)]
	}
	ops := []struct {
		name string
		f    func(a, c *G.Node) (*G.Node, error)
	}{
		{"tanh", func(a, _ *G.Node) (*G.Node, error) { return G.Tanh(a) }},
		{"sigmoid", func(a, _ *G.Node) (*G.Node, error) { return G.Sigmoid(a) }},
		{"sin", func(a, _ *G.Node) (*G.Node, error) { return G.Sin(a) }},
		{"softplus", func(a, _ *G.Node) (*G.Node, error) { return G.Softplus(a) }},
		{"add", G.Add}, {"sub", G.Sub},
		{"product", func(a, c *G.Node) (*G.Node, error) { return G.HadamardProd(G.Must(G.Tanh(a)), c) }},
		{"quotient", func(a, c *G.Node) (*G.Node, error) {
			return G.HadamardDiv(a, G.Must(G.Add(G.Must(G.Exp(G.Must(G.Tanh(c)))), G.NewConstant(1.0))))
		}},
		{"scalar product", func(a, _ *G.Node) (*G.Node, error) { return G.HadamardProd(a, s) }},
		{"matrix product", func(a, _ *G.Node) (*G.Node, error) { return G.Mul(G.Must(G.Sin(a)), w) }},
		{"product with the transpose", func(a, c *G.Node) (*G.Node, error) {
			return G.Mul(G.Must(G.Mul(G.Must(G.Sin(a)), G.Must(G.Transpose(G.Must(G.Tanh(c)), 1, 0)))), G.Must(G.Tanh(c)))
		}},
		{"broadcast", func(a, _ *G.Node) (*G.Node, error) { return G.BroadcastAdd(a, b, nil, []byte{0}) }},
		{"softmax", func(a, _ *G.Node) (*G.Node, error) { return G.SoftMax(a, 1) }},
		{"row sums", func(a, c *G.Node) (*G.Node, error) {
			sums := G.Must(G.Reshape(G.Must(G.Sum(G.Must(G.Tanh(a)), 1)), tensor.Shape{rows, 1}))
			return G.BroadcastHadamardProd(c, sums, nil, []byte{1})
		}},
		{"slices", func(a, c *G.Node) (*G.Node, error) {
			return G.Concat(1, G.Must(G.Slice(a, nil, G.S(1, width))), G.Must(G.Slice(c, nil, G.S(0, 1))))
		}},
	}
	for _, act := range []layer.Activation{layer.Identity, layer.Tanh, layer.Sigmoid, layer.GELU, layer.SiLU, layer.Softplus(1.5, 20)} {
		ops = append(ops, struct {
			name string
			f    func(a, c *G.Node) (*G.Node, error)
		}{"layer " + act.String(), func(a, _ *G.Node) (*G.Node, error) {
			return layer.Apply(G.Must(G.Sin(a)), w, b, layer.WithActivation(act))
		}})
	}
	for range rapid.IntRange(1, 6).Draw(t, "ops") {
		op := ops[rapid.IntRange(0, len(ops)-1).Draw(t, "op")]
		n, err := op.f(draw("first"), draw("second"))
		if err != nil && op.name == "slices" {
			continue // a slice of one column is a vector, which Gorgonia does not join to a matrix
		}
		if err != nil {
			t.Fatalf("%s: %v", op.name, err)
		}
		pool = append(pool, n)
	}
	last := G.Must(G.Tanh(pool[len(pool)-1]))
	switch rapid.IntRange(0, 3).Draw(t, "cost") {
	case 0:
		cost = G.Must(layer.MSE(last, draw("target")))
	case 1:
		cost = G.Must(layer.BinaryCrossEntropy(last, G.Must(G.Sigmoid(draw("target")))))
	case 2:
		cost = G.Must(layer.SoftmaxCrossEntropy(last, G.Must(G.SoftMax(draw("target"), 1))))
	default:
		cost = G.Must(G.Sum(G.Must(G.Square(G.Must(G.Add(last, draw("summand")))))))
	}
	return cost, in
}

// reached returns those of the nodes that the cost depends on.
func reached(t *rapid.T, cost *G.Node, nodes G.Nodes) (wrt G.Nodes) {
	partial, err := autodiff.Partial(cost, nodes...)
	if err != nil {
		t.Fatal(err)
	}
	for i, grad := range partial {
		if grad != nil {
			wrt = append(wrt, nodes[i])
		}
	}
	return wrt
}

func TestGradOfAnyGraph(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := G.NewGraph()
		cost, in := randomCost(t, g, 2, 3)
		wrt := reached(t, cost, in)
		report, err := gradcheck.Check(cost, wrt, gradcheck.WithGrad(autodiff.Grad))
		if err == nil && !report.OK() {
			err = fmt.Errorf("first order: %v", report)
		}
		if err != nil {
			t.Fatal(err)
		}
		report, err = gradcheck.CheckSecond(cost, wrt)
		if err == nil && !report.OK() {
			err = fmt.Errorf("second order: %v", report)
		}
		if err != nil {
			t.Fatal(err)
		}
	})
}

// Whatever the machine makes of a graph with gradients of gradients, it computes
// what a TapeMachine does, whose values TestGradOfAnyGraph checks against finite
// differences. The nodes are large enough for the machine's kernels.
func TestGradientsOfAnyOrderAreTheSameOnBothMachines(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := G.NewGraph()
		cost, in := randomCost(t, g, 9, 8)
		nodes := G.Nodes{cost}
		for order := 1; order <= 3; order++ {
			wrt := reached(t, cost, in)
			if len(wrt) == 0 {
				break
			}
			grads, err := autodiff.Grad(cost, wrt...)
			if err != nil {
				t.Fatalf("order %d: %v", order, err)
			}
			nodes = append(nodes, grads...)
			cost = weighted(grads[rapid.IntRange(0, len(grads)-1).Draw(t, "of the gradient")], uint64(order))
		}
		want := make([]G.Value, len(nodes))
		for i, n := range nodes {
			G.Read(n, &want[i])
		}
		tape := G.NewTapeMachine(g)
		defer tape.Close()
		if err := tape.RunAll(); err != nil {
			t.Fatal(err)
		}
		for i, v := range want {
			var err error
			if want[i], err = G.CloneValue(v); err != nil {
				t.Fatal(err)
			}
		}
		for _, opts := range [][]vm.Option{{vm.WithOutputs(nodes...)}, {vm.WithOutputs(nodes...), vm.WithoutFusion()}, nil} {
			m, err := vm.New(g, opts...)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if err := m.RunAll(); err != nil {
					t.Fatal(err)
				}
			}
			for i, n := range nodes {
				got, want := nettest.Numbers(n.Value()), nettest.Numbers(want[i])
				size := 1e-9 // terms of about 1 may cancel
				for _, x := range want {
					size = max(size, math.Abs(x))
				}
				for j, x := range want {
					if !(math.Abs(got[j]-x) <= 1e-9*size) {
						t.Fatalf("node %d, %v: element %d is %v, on a TapeMachine %v", i, n, j, got[j], x)
					}
				}
			}
		}
	})
}
