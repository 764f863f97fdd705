package autodiff

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Expression builds nodes one after the other and remembers the first error,
// after which it does nothing any more.
type Expression struct {
	Dtype tensor.Dtype
	Err   error
}

// Do takes the result of a function that makes a node.
func (e *Expression) Do(n *gorgonia.Node, err error) *gorgonia.Node {
	if e.Err == nil {
		e.Err = err
	}
	return n
}

// Unary applies f.
func (e *Expression) Unary(f func(*gorgonia.Node) (*gorgonia.Node, error), a *gorgonia.Node) *gorgonia.Node {
	if e.Err != nil {
		return nil
	}
	return e.Do(f(a))
}

// Binary applies f.
func (e *Expression) Binary(f func(a, b *gorgonia.Node) (*gorgonia.Node, error), a, b *gorgonia.Node) *gorgonia.Node {
	if e.Err != nil {
		return nil
	}
	return e.Do(f(a, b))
}

// Constant is a scalar of the Expression's dtype. Gorgonia takes constants of
// one name for the same, so the name carries the dtype.
func (e *Expression) Constant(v float64) *gorgonia.Node {
	if e.Dtype == tensor.Float32 {
		return gorgonia.NewConstant(float32(v), gorgonia.WithName(fmt.Sprintf("%vf32", float32(v))))
	}
	return gorgonia.NewConstant(v, gorgonia.WithName(fmt.Sprintf("%vf64", v)))
}

// Scaled is factor·a.
func (e *Expression) Scaled(a *gorgonia.Node, factor float64) *gorgonia.Node {
	return e.Binary(gorgonia.HadamardProd, a, e.Constant(factor))
}

// Shifted is a + v.
func (e *Expression) Shifted(a *gorgonia.Node, v float64) *gorgonia.Node {
	return e.Binary(gorgonia.Add, a, e.Constant(v))
}

// Mean is the mean of all elements.
func (e *Expression) Mean(a *gorgonia.Node) *gorgonia.Node {
	return e.Unary(func(a *gorgonia.Node) (*gorgonia.Node, error) { return gorgonia.Mean(a) }, a)
}

// SumAcross is the sum of a along axis, repeated there so that the shape stays.
func (e *Expression) SumAcross(a *gorgonia.Node, axis int) *gorgonia.Node {
	if e.Err != nil || a.Shape()[axis] == 1 {
		return a
	}
	kept := a.Shape().Clone()
	kept[axis] = 1
	s := e.Sum(a, axis)
	if e.Err == nil {
		s = e.Do(Reshaped(s, kept))
	}
	if e.Err == nil {
		s = e.Do(Spread(s, a.Shape()))
	}
	return s
}

// Sum is the sum of a along the axes, or of all elements.
func (e *Expression) Sum(a *gorgonia.Node, axes ...int) *gorgonia.Node {
	return e.Unary(func(a *gorgonia.Node) (*gorgonia.Node, error) { return gorgonia.Sum(a, axes...) }, a)
}
