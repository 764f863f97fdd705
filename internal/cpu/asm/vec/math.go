package vec

import (
	"math"

	"github.com/mmcloughlin/avo/operand"
)

// The exponential is reduced as x = n·ln 2 + r with |r| ≤ ln(2)/2 (W. J. Cody
// and W. Waite, Software Manual for the Elementary Functions, 1980, chapter 6)
// and e^x = 2ⁿ·(1 + r + r²·expTail(r)).
//
// Registers: no function here or in activation.go needs more than eight at a
// time, that of its argument included, so each can be applied to a tile of a
// matrix product while the rest of the tile stays in registers.

// reduction is x = n·ln 2 + r.
type reduction struct {
	n Reg // a whole number
	r Reg
}

// magic is 1.5·2^52 or 1.5·2^23: adding it to a small number rounds that to a
// whole one, and leaves that in the low bits.
func (t *Type) magic() Const {
	if t.Double {
		return t.Const(0x1.8p52)
	}
	return t.Const(0x1.8p23)
}

// reduce reduces x in place: r takes its register.
func (t *Type) reduce(x Reg) reduction {
	n := t.Spread(t.Const(math.Log2E))
	t.MulAdd(n, x, t.magic())
	n = t.Sub(n, t.magic())
	hi := math.Ln2
	if !t.Double {
		hi = float64(float32(hi))
	}
	// ln 2 to twice the precision of the type.
	lo := math.Ln2 - hi
	if t.Double {
		lo = 0x1.abc9e3b39803fp-56
	}
	t.SubMul(x, n, t.Const(hi))
	t.SubMul(x, n, t.Const(lo))
	return reduction{n, x}
}

// polynomial returns p(x) by Horner's rule.
func (t *Type) polynomial(p polynomial, x Reg) Reg {
	c := p[t.Double]
	y := t.Spread(t.Const(c[len(c)-1]))
	for i := len(c) - 2; i >= 0; i-- {
		t.MulAdd(y, x, t.Const(c[i]))
	}
	return y
}

// expm1 returns e^r − 1 for the reduced argument.
func (t *Type) expm1(r Reg) Reg {
	p := t.polynomial(expTail, r)
	t.MulAdd(p, t.Mul(r, r), r)
	return p
}

// scale returns x·2ⁿ, rounded once, for n from twice the smallest exponent to
// twice the largest.
func (t *Type) scale(x, n Reg) Reg {
	if t.AVX512 {
		r := t.Reg()
		if t.Double {
			t.VSCALEFPD(n, x, r)
		} else {
			t.VSCALEFPS(n, x, r)
		}
		return r
	}
	// In two steps, as 2ⁿ may lie outside the range of the type: the first
	// is exact.
	half := t.Spread(t.Const(0.5))
	t.MulAdd(half, n, t.magic())
	rest := t.Sub(n, t.Sub(half, t.magic()))
	return t.Mul(t.Mul(x, t.power(half)), t.power(t.Add(rest, t.magic())))
}

// power returns 2ⁿ for n + magic, by moving n to the place of the exponent.
func (t *Type) power(n Reg) Reg {
	r := t.Reg()
	if t.NEON {
		mantissa, one := 23, uint64(0x7f<<23)
		if t.Double {
			mantissa, one = 52, 0x3ff<<52
		}
		t.vector().ShiftLeft(r, n, mantissa)
		t.vector().Op("add", r, r, t.Spread(t.Bits(one)))
		return r
	}
	if t.Double {
		t.VPSLLQ(operand.U8(52), n, r)
		t.VPADDQ(t.Bits(0x3ff<<52).addr, r, r)
	} else {
		t.VPSLLD(operand.U8(23), n, r)
		t.VPADDD(t.Bits(0x7f<<23).addr, r, r)
	}
	return r
}

// powerOf2 returns 2ⁿ for whole n within the range of exponents.
func (t *Type) powerOf2(n Reg) Reg {
	if t.AVX512 {
		return t.scale(t.Spread(t.Const(1)), n)
	}
	return t.power(t.Add(n, t.magic()))
}

// atMost returns the smaller of x and the limit; NaN stays NaN.
func (t *Type) atMost(limit float64, x Reg) Reg { return t.Min(t.Spread(t.Const(limit)), x) }

// choose returns limit32 or limit64, by the type.
func (t *Type) choose(limit32, limit64 float64) float64 {
	if t.Double {
		return limit64
	}
	return limit32
}

// ExpMinus returns e^x for x ≤ 0, and 0 where that is less than the smallest
// normal number. −∞ gives 0, NaN stays NaN.
func (t *Type) ExpMinus(x Reg) Reg {
	e, _ := t.expAbove(t.choose(-87.3, -708.3), x)
	return e
}

// expAbove returns e^x where x is above the limit or NaN, and 0 elsewhere; and
// x likewise. Where x does not count it is 0 before the exponential is taken,
// since results that underflow take the processor 100 cycles and more.
func (t *Type) expAbove(limit float64, x Reg) (e, above Reg) {
	m := t.where(notLessEqual, x, t.Const(limit))
	above = t.KeepMask(x, m)
	return t.KeepMask(t.exp(t.Copy(above)), m), above
}

// exp returns e^x, and uses up x.
func (t *Type) exp(x Reg) Reg {
	e := t.reduce(x)
	return t.scale(t.Add(t.expm1(e.r), t.Const(1)), e.n)
}

// MinusAbs returns −|z|.
func (t *Type) MinusAbs(z Reg) Reg { return t.Or(z, t.sign()) }

// divide returns a/b for a constant a.
func (t *Type) divide(a float64, b Reg) Reg { return t.Div(t.Spread(t.Const(a)), b) }

// Log returns log(x) for x ≥ 1, as n·ln 2 + log(1 + f) with x = 2ⁿ(1 + f).
// NaN stays NaN; +∞ becomes NaN. float64 only.
func (t *Type) Log(x Reg) Reg {
	n, m := t.Reg(), t.Reg()
	if t.AVX512 {
		t.VGETEXPPD(x, n)
		t.VGETMANTPD(operand.U8(0), x, m)
	} else {
		// The exponent becomes the last digits of 2^52 + exponent.
		if t.NEON {
			t.vector().ShiftRight(n, x, 52)
			n = t.Or(n, t.Const(0x1p52))
		} else {
			t.VPSRLQ(operand.U8(52), x, n)
			t.VPOR(t.Const(0x1p52).addr, n, n)
		}
		n = t.Sub(n, t.Const(0x1p52+1023))
		m = t.Or(t.And(x, t.Bits(1<<52-1)), t.Const(1))
	}
	log := t.Log1p(t.Sub(m, t.Const(1)))
	t.AddMul(log, n, t.Const(math.Ln2))
	// x − x is zero, but NaN for NaN and ∞.
	return t.Add(log, t.Sub(x, x))
}

// Log1p returns log(1 + f) = 2·atanh(f/(2 + f)) for 0 ≤ f ≤ 1.
func (t *Type) Log1p(f Reg) Reg {
	s := t.Div(f, t.Add(f, t.Const(2)))
	u := t.Mul(s, s)
	p := t.polynomial(atanhTail, u)
	p = t.Mul(t.Mul(p, u), s)
	t.AddMul(p, s, t.Const(2))
	return p
}
