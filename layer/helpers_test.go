package layer

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// tester is what *testing.T and *rapid.T share here.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
}

var dtypes = []tensor.Dtype{tensor.Float32, tensor.Float64}

var activations = []Activation{Identity, ReLU, LeakyReLU(0.1), Tanh, Sigmoid, GELU, SiLU, Softplus(1, 20), Softplus(2.5, 1)}

// tolerance is what two right implementations may differ by, relative to the
// largest element.
func tolerance(dt tensor.Dtype) float64 {
	if dt == tensor.Float32 {
		return 1e-5
	}
	return 1e-12
}

// random draws a tensor from the standard normal distribution.
func random(rng *rand.Rand, dt tensor.Dtype, shape ...int) *tensor.Dense {
	n := tensor.Shape(shape).TotalSize()
	if dt == tensor.Float32 {
		data := make([]float32, n)
		for i := range data {
			data[i] = float32(rng.NormFloat64())
		}
		return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(data))
	}
	data := make([]float64, n)
	for i := range data {
		data[i] = rng.NormFloat64()
	}
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(data))
}

// input adds an input node that holds t.
func input(g *gorgonia.ExprGraph, name string, t *tensor.Dense) *gorgonia.Node {
	return gorgonia.NewTensor(g, t.Dtype(), t.Dims(), gorgonia.WithShape(t.Shape()...),
		gorgonia.WithName(name), gorgonia.WithValue(t))
}

// floats returns all elements of v in row-major order as float64.
func floats(t tester, v gorgonia.Value) []float64 {
	t.Helper()
	switch s := v.(type) {
	case *gorgonia.F32:
		return []float64{float64(*s)}
	case *gorgonia.F64:
		return []float64{float64(*s)}
	case *tensor.Dense:
		if s.Dims() == 0 { // as the sum of a dual value
			switch x := s.ScalarValue().(type) {
			case float32:
				return []float64{float64(x)}
			case float64:
				return []float64{x}
			}
		}
	}
	var out []float64
	if v.Dtype() == tensor.Float64 {
		data, err := elementsOf[float64]("value", v)
		if err != nil {
			t.Fatalf("%v", err)
		}
		return append(out, data...)
	}
	data, err := elementsOf[float32]("value", v)
	if err != nil {
		t.Fatalf("%v", err)
	}
	for _, x := range data {
		out = append(out, float64(x))
	}
	return out
}

// requireClose fails unless |got − want| ≤ tol·max(1, max |want|) everywhere.
func requireClose(t tester, what string, got, want []float64, tol float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: got %d elements, want %d", what, len(got), len(want))
	}
	scale := 1.0
	for _, w := range want {
		scale = max(scale, math.Abs(w))
	}
	for i := range got {
		if !(math.Abs(got[i]-want[i]) <= tol*scale) {
			t.Fatalf("%s: element %d is %v, want %v (difference %.3g, allowed %.3g)",
				what, i, got[i], want[i], math.Abs(got[i]-want[i]), tol*scale)
		}
	}
}

// run executes cost = f(inputs) and its gradients by inputs that are named in
// wrt, with one of Gorgonia's machines, and returns the value of every node
// that f returns and the gradients.
func run(t tester, machine string, inputs []*tensor.Dense, wrt []int, f func(nodes gorgonia.Nodes) (cost *gorgonia.Node, watch gorgonia.Nodes, err error)) (values, grads [][]float64) {
	t.Helper()
	g := gorgonia.NewGraph()
	nodes := make(gorgonia.Nodes, len(inputs))
	for i, in := range inputs {
		nodes[i] = input(g, fmt.Sprintf("in%d", i), in)
	}
	cost, watch, err := f(nodes)
	if err != nil {
		t.Fatalf("building: %v", err)
	}
	by := make(gorgonia.Nodes, len(wrt))
	for i, j := range wrt {
		by[i] = nodes[j]
	}
	var vm gorgonia.VM
	read := make([]gorgonia.Value, len(watch))
	switch machine {
	case "tape":
		// The tape may overwrite a value that nobody needs any more; Read copies it.
		for i, n := range watch {
			gorgonia.Read(n, &read[i])
		}
		if _, err := gorgonia.Grad(cost, by...); err != nil {
			t.Fatalf("differentiating: %v", err)
		}
		vm = gorgonia.NewTapeMachine(g, gorgonia.BindDualValues(by...))
	case "lisp":
		vm = gorgonia.NewLispMachine(g)
	default:
		t.Fatalf("no machine %q", machine)
	}
	defer vm.Close()
	if err := vm.RunAll(); err != nil {
		t.Fatalf("%s machine: %v", machine, err)
	}
	for i, n := range watch {
		if read[i] == nil {
			read[i] = n.Value()
		}
		values = append(values, floats(t, read[i]))
	}
	for _, n := range by {
		grad, err := n.Grad()
		if err != nil {
			t.Fatalf("%v", err)
		}
		grads = append(grads, floats(t, grad))
	}
	return values, grads
}

// weighted is Σ y ⊙ dy, the cost by which the gradient that arrives at y is dy.
func weighted(y, dy *gorgonia.Node) (*gorgonia.Node, error) {
	p, err := gorgonia.HadamardProd(y, dy)
	if err != nil {
		return nil, err
	}
	return gorgonia.Sum(p)
}

// generator returns a seeded generator for a test.
func generator(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }

func requireNoError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// plain is the layout of W [in, out] and b [out].
func plain(rank int) layout { return layout{rank: rank, bias: 1} }
