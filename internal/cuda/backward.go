//go:build gpu

package cuda

import (
	"math"

	"github.com/affine-go/affine/internal/kernel"
	"gorgonia.org/cu"
)

// backward is the backward pass of a linear layer. Places that are not given are
// zero: those gradients are not wanted.
type backward[T kernel.Float] struct {
	n, in, out                int
	dy, saved, w, x           place
	dx, dw, db                place
	act                       activation
	transposedW, transposedDW bool
}

// backwardKey is what the time of a backward pass depends on.
type backwardKey struct {
	typed                     typed
	precision                 precision
	n, in, out                int
	dx, dw, db, saved         bool
	transposedW, transposedDW bool
	kind                      kernel.ActivationKind
}

const (
	// chainWork is the least number of multiplications for which a pass of its own
	// over dY ⊙ act', and one for the sums of db, pay: the products then have
	// nothing to do but multiply.
	chainWork = 1 << 25
	// curveReads is how often an act' with an exponential in it is computed anew
	// for each element before a pass of its own pays.
	curveReads = 4
	// rowsPerBlock is how many rows a block of bias_grad sums before it pays to
	// share them among more blocks.
	rowsPerBlock = 1024
	// maxShares is the largest number of blocks that share them.
	maxShares = 256
)

// run adds the backward pass to the call, in the way that is faster.
func (b *backward[T]) run(c *call) {
	b.add(c, c.d.lt.Available() && b.n*b.in*b.out >= ltWork && b.byCublasLt(c))
}

// products returns those of dX and dW; one that is not wanted has no columns.
func (b *backward[T]) products() (x, w product[T]) {
	x = product[T]{form: inputGrad, n: b.n, in: b.in, out: b.out, transposed: b.transposedW,
		a: b.dy, b: b.w, saved: b.saved, y: b.dx, act: b.act}
	w = product[T]{form: weightGrad, n: b.n, in: b.in, out: b.out, transposed: b.transposedDW,
		a: b.x, b: b.dy, saved: b.saved, y: b.dw, act: b.act, db: b.db}
	return x, w
}

// add adds the work of the backward pass: with cublasLt, as products of their
// own after a pass over dY ⊙ act'; without, as one launch unless that is too much
// for it.
func (b *backward[T]) add(c *call, lt bool) {
	q := *b
	large := b.n*b.in*b.out >= chainWork
	reads := (b.in + small.cols - 1) / small.cols
	if q.saved.addr != 0 && (lt || large || reads > curveReads && !q.act.Kind.Info().InMicroKernel) {
		q.chain(c)
	}
	x, w := q.products()
	switch {
	case lt:
		if q.dx.addr != 0 {
			x.run(c)
		}
		if q.dw.addr != 0 && w.run(c) {
			q.db = place{}
		}
	case large:
		if q.dx.addr != 0 {
			x.own(c)
		}
		if q.dw.addr != 0 {
			w.own(c)
		}
	case q.dx.addr != 0 || q.dw.addr != 0:
		q.together(c, &x, &w)
		if q.dw.addr != 0 {
			q.db = place{}
		}
	}
	if q.db.addr != 0 {
		biasGrad[T](c, q.db, q.dy, q.saved, q.n, q.out, q.act)
	}
}

// chain puts dY ⊙ act' in the place of dY.
func (b *backward[T]) chain(c *call) {
	dz := place{c.room(b.n * b.out * sizeOf[T]()), uint64(b.out)}
	kind, alpha, limit := b.act.parameters()
	c.launch(kChainRows, typeOf[T](), c.d.blocks(b.n*b.out), 1, dz.addr, b.dy.addr, b.dy.stride, b.saved.addr, b.saved.stride,
		uint64(b.n), uint64(b.out), kind, alpha, limit)
	b.dy, b.saved, b.act = dz, place{}, activation{}
}

// together adds one launch for both products and db: dX has the first blocks, dW
// the others.
func (b *backward[T]) together(c *call, x, w *product[T]) {
	var best tile
	var splits [2]int
	least := math.Inf(1)
	for _, tile := range []tile{medium, small} {
		// Both share the card: what all blocks cost, and the longest at the end.
		var s [2]int
		var all, longest float64
		for i, p := range []*product[T]{x, w} {
			if p.y.addr == 0 {
				continue
			}
			m, n, k := p.shape()
			s[i], _ = c.d.split(tile, m, n, k)
			each := tile.blockCost(k, s[i])
			all += each * float64(tile.count(m, n)*s[i])
			longest = max(longest, each)
		}
		if cost := all/float64(c.d.processors) + longest; cost < least {
			best, splits, least = tile, s, cost
		}
	}
	var words [2 * productWords]uint64
	blocks, counters := 0, 0
	for i, p := range []*product[T]{x, w} {
		if p.y.addr == 0 {
			continue
		}
		m, n, _ := p.shape()
		copy(words[i*productWords:], p.words(c, best, splits[i], counters))
		blocks += best.count(m, n) * splits[i]
		if splits[i] > 1 {
			counters += best.count(m, n)
		}
	}
	c.launch(kProducts[best], typeOf[T](), blocks, 1, words[:]...)
}

// biasGrad adds the sum over rows of dY ⊙ act'.
func biasGrad[T kernel.Float](c *call, db, dy, saved place, n, out int, act activation) {
	const cols = 32
	across := (out + cols - 1) / cols
	shares := max(1, min(n/rowsPerBlock, 4*c.d.processors/across, maxShares))
	if across > tileCounters {
		shares = 1
	}
	var parts uint64
	if shares > 1 {
		parts = c.room(shares * out * 8)
	}
	kind, alpha, limit := act.parameters()
	c.launch(kBiasGrad, typeOf[T](), across, shares, db.addr, dy.addr, dy.stride, saved.addr, saved.stride, uint64(n), uint64(out),
		kind, alpha, limit, parts, c.d.space.counters)
}

// byCublasLt reports whether the backward pass is faster with cublasLt. That is
// measured when such a pass is met for the first time, on results of its own.
func (b *backward[T]) byCublasLt(c *call) bool {
	d := c.d
	key := backwardKey{typeOf[T](), d.precision, b.n, b.in, b.out, b.dx.addr != 0, b.dw.addr != 0, b.db.addr != 0, b.saved.addr != 0,
		b.transposedW, b.transposedDW, b.act.Kind}
	faster, known := d.byLt[key]
	if known {
		return faster
	}
	leave := d.enter()
	defer leave()
	rows := uint64(b.n)
	wRows := uint64(b.in)
	if b.transposedDW {
		wRows = uint64(b.out)
	}
	size := uint64(sizeOf[T]())
	bytesX, bytesW := (rows*b.dx.stride*size+granule)/granule*granule, (wRows*b.dw.stride*size+granule)/granule*granule
	scratch, err := cu.MemAlloc(int64(bytesX + bytesW + uint64(b.out)*size))
	if err != nil {
		return true // there is no room to measure
	}
	defer cu.MemFree(scratch)
	q := *b
	for _, p := range []struct {
		place  *place
		offset uint64
	}{{&q.dx, 0}, {&q.dw, bytesX}, {&q.db, bytesX + bytesW}} {
		if p.place.addr != 0 {
			p.place.addr = uint64(scratch) + p.offset
		}
	}
	var times [2]float64
	for i, lt := range []bool{false, true} {
		work := c.collected(func() { q.add(c, lt) })
		if c.err != nil {
			return false
		}
		if times[i], err = d.queue.Time(work); err != nil {
			c.fail(err)
			return false
		}
	}
	if d.byLt == nil {
		d.byLt = map[backwardKey]bool{}
	}
	d.byLt[key] = times[1] < times[0]
	return d.byLt[key]
}
