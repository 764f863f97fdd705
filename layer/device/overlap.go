package device

import (
	"fmt"
	"unsafe"
)

// named is an argument with the name that errors call it by.
type named[T Float] struct {
	name string
	Matrix[T]
}

// row views v as one row.
func row[T Float](v []T) Matrix[T] { return MatrixOf(v, 1, len(v)) }

// checkOverlap checks that the outputs overlap neither each other nor the
// inputs.
func checkOverlap[T Float](kernel string, outputs, inputs []named[T]) error {
	for i, out := range outputs {
		for _, others := range [][]named[T]{outputs[:i], inputs} {
			for _, other := range others {
				if overlap(out.Matrix, other.Matrix) {
					return fmt.Errorf("%s: %s shares memory with %s, want separate memory", kernel, out.name, other.name)
				}
			}
		}
	}
	return nil
}

// A span is the memory of an argument, from its first element to the end of its
// last; zero if it has none.
type span struct{ start, end uintptr }

func spanOf[T Float](m *Matrix[T]) span {
	n := m.Extent()
	if n == 0 || len(m.Data) < n { // the matrix is empty, or is not read and was not checked
		return span{}
	}
	return spanOfSlice(m.Data[:n])
}

func spanOfSlice[T Float](v []T) span {
	if len(v) == 0 {
		return span{}
	}
	start := uintptr(unsafe.Pointer(unsafe.SliceData(v)))
	return span{start, start + uintptr(len(v))*unsafe.Sizeof(v[0])}
}

// apart reports whether the outputs lie apart from each other and from the
// inputs. It is a quick test that lets nearly all calls pass; matrices that lie
// between each other need the exact one.
func apart(outputs, inputs []span) bool {
	for i, a := range outputs {
		for _, b := range outputs[:i] {
			if a.start < b.end && b.start < a.end {
				return false
			}
		}
		for _, b := range inputs {
			if a.start < b.end && b.start < a.end {
				return false
			}
		}
	}
	return true
}

// sameStart reports whether two slices begin with the same element.
func sameStart[T Float](a, b []T) bool { return unsafe.SliceData(a) == unsafe.SliceData(b) }

// overlap reports whether a and b have an element in common. Column blocks of
// one matrix lie between each other in memory and have none.
func overlap[T Float](a, b Matrix[T]) bool {
	spanA, spanB := spanOf(&a), spanOf(&b)
	if spanA.start >= spanB.end || spanB.start >= spanA.end {
		return false
	}
	a, b = a.Stored(), b.Stored()
	if a.Rows == 1 {
		a.Stride = b.Stride
	}
	if b.Rows == 1 {
		b.Stride = a.Stride
	}
	if a.Stride != b.Stride || a.Cols+b.Cols > a.Stride {
		return true
	}
	// b starts in column c of the matrix that a is the first columns of.
	var zero T
	c := int(spanB.start-spanA.start) / int(unsafe.Sizeof(zero)) % a.Stride
	if c < 0 {
		c += a.Stride
	}
	return c < a.Cols || c+b.Cols > a.Stride
}
