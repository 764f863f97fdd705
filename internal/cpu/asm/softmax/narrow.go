package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/affine-go/affine/internal/cpu/asm/vec"
)

// Rows of a few classes would leave most lanes empty. Here each lane holds
// another row, and a column is gathered at a time. AVX-512 only: AVX2 cannot
// scatter the gradients.

// A column is that of the matrix that a parameter points to, in the group of
// rows at hand.
type column struct {
	first reg.GPVirtual // its element in the first row of the group
	next  reg.GPVirtual // the bytes to the next group
	rows  reg.VecVirtual
}

func newColumn(t *vec.Type, data, stride string) column {
	c := column{first: t.Int(data), next: t.Int(stride), rows: t.YMM()}
	spread := t.YMM()
	t.VPBROADCASTD(c.next.As32(), spread)
	t.VPMULLD(vec.LaneNumbers(), spread, c.rows)
	t.IMUL3Q(operand.I32(t.Lanes()*t.Size()), c.next, c.next)
	return c
}

// groups emits a loop over groups of as many rows as there are lanes. body
// gets the lanes that hold rows.
func groups(t *vec.Type, columns []column, body func(present vec.Mask)) {
	left := t.Int("rows")
	start, end := t.NewLabel("group"), t.NewLabel("end")
	t.Label(start)
	t.TESTQ(left, left)
	t.JLE(operand.LabelRef(end))
	present := t.GP64()
	t.MOVQ(operand.I32(t.Lanes()), present)
	t.CMPQ(left, present)
	t.CMOVQLT(left, present)
	body(t.FirstLanes(present))
	for _, c := range columns {
		t.ADDQ(c.next, c.first)
	}
	t.SUBQ(operand.Imm(uint64(t.Lanes())), left)
	t.JMP(operand.LabelRef(start))
	t.Label(end)
}

// across emits a loop over the columns. at is where a column's element in the
// first row of the group lies.
func across(t *vec.Type, body func(at func(column) operand.Mem)) {
	offset, left := t.GP64(), t.Int("cols")
	t.XORQ(offset, offset)
	start := t.NewLabel("column")
	t.Label(start)
	body(func(c column) operand.Mem {
		element := t.GP64()
		t.LEAQ(operand.Mem{Base: c.first, Index: offset, Scale: 1}, element)
		return operand.Mem{Base: element, Index: c.rows, Scale: uint8(t.Size())}
	})
	t.ADDQ(operand.Imm(uint64(t.Size())), offset)
	t.DECQ(left)
	t.JNZ(operand.LabelRef(start))
}

// narrowRows emits the kernels for rows of a few classes.
func narrowRows(t *vec.Type) {
	narrowTotal(t)
	narrowGradient(t)
}

// exponentialsAcross emits the passes for hi = max z, Σ e^(z−hi) and Σ t. also
// gets each column's t and z − hi.
func exponentialsAcross(t *vec.Type, logits, targets column, present vec.Mask, also func(target, z vec.Reg)) (hi, sum, weight vec.Reg) {
	hi = t.Infinity(-1)
	across(t, func(at func(column) operand.Mem) {
		t.MaxTo(hi, t.Gather(at(logits), present))
	})
	sum, weight = t.Zero(), t.Zero()
	across(t, func(at func(column) operand.Mem) {
		z := t.KeepMask(t.Sub(t.Gather(at(logits), present), hi), present)
		target := t.Gather(at(targets), present)
		t.AddTo(weight, target)
		also(target, z)
		t.AddTo(sum, t.ExpMinus(z))
	})
	return hi, sum, weight
}

func narrowTotal(t *vec.Type) {
	t.BeginRows("crossEntropyNarrow", fmt.Sprintf(
		"func(z *%[1]s, zStride int, t *%[1]s, tStride int, rows, cols int) float64", t.Elem()),
		"hi := max(z[i]...)",
		"total += Σ t[i][j] * (log(Σ exp(z[i][k]-hi)) - (z[i][j] - hi)), over t[i][j] != 0")
	logits, targets := newColumn(t, "z", "zStride"), newColumn(t, "t", "tStride")
	total := t.Zero()
	groups(t, []column{logits, targets}, func(present vec.Mask) {
		dot := t.Zero()
		_, sum, weight := exponentialsAcross(t, logits, targets, present, func(target, z vec.Reg) {
			t.AddMul(dot, target, t.KeepWhere(vec.NotEqual, target, t.Const(0), z))
		})
		loss := t.Sub(t.Mul(t.Log(sum), weight), dot)
		t.AddTo(total, t.KeepMask(loss, present))
	})
	t.ReturnTotal(total)
	t.End()
}

func narrowGradient(t *vec.Type) {
	t.BeginRows("crossEntropyBackwardNarrow", fmt.Sprintf(
		"func(d *%[1]s, dStride int, z *%[1]s, zStride int, t *%[1]s, tStride int, rows, cols int, scale float64)", t.Elem()),
		gradientLoop...)
	out, logits, targets := newColumn(t, "d", "dStride"), newColumn(t, "z", "zStride"), newColumn(t, "t", "tStride")
	scale := t.Scalar("scale")
	groups(t, []column{out, logits, targets}, func(present vec.Mask) {
		hi, sum, weight := exponentialsAcross(t, logits, targets, present, func(_, _ vec.Reg) {})
		factor := t.Div(weight, sum)
		across(t, func(at func(column) operand.Mem) {
			e := t.ExpMinus(t.KeepMask(t.Sub(t.Gather(at(logits), present), hi), present))
			t.Scatter(t.Mul(t.Sub(t.Mul(e, factor), t.Gather(at(targets), present)), scale), at(out), present)
		})
	})
	t.End()
}
