//go:build gpu

package cuda

import (
	"errors"

	"github.com/affine-go/affine/internal/cuda/driver"
	"github.com/affine-go/affine/internal/kernel"
)

// The three products of a linear layer.
type form int

const (
	forward form = iota
	inputGrad
	weightGrad
)

// tile is the size of the piece of the result that a block computes.
type tile struct {
	name       string
	rows, cols int
}

var (
	small  = tile{"small", 32, 32}
	medium = tile{"medium", 64, 64}
	large  = tile{"large", 128, 128}
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

// splitDepth is the least depth of the inner dimension for a part of its own.
const splitDepth = 128

// plan chooses the tile for a result of m×n, the largest that leaves no part of
// the card idle, and into how many parts the inner dimension of k is split
// where even the small tiles are too few.
func (d *Device) plan(t typed, m, n, k int) (tile, int) {
	if t == f32 && large.count(m, n) >= d.processors {
		return large, 1
	}
	if medium.count(m, n) >= d.processors/2 && m > small.rows && n > small.cols {
		return medium, 1
	}
	return small, max(1, min(2*d.processors/small.count(m, n), k/splitDepth, 64))
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
	if done, withBias := p.byCublasLt(c); done {
		return withBias
	}
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
	return false
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

// byCublasLt adds the product as a call of cublasLt, if that is there, the
// product is large and its operands lie as it wants them. cublasLt counts
// columns first: it computes the transposed product of the same memory,
// (A·B)ᵀ = Bᵀ·Aᵀ. It reports whether that was done, and whether db came with it.
func (p *product[T]) byCublasLt(c *call) (done, withBias bool) {
	m, n, k := p.shape()
	if !c.d.lt.Available() || m*n*k < ltWork || p.slope.addr != 0 {
		return false, false
	}
	key := driver.LtKey{Float64: typeOf[T]() == f64, TF32: c.d.tf32, M: n, N: m, K: k, StrideD: int(p.y.stride)}
	first, second := p.b, p.a
	switch p.form {
	case inputGrad:
		key.TransposeA = true
	case weightGrad:
		key.TransposeB = true
	}
	key.StrideA, key.StrideB = int(first.stride), int(second.stride)
	for _, addr := range []uint64{first.addr, second.addr, p.y.addr, p.z.addr, p.bias.addr, p.db.addr} {
		if addr%driver.LtAlignment != 0 {
			return false, false
		}
	}
	// Its epilogue adds the bias and takes ReLU, or sums the columns of dY. What
	// else is wanted comes after it.
	to, rest := p.y, *p
	rest.bias = place{}
	bias := p.bias.addr
	if bias != 0 {
		key.Epilogue = driver.LtBias
	}
	if p.db.addr != 0 {
		bias, key.Epilogue = p.db.addr, driver.LtBiasGrad
	}
	switch {
	case p.form != forward || p.act.Kind == kernel.Identity && p.z.addr == 0:
		rest.act = activation{}
	case p.act.Kind == kernel.ReLU && p.z.addr == 0:
		key.Epilogue |= driver.LtReLU
		rest.act = activation{}
	case p.z.addr != 0:
		to, key.StrideD = p.z, int(p.z.stride)
	}
	plan := c.d.ltPlan(key)
	if plan == nil && key.Epilogue != 0 {
		key.Epilogue = 0
		rest = *p
		plan = c.d.ltPlan(key)
	}
	if plan == nil {
		return false, false
	}
	var workspace uint64
	if plan.Workspace > 0 {
		workspace = c.room(plan.Workspace)
	}
	c.work = append(c.work, plan.Work(first.addr, second.addr, to.addr, bias, workspace))
	if rest.act.Kind != kernel.Identity || rest.bias.addr != 0 || rest.z.addr != 0 {
		rest.finish(c, to)
	}
	return true, key.Epilogue == driver.LtBiasGrad
}

// finish applies bias and activation to a product that lies at from.
func (p *product[T]) finish(c *call, from place) {
	m, n, _ := p.shape()
	c.launch(kFinishRows, typeOf[T](), c.d.blocks(m*n), 1, p.y.addr, p.y.stride, p.z.addr, p.z.stride, p.bias.addr,
		from.addr, from.stride, uint64(m), uint64(n), p.act.number, float(p.act.Alpha))
}

// ltPlan returns cublasLt's way to do a product, or nil where it has none. The
// answer is kept.
func (d *Device) ltPlan(key driver.LtKey) *driver.LtPlan {
	plan, known := d.ltPlans[key]
	if !known {
		leave := d.enter()
		plan = d.lt.Plan(key)
		leave()
		if d.ltPlans == nil {
			d.ltPlans = map[driver.LtKey]*driver.LtPlan{}
		}
		d.ltPlans[key] = plan
	}
	return plan
}
