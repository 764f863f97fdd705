package vm_test

import (
	"fmt"

	"github.com/affine-go/affine/internal/nettest"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"
)

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
