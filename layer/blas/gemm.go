package blas

import (
	"github.com/affine-go/affine/internal/cpu"
	"github.com/affine-go/affine/internal/kernel"
	"gonum.org/v1/gonum/blas"
)

// Sgemm computes
//
//	C = alpha·op(A)·op(B) + beta·C
//
// where op(X) is X, or Xᵀ if tA or tB says Trans or ConjTrans: op(A) is m×k,
// op(B) k×n and C m×n. With beta = 0 C is not read, with alpha = 0 neither are A
// and B. C must not overlap A or B.
func (i Implementation) Sgemm(tA, tB blas.Transpose, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int) {
	if !gemm(tA, tB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc) {
		i.Implementation.Sgemm(tA, tB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
	}
}

// Dgemm is [Implementation.Sgemm] in float64.
func (i Implementation) Dgemm(tA, tB blas.Transpose, m, n, k int, alpha float64, a []float64, lda int, b []float64, ldb int, beta float64, c []float64, ldc int) {
	if !gemm(tA, tB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc) {
		i.Implementation.Dgemm(tA, tB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
	}
}

const (
	// tinyWork is up to how many multiply-adds a plain loop takes less time than
	// setting up the kernels, some 100 ns. Measured on a Zen 3 with AVX2, as the
	// next ones.
	tinyWork = 64
	// fewTerms is up to how many terms of a sum a plain loop over the rows of C
	// takes less time, for as many elements of C as fewElements says.
	fewTerms, fewElements = 2, 128
	// fewRows is up to how many elements of A products of a row of A with B are
	// faster, one by one.
	fewRows = 16
	// fewDots is up to how many elements of A·Bᵀ are faster one by one.
	fewDots = 4
)

func gemm[T float](tA, tB blas.Transpose, m, n, k int, alpha T, a []T, lda int, b []T, ldb int, beta T, c []T, ldc int) bool {
	transA, transB := tA != blas.NoTrans, tB != blas.NoTrans
	rowsA, colsA, rowsB, colsB := m, k, k, n
	if transA {
		rowsA, colsA = k, m
	}
	if transB {
		rowsB, colsB = n, k
	}
	if !known(tA) || !known(tB) || m <= 0 || n <= 0 || k <= 0 ||
		!holds(a, rowsA, colsA, lda) || !holds(b, rowsB, colsB, ldb) || !holds(c, m, n, ldc) {
		return false
	}
	multiply(transA, transB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
	return true
}

// multiply is gemm for good arguments.
func multiply[T float](transA, transB bool, m, n, k int, alpha T, a []T, lda int, b []T, ldb int, beta T, c []T, ldc int) {
	switch {
	case alpha == 0:
	case k <= fewTerms && (!transB || k == 1 && ldb == 1) && m <= fewElements && n <= fewElements && m*n <= fewElements:
		outer(transA, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
		return
	case !transA && transB && k > tinyWork/fewDots && m <= fewDots && n <= fewDots && m*n <= fewDots:
		for i := range m {
			for j := range n {
				sum := alpha * dotOf(k, a[i*lda:], b[j*ldb:])
				if beta != 0 {
					sum += beta * c[i*ldc+j]
				}
				c[i*ldc+j] = sum
			}
		}
		return
	case m <= tinyWork && n <= tinyWork && k <= tinyWork && m*n*k <= tinyWork:
		tiny(transA, transB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
		return
	case !transB && k > fewTerms && m <= fewRows && k <= fewRows && m*k <= fewRows:
		var row [fewRows]T
		for i := range m {
			x := row[:k]
			for l := range x {
				if transA {
					x[l] = a[l*lda+i]
				} else {
					x[l] = a[i*lda+l]
				}
			}
			gemvOf(blas.Trans, k, n, alpha, b, ldb, x, 1, beta, c[i*ldc:][:n], 1)
		}
		return
	case !transA && transB && m == 1: // the row of C
		gemvOf(blas.NoTrans, n, k, alpha, b, ldb, a[:k], 1, beta, c[:n], 1)
		return
	case !transA && transB && n == 1: // the column of C
		gemvOf(blas.NoTrans, m, k, alpha, a, lda, b[:k], 1, beta, c, ldc)
		return
	}
	rowsA, colsA, rowsB, colsB := m, k, k, n
	if transA {
		rowsA, colsA = k, m
	}
	if transB {
		rowsB, colsB = n, k
	}
	cpu.Gemm(transA, transB, alpha, view(a, rowsA, colsA, lda), view(b, rowsB, colsB, ldb), beta, view(c, m, n, ldc))
}

// tiny computes a product element by element.
func tiny[T float](transA, transB bool, m, n, k int, alpha T, a []T, lda int, b []T, ldb int, beta T, c []T, ldc int) {
	// From one row of op(A) to the next, and from one term of a sum to the next.
	rowA, termA, colB, termB := lda, 1, 1, ldb
	if transA {
		rowA, termA = 1, lda
	}
	if transB {
		colB, termB = ldb, 1
	}
	for i := range m {
		row := c[i*ldc:][:n]
		for j := range row {
			var sum T
			x, y := i*rowA, j*colB
			for range k {
				sum += a[x] * b[y]
				x, y = x+termA, y+termB
			}
			sum *= alpha
			if beta != 0 {
				sum += beta * row[j]
			}
			row[j] = sum
		}
	}
}

// outer computes a product of few terms row by row of C. The rows of op(B) lie
// in b.
func outer[T float](transA bool, m, n, k int, alpha T, a []T, lda int, b []T, ldb int, beta T, c []T, ldc int) {
	rowA, termA := lda, 1
	if transA {
		rowA, termA = 1, lda
	}
	for i := range m {
		row := c[i*ldc:][:n]
		first := 0
		if beta == 0 {
			x := alpha * a[i*rowA]
			for j, y := range b[:n] {
				row[j] = x * y
			}
			first = 1
		} else if beta != 1 {
			for j := range row {
				row[j] *= beta
			}
		}
		for l := first; l < k; l++ {
			x := alpha * a[i*rowA+l*termA]
			for j, y := range b[l*ldb:][:n] {
				row[j] += x * y
			}
		}
	}
}

func view[T float](s []T, rows, cols, ld int) kernel.Matrix[T] {
	return kernel.Matrix[T]{Data: s[:(rows-1)*ld+cols], Rows: rows, Cols: cols, Stride: ld}
}
