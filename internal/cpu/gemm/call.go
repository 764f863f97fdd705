package gemm

import (
	"github.com/affine-go/affine/internal/cpu/threads"
	"github.com/affine-go/affine/internal/kernel"
)

// A call is one call of this package that several threads may share. It goes
// through stages; each consists of some work, cut into parts that threads take.
type call[T kernel.Float] struct {
	pool         *pool[T]
	work         int // in multiply-adds
	stage        []work[T]
	parts, grain int // of the stage: what threads.Run takes

	strips  [2]strips[T]  // products whose factors are read as they lie
	blocked [2]blocked[T] // products whose factors are packed
	derive  derivation[T]
	sums    rowSums[T]

	// Of LinearBackward.
	dy, saved    kernel.Matrix[T]
	act          kernel.Activation
	db           []T
	dwTransposed bool // dWᵀ = dZᵀ·X is computed
	dz           []T  // dZ, or a factor times alpha
}

// A work is cut into parts, which may be done in any order.
type work[T kernel.Float] interface {
	parts() int
	part(s *scratch[T], i int)
}

// newCall returns a call with so much work.
func newCall[T kernel.Float](work int) *call[T] {
	pool := poolOf[T]()
	c := pool.calls.Get().(*call[T])
	c.pool, c.work = pool, work
	return c
}

// giveBack keeps the call for another, without the references to the caller's
// memory.
func (c *call[T]) giveBack() {
	p, stage := c.pool, c.stage[:0]
	*c = call[T]{dz: c.dz, stage: stage}
	p.calls.Put(c)
}

// setProduct makes one product the stage, with A multiplied by alpha.
func (c *call[T]) setProduct(p *product[T], alpha T) {
	k := kernelsOf[T]()
	if p.small() {
		p.times(&c.dz, alpha)
		c.strips[0] = strips[T]{k, *p}
		c.set(&c.strips[0])
		return
	}
	c.blocked[0].cut(k, p)
	c.blocked[0].alpha = alpha
	c.set(&c.blocked[0])
}

// setDirect makes the gradients the stage, from factors as they lie: dZ, which it
// computes, among them.
func (c *call[T]) setDirect(dx, dw *product[T]) {
	k := kernelsOf[T]()
	if c.act.Kind != kernel.Identity {
		dz := kernel.MatrixOf(grow(&c.dz, c.dy.Rows*c.dy.Cols), c.dy.Rows, c.dy.Cols)
		c.derive = derivation[T]{dz, c.dy, c.saved, c.act}
		c.set(&c.derive)
		threads.Run(c.parts, c.grain, c)
		c.dy, dx.a = dz, dz
		if c.dwTransposed {
			dw.a = dz
		} else {
			dw.b = dz
		}
	}
	c.sums = rowSums[T]{k, c.db, c.dy, kernel.Matrix[T]{}, kernel.Activation{}}
	c.strips[0], c.strips[1] = strips[T]{k, *dx}, strips[T]{k, *dw}
	c.set(&c.sums, &c.strips[0], &c.strips[1])
}

// setBlocked makes the gradients the stage, from packed factors; dZ is made while
// it is packed. db is summed along with dW if dZ is packed as B there.
func (c *call[T]) setBlocked(dx, dw *product[T]) {
	k := kernelsOf[T]()
	x, w := &c.blocked[0], &c.blocked[1]
	x.cut(k, dx)
	w.cut(k, dw)
	dz := &w.b
	if c.dwTransposed {
		dz = &w.a
	}
	for _, f := range []*factor[T]{&x.a, dz} {
		f.act, f.saved = c.act, c.saved
	}
	c.sums = rowSums[T]{k, c.db, c.dy, c.saved, c.act}
	if w.parts() > 0 && !c.dwTransposed {
		w.sums, c.sums.db = c.db, nil
	}
	c.set(w, x, &c.sums)
}

// set makes some work the stage, to be shared by threads if that is worth it.
func (c *call[T]) set(stage ...work[T]) {
	c.stage = append(c.stage[:0], stage...)
	c.parts, c.grain = 0, 1
	for _, w := range c.stage {
		c.parts += w.parts()
	}
	if c.work < limits.parallel {
		c.grain = c.parts
	}
}

// Run does some parts of the stage.
func (c *call[T]) Run(lo, hi int) {
	s := takeScratch[T]()
	for i := lo; i < hi; i++ {
		at := i
		for _, w := range c.stage {
			if n := w.parts(); at >= n {
				at -= n
				continue
			}
			w.part(s, at)
			break
		}
	}
	s.giveBack()
}
