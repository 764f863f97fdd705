package main

import (
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// termsNEON emits the loop over k, for two forms of A. If the elements of a column
// lie side by side, as in packed A, they are read as vectors, of which the
// multiplication takes one lane; else each is read by itself.
func (m *micro) termsNEON() {
	rowStep := m.load("rowStep")
	if !m.packs {
		m.CMPQ(rowStep, Imm(uint64(m.elem)))
		m.JNE(LabelRef("apart"))
	}
	m.together()
	if !m.packs {
		m.JMP(LabelRef("sums"))
		m.Label("apart")
		m.apart(rowStep)
	}
	m.Label("sums")
}

// A lane is an element of A.
type lane struct {
	vector reg.VecVirtual
	number int
}

// multiplyLanes returns what multiplies vectors of B with a column of A.
func (m *micro) multiplyLanes(a []lane) func(v0 int, b []reg.VecVirtual) {
	return func(v0 int, b []reg.VecVirtual) {
		for r, x := range a {
			for v := range b {
				m.vector().MulElement(m.sums[r][v0+v], b[v], x.vector, x.number)
			}
		}
	}
}

// together emits the loop for columns whose elements lie side by side.
func (m *micro) together() {
	base := m.load("aNow")
	l := turns{colStep: m.load("colStep"), stream: base}
	m.readyB(&l)
	a := make([]lane, m.rows)
	l.column = func() {
		// read loads count elements from row first on.
		read := func(first, count int) {
			v := m.vec()
			m.vector().Load(count*m.elem, Mem{Base: base, Disp: first * m.elem}, v)
			for i := range count {
				a[first+i] = lane{v, i}
			}
		}
		r := 0
		for ; m.rows-r >= m.lanes(); r += m.lanes() {
			read(r, m.lanes())
		}
		switch rest := m.rows - r; {
		case rest == 3 && r > 0: // a vector that begins one row above
			v := m.vec()
			m.vector().Load(m.bytes(), Mem{Base: base, Disp: (r - 1) * m.elem}, v)
			for i := range rest {
				a[r+i] = lane{v, i + 1}
			}
		case rest == 3:
			read(r, 2)
			read(r+2, 1)
		case rest > 0:
			read(r, rest)
		}
	}
	l.multiply = m.multiplyLanes(a)
	l.next = func() { m.ADDQ(l.colStep, base) }
	m.loop(l)
}

// apart emits the loop for rows at any distance: a pointer to each, and how far
// the loop is along them.
func (m *micro) apart(rowStep reg.GPVirtual) {
	rows := []reg.GPVirtual{m.load("aNow")}
	for r := 1; r < m.rows; r++ {
		p := m.GP64()
		m.LEAQ(Mem{Base: rows[r-1], Index: rowStep, Scale: 1}, p)
		rows = append(rows, p)
	}
	at := m.GP64()
	m.XORQ(at, at)
	l := turns{label: "apart_", colStep: m.load("colStep")}
	m.readyB(&l)
	a := make([]lane, m.rows)
	l.column = func() {
		for r, p := range rows {
			a[r] = lane{m.vec(), 0}
			m.vector().Load(m.elem, Mem{Base: p, Index: at, Scale: 1}, a[r].vector)
		}
	}
	multiply := m.multiplyLanes(a)
	if m.rows*(m.vectors+1)+m.vectors > registers {
		// The elements are read as they are needed.
		l.column = nil
		multiply = func(v0 int, b []reg.VecVirtual) {
			for r, p := range rows {
				x := m.vec()
				m.vector().Load(m.elem, Mem{Base: p, Index: at, Scale: 1}, x)
				for v := range b {
					m.vector().MulElement(m.sums[r][v0+v], b[v], x, 0)
				}
			}
		}
	}
	l.multiply = multiply
	l.next = func() { m.ADDQ(l.colStep, at) }
	m.loop(l)
}

// registers is the number of vector registers.
const registers = 32

// activationNEON emits ReLU and LeakyReLU of the sums, which leave NaN as it is.
func (m *micro) activationNEON(act reg.GPVirtual, zero reg.VecVirtual) {
	v := m.vector()
	m.CMPQ(act, Imm(actReLU))
	m.JNE(LabelRef("leaky"))
	for _, row := range m.sums {
		for _, sum := range row {
			negative := m.vec()
			v.Op("fcmgt", negative, zero, sum)
			v.Op("bic", sum, sum, negative)
		}
	}
	m.JMP(LabelRef("store"))
	m.Label("leaky")
	alpha := m.vec()
	m.broadcast(m.field("alpha", 0), alpha)
	for _, row := range m.sums {
		for _, sum := range row {
			scaled, positive := m.vec(), m.vec()
			v.Op("fmul", scaled, sum, alpha)
			v.Op("fcmgt", positive, zero, sum)
			v.Op("bsl", positive, scaled, sum)
			v.Move(sum, positive)
		}
	}
}
