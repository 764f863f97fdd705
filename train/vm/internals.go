package vm

import (
	"fmt"
	"reflect"
	"sync"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// What Gorgonia does not export, and a machine in the place of its own has to
// know: the arguments, the group and the bound value of a node, and the type of
// dual values. All of it is found by name and checked once, so that another
// Gorgonia leads to an error of New and not to a crash.

// layout is where a node keeps these.
type layout struct {
	children, group, bound int // fields of gorgonia.Node
	dual                   reflect.Type
}

// pair is what can be seen of Gorgonia's dual value.
type pair interface {
	gorgonia.Value
	SetValue(gorgonia.Value) error
	SetDeriv(gorgonia.Value) error
}

var nodeLayout = sync.OnceValues(func() (l *layout, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			l, err = nil, fmt.Errorf("this Gorgonia is not the one that affine knows: %v", cause)
		}
	}()
	l = &layout{}
	node := reflect.TypeFor[gorgonia.Node]()
	for _, want := range []struct {
		name string
		is   reflect.Type
		at   *int
	}{
		{"children", reflect.TypeFor[gorgonia.Nodes](), &l.children},
		{"group", reflect.TypeFor[string](), &l.group},
		{"boundTo", reflect.TypeFor[gorgonia.Value](), &l.bound},
	} {
		field, ok := node.FieldByName(want.name)
		if !ok || field.Type != want.is || len(field.Index) != 1 {
			return nil, fmt.Errorf("this Gorgonia is not the one that affine knows: its nodes have no field %s of type %v", want.name, want.is)
		}
		*want.at = field.Index[0]
	}
	// A TapeMachine is asked to make a dual value.
	g := gorgonia.NewGraph()
	x := gorgonia.NewScalar(g, tensor.Float64, gorgonia.WithName("x"), gorgonia.WithValue(1.0))
	y, err := gorgonia.Square(x)
	if err != nil {
		return nil, err
	}
	if _, err := gorgonia.Grad(y, x); err != nil {
		return nil, err
	}
	m := gorgonia.NewTapeMachine(g, gorgonia.BindDualValues(x))
	defer m.Close()
	if err := m.RunAll(); err != nil {
		return nil, err
	}
	l.dual = reflect.ValueOf(x).Elem().Field(l.bound).Elem().Type()
	if l.dual.Kind() != reflect.Pointer || !l.dual.Implements(reflect.TypeFor[pair]()) {
		return nil, fmt.Errorf("this Gorgonia is not the one that affine knows: its dual values are a %v", l.dual)
	}
	return l, nil
})

// children returns the arguments of n's op in order, repeated if n uses a node
// more than once. Gorgonia's own way to them finds nodes by a remembered
// position, which is wrong once a node has been removed from the graph, as
// gorgonia.Log(1 + x) does.
func (l *layout) childrenOf(n *gorgonia.Node) gorgonia.Nodes {
	if n.Op() == nil {
		return nil
	}
	list := reflect.ValueOf(n).Elem().Field(l.children)
	nodes := make(gorgonia.Nodes, list.Len())
	for i := range nodes {
		nodes[i] = (*gorgonia.Node)(list.Index(i).UnsafePointer())
	}
	return nodes
}

// isGradient reports whether gorgonia.Grad made n.
func (l *layout) isGradient(n *gorgonia.Node) bool {
	if n.Op() == nil || isConstant(n) || isStatement(n) {
		return false
	}
	if len(n.DerivOf()) > 0 {
		return true
	}
	group := reflect.ValueOf(n).Elem().Field(l.group).String()
	return group == "gradients" || group == "undifferentiated nodes"
}

// newDual returns a dual value.
func (l *layout) newDual(value, grad gorgonia.Value) (pair, error) {
	p := reflect.New(l.dual.Elem()).Interface().(pair)
	if err := p.SetValue(value); err != nil {
		return nil, err
	}
	return p, p.SetDeriv(grad)
}

// dualOf returns the dual value of a node, or nil if it has a plain value.
func (l *layout) dualOf(n *gorgonia.Node) pair {
	bound := reflect.ValueOf(n).Elem().Field(l.bound)
	if bound.IsNil() || bound.Elem().Type() != l.dual || bound.Elem().IsNil() {
		return nil
	}
	return reflect.NewAt(l.dual.Elem(), bound.Elem().UnsafePointer()).Interface().(pair)
}

// bindAsItIs makes v the value of n, whatever its shape.
func (l *layout) bindAsItIs(n *gorgonia.Node, v gorgonia.Value) error {
	if p := l.dualOf(n); p != nil {
		return p.SetValue(v)
	}
	field := reflect.ValueOf(n).Elem().Field(l.bound)
	reflect.NewAt(field.Type(), field.Addr().UnsafePointer()).Elem().Set(reflect.ValueOf(v))
	return nil
}

// topological returns the nodes of a graph, arguments before their users and
// otherwise in the order in which they were made.
func (l *layout) topological(g *gorgonia.ExprGraph) gorgonia.Nodes {
	all := g.AllNodes()
	order := make(gorgonia.Nodes, 0, len(all))
	seen := make(map[*gorgonia.Node]bool, len(all))
	// A stack of its own: recurrent nets make graphs of any depth.
	type frame struct {
		node *gorgonia.Node
		args gorgonia.Nodes
	}
	var stack []frame
	enter := func(n *gorgonia.Node) {
		if !seen[n] {
			seen[n] = true
			stack = append(stack, frame{n, l.childrenOf(n)})
		}
	}
	for _, n := range all {
		enter(n)
		for len(stack) > 0 {
			top := &stack[len(stack)-1]
			if len(top.args) == 0 {
				order = append(order, top.node)
				stack = stack[:len(stack)-1]
				continue
			}
			next := top.args[0]
			top.args = top.args[1:]
			enter(next)
		}
	}
	return order
}
