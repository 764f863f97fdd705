package vec

import "math"

// The activations. Those that are made of e^−|z| take it as 0 where it is not
// a normal number, so that nothing overflows; sigmoid and softplus alone follow
// it down to the smallest number. NaN stays NaN throughout, and what is ∞·0 in
// PyTorch's formulas is NaN here too: GELU and SiLU of −∞, and the derivatives of
// both at ±∞.

// An Activation is one of package kernel, which its kind names, as the code of
// its loops.
type Activation struct {
	Kind string
	// Uses lists the parameters of it, "alpha", "beta" and "threshold".
	Uses     []string
	Forward  Loop // y[i] from z[i]
	Backward Loop // dz[i] from dy[i] and saved[i]
	Second   Loop // likewise with the derivative of act' by saved; may be missing
}

// A Loop is what an activation does with one element.
type Loop struct {
	Formula string // as Go has it
	Cheap   bool   // a few instructions
	// Emit gets dy (backward only), z or saved, and the parameters.
	Emit func(t *Type, dy, x Reg, p []Reg) Reg
}

// Activations lists all activations but Identity.
var Activations = []Activation{
	{
		Kind:     "ReLU",
		Forward:  Loop{"max(z[i], 0)", true, func(t *Type, _, z Reg, _ []Reg) Reg { return t.ReLU(z) }},
		Backward: Loop{"dy[i]\nif saved[i] <= 0 {\n\tdz[i] = 0\n}", true, func(t *Type, dy, y Reg, _ []Reg) Reg { return t.ReLUBackward(dy, y) }},
	},
	{
		Kind: "LeakyReLU", Uses: []string{"alpha"},
		Forward:  Loop{"max(z[i], 0) + alpha*min(z[i], 0)", true, func(t *Type, _, z Reg, p []Reg) Reg { return t.LeakyReLU(z, p[0]) }},
		Backward: Loop{"dy[i]\nif !(saved[i] > 0) {\n\tdz[i] *= alpha\n}", true, func(t *Type, dy, y Reg, p []Reg) Reg { return t.LeakyReLUBackward(dy, y, p[0]) }},
	},
	{
		Kind:     "Tanh",
		Forward:  Loop{"tanh(z[i])", false, func(t *Type, _, z Reg, _ []Reg) Reg { return t.Tanh(z) }},
		Backward: Loop{"dy[i] * (1 - saved[i]*saved[i])", true, func(t *Type, dy, y Reg, _ []Reg) Reg { return t.TanhBackward(dy, y) }},
		Second:   Loop{"dy[i] * -2*saved[i]", true, func(t *Type, dy, y Reg, _ []Reg) Reg { return t.Mul(t.Mul(y, t.Const(-2)), dy) }},
	},
	{
		Kind:     "Sigmoid",
		Forward:  Loop{"1 / (1 + exp(-z[i]))", false, func(t *Type, _, z Reg, _ []Reg) Reg { return t.Sigmoid(z) }},
		Backward: Loop{"dy[i] * (saved[i] - saved[i]*saved[i])", true, func(t *Type, dy, y Reg, _ []Reg) Reg { return t.SigmoidBackward(dy, y) }},
		Second: Loop{"dy[i] * (1 - 2*saved[i])", true, func(t *Type, dy, y Reg, _ []Reg) Reg {
			d := t.Spread(t.Const(1))
			t.SubMul(d, y, t.Const(2))
			return t.Mul(d, dy)
		}},
	},
	{
		Kind:     "GELU",
		Forward:  Loop{"z[i] * (1 + erf(z[i]/√2)) / 2", false, func(t *Type, _, z Reg, _ []Reg) Reg { return t.GELU(z) }},
		Backward: Loop{"dy[i] * (Φ(saved[i]) + saved[i]*φ(saved[i]))", false, func(t *Type, dy, z Reg, _ []Reg) Reg { return t.Mul(t.GELU1(z), dy) }},
		Second:   Loop{"dy[i] * φ(saved[i]) * (2 - saved[i]*saved[i])", false, func(t *Type, dy, z Reg, _ []Reg) Reg { return t.Mul(t.GELU2(z), dy) }},
	},
	{
		Kind:     "SiLU",
		Forward:  Loop{"z[i] / (1 + exp(-z[i]))", false, func(t *Type, _, z Reg, _ []Reg) Reg { return t.SiLU(z) }},
		Backward: Loop{"dy[i] * σ(saved[i]) * (1 + saved[i]*σ(-saved[i]))", false, func(t *Type, dy, z Reg, _ []Reg) Reg { return t.Mul(t.SiLU1(z), dy) }},
		Second:   Loop{"dy[i] * σ(saved[i])*σ(-saved[i]) * (2 + saved[i]*(1 - 2*σ(saved[i])))", false, func(t *Type, dy, z Reg, _ []Reg) Reg { return t.Mul(t.SiLU2(z), dy) }},
	},
	{
		Kind: "Softplus", Uses: []string{"beta", "threshold"},
		Forward:  Loop{"log(1+exp(beta*z[i])) / beta\nif beta*z[i] > threshold {\n\ty[i] = z[i]\n}", false, func(t *Type, _, z Reg, p []Reg) Reg { return t.Softplus(z, p[0], p[1]) }},
		Backward: Loop{"dy[i]\nif !(beta*saved[i] > threshold) {\n\tdz[i] *= σ(beta * saved[i])\n}", false, func(t *Type, dy, z Reg, p []Reg) Reg { return t.Mul(t.Softplus1(z, p[0], p[1]), dy) }},
		Second:   Loop{"0\nif !(beta*saved[i] > threshold) {\n\tdz[i] = dy[i] * beta * σ(beta*saved[i])*σ(-beta*saved[i])\n}", false, func(t *Type, dy, z Reg, p []Reg) Reg { return t.Mul(t.Softplus2(z, p[0], p[1]), dy) }},
	},
}

// infinities adds 0·z to y in place: NaN if z is infinite.
func (t *Type) infinities(y, z Reg) { t.AddMul(y, z, t.Const(0)) }

// ReLU returns max(z, 0).
func (t *Type) ReLU(z Reg) Reg { return t.Max(t.Zero(), z) }

// LeakyReLU returns z, or alpha·z where z is negative.
func (t *Type) LeakyReLU(z, alpha Reg) Reg { return t.SelectSign(z, t.Mul(z, alpha), z) }

// Tanh returns tanh(z) = (1 − e)/(1 + e) with e = e^(−2|z|), and the sign of z.
func (t *Type) Tanh(z Reg) Reg {
	a := t.atMost(t.choose(10, 20), t.Abs(z)) // tanh is 1 from there
	x := t.reduce(t.Mul(a, t.Const(-2)))
	// e = 2ⁿ(p + 1), so e ± 1 = 2ⁿp + (2ⁿ ± 1), each rounded once. e − 1 does
	// not cancel since n ≤ 0.
	over := t.expm1(x.r)
	under := t.Copy(over)
	two := t.powerOf2(x.n)
	t.MulAdd(over, two, t.Sub(two, t.Const(1)))
	t.MulAdd(under, two, t.Add(two, t.Const(1)))
	return t.Or(t.Abs(t.Div(over, under)), t.And(z, t.sign()))
}

// Sigmoid returns σ(z) = 1/(1 + e^−z), that is e/(1 + e) or 1/(1 + e) with
// e = e^−|z|. One step of Newton's method takes back what the rounding of
// 1 + e and the division lost; (1 + e)⁻¹ ≈ 1 − e/2 is good enough for that.
func (t *Type) Sigmoid(z Reg) Reg {
	e, _ := t.expAbove(t.choose(-104, -746), t.MinusAbs(z))
	over := t.SelectSign(z, e, t.Spread(t.Const(1)))
	under := t.Add(e, t.Const(1))
	lost := t.Sub(e, t.Sub(under, t.Const(1)))
	y := t.Div(over, under)
	t.SubMul(over, y, under)
	t.SubMul(over, y, lost)
	inverse := t.Spread(t.Const(1))
	t.SubMul(inverse, e, t.Const(0.5))
	t.AddMul(y, over, inverse)
	return y
}

// SiLU returns z·σ(z), as z·e/(1 + e) or z/(1 + e) with e = e^−|z|. Of −∞ it is
// −∞·0.
func (t *Type) SiLU(z Reg) Reg {
	e, _ := t.expAbove(t.choose(-87.3, -708.3), t.MinusAbs(z))
	over := t.SelectSign(z, e, t.Spread(t.Const(1)))
	return t.Div(t.Mul(over, z), t.Add(e, t.Const(1)))
}

// logistic returns x = −|z|, σ(x) and σ(−x); x is 0 where σ(x) is.
func (t *Type) logistic(z Reg) (x, minus, plus Reg) {
	e, x := t.expAbove(t.choose(-87.3, -708.3), t.MinusAbs(z))
	plus = t.divide(1, t.Add(e, t.Const(1)))
	return x, t.Mul(e, plus), plus
}

// SiLU1 returns the derivative D of SiLU: D(x) = σ(x)(1 + x·σ(−x)) for
// x = −|z| and D(−x) = 1 − D(x). Of ±∞ it is 0·(1 − ∞).
func (t *Type) SiLU1(z Reg) Reg {
	_, minus, plus := t.logistic(z)
	d, one := t.MinusAbs(z), t.Spread(t.Const(1))
	t.MulAdd(d, plus, one)
	d = t.Mul(d, minus)
	return t.SelectSign(z, d, t.Sub(one, d))
}

// SiLU2 returns the second derivative, σ(x)σ(−x)(2 + x(σ(−x) − σ(x))).
func (t *Type) SiLU2(z Reg) Reg {
	x, minus, plus := t.logistic(z)
	d := t.Spread(t.Const(2))
	t.AddMul(d, x, t.Sub(plus, minus))
	d = t.Mul(d, t.Mul(minus, plus))
	t.infinities(d, z)
	return d
}

// gauss returns a = |z| and e^(−a²/2), or zeros where a·Φ(−a) is not a normal
// number. The square is taken in two parts, for its rounding would be
// multiplied by a²/2.
func (t *Type) gauss(z Reg) (a, e Reg) {
	a = t.Abs(z)
	m := t.where(notGreaterEqual, a, t.Const(t.choose(13.14, 37.61)))
	a = t.KeepMask(a, m)
	square := t.Mul(a, a)
	x := t.reduce(t.Mul(square, t.Const(-0.5)))
	t.SubMul(square, a, a) // −(what the square lost)
	t.AddMul(x.r, square, t.Const(0.5))
	return a, t.KeepMask(t.scale(t.Add(t.expm1(x.r), t.Const(1)), x.n), m)
}

// upperTail returns Φ(−a)/e^(−a²/2).
func (t *Type) upperTail(a Reg) Reg {
	i := t.divide(1, t.Add(a, t.Const(3)))
	return t.Mul(t.polynomial(millsTail, t.Mul(a, i)), i)
}

// GELU returns z·Φ(z), as max(z, 0) − a·Φ(−a) since Φ(a) = 1 − Φ(−a). The
// factor is z instead of −a if it is less, so that −∞ gives −∞·0.
func (t *Type) GELU(z Reg) Reg {
	a, e := t.gauss(z)
	y := t.ReLU(z)
	t.AddMul(y, t.Mul(t.Min(t.MinusAbs(a), z), e), t.upperTail(a))
	return y
}

// GELU1 returns the derivative D of GELU: D(−a) = Φ(−a) − a·φ(a) and
// D(a) = 1 − D(−a). Of ±∞ it is ∞·0.
func (t *Type) GELU1(z Reg) Reg {
	a, e := t.gauss(z)
	d := t.upperTail(a)
	t.SubMul(d, t.Abs(z), t.Const(1/math.Sqrt(2*math.Pi)))
	d = t.Mul(d, e)
	return t.SelectSign(z, d, t.Sub(t.Spread(t.Const(1)), d))
}

// GELU2 returns the second derivative, φ(a)(2 − a²).
func (t *Type) GELU2(z Reg) Reg {
	a, e := t.gauss(z)
	d := t.Spread(t.Const(2))
	t.SubMul(d, a, a)
	d = t.Mul(d, t.Mul(e, t.Const(1/math.Sqrt(2*math.Pi))))
	t.infinities(d, z)
	return d
}

// Softplus returns log(1 + e^x)/beta for x = beta·z, as max(x, 0) +
// log(1 + e^−|x|), or z if x is above the threshold.
func (t *Type) Softplus(z, beta, threshold Reg) Reg {
	x := t.Mul(z, beta)
	e, _ := t.expAbove(t.choose(-104, -746), t.MinusAbs(x))
	y := t.Div(t.Add(t.ReLU(x), t.Log1p(e)), beta)
	return t.Select(Greater, x, threshold, z, y)
}

// Softplus1 returns the derivative, σ(x), or 1 if x is above the threshold.
func (t *Type) Softplus1(z, beta, threshold Reg) Reg {
	x := t.Mul(z, beta)
	s := t.Sigmoid(x)
	return t.Select(Greater, x, threshold, t.Spread(t.Const(1)), s)
}

// Softplus2 returns the second derivative, beta·σ(x)σ(−x), or 0 if x is above
// the threshold.
func (t *Type) Softplus2(z, beta, threshold Reg) Reg {
	x := t.Mul(z, beta)
	_, minus, plus := t.logistic(x)
	return t.KeepWhere(notGreater, x, threshold, t.Mul(t.Mul(minus, plus), beta))
}

// ReLUBackward returns 0 where y is zero or negative, and dy elsewhere, where y
// is NaN too.
func (t *Type) ReLUBackward(dy, y Reg) Reg { return t.KeepWhere(notLessEqual, y, t.Const(0), dy) }

// LeakyReLUBackward returns dy where y is positive, and alpha·dy elsewhere.
func (t *Type) LeakyReLUBackward(dy, y, alpha Reg) Reg {
	return t.Select(Greater, y, t.Const(0), dy, t.Mul(dy, alpha))
}

// TanhBackward returns dy·(1 − y²).
func (t *Type) TanhBackward(dy, y Reg) Reg {
	d := t.Spread(t.Const(1))
	t.SubMul(d, y, y)
	return t.Mul(d, dy)
}

// SigmoidBackward returns dy·y(1 − y).
func (t *Type) SigmoidBackward(dy, y Reg) Reg {
	d := t.Copy(y)
	t.SubMul(d, y, y)
	return t.Mul(d, dy)
}
