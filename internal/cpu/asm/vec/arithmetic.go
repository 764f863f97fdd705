package vec

import (
	"log"
	"math"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"

	"github.com/affine-go/affine/internal/cpu/asm/neon"
)

// An instruction has a form for each element type, and each has a form that
// spreads one element in memory over the lanes.
type instruction struct {
	ps, pd, psSpread, pdSpread func(*build.Context, ...operand.Op)
	neon                       string
}

var (
	add  = instruction{(*build.Context).VADDPS, (*build.Context).VADDPD, (*build.Context).VADDPS_BCST, (*build.Context).VADDPD_BCST, "fadd"}
	sub  = instruction{(*build.Context).VSUBPS, (*build.Context).VSUBPD, (*build.Context).VSUBPS_BCST, (*build.Context).VSUBPD_BCST, "fsub"}
	mul  = instruction{(*build.Context).VMULPS, (*build.Context).VMULPD, (*build.Context).VMULPS_BCST, (*build.Context).VMULPD_BCST, "fmul"}
	div  = instruction{(*build.Context).VDIVPS, (*build.Context).VDIVPD, (*build.Context).VDIVPS_BCST, (*build.Context).VDIVPD_BCST, "fdiv"}
	maxi = instruction{(*build.Context).VMAXPS, (*build.Context).VMAXPD, (*build.Context).VMAXPS_BCST, (*build.Context).VMAXPD_BCST, "max"}
	mini = instruction{(*build.Context).VMINPS, (*build.Context).VMINPD, (*build.Context).VMINPS_BCST, (*build.Context).VMINPD_BCST, "min"}
	and  = instruction{(*build.Context).VANDPS, (*build.Context).VANDPD, (*build.Context).VANDPS_BCST, (*build.Context).VANDPD_BCST, "and"}
	or   = instruction{(*build.Context).VORPS, (*build.Context).VORPD, (*build.Context).VORPS_BCST, (*build.Context).VORPD_BCST, "orr"}

	fma213  = instruction{(*build.Context).VFMADD213PS, (*build.Context).VFMADD213PD, (*build.Context).VFMADD213PS_BCST, (*build.Context).VFMADD213PD_BCST, "muladd"}
	fma231  = instruction{(*build.Context).VFMADD231PS, (*build.Context).VFMADD231PD, (*build.Context).VFMADD231PS_BCST, (*build.Context).VFMADD231PD_BCST, "fmla"}
	fnma231 = instruction{(*build.Context).VFNMADD231PS, (*build.Context).VFNMADD231PD, (*build.Context).VFNMADD231PS_BCST, (*build.Context).VFNMADD231PD_BCST, "fmls"}
)

// emit emits the instruction with its operands in Go's order, first is the one
// that may be memory or a constant.
func (t *Type) emit(in instruction, first operand.Op, rest ...operand.Op) {
	if t.NEON {
		t.emitNEON(in.neon, first, rest)
		return
	}
	c, constant := first.(Const)
	if constant {
		first = c.addr
	}
	var f func(*build.Context, ...operand.Op)
	switch {
	case constant && t.AVX512 && t.Double:
		f = in.pdSpread
	case constant && t.AVX512:
		f = in.psSpread
	case t.Double:
		f = in.pd
	default:
		f = in.ps
	}
	f(t.Context, append([]operand.Op{first}, rest...)...)
}

// emitNEON emits the instruction of that name.
func (t *Type) emitNEON(name string, first operand.Op, rest []operand.Op) {
	v := t.vector()
	b, ok := first.(Reg)
	if !ok {
		b = t.Spread(first)
	}
	a, r := rest[0].(Reg), rest[len(rest)-1].(Reg)
	switch name {
	case "muladd": // r = r·a + b
		sum := b
		if ok {
			sum = t.Copy(b)
		}
		v.Op("fmla", sum, r, a)
		v.Move(r, sum)
	case "max", "min":
		c := t.Reg()
		if name == "max" {
			v.Op("fcmgt", c, a, b)
		} else {
			v.Op("fcmgt", c, b, a)
		}
		if r == a {
			v.Op("bif", r, b, c)
			return
		}
		v.Op("bsl", c, a, b)
		v.Move(r, c)
	default:
		v.Op(name, r, a, b)
	}
}

// Asm makes Const an operand; it is replaced before avo sees it.
func (c Const) Asm() string { return c.addr.Asm() }

func (t *Type) binary(in instruction, a Reg, b operand.Op) Reg {
	r := t.Reg()
	t.emit(in, b, a, r)
	return r
}

// Add returns a + b.
func (t *Type) Add(a Reg, b operand.Op) Reg { return t.binary(add, a, b) }

// Sub returns a − b.
func (t *Type) Sub(a Reg, b operand.Op) Reg { return t.binary(sub, a, b) }

// Mul returns a·b.
func (t *Type) Mul(a Reg, b operand.Op) Reg { return t.binary(mul, a, b) }

// Div returns a/b.
func (t *Type) Div(a Reg, b operand.Op) Reg { return t.binary(div, a, b) }

// Max returns a > b ? a : b, which is b where either is NaN or both are zero.
func (t *Type) Max(a Reg, b operand.Op) Reg { return t.binary(maxi, a, b) }

// Min returns a < b ? a : b, which is b where either is NaN or both are zero.
func (t *Type) Min(a Reg, b operand.Op) Reg { return t.binary(mini, a, b) }

// And returns the bits that a and b have in common.
func (t *Type) And(a Reg, b operand.Op) Reg { return t.binary(and, a, b) }

// Or returns the bits of a and b.
func (t *Type) Or(a Reg, b operand.Op) Reg { return t.binary(or, a, b) }

// MulAdd computes x = x·y + z in place, rounded once.
func (t *Type) MulAdd(x, y Reg, z operand.Op) { t.emit(fma213, z, y, x) }

// MulBy computes x = x·y in place.
func (t *Type) MulBy(x Reg, y operand.Op) { t.emit(mul, y, x, x) }

// AddTo computes acc += x in place.
func (t *Type) AddTo(acc Reg, x operand.Op) { t.emit(add, x, acc, acc) }

// MaxTo computes acc = [Type.Max](acc, x) in place.
func (t *Type) MaxTo(acc Reg, x operand.Op) { t.emit(maxi, x, acc, acc) }

// AddMul computes acc += x·y in place, rounded once.
func (t *Type) AddMul(acc, x Reg, y operand.Op) { t.emit(fma231, y, x, acc) }

// SubMul computes acc −= x·y in place, rounded once.
func (t *Type) SubMul(acc, x Reg, y operand.Op) { t.emit(fnma231, y, x, acc) }

// Sqrt returns √a.
func (t *Type) Sqrt(a Reg) Reg {
	r := t.Reg()
	switch {
	case t.NEON:
		t.vector().Op("fsqrt", r, a)
	case t.Double:
		t.VSQRTPD(a, r)
	default:
		t.VSQRTPS(a, r)
	}
	return r
}

// Abs returns |a|.
func (t *Type) Abs(a Reg) Reg {
	if t.NEON {
		r := t.Reg()
		t.vector().Op("fabs", r, a)
		return r
	}
	if t.Double {
		return t.And(a, t.Bits(math.MaxInt64))
	}
	return t.And(a, t.Bits(math.MaxInt32))
}

// Sign returns the sign bit of a, ±0.
func (t *Type) Sign(a Reg) Reg { return t.And(a, t.sign()) }

// sign is the constant −0.
func (t *Type) sign() Const { return t.Const(math.Copysign(0, -1)) }

// Copy returns a copy of a.
func (t *Type) Copy(a Reg) Reg {
	r := t.Reg()
	t.move(a, r)
	return r
}

// Infinity returns +∞ or −∞, by the sign.
func (t *Type) Infinity(sign int) Reg { return t.Spread(t.Const(math.Inf(sign))) }

// Zero returns zeros.
func (t *Type) Zero() Reg {
	r := t.Reg()
	switch {
	case t.NEON:
		t.vector().Zero(r)
	case t.AVX512:
		t.VPXORQ(r, r, r)
	case t.Double:
		t.VXORPD(r, r, r)
	default:
		t.VXORPS(r, r, r)
	}
	return r
}

// Spread returns the element in memory, in every lane.
func (t *Type) Spread(from operand.Op) Reg {
	r := t.Reg()
	if c, ok := from.(Const); ok {
		if !t.AVX512 {
			t.move(c.addr, r)
			return r
		}
		from = c.addr
	}
	if t.NEON {
		t.vector().Spread(from.(operand.Mem), r)
		return r
	}
	if t.Double {
		t.VBROADCASTSD(from, r)
	} else {
		t.VBROADCASTSS(from, r)
	}
	return r
}

func (t *Type) move(from, to operand.Op) {
	switch {
	case t.NEON:
		t.moveNEON(from, to)
	case t.Double:
		t.VMOVUPD(from, to)
	default:
		t.VMOVUPS(from, to)
	}
}

func (t *Type) moveNEON(from, to operand.Op) {
	v := t.vector()
	if m, ok := to.(operand.Mem); ok {
		v.Store(neon.Bytes, from.(Reg), m)
	} else if m, ok := from.(operand.Mem); ok {
		v.Load(neon.Bytes, m, to.(Reg))
	} else {
		v.Move(to.(Reg), from.(Reg))
	}
}

// The predicates of comparisons, as VCMPPS numbers them. With NaN those hold
// whose names begin with not.
const (
	NotEqual        = 0x04
	NotEqualOrdered = 0x0c // fails with NaN
	Greater         = 0x1e
	notGreaterEqual = 0x19
	notGreater      = 0x1a
	notLessEqual    = 0x16
)

// where returns the lanes in which "a predicate b" holds.
func (t *Type) where(predicate uint8, a Reg, b operand.Op) Mask {
	imm := operand.U8(predicate)
	c, constant := b.(Const)
	if constant {
		b = c.addr
	}
	if t.NEON {
		return t.compare(predicate, a, b, constant)
	}
	if !t.AVX512 {
		m := t.Reg()
		if t.Double {
			t.VCMPPD(imm, b, a, m)
		} else {
			t.VCMPPS(imm, b, a, m)
		}
		return Mask{lane: m}
	}
	k := t.K()
	switch {
	case constant && t.Double:
		t.VCMPPD_BCST(imm, b, a, k)
	case constant:
		t.VCMPPS_BCST(imm, b, a, k)
	case t.Double:
		t.VCMPPD(imm, b, a, k)
	default:
		t.VCMPPS(imm, b, a, k)
	}
	return Mask{k: k}
}

// compare is where for NEON, which has = , ≥ and > and leaves the rest to the
// user of the mask.
func (t *Type) compare(predicate uint8, a Reg, from operand.Op, constant bool) Mask {
	v := t.vector()
	b, ok := from.(Reg)
	switch {
	case constant:
		b = t.Spread(Const{from.(operand.Mem)})
	case !ok:
		b = t.Spread(from)
	}
	m := t.Reg()
	switch predicate {
	case NotEqual:
		v.Op("fcmeq", m, a, b)
	case NotEqualOrdered:
		less := t.Reg()
		v.Op("fcmgt", m, a, b)
		v.Op("fcmgt", less, b, a)
		v.Op("orr", m, m, less)
	case Greater, notGreater:
		v.Op("fcmgt", m, a, b)
	case notGreaterEqual:
		v.Op("fcmge", m, a, b)
	case notLessEqual:
		v.Op("fcmge", m, b, a)
	default:
		log.Fatalf("no comparison %#x", predicate)
	}
	return Mask{lane: m, without: predicate != Greater && predicate != NotEqualOrdered}
}

// KeepMask returns x with 0 in the lanes outside the mask.
func (t *Type) KeepMask(x Reg, m Mask) Reg {
	if m.without {
		r := t.Reg()
		t.vector().Op("bic", r, x, m.lane)
		return r
	}
	if !t.AVX512 {
		return t.And(x, m.lane)
	}
	r := t.Reg()
	if t.Double {
		t.VMOVUPD_Z(x, m.k, r)
	} else {
		t.VMOVUPS_Z(x, m.k, r)
	}
	return r
}

// KeepWhere returns x where "a predicate b" holds, and 0 elsewhere.
func (t *Type) KeepWhere(predicate uint8, a Reg, b operand.Op, x Reg) Reg {
	return t.KeepMask(x, t.where(predicate, a, b))
}

// Select returns yes where "a predicate b" holds, and no elsewhere.
func (t *Type) Select(predicate uint8, a Reg, b operand.Op, yes, no Reg) Reg {
	m, r := t.where(predicate, a, b), t.Reg()
	switch {
	case t.NEON && m.without:
		t.vector().Op("bsl", m.lane, no, yes)
		return m.lane
	case t.NEON:
		t.vector().Op("bsl", m.lane, yes, no)
		return m.lane
	case t.AVX512 && t.Double:
		t.VBLENDMPD(yes, no, m.k, r)
	case t.AVX512:
		t.VBLENDMPS(yes, no, m.k, r)
	case t.Double:
		t.VBLENDVPD(m.lane, yes, no, r)
	default:
		t.VBLENDVPS(m.lane, yes, no, r)
	}
	return r
}

// SelectSign returns minus for lanes of a with the sign bit set, and plus for the others.
func (t *Type) SelectSign(a, minus, plus Reg) Reg {
	r := t.Reg()
	switch {
	case t.NEON:
		t.vector().Negative(r, a)
		t.vector().Op("bsl", r, minus, plus)
	case t.AVX512 && t.Double:
		k := t.K()
		t.VPMOVQ2M(a, k)
		t.VBLENDMPD(minus, plus, k, r)
	case t.AVX512:
		k := t.K()
		t.VPMOVD2M(a, k)
		t.VBLENDMPS(minus, plus, k, r)
	case t.Double:
		t.VBLENDVPD(a, minus, plus, r)
	default:
		t.VBLENDVPS(a, minus, plus, r)
	}
	return r
}
