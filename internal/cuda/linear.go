//go:build gpu

package cuda

import (
	"errors"
	"log/slog"
	"math"
	"os"

	"github.com/affine-go/affine/internal/cuda/driver"
	"github.com/affine-go/affine/internal/kernel"
	"gorgonia.org/cu"
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
	small  = tile{"small", 32, 32, 0.34}
	medium = tile{"medium", 64, 64, 0.53}
	large  = tile{"large", 128, 128, 0.72}
)

func (t tile) count(m, n int) int { return (m + t.rows - 1) / t.rows * ((n + t.cols - 1) / t.cols) }

// productEntries are the kernels by form and tile.
func productEntries() (kernels [3]map[tile]entry) {
	for f, name := range []string{"forward", "input_grad", "weight_grad"} {
		kernels[f] = map[tile]entry{}
		for _, t := range []tile{small, medium, large} {
			kernels[f][t] = entryPoint("linear_"+t.name, name+"_"+t.name)
		}
	}
	return kernels
}

const (
	// splitDepth is the least depth of the inner dimension for a part of its own.
	splitDepth = 128
	// maxSplits is the largest number of parts.
	maxSplits = 64
	// splitCost is what adding up partial results costs, in the multiplications
	// that a multiprocessor does in the time of a launch, some 2 µs.
	splitCost = 400_000
	// partCost is what it costs to store and load a partial result.
	partCost = 70
)

// plan chooses the tile for a result of m×n, and into how many parts the inner
// dimension of k is split. A multiprocessor takes one block after the other: the
// cost is that of the blocks of the busiest one, in waves over the card.
func (d *Device) plan(t typed, m, n, k int) (best tile, splits int) {
	least := math.Inf(1)
	for _, tile := range []tile{large, medium, small} {
		if tile == large && t == f64 {
			continue
		}
		for s := 1; s == 1 || s <= min(maxSplits, k/splitDepth); s *= 2 {
			waves := (tile.count(m, n)*s + d.processors - 1) / d.processors
			cost := float64(waves*tile.rows*tile.cols) * float64((k+s-1)/s) / tile.share
			if s > 1 {
				cost += splitCost + partCost*float64(m*n*s)/float64(d.processors)
			}
			if cost < least {
				best, splits, least = tile, s, cost
			}
		}
	}
	return best, splits
}

// product is C[m, n] = A·B of some form, with what is done to the sums.
type product[T kernel.Float] struct {
	form    form
	n       int // rows of X and Y
	in, out int
	a, b    place // the factors in the order of the kernel's arguments
	slope   place // the quantity that act' is written in
	y, z    place
	bias    place
	act     activation // applied to the sums, or through slope to dY
	db      place      // of the weight gradient: where the bias gradient is wanted too
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

// run adds the product to the call. It reports whether db came with it.
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

// own adds the product by this package's kernels.
func (p *product[T]) own(c *call) {
	m, n, k := p.shape()
	t := typeOf[T]()
	tile, splits := c.d.plan(t, m, n, k)
	y, z, bias, kind := p.y, p.z, p.bias, p.act.number
	if splits > 1 {
		y = place{c.room(splits * m * n * sizeOf[T]()), uint64(n)}
		z, bias = place{}, place{}
		if p.form == forward {
			kind = numbers[kernel.Identity]
		}
	}
	N, in, out := uint64(p.n), uint64(p.in), uint64(p.out)
	point, blocks := productKernels[p.form][tile], tile.count(m, n)
	switch p.form {
	case forward:
		c.launch(point, t, blocks, splits, y.addr, y.stride, z.addr, z.stride, p.a.addr, p.a.stride,
			p.b.addr, p.b.stride, bias.addr, N, in, out, kind, float(p.act.Alpha))
	case inputGrad:
		c.launch(point, t, blocks, splits, y.addr, y.stride, p.a.addr, p.a.stride, p.slope.addr, p.slope.stride,
			p.b.addr, p.b.stride, N, in, out, kind, float(p.act.Alpha))
	case weightGrad:
		c.launch(point, t, blocks, splits, y.addr, y.stride, p.a.addr, p.a.stride, p.b.addr, p.b.stride,
			p.slope.addr, p.slope.stride, N, in, out, kind, float(p.act.Alpha))
	}
	if splits > 1 {
		p.combine(c, y.addr, splits)
	}
}

// combine adds up partial results and does what remains to be done.
func (p *product[T]) combine(c *call, parts uint64, splits int) {
	m, n, _ := p.shape()
	act := p.act
	if p.form != forward {
		act = activation{}
	}
	c.launch(kCombine, typeOf[T](), c.d.blocks(m*n), 1, p.y.addr, p.y.stride, p.z.addr, p.z.stride, p.bias.addr,
		parts, uint64(splits), uint64(m), uint64(n), act.number, float(act.Alpha))
}

// errTransposed refuses what is not implemented yet.
var errTransposed = errors.New("transposed weights are not implemented for CUDA")

// Linear computes Y = act(X·W + b), and Z = X·W + b where z is given.
func (k Kernels[T]) Linear(y, z, x, w kernel.Matrix[T], b []T, kind kernel.Activation) error {
	d := k.device
	act, err := activationOf(kind)
	if err != nil {
		return err
	}
	if w.Transposed {
		return errTransposed
	}
	c, err := d.begin()
	if err != nil {
		return err
	}
	p := product[T]{form: forward, n: x.Rows, in: x.Cols, out: w.Cols, act: act}
	if p.n > 0 && p.out > 0 {
		p.a, p.b = input(c, x), input(c, w)
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
func (k Kernels[T]) LinearBackward(dx, dw kernel.Matrix[T], db []T, x, w, dy, saved kernel.Matrix[T], kind kernel.Activation) error {
	d := k.device
	act, err := activationOf(kind)
	if err != nil {
		return err
	}
	if w.Transposed || dw.Transposed {
		return errTransposed
	}
	c, err := d.begin()
	if err != nil {
		return err
	}
	n, out := dy.Rows, dy.Cols
	pdy := input(c, dy)
	var slope place
	if act.Kind != kernel.Identity {
		slope = input(c, saved)
		// One pass over dY ⊙ act' pays where it is read more than once, where
		// act' is expensive and where cublasLt is to read it.
		uses := 0
		for _, wanted := range []bool{dx.Given(), dw.Given(), db != nil} {
			if wanted {
				uses++
			}
		}
		if uses > 1 || !act.Kind.Info().InMicroKernel && act.Kind.Saved() == kernel.SavedZ || d.lt.Available() {
			dz := place{c.room(n * out * sizeOf[T]()), uint64(out)}
			if n > 0 && out > 0 {
				c.launch(kChainRows, typeOf[T](), d.blocks(n*out), 1, dz.addr, pdy.addr, pdy.stride, slope.addr, slope.stride,
					uint64(n), uint64(out), act.number, float(act.Alpha))
			}
			pdy, slope, act = dz, place{}, activation{}
		}
	}
	if dx.Given() && dx.Extent() > 0 {
		p := product[T]{form: inputGrad, n: n, in: dx.Cols, out: out, act: act, a: pdy, slope: slope}
		p.b, p.y = input(c, w), output(c, dx)
		p.run(c)
	}
	var pdb place
	if len(db) > 0 {
		pdb = output(c, row(db))
	}
	withBias := false
	if dw.Given() && dw.Extent() > 0 {
		p := product[T]{form: weightGrad, n: n, in: dw.Rows, out: out, act: act, b: pdy, slope: slope, db: pdb}
		p.a, p.y = input(c, x), output(c, dw)
		withBias = p.run(c)
	}
	if len(db) > 0 && !withBias {
		biasGrad(c, pdb, pdy, slope, n, out, act, typeOf[T](), sizeOf[T]())
	}
	return c.end()
}

// rowsPerBlock is how many rows a block of bias_grad sums before it pays to
// share them among more blocks.
const rowsPerBlock = 1024

// biasGrad adds the sum over rows of dY ⊙ act'.
func biasGrad(c *call, db, dy, slope place, n, out int, act activation, t typed, size int) {
	const cols = 32
	across := (out + cols - 1) / cols
	shares := max(1, min(n/rowsPerBlock, 4*c.d.processors/across, 256))
	to := db.addr
	if shares > 1 {
		to = c.room(shares * out * size)
	}
	c.launch(kBiasGrad, t, across, shares, to, dy.addr, dy.stride, slope.addr, slope.stride, uint64(n), uint64(out),
		act.number, float(act.Alpha))
	if shares > 1 {
		c.launch(kCombine, t, c.d.blocks(out), 1, db.addr, uint64(out), 0, 0, 0, to, uint64(shares), 1, uint64(out), 0, 0)
	}
}

// ltWork is the least number of multiplications for which cublasLt is called.
const ltWork = 1 << 18

// warnWork is the least number of multiplications from which on a product
// without cublasLt is worth a word.
const warnWork = 1 << 27

// warn says once that products are slower than they need be.
func (d *Device) warn(t typed, work int) {
	if d.warned || d.lt.Available() || t != f32 || work < warnWork || os.Getenv("AFFINE_CUBLASLT") == "0" {
		return
	}
	d.warned = true
	slog.Warn("large matrix products run without cublasLt, and slower", "device", d.name(), "reason", d.noLt)
}

// byCublasLt adds the product as a call of cublasLt, if that is there, does it
// faster and finds its operands as it wants them. It reports whether that was
// done, and whether db came with it.
func (p *product[T]) byCublasLt(c *call) (done, withBias bool) {
	if !c.d.lt.Available() || p.slope.addr != 0 {
		return false, false
	}
	for _, addr := range []uint64{p.a.addr, p.b.addr, p.y.addr, p.z.addr, p.bias.addr, p.db.addr} {
		if addr%driver.LtAlignment != 0 {
			return false, false
		}
	}
	key, alone := p.ltKey(c.d, true)
	plan := p.ltPlan(c, key, alone)
	if plan == nil && key.Epilogue != 0 {
		key, alone = p.ltKey(c.d, false)
		plan = p.ltPlan(c, key, alone)
	}
	if plan == nil {
		return false, false
	}
	c.work = append(c.work, p.byPlan(c, plan, key, alone)...)
	return true, key.Epilogue == driver.LtBiasGrad
}

// ltKey says what cublasLt is to do. It counts columns first, and computes the
// transposed product of the same memory, (A·B)ᵀ = Bᵀ·Aᵀ. Its epilogue adds the
// bias and takes ReLU, or sums the columns of dY. What remains of the product
// comes after it: alone reports that nothing does.
func (p *product[T]) ltKey(d *Device, epilogue bool) (key driver.LtKey, alone bool) {
	m, n, k := p.shape()
	float64s := typeOf[T]() == f64
	key = driver.LtKey{Float64: float64s, TF32: !float64s && d.precision == precisionHigh, BF16: !float64s && d.precision == precisionMedium,
		TransposeA: p.form == inputGrad, TransposeB: p.form == weightGrad,
		M: n, N: m, K: k, StrideA: int(p.b.stride), StrideB: int(p.a.stride), StrideD: int(p.y.stride)}
	if key.BF16 {
		_, colsA, _, colsB := p.factors()
		key.StrideA, key.StrideB = colsB, colsA
	}
	plain := p.act.Kind == kernel.Identity || p.form != forward
	if p.z.addr != 0 {
		key.StrideD = int(p.z.stride)
	}
	if !epilogue {
		return key, plain && p.bias.addr == 0 && p.z.addr == 0
	}
	if p.bias.addr != 0 {
		key.Epilogue = driver.LtBias
	}
	if p.db.addr != 0 {
		key.Epilogue = driver.LtBiasGrad
	}
	if !plain && p.act.Kind == kernel.ReLU && p.z.addr == 0 {
		key.Epilogue |= driver.LtReLU
		plain = true
	}
	return key, plain && p.z.addr == 0
}

// factors returns the shapes of a and b as they lie in memory.
func (p *product[T]) factors() (rowsA, colsA, rowsB, colsB int) {
	switch p.form {
	case inputGrad:
		return p.n, p.out, p.in, p.out
	case weightGrad:
		return p.n, p.in, p.n, p.out
	}
	return p.n, p.in, p.in, p.out
}

// byPlan returns the work of a product by cublasLt, with what follows it, and
// what does the same without cublasLt if that fails.
func (p *product[T]) byPlan(c *call, plan *driver.LtPlan, key driver.LtKey, alone bool) []driver.Work {
	to, bias := p.y, uint64(0)
	if p.z.addr != 0 {
		to = p.z
	}
	rest := *p
	if key.Epilogue&driver.LtBias != 0 {
		bias, rest.bias = p.bias.addr, place{}
	}
	if key.Epilogue == driver.LtBiasGrad {
		bias = p.db.addr
	}
	var workspace uint64
	if plan.Workspace > 0 {
		workspace = c.room(plan.Workspace)
	}
	first, second := p.b.addr, p.a.addr
	before := c.collected(func() {
		if key.BF16 {
			rowsA, colsA, rowsB, colsB := p.factors()
			second, first = p.rounded(c, p.a, rowsA, colsA), p.rounded(c, p.b, rowsB, colsB)
		}
	})
	after := c.collected(func() {
		if !alone {
			rest.finish(c, to)
		}
	})
	instead := c.collected(func() {
		p.own(c)
		if key.Epilogue == driver.LtBiasGrad {
			biasGrad(c, p.db, p.b, place{}, p.n, p.out, activation{}, typeOf[T](), sizeOf[T]())
		}
	})
	return append(before, plan.Work(first, second, to.addr, bias, workspace, after, instead)...)
}

// rounded returns where a factor lies as bfloat16.
func (p *product[T]) rounded(c *call, from place, rows, cols int) uint64 {
	to := c.room(2 * rows * cols)
	c.launch(kRoundRows, untyped, c.d.blocks(rows*cols), 1, to, from.addr, from.stride, uint64(rows), uint64(cols))
	return to
}

// finish applies bias and activation to a product that lies at from.
func (p *product[T]) finish(c *call, from place) {
	m, n, _ := p.shape()
	c.launch(kFinishRows, typeOf[T](), c.d.blocks(m*n), 1, p.y.addr, p.y.stride, p.z.addr, p.z.stride, p.bias.addr,
		from.addr, from.stride, uint64(m), uint64(n), p.act.number, float(p.act.Alpha))
}

// ltPlan returns cublasLt's fastest way to do a product, or nil if it has none or
// the own kernels are faster. That is measured when a product is met for the
// first time, and kept, so that the numbers of a run do not change.
func (p *product[T]) ltPlan(c *call, key driver.LtKey, alone bool) *driver.LtPlan {
	d := c.d
	plan, known := d.ltPlans[key]
	if !known {
		leave := d.enter()
		plan = p.fastest(c, d.lt.Plans(key), key, alone)
		leave()
		if d.ltPlans == nil {
			d.ltPlans = map[driver.LtKey]*driver.LtPlan{}
		}
		d.ltPlans[key] = plan
	}
	if plan != nil && plan.Failed() != 0 {
		return nil
	}
	return plan
}

// fastest measures the plans and the own kernels, on results of its own. With
// AFFINE_CUBLASLT=first, or without room to measure, it is cublasLt's first plan.
// The context must be current.
func (p *product[T]) fastest(c *call, plans []*driver.LtPlan, key driver.LtKey, alone bool) *driver.LtPlan {
	if len(plans) == 0 {
		return nil
	}
	if os.Getenv("AFFINE_CUBLASLT") == "first" {
		return plans[0]
	}
	m, n, _ := p.shape()
	q, size := *p, sizeOf[T]()
	bytes := (m*int(max(p.y.stride, p.z.stride)) + n) * size
	bytes = (bytes + granule - 1) / granule * granule
	scratch, err := cu.MemAlloc(int64(3 * bytes))
	if err != nil {
		return plans[0]
	}
	defer cu.MemFree(scratch)
	q.y.addr = uint64(scratch)
	if q.z.addr != 0 {
		q.z.addr = uint64(scratch) + uint64(bytes)
	}
	if q.db.addr != 0 {
		q.db.addr = uint64(scratch) + uint64(2*bytes)
	}
	own := c.collected(func() {
		q.own(c)
		if key.Epilogue == driver.LtBiasGrad {
			biasGrad(c, q.db, q.b, place{}, q.n, q.out, activation{}, typeOf[T](), size)
		}
	})
	if c.err != nil {
		return nil
	}
	var best *driver.LtPlan
	least, err := c.d.queue.Time(own)
	if err != nil {
		c.fail(err)
		return nil
	}
	for _, plan := range plans {
		time, err := c.d.queue.Time(q.byPlan(c, plan, key, alone))
		if err != nil {
			c.fail(err)
			return nil
		}
		if plan.Failed() == 0 && time < least {
			best, least = plan, time
		}
	}
	return best
}
