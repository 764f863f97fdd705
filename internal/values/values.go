// Package values looks at the memory of Gorgonia's values, and adds vectors.
package values

import (
	"errors"
	"fmt"
	"unsafe"

	"github.com/affine-go/affine/layer/device"
	"gonum.org/v1/gonum/blas/gonum"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Elements returns the elements of v, a scalar or a tensor whose elements lie
// in row-major order without gaps, without copying them.
func Elements[T device.Float](v gorgonia.Value) ([]T, error) {
	switch v := v.(type) {
	case nil:
		return nil, errors.New("has no value")
	case *gorgonia.F32:
		if s, ok := any((*float32)(v)).(*T); ok {
			return unsafe.Slice(s, 1), nil
		}
	case *gorgonia.F64:
		if s, ok := any((*float64)(v)).(*T); ok {
			return unsafe.Slice(s, 1), nil
		}
	case *tensor.Dense:
		if !v.IsNativelyAccessible() {
			return nil, errors.New("lies in memory that the host cannot read")
		}
		if !RowMajor(v.Shape(), v.Strides()) {
			return nil, fmt.Errorf("tensor of shape %v has strides %v, want it contiguous in row-major order", v.Shape(), v.Strides())
		}
		if v.IsMasked() && v.Size() > 0 {
			return nil, errors.New("tensor has a mask, want none")
		}
		var zero T
		if _, single := any(zero).(float32); single && v.Dtype() == tensor.Float32 {
			return any(v.Float32s()).([]T), nil
		} else if !single && v.Dtype() == tensor.Float64 {
			return any(v.Float64s()).([]T), nil
		}
	default:
		return nil, fmt.Errorf("is a %T, want a dense tensor or a scalar", v)
	}
	var want T
	return nil, fmt.Errorf("dtype is %v, want %T", v.Dtype(), want)
}

// RowMajor reports whether the strides are those of a row-major array without
// gaps. The stride of a dimension of size 1 does not matter.
func RowMajor(shape tensor.Shape, strides []int) bool {
	if len(shape) == 0 {
		return true
	}
	want := 1
	for i := len(shape) - 1; i >= 0; i-- {
		if shape[i] != 1 && (i >= len(strides) || strides[i] != want) {
			return false
		}
		want *= shape[i]
	}
	return true
}

// Overlap reports whether two values share memory. Either may be nil.
func Overlap(a, b gorgonia.Value) bool {
	if a == nil || b == nil {
		return false
	}
	startA, startB := a.Uintptr(), b.Uintptr()
	return startA < startB+b.MemSize() && startB < startA+a.MemSize()
}

// Add adds b to a, equally long.
func Add[T device.Float](a, b []T) {
	switch a := any(a).(type) {
	case []float32:
		gonum.Implementation{}.Saxpy(len(a), 1, any(b).([]float32), 1, a, 1)
	case []float64:
		gonum.Implementation{}.Daxpy(len(a), 1, any(b).([]float64), 1, a, 1)
	}
}
