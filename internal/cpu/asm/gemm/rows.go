package main

import (
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/affine-go/affine/internal/cpu/asm/vec"
)

// applied lists the activations that are applied to rows of C. The tile
// kernels do the others themselves.
var applied = []struct {
	kind string
	emit func(t *vec.Type, z vec.Reg) vec.Reg
}{
	{"Tanh", func(t *vec.Type, z vec.Reg) vec.Reg { return t.Tanh(z) }},
	{"Sigmoid", func(t *vec.Type, z vec.Reg) vec.Reg { return t.Sigmoid(z) }},
	{"GELU", func(t *vec.Type, z vec.Reg) vec.Reg { return t.GELU(z) }},
	{"SiLU", func(t *vec.Type, z vec.Reg) vec.Reg { return t.SiLU(z) }},
}

// derived lists the activations by whose derivative dY is multiplied.
var derived = []struct {
	kind string
	emit func(t *vec.Type, dy, a, alpha vec.Reg) vec.Reg
}{
	{"ReLU", func(t *vec.Type, dy, a, _ vec.Reg) vec.Reg { return t.ReLUBackward(dy, a) }},
	{"LeakyReLU", func(t *vec.Type, dy, a, alpha vec.Reg) vec.Reg { return t.LeakyReLUBackward(dy, a, alpha) }},
	{"Tanh", func(t *vec.Type, dy, a, _ vec.Reg) vec.Reg { return t.TanhBackward(dy, a) }},
	{"Sigmoid", func(t *vec.Type, dy, a, _ vec.Reg) vec.Reg { return t.SigmoidBackward(dy, a) }},
	{"GELU", func(t *vec.Type, dy, a, _ vec.Reg) vec.Reg { return t.Mul(t.GELU1(a), dy) }},
	{"SiLU", func(t *vec.Type, dy, a, _ vec.Reg) vec.Reg { return t.Mul(t.SiLU1(a), dy) }},
}

// rows emits the kernels that go over rows of a part of a matrix, vector by
// vector, the last one with a mask.
func (t target) rows() {
	v := &vec.Type{Context: t.Context, AVX512: t.wide(), Double: t.elem == 8}
	for _, f := range applied {
		name := "apply" + f.kind + t.name()
		t.function(name, "func(r *rows["+t.float()+"])")
		t.Doc(name + " computes dst = act(src), see [rows].")
		t.eachRow(func(at reg.GPVirtual, rest func() vec.Mask, dst, src, _ reg.GPVirtual, _ func() vec.Reg) {
			if rest == nil {
				v.StoreVector(f.emit(v, v.LoadVector(Mem{Base: src, Index: at, Scale: 1})), Mem{Base: dst, Index: at, Scale: 1})
				return
			}
			y := f.emit(v, v.LoadMask(Mem{Base: src, Index: at, Scale: 1}, rest()))
			v.StoreMask(y, Mem{Base: dst, Index: at, Scale: 1}, rest())
		}, v)
	}
	for _, f := range derived {
		name := "derive" + f.kind + t.name()
		t.function(name, "func(r *rows["+t.float()+"])")
		t.Doc(name + " computes dst = src ⊙ act'(gate), see [rows].")
		t.eachRow(func(at reg.GPVirtual, rest func() vec.Mask, dst, src, gate reg.GPVirtual, alpha func() vec.Reg) {
			dyAt, aAt := Mem{Base: src, Index: at, Scale: 1}, Mem{Base: gate, Index: at, Scale: 1}
			var dy, a vec.Reg
			if rest == nil {
				dy, a = v.LoadVector(dyAt), v.LoadVector(aAt)
			} else {
				dy, a = v.LoadMask(dyAt, rest()), v.LoadMask(aAt, rest())
			}
			v.StoreVector(f.emit(v, dy, a, alpha()), Mem{Base: dst, Index: at, Scale: 1})
		}, v)
	}
	v.Constants()
	if !t.wide() {
		vec.MaskTable(t.Context)
	}
}

// eachRow emits the loops around f, which handles one vector at offset at;
// rest gives the mask of the last one.
func (t target) eachRow(f func(at reg.GPVirtual, rest func() vec.Mask, dst, src, gate reg.GPVirtual, alpha func() vec.Reg), v *vec.Type) {
	load, field := t.arguments("r", "rows["+t.float()+"]")
	n, dst, src, gate := load("n"), load("dst"), load("src"), load("saved")
	alpha := func() vec.Reg { return v.Spread(field("alpha", 0)) }
	rest := func() vec.Mask { return v.FirstLanes(load("rest")) }

	t.Label("row")
	at, left := t.GP64(), load("vectors")
	t.XORQ(at, at)
	t.SUBQ(Imm(1), left)
	t.JZ(LabelRef("last"))
	t.Label("vector")
	f(at, nil, dst, src, gate, alpha)
	t.ADDQ(Imm(uint64(t.bytes())), at)
	t.SUBQ(Imm(1), left)
	t.JNZ(LabelRef("vector"))
	t.Label("last")
	f(at, rest, dst, src, gate, alpha)
	t.ADDQ(load("dstStep"), dst)
	t.ADDQ(load("srcStep"), src)
	t.ADDQ(load("savedStep"), gate)
	t.SUBQ(Imm(1), n)
	t.JNZ(LabelRef("row"))
	t.VZEROUPPER()
	t.RET()
}
