package gemm

import (
	"github.com/affine-go/affine/internal/cpu/elementwise"
	"github.com/affine-go/affine/internal/kernel"
)

// A product is C = act(A·B + bias + beta·C): m×n sums of depth terms.
type product[T kernel.Float] struct {
	m, n, depth int
	a, b        kernel.Matrix[T]
	// The terms of a sum lie along rows of A if aRows is set, and along its
	// columns else; likewise for B.
	aRows, bRows bool
	c, z         kernel.Matrix[T] // z, the sums before act, may be missing
	bias         []T              // may be nil
	beta         T                // beta·C is added to the sums; 0: C is not read
	act          kernel.Activation
	anyOrder     bool // terms may be added in another order than in larger products
}

// work returns the number of multiply-adds.
func (p *product[T]) work() int { return p.m * p.n * p.depth }

// limits are amounts of work. Tests change them.
var limits = struct {
	// direct and directColumns: up to so many multiply-adds, times the square of
	// an element's bytes, factors are read as they lie; the second is for an A
	// whose rows run down its columns, which is read in steps of a row. Measured
	// on a Xeon (Granite Rapids) with AVX-512: a float32 forward of 64×64×64 then
	// takes 2.7 µs instead of 4.3, of 192×192×192 60 to 74 instead of 75 to 85, and
	// with 256×256×256 the two are even. On a Zen 3 with AVX2, float32 of
	// 256×256×256 has 92 GFLOP/s instead of 83, but with Aᵀ 80 instead of 84, and
	// float64 of 192×192×192 with Aᵀ has 36 instead of 44.
	direct, directColumns int
	// parallel: from so many multiply-adds on several threads share the work. It
	// is then some 20 µs for one of them, and waking another takes 5.
	parallel int
	// sweep: from this many bytes of B on, products of few rows go along its
	// rows. With one row and 2048×2048 that takes 0.65 ms instead of 2.1 on two
	// cores of a Zen 3; with 784×512, which L2 and L3 hold, the two are even.
	sweep int
}{1 << 29, 1 << 27, 1 << 21, 1 << 21}

// small tells whether packing A and B would cost more than it gains: everything
// is in the cache, or A or B is read but once or twice.
func (p *product[T]) small() bool {
	limit := limits.direct
	if !p.aRows {
		limit = limits.directColumns
	}
	return p.work() <= limit/(size[T]()*size[T]()) ||
		limit >= 0 && (min(p.m, p.depth, p.n/4) <= 16 || kernelsOf[T]().addProduct != nil)
}

// part returns rows i0 to i1 and columns j0 to j1 of the product.
func (p *product[T]) part(i0, i1, j0, j1 int) product[T] {
	q := *p
	q.m, q.n = i1-i0, j1-j0
	if p.aRows {
		q.a = p.a.View(i0, i1, 0, p.depth)
	} else {
		q.a = p.a.View(0, p.depth, i0, i1)
	}
	if p.bRows {
		q.b = p.b.View(j0, j1, 0, p.depth)
	} else {
		q.b = p.b.View(0, p.depth, j0, j1)
	}
	q.c, q.z = p.c.View(i0, i1, j0, j1), p.z.View(i0, i1, j0, j1)
	q.bias = p.bias[min(j0, len(p.bias)):]
	return q
}

// activate applies to C, which is still in the cache, an activation that the
// micro-kernels lack.
func (p *product[T]) activate() {
	from := p.c
	if p.z.Given() {
		from = p.z
	}
	if p.n == p.c.Stride && p.n == from.Stride {
		elementwise.Activate(p.c.Data[:p.m*p.n], from.Data[:p.m*p.n], p.act)
		return
	}
	for i := range p.m {
		elementwise.Activate(p.c.Row(i), from.Row(i), p.act)
	}
}

// A split cuts a length into pieces whose sizes differ by at most step.
type split struct {
	pieces, size int // size is that of the first pieces
	big          int // pieces after these are step shorter
	step, length int
}

// splitEvenly cuts length into the fewest pieces of at most limit, in multiples
// of step but for the last.
func splitEvenly(length, limit, step int) split {
	if length == 0 {
		return split{step: step}
	}
	pieces := (length + limit - 1) / limit
	units := (length + step - 1) / step
	size := (units + pieces - 1) / pieces
	return split{pieces: pieces, size: size * step, big: units - pieces*(size-1), step: step, length: length}
}

// start returns where piece i begins.
func (s split) start(i int) int {
	return min(i*s.size-max(i-s.big, 0)*s.step, s.length)
}

// bounds returns where piece i begins and ends.
func (s split) bounds(i int) (lo, hi int) { return s.start(i), s.start(i + 1) }
