package blas

import (
	"github.com/affine-go/affine/internal/cpu"
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"
)

// Products of a matrix and vectors read or write each element of the matrix
// once: memory is what they wait for, and gonum's kernels ask for it as fast as
// a thread can. Large ones are shared among threads.

// level2Part is about how many elements of the matrix a part has, from two of
// which on threads share the work: some 30 µs, six times what waking one takes.
const level2Part = 1 << 16

// Sgemv computes
//
//	y = alpha·A·x + beta·y or, if tA says Trans or ConjTrans, alpha·Aᵀ·x + beta·y
//
// for an m×n matrix A. The elements of x and y are incX and incY apart.
func (i Implementation) Sgemv(tA blas.Transpose, m, n int, alpha float32, a []float32, lda int, x []float32, incX int, beta float32, y []float32, incY int) {
	if !gemv(tA, m, n, alpha, a, lda, x, incX, beta, y, incY) {
		i.Implementation.Sgemv(tA, m, n, alpha, a, lda, x, incX, beta, y, incY)
	}
}

// Dgemv is [Implementation.Sgemv] in float64.
func (i Implementation) Dgemv(tA blas.Transpose, m, n int, alpha float64, a []float64, lda int, x []float64, incX int, beta float64, y []float64, incY int) {
	if !gemv(tA, m, n, alpha, a, lda, x, incX, beta, y, incY) {
		i.Implementation.Dgemv(tA, m, n, alpha, a, lda, x, incX, beta, y, incY)
	}
}

// Sger computes A = alpha·x·yᵀ + A for an m×n matrix A. The elements of x and y
// are incX and incY apart.
func (i Implementation) Sger(m, n int, alpha float32, x []float32, incX int, y []float32, incY int, a []float32, lda int) {
	if !ger(m, n, alpha, x, incX, y, incY, a, lda) {
		i.Implementation.Sger(m, n, alpha, x, incX, y, incY, a, lda)
	}
}

// Dger is [Implementation.Sger] in float64.
func (i Implementation) Dger(m, n int, alpha float64, x []float64, incX int, y []float64, incY int, a []float64, lda int) {
	if !ger(m, n, alpha, x, incX, y, incY, a, lda) {
		i.Implementation.Dger(m, n, alpha, x, incX, y, incY, a, lda)
	}
}

// gemv takes what threads should share.
func gemv[T float](tA blas.Transpose, m, n int, alpha T, a []T, lda int, x []T, incX int, beta T, y []T, incY int) bool {
	lenX, lenY := n, m
	if tA != blas.NoTrans {
		lenX, lenY = m, n
	}
	if !large(m, n) || !known(tA) || incX <= 0 || incY <= 0 || alpha == 0 ||
		!holds(a, m, n, lda) || !holds(x, lenX, 1, incX) || !holds(y, lenY, 1, incY) {
		return false
	}
	// Parts are so many rows of A, or columns of it, which gonum's kernels take
	// by four: sums are then the same as without parts.
	grain := (level2Part/lenX + 3) / 4 * 4
	cpu.Parallel(lenY, grain, func(lo, hi int) {
		part := y[lo*incY : (hi-1)*incY+1]
		if tA == blas.NoTrans {
			gemvOf(tA, hi-lo, n, alpha, a[lo*lda:], lda, x, incX, beta, part, incY)
		} else {
			gemvOf(tA, m, hi-lo, alpha, a[lo:], lda, x, incX, beta, part, incY)
		}
	})
	return true
}

// ger takes what threads should share, and negative increments, from which
// gonum's kernels in assembly read beside the vector.
func ger[T float](m, n int, alpha T, x []T, incX int, y []T, incY int, a []T, lda int) bool {
	if m <= 0 || n <= 0 || incX == 0 || incY == 0 || !large(m, n) && incX > 0 && incY > 0 ||
		!holds(a, m, n, lda) || !holds(x, m, 1, max(incX, -incX)) || !holds(y, n, 1, max(incY, -incY)) {
		return false
	}
	x, incX = forward(m, x, incX)
	y, incY = forward(n, y, incY)
	grain := (level2Part/n + 3) / 4 * 4
	cpu.Parallel(m, grain, func(lo, hi int) {
		gerOf(hi-lo, n, alpha, x[lo*incX:(hi-1)*incX+1], incX, y, incY, a[lo*lda:], lda)
	})
	return true
}

// forward returns the n elements of x in their order, which a negative
// increment reverses.
func forward[T float](n int, x []T, inc int) ([]T, int) {
	if inc > 0 {
		return x, inc
	}
	ordered := make([]T, n)
	for i := range ordered {
		ordered[i] = x[(i-n+1)*inc]
	}
	return ordered, 1
}

func large(m, n int) bool { return m > 0 && n > 0 && m*n >= 2*level2Part }

// gemvOf is gonum's Sgemv or Dgemv.
func gemvOf[T float](tA blas.Transpose, m, n int, alpha T, a []T, lda int, x []T, incX int, beta T, y []T, incY int) {
	switch a := any(a).(type) {
	case []float32:
		gonum.Implementation{}.Sgemv(tA, m, n, float32(alpha), a, lda, any(x).([]float32), incX, float32(beta), any(y).([]float32), incY)
	case []float64:
		gonum.Implementation{}.Dgemv(tA, m, n, float64(alpha), a, lda, any(x).([]float64), incX, float64(beta), any(y).([]float64), incY)
	}
}

// gerOf is gonum's Sger or Dger.
func gerOf[T float](m, n int, alpha T, x []T, incX int, y []T, incY int, a []T, lda int) {
	switch a := any(a).(type) {
	case []float32:
		gonum.Implementation{}.Sger(m, n, float32(alpha), any(x).([]float32), incX, any(y).([]float32), incY, a, lda)
	case []float64:
		gonum.Implementation{}.Dger(m, n, float64(alpha), any(x).([]float64), incX, any(y).([]float64), incY, a, lda)
	}
}

// dotOf is gonum's Sdot or Ddot of n elements in a row.
func dotOf[T float](n int, x, y []T) T {
	switch x := any(x).(type) {
	case []float32:
		return T(gonum.Implementation{}.Sdot(n, x, 1, any(y).([]float32), 1))
	case []float64:
		return T(gonum.Implementation{}.Ddot(n, x, 1, any(y).([]float64), 1))
	}
	panic("no float")
}
