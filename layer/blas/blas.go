// Package blas is a BLAS for gonum and Gorgonia with this module's kernels:
//
//	gorgonia.Use(blas.Implementation{})
//
// makes Gorgonia's built-in ops multiply matrices with them, and
//
//	blas32.Use(blas.Implementation{})
//	blas64.Use(blas.Implementation{})
//
// does so for gonum's mat and lapack. In float32 and float64 it has its own
// Gemm, Gemv, Ger and Syrk; everything else is gonum's. Results do not depend on
// GOMAXPROCS.
package blas

import (
	"github.com/affine-go/affine/internal/cpu"
	"github.com/affine-go/affine/internal/kernel"
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"
)

// Implementation implements blas.Float32, blas.Float64, blas.Complex64 and
// blas.Complex128 of gonum, which is what gorgonia.Use, tensor.Use, blas32.Use
// and blas64.Use take. It has no state; its zero value is ready, and any number
// of goroutines may use it. Matrices are row-major. Methods panic on bad
// arguments, with the words of gonum's.
type Implementation struct{ gonum.Implementation }

var (
	_ blas.Float32    = Implementation{}
	_ blas.Float64    = Implementation{}
	_ blas.Complex64  = Implementation{}
	_ blas.Complex128 = Implementation{}
)

type float interface{ float32 | float64 }

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

// Functions like gemm return false, and do nothing, if there is nothing to
// compute or arguments are bad. gonum's method then returns or panics as gonum
// does.

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
	cpu.Gemm(transA, transB, alpha, view(a, rowsA, colsA, lda), view(b, rowsB, colsB, ldb), beta, view(c, m, n, ldc))
	return true
}

func known(t blas.Transpose) bool { return t == blas.NoTrans || t == blas.Trans || t == blas.ConjTrans }

// holds reports whether a slice has all elements of a matrix of positive size
// with leading dimension ld.
func holds[T float](s []T, rows, cols, ld int) bool {
	return ld >= cols && len(s) >= (rows-1)*ld+cols
}

func view[T float](s []T, rows, cols, ld int) kernel.Matrix[T] {
	return kernel.Matrix[T]{Data: s[:(rows-1)*ld+cols], Rows: rows, Cols: cols, Stride: ld}
}
