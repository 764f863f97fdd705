package main

import (
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/affine-go/affine/internal/cpu/asm/vec"
)

// rowActivations lists those with kernels over rows: no parameter but alpha.
// Package elementwise does the others.
func rowActivations() (all []vec.Activation) {
	for _, a := range vec.Activations {
		if len(a.Uses) == 0 || a.Uses[0] == "alpha" {
			all = append(all, a)
		}
	}
	return all
}

// appliedByTile tells of activations that the micro-kernels apply themselves.
func appliedByTile(kind string) bool { return kind == "ReLU" || kind == "LeakyReLU" }

// rows emits the kernels that go over rows of a part of a matrix, vector by
// vector, the last one with a mask.
func (t target) rows() {
	v := &vec.Type{Context: t.Context, AVX512: t.wide(), NEON: t.neon(), Double: t.elem == 8}
	for _, a := range rowActivations() {
		if appliedByTile(a.Kind) {
			continue
		}
		f := func(z vec.Reg) vec.Reg { return a.Forward.Emit(v, nil, z, nil) }
		name := "apply" + a.Kind + t.name()
		t.function(name, "func(r *rows["+t.float()+"])")
		t.Doc(name + " computes dst = act(src), see [rows].")
		v.Base()
		t.eachRow(func(at reg.GPVirtual, rest func() vec.Mask, dst, src, _ reg.GPVirtual, _ func() vec.Reg) {
			if rest == nil {
				v.StoreVector(f(v.LoadVector(Mem{Base: src, Index: at, Scale: 1})), Mem{Base: dst, Index: at, Scale: 1})
				return
			}
			y := f(v.LoadMask(Mem{Base: src, Index: at, Scale: 1}, rest()))
			v.StoreMask(y, Mem{Base: dst, Index: at, Scale: 1}, rest())
		}, v)
	}
	for _, a := range rowActivations() {
		name := "derive" + a.Kind + t.name()
		t.function(name, "func(r *rows["+t.float()+"])")
		t.Doc(name + " computes dst = src ⊙ act'(saved), see [rows].")
		v.Base()
		t.eachRow(func(at reg.GPVirtual, rest func() vec.Mask, dst, src, saved reg.GPVirtual, alpha func() vec.Reg) {
			dyAt, savedAt := Mem{Base: src, Index: at, Scale: 1}, Mem{Base: saved, Index: at, Scale: 1}
			var dy, x vec.Reg
			if rest == nil {
				dy, x = v.LoadVector(dyAt), v.LoadVector(savedAt)
			} else {
				dy, x = v.LoadMask(dyAt, rest()), v.LoadMask(savedAt, rest())
			}
			var p []vec.Reg
			if len(a.Uses) > 0 {
				p = append(p, alpha())
			}
			v.StoreVector(a.Backward.Emit(v, dy, x, p), Mem{Base: dst, Index: at, Scale: 1})
		}, v)
	}
	v.Constants()
	if !t.wide() {
		vec.MaskTable(t.Context)
	}
}

// eachRow emits the loops around f, which handles one vector at offset at;
// rest gives the mask of the last one.
func (t target) eachRow(f func(at reg.GPVirtual, rest func() vec.Mask, dst, src, saved reg.GPVirtual, alpha func() vec.Reg), v *vec.Type) {
	load, field := t.arguments("r", "rows["+t.float()+"]")
	n, dst, src, saved := load("n"), load("dst"), load("src"), load("saved")
	alpha := func() vec.Reg { return v.Spread(field("alpha", 0)) }
	rest := func() vec.Mask { return v.FirstLanes(load("rest")) }

	t.Label("row")
	at, left := t.GP64(), load("vectors")
	t.XORQ(at, at)
	t.SUBQ(Imm(1), left)
	t.JZ(LabelRef("last"))
	t.Label("vector")
	f(at, nil, dst, src, saved, alpha)
	t.ADDQ(Imm(uint64(t.bytes())), at)
	t.SUBQ(Imm(1), left)
	t.JNZ(LabelRef("vector"))
	t.Label("last")
	f(at, rest, dst, src, saved, alpha)
	t.ADDQ(load("dstStep"), dst)
	t.ADDQ(load("srcStep"), src)
	t.ADDQ(load("savedStep"), saved)
	t.SUBQ(Imm(1), n)
	t.JNZ(LabelRef("row"))
	t.VZEROUPPER()
	t.RET()
}
