package gemm

import (
	"github.com/affine-go/affine/internal/cpu/elementwise"
	"github.com/affine-go/affine/internal/kernel"
)

// A derivation is the work of dZ = dY ⊙ act', if dZ is to lie in memory.
type derivation[T kernel.Float] struct {
	dz, dy, saved kernel.Matrix[T]
	act           kernel.Activation
}

// deriveElements is about how many elements of dZ one part makes.
const deriveElements = 1 << 13

func (d *derivation[T]) rows() int { return max(1, deriveElements/max(d.dz.Cols, 1)) }

func (d *derivation[T]) parts() int { return (d.dz.Rows + d.rows() - 1) / d.rows() }

func (d *derivation[T]) part(_ *scratch[T], i int) {
	lo, hi, n := i*d.rows(), min((i+1)*d.rows(), d.dz.Rows), d.dz.Cols
	activationBackward(d.dz.View(lo, hi, 0, n), d.dy.View(lo, hi, 0, n), d.saved.View(lo, hi, 0, n), d.act)
}

// activationBackward computes dZ = dY ⊙ act'.
func activationBackward[T kernel.Float](dz, dy, saved kernel.Matrix[T], act kernel.Activation) {
	if n := dz.Cols; n == dz.Stride && n == dy.Stride && n == saved.Stride {
		all := dz.Rows * n
		elementwise.ActivationBackward(dz.Data[:all], dy.Data[:all], saved.Data[:all], act, 1)
		return
	}
	for i := range dz.Rows {
		elementwise.ActivationBackward(dz.Row(i), dy.Row(i), saved.Row(i), act, 1)
	}
}

// rowSums is the work of db = Σ over rows of dY ⊙ act', if it is not done along
// with dW.
type rowSums[T kernel.Float] struct {
	*kernels[T]
	db        []T
	dy, saved kernel.Matrix[T]
	act       kernel.Activation
}

// sumColumns is how many columns one part sums, whole vectors all.
const sumColumns = 128

func (r *rowSums[T]) parts() int { return (len(r.db) + sumColumns - 1) / sumColumns }

func (r *rowSums[T]) part(s *scratch[T], i int) {
	j0, j1 := i*sumColumns, min((i+1)*sumColumns, len(r.db))
	sums, blocks := r.db[j0:j1], splitDepth(r.dy.Rows)
	clear(sums)
	for b := range blocks.pieces {
		lo, hi := blocks.bounds(b)
		dz := r.dy.View(lo, hi, j0, j1)
		if r.act.Kind != kernel.Identity {
			dz = kernel.Matrix[T]{Data: grow(&s.dz, kc*sumColumns), Rows: hi - lo, Cols: j1 - j0, Stride: sumColumns}
			r.deriveRows(s, r.act, dz, r.dy.View(lo, hi, j0, j1), r.saved.View(lo, hi, j0, j1))
		}
		r.addBlock(s, sums, dz, b == 0)
	}
}

// sumRows computes the sums over all rows of a matrix, in blocks as products
// have them.
func (k *kernels[T]) sumRows(s *scratch[T], sums []T, m kernel.Matrix[T]) {
	clear(sums)
	if m.Rows <= kc {
		k.addRows(s, sums, m)
		return
	}
	blocks := splitDepth(m.Rows)
	for b := range blocks.pieces {
		lo, hi := blocks.bounds(b)
		k.addBlock(s, sums, m.View(lo, hi, 0, m.Cols), b == 0)
	}
}

// addBlock adds the sums over the rows of a block to sums, which hold zeros
// before the first. A block is summed by itself: errors then grow with the
// number of blocks and the rows in one, not with that of all rows.
func (k *kernels[T]) addBlock(s *scratch[T], sums []T, m kernel.Matrix[T], first bool) {
	if first {
		k.addRows(s, sums, m)
		return
	}
	block := grow(&s.sums, len(sums))
	clear(block)
	k.addRows(s, block, m)
	k.addRows(s, sums, kernel.MatrixOf(block, 1, len(sums)))
}

// addRows adds all rows of a matrix to sums, which may be nil.
func (k *kernels[T]) addRows(s *scratch[T], sums []T, m kernel.Matrix[T]) {
	if len(sums) == 0 || m.Rows == 0 {
		return
	}
	p := &s.pack
	p.dst, p.src = &sums[0], &m.Data[0]
	p.srcStep = m.Stride * size[T]()
	p.n = m.Rows
	p.vectors = (len(sums) + k.lanes - 1) / k.lanes
	p.load[0] = k.masks[len(sums)-(p.vectors-1)*k.lanes]
	k.addUp(p)
}
