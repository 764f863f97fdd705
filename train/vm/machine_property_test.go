package vm_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/affine-go/affine/internal/nettest"
	"github.com/affine-go/affine/train/vm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"
)

func TestMachineComputesEveryNodeOfAnyGraphAsDefined(t *testing.T) {
	ran := 0
	rapid.Check(t, func(rt *rapid.T) {
		r := drawGraph(rt, true)
		nodes := r.graph.AllNodes()
		want := make([]gorgonia.Value, len(nodes))
		var undefined error
		for i, n := range nodes {
			var err error
			if want[i], err = evaluate(r.graph, n); err != nil {
				undefined = err
			}
		}
		m, err := vm.New(r.graph)
		nettest.Must(rt, err)
		for run := range 2 {
			if err := m.RunAll(); undefined != nil {
				if err == nil {
					rt.Fatalf("run %d: no error, by definition there is: %v", run, undefined)
				}
				return
			} else if err != nil {
				rt.Fatalf("run %d: %v", run, err)
			}
			for i, n := range nodes {
				if !nettest.SameNumbers(n.Value(), want[i]) {
					rt.Fatalf("run %d: %v is\n%v, want\n%v", run, n, n.Value(), want[i])
				}
				if !n.Value().Shape().Eq(n.Shape()) {
					rt.Fatalf("run %d: %v has a value of shape %v, want %v", run, n, n.Value().Shape(), n.Shape())
				}
			}
		}
		ran++
	})
	if ran == 0 {
		t.Error("no graph could be run")
	}
}

func TestMachineAndTapeMachineComputeTheSameValuesAndGradients(t *testing.T) {
	ran := 0
	rapid.Check(t, func(rt *rapid.T) {
		r := drawGraph(rt, false)
		outputs, ok := r.differentiate()
		if !ok {
			return
		}
		m, err := vm.New(r.graph, vm.WithOutputs(outputs...))
		nettest.Must(rt, err)
		whole, err := vm.New(r.graph)
		nettest.Must(rt, err)
		if whole.RunAll() != nil {
			return
		}
		nettest.Must(rt, m.RunAll())
		got := nettest.ValuesOf(rt, outputs)
		tape := gorgonia.NewTapeMachine(r.graph)
		nettest.Must(rt, tape.RunAll())
		for i, n := range outputs {
			if !nettest.SameNumbers(got[i], n.Value()) {
				rt.Fatalf("%v is\n%v, in a TapeMachine\n%v", n, got[i], n.Value())
			}
		}
		ran++
	})
	if ran == 0 {
		t.Error("no graph could be run")
	}
}

func TestMachineAndLispMachineComputeTheSameValues(t *testing.T) {
	ran := 0
	rapid.Check(t, func(rt *rapid.T) {
		r := drawGraph(rt, true)
		m, err := vm.New(r.graph)
		nettest.Must(rt, err)
		if m.RunAll() != nil {
			return
		}
		nodes := r.graph.AllNodes()
		got := nettest.ValuesOf(rt, nodes)
		nettest.Must(rt, gorgonia.NewLispMachine(r.graph, gorgonia.ExecuteFwdOnly()).RunAll())
		for i, n := range nodes {
			if !nettest.SameNumbers(got[i], n.Value()) {
				rt.Fatalf("%v is\n%v, in a LispMachine\n%v", n, got[i], n.Value())
			}
		}
		// The nodes hold dual values now.
		nettest.Must(rt, m.RunAll())
		for i, n := range nodes {
			if !nettest.SameNumbers(got[i], n.Value()) {
				rt.Fatalf("after a LispMachine %v is\n%v, before\n%v", n, n.Value(), got[i])
			}
		}
		ran++
	})
	if ran == 0 {
		t.Error("no graph could be run")
	}
}

// Large tensors are computed by our own loops and kernels, in any op.
func TestMachineComputesLargeNodesOfAnyGraphAsDefined(t *testing.T) {
	ran := 0
	rapid.Check(t, func(rt *rapid.T) {
		r := drawGraphOf(rt, true, 7, 40)
		nodes := r.graph.AllNodes()
		want := make([]gorgonia.Value, len(nodes))
		for i, n := range nodes {
			var err error
			if want[i], err = evaluate(r.graph, n); err != nil {
				return
			}
		}
		m, err := vm.New(r.graph)
		nettest.Must(rt, err)
		for run := range 2 {
			if err := m.RunAll(); err != nil {
				rt.Fatalf("run %d: %v", run, err)
			}
			for i, n := range nodes {
				got, want := nettest.Numbers(n.Value()), nettest.Numbers(want[i])
				if len(got) != len(want) {
					rt.Fatalf("run %d: %v has %d elements, want %d", run, n, len(got), len(want))
				}
				norm := 0.0
				for _, x := range want {
					norm = max(norm, math.Abs(x))
				}
				tolerance := 1e-9
				if r.dtype == tensor.Float32 {
					tolerance = 1e-3 // of what may have cancelled on the way
				}
				for j, x := range want {
					same := got[j] == x || math.IsNaN(got[j]) && math.IsNaN(x)
					if !same && !(math.Abs(got[j]-x) <= tolerance*max(norm, 1)) && !math.IsInf(norm, 0) && !math.IsNaN(norm) {
						rt.Fatalf("run %d: element %d of %v is %v, want %v", run, j, n, got[j], x)
					}
				}
			}
		}
		ran++
	})
	if ran == 0 {
		t.Error("no graph could be run")
	}
}

// randomGraph grows graphs of built-in ops, node by node.
type randomGraph struct {
	rt     *rapid.T
	graph  *gorgonia.ExprGraph
	dtype  tensor.Dtype
	inputs gorgonia.Nodes
	nodes  gorgonia.Nodes // inputs, a constant and computed nodes to build on
}

// drawGraph draws a graph of up to 15 ops. Without all, those are left out that
// TapeMachine, which computes in place, gets wrong or computes otherwise: ops
// whose results share memory with their arguments (it writes through them, even
// into inputs), and division (x/0 gets another sign in place).
func drawGraph(rt *rapid.T, all bool) *randomGraph { return drawGraphOf(rt, all, 1, 4) }

// drawGraphOf draws a graph on dimensions of the given range.
func drawGraphOf(rt *rapid.T, all bool, smallest, largest int) *randomGraph {
	r := &randomGraph{rt: rt, graph: gorgonia.NewGraph()}
	r.dtype = rapid.SampledFrom([]tensor.Dtype{tensor.Float32, tensor.Float64}).Draw(rt, "dtype")
	n, m := rapid.IntRange(smallest, largest).Draw(rt, "n"), rapid.IntRange(smallest, largest).Draw(rt, "m")
	for i, shape := range []tensor.Shape{{n, m}, {n, m}, {m, n}, {m}, {n}, {}} {
		name, value := gorgonia.WithName(fmt.Sprint("in", i)), nettest.Waves(r.dtype, rapid.Float64Range(0, 10).Draw(rt, "seed"), shape...)
		if len(shape) == 0 {
			r.inputs = append(r.inputs, gorgonia.NewScalar(r.graph, r.dtype, name, gorgonia.WithValue(value.ScalarValue())))
		} else {
			r.inputs = append(r.inputs, gorgonia.NewTensor(r.graph, r.dtype, len(shape), gorgonia.WithShape(shape...), name, gorgonia.WithValue(value)))
		}
	}
	r.nodes = append(r.nodes, r.inputs...)
	r.nodes = append(r.nodes, gorgonia.NewConstant(nettest.Waves(r.dtype, 3).ScalarValue()))
	for range rapid.IntRange(1, 15).Draw(rt, "ops") {
		r.grow(all)
	}
	return r
}

var unaryOps = []func(*gorgonia.Node) (*gorgonia.Node, error){
	gorgonia.Tanh, gorgonia.Sigmoid, gorgonia.Square, gorgonia.Neg, gorgonia.Rectify,
	gorgonia.Abs, gorgonia.Softplus, gorgonia.Cube, gorgonia.Exp, gorgonia.Sign,
}

// grow adds a node. Gorgonia refuses some combinations, by error or by panic;
// those are left out.
func (r *randomGraph) grow(all bool) {
	defer func() { _ = recover() }()
	pick := func(what string) *gorgonia.Node { return rapid.SampledFrom(r.nodes).Draw(r.rt, what) }
	upTo := func(n int, what string) int { return rapid.IntRange(0, n).Draw(r.rt, what) }
	kinds := 10
	if all {
		kinds = 14
	}
	a := pick("a")
	var n *gorgonia.Node
	var err error
	switch upTo(kinds, "kind") {
	case 0:
		n, err = rapid.SampledFrom(unaryOps).Draw(r.rt, "unary")(a)
	case 1:
		n, err = gorgonia.Add(a, pick("b"))
	case 2:
		n, err = gorgonia.Sub(a, pick("b"))
	case 3:
		n, err = gorgonia.HadamardProd(a, pick("b"))
	case 4:
		n, err = gorgonia.Mul(a, pick("b"))
	case 5:
		n, err = gorgonia.Transpose(a)
	case 6:
		n, err = gorgonia.Sum(a, upTo(1, "axis"))
	case 7:
		n, err = gorgonia.Mean(a)
	case 8:
		n, err = gorgonia.Slice(a, gorgonia.S(upTo(1, "start"), 2+upTo(2, "end")))
	case 9:
		n, err = gorgonia.Concat(upTo(1, "axis"), a, pick("b"))
	case 10:
		n, err = gorgonia.BroadcastAdd(a, pick("b"), nil, []byte{0})
	case 11:
		n, err = gorgonia.HadamardDiv(a, pick("b"))
	case 12:
		n, err = gorgonia.Reshape(a, tensor.Shape{a.Shape().TotalSize()})
	case 13:
		n, err = gorgonia.Reshape(a, tensor.Shape{1, a.Shape().TotalSize()})
	case 14:
		if n, err = gorgonia.SoftMax(a); err == nil {
			n, err = gorgonia.Log(n)
		}
	}
	if err == nil && n != nil {
		r.nodes = append(r.nodes, n)
	}
}

// differentiate returns the node that was added last, summed to a scalar, and
// its gradients by the inputs that it depends on. ok is false where Gorgonia
// cannot differentiate.
func (r *randomGraph) differentiate() (nodes gorgonia.Nodes, ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	cost := r.nodes[len(r.nodes)-1]
	if !cost.IsScalar() {
		cost = gorgonia.Must(gorgonia.Sum(cost))
	}
	needed := map[*gorgonia.Node]bool{}
	var visit func(n *gorgonia.Node)
	visit = func(n *gorgonia.Node) {
		if !needed[n] {
			needed[n] = true
			for it := r.graph.From(n.ID()); it.Next(); {
				visit(it.Node().(*gorgonia.Node))
			}
		}
	}
	visit(cost)
	var by gorgonia.Nodes
	for _, n := range r.inputs {
		if needed[n] {
			by = append(by, n)
		}
	}
	grads, err := gorgonia.Grad(cost, by...)
	return append(gorgonia.Nodes{cost}, grads...), err == nil
}

// evaluate computes n from the definition: Do on copies of the arguments, each
// computed anew. Some ops of Gorgonia return another number of elements than
// their node has; that is an error.
func evaluate(g *gorgonia.ExprGraph, n *gorgonia.Node) (v gorgonia.Value, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic: %v", cause)
		}
	}()
	if n.Op() == nil {
		return gorgonia.CloneValue(n.Value())
	}
	var args []gorgonia.Value
	for it := g.From(n.ID()); it.Next(); {
		arg, err := evaluate(g, it.Node().(*gorgonia.Node))
		if err != nil {
			return nil, err
		}
		args = append(args, arg)
	}
	out, err := n.Op().Do(args...)
	if err != nil {
		return nil, err
	}
	if out.Shape().TotalSize() != n.Shape().TotalSize() {
		return nil, fmt.Errorf("%v has shape %v, its value %v", n, n.Shape(), out.Shape())
	}
	return gorgonia.CloneValue(out)
}
