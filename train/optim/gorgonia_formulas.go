package optim

import (
	"math"

	"github.com/affine-go/affine/layer/device"
)

// The formulas of Gorgonia's solvers, see FromGorgonia. Those for scalars are
// written out, since they differ.

// A formula computes one step of one learnable and zeroes the gradient.
type formula[T device.Float] func(k device.Kernels[T], u *update[T]) error

// gorgoniaFormula is the formula of a kind with the moments that it keeps.
type gorgoniaFormula struct {
	float32 formula[float32]
	float64 formula[float64]
	moments [3]string
}

// formulaOf returns the formula that takes the place of a step by the rule, or nil.
func formulaOf[T device.Float](k *kind) formula[T] {
	if k.gorgonia == nil {
		return nil
	}
	if f, ok := any(k.gorgonia.float32).(formula[T]); ok {
		return f
	}
	return any(k.gorgonia.float64).(formula[T])
}

var gorgoniaTakes = []string{"batch_size", "clip", "l1", "l2"}

var gorgoniaVanilla = kind{
	name: "gorgonia-vanilla", takes: gorgoniaTakes,
	defaults: settings{Update: device.Update{Rule: device.SGD}},
	gorgonia: &gorgoniaFormula{stepGorgoniaVanilla[float32], stepGorgoniaVanilla[float64], [3]string{}},
}

func stepGorgoniaVanilla[T device.Float](k device.Kernels[T], u *update[T]) error {
	s := u.gorgonia
	if u.scalar {
		u.w[0] -= T(u.LR) * u.scalarGradient()
		u.g[0] = 0
		return nil
	}
	step := u.Update
	if s.l1 == 0 && !s.clips { // then one pass does all
		step.LR, step.WeightDecay = u.LR/s.batch, s.l2
	} else if err := u.prepare(k, u.w, s.l1, s.l2); err != nil {
		return err
	}
	return u.step(k, u.w, u.g, u.moments, step)
}

var gorgoniaAdam = kind{
	name: "gorgonia-adam", takes: append([]string{"betas", "eps"}, gorgoniaTakes...),
	defaults: settings{Update: device.Update{Rule: device.Adam}},
	gorgonia: &gorgoniaFormula{stepGorgoniaAdam[float32], stepGorgoniaAdam[float64], [3]string{"exp_avg", "exp_avg_sq"}},
}

func stepGorgoniaAdam[T device.Float](k device.Kernels[T], u *update[T]) error {
	s := u.gorgonia
	step := u.Update
	switch {
	case u.scalar:
		u.g[0] = u.scalarGradient()
	case s.l1 == 0 && !s.clips:
		// A gradient that is batch times as large makes m and √v so too: with eps
		// batch times as large the step is the same, and one pass does all.
		step.Eps, step.WeightDecay = u.Eps*s.batch, s.l2
	default:
		if err := u.prepare(k, u.w, s.l1, s.l2); err != nil {
			return err
		}
	}
	return u.step(k, u.w, u.g, u.moments, step)
}

var gorgoniaMomentum = kind{
	name: "gorgonia-momentum", takes: append([]string{"momentum"}, gorgoniaTakes...),
	defaults: settings{Update: device.Update{Rule: device.SGD}},
	gorgonia: &gorgoniaFormula{stepGorgoniaMomentum[float32], stepGorgoniaMomentum[float64], [3]string{"momentum_buffer"}},
}

// stepGorgoniaMomentum keeps m = −c, and the learning rate in it, as c has it.
func stepGorgoniaMomentum[T device.Float](k device.Kernels[T], u *update[T]) error {
	s, m := u.gorgonia, u.moments[0]
	if u.scalar {
		u.w[0] -= T(u.LR) * u.scalarGradient()
		u.g[0] = 0
		return nil
	}
	if err := u.prepare(k, m, -s.l1, -s.l2); err != nil {
		return err
	}
	if err := k.Scale(u.g, T(u.LR)); err != nil {
		return err
	}
	step := device.Update{Rule: u.Rule, LR: 1, Momentum: u.Momentum, ZeroGrad: true}
	if u.Momentum != 0 {
		return u.step(k, u.w, u.g, u.moments, step)
	}
	// m ← g and w ← w − m
	if err := k.Scale(m, 0); err != nil {
		return err
	}
	if err := u.addScaled(k, m, u.g, 1); err != nil {
		return err
	}
	return u.step(k, u.w, u.g, u.moments, step)
}

var gorgoniaRMSProp = kind{
	name: "gorgonia-rmsprop", takes: []string{"alpha", "eps", "clip", "l2"},
	defaults: settings{Update: device.Update{Rule: device.RMSprop}},
	gorgonia: &gorgoniaFormula{stepGorgoniaRMSProp[float32], stepGorgoniaRMSProp[float64], [3]string{"square_avg"}},
}

func stepGorgoniaRMSProp[T device.Float](k device.Kernels[T], u *update[T]) error {
	s := u.gorgonia
	if s.l2 != 0 {
		if err := k.Scale(u.w, T(1-s.l2)); err != nil {
			return err
		}
	}
	step := device.Update{Rule: u.Rule, LR: u.LR, Alpha: u.Alpha, Eps: u.Eps, EpsInRoot: true, ZeroGrad: true}
	if s.clips && !u.scalar { // of a scalar, Gorgonia forgets to clip the gradient
		// v takes the gradient as it is and w the clipped one: a step of v, with
		// what does not matter for w, then one of w alone.
		spare, err := u.spareMemory(k)
		if err != nil {
			return err
		}
		if err := u.step(k, spare, u.g, u.moments, device.Update{Rule: u.Rule, Alpha: u.Alpha, Eps: 1, EpsInRoot: true}); err != nil {
			return err
		}
		if err := k.Clamp(u.g, T(s.clip)); err != nil {
			return err
		}
		step.Alpha = 1
	}
	return u.step(k, u.w, u.g, u.moments, step)
}

var gorgoniaAdaGrad = kind{
	name: "gorgonia-adagrad", takes: []string{"eps"},
	defaults: settings{Update: device.Update{Rule: device.Adagrad}},
	gorgonia: &gorgoniaFormula{stepGorgoniaAdaGrad[float32], stepGorgoniaAdaGrad[float64], [3]string{"sum"}},
}

// stepGorgoniaAdaGrad has ε inside the root by keeping s + ε instead of s.
func stepGorgoniaAdaGrad[T device.Float](k device.Kernels[T], u *update[T]) error {
	if u.scalar { // of a scalar, Gorgonia forgets s
		u.moments[0][0] = T(u.Eps)
	}
	return u.step(k, u.w, u.g, u.moments, device.Update{Rule: u.Rule, LR: u.LR, Step: u.Step, ZeroGrad: true})
}

// prepare computes g ← clamp((g + l1·sign of + l2·of)/batch).
func (u *update[T]) prepare(k device.Kernels[T], of []T, l1, l2 float64) error {
	s := u.gorgonia
	if l1 != 0 {
		// A step of Lion without memory goes against the sign of its gradient, or
		// along with it under Maximize.
		zeros, err := u.spareMemory(k)
		if err != nil {
			return err
		}
		if err := u.step(k, u.g, of, device.Moments[T]{zeros}, device.Update{Rule: device.Lion, LR: math.Abs(l1), Beta2: 1, Maximize: l1 > 0}); err != nil {
			return err
		}
	}
	if l2 != 0 {
		if err := u.addScaled(k, u.g, of, l2); err != nil {
			return err
		}
	}
	if s.batch != 1 {
		if err := k.Scale(u.g, T(1/s.batch)); err != nil {
			return err
		}
	}
	if s.clips && s.clip > 0 {
		return k.Clamp(u.g, T(s.clip))
	}
	return nil
}

// addScaled computes y ← y + factor·x, which is what a step of SGD is.
func (u *update[T]) addScaled(k device.Kernels[T], y, x []T, factor float64) error {
	return u.step(k, y, x, device.Moments[T]{}, device.Update{Rule: device.SGD, LR: -factor})
}

// step has the device make a step, from memory that u keeps for it.
func (u *update[T]) step(k device.Kernels[T], w, g []T, moments device.Moments[T], step device.Update) error {
	u.part = step
	return k.Update(w, g, moments, &u.part)
}

// spareMemory returns zeros as long as w, at first.
func (u *update[T]) spareMemory(k device.Kernels[T]) (spare []T, err error) {
	if u.spare == nil {
		u.spare, err = k.Alloc(len(u.w))
	}
	return u.spare, err
}

// scalarGradient returns what prepare computes, as Gorgonia has it for scalars.
func (u *update[T]) scalarGradient() T {
	s, w, g := u.gorgonia, u.w[0], u.g[0]
	if s.l1 != 0 {
		if w < 0 {
			g -= T(s.l1)
		} else {
			g += T(s.l1)
		}
	}
	g += T(s.l2) * w
	g *= T(1 / s.batch)
	if s.clips {
		// In Gorgonia's order, which matters for a limit below 0.
		if limit := T(s.clip); g > limit {
			g = limit
		} else if g < -limit {
			g = -limit
		}
	}
	return g
}
