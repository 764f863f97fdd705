//go:build gpu

package cuda

import (
	"errors"
	"fmt"
	"math"
	"unsafe"

	"github.com/affine-go/affine/internal/kernel"
)

// Activate computes y = act(z); y may be z. With Identity it copies, and where
// one of the two lies in host memory, straight from or to there: reading managed
// memory on the host would move its pages there and back.
func (k Kernels[T]) Activate(y, z []T, a kernel.Activation) error {
	d := k.device
	act, err := activationOf(a)
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
		kind, alpha, limit := act.parameters()
		c.launch(kActivate, typeOf[T](), d.blocks(n), 1, py, pz, uint64(n), kind, alpha, limit)
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
func (k Kernels[T]) ActivationBackward(dz, dy, saved []T, a kernel.Activation, order int) error {
	d := k.device
	act, err := activationOf(a)
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
		kind, alpha, limit := act.parameters()
		c.launch(kActivationBackward, typeOf[T](), d.blocks(n), 1, pdz, pdy, pa.addr, uint64(n), kind, alpha, limit, uint64(order))
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

// Dropout has no kernel here.
func (Kernels[T]) Dropout(kernel.Matrix[T], kernel.Matrix[T], kernel.Dropout) error {
	return errors.New("this device has no kernel for it, want the processor")
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
	if src.Rows > math.MaxInt32 {
		c.abandon()
		return fmt.Errorf("gather rows of a matrix of %d rows, want at most %d", src.Rows, math.MaxInt32)
	}
	if dst.Extent() > 0 {
		psrc, pdst := input(c, src), output(c, dst)
		// In words of 4 bytes.
		words := uint64(sizeOf[T]() / 4)
		g := gather{pdst.addr, pdst.stride * words, psrc.addr, psrc.stride * words, uint64(dst.Cols) * words}
		if c.host || !d.steps.joins(g, index) {
			c.launch(kGatherRows, untyped, d.blocks(32*dst.Rows), 1, g.dst, g.strideDst, g.src, g.strideSrc,
				c.indices(index), uint64(dst.Rows), g.words)
		}
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

// lossCall is the launch of a loss: its kernel and the arguments before those
// for the gradient.
type lossCall struct {
	point  entry
	typed  typed
	blocks int
	args   [6]uint64
	n      int // of args
	count  float64
}

// launch adds the loss to a call, with a gradient to dz where that is given.
func (l *lossCall) launch(c *call, dz place, factor float64, total [5]uint64) {
	args := append(l.args[:l.n:l.n], dz.addr)
	if l.point == kCrossEntropy {
		args = append(args, dz.stride)
	}
	args = append(append(args, float(factor)), total[:]...)
	c.launch(l.point, l.typed, min(l.blocks, reductionBlocks), 1, args...)
}

// value ends a call that computes a loss. Within a step the number is not known
// yet; NaN stands for it.
func (l *lossCall) value(c *call) (float64, error) {
	s := &c.d.steps
	if !s.active || s.losses == stepLosses {
		l.launch(c, place{}, 0, c.total(l.count, &c.d.results[0], 0))
		return c.read()
	}
	total := c.total(l.count, &c.d.results[1+s.losses*stepSlots], s.block)
	l.launch(c, place{}, 0, total)
	s.loss.at = 0
	if !c.host {
		s.loss.at, s.loss.call, s.loss.total = len(s.work), *l, total
	}
	s.losses++
	return math.NaN(), c.end()
}

// gradient ends a call that computes a loss's gradient. Within a step, right
// after the loss of the same numbers, that computes it on the way.
func (l *lossCall) gradient(c *call, dz place, factor float64) error {
	s := &c.d.steps
	if s.active && !c.host && s.loss.at > 0 && s.loss.at == len(s.work)-1 && s.loss.call == *l {
		l.launch(c, dz, factor, s.loss.total)
		s.loss.at = 0
		if c.err == nil {
			s.work[len(s.work)-1] = c.work[len(c.work)-1]
			c.work = c.work[:len(c.work)-1]
		}
		return c.end()
	}
	l.launch(c, dz, factor, c.total(1, nil, 0))
	return c.end()
}

func crossEntropy[T kernel.Float](c *call, logits, targets kernel.Matrix[T]) lossCall {
	z, t := input(c, logits), input(c, targets)
	return lossCall{point: kCrossEntropy, typed: typeOf[T](), blocks: c.d.blocks(32 * logits.Rows), n: 6, count: float64(logits.Rows),
		args: [6]uint64{z.addr, z.stride, t.addr, t.stride, uint64(logits.Rows), uint64(logits.Cols)}}
}

// SoftmaxCrossEntropy returns the mean over rows of −Σ_j t_j·log softmax(z)_j.
func (k Kernels[T]) SoftmaxCrossEntropy(logits, targets kernel.Matrix[T]) (T, error) {
	c, err := k.device.begin()
	if err != nil {
		return 0, err
	}
	l := crossEntropy(c, logits, targets)
	v, err := l.value(c)
	return T(v), err
}

// SoftmaxCrossEntropyBackward computes scale/n·(softmax(z)·Σ_j t_j − t).
func (k Kernels[T]) SoftmaxCrossEntropyBackward(dlogits, logits, targets kernel.Matrix[T], scale T) error {
	c, err := k.device.begin()
	if err != nil || logits.Extent() == 0 {
		return c.nothing(err)
	}
	l := crossEntropy(c, logits, targets)
	return l.gradient(c, output(c, dlogits), float64(scale)/float64(logits.Rows))
}

// meanLoss is a loss that is a mean over elements.
func meanLoss[T kernel.Float](c *call, point entry, p, t []T) lossCall {
	pp, pt := input(c, row(p)), input(c, row(t))
	return lossCall{point: point, typed: typeOf[T](), blocks: c.d.blocks(len(p)), n: 3, count: float64(len(p)),
		args: [6]uint64{pp.addr, pt.addr, uint64(len(p))}}
}

func meanLossValue[T kernel.Float](k Kernels[T], point entry, p, t []T) (T, error) {
	c, err := k.device.begin()
	if err != nil {
		return 0, err
	}
	l := meanLoss(c, point, p, t)
	v, err := l.value(c)
	return T(v), err
}

func meanLossBackward[T kernel.Float](k Kernels[T], point entry, dp, p, t []T, factor float64) error {
	c, err := k.device.begin()
	if err != nil || len(p) == 0 {
		return c.nothing(err)
	}
	l := meanLoss(c, point, p, t)
	return l.gradient(c, output(c, row(dp)), factor/float64(len(p)))
}

// MSE returns the mean of (p − t)².
func (k Kernels[T]) MSE(pred, target []T) (T, error) {
	return meanLossValue(k, kSquaredError, pred, target)
}

// MSEBackward computes scale·2(p − t)/N.
func (k Kernels[T]) MSEBackward(dpred, pred, target []T, scale T) error {
	return meanLossBackward(k, kSquaredError, dpred, pred, target, 2*float64(scale))
}

// BinaryCrossEntropy returns the mean of max(z, 0) − z·t + log(1 + e^−|z|).
func (k Kernels[T]) BinaryCrossEntropy(logits, targets []T) (T, error) {
	return meanLossValue(k, kLogisticLoss, logits, targets)
}

// BinaryCrossEntropyBackward computes scale·(σ(z) − t)/N.
func (k Kernels[T]) BinaryCrossEntropyBackward(dlogits, logits, targets []T, scale T) error {
	return meanLossBackward(k, kLogisticLoss, dlogits, logits, targets, float64(scale))
}
