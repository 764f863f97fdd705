//go:build gpu

package cuda

import "math"

// gradient places a gradient, which the kernel zeroes where zero is set.
func gradient[T Float](c *call, g []T, zero bool) uint64 {
	if zero {
		return inout(c, row(g)).addr
	}
	return input(c, row(g)).addr
}

// moment places a moment, nothing where it is not used.
func moment[T Float](c *call, m []T, used bool) uint64 {
	if !used {
		return 0
	}
	return inout(c, row(m)).addr
}

// SGD updates w by one step.
func SGD[T Float](d *Device, w, g, momentum []T, s SGDStep) error {
	c, err := d.begin()
	if err != nil {
		return err
	}
	if n := len(w); n > 0 {
		c.launch(kSGD, typeOf[T](), d.blocks(n), 1, inout(c, row(w)).addr, gradient(c, g, s.ZeroGrad),
			moment(c, momentum, s.Momentum != 0), uint64(n), c.scalars(s.LR), float(s.Momentum), float(1-s.Dampening),
			float(s.WeightDecay), whether(s.Nesterov), whether(s.First), whether(s.ZeroGrad))
	}
	return c.end()
}

// Adam updates w by one step.
func Adam[T Float](d *Device, w, g, m, v []T, s AdamStep) error {
	c, err := d.begin()
	if err != nil {
		return err
	}
	if n := len(w); n > 0 {
		t := float64(s.Step)
		rate, root := s.LR/(1-math.Pow(s.Beta1, t)), math.Sqrt(1-math.Pow(s.Beta2, t))
		decay, keep := s.WeightDecay, 1.0
		if s.Decoupled {
			decay, keep = 0, 1-s.LR*s.WeightDecay
		}
		c.launch(kAdam, typeOf[T](), d.blocks(n), 1, inout(c, row(w)).addr, gradient(c, g, s.ZeroGrad), moment(c, m, true),
			moment(c, v, true), uint64(n), c.scalars(rate, root, keep), float(s.Beta1), float(s.Beta2), float(s.Eps),
			float(decay), whether(s.ZeroGrad))
	}
	return c.end()
}

// RMSprop updates w by one step.
func RMSprop[T Float](d *Device, w, g, square, momentum, mean []T, s RMSpropStep) error {
	c, err := d.begin()
	if err != nil {
		return err
	}
	if n := len(w); n > 0 {
		c.launch(kRMSprop, typeOf[T](), d.blocks(n), 1, inout(c, row(w)).addr, gradient(c, g, s.ZeroGrad),
			moment(c, square, true), moment(c, momentum, s.Momentum > 0), moment(c, mean, s.Centered), uint64(n),
			c.scalars(s.LR), float(s.Alpha), float(s.Eps), float(s.WeightDecay), float(s.Momentum), whether(s.ZeroGrad))
	}
	return c.end()
}

// Adagrad updates w by one step.
func Adagrad[T Float](d *Device, w, g, sum []T, s AdagradStep) error {
	c, err := d.begin()
	if err != nil {
		return err
	}
	if n := len(w); n > 0 {
		rate := s.LR / (1 + float64(s.Step-1)*s.LRDecay)
		c.launch(kAdagrad, typeOf[T](), d.blocks(n), 1, inout(c, row(w)).addr, gradient(c, g, s.ZeroGrad), moment(c, sum, true),
			uint64(n), c.scalars(rate), float(s.WeightDecay), float(s.Eps), whether(s.ZeroGrad))
	}
	return c.end()
}
