package vm

import (
	"fmt"
	"math"
	"slices"

	"github.com/affine-go/affine/internal/values"
	"github.com/affine-go/affine/layer/device"
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

// giveBack gives the buffers that lie in a card's memory back to the card. The
// tensors live on in the host's memory, and so do views that ops made of them.
func (m *Machine) giveBack() {
	if m.program == nil {
		return
	}
	kept := map[*tensor.Dense]device.Device{}
	for i := range m.program.instructions {
		inst := &m.program.instructions[i]
		c, ok := inst.computation.(interface{ device() device.Device })
		if !ok || c.device() == nil || c.device().Name() == "cpu" {
			continue
		}
		for _, slot := range inst.to {
			if t, ok := m.values[slot].(*tensor.Dense); ok && t != nil && t.Shape().TotalSize() > 0 {
				kept[t] = c.device()
			}
		}
	}
	if len(kept) == 0 {
		return
	}
	for t, d := range kept {
		host, err := hostCopy(d, t)
		if err != nil {
			continue // the card has failed or is closed, and its memory is gone
		}
		for _, v := range m.values {
			view, ok := v.(*tensor.Dense)
			if _, other := kept[view]; !ok || other || view == nil || !values.Overlap(view, t) {
				continue
			}
			if view.IsMaterializable() {
				*view = *view.Materialize().(*tensor.Dense)
			} else {
				*view = *view.Clone().(*tensor.Dense)
			}
		}
		given := *t
		*t = *host
		if given.Dtype() == tensor.Float32 {
			d.Float32().Free(given.Float32s())
		} else {
			d.Float64().Free(given.Float64s())
		}
	}
}

// hostCopy returns a copy of t, a tensor without gaps, in the host's memory.
func hostCopy(d device.Device, t *tensor.Dense) (*tensor.Dense, error) {
	var backing any
	var err error
	if t.Dtype() == tensor.Float32 {
		backing, err = device.ToHost(d, t.Float32s())
	} else {
		backing, err = device.ToHost(d, t.Float64s())
	}
	if err != nil {
		return nil, err
	}
	return tensor.New(tensor.WithShape(t.Shape().Clone()...), tensor.WithBacking(backing)), nil
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
