package blas

import (
	"sync"

	"gonum.org/v1/gonum/blas"
)

// Ssyrk computes one triangle of the symmetric
//
//	C = alpha·A·Aᵀ + beta·C or, if tA says Trans or ConjTrans, alpha·Aᵀ·A + beta·C
//
// C is n×n, A n×k or k×n. The other triangle is neither read nor written. With
// beta = 0 C is not read.
func (i Implementation) Ssyrk(ul blas.Uplo, tA blas.Transpose, n, k int, alpha float32, a []float32, lda int, beta float32, c []float32, ldc int) {
	if !syrk(&squares32, ul, tA, n, k, alpha, a, lda, beta, c, ldc) {
		i.Implementation.Ssyrk(ul, tA, n, k, alpha, a, lda, beta, c, ldc)
	}
}

// Dsyrk is [Implementation.Ssyrk] in float64.
func (i Implementation) Dsyrk(ul blas.Uplo, tA blas.Transpose, n, k int, alpha float64, a []float64, lda int, beta float64, c []float64, ldc int) {
	if !syrk(&squares64, ul, tA, n, k, alpha, a, lda, beta, c, ldc) {
		i.Implementation.Dsyrk(ul, tA, n, k, alpha, a, lda, beta, c, ldc)
	}
}

// syrkSquare is up to how many rows both triangles are computed and one of them
// is thrown away, which is faster than smaller products.
const syrkSquare = 64

// syrkRows is from how many rows, or columns, on products are faster than
// gonum's dot products, measured on a Zen 3 with AVX2.
const syrkRows = 16

// Squares of syrkSquare × syrkSquare, for the products of both triangles.
var (
	squares32 = sync.Pool{New: func() any { return new([syrkSquare * syrkSquare]float32) }}
	squares64 = sync.Pool{New: func() any { return new([syrkSquare * syrkSquare]float64) }}
)

func syrk[T float](squares *sync.Pool, ul blas.Uplo, tA blas.Transpose, n, k int, alpha T, a []T, lda int, beta T, c []T, ldc int) bool {
	rows, cols := n, k
	if tA != blas.NoTrans {
		rows, cols = k, n
	}
	if tA == blas.NoTrans && n < syrkRows && k < syrkRows {
		return false // gonum's sums of one element after the other are faster
	}
	if ul != blas.Lower && ul != blas.Upper || !known(tA) || n <= 0 || k <= 0 || alpha == 0 ||
		!holds(a, rows, cols, lda) || !holds(c, n, n, ldc) {
		return false
	}
	square := squares.Get().(*[syrkSquare * syrkSquare]T)
	t := triangle[T]{lower: ul == blas.Lower, trans: tA != blas.NoTrans, k: k, alpha: alpha, beta: beta,
		a: a, lda: lda, c: c, ldc: ldc, square: square[:]}
	t.compute(0, n)
	squares.Put(square)
	return true
}

// A triangle is one call of syrk.
type triangle[T float] struct {
	lower, trans bool
	k            int
	alpha, beta  T
	a, c         []T
	lda, ldc     int
	square       []T
}

// compute computes the triangle of C from row and column i0 to i1: of both
// halves their triangles, and between these a rectangle, which is most of it.
func (t *triangle[T]) compute(i0, i1 int) {
	n := i1 - i0
	if n <= syrkSquare {
		t.both(i0, i1)
		return
	}
	half := i0 + (n/2+syrkSquare-1)/syrkSquare*syrkSquare
	t.compute(i0, half)
	t.compute(half, i1)
	if t.lower {
		t.product(half, i1, i0, half, t.beta, t.c[half*t.ldc+i0:], t.ldc)
	} else {
		t.product(i0, half, half, i1, t.beta, t.c[i0*t.ldc+half:], t.ldc)
	}
}

// product computes rows i0 to i1 and columns j0 to j1 into c.
func (t *triangle[T]) product(i0, i1, j0, j1 int, beta T, c []T, ldc int) {
	if t.trans {
		multiply(true, false, i1-i0, j1-j0, t.k, t.alpha, t.a[i0:], t.lda, t.a[j0:], t.lda, beta, c, ldc)
		return
	}
	multiply(false, true, i1-i0, j1-j0, t.k, t.alpha, t.a[i0*t.lda:], t.lda, t.a[j0*t.lda:], t.lda, beta, c, ldc)
}

// both computes a whole square and takes a triangle of it.
func (t *triangle[T]) both(i0, i1 int) {
	n := i1 - i0
	t.product(i0, i1, i0, i1, 0, t.square, n)
	for i := range n {
		from, row := t.square[i*n:][:n], t.c[(i0+i)*t.ldc+i0:][:n]
		if t.lower {
			from, row = from[:i+1], row[:i+1]
		} else {
			from, row = from[i:], row[i:]
		}
		for j, v := range from {
			if t.beta != 0 {
				v += t.beta * row[j]
			}
			row[j] = v
		}
	}
}
