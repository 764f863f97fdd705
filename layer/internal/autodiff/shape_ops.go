package autodiff

import (
	"fmt"
	"hash"
	"hash/fnv"
	"io"
	"slices"

	"github.com/chewxy/hm"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Gradients need other shapes than Gorgonia's Reshape and Repeat give safely:
// the results of these share memory with their input, and a TapeMachine that
// computes the next op in place then overwrites the input as well, be it a
// gradient that is still needed or a weight. The ops here return fresh memory.

// shapeOp is what they have in common: one input of shape from, a result of
// shape to.
type shapeOp struct {
	name     string
	from, to tensor.Shape
}

func (op *shapeOp) Arity() int           { return 1 }
func (op *shapeOp) ReturnsPtr() bool     { return false }
func (op *shapeOp) CallsExtern() bool    { return false }
func (op *shapeOp) OverwritesInput() int { return -1 }
func (op *shapeOp) DiffWRT(int) []bool   { return []bool{true} }
func (op *shapeOp) String() string       { return fmt.Sprintf("%s(%v to %v)", op.name, op.from, op.to) }

func (op *shapeOp) WriteHash(h hash.Hash) { io.WriteString(h, "affine."+op.String()) }

func (op *shapeOp) Hashcode() uint32 {
	h := fnv.New32a()
	op.WriteHash(h)
	return h.Sum32()
}

func (op *shapeOp) Type() hm.Type {
	element := hm.TypeVariable('a')
	typeOf := func(s tensor.Shape) hm.Type {
		if s.Dims() == 0 {
			return element
		}
		return gorgonia.TensorType{Dims: s.Dims(), Of: element}
	}
	return hm.NewFnType(typeOf(op.from), typeOf(op.to))
}

func (op *shapeOp) InferShape(in ...gorgonia.DimSizer) (tensor.Shape, error) {
	if shapes, err := gorgonia.DimSizersToShapes(in); err != nil || len(shapes) != 1 || !slices.Equal(shapes[0], op.from) {
		return nil, fmt.Errorf("%v: got shapes %v, want %v", op, shapes, op.from)
	}
	return op.to.Clone(), nil
}

// Dependences says that the input is smooth.
func (op *shapeOp) Dependences() []Dependence { return []Dependence{Smooth} }

// fresh returns the elements of v in a new tensor of the given shape, or as a
// scalar if that has no dimensions.
func fresh(v gorgonia.Value, shape tensor.Shape) (gorgonia.Value, error) {
	switch v := v.(type) {
	case *tensor.Dense:
		if len(shape) == 0 {
			switch data := v.Data().(type) {
			case float32:
				return gorgonia.NewF32(data), nil
			case float64:
				return gorgonia.NewF64(data), nil
			case []float32:
				return gorgonia.NewF32(data[0]), nil
			case []float64:
				return gorgonia.NewF64(data[0]), nil
			}
			break
		}
		t := tensor.New(tensor.Of(v.Dtype()), tensor.WithShape(v.Shape().Clone()...))
		if v.RequiresIterator() {
			v = v.Materialize().(*tensor.Dense)
		}
		if err := tensor.Copy(t, v); err != nil {
			return nil, err
		}
		return t, t.Reshape(shape...)
	case *gorgonia.F32:
		if len(shape) == 0 {
			return gorgonia.NewF32(float32(*v)), nil
		}
		return tensor.New(tensor.WithShape(shape...), tensor.WithBacking([]float32{float32(*v)})), nil
	case *gorgonia.F64:
		if len(shape) == 0 {
			return gorgonia.NewF64(float64(*v)), nil
		}
		return tensor.New(tensor.WithShape(shape...), tensor.WithBacking([]float64{float64(*v)})), nil
	}
	return nil, fmt.Errorf("value is a %T, want a float32 or float64 tensor or scalar", v)
}

// reshapedOp copies its input into another shape of the same size.
type reshapedOp struct{ shapeOp }

// Reshaped is a copy of a in the given shape; a scalar for a shape without
// dimensions.
func Reshaped(a *gorgonia.Node, shape tensor.Shape) (*gorgonia.Node, error) {
	if sizeOf(a.Shape()) != sizeOf(shape) {
		return nil, fmt.Errorf("%v has shape %v, want the size of %v", a, a.Shape(), shape)
	}
	return gorgonia.ApplyOp(&reshapedOp{shapeOp{"reshaped", a.Shape().Clone(), shape.Clone()}}, a)
}

// sizeOf is the number of elements; that of a scalar is 1.
func sizeOf(shape tensor.Shape) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// Do copies.
func (op *reshapedOp) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	if len(in) != 1 || sizeOf(in[0].Shape()) != sizeOf(op.to) {
		return nil, fmt.Errorf("%v: got %d inputs or another size", op, len(in))
	}
	return fresh(in[0], op.to)
}

// SymDiff is the gradient in the shape of the input.
func (op *reshapedOp) SymDiff(_ gorgonia.Nodes, _, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	back, err := Reshaped(grad, op.from)
	return gorgonia.Nodes{back}, err
}

// Gradients is SymDiff.
func (op *reshapedOp) Gradients(_ []bool, in gorgonia.Nodes, out, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	return op.SymDiff(in, out, grad)
}

// spreadOp repeats its input along dimensions in which it has size 1.
type spreadOp struct{ shapeOp }

// Spread repeats a, which has the shape of the result but for dimensions of
// size 1, along those.
func Spread(a *gorgonia.Node, shape tensor.Shape) (*gorgonia.Node, error) {
	ok := a.Dims() == shape.Dims()
	for i, d := range a.Shape() {
		ok = ok && (d == shape[i] || d == 1)
	}
	if !ok {
		return nil, fmt.Errorf("%v has shape %v, want %v or 1 in each dimension", a, a.Shape(), shape)
	}
	if slices.Equal(a.Shape(), shape) {
		return a, nil
	}
	return gorgonia.ApplyOp(&spreadOp{shapeOp{"spread", a.Shape().Clone(), shape.Clone()}}, a)
}

// Do repeats along one dimension after the other.
func (op *spreadOp) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	if len(in) != 1 || !slices.Equal(in[0].Shape(), op.from) {
		return nil, fmt.Errorf("%v: got %d inputs or another shape", op, len(in))
	}
	v, err := fresh(in[0], op.from)
	if err != nil {
		return nil, fmt.Errorf("%v: %w", op, err)
	}
	t := v.(tensor.Tensor)
	if sizeOf(op.to) == 0 {
		return tensor.New(tensor.Of(t.Dtype()), tensor.WithShape(op.to...)), nil
	}
	for axis, d := range op.to {
		if op.from[axis] == d {
			continue
		}
		if t, err = tensor.Repeat(t, axis, d); err != nil {
			return nil, fmt.Errorf("%v: %w", op, err)
		}
	}
	return t, t.Reshape(op.to...)
}

// SymDiff is the sum over the repeated dimensions.
func (op *spreadOp) SymDiff(_ gorgonia.Nodes, _, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	var axes []int
	for axis, d := range op.to {
		if op.from[axis] != d {
			axes = append(axes, axis)
		}
	}
	sum, err := gorgonia.Sum(grad, axes...)
	if err != nil {
		return nil, err
	}
	back, err := Reshaped(sum, op.from)
	return gorgonia.Nodes{back}, err
}

// Gradients is SymDiff.
func (op *spreadOp) Gradients(_ []bool, in gorgonia.Nodes, out, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	return op.SymDiff(in, out, grad)
}
