// Package gemm computes matrix products: those of a linear layer, with their
// epilogues ([Linear], [LinearBackward]), and BLAS's general one ([Gemm]).
//
// The words are BLIS's. A micro-kernel computes a tile of MR rows × NR columns
// of C in registers. Large products are cut into blocks of MC rows × KC terms of
// A and panels of KC terms × NR columns of B, which are packed: copied into the
// order that the micro-kernel reads them in (blocked.go). Small products are
// read as they lie (direct.go), and plain Go has a way of its own (vectors.go).
// What an instruction set has to offer is in one
// table, [kernels]: that of plain Go is in kernels_generic.go, those of the
// assembly are generated (gemm_*_table_*.go).
//
// All sums add their terms in blocks of the same lengths, see splitDepth, and no
// sum is split by thread. Results are the same bits on any number of threads,
// and an element of C has the same bits however many rows and columns are
// computed with it ([Gemm] and the gradients of few rows apart, which may be
// computed by dot products).
package gemm

import (
	"github.com/affine-go/affine/internal/cpu/elementwise"
	"github.com/affine-go/affine/internal/cpu/threads"
	"github.com/affine-go/affine/internal/kernel"
)

// Gemm computes C = alpha·op(A)·op(B) + beta·C, BLAS's general product, where
// op(A) [m, k] is A, or Aᵀ if transA is set, and likewise op(B) [k, n]:
//
//	A [m, k] or [k, m]   B [k, n] or [n, k]   C [m, n]
//
// With beta = 0 C is not read, with alpha = 0 neither are A and B. C must not
// overlap A or B.
func Gemm[T kernel.Float](transA, transB bool, alpha T, a, b kernel.Matrix[T], beta T, c kernel.Matrix[T]) {
	depth := a.Cols
	if transA {
		depth = a.Rows
	}
	if depth == 0 || alpha == 0 {
		scaleRows(c, beta)
		return
	}
	p := product[T]{
		m: c.Rows, n: c.Cols, depth: depth,
		a: a, aRows: !transA, b: b, bRows: transB,
		c: c, beta: beta,
		anyOrder: beta == 0,
	}
	work := p.cost()
	if p.small() && work < limits.parallel {
		s := takeScratch[T]()
		p.times(&s.dz, alpha)
		kernelsOf[T]().direct(s, &p)
		s.giveBack()
		return
	}
	call := newCall[T](work)
	call.setProduct(&p, alpha)
	threads.Run(call.parts, call.grain, call)
	call.giveBack()
}

// times multiplies the smaller factor with alpha, in a copy.
func (p *product[T]) times(buffer *[]T, alpha T) {
	if alpha == 1 {
		return
	}
	m := &p.a
	if p.n < p.m {
		m = &p.b
	}
	scaled := kernel.MatrixOf(grow(buffer, m.Rows*m.Cols), m.Rows, m.Cols)
	for i := range m.Rows {
		copy(scaled.Row(i), m.Row(i))
	}
	elementwise.Scale(scaled.Data, alpha)
	*m = scaled
}

// scaleRows multiplies a matrix with beta. With beta = 0 it is not read.
func scaleRows[T kernel.Float](c kernel.Matrix[T], beta T) {
	if beta == 1 || c.Cols == 0 {
		return
	}
	for i := range c.Rows {
		if row := c.Row(i); beta == 0 {
			clear(row)
		} else {
			elementwise.Scale(row, beta)
		}
	}
}

// startAt makes the sums of a tile start at beta·C: it multiplies C, if need
// be, and returns whether the micro-kernel adds it.
func startAt[T kernel.Float](c kernel.Matrix[T], beta T) (add int) {
	if beta == 0 {
		return 0
	}
	scaleRows(c, beta)
	return 1
}
