package gradcheck

import (
	"fmt"
	"math"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// point is the value of one input, as a copy that can be moved.
type point struct {
	node     *gorgonia.Node
	original gorgonia.Value
	shape    tensor.Shape
	x        []float64
}

func pointOf(n *gorgonia.Node) (*point, error) {
	x, err := elements(n.Value())
	if err != nil {
		return nil, fmt.Errorf("input %s: %w", n.Name(), err)
	}
	return &point{node: n, original: n.Value(), shape: n.Value().Shape().Clone(), x: x}, nil
}

// each calls f for every element with its index and its position in row-major order.
func (p *point) each(f func(index []int, k int) error) error {
	for k := range p.x {
		index := make([]int, len(p.shape))
		for d, rest := len(p.shape)-1, k; d >= 0; d-- {
			index[d], rest = rest%p.shape[d], rest/p.shape[d]
		}
		if err := f(index, k); err != nil {
			return err
		}
	}
	return nil
}

// difference is (f(x+h) − f(x−h)) / 2h in direction k. The step that was taken
// after rounding to the dtype is what the difference is divided by.
func (p *point) difference(k int, step float64, f func() (float64, error)) (float64, error) {
	x := p.x[k]
	h := step * math.Max(1, math.Abs(x))
	up, err := p.at(k, x+h, f)
	if err != nil {
		return 0, err
	}
	down, err := p.at(k, x-h, f)
	if err != nil {
		return 0, err
	}
	return (up - down) / (p.round(x+h) - p.round(x-h)), nil
}

// at evaluates f with element k moved to x.
func (p *point) at(k int, x float64, f func() (float64, error)) (float64, error) {
	moved := append([]float64{}, p.x...)
	moved[k] = x
	if err := gorgonia.UnsafeLet(p.node, p.value(moved)); err != nil {
		return 0, err
	}
	return f()
}

func (p *point) restore() error { return gorgonia.UnsafeLet(p.node, p.original) }

func (p *point) round(x float64) float64 {
	if p.node.Dtype() == tensor.Float32 {
		return float64(float32(x))
	}
	return x
}

// value returns x in the input's dtype and shape.
func (p *point) value(x []float64) gorgonia.Value {
	if p.node.Dtype() == tensor.Float64 {
		if len(p.shape) == 0 {
			return gorgonia.NewF64(x[0])
		}
		return tensor.New(tensor.WithShape(p.shape...), tensor.WithBacking(x))
	}
	rounded := make([]float32, len(x))
	for i, v := range x {
		rounded[i] = float32(v)
	}
	if len(p.shape) == 0 {
		return gorgonia.NewF32(rounded[0])
	}
	return tensor.New(tensor.WithShape(p.shape...), tensor.WithBacking(rounded))
}

// elements returns a copy of all elements of v in row-major order.
func elements(v gorgonia.Value) ([]float64, error) {
	switch v := v.(type) {
	case nil:
		return nil, fmt.Errorf("no value")
	case *gorgonia.F64:
		return []float64{float64(*v)}, nil
	case *gorgonia.F32:
		return []float64{float64(*v)}, nil
	case *tensor.Dense:
		return denseElements(v)
	}
	return nil, fmt.Errorf("value is a %T, want a tensor or a scalar", v)
}

func denseElements(t *tensor.Dense) ([]float64, error) {
	it := t.Iterator()
	out := make([]float64, 0, t.Shape().TotalSize())
	for i, err := it.Start(); err == nil; i, err = it.Next() {
		switch x := t.Get(i).(type) {
		case float64:
			out = append(out, x)
		case float32:
			out = append(out, float64(x))
		default:
			return nil, fmt.Errorf("value has dtype %v, want float32 or float64", t.Dtype())
		}
	}
	return out, nil
}
