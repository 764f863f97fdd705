package main

import (
	"log"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/gotypes"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/affine-go/affine/internal/cpu/asm/neon"
)

// A target is an instruction set and an element type, and knows how both are
// spelled.
type target struct {
	isa  string // "avx512", "avx2" or "neon"
	elem int    // bytes of an element: 4 or 8

	layout layout
	*build.Context
}

// function begins a function whose signature may use the types of the layout.
func (t target) function(name, signature string) {
	sig, err := gotypes.ParseSignatureInPackage(t.layout.pkg, signature)
	if err != nil {
		log.Fatal(err)
	}
	t.Function(name)
	t.Attributes(attr.NOSPLIT)
	t.Signature(sig)
	t.Pragma("noescape")
}

// arguments loads the parameter that points to a struct, and returns how to
// load one of its fields and how to address one, off bytes into it.
func (t target) arguments(param, typ string) (load func(name string) reg.GPVirtual, field func(name string, off int) Mem) {
	offsets := t.layout.offsets(typ)
	args := t.GP64()
	t.Load(t.Param(param), args)
	field = func(name string, off int) Mem {
		at, ok := offsets[name]
		if !ok {
			log.Fatalf("%s has no field %q", typ, name)
		}
		return Mem{Base: args, Disp: at + off}
	}
	load = func(name string) reg.GPVirtual {
		r := t.GP64()
		t.MOVQ(field(name, 0), r)
		return r
	}
	return load, field
}

func (t target) wide() bool { return t.isa == "avx512" }
func (t target) neon() bool { return t.isa == "neon" }

// vector emits the instructions of NEON.
func (t target) vector() neon.Vector { return neon.Vector{Context: t.Context, Elem: t.elem} }

// bytes is the width of a vector register, lanes its number of elements.
func (t target) bytes() int {
	switch {
	case t.wide():
		return 64
	case t.neon():
		return neon.Bytes
	}
	return 32
}
func (t target) lanes() int { return t.bytes() / t.elem }

func (t target) vec() reg.VecVirtual {
	if t.wide() {
		return t.ZMM()
	}
	return t.YMM()
}

// pick returns the instruction for the element type.
func pick[F any](t target, single, double F) F {
	if t.elem == 4 {
		return single
	}
	return double
}

func (t target) zero(v reg.VecVirtual) {
	switch {
	case t.neon():
		t.vector().Zero(v)
	case t.wide():
		t.VPXORD(v, v, v)
	default:
		t.VXORPS(v, v, v)
	}
}

func (t target) broadcast(m Mem, v reg.VecVirtual) {
	if t.neon() {
		t.vector().Spread(m, v)
		return
	}
	pick(t, t.VBROADCASTSS, t.VBROADCASTSD)(m, v)
}

func (t target) fma(a, b, acc reg.VecVirtual) {
	if t.neon() {
		t.vector().Op("fmla", acc, a, b)
		return
	}
	pick(t, t.VFMADD231PS, t.VFMADD231PD)(a, b, acc)
}

// factor reads the element that [target.fmaFactor] multiplies a vector with: into
// every lane, but for NEON, which multiplies with one lane of a vector.
func (t target) factor(m Mem, v reg.VecVirtual) {
	if t.neon() {
		t.vector().Load(t.elem, m, v)
		return
	}
	t.broadcast(m, v)
}

func (t target) fmaFactor(factor, b, acc reg.VecVirtual) {
	if t.neon() {
		t.vector().MulElement(acc, b, factor, 0)
		return
	}
	t.fma(factor, b, acc)
}

// add emits dst = a + b; a may be memory.
func (t target) add(a Op, b, dst reg.Register) {
	if !t.neon() {
		pick(t, t.VADDPS, t.VADDPD)(a, b, dst)
		return
	}
	x, ok := a.(reg.Register)
	if m, memory := a.(Mem); memory {
		v := t.vec()
		t.vector().Load(neon.Bytes, m, v)
		x = v
	} else if !ok {
		log.Fatalf("no vector: %s", a.Asm())
	}
	t.vector().Op("fadd", dst, b, x)
}

func (t target) fma213(a, b, acc Op)   { pick(t, t.VFMADD213PS, t.VFMADD213PD)(a, b, acc) }
func (t target) max(a, b, dst Op)      { pick(t, t.VMAXPS, t.VMAXPD)(a, b, dst) }
func (t target) mul(ops ...Op)         { pick(t, t.VMULPS, t.VMULPD)(ops...) }
func (t target) cmp(ops ...Op)         { pick(t, t.VCMPPS, t.VCMPPD)(ops...) }
func (t target) blend(m, a, b, dst Op) { pick(t, t.VBLENDVPS, t.VBLENDVPD)(m, a, b, dst) }

func (t target) move(ops ...Op) {
	if !t.neon() {
		pick(t, t.VMOVUPS, t.VMOVUPD)(ops...)
		return
	}
	if m, ok := ops[0].(Mem); ok {
		t.vector().Load(neon.Bytes, m, ops[1].(reg.Register))
	} else if m, ok := ops[1].(Mem); ok {
		t.vector().Store(neon.Bytes, ops[0].(reg.Register), m)
	} else {
		t.vector().Move(ops[1].(reg.Register), ops[0].(reg.Register))
	}
}

func (t target) loadZ(m Mem, k, dst Op) { pick(t, t.VMOVUPS_Z, t.VMOVUPD_Z)(m, k, dst) }
func (t target) maskMove(a, b, c Op)    { pick(t, t.VMASKMOVPS, t.VMASKMOVPD)(a, b, c) }

// load reads a vector; where mask is given, lanes outside it become zero and
// their memory is not touched. store writes likewise.
func (t target) load(m Mem, mask reg.Register, dst reg.VecVirtual) {
	switch {
	case mask == nil:
		t.move(m, dst)
	case t.neon():
		t.vector().LoadFirst(mask, neon.Bytes, m, dst)
	case t.wide():
		t.loadZ(m, mask, dst)
	default:
		t.maskMove(m, mask, dst)
	}
}

func (t target) store(src reg.VecVirtual, mask reg.Register, m Mem) {
	switch {
	case mask == nil:
		t.move(src, m)
	case t.neon():
		t.vector().StoreFirst(mask, neon.Bytes, src, m)
	case t.wide():
		t.move(src, mask, m)
	default:
		t.maskMove(src, mask, m)
	}
}
