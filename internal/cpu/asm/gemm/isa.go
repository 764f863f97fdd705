package main

import (
	"log"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/gotypes"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// A target is an instruction set and an element type, and knows how both are
// spelled.
type target struct {
	isa  string // "avx512" or "avx2"
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

// bytes is the width of a vector register, lanes its number of elements.
func (t target) bytes() int {
	if t.wide() {
		return 64
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
	if t.wide() {
		t.VPXORD(v, v, v)
		return
	}
	t.VXORPS(v, v, v)
}

func (t target) broadcast(m Mem, v Op)  { pick(t, t.VBROADCASTSS, t.VBROADCASTSD)(m, v) }
func (t target) fma(a, b, acc Op)       { pick(t, t.VFMADD231PS, t.VFMADD231PD)(a, b, acc) }
func (t target) fma213(a, b, acc Op)    { pick(t, t.VFMADD213PS, t.VFMADD213PD)(a, b, acc) }
func (t target) add(a, b, dst Op)       { pick(t, t.VADDPS, t.VADDPD)(a, b, dst) }
func (t target) max(a, b, dst Op)       { pick(t, t.VMAXPS, t.VMAXPD)(a, b, dst) }
func (t target) mul(ops ...Op)          { pick(t, t.VMULPS, t.VMULPD)(ops...) }
func (t target) cmp(ops ...Op)          { pick(t, t.VCMPPS, t.VCMPPD)(ops...) }
func (t target) blend(m, a, b, dst Op)  { pick(t, t.VBLENDVPS, t.VBLENDVPD)(m, a, b, dst) }
func (t target) move(ops ...Op)         { pick(t, t.VMOVUPS, t.VMOVUPD)(ops...) }
func (t target) loadZ(m Mem, k, dst Op) { pick(t, t.VMOVUPS_Z, t.VMOVUPD_Z)(m, k, dst) }
func (t target) maskMove(a, b, c Op)    { pick(t, t.VMASKMOVPS, t.VMASKMOVPD)(a, b, c) }

// load reads a vector; where mask is given, lanes outside it become zero and
// their memory is not touched. store writes likewise.
func (t target) load(m Mem, mask reg.Register, dst reg.VecVirtual) {
	switch {
	case mask == nil:
		t.move(m, dst)
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
	case t.wide():
		t.move(src, mask, m)
	default:
		t.maskMove(src, mask, m)
	}
}
