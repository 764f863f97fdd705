package vm

import (
	"errors"
	"fmt"

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

// update takes the gradient of this run.
func (d *dual) update(l *layout, grad gorgonia.Value) error {
	p := l.dualOf(d.node)
	if p != nil {
		if collected, _ := d.node.Grad(); collected != nil && sameKind(collected, grad) {
			return addInto(collected, grad, d.accumulate)
		}
	}
	v := d.node.Value()
	if v == nil {
		return errors.New("there is a gradient but no value")
	}
	own, err := ownGradient(v, grad)
	if err != nil {
		return err
	}
	if p != nil {
		return p.SetDeriv(own)
	}
	if p, err = l.newDual(v, own); err != nil {
		return err
	}
	return gorgonia.UnsafeLet(d.node, p)
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
	return k.Update(into, from, device.Moments[T]{}, &addition)
}

// addition is what adds: a step of SGD that goes along its gradient.
var addition = device.Update{Rule: device.SGD, LR: -1}
