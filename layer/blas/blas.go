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
//
// Where gonum's BLAS leaves out terms with a zero factor, this one adds them
// all: zero times NaN or infinity is NaN, for matrices of every size.
package blas

import (
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

// Functions like gemm return false, and do nothing, if arguments are bad or
// there is nothing to compute. gonum's method then panics or returns, as gonum
// does.

func known(t blas.Transpose) bool { return t == blas.NoTrans || t == blas.Trans || t == blas.ConjTrans }

// holds reports whether a slice has all elements of a matrix of positive size
// with leading dimension ld.
func holds[T float](s []T, rows, cols, ld int) bool {
	return ld >= cols && len(s) >= (rows-1)*ld+cols
}
