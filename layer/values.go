package layer

import (
	"fmt"
	"slices"

	"github.com/affine-go/affine/internal/recycle"
	"github.com/affine-go/affine/layer/device"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// dtypeOf returns the tensor dtype of T.
func dtypeOf[T device.Float]() tensor.Dtype {
	var zero T
	if _, ok := any(zero).(float32); ok {
		return tensor.Float32
	}
	return tensor.Float64
}

// sliceOf returns the memory of t, which has dtype T.
func sliceOf[T device.Float](t *tensor.Dense) []T {
	if t.Shape().TotalSize() == 0 && t.Dims() > 0 {
		return []T{} // Float32s needs a first element
	}
	var zero T
	if _, ok := any(zero).(float32); ok {
		return any(t.Float32s()).([]T)
	}
	return any(t.Float64s()).([]T)
}

// denseOf returns v as a tensor of dtype T.
func denseOf[T device.Float](what string, v gorgonia.Value) (*tensor.Dense, error) {
	t, ok := v.(*tensor.Dense)
	if !ok || t == nil {
		return nil, fmt.Errorf("%s is a %T, want a dense tensor", what, v)
	}
	if t.Dtype() != dtypeOf[T]() {
		return nil, fmt.Errorf("%s has dtype %v, want %v", what, t.Dtype(), dtypeOf[T]())
	}
	if !t.IsNativelyAccessible() {
		return nil, fmt.Errorf("%s lies in memory that the host cannot read", what)
	}
	return t, nil
}

// rowsOf views v, of any rank, as a matrix: the leading dimensions flattened to
// rows, the last one as columns; a vector is one row. A view whose rows have a
// common stride is used as it is. Anything else (a transposed tensor, say) is
// copied in row-major order: inputs are never restrided in place.
func rowsOf[T device.Float](what string, v gorgonia.Value) (device.Matrix[T], error) {
	t, err := denseOf[T](what, v)
	if err != nil {
		return device.Matrix[T]{}, err
	}
	shape, strides := t.Shape(), t.Strides()
	if len(shape) == 0 {
		return device.Matrix[T]{}, fmt.Errorf("%s is a scalar, want at least one dimension", what)
	}
	rows, cols := flat(shape)
	stride, ok := rowStride(shape, strides, cols)
	if !ok {
		return device.MatrixOf(rowMajor(sliceOf[T](t), shape, strides), rows, cols), nil
	}
	return device.Matrix[T]{Data: sliceOf[T](t), Rows: rows, Cols: cols, Stride: stride}, nil
}

// rowStride returns the distance between rows when the leading dimensions can
// be walked with a single one and the last dimension has no gaps.
func rowStride(shape tensor.Shape, strides []int, cols int) (int, bool) {
	if len(strides) != len(shape) {
		return cols, false
	}
	last := len(shape) - 1
	if cols > 1 && strides[last] != 1 {
		return 0, false
	}
	stride, span := cols, 0 // span: stride that the next dimension to the left must have
	for i := last - 1; i >= 0; i-- {
		if shape[i] == 1 {
			continue
		}
		if span == 0 {
			if strides[i] < cols {
				return 0, false
			}
			stride = strides[i]
		} else if strides[i] != span {
			return 0, false
		}
		span = strides[i] * shape[i]
	}
	return stride, true
}

// rowMajor copies a strided array into a new one in row-major order.
func rowMajor[T device.Float](data []T, shape tensor.Shape, strides []int) []T {
	out := make([]T, 0, shape.TotalSize())
	var walk func(dim, offset int)
	walk = func(dim, offset int) {
		if dim == len(shape) {
			out = append(out, data[offset])
			return
		}
		for i := range shape[dim] {
			walk(dim+1, offset+i*strides[dim])
		}
	}
	walk(0, 0)
	return out
}

// elementsOf returns all elements of v in row-major order, without a copy when
// they lie that way.
func elementsOf[T device.Float](what string, v gorgonia.Value) ([]T, error) {
	m, err := rowsOf[T](what, v)
	if err != nil {
		return nil, err
	}
	if m.Stride == m.Cols || m.Rows <= 1 {
		return m.Data[:m.Rows*m.Cols], nil
	}
	return rowMajor(m.Data, tensor.Shape{m.Rows, m.Cols}, []int{m.Stride, 1}), nil
}

// scalarOf returns the number that v holds, be it a Gorgonia scalar or a
// tensor with one element.
func scalarOf[T device.Float](what string, v gorgonia.Value) (T, error) {
	switch s := v.(type) {
	case *gorgonia.F32:
		return T(*s), nil
	case *gorgonia.F64:
		return T(*s), nil
	case *tensor.Dense:
		if s.Dtype() == dtypeOf[T]() && s.Shape().TotalSize() == 1 {
			return sliceOf[T](s)[0], nil
		}
	}
	return 0, fmt.Errorf("%s is a %T of shape %v, want a scalar", what, v, v.Shape())
}

// scalarValue puts x into prev, when that is a scalar of the same type, or
// into a new one.
func scalarValue[T device.Float](prev gorgonia.Value, x T) gorgonia.Value {
	switch x := any(x).(type) {
	case float32:
		if s, ok := prev.(*gorgonia.F32); ok {
			*s = gorgonia.F32(x)
			return s
		}
		return gorgonia.NewF32(x)
	case float64:
		if s, ok := prev.(*gorgonia.F64); ok {
			*s = gorgonia.F64(x)
			return s
		}
		return gorgonia.NewF64(x)
	}
	return nil
}

// roomFor returns a row-major tensor of the shape lead+last to write a result
// into, and its view as a matrix with the leading dimensions flattened: prev
// if it has that shape and dtype, else one in fresh memory: Go's if prev is
// collected, else the device's.
// last < 0 stands for no last dimension.
func roomFor[T device.Float](dev device.Device, prev gorgonia.Value, lead tensor.Shape, last int) (*tensor.Dense, device.Matrix[T], error) {
	rows, cols := lead.TotalSize(), last
	if len(lead) == 0 {
		rows = 1
	}
	if last < 0 {
		rows, cols = flat(lead)
	}
	if t, ok := prev.(*tensor.Dense); ok && t != nil && t.Dtype() == dtypeOf[T]() && hasShape(t.Shape(), lead, last) {
		return t, device.MatrixOf(sliceOf[T](t)[:rows*cols], rows, cols), nil
	}
	shape := lead.Clone()
	if last >= 0 {
		shape = append(shape, last)
	}
	data, err := newElements[T](dev, prev, rows*cols)
	if err != nil {
		return nil, device.Matrix[T]{}, err
	}
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(data)), device.MatrixOf(data, rows, cols), nil
}

// flat returns rows and columns of a shape with its leading dimensions flattened.
func flat(shape tensor.Shape) (rows, cols int) {
	if len(shape) == 0 {
		return 1, 1
	}
	rows, cols = 1, shape[len(shape)-1]
	for _, d := range shape[:len(shape)-1] {
		rows *= d
	}
	return rows, cols
}

// hasShape reports whether shape is lead+last.
func hasShape(shape, lead tensor.Shape, last int) bool {
	if last >= 0 {
		if len(shape) != len(lead)+1 || shape[len(lead)] != last {
			return false
		}
		shape = shape[:len(lead)]
	}
	return slices.Equal(shape, lead)
}

// collected stands in the place of an earlier result if the new one is to
// lie in memory that the garbage collector looks after.
//
// A device's own memory lives until it is freed or the device closes. That suits
// weights and what a machine keeps from run to run. But nobody can tell when the
// last view of the result of a plain Do is gone: those lie in Go's memory, and
// a device copies them as it needs to.
var collected gorgonia.Value = new(struct{ gorgonia.Value })

// newElements returns room for n elements, in Go's memory if prev is
// collected and in the device's otherwise. What stands there is not specified.
func newElements[T device.Float](dev device.Device, prev gorgonia.Value, n int) ([]T, error) {
	if prev == collected {
		return recycle.Slice[T](n), nil
	}
	return device.For[T](dev).Alloc(n)
}
