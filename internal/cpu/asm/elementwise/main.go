// Command elementwise generates the kernels that take every element of their
// slices by itself: scaling, sums of squares, and the losses that are means
// over elements.
package main

import (
	"fmt"

	"github.com/affine-go/affine/internal/cpu/asm/vec"
)

// unroll is how many vectors a loop handles at a time: in sums, to add to that
// many totals, since an addition takes four cycles.
const unroll = 4

func main() {
	c := vec.NewContext()
	for _, t := range vec.Types(c) {
		t.Begin("scale", fmt.Sprintf("func(x *%[1]s, n int, s %[1]s)", t.Elem()), "x[i] *= s")
		x, n, s := t.Pointer("x"), t.Int("n"), t.Scalar("s")
		t.Loop(n, unroll, func(p vec.Pass) { p.Store(t.Mul(p.Load(x), s), x) })
		t.End()

		t.Begin("clamp", fmt.Sprintf("func(x *%[1]s, n int, bound %[1]s)", t.Elem()), "x[i] = min(max(x[i], -bound), bound)")
		x, n, bound := t.Pointer("x"), t.Int("n"), t.Scalar("bound")
		low := t.Sub(t.Zero(), bound)
		t.Loop(n, unroll, func(p vec.Pass) { p.Store(t.Min(bound, t.Max(low, p.Load(x))), x) })
		t.End()

		t.Begin("squaredErrorBackward", fmt.Sprintf("func(d, p, t *%[1]s, n int, scale %[1]s)", t.Elem()), "d[i] = scale * (p[i] - t[i])")
		d, pred, target := t.Pointer("d"), t.Pointer("p"), t.Pointer("t")
		n, scale := t.Int("n"), t.Scalar("scale")
		t.Loop(n, unroll, func(p vec.Pass) { p.Store(t.Mul(t.Sub(p.Load(pred), p.Load(target)), scale), d) })
		t.End()

		t.Constants()
	}
	for _, t := range vec.DoubleTypes(c) {
		sum(t, "sumOfSquares", "func(x *%s, n int) float64", "sum += float64(x[i]) * float64(x[i])",
			func() func(p vec.Pass, total vec.Reg) {
				base := t.Pointer("x")
				return func(p vec.Pass, total vec.Reg) {
					v := p.Load(base)
					t.AddMul(total, v, v)
				}
			})
		sum(t, "squaredError", "func(p, t *%s, n int) float64", "sum += (float64(p[i]) - float64(t[i])) * (float64(p[i]) - float64(t[i]))",
			func() func(p vec.Pass, total vec.Reg) {
				pred, target := t.Pointer("p"), t.Pointer("t")
				return func(p vec.Pass, total vec.Reg) {
					v := t.Sub(p.Load(pred), p.Load(target))
					t.AddMul(total, v, v)
				}
			})
		sum(t, "logisticLoss", "func(z, t *%s, n int) float64", "sum += max(z[i], 0) - z[i]*t[i] + log1p(exp(-abs(z[i])))",
			func() func(p vec.Pass, total vec.Reg) {
				logits, target := t.Pointer("z"), t.Pointer("t")
				return func(p vec.Pass, total vec.Reg) {
					z := p.Load(logits)
					v := t.ReLU(z)
					t.SubMul(v, z, p.Load(target))
					v = t.Add(v, t.Log1p(t.ExpMinus(t.MinusAbs(z))))
					t.AddTo(total, p.Existing(v))
				}
			})

		t.Begin("logisticLossBackward", fmt.Sprintf("func(d, z, t *%s, n int, scale float64)", t.Elem()), "d[i] = scale * (1/(1+exp(-z[i])) - t[i])")
		d, logits, target := t.Pointer("d"), t.Pointer("z"), t.Pointer("t")
		n, scale := t.Int("n"), t.Scalar("scale")
		t.Loop(n, 1, func(p vec.Pass) { p.Store(t.Mul(t.Sub(t.Sigmoid(p.Load(logits)), p.Load(target)), scale), d) })
		t.End()

		t.Constants()
	}
	vec.MaskTable(c)
	vec.Generate(c, nil)
}

// sum emits a kernel that returns a sum. add reads the parameters and returns
// what adds one vector to a total.
func sum(t *vec.Type, name, signature, formula string, add func() func(p vec.Pass, total vec.Reg)) {
	t.Begin(name, fmt.Sprintf(signature, t.Elem()), formula)
	one := add()
	totals := make([]vec.Reg, unroll)
	for i := range totals {
		totals[i] = t.Zero()
	}
	t.Loop(t.Int("n"), unroll, func(p vec.Pass) { one(p, totals[p.Number()]) })
	total := t.Add(t.Add(totals[0], totals[1]), t.Add(totals[2], totals[3]))
	t.ReturnTotal(total)
	t.End()
}
