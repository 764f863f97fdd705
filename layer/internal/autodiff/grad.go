// Package autodiff differentiates Gorgonia's graphs symbolically, to any order.
// It is what layer.Grad and gradcheck are made of.
package autodiff

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Grad adds the gradients of the scalar cost by each of wrt to their graph; its
// contract is that of layer.Grad.
func Grad(cost *gorgonia.Node, wrt ...*gorgonia.Node) (gorgonia.Nodes, error) {
	grads, err := Partial(cost, wrt...)
	if err != nil {
		return nil, err
	}
	for i, grad := range grads {
		if grad == nil {
			return nil, fmt.Errorf("%v does not depend on %v: no path that can be differentiated leads from one to the other", cost, wrt[i])
		}
	}
	return grads, nil
}

// Dependence says how an op's result depends on one of its inputs.
type Dependence uint8

const (
	// Unknown: there may be a derivative, but no way to compute it.
	Unknown Dependence = iota
	// Constant: the derivative is zero wherever there is one, as that of a
	// comparison or of a size.
	Constant
	// Smooth: there is a derivative and a rule for it.
	Smooth
)

// Differentiable is an op that says which gradients it has and builds those
// that are wanted.
type Differentiable interface {
	gorgonia.Op
	// Dependences holds one Dependence for each input.
	Dependences() []Dependence
	// Gradients returns the gradient by each input i with wanted[i], the others
	// nil. Only smooth inputs are wanted.
	Gradients(wanted []bool, inputs gorgonia.Nodes, output, grad *gorgonia.Node) (gorgonia.Nodes, error)
}

// Explainer is a Differentiable that can say why the Dependence on an input is
// Unknown.
type Explainer interface {
	WhyUnknown(input int) string
}

// Partial is Grad with nil in place of a gradient that is zero because the cost
// does not depend on the node.
//
// If a node has several users, the gradients that arrive from them are summed
// in the order of a depth-first walk, which depends on the graph alone.
func Partial(cost *gorgonia.Node, wrt ...*gorgonia.Node) (gorgonia.Nodes, error) {
	if err := checkGradNodes(cost, wrt); err != nil {
		return nil, err
	}
	walk := newGradWalk(cost.Graph())
	if err := walk.visit(cost); err != nil {
		return nil, err
	}
	walk.markActive(wrt)
	e := Expression{Dtype: cost.Dtype()}
	arriving := map[*gorgonia.Node]gorgonia.Nodes{cost: {cost.Graph().AddNode(e.Constant(1))}}
	grads := make(map[*gorgonia.Node]*gorgonia.Node, len(wrt))
	for i := len(walk.order) - 1; i >= 0; i-- {
		n := walk.order[i]
		if !walk.active[n] || len(arriving[n]) == 0 {
			continue
		}
		sum := arriving[n][0]
		for _, more := range arriving[n][1:] {
			var err error
			if sum, err = gorgonia.Add(sum, more); err != nil {
				return nil, fmt.Errorf("summing the gradients by %v: %w", n, err)
			}
		}
		grads[n] = sum
		byInput, err := walk.gradients(n, sum)
		if err != nil {
			return nil, err
		}
		for j, grad := range byInput {
			if child := walk.children[n][j]; grad != nil {
				arriving[child] = append(arriving[child], grad)
			}
		}
	}
	found := make(gorgonia.Nodes, len(wrt))
	for i, n := range wrt {
		found[i] = grads[n]
	}
	return found, nil
}

func checkGradNodes(cost *gorgonia.Node, wrt gorgonia.Nodes) error {
	switch {
	case cost == nil:
		return fmt.Errorf("cost is nil, want a scalar node")
	case cost.Graph() == nil:
		return fmt.Errorf("cost %v belongs to no graph", cost)
	case !cost.IsScalar():
		return fmt.Errorf("cost %v has shape %v, want a scalar: take gorgonia.Sum or gorgonia.Mean of it", cost, cost.Shape())
	case cost.Dtype() != tensor.Float32 && cost.Dtype() != tensor.Float64:
		return fmt.Errorf("cost %v has dtype %v, want float32 or float64", cost, cost.Dtype())
	case len(wrt) == 0:
		return fmt.Errorf("no nodes given to differentiate by")
	}
	for i, n := range wrt {
		switch {
		case n == nil:
			return fmt.Errorf("node %d to differentiate by is nil", i)
		case n.Graph() != cost.Graph():
			return fmt.Errorf("%v belongs to another graph than the cost %v", n, cost)
		}
	}
	return nil
}

// gradWalk is what Grad finds out about the part of a graph that a cost
// depends on.
type gradWalk struct {
	g        *gorgonia.ExprGraph
	order    gorgonia.Nodes // inputs before their users
	children map[*gorgonia.Node]gorgonia.Nodes
	active   map[*gorgonia.Node]bool // depends on what is differentiated by
}

func newGradWalk(g *gorgonia.ExprGraph) *gradWalk {
	return &gradWalk{g: g, children: map[*gorgonia.Node]gorgonia.Nodes{}, active: map[*gorgonia.Node]bool{}}
}

// visit puts all that root depends on into order. It keeps a stack of its own:
// recurrent nets make graphs of any depth.
func (w *gradWalk) visit(root *gorgonia.Node) error {
	type frame struct {
		n    *gorgonia.Node
		next int
	}
	var stack []frame
	enter := func(n *gorgonia.Node) error {
		children, err := childrenOf(w.g, n)
		w.children[n] = children
		stack = append(stack, frame{n: n})
		return err
	}
	if err := enter(root); err != nil {
		return err
	}
	for len(stack) > 0 {
		top := &stack[len(stack)-1]
		children := w.children[top.n]
		if top.next == len(children) {
			w.order = append(w.order, top.n)
			stack = stack[:len(stack)-1]
			continue
		}
		child := children[top.next]
		top.next++
		if _, seen := w.children[child]; !seen {
			if err := enter(child); err != nil {
				return err
			}
		}
	}
	return nil
}

// childrenOf returns the inputs of n's op, never nil. Gorgonia finds a node by
// a remembered position, which is wrong after a node before it was removed.
func childrenOf(g *gorgonia.ExprGraph, n *gorgonia.Node) (gorgonia.Nodes, error) {
	children := gorgonia.Nodes{}
	if n.Op() == nil {
		return children, nil
	}
	if g.Node(n.ID()) != n {
		return nil, fmt.Errorf("the graph does not find its node %v any more, since nodes were removed from it: differentiate before that, or build the graph anew", n)
	}
	for it := g.From(n.ID()); it.Next(); {
		children = append(children, it.Node().(*gorgonia.Node))
	}
	return children, nil
}

// markActive marks wrt and what depends on it. Through an op without a rule,
// too: if a gradient arrives there, it cannot be passed on, which is an error.
func (w *gradWalk) markActive(wrt gorgonia.Nodes) {
	for _, n := range wrt {
		w.active[n] = true
	}
	for _, n := range w.order {
		dependsOn := dependencesOf(n.Op(), len(w.children[n]))
		for j, child := range w.children[n] {
			if w.active[child] && dependsOn[j] != Constant {
				w.active[n] = true
			}
		}
	}
}

// gradients returns the gradients by those inputs of n that are active, given
// that by n.
func (w *gradWalk) gradients(n, grad *gorgonia.Node) (byInput gorgonia.Nodes, err error) {
	children := w.children[n]
	if len(children) == 0 {
		return nil, nil
	}
	wanted, some := make([]bool, len(children)), false
	for j, d := range dependencesOf(n.Op(), len(children)) {
		if !w.active[children[j]] || d == Constant {
			continue
		}
		if d == Unknown {
			return nil, fmt.Errorf("%v, on a path to the cost, has no symbolic gradient by its input %d (%v)%s", n.Op(), j, children[j], whyUnknown(n.Op(), j))
		}
		wanted[j], some = true, true
	}
	if !some {
		return nil, nil
	}
	defer func() { // Gorgonia's ops tell of misuse by panics
		if r := recover(); r != nil {
			byInput, err = nil, fmt.Errorf("differentiating %v: %v", n.Op(), r)
		}
	}()
	if byInput, err = gradientsOf(n.Op(), wanted, children, n, grad); err != nil {
		return nil, fmt.Errorf("differentiating %v: %w", n.Op(), err)
	}
	for j := range byInput {
		if !wanted[j] {
			byInput[j] = nil
			continue
		}
		if byInput[j] == nil {
			continue
		}
		if byInput[j], err = fitShape(byInput[j], children[j].Shape()); err != nil {
			return nil, fmt.Errorf("differentiating %v: gradient by input %d: %w", n.Op(), j, err)
		}
	}
	return byInput, nil
}

// fitShape gives grad the shape of the node that it belongs to. Gorgonia's sums
// drop dimensions of size 1; anything else would be a wrong gradient.
func fitShape(grad *gorgonia.Node, shape tensor.Shape) (*gorgonia.Node, error) {
	if grad.Shape().Eq(shape) && grad.Dims() == shape.Dims() {
		return grad, nil
	}
	without1 := func(s tensor.Shape) (rest tensor.Shape) {
		for _, d := range s {
			if d != 1 {
				rest = append(rest, d)
			}
		}
		return rest
	}
	if a, b := without1(grad.Shape()), without1(shape); len(a) != len(b) || !a.Eq(b) {
		return nil, fmt.Errorf("has shape %v, want %v", grad.Shape(), shape)
	}
	return Reshaped(grad, shape)
}
