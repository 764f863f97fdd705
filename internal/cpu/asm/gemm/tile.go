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
	bases, row := m.rowsOfA()
	colStep, b, bStep := m.load("colStep"), m.load("b"), m.load("bStep")
	k := m.load("k")
	prefetch, prefetchStep := m.load("cNow"), m.load("cStep")
	var pack reg.GPVirtual
	if m.packs {
		// Rows of B lie far apart: each is asked for some rows ahead.
		pack = m.load("pack")
		m.MOVQ(bStep, prefetch)
		m.IMUL3Q(Imm(packAhead), prefetch, prefetch)
		m.ADDQ(b, prefetch)
	}

	term := func(mask reg.Register) {
		row0 := make([]reg.VecVirtual, m.vectors)
		for v := range row0 {
			row0[v] = m.vec()
			if v < m.vectors-1 {
				m.target.load(Mem{Base: b, Disp: v * m.bytes()}, nil, row0[v])
			} else {
				m.target.load(Mem{Base: b, Disp: v * m.bytes()}, mask, row0[v])
			}
		}
		m.ADDQ(bStep, b)
		if m.packs {
			for v := range row0 {
				m.move(row0[v], Mem{Base: pack, Disp: v * m.bytes()})
			}
			m.ADDQ(U32(m.vectors*m.bytes()), pack)
			m.PREFETCHT0(Mem{Base: prefetch})
			m.PREFETCHT0(Mem{Base: prefetch, Disp: 64})
			m.ADDQ(bStep, prefetch)
		}
		for r := range m.rows {
			a := m.vec()
			m.broadcast(row(r), a)
			for v := range m.vectors {
				m.fma(a, row0[v], m.sums[r][v])
			}
		}
		for _, base := range bases {
			m.ADDQ(colStep, base)
		}
	}

	// whole is k if rows of B may be read to their last lane, so n counts turns
	// of the unrolled loop down to below zero; else it begins below.
	n := m.load("whole")
	m.SUBQ(Imm(unroll), n)
	m.JLT(LabelRef("rest"))
	if !m.packs {
		// The first turns ask for the rows of C, the rest for what comes next.
		// One row a turn: more would take the buffers that A and B come through.
		enough := m.GP64()
		m.LEAQ(Mem{Base: n, Disp: -unroll * m.rows}, enough)
		m.MOVQ(enough, m.field("enough", 0))
	}
	m.Label("turn")
	if m.rows >= streamRows {
		// A comes from L2, a row of memory after the other.
		for line := range unroll * m.rows * m.elem / 64 {
			m.PREFETCHT0(Mem{Base: bases[0], Disp: streamAhead + 64*line})
		}
	}
	if !m.packs {
		m.PREFETCHT1(Mem{Base: prefetch})
		m.PREFETCHT1(Mem{Base: prefetch, Disp: 64})
		m.ADDQ(prefetchStep, prefetch)
		m.CMPQ(n, m.field("enough", 0))
		m.JNE(LabelRef("columns"))
		m.MOVQ(m.field("prefetchNow", 0), prefetch)
		m.MOVQ(m.field("prefetchStep", 0), prefetchStep)
		m.Label("columns")
	}
	for range unroll {
		term(nil)
	}
	m.SUBQ(Imm(unroll), k)
	m.SUBQ(Imm(unroll), n)
	m.JGE(LabelRef("turn"))
	m.Label("rest")
	m.TESTQ(k, k)
	m.JZ(LabelRef("sums"))
	m.Label("one")
	term(m.mask)
	m.SUBQ(Imm(1), k)
	m.JNZ(LabelRef("one"))
	m.Label("sums")
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
		m.each(z, zStep, func(r, v int, at Mem) { m.store(m.sums[r][v], m.last(v), at) })
		for range m.rows {
			m.ADDQ(zStep, z)
		}
		m.MOVQ(z, m.field("zNow", 0))
	}
	m.Label("act")
	m.activation()
	m.Label("store")
	m.each(c, cStep, func(r, v int, at Mem) { m.store(m.sums[r][v], m.last(v), at) })

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

// activation emits ReLU and LeakyReLU of the sums.
func (m *micro) activation() {
	act := m.load("act")
	m.TESTQ(act, act)
	m.JZ(LabelRef("store"))
	zero := m.vec()
	m.target.zero(zero)
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
