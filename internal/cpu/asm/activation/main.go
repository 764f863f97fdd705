// Command activation generates the activations and their derivatives.
package main

import (
	"fmt"
	"strings"

	"github.com/mmcloughlin/avo/build"

	"github.com/affine-go/affine/internal/cpu/asm/vec"
)

// cheap is how many vectors a loop handles at a time where the work on one is
// a few instructions, so that they and not the loop's own set the pace.
const cheap = 4

// forward lists the kernels y[i] = f(z[i]).
var forward = []struct {
	name, formula string
	unroll        int
	emit          func(t *vec.Type, z, alpha vec.Reg) vec.Reg
}{
	{"relu", "max(z[i], 0)", cheap, func(t *vec.Type, z, _ vec.Reg) vec.Reg { return t.ReLU(z) }},
	{"leakyReLU", "max(z[i], 0) + alpha*min(z[i], 0)", cheap, func(t *vec.Type, z, alpha vec.Reg) vec.Reg { return t.LeakyReLU(z, alpha) }},
	{"tanh", "tanh(z[i])", 1, func(t *vec.Type, z, _ vec.Reg) vec.Reg { return t.Tanh(z) }},
	{"sigmoid", "1 / (1 + exp(-z[i]))", 1, func(t *vec.Type, z, _ vec.Reg) vec.Reg { return t.Sigmoid(z) }},
	{"gelu", "z[i] * (1 + erf(z[i]/√2)) / 2", 1, func(t *vec.Type, z, _ vec.Reg) vec.Reg { return t.GELU(z) }},
	{"silu", "z[i] / (1 + exp(-z[i]))", 1, func(t *vec.Type, z, _ vec.Reg) vec.Reg { return t.SiLU(z) }},
}

// backward lists the kernels dz[i] = dy[i]·f(a[i]).
var backward = []struct {
	name, formula string
	unroll        int
	emit          func(t *vec.Type, dy, a, alpha vec.Reg) vec.Reg
}{
	{"reluBackward", "0\nif a[i] > 0 {\n\tdz[i] = dy[i]\n}", cheap, func(t *vec.Type, dy, a, _ vec.Reg) vec.Reg { return t.ReLUBackward(dy, a) }},
	{"leakyReLUBackward", "dy[i]\nif !(a[i] > 0) {\n\tdz[i] *= alpha\n}", cheap, func(t *vec.Type, dy, a, alpha vec.Reg) vec.Reg { return t.LeakyReLUBackward(dy, a, alpha) }},
	{"tanhBackward", "dy[i] * (1 - a[i]*a[i])", cheap, func(t *vec.Type, dy, a, _ vec.Reg) vec.Reg { return t.TanhBackward(dy, a) }},
	{"sigmoidBackward", "dy[i] * (a[i] - a[i]*a[i])", cheap, func(t *vec.Type, dy, a, _ vec.Reg) vec.Reg { return t.SigmoidBackward(dy, a) }},
	{"geluBackward", "dy[i] * (Φ(a[i]) + a[i]*φ(a[i]))", 1, func(t *vec.Type, dy, a, _ vec.Reg) vec.Reg { return t.Mul(t.GELU1(a), dy) }},
	{"siluBackward", "dy[i] * σ(a[i]) * (1 + a[i]*σ(-a[i]))", 1, func(t *vec.Type, dy, a, _ vec.Reg) vec.Reg { return t.Mul(t.SiLU1(a), dy) }},
	{"tanhSecond", "dy[i] * -2*a[i]", cheap, func(t *vec.Type, dy, a, _ vec.Reg) vec.Reg { return t.Mul(t.Mul(a, t.Const(-2)), dy) }},
	{"sigmoidSecond", "dy[i] * (1 - 2*a[i])", cheap, func(t *vec.Type, dy, a, _ vec.Reg) vec.Reg {
		d := t.Spread(t.Const(1))
		t.SubMul(d, a, t.Const(2))
		return t.Mul(d, dy)
	}},
	{"geluSecond", "dy[i] * φ(a[i]) * (2 - a[i]*a[i])", 1, func(t *vec.Type, dy, a, _ vec.Reg) vec.Reg { return t.Mul(t.GELU2(a), dy) }},
	{"siluSecond", "dy[i] * σ(a[i])*σ(-a[i]) * (2 + a[i]*(1 - 2*σ(a[i])))", 1, func(t *vec.Type, dy, a, _ vec.Reg) vec.Reg { return t.Mul(t.SiLU2(a), dy) }},
}

func main() {
	c := build.NewContext()
	c.ConstraintExpr("!purego")
	for _, t := range vec.Types(c) {
		for _, f := range forward {
			t.Begin(f.name, fmt.Sprintf("func(y, z *%[1]s, n int, alpha %[1]s)", t.Elem()), "y[i] = "+f.formula)
			y, z, n, alpha := t.Pointer("y"), t.Pointer("z"), t.Int("n"), t.Scalar("alpha")
			t.Loop(n, f.unroll, func(p vec.Pass) { p.Store(f.emit(t, p.Load(z), alpha), y) })
			t.End()
		}
		for _, f := range backward {
			t.Begin(f.name, fmt.Sprintf("func(dz, dy, a *%[1]s, n int, alpha %[1]s)", t.Elem()), strings.Split("dz[i] = "+f.formula, "\n")...)
			dz, dy, a, n, alpha := t.Pointer("dz"), t.Pointer("dy"), t.Pointer("a"), t.Int("n"), t.Scalar("alpha")
			t.Loop(n, f.unroll, func(p vec.Pass) { p.Store(f.emit(t, p.Load(dy), p.Load(a), alpha), dz) })
			t.End()
		}
		t.Constants()
	}
	vec.MaskTable(c)
	vec.Generate(c)
}
