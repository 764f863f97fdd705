package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func (t target) float() string { return fmt.Sprintf("float%d", 8*t.elem) }

// mask loads a mask from memory, as the instruction set has them.
func (t target) mask(m Mem) reg.Register {
	if t.neon() {
		count := t.GP64()
		t.MOVQ(m, count)
		return count
	}
	if t.wide() {
		k := t.K()
		t.KMOVW(m, k)
		return k
	}
	v := t.YMM()
	t.VMOVDQU(m, v)
	return v
}

// packRows emits the copy of rows. Rows lie far apart: each is asked for some
// rows ahead.
func (t target) packRows() {
	name := "packRows" + t.name()
	t.function(name, "func(p *pack["+t.float()+"])")
	t.Doc(name + " copies rows, see [pack].")
	load, field := t.arguments("p", "pack["+t.float()+"]")

	dst, src, n := load("dst"), load("src"), load("n")
	dstStep, srcStep, strips := load("dstStep"), load("srcStep"), load("strips")
	dstNext, srcNext := load("dstNext"), load("srcNext")
	loads := []reg.Register{t.mask(field("load", 0)), t.mask(field("load", 32))}
	saves := []reg.Register{t.mask(field("save", 0)), t.mask(field("save", 32))}
	ahead := t.GP64()
	t.MOVQ(srcStep, ahead)
	t.SHLQ(Imm(3), ahead)
	t.TESTQ(n, n)
	t.JZ(LabelRef("done"))
	counts := []int{1, 2}
	if t.neon() {
		counts = []int{1, 2, 3, 4}
	}
	labels := []string{"", "one", "two", "three", "four"}
	for _, count := range counts[1:] {
		t.CMPQ(field("vectors", 0), Imm(uint64(count)))
		t.JEQ(LabelRef(labels[count]))
	}
	for _, count := range counts {
		label := labels[count]
		t.Label(label)
		t.eachStore(label, ofVector(saves, count-1, count), func(label string, store storing) {
			from, to, left := t.GP64(), t.GP64(), t.GP64()
			t.MOVQ(src, from)
			t.MOVQ(dst, to)
			t.MOVQ(strips, left)
			t.Label(label + "Strip")
			row := make([]reg.VecVirtual, count)
			for v := range row {
				t.PREFETCHT0(Mem{Base: from, Index: ahead, Scale: 1, Disp: v * t.bytes()})
				row[v] = t.vec()
				t.load(Mem{Base: from, Disp: v * t.bytes()}, ofVector(loads, v, count), row[v])
			}
			for v := range row {
				to := Mem{Base: to, Disp: v * t.bytes()}
				switch {
				case v == count-1:
					store(row[v], to)
				case t.narrow(): // only the last of several vectors has lanes left out
					t.move(row[v], to)
				default:
					t.store(row[v], ofVector(saves, v, count), to)
				}
			}
			t.ADDQ(srcNext, from)
			t.ADDQ(dstNext, to)
			t.SUBQ(Imm(1), left)
			t.JNZ(LabelRef(label + "Strip"))
			t.ADDQ(srcStep, src)
			t.ADDQ(dstStep, dst)
			t.SUBQ(Imm(1), n)
			t.JNZ(LabelRef(label))
			if count < len(counts) || t.narrow() {
				t.JMP(LabelRef("done"))
			}
		})
	}
	t.Label("done")
	t.VZEROUPPER()
	t.RET()
}

// ofVector returns the mask of one of count vectors: the first mask for the first
// of up to two, the second for the last of several, none between.
func ofVector(masks []reg.Register, v, count int) reg.Register {
	switch {
	case v == 0 && count <= 2:
		return masks[0]
	case v == count-1:
		return masks[1]
	}
	return nil
}

// narrow tells whether this is AVX2.
func (t target) narrow() bool { return !t.wide() && !t.neon() }

// storing writes a vector to memory.
type storing func(r reg.VecVirtual, to Mem)

// eachStore emits a body for each way of storing lanes that a mask selects, and
// has the program choose. There is one way, but for AVX2: processors of AMD take
// a dozen cycles to store with a mask there, so that whole vectors, and those of
// tiles with the most rows, get a body that stores without. Bodies do not come to
// their end.
func (t target) eachStore(label string, mask reg.Register, body func(label string, store storing)) {
	masked := func(r reg.VecVirtual, to Mem) { t.store(r, mask, to) }
	if !t.narrow() {
		body(label, masked)
		return
	}
	signs := t.GP32()
	pick(t, t.VMOVMSKPS, t.VMOVMSKPD)(mask, signs)
	ways := []struct {
		name  string
		lanes int
		store storing
	}{
		{"Whole", t.lanes(), func(r reg.VecVirtual, to Mem) { t.move(r, to) }},
		{"Most", mostRows % t.lanes(), func(r reg.VecVirtual, to Mem) {
			t.move(r.AsX(), to)
			if t.elem == 4 { // 4 + 2
				high := t.XMM()
				t.VEXTRACTF128(Imm(1), r, high)
				t.VMOVLPS(high, Mem{Base: to.Base, Disp: to.Disp + 16})
			}
		}},
	}
	for _, w := range ways {
		t.CMPL(signs, Imm(1<<w.lanes-1))
		t.JEQ(LabelRef(label + w.name))
	}
	t.Label(label + "Masked")
	body(label+"Masked", masked)
	for _, w := range ways {
		t.Label(label + w.name)
		body(label+w.name, w.store)
	}
}

// mostRows is how many rows the tiles of AVX2 have at most.
const mostRows = 6

// columnsAhead is how far ahead of their use rows are asked for, in bytes.
const columnsAhead = 256

// packColumns emits the transposing copy.
//
// The 16 bytes of one source row go into one 128-bit lane of a vector, e
// elements each, such that lane l of vector i comes from row l·e+i. What is
// left is to transpose e×e elements within the lanes, which takes half of the
// shuffles that a transpose of full vectors would.
func (t target) packColumns() {
	name := "packColumns" + t.name()
	t.function(name, "func(p *pack["+t.float()+"])")
	t.Doc(name + " copies columns of rows, see [pack].")
	load, field := t.arguments("p", "pack["+t.float()+"]")

	dst, dstStep, n := load("dst"), load("dstStep"), load("n")
	save := t.mask(field("save", 0))
	e := 16 / t.elem         // elements of a 128-bit lane
	lanes := t.lanes()       // rows
	perRow := t.bytes() / 16 // 16-byte pieces taken from a row at once
	at := t.GP64()           // offset in the source rows
	t.XORQ(at, at)

	// piece transposes so many pieces of 16 bytes from every row.
	piece := func(count int, store storing) {
		v := make([][]reg.VecVirtual, count)
		for c := range v {
			v[c] = make([]reg.VecVirtual, e)
			for i := range v[c] {
				v[c][i] = t.vec()
			}
		}
		row := t.GP64()
		for i := range e {
			for l := range lanes / e {
				t.MOVQ(field("rows", 8*(l*e+i)), row)
				if count == perRow {
					t.PREFETCHT0(Mem{Base: row, Index: at, Scale: 1, Disp: columnsAhead})
				}
				for c := range v {
					m := Mem{Base: row, Index: at, Scale: 1, Disp: 16 * c}
					if l == 0 {
						t.spread(m, v[c][i])
					} else {
						t.insert(l, m, v[c][i])
					}
				}
			}
		}
		for c := range v {
			for _, r := range t.transposeLanes(v[c]) {
				store(r, Mem{Base: dst})
				t.ADDQ(dstStep, dst)
			}
		}
		t.ADDQ(Imm(uint64(16*count)), at)
	}

	full := perRow * e
	t.eachStore("", save, func(label string, store storing) {
		named := func(name string) string { return label + name }
		t.SUBQ(Imm(uint64(full)), n)
		t.JLT(LabelRef(named("rest")))
		t.Label(named("full"))
		piece(perRow, store)
		t.SUBQ(Imm(uint64(full)), n)
		t.JGE(LabelRef(named("full")))
		t.Label(named("rest"))
		t.ADDQ(Imm(uint64(full-e)), n) // n = columns left − e
		t.JLT(LabelRef(named("last")))
		t.Label(named("one"))
		piece(1, store)
		t.SUBQ(Imm(uint64(e)), n)
		t.JGE(LabelRef(named("one")))
		t.Label(named("last"))
		t.ADDQ(Imm(uint64(e)), n)
		t.JZ(LabelRef("done"))
		// Fewer than e columns are left: step back so that the last e are done.
		t.SUBQ(Imm(uint64(e)), n)
		t.IMUL3Q(Imm(uint64(t.elem)), n, n)
		t.ADDQ(n, at)
		if t.elem == 4 {
			t.SARQ(Imm(2), n)
		} else {
			t.SARQ(Imm(3), n)
		}
		t.IMULQ(dstStep, n)
		t.ADDQ(n, dst)
		piece(1, store)
		if t.narrow() {
			t.JMP(LabelRef("done"))
		}
	})
	t.Label("done")
	t.VZEROUPPER()
	t.RET()
}

// spread puts 16 bytes of memory into every 128-bit lane of v.
func (t target) spread(m Mem, v reg.VecVirtual) {
	switch {
	case t.neon(): // there is but one
		t.move(m, v)
	case t.wide():
		t.VBROADCASTF32X4(m, v)
	default:
		t.VBROADCASTF128(m, v)
	}
}

// insert puts 16 bytes of memory into 128-bit lane l of v.
func (t target) insert(l int, m Mem, v reg.VecVirtual) {
	if t.wide() {
		t.VINSERTF32X4(Imm(uint64(l)), m, v, v)
		return
	}
	t.VINSERTF128(Imm(uint64(l)), m, v, v)
}

// transposeLanes transposes, within each 128-bit lane, the square of elements
// that as many vectors hold there.
func (t target) transposeLanes(v []reg.VecVirtual) []reg.VecVirtual {
	if t.neon() {
		return t.transposeNEON(v)
	}
	two := func(f func(ops ...Op), a, b reg.VecVirtual) reg.VecVirtual {
		r := t.vec()
		f(b, a, r)
		return r
	}
	if t.elem == 8 {
		return []reg.VecVirtual{two(t.VUNPCKLPD, v[0], v[1]), two(t.VUNPCKHPD, v[0], v[1])}
	}
	a, b := two(t.VUNPCKLPS, v[0], v[1]), two(t.VUNPCKLPS, v[2], v[3])
	c, d := two(t.VUNPCKHPS, v[0], v[1]), two(t.VUNPCKHPS, v[2], v[3])
	return []reg.VecVirtual{
		two(t.VUNPCKLPD, a, b), two(t.VUNPCKHPD, a, b),
		two(t.VUNPCKLPD, c, d), two(t.VUNPCKHPD, c, d),
	}
}

// transposeNEON transposes two by two or four by four elements.
func (t target) transposeNEON(v []reg.VecVirtual) []reg.VecVirtual {
	zip := func(a, b reg.VecVirtual) (low, high reg.VecVirtual) {
		low, high = t.vec(), t.vec()
		t.vector().Op("zip1", low, a, b)
		t.vector().Op("zip2", high, a, b)
		return low, high
	}
	if t.elem == 8 {
		low, high := zip(v[0], v[1])
		return []reg.VecVirtual{low, high}
	}
	a, b := zip(v[0], v[2])
	c, d := zip(v[1], v[3])
	e, f := zip(a, c)
	g, h := zip(b, d)
	return []reg.VecVirtual{e, f, g, h}
}

// sumRows emits the sums of columns.
func (t target) sumRows() {
	name := "sumRows" + t.name()
	t.function(name, "func(p *pack["+t.float()+"])")
	t.Doc(name + " adds up rows, see [pack].")
	load, field := t.arguments("p", "pack["+t.float()+"]")

	dst, src, step, vectors := load("dst"), load("src"), load("srcStep"), load("vectors")
	mask := t.mask(field("load", 0))
	t.Label("vectors")
	t.CMPQ(vectors, Imm(4))
	t.JGT(LabelRef("four")) // leaves at least one vector for the mask
	for _, count := range []int{1, 4} {
		label := map[int]string{1: "one", 4: "four"}[count]
		t.Label(label)
		if count == 1 {
			t.CMPQ(vectors, Imm(1))
			t.JEQ(LabelRef("last"))
		}
		t.columnSums(label, count, nil, dst, src, step, load)
		t.ADDQ(U32(count*t.bytes()), dst)
		t.ADDQ(U32(count*t.bytes()), src)
		t.SUBQ(Imm(uint64(count)), vectors)
		t.JMP(LabelRef("vectors"))
	}
	t.Label("last")
	t.columnSums("last", 1, mask, dst, src, step, load)
	t.VZEROUPPER()
	t.RET()
}

// columnSums adds n rows, count vectors wide, to dst.
func (t target) columnSums(label string, count int, mask reg.Register, dst, src, step reg.GPVirtual, load func(string) reg.GPVirtual) {
	n, row := load("n"), t.GP64()
	t.MOVQ(src, row)
	sums := make([]reg.VecVirtual, count)
	for v := range sums {
		sums[v] = t.vec()
		t.load(Mem{Base: dst, Disp: v * t.bytes()}, mask, sums[v])
	}
	t.TESTQ(n, n)
	t.JZ(LabelRef(label + "Store"))
	t.Label(label + "Row")
	for v := range sums {
		if mask == nil {
			t.add(Mem{Base: row, Disp: v * t.bytes()}, sums[v], sums[v])
			continue
		}
		x := t.vec()
		t.load(Mem{Base: row, Disp: v * t.bytes()}, mask, x)
		t.add(x, sums[v], sums[v])
	}
	t.ADDQ(step, row)
	t.SUBQ(Imm(1), n)
	t.JNZ(LabelRef(label + "Row"))
	t.Label(label + "Store")
	for v := range sums {
		t.store(sums[v], mask, Mem{Base: dst, Disp: v * t.bytes()})
	}
}
