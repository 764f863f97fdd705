package layer

import (
	"fmt"
	"strings"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Apply adds one node Y = act(X·W + b) to the graph of its inputs.
//
//	X [..., in]   W [in, out]   b [out] or [1, out] or nil   Y [..., out]
//
// X has one or more dimensions; the leading ones are flattened for the product
// and restored in Y. All inputs have the same dtype, float32 or float64. Each
// gradient has the shape of its input.
//
// W may be stored as [out, in], see [WithTransposedWeight]. It may also be a
// vector [in]: then there is one output, which has no dimension in Y [...], and
// b is [1], [1, 1] or a scalar.
//
// Apply takes [WithActivation], [WithName], [WithDevice], [WithoutInputGrad] and
// [WithTransposedWeight]. A nil or foreign node, a wrong shape or dtype is an
// error that says what came and what was wanted.
//
// For second and higher derivatives differentiate with [Grad]: gorgonia.Grad,
// called a second time through the same nodes, gives wrong numbers or an error.
func Apply(x, w, b *gorgonia.Node, opts ...Option) (*gorgonia.Node, error) {
	o, err := collect(opts, applyOptions)
	if err != nil {
		return nil, fmt.Errorf("layer.Apply: %w", err)
	}
	y, err := apply(x, w, b, o)
	if err != nil {
		return nil, fmt.Errorf("layer.Apply: %w", err)
	}
	return y, nil
}

func apply(x, w, b *gorgonia.Node, o options) (*gorgonia.Node, error) {
	inputs, l, err := linearNodes(x, w, b, o.transposed)
	if err != nil {
		return nil, err
	}
	return addNode(newLinearOp(l, o.act, o.inputGrad, o.dev), o.name, inputs...)
}

// linearNodes checks the nodes of a linear layer and returns those that are
// given, and their layout.
func linearNodes(x, w, b *gorgonia.Node, transposed bool) (gorgonia.Nodes, layout, error) {
	inputs := gorgonia.Nodes{x, w}
	names := []string{"X", "W"}
	if b != nil {
		inputs, names = append(inputs, b), append(names, "b")
	}
	if err := checkNodes(names, inputs); err != nil {
		return nil, layout{}, err
	}
	l, err := layoutOf(x, w, b, transposed)
	return inputs, l, err
}

// checkNodes refuses nodes that are nil, of different graphs or of a dtype
// other than one common float32 or float64. Constants (gorgonia.NewConstant)
// belong to no graph before they are used.
func checkNodes(names []string, nodes gorgonia.Nodes) error {
	home := -1 // the first node that belongs to a graph
	for i, n := range nodes {
		if n == nil {
			return fmt.Errorf("%s is nil, want a node", names[i])
		}
		switch constant := n.Op() != nil && n.Value() != nil; {
		case n.Graph() == nil && !constant:
			return fmt.Errorf("%s (%v) belongs to no graph", names[i], n)
		case n.Graph() == nil:
		case home < 0:
			home = i
		case n.Graph() != nodes[home].Graph():
			return fmt.Errorf("%s (%v) belongs to another graph than %s (%v)", names[i], n, names[home], nodes[home])
		}
		switch dt := n.Dtype(); {
		case dt != tensor.Float32 && dt != tensor.Float64:
			return fmt.Errorf("%s has dtype %v, want float32 or float64", names[i], dt)
		case dt != nodes[0].Dtype():
			return fmt.Errorf("%s has dtype %v, want %v as %s has", names[i], dt, nodes[0].Dtype(), names[0])
		}
	}
	if home < 0 {
		return fmt.Errorf("%s are constants, want at least one node of a graph", strings.Join(names, " and "))
	}
	return nil
}

// addNode applies op and names the node if a name is given.
func addNode(op gorgonia.Op, name string, inputs ...*gorgonia.Node) (*gorgonia.Node, error) {
	n, err := gorgonia.ApplyOp(op, inputs...)
	if err != nil {
		return nil, err
	}
	if name != "" {
		gorgonia.WithName(name)(n)
	}
	return n, nil
}
