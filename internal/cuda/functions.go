//go:build gpu

package cuda

import (
	"math"
	"unsafe"

	"github.com/affine-go/affine/internal/kernel"
)

// Activate computes y = act(z); y may be z. With Identity it copies, and where
// one of the two lies in host memory, straight from or to there: reading managed
// memory on the host would move its pages there and back.
func (k Kernels[T]) Activate(y, z []T, kind kernel.Activation) error {
	d := k.device
	act, err := activationOf(kind)
	if err != nil {
		return err
	}
	c, err := d.begin()
	if err != nil {
		return err
	}
	if n := len(z); n > 0 && act.Kind == kernel.Identity && unsafe.SliceData(y) != unsafe.SliceData(z) {
		c.copy(ends(c, y), ends(c, z), n*sizeOf[T]())
	} else if n > 0 {
		pz, py := pair(c, z, y)
		c.launch(kActivate, typeOf[T](), d.blocks(n), 1, py, pz, uint64(n), act.number, float(act.Alpha))
	}
	return c.end()
}

// ends returns the address of an end of a copy, in whichever memory it lies.
func ends[T kernel.Float](c *call, data []T) uint64 {
	if p, ok := resident(c, row(data)); ok {
		return p.addr
	}
	c.host = true
	c.pins.Pin(unsafe.SliceData(data))
	return uint64(addressOf(data))
}

// ActivationBackward computes dz = dy ⊙ D(saved); dz may be dy.
func (k Kernels[T]) ActivationBackward(dz, dy, saved []T, kind kernel.Activation, order int) error {
	d := k.device
	act, err := activationOf(kind)
	if err != nil {
		return err
	}
	c, err := d.begin()
	if err != nil {
		return err
	}
	if n := len(saved); n > 0 {
		pa := input(c, row(saved))
		pdy, pdz := pair(c, dy, dz)
		c.launch(kActivationBackward, typeOf[T](), d.blocks(n), 1, pdz, pdy, pa.addr, uint64(n),
			act.number, float(act.Alpha), uint64(order))
	}
	return c.end()
}

// pair places an input and an output that may be the same memory.
func pair[T kernel.Float](c *call, in, out []T) (pin, pout uint64) {
	if unsafe.SliceData(in) == unsafe.SliceData(out) {
		p := inout(c, row(in)).addr
		return p, p
	}
	return input(c, row(in)).addr, output(c, row(out)).addr
}

// Softmax computes each row's softmax; y may be z.
func (k Kernels[T]) Softmax(y, z kernel.Matrix[T]) error {
	d := k.device
	c, err := d.begin()
	if err != nil {
		return err
	}
	if z.Extent() > 0 {
		var py, pz place
		if unsafe.SliceData(y.Data) == unsafe.SliceData(z.Data) {
			pz = inout(c, z)
			py = pz
		} else {
			pz, py = input(c, z), output(c, y)
		}
		c.launch(kSoftmax, typeOf[T](), d.blocks(32*z.Rows), 1, py.addr, py.stride, pz.addr, pz.stride,
			uint64(z.Rows), uint64(z.Cols))
	}
	return c.end()
}

// BroadcastRows copies v into every row of y.
func (k Kernels[T]) BroadcastRows(y kernel.Matrix[T], v []T) error {
	d := k.device
	c, err := d.begin()
	if err != nil {
		return err
	}
	if y.Extent() > 0 {
		pv, py := input(c, row(v)), output(c, y)
		c.launch(kBroadcastRows, typeOf[T](), d.blocks(y.Rows*y.Cols), 1, py.addr, py.stride, pv.addr,
			uint64(y.Rows), uint64(y.Cols))
	}
	return c.end()
}

// GatherRows copies row index[i] of src into row i of dst.
func (k Kernels[T]) GatherRows(dst, src kernel.Matrix[T], index []int) error {
	d := k.device
	c, err := d.begin()
	if err != nil {
		return err
	}
	if dst.Extent() > 0 {
		psrc, pdst := input(c, src), output(c, dst)
		c.launch(kGatherRows, typeOf[T](), d.blocks(dst.Rows*dst.Cols), 1, pdst.addr, pdst.stride, psrc.addr, psrc.stride,
			c.indices(index), uint64(dst.Rows), uint64(dst.Cols))
	}
	return c.end()
}

// Scale multiplies x by s.
func (k Kernels[T]) Scale(x []T, s T) error { return inPlace(k.device, kScale, x, float64(s)) }

// Clamp limits every element to [−limit, limit].
func (k Kernels[T]) Clamp(x []T, limit T) error { return inPlace(k.device, kClamp, x, float64(limit)) }

func inPlace[T kernel.Float](d *Device, k entry, x []T, scalar float64) error {
	c, err := d.begin()
	if err != nil {
		return err
	}
	if n := len(x); n > 0 {
		c.launch(k, typeOf[T](), d.blocks(n), 1, inout(c, row(x)).addr, uint64(n), float(scalar))
	}
	return c.end()
}

// total returns the arguments that a kernel with a sum over the grid takes last.
func (c *call) total(count float64, result *float64, slot uint64) [5]uint64 {
	s := &c.d.space
	return [5]uint64{float(count), s.parts, s.arrived, uint64(uintptr(unsafe.Pointer(result))), slot}
}

// SumOfSquares returns Σ x².
func (k Kernels[T]) SumOfSquares(x []T) (float64, error) {
	d := k.device
	n := len(x)
	if n == 0 {
		return 0, nil
	}
	c, err := d.begin()
	if err != nil {
		return 0, err
	}
	px := input(c, row(x))
	t := c.total(1, &d.results[0], 0)
	c.launch(kSumOfSquares, typeOf[T](), min(d.blocks(n), reductionBlocks), 1, px.addr, uint64(n), t[0], t[1], t[2], t[3], t[4])
	return c.read()
}

// read ends a call whose result is one number.
func (c *call) read() (float64, error) {
	d := c.d
	c.host = true
	err := c.endLocked()
	v := d.results[0]
	c.abandon()
	return v, err
}

// loss ends a call that computes a loss. Within a step the number is not known
// yet; NaN stands for it.
func (c *call) loss(launch func(total [5]uint64)) (float64, error) {
	s := &c.d.steps
	if !s.active || s.losses == stepLosses {
		launch(c.total(c.count, &c.d.results[0], 0))
		return c.read()
	}
	launch(c.total(c.count, &c.d.results[1+s.losses*stepSlots], s.block))
	s.losses++
	return math.NaN(), c.end()
}

// SoftmaxCrossEntropy returns the mean over rows of −Σ_j t_j·log softmax(z)_j.
func (k Kernels[T]) SoftmaxCrossEntropy(logits, targets kernel.Matrix[T]) (T, error) {
	d := k.device
	c, err := d.begin()
	if err != nil {
		return 0, err
	}
	z, t := input(c, logits), input(c, targets)
	rows, cols := logits.Rows, logits.Cols
	c.count = float64(rows)
	l, err := c.loss(func(s [5]uint64) {
		c.launch(kCrossEntropy, typeOf[T](), min(d.blocks(32*rows), reductionBlocks), 1, z.addr, z.stride, t.addr, t.stride,
			uint64(rows), uint64(cols), s[0], s[1], s[2], s[3], s[4])
	})
	return T(l), err
}

// SoftmaxCrossEntropyBackward computes scale/n·(softmax(z)·Σ_j t_j − t).
func (k Kernels[T]) SoftmaxCrossEntropyBackward(dlogits, logits, targets kernel.Matrix[T], scale T) error {
	d := k.device
	c, err := d.begin()
	if err != nil {
		return err
	}
	if rows, cols := logits.Rows, logits.Cols; logits.Extent() > 0 {
		z, t, dz := input(c, logits), input(c, targets), output(c, dlogits)
		c.launch(kCrossEntropyBackward, typeOf[T](), d.blocks(32*rows), 1, dz.addr, dz.stride, z.addr, z.stride, t.addr, t.stride,
			uint64(rows), uint64(cols), float(float64(scale)/float64(rows)))
	}
	return c.end()
}

// MSE returns the mean of (p − t)².
func (k Kernels[T]) MSE(pred, target []T) (T, error) {
	d := k.device
	return meanLoss(d, kSquaredError, pred, target)
}

// MSEBackward computes scale·2(p − t)/N.
func (k Kernels[T]) MSEBackward(dpred, pred, target []T, scale T) error {
	d := k.device
	return meanLossBackward(d, kSquaredErrorBackward, dpred, pred, target, 2*float64(scale))
}

// BinaryCrossEntropy returns the mean of max(z, 0) − z·t + log(1 + e^−|z|).
func (k Kernels[T]) BinaryCrossEntropy(logits, targets []T) (T, error) {
	d := k.device
	return meanLoss(d, kLogisticLoss, logits, targets)
}

// BinaryCrossEntropyBackward computes scale·(σ(z) − t)/N.
func (k Kernels[T]) BinaryCrossEntropyBackward(dlogits, logits, targets []T, scale T) error {
	d := k.device
	return meanLossBackward(d, kLogisticLossBackward, dlogits, logits, targets, float64(scale))
}

func meanLoss[T kernel.Float](d *Device, k entry, p, t []T) (T, error) {
	c, err := d.begin()
	if err != nil {
		return 0, err
	}
	n := len(p)
	pp, pt := input(c, row(p)), input(c, row(t))
	c.count = float64(n)
	l, err := c.loss(func(s [5]uint64) {
		c.launch(k, typeOf[T](), min(d.blocks(n), reductionBlocks), 1, pp.addr, pt.addr, uint64(n), s[0], s[1], s[2], s[3], s[4])
	})
	return T(l), err
}

func meanLossBackward[T kernel.Float](d *Device, k entry, dp, p, t []T, factor float64) error {
	c, err := d.begin()
	if err != nil {
		return err
	}
	if n := len(p); n > 0 {
		pp, pt, pd := input(c, row(p)), input(c, row(t)), output(c, row(dp))
		c.launch(k, typeOf[T](), d.blocks(n), 1, pd.addr, pp.addr, pt.addr, uint64(n), float(factor/float64(n)))
	}
	return c.end()
}
