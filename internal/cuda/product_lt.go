//go:build gpu

package cuda

import (
	"log/slog"
	"os"

	"github.com/affine-go/affine/internal/cuda/driver"
	"github.com/affine-go/affine/internal/kernel"
	"gorgonia.org/cu"
)

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
	if !c.d.lt.Available() || p.saved.addr != 0 || p.form == weightGrad && p.transposed {
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
		TransposeA: p.transB(), TransposeB: p.form == weightGrad,
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
	m, n, k := p.shape()
	rowsA, colsA, rowsB, colsB = m, k, k, n
	if p.form == weightGrad {
		rowsA, colsA = k, m
	}
	if p.transB() {
		rowsB, colsB = n, k
	}
	return rowsA, colsA, rowsB, colsB
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
			biasGrad[T](c, p.db, p.b, place{}, p.n, p.out, activation{})
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
	kind, alpha, limit := p.act.parameters()
	c.launch(kFinishRows, typeOf[T](), c.d.blocks(m*n), 1, p.y.addr, p.y.stride, p.z.addr, p.z.stride, p.bias.addr,
		from.addr, from.stride, uint64(m), uint64(n), kind, alpha, limit)
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
			biasGrad[T](c, q.db, q.b, place{}, q.n, q.out, activation{})
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
