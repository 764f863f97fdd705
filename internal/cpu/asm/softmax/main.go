// Command softmax generates the kernels that work on rows of logits.
package main

import (
	"fmt"
	"strings"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/affine-go/affine/internal/cpu/asm/vec"
)

func main() {
	c := vec.NewContext()
	for _, t := range vec.DoubleTypes(c) {
		statistics(t)
		gradient(t)
		softmax(t)
		if !t.Widened {
			total(t)
		}
		if t.AVX512 {
			narrowRows(t)
		}
		t.Constants()
	}
	vec.MaskTable(c)
	vec.LaneTable(c)
	vec.Generate(c, table)
}

// A matrix is a parameter: a pointer to the current row, and the bytes from
// there to the next.
type matrix struct{ row, pitch reg.GPVirtual }

func newMatrix(t *vec.Type, data, stride string) matrix {
	m := matrix{t.Int(data), t.Int(stride)}
	t.IMUL3Q(operand.I32(t.Size()), m.pitch, m.pitch)
	return m
}

// rows emits a loop over the rows of logits, in three versions: for rows that
// fit one vector, and two, which stay in registers; and for longer ones.
type rows struct {
	*vec.Type
	logits   matrix
	matrices []matrix // all, the logits too
	count    reg.GPVirtual
	cols     reg.GPVirtual
}

// begin reads the parameters rows and cols.
func begin(t *vec.Type, logits matrix, others ...matrix) rows {
	return rows{t, logits, append(others, logits), t.Int("rows"), t.Int("cols")}
}

// each emits the loops. body is called for a row and emits what is done with
// it.
func (r rows) each(body func(row)) {
	lanes := r.Lanes()
	for vectors := 1; vectors <= 2; vectors++ {
		next := r.NewLabel("longer")
		r.CMPQ(r.cols, operand.Imm(uint64(vectors*lanes)))
		r.JGT(operand.LabelRef(next))
		rest := r.GP64()
		r.LEAQ(operand.Mem{Base: r.cols, Disp: -(vectors - 1) * lanes}, rest)
		last := r.FirstLanes(rest)
		r.loop(func() {
			body(row{rows: r, vectors: vectors, last: last})
		})
		r.End()
		r.Label(next)
	}
	r.loop(func() { body(row{rows: r}) })
	r.End()
}

func (r rows) loop(body func()) {
	start, end := r.NewLabel("row"), r.NewLabel("end")
	r.Label(start)
	r.TESTQ(r.count, r.count)
	r.JZ(operand.LabelRef(end))
	body()
	for _, m := range r.matrices {
		r.ADDQ(m.pitch, m.row)
	}
	r.DECQ(r.count)
	r.JMP(operand.LabelRef(start))
	r.Label(end)
}

// A row is one row of logits: of a number of vectors, the last of them masked,
// or of any length.
type row struct {
	rows
	vectors int
	last    vec.Mask
}

// sweep emits f for each vector of the row. A row of known length keeps what f
// returns, and the next sweep that asks for it finds it in before.
func (r row) sweep(before []vec.Reg, f func(p vec.Pass, before vec.Reg) vec.Reg) []vec.Reg {
	if r.vectors == 0 {
		r.Loop(r.cols, 1, func(p vec.Pass) { f(p, nil) })
		return nil
	}
	var results []vec.Reg
	for v := range r.vectors {
		p := r.Single(v)
		if v == r.vectors-1 {
			p = r.SingleMasked(v, r.last)
		}
		var b vec.Reg
		if before != nil {
			b = before[v]
		}
		results = append(results, f(p, b))
	}
	return results
}

// exponentials emits the sweeps for hi = max z and Σ e^(z−hi), and hands each
// vector z − hi of the second to also. It returns e^(z−hi), if kept, hi and
// the sum, in every lane.
func (r row) exponentials(also func(p vec.Pass, z vec.Reg)) (e []vec.Reg, hi, sum vec.Reg) {
	minus := r.Infinity(-1)
	hi = r.Copy(minus)
	z := r.sweep(nil, func(p vec.Pass, _ vec.Reg) vec.Reg {
		v := p.LoadOr(r.logits.row, minus)
		r.MaxTo(hi, v)
		return v
	})
	hi = r.Largest(hi)
	sum = r.Zero()
	e = r.sweep(z, func(p vec.Pass, v vec.Reg) vec.Reg {
		if v == nil {
			v = p.LoadOr(r.logits.row, minus)
		}
		// Lanes that do not exist are made 0 before the exponential, not
		// after it alone: to underflow takes the processor 100 cycles.
		v = p.Existing(r.Sub(v, hi))
		also(p, v)
		e := p.Existing(r.ExpMinus(v))
		r.AddTo(sum, e)
		return e
	})
	return e, hi, r.Total(sum)
}

// outputs emits a last sweep, with e^(z−hi) from the one before or anew.
func (r row) outputs(e []vec.Reg, hi vec.Reg, f func(p vec.Pass, e vec.Reg)) {
	r.sweep(e, func(p vec.Pass, v vec.Reg) vec.Reg {
		if v == nil {
			v = r.ExpMinus(p.Existing(r.Sub(p.Load(r.logits.row), hi)))
		}
		f(p, v)
		return nil
	})
}

func statistics(t *vec.Type) {
	t.BeginRows("crossEntropyRows", fmt.Sprintf(
		"func(sum, weight, dot *float64, z *%[1]s, zStride int, t *%[1]s, tStride int, rows, cols int)", t.Elem()),
		"hi := max(z[i]...)",
		"sum[i] = Σ exp(z[i][j] - hi)",
		"weight[i] = Σ t[i][j]",
		"dot[i] = Σ t[i][j] * (z[i][j] - hi), over t[i][j] != 0")
	targets := newMatrix(t, "t", "tStride")
	var out []matrix
	for _, name := range []string{"sum", "weight", "dot"} {
		m := matrix{t.Int(name), t.GP64()}
		t.MOVQ(operand.I32(8), m.pitch)
		out = append(out, m)
	}
	begin(t, newMatrix(t, "z", "zStride"), append(out, targets)...).each(func(r row) {
		weight, dot := t.Zero(), t.Zero()
		_, _, sum := r.exponentials(func(p vec.Pass, z vec.Reg) {
			v := p.Load(targets.row)
			t.AddTo(weight, v)
			t.AddMul(dot, v, t.KeepWhere(vec.NotEqual, v, t.Const(0), z))
		})
		for i, v := range []vec.Reg{sum, t.Total(weight), t.Total(dot)} {
			t.StoreLowest(v, operand.Mem{Base: out[i].row})
		}
	})
}

var gradientLoop = []string{
	"hi := max(z[i]...)",
	"sum, weight := Σ exp(z[i][j] - hi), Σ t[i][j]",
	"for j := range cols {",
	"\td[i][j] = scale * (exp(z[i][j]-hi)*weight/sum - t[i][j])",
	"}",
}

func gradient(t *vec.Type) {
	t.BeginRows("crossEntropyBackwardRows", fmt.Sprintf(
		"func(d *%[1]s, dStride int, z *%[1]s, zStride int, t *%[1]s, tStride int, rows, cols int, scale float64)", t.Elem()),
		gradientLoop...)
	out, targets := newMatrix(t, "d", "dStride"), newMatrix(t, "t", "tStride")
	scale := t.Scalar("scale")
	begin(t, newMatrix(t, "z", "zStride"), out, targets).each(func(r row) {
		weight := t.Zero()
		e, hi, sum := r.exponentials(func(p vec.Pass, _ vec.Reg) { t.AddTo(weight, p.Load(targets.row)) })
		factor := t.Div(t.Total(weight), sum)
		r.outputs(e, hi, func(p vec.Pass, e vec.Reg) {
			p.Store(t.Mul(t.Sub(t.Mul(e, factor), p.Load(targets.row)), scale), out.row)
		})
	})
}

func softmax(t *vec.Type) {
	t.BeginRows("softmaxRows", fmt.Sprintf(
		"func(y *%[1]s, yStride int, z *%[1]s, zStride int, rows, cols int)", t.Elem()),
		"hi := max(z[i]...)",
		"sum := Σ exp(z[i][j] - hi)",
		"for j := range cols {",
		"\ty[i][j] = exp(z[i][j]-hi) / sum",
		"}")
	out := newMatrix(t, "y", "yStride")
	begin(t, newMatrix(t, "z", "zStride"), out).each(func(r row) {
		e, hi, sum := r.exponentials(func(vec.Pass, vec.Reg) {})
		r.outputs(e, hi, func(p vec.Pass, e vec.Reg) { p.Store(t.Div(e, sum), out.row) })
	})
}

func total(t *vec.Type) {
	t.Begin("crossEntropyTotal", "func(sum, weight, dot *float64, n int) float64", "total += weight[i]*log(sum[i]) - dot[i]")
	sum, weight, dot, n := t.Pointer("sum"), t.Pointer("weight"), t.Pointer("dot"), t.Int("n")
	total := t.Zero()
	t.Loop(n, 1, func(p vec.Pass) {
		// Lanes that do not exist hold log 0: they are cut off at the end.
		v := t.Mul(t.Log(p.Load(sum)), p.Load(weight))
		t.AddTo(total, p.Existing(t.Sub(v, p.Load(dot))))
	})
	t.ReturnTotal(total)
	t.End()
}

// table lists the kernels of this command and of command elementwise.
func table() string {
	return "import \"github.com/affine-go/affine/internal/cpu/arch\"\n\n" + vec.Tables("vectors", "vectorKernels", func(t *vec.Type) string {
		names := []string{"scale", "clamp", "sumOfSquares", "squaredError", "squaredErrorBackward", "logisticLoss", "logisticLossBackward"}
		var s strings.Builder
		for _, name := range names {
			fmt.Fprintf(&s, "%s: %s,\n", name, t.Name(name))
		}
		fmt.Fprintf(&s, "crossEntropyBackward: %s,\nsoftmax: %s,\n", t.Name("crossEntropyBackwardRows"), t.Name("softmaxRows"))
		if t.AVX512 {
			for _, name := range []string{"crossEntropyNarrow", "crossEntropyBackwardNarrow"} {
				fmt.Fprintf(&s, "%s: %s,\n", name, t.Name(name))
			}
		}
		return s.String()
	})
}
