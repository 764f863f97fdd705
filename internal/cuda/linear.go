//go:build gpu

package cuda

import (
	"math"

	"github.com/affine-go/affine/internal/kernel"
)

// The three products of a linear layer.
type form int

const (
	forward form = iota
	inputGrad
	weightGrad
)

// tile is the size of the piece of the result that a block computes. share is
// what part of the card's rate of multiplications its inner loop reaches at best:
// that of FFMA among its instructions.
type tile struct {
	name       string
	rows, cols int
	share      float64
}

var (
	small  = tile{"small", 32, 32, 0.58}
	medium = tile{"medium", 64, 64, 0.81}
	large  = tile{"large", 128, 128, 0.9}
)

func (t tile) count(m, n int) int { return (m + t.rows - 1) / t.rows * ((n + t.cols - 1) / t.cols) }

const (
	// splitDepth is the least depth of the inner dimension for a part of its own.
	splitDepth = 128
	// maxSplits is the largest number of parts.
	maxSplits = 64
	// splitCost is what adding up partial results costs, in the multiplications
	// that a multiprocessor does in half the time of a launch, some 1 µs.
	splitCost = 200_000
	// partCost is what it costs to store and load a partial result.
	partCost = 70
)

// split chooses into how many parts the inner dimension of k is split, and tells
// what the product then costs. A multiprocessor takes one block after the other:
// the cost is that of the busiest one, in waves over the card.
func (d *Device) split(tile tile, m, n, k int) (splits int, cost float64) {
	cost = math.Inf(1)
	for s := 1; s == 1 || s <= min(maxSplits, k/splitDepth) && tile.count(m, n) <= tileCounters; s *= 2 {
		waves := (tile.count(m, n)*s + d.processors - 1) / d.processors
		c := float64(waves) * tile.blockCost(k, s)
		if s > 1 {
			c += splitCost + partCost*float64(m*n*s)/float64(d.processors)
		}
		if c < cost {
			splits, cost = s, c
		}
	}
	return splits, cost
}

// blockCost is what a block costs, in multiplications.
func (t tile) blockCost(k, splits int) float64 {
	return float64(t.rows*t.cols) * float64((k+splits-1)/splits) / t.share
}

// plan chooses the tile for a result of m×n with an inner dimension of k.
func (d *Device) plan(t typed, m, n, k int) (best tile, splits int) {
	least := math.Inf(1)
	for _, tile := range []tile{large, medium, small} {
		if tile == large && t == f64 {
			continue
		}
		if s, cost := d.split(tile, m, n, k); cost < least {
			best, splits, least = tile, s, cost
		}
	}
	return best, splits
}

// product is C[m, n] = A·B of some form, with what is done to the sums.
type product[T kernel.Float] struct {
	form       form
	n          int // rows of X and Y
	in, out    int
	transposed bool  // W, or dW, lies in memory transposed
	a, b       place // the factors: X·W, dY·Wᵀ or Xᵀ·dY
	saved      place // the quantity that act' is written in
	y, z       place
	bias       place
	act        activation // applied to the sums, or through saved to dY
	db         place      // of the weight gradient, if the bias gradient is wanted too
}

// shape returns rows, columns and depth of the product.
func (p *product[T]) shape() (m, n, k int) {
	switch p.form {
	case inputGrad:
		return p.n, p.in, p.out
	case weightGrad:
		return p.in, p.out, p.n
	}
	return p.n, p.out, p.in
}

// transB reports whether b lies in memory transposed.
func (p *product[T]) transB() bool {
	return p.form == forward && p.transposed || p.form == inputGrad && !p.transposed
}

// run adds the product to the call, by cublasLt if that is faster. It reports
// whether db came with it.
func (p *product[T]) run(c *call) (withBias bool) {
	m, n, k := p.shape()
	if m == 0 || n == 0 {
		return false
	}
	if m*n*k >= ltWork {
		if done, withBias := p.byCublasLt(c); done {
			return withBias
		}
		c.d.warn(typeOf[T](), m*n*k)
	}
	p.own(c)
	return false
}

// own adds the product, without db, by this package's kernels.
func (p *product[T]) own(c *call) {
	m, n, k := p.shape()
	tile, splits := c.d.plan(typeOf[T](), m, n, k)
	q := *p
	q.db = place{}
	c.launch(kProducts[tile], typeOf[T](), tile.count(m, n)*splits, 1, q.words(c, tile, splits, 0)...)
}

// productWords is the number of fields of kernels/product.cuh's Product.
const productWords = 28

// words returns the fields of the kernel's Product. counter is the first of the
// counters of tiles that it may use.
func (p *product[T]) words(c *call, tile tile, splits, counter int) []uint64 {
	m, n, k := p.shape()
	size := sizeOf[T]()
	var parts, sumParts uint64
	if splits > 1 {
		parts = c.room(splits * m * n * size)
		if p.db.addr != 0 {
			sumParts = c.room(splits * n * 8)
		}
	}
	kind, alpha, limit := p.act.parameters()
	return []uint64{
		p.a.addr, p.b.addr, p.a.stride, p.b.stride, whether(p.form == weightGrad), whether(p.transB()),
		p.saved.addr, p.saved.stride, whether(p.form == inputGrad),
		p.y.addr, p.z.addr, p.bias.addr, p.y.stride, p.z.stride, whether(p.form == weightGrad && p.transposed),
		p.db.addr, uint64(m), uint64(n), uint64(k), kind, alpha, limit,
		uint64(tile.count(m, n) * splits), uint64(splits), parts, sumParts, c.d.space.counters + 4*uint64(counter), 0,
	}
}

// Linear computes Y = act(X·W + b), and Z = X·W + b if z is given.
func (k Kernels[T]) Linear(y, z, x, w kernel.Matrix[T], b []T, a kernel.Activation) error {
	act, err := activationOf(a)
	if err != nil {
		return err
	}
	c, err := k.device.begin()
	if err != nil {
		return err
	}
	p := product[T]{form: forward, n: x.Rows, in: x.Cols, out: w.Cols, transposed: w.Transposed, act: act}
	if p.n > 0 && p.out > 0 {
		p.a, p.b = input(c, x), input(c, w.Stored())
		if b != nil {
			p.bias = input(c, row(b))
		}
		p.y = output(c, y)
		if z.Given() {
			p.z = output(c, z)
		}
		p.run(c)
	}
	return c.end()
}

// LinearBackward computes those gradients of Y = act(X·W + b) that are given room.
func (k Kernels[T]) LinearBackward(dx, dw kernel.Matrix[T], db []T, x, w, dy, saved kernel.Matrix[T], a kernel.Activation) error {
	act, err := activationOf(a)
	if err != nil {
		return err
	}
	c, err := k.device.begin()
	if err != nil {
		return err
	}
	b := backward[T]{n: dy.Rows, out: dy.Cols, dy: input(c, dy), transposedW: w.Transposed, transposedDW: dw.Transposed}
	if act.Kind != kernel.Identity && dy.Extent() > 0 {
		b.act, b.saved = act, input(c, saved)
	}
	if dx.Given() && dx.Extent() > 0 {
		b.in = dx.Cols
		b.w, b.dx = input(c, w.Stored()), output(c, dx)
	}
	if dw.Given() && dw.Extent() > 0 {
		b.in = dw.Rows
		b.x, b.dw = input(c, x), output(c, dw.Stored())
	}
	if len(db) > 0 {
		b.db = output(c, row(db))
	}
	b.run(c)
	return c.end()
}
