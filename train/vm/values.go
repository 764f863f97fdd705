package vm

import (
	"fmt"
	"math"
	"slices"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// read returns the value of an input after checking that there is one and that
// it has the node's shape and dtype.
func (in *input) read() (gorgonia.Value, error) {
	v := in.node.Value()
	if v == nil {
		return nil, fmt.Errorf("%s has no value; give it one with gorgonia.Let", describe(in.node))
	}
	// Shape.Eq, which gorgonia.Let checks with, also takes (n, 1) for (n).
	if shape := v.Shape(); !slices.Equal(shape, in.shape) && !in.shape.Eq(shape) {
		return nil, fmt.Errorf("%s: value has shape %v, the node wants %v", describe(in.node), shape, in.shape)
	}
	if v.Dtype() != in.dtype {
		return nil, fmt.Errorf("%s: value has dtype %v, the node wants %v", describe(in.node), v.Dtype(), in.dtype)
	}
	return v, nil
}

// bind makes v the value of a computed node. Some built-in ops return a shape
// that differs from the node's in dimensions of size 1, or a scalar for a
// tensor with one element. The node then gets the same elements in its own
// shape. A scalar node keeps a tensor with one element that an op returned
// (Tensordot does), as it does on a TapeMachine.
func (m *Machine) bind(n *gorgonia.Node, v gorgonia.Value) error {
	err := gorgonia.UnsafeLet(n, v)
	if err == nil {
		return nil
	}
	shape := n.Shape()
	if t, ok := v.(*tensor.Dense); ok && shape.IsScalar() && t.Dtype() == n.Dtype() && t.Shape().TotalSize() == 1 {
		return m.layout.bindAsItIs(n, v)
	}
	if v.Dtype() != n.Dtype() || v.Shape().TotalSize() != shape.TotalSize() {
		return fmt.Errorf("op returned %v of shape %v, the node wants %v of shape %v", v.Dtype(), v.Shape(), n.Dtype(), shape)
	}
	var shaped *tensor.Dense
	switch v := v.(type) {
	case gorgonia.Scalar:
		shaped = tensor.New(tensor.FromScalar(v.Data()))
	case *tensor.Dense:
		shaped = v.Clone().(*tensor.Dense)
	default:
		return err
	}
	if err := shaped.Reshape(shape...); err != nil {
		return err
	}
	return gorgonia.UnsafeLet(n, shaped)
}

// notFinite reports whether v has a NaN, and whether it has an infinite number.
func notFinite(v gorgonia.Value) (nan, inf bool) {
	if t, ok := v.(*tensor.Dense); ok && t.IsMaterializable() {
		v = t.Materialize().(*tensor.Dense)
	}
	check := func(x float64) {
		nan = nan || math.IsNaN(x)
		inf = inf || math.IsInf(x, 0)
	}
	switch data := v.Data().(type) {
	case float64:
		check(data)
	case float32:
		check(float64(data))
	case []float64:
		for _, x := range data {
			check(x)
		}
	case []float32:
		for _, x := range data {
			check(float64(x))
		}
	}
	return nan, inf
}
