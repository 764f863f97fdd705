// Package kernel is the vocabulary that devices share: matrices, activations,
// optimizer steps, and [Kernels], what a device computes.
// It imports nothing, and each of these types exists here alone.
package kernel

// Float is the set of element types.
type Float interface{ float32 | float64 }

// Matrix is a view of rows × columns in row-major order: element (i, j) is
// Data[i*Stride+j], and Stride is at least Cols. A zero Matrix stands for "not
// given".
//
// The weights of a linear layer, and their gradient, may be stored Transposed
// instead: element (i, j) is then Data[j*Stride+i], and Stride is at least
// Rows. Rows and Cols are those of the matrix, not of the way it is stored.
type Matrix[T Float] struct {
	Data               []T
	Rows, Cols, Stride int
	Transposed         bool

	// At 64 bytes a copy is four moves of 16. At 56 the last two overlap, and
	// whoever reads what they wrote waits for the store buffer: some 20 ns for
	// each function that passes a matrix on, half of a small product's time.
	_ [8]byte
}

// MatrixOf views data as rows×cols without gaps.
func MatrixOf[T Float](data []T, rows, cols int) Matrix[T] {
	return Matrix[T]{Data: data, Rows: rows, Cols: cols, Stride: cols}
}

// Given reports whether the matrix was given at all.
func (m Matrix[T]) Given() bool { return m.Data != nil }

// Row returns row i without the gap after it. The matrix is not Transposed.
func (m Matrix[T]) Row(i int) []T { return m.Data[i*m.Stride : i*m.Stride+m.Cols] }

// View returns rows i0 to i1 and columns j0 to j1 of a matrix that may be
// missing.
func (m Matrix[T]) View(i0, i1, j0, j1 int) Matrix[T] {
	first := i0*m.Stride + j0
	if m.Transposed {
		first = j0*m.Stride + i0
	}
	m.Data = m.Data[min(first, len(m.Data)):]
	m.Rows, m.Cols = i1-i0, j1-j0
	return m
}

// Stored returns the matrix as its rows lie in memory: itself, or the transpose
// of a Transposed one.
func (m Matrix[T]) Stored() Matrix[T] {
	if m.Transposed {
		m.Rows, m.Cols, m.Transposed = m.Cols, m.Rows, false
	}
	return m
}

// Extent is the number of elements in memory from the first of m to its last.
func (m *Matrix[T]) Extent() int {
	rows, cols := m.Rows, m.Cols
	if m.Transposed {
		rows, cols = cols, rows
	}
	if rows <= 0 || cols <= 0 {
		return 0
	}
	return (rows-1)*m.Stride + cols
}
