package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// dots emits the dot products of two vectors with four: eight sums are enough
// to keep two units with a latency of four cycles busy.
func (t target) dots() {
	const rows, columns = 2, 4
	name := "dots" + t.name()
	t.function(name, "func(d *dots["+t.float()+"])")
	t.Doc(name + " computes dot products, see [dots].")
	_, field := t.arguments("d", "dots["+t.float()+"]")
	pointer := func(name string, i int) reg.GPVirtual {
		r := t.GP64()
		t.MOVQ(field(name, 8*i), r)
		return r
	}
	var a, b []reg.GPVirtual
	for i := range rows {
		a = append(a, pointer("a", i))
	}
	for j := range columns {
		b = append(b, pointer("b", j))
	}
	var sums [rows][columns]reg.VecVirtual
	for i := range rows {
		for j := range columns {
			sums[i][j] = t.vec()
			t.zero(sums[i][j])
		}
	}
	at, left := t.GP64(), pointer("vectors", 0)
	t.XORQ(at, at)
	add := func(mask reg.Register) {
		load := func(base reg.GPVirtual) reg.VecVirtual {
			v := t.vec()
			t.load(Mem{Base: base, Index: at, Scale: 1}, mask, v)
			return v
		}
		var x [rows]reg.VecVirtual
		for i := range rows {
			x[i] = load(a[i])
		}
		for j := range columns {
			y := load(b[j])
			for i := range rows {
				t.fma(x[i], y, sums[i][j])
			}
		}
	}
	t.SUBQ(Imm(1), left)
	t.JZ(LabelRef("last"))
	t.Label("vector")
	add(nil)
	t.ADDQ(Imm(uint64(t.bytes())), at)
	t.SUBQ(Imm(1), left)
	t.JNZ(LabelRef("vector"))
	t.Label("last")
	add(t.mask(field("mask", 0)))
	for i := range rows {
		for j := range columns {
			t.storeTotal(sums[i][j], field("sums", (columns*i+j)*t.elem))
		}
	}
	t.VZEROUPPER()
	t.RET()
}

// storeTotal writes the sum of all lanes of v, which it uses up: each half is
// added to the other.
func (t target) storeTotal(v reg.VecVirtual, m Mem) {
	if t.neon() {
		if t.elem == 4 {
			t.vector().Op("faddp", v, v, v)
		}
		t.vector().Pair(v, v)
		t.vector().Store(t.elem, v, m)
		return
	}
	x := v.AsX()
	if t.wide() {
		high := t.YMM()
		t.VEXTRACTF64X4(Imm(1), v, high)
		t.add(high, v.AsY(), v.AsY())
	}
	high := t.XMM()
	t.VEXTRACTF128(Imm(1), v.AsY(), high)
	t.add(high, x, x)
	t.VPERMILPD(Imm(1), x, high)
	t.add(high, x, x)
	if t.elem == 8 {
		t.VMOVSD(x, m)
		return
	}
	t.VPERMILPS(Imm(0b10110001), x, high)
	t.add(high, x, x)
	t.VMOVSS(x, m)
}

// outer emits the kernel that computes so many rows of C, two vectors at a time, or
// four of NEON.
func (t target) outer(rows int) {
	pair := 2
	if t.neon() {
		pair = 4
	}
	name := fmt.Sprintf("outer%d%s", rows, t.name())
	t.function(name, "func(o *outer["+t.float()+"])")
	t.Doc(fmt.Sprintf("%s computes rows of C, %d at a time, see [outer].", name, rows))
	load, field := t.arguments("o", "outer["+t.float()+"]")
	rowStep, colStep, b, bStep, c, cStep, left := load("rowStep"), load("colStep"), load("b"), load("bStep"), load("c"), load("cStep"), load("vectors")
	rowStep3, cStep3 := t.GP64(), t.GP64()
	t.LEAQ(Mem{Base: rowStep, Index: rowStep, Scale: 2}, rowStep3)
	t.LEAQ(Mem{Base: cStep, Index: cStep, Scale: 2}, cStep3)
	row := func(base, step, step3 reg.GPVirtual, r, disp int) Mem {
		switch r {
		case 0:
			return Mem{Base: base, Disp: disp}
		case 3:
			return Mem{Base: base, Index: step3, Scale: 1, Disp: disp}
		}
		return Mem{Base: base, Index: step, Scale: uint8(r), Disp: disp}
	}
	// vectors emits the sums of a number of vectors, the last with a mask if one
	// is given.
	vectors := func(label string, count int, mask reg.Register) {
		sums := make([][]reg.VecVirtual, rows)
		for r := range sums {
			for range count {
				sums[r] = append(sums[r], t.vec())
			}
		}
		t.CMPQ(field("add", 0), Imm(0))
		t.JE(LabelRef(label + "Zero"))
		for r := range rows {
			for v := range count {
				t.load(row(c, cStep, cStep3, r, v*t.bytes()), mask, sums[r][v])
			}
		}
		t.JMP(LabelRef(label + "Begin"))
		t.Label(label + "Zero")
		for r := range rows {
			for v := range count {
				t.zero(sums[r][v])
			}
		}
		t.Label(label + "Begin")
		a, term, k := load("a"), t.GP64(), load("k")
		t.MOVQ(b, term)
		t.Label(label + "Term")
		y := make([]reg.VecVirtual, count)
		for v := range y {
			y[v] = t.vec()
			t.load(Mem{Base: term, Disp: v * t.bytes()}, mask, y[v])
		}
		for r := range rows {
			x := t.vec()
			t.factor(row(a, rowStep, rowStep3, r, 0), x)
			for v := range y {
				t.fmaFactor(x, y[v], sums[r][v])
			}
		}
		t.ADDQ(colStep, a)
		t.ADDQ(bStep, term)
		t.SUBQ(Imm(1), k)
		t.JNZ(LabelRef(label + "Term"))
		for r := range rows {
			for v := range count {
				t.store(sums[r][v], mask, row(c, cStep, cStep3, r, v*t.bytes()))
			}
		}
		t.ADDQ(Imm(uint64(count*t.bytes())), b)
		t.ADDQ(Imm(uint64(count*t.bytes())), c)
	}
	t.Label("next")
	t.CMPQ(left, Imm(uint64(pair)))
	t.JLE(LabelRef("few")) // leaves at least one vector for the mask
	vectors("pair", pair, nil)
	t.SUBQ(Imm(uint64(pair)), left)
	t.JMP(LabelRef("next"))
	t.Label("few")
	t.CMPQ(left, Imm(1))
	t.JE(LabelRef("last"))
	vectors("one", 1, nil)
	if pair > 2 {
		t.SUBQ(Imm(1), left)
		t.JMP(LabelRef("few"))
	}
	t.Label("last")
	vectors("last", 1, t.mask(field("mask", 0)))
	t.VZEROUPPER()
	t.RET()
}
