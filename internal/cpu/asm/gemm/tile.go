package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// unroll is the number of columns of A in one turn of the inner loop.
const unroll = 4

// A micro is a micro-kernel while it is emitted.
type micro struct {
	target
	rows, vectors int
	packs         bool
	load          func(name string) reg.GPVirtual
	field         func(name string, off int) Mem
	mask          reg.Register       // lanes of the last vector
	sums          [][]reg.VecVirtual // the tile, by row and vector
}

// tile emits the kernel for tiles of rows × vectors.
func (t target) tile(name string, rows, vectors int, packs bool) {
	t.function(name, "func(t *tile["+t.float()+"])")
	doc := fmt.Sprintf("%s computes tiles of %d × %d", name, rows, vectors*t.lanes())
	if packs {
		doc += " and packs B"
	}
	t.Doc(doc + ", see [tile].")
	m := &micro{target: t, rows: rows, vectors: vectors, packs: packs}
	m.load, m.field = t.arguments("t", "tile["+t.float()+"]")
	m.mask = t.mask(m.field("mask", 0))
	for _, name := range []string{"a", "c", "z", "prefetch"} {
		t.MOVQ(m.load(name), m.field(name+"Now", 0))
	}
	t.Label("tiles")
	m.begin()
	m.terms()
	m.end()
}

// last returns the mask of vector v, nil for all but the last.
func (m *micro) last(v int) reg.Register {
	if v == m.vectors-1 {
		return m.mask
	}
	return nil
}

// begin emits the prologue: sums start at the bias, or at zero.
func (m *micro) begin() {
	m.sums = make([][]reg.VecVirtual, m.rows)
	for r := range m.sums {
		m.sums[r] = make([]reg.VecVirtual, m.vectors)
		for v := range m.sums[r] {
			m.sums[r][v] = m.vec()
		}
	}
	bias := m.load("bias")
	m.TESTQ(bias, bias)
	m.JZ(LabelRef("zero"))
	for v := range m.vectors {
		m.target.load(Mem{Base: bias, Disp: v * m.bytes()}, m.last(v), m.sums[0][v])
		for r := 1; r < m.rows; r++ {
			m.move(m.sums[0][v], m.sums[r][v])
		}
	}
	m.JMP(LabelRef("begin"))
	m.Label("zero")
	for r := range m.rows {
		for v := range m.vectors {
			m.target.zero(m.sums[r][v])
		}
	}
	m.Label("begin")
}

// rowsOfA returns the pointers that are moved along the rows of A, and how to
// address row r: three pointers and the multiples of the row step that an address
// can hold reach all rows.
func (m *micro) rowsOfA() (bases []reg.GPVirtual, row func(r int) Mem) {
	rowStep := m.load("rowStep")
	rowStep3 := m.GP64()
	m.LEAQ(Mem{Base: rowStep, Index: rowStep, Scale: 2}, rowStep3)
	bases = []reg.GPVirtual{m.load("aNow")}
	for r := 5; r < m.rows; r += 5 {
		p := m.GP64()
		m.LEAQ(Mem{Base: bases[len(bases)-1], Index: rowStep, Scale: 4}, p)
		m.ADDQ(rowStep, p)
		bases = append(bases, p)
	}
	return bases, func(r int) Mem {
		base := bases[r/5]
		switch r % 5 {
		case 0:
			return Mem{Base: base}
		case 3:
			return Mem{Base: base, Index: rowStep3, Scale: 1}
		default:
			return Mem{Base: base, Index: rowStep, Scale: uint8(r % 5)}
		}
	}
}

// terms emits the loop over k, which adds a column of A times a row of B.
func (m *micro) terms() {
	if m.neon() {
		m.termsNEON()
		return
	}
	bases, row := m.rowsOfA()
	l := turns{colStep: m.load("colStep"), stream: bases[0]}
	m.readyB(&l)
	l.multiply = func(_ int, b []reg.VecVirtual) {
		for r := range m.rows {
			a := m.vec()
			m.broadcast(row(r), a)
			for v := range m.vectors {
				m.fma(a, b[v], m.sums[r][v])
			}
		}
	}
	l.next = func() {
		for _, base := range bases {
			m.ADDQ(l.colStep, base)
		}
	}
	m.loop(l)
	m.Label("sums")
}

// turns is the loop over k while it is emitted.
type turns struct {
	label string // what its labels begin with

	colStep, b, bStep, k, pack reg.GPVirtual
	prefetch, prefetchStep     reg.GPVirtual
	stream                     reg.GPVirtual // where packed A is read, or nil

	column   func()                           // reads a column of A; may be nil
	multiply func(v0 int, b []reg.VecVirtual) // adds it times vectors of B, from v0 on
	next     func()                           // goes to the next column
}

// readyB loads what the loop needs besides A.
func (m *micro) readyB(l *turns) {
	l.b, l.bStep, l.k = m.load("b"), m.load("bStep"), m.load("k")
	l.prefetch, l.prefetchStep = m.load("cNow"), m.load("cStep")
	if m.packs {
		// Rows of B lie far apart: each is asked for some rows ahead.
		l.pack = m.load("pack")
		m.MOVQ(l.bStep, l.prefetch)
		m.IMUL3Q(Imm(packAhead), l.prefetch, l.prefetch)
		m.ADDQ(l.b, l.prefetch)
	}
}

// rowOfB reads vectors v0 to v1 of a row of B, and goes to the next row after the
// last of them.
func (m *micro) rowOfB(l turns, v0, v1 int, mask reg.Register) []reg.VecVirtual {
	row := make([]reg.VecVirtual, v1-v0)
	for v := range row {
		row[v] = m.vec()
		if v0+v < m.vectors-1 {
			m.target.load(Mem{Base: l.b, Disp: (v0 + v) * m.bytes()}, nil, row[v])
		} else {
			m.target.load(Mem{Base: l.b, Disp: (v0 + v) * m.bytes()}, mask, row[v])
		}
	}
	if v1 < m.vectors {
		return row
	}
	m.ADDQ(l.bStep, l.b)
	if m.packs {
		for v := range row {
			m.move(row[v], Mem{Base: l.pack, Disp: v * m.bytes()})
		}
		m.ADDQ(U32(m.vectors*m.bytes()), l.pack)
		m.PREFETCHT0(Mem{Base: l.prefetch})
		m.PREFETCHT0(Mem{Base: l.prefetch, Disp: 64})
		m.ADDQ(l.bStep, l.prefetch)
	}
	return row
}

// term emits what one turn does k times.
func (m *micro) term(l turns, mask reg.Register) {
	if l.column != nil {
		l.column()
	}
	for v := 0; v < m.vectors; v += rowGroup {
		l.multiply(v, m.rowOfB(l, v, min(v+rowGroup, m.vectors), mask))
	}
	l.next()
}

// rowGroup is the most vectors of B that are in registers at a time.
const rowGroup = 4

// loop emits the loop over k, the end of which is followed by the label sums.
func (m *micro) loop(l turns) {
	// whole is k if rows of B may be read to their last lane, so n counts turns
	// of the unrolled loop down to below zero; else it begins below.
	n := m.load("whole")
	m.SUBQ(Imm(unroll), n)
	m.JLT(LabelRef(l.label + "rest"))
	if !m.packs {
		// The first turns ask for the rows of C, the rest for what comes next.
		// One row a turn: more would take the buffers that A and B come through.
		enough := m.GP64()
		m.LEAQ(Mem{Base: n, Disp: -unroll * m.rows}, enough)
		m.MOVQ(enough, m.field("enough", 0))
	}
	m.Label(l.label + "turn")
	if m.rows >= streamRows && l.stream != nil {
		// A comes from L2, a row of memory after the other.
		for line := range unroll * m.rows * m.elem / 64 {
			m.PREFETCHT0(Mem{Base: l.stream, Disp: streamAhead + 64*line})
		}
	}
	if !m.packs {
		m.PREFETCHT1(Mem{Base: l.prefetch})
		m.PREFETCHT1(Mem{Base: l.prefetch, Disp: 64})
		m.ADDQ(l.prefetchStep, l.prefetch)
		m.CMPQ(n, m.field("enough", 0))
		m.JNE(LabelRef(l.label + "columns"))
		m.MOVQ(m.field("prefetchNow", 0), l.prefetch)
		m.MOVQ(m.field("prefetchStep", 0), l.prefetchStep)
		m.Label(l.label + "columns")
	}
	for range unroll {
		m.term(l, nil)
	}
	m.SUBQ(Imm(unroll), l.k)
	m.SUBQ(Imm(unroll), n)
	m.JGE(LabelRef(l.label + "turn"))
	m.Label(l.label + "rest")
	m.TESTQ(l.k, l.k)
	m.JZ(LabelRef("sums"))
	m.Label(l.label + "one")
	m.term(l, m.mask)
	m.SUBQ(Imm(1), l.k)
	m.JNZ(LabelRef(l.label + "one"))
}

// each calls f for every vector of the tile with its address from p on.
func (m *micro) each(p, step reg.GPVirtual, f func(r, v int, at Mem)) {
	q := m.GP64()
	m.MOVQ(p, q)
	for r := range m.rows {
		for v := range m.vectors {
			f(r, v, Mem{Base: q, Disp: v * m.bytes()})
		}
		if r < m.rows-1 {
			m.ADDQ(step, q)
		}
	}
}

// end emits the epilogue: what is in C is added, Z and C are written, with the
// activation, and the next tile begins.
func (m *micro) end() {
	c, cStep := m.load("cNow"), m.load("cStep")
	m.CMPQ(m.field("add", 0), Imm(0))
	m.JE(LabelRef("alone"))
	m.each(c, cStep, func(r, v int, at Mem) {
		if m.last(v) == nil {
			m.add(at, m.sums[r][v], m.sums[r][v])
			return
		}
		old := m.vec()
		m.target.load(at, m.last(v), old)
		m.add(old, m.sums[r][v], m.sums[r][v])
	})
	m.Label("alone")
	{
		z := m.load("zNow")
		m.TESTQ(z, z)
		m.JZ(LabelRef("act"))
		zStep := m.load("zStep")
		m.write(z, zStep, "z")
		for range m.rows {
			m.ADDQ(zStep, z)
		}
		m.MOVQ(z, m.field("zNow", 0))
	}
	m.Label("act")
	m.activation()
	m.Label("store")
	m.write(c, cStep, "c")

	m.DECQ(m.field("tiles", 0))
	m.JZ(LabelRef("done"))
	m.ADDQ(m.load("tileStep"), m.field("aNow", 0))
	m.ADDQ(m.load("prefetchTile"), m.field("prefetchNow", 0))
	for range m.rows {
		m.ADDQ(cStep, c)
	}
	m.MOVQ(c, m.field("cNow", 0))
	m.JMP(LabelRef("tiles"))
	m.Label("done")
	m.VZEROUPPER()
	m.RET()
}

// write emits the storing of the sums from p on. AVX2 takes the mask for vectors
// that are not whole only, see eachStore.
func (m *micro) write(p, step reg.GPVirtual, label string) {
	if m.narrow() {
		signs := m.GP32()
		pick(m.target, m.VMOVMSKPS, m.VMOVMSKPD)(m.mask, signs)
		m.CMPL(signs, Imm(1<<m.lanes()-1))
		m.JNE(LabelRef(label + "Masked"))
		m.each(p, step, func(r, v int, at Mem) { m.move(m.sums[r][v], at) })
		m.JMP(LabelRef(label + "Written"))
		m.Label(label + "Masked")
	}
	m.each(p, step, func(r, v int, at Mem) { m.store(m.sums[r][v], m.last(v), at) })
	if m.narrow() {
		m.Label(label + "Written")
	}
}

// activation emits ReLU and LeakyReLU of the sums.
func (m *micro) activation() {
	act := m.load("act")
	m.TESTQ(act, act)
	m.JZ(LabelRef("store"))
	zero := m.vec()
	m.target.zero(zero)
	if m.neon() {
		m.activationNEON(act, zero)
		return
	}
	m.CMPQ(act, Imm(actReLU))
	m.JNE(LabelRef("leaky"))
	for _, row := range m.sums {
		for _, sum := range row {
			m.max(sum, zero, sum)
		}
	}
	m.JMP(LabelRef("store"))
	m.Label("leaky")
	alpha := m.vec()
	m.broadcast(m.field("alpha", 0), alpha)
	for _, row := range m.sums {
		for _, sum := range row {
			if m.wide() {
				k := m.K()
				m.cmp(Imm(1), zero, sum, k) // sum < 0
				m.mul(alpha, sum, k, sum)
			} else {
				scaled := m.vec()
				m.mul(alpha, sum, scaled)
				m.blend(sum, scaled, sum, sum) // by sign
			}
		}
	}
}
