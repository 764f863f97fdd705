package vec

import "math"

// The activations. Those that are made of e^−|z| take it as 0 where it is not
// a normal number, so that nothing overflows and ±∞ give the limits; sigmoid
// alone follows it down to the smallest number. NaN stays NaN throughout.

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
	e, _ := t.expAbove(t.choose(-104, -746), t.minusAbs(z))
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

// SiLU returns z·σ(z), as max(z, 0) + x·σ(x) with x = −|z|, since
// σ(−x) = 1 − σ(x).
func (t *Type) SiLU(z Reg) Reg {
	e, x := t.expAbove(t.choose(-87.3, -708.3), t.minusAbs(z))
	return t.Add(t.ReLU(z), t.Div(t.Mul(x, e), t.Add(e, t.Const(1))))
}

// logistic returns x = −|z|, σ(x) and σ(−x); x is 0 where σ(x) is.
func (t *Type) logistic(z Reg) (x, minus, plus Reg) {
	e, x := t.expAbove(t.choose(-87.3, -708.3), t.minusAbs(z))
	plus = t.divide(1, t.Add(e, t.Const(1)))
	return x, t.Mul(e, plus), plus
}

// SiLU1 returns the derivative D of SiLU: D(x) = σ(x)(1 + x·σ(−x)) for
// x = −|z| and D(−x) = 1 − D(x).
func (t *Type) SiLU1(z Reg) Reg {
	x, minus, plus := t.logistic(z)
	one := t.Spread(t.Const(1))
	t.MulAdd(x, plus, one)
	d := t.Mul(x, minus)
	return t.SelectSign(z, d, t.Sub(one, d))
}

// SiLU2 returns the second derivative, σ(x)σ(−x)(2 + x(σ(−x) − σ(x))).
func (t *Type) SiLU2(z Reg) Reg {
	x, minus, plus := t.logistic(z)
	d := t.Spread(t.Const(2))
	t.AddMul(d, x, t.Sub(plus, minus))
	return t.Mul(d, t.Mul(minus, plus))
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

// GELU returns z·Φ(z), as max(z, 0) − a·Φ(−a) since Φ(a) = 1 − Φ(−a).
func (t *Type) GELU(z Reg) Reg {
	a, e := t.gauss(z)
	y := t.ReLU(z)
	t.SubMul(y, t.Mul(a, e), t.upperTail(a))
	return y
}

// GELU1 returns the derivative D of GELU: D(−a) = Φ(−a) − a·φ(a) and
// D(a) = 1 − D(−a).
func (t *Type) GELU1(z Reg) Reg {
	a, e := t.gauss(z)
	d := t.upperTail(a)
	t.SubMul(d, a, t.Const(1/math.Sqrt(2*math.Pi)))
	d = t.Mul(d, e)
	return t.SelectSign(z, d, t.Sub(t.Spread(t.Const(1)), d))
}

// GELU2 returns the second derivative, φ(a)(2 − a²).
func (t *Type) GELU2(z Reg) Reg {
	a, e := t.gauss(z)
	d := t.Spread(t.Const(2))
	t.SubMul(d, a, a)
	return t.Mul(d, t.Mul(e, t.Const(1/math.Sqrt(2*math.Pi))))
}

// ReLUBackward returns dy where y is positive, and 0 elsewhere.
func (t *Type) ReLUBackward(dy, y Reg) Reg { return t.KeepWhere(Greater, y, t.Const(0), dy) }

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
