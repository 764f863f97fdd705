package vm

import (
	"errors"
	"fmt"
	"reflect"
	"sync"

	"github.com/affine-go/affine/internal/values"
	"github.com/affine-go/affine/layer/device"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// A dual is a node with a gradient of its own: a value and the derivative by
// it, which Gorgonia keeps together in the node.
type dual struct {
	node       *gorgonia.Node // the learnable
	from       int            // slot of its gradient
	accumulate bool           // a run adds to the gradient instead of replacing it
}

// pair is what can be seen of Gorgonia's dual value.
type pair interface {
	gorgonia.Value
	SetValue(gorgonia.Value) error
	SetDeriv(gorgonia.Value) error
}

// dualType finds the type of Gorgonia's dual values, which is not exported: a
// TapeMachine is asked to make one.
var dualType = sync.OnceValues(func() (t reflect.Type, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("dual values of this Gorgonia are not known: %v", cause)
		}
	}()
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
	t = reflect.ValueOf(x).Elem().FieldByName("boundTo").Elem().Type()
	if t.Kind() != reflect.Pointer || !t.Implements(reflect.TypeFor[pair]()) {
		return nil, fmt.Errorf("dual values of this Gorgonia are not known: they are a %v", t)
	}
	return t, nil
})

// update takes the gradient of this run.
func (d *dual) update(grad gorgonia.Value) error {
	p, err := pairOf(d.node)
	if err != nil {
		return err
	}
	if p != nil {
		if collected, _ := d.node.Grad(); collected != nil && sameKind(collected, grad) {
			return addInto(collected, grad, d.accumulate)
		}
	}
	v := d.node.Value()
	if v == nil {
		return fmt.Errorf("%s has a gradient but no value", describe(d.node))
	}
	own, err := ownGradient(v, grad)
	if err != nil {
		return err
	}
	if p != nil {
		return p.SetDeriv(own)
	}
	t, err := dualType()
	if err != nil {
		return err
	}
	p = reflect.New(t.Elem()).Interface().(pair)
	if err := errors.Join(p.SetValue(v), p.SetDeriv(own)); err != nil {
		return err
	}
	return gorgonia.UnsafeLet(d.node, p)
}

// pairOf returns the dual value of a node, or nil if it has a plain value.
func pairOf(n *gorgonia.Node) (pair, error) {
	t, err := dualType()
	if err != nil {
		return nil, err
	}
	bound := reflect.ValueOf(n).Elem().FieldByName("boundTo")
	if bound.IsNil() || bound.Elem().Type() != t || bound.Elem().IsNil() {
		return nil, nil
	}
	return reflect.NewAt(t.Elem(), bound.Elem().UnsafePointer()).Interface().(pair), nil
}

// sameKind reports whether a gradient can be added to collected.
func sameKind(collected, grad gorgonia.Value) bool {
	return collected.Dtype() == grad.Dtype() && size(collected) == size(grad)
}

func size(v gorgonia.Value) int {
	if v.Shape().IsScalar() {
		return 1
	}
	return v.Shape().TotalSize()
}

// ownGradient copies grad to memory of its own, in the shape of the value.
func ownGradient(value, grad gorgonia.Value) (gorgonia.Value, error) {
	if t, ok := grad.(*tensor.Dense); ok && t.IsMaterializable() {
		grad = t.Materialize().(*tensor.Dense)
	}
	v, err := gorgonia.CloneValue(grad)
	if err != nil {
		return nil, err
	}
	if t, ok := v.(*tensor.Dense); ok && value != nil && !value.Shape().IsScalar() && !t.Shape().Eq(value.Shape()) && size(value) == size(t) {
		err = t.Reshape(value.Shape()...)
	}
	return v, err
}

// addInto adds grad to collected, or replaces it.
func addInto(collected, grad gorgonia.Value, add bool) error {
	switch grad.Dtype() {
	case tensor.Float32:
		return addElements[float32](collected, grad, add)
	case tensor.Float64:
		return addElements[float64](collected, grad, add)
	}
	return fmt.Errorf("gradient has dtype %v, want float32 or float64", grad.Dtype())
}

func addElements[T device.Float](collected, grad gorgonia.Value, add bool) error {
	into, err := values.Elements[T](collected)
	if err != nil {
		return fmt.Errorf("gradient collected so far: %w", err)
	}
	from, err := values.Elements[T](grad)
	if err != nil {
		own, err := ownGradient(collected, grad)
		if err != nil {
			return err
		}
		if from, err = values.Elements[T](own); err != nil {
			return err
		}
	}
	if !add {
		copy(into, from)
		return nil
	}
	k, err := kernels[T]()
	if err != nil {
		return err
	}
	// w − lr·g with lr −1 is w + g, on all threads.
	return k.SGD(into, from, nil, device.SGDStep{LR: -1})
}
