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
	// next two.
	tinyWork = 64
	// fewRows is up to how many elements of A products of a row of A with B are
	// faster, one by one.
	fewRows = 16
	// thin is up to how many rows, or columns, A·Bᵀ is computed one by one: B is
	// then read too seldom to be packed.
	thin = 3
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
	case m <= tinyWork && n <= tinyWork && k <= tinyWork && m*n*k <= tinyWork:
		tiny(transA, transB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
		return
	case !transB && m <= fewRows && k <= fewRows && m*k <= fewRows:
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
	case !transA && transB && m <= thin && m <= n: // rows of C
		for i := range m {
			gemvOf(blas.NoTrans, n, k, alpha, b, ldb, a[i*lda:][:k], 1, beta, c[i*ldc:][:n], 1)
		}
		return
	case !transA && transB && n <= thin: // columns of C
		for j := range n {
			gemvOf(blas.NoTrans, m, k, alpha, a, lda, b[j*ldb:][:k], 1, beta, c[j:], ldc)
		}
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

func view[T float](s []T, rows, cols, ld int) kernel.Matrix[T] {
	return kernel.Matrix[T]{Data: s[:(rows-1)*ld+cols], Rows: rows, Cols: cols, Stride: ld}
}
