// Command optimizer generates the updates of weights by optimizers.
package main

import (
	"fmt"
	"strings"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/affine-go/affine/internal/cpu/asm/vec"
)

// A kernel updates the slices in place, from the scalars: w and grad come
// first, and if clear is set grad is zero afterwards. (The assembler takes g
// for a register.) To maximize, the caller changes the signs of scalars; where
// that is not enough, the gradient is multiplied by sign, 1 or −1, before
// anything else, and stands in the formulas so.
type kernel struct {
	name    string
	slices  []string
	scalars []string
	doc     []string
	signed  bool
	// step emits the update of one vector; values and scalars are in the
	// order of the names, and step leaves the new values in their place.
	step func(t *vec.Type, values, scalars []vec.Reg)
}

var kernels = []kernel{
	{
		name: "sgd", slices: []string{"w", "grad"}, scalars: []string{"rate", "decay"},
		doc: []string{"w[i] -= rate * (grad[i] + decay*w[i])"},
		step: func(t *vec.Type, v, s []vec.Reg) {
			t.AddMul(v[1], v[0], s[1])
			t.SubMul(v[0], v[1], s[0])
		},
	},
	{
		name: "sgdMomentum", slices: []string{"w", "grad", "m"}, scalars: []string{"rate", "decay", "mu", "rest"},
		doc: []string{"m[i] = mu*m[i] + rest*(grad[i]+decay*w[i])", "w[i] -= rate * m[i]"},
		step: func(t *vec.Type, v, s []vec.Reg) {
			momentum(t, v, s)
			t.SubMul(v[0], v[2], s[0])
		},
	},
	{
		name: "sgdNesterov", signed: true, slices: []string{"w", "grad", "m"}, scalars: []string{"rate", "decay", "mu", "rest"},
		doc: []string{"d := grad[i] + decay*w[i]", "m[i] = mu*m[i] + rest*d", "w[i] -= rate * (d + mu*m[i])"},
		step: func(t *vec.Type, v, s []vec.Reg) {
			momentum(t, v, s)
			t.AddMul(v[1], v[2], s[2])
			t.SubMul(v[0], v[1], s[0])
		},
	},
	adam("adam", false),
	adam("adamAMSGrad", true),
	rmsprop("rmsprop", false, false),
	rmsprop("rmspropMomentum", true, false),
	rmsprop("rmspropCentered", false, true),
	rmsprop("rmspropCenteredMomentum", true, true),
	{
		name: "adagrad", slices: []string{"w", "grad", "sum"}, scalars: []string{"rate", "decay", "eps"},
		doc: []string{
			"d := grad[i] + decay*w[i]",
			"sum[i] += d * d",
			"w[i] -= rate * d / (sqrt(sum[i]) + eps)",
		},
		step: func(t *vec.Type, v, s []vec.Reg) {
			t.AddMul(v[1], v[0], s[1])
			t.AddMul(v[2], v[1], v[1])
			v[0] = t.Sub(v[0], t.Div(t.Mul(v[1], s[0]), t.Add(t.Sqrt(v[2]), s[2])))
		},
	},
	{
		name: "lion", slices: []string{"w", "grad", "m"}, scalars: []string{"rate", "keep", "beta1", "rest1", "beta2", "rest2"},
		doc: []string{
			"w[i] = keep*w[i] - rate*sign(beta1*m[i]+rest1*grad[i])",
			"m[i] = beta2*m[i] + rest2*grad[i]",
		},
		step: func(t *vec.Type, v, s []vec.Reg) {
			c := t.Copy(v[2])
			average(t, c, v[1], s[2], s[3])
			average(t, v[2], v[1], s[4], s[5])
			move := t.KeepWhere(vec.NotEqualOrdered, c, t.Const(0), t.Or(s[0], t.Sign(c)))
			t.MulBy(v[0], s[1])
			v[0] = t.Sub(v[0], move)
		},
	},
}

// momentum makes v[1] the decayed gradient and v[2] the momentum.
func momentum(t *vec.Type, v, s []vec.Reg) {
	t.AddMul(v[1], v[0], s[1])
	average(t, v[2], v[1], s[2], s[3])
}

// average computes m = keep·m + rest·d.
func average(t *vec.Type, m, d, keep, rest vec.Reg) {
	t.MulBy(m, keep)
	t.AddMul(m, d, rest)
}

// square computes v = keep·v + rest·d².
func square(t *vec.Type, v, d, keep, rest vec.Reg) {
	t.MulBy(v, keep)
	t.AddMul(v, t.Mul(d, rest), d)
}

func adam(name string, amsgrad bool) kernel {
	k := kernel{
		name: name, slices: []string{"w", "grad", "m", "v"},
		scalars: []string{"step", "keep", "decay", "beta1", "rest1", "beta2", "rest2", "scale", "eps"},
		doc: []string{
			"d := grad[i] + decay*w[i]",
			"m[i] = beta1*m[i] + rest1*d",
			"v[i] = beta2*v[i] + rest2*d*d",
		},
	}
	variance := "v[i]"
	if amsgrad {
		k.slices = append(k.slices, "vmax")
		k.doc = append(k.doc, "vmax[i] = max(vmax[i], v[i])")
		variance = "vmax[i]"
	}
	k.doc = append(k.doc, "w[i] = keep*w[i] - step*m[i]/(sqrt("+variance+")*scale+eps)")
	k.step = func(t *vec.Type, v, s []vec.Reg) {
		t.AddMul(v[1], v[0], s[2])
		t.MulBy(v[0], s[1])
		average(t, v[2], v[1], s[3], s[4])
		square(t, v[3], v[1], s[5], s[6])
		u := v[3]
		if amsgrad {
			v[4] = t.Max(v[4], u) // NaN if u is
			u = v[4]
		}
		root := t.Sqrt(u)
		t.MulAdd(root, s[7], s[8])
		v[0] = t.Sub(v[0], t.Div(t.Mul(v[2], s[0]), root))
	}
	return k
}

// rmsprop has one epsilon inside the root and one outside; one of them is 0.
func rmsprop(name string, momentum, centered bool) kernel {
	k := kernel{
		name: name, signed: true, slices: []string{"w", "grad", "v"}, scalars: []string{"rate", "decay", "alpha", "rest", "inside", "eps"},
		doc: []string{"d := grad[i] + decay*w[i]", "v[i] = alpha*v[i] + rest*d*d"},
	}
	variance := "v[i]"
	if centered {
		k.slices = append(k.slices, "mean")
		k.doc = append(k.doc, "mean[i] = alpha*mean[i] + rest*d")
		variance = "v[i]-mean[i]*mean[i]"
	}
	if momentum {
		k.slices = append(k.slices, "b")
		k.scalars = append(k.scalars, "mu")
		k.doc = append(k.doc, "b[i] = mu*b[i] + d/(sqrt("+variance+"+inside)+eps)", "w[i] -= rate * b[i]")
	} else {
		k.doc = append(k.doc, "w[i] -= rate * d / (sqrt("+variance+"+inside) + eps)")
	}
	k.step = func(t *vec.Type, v, s []vec.Reg) {
		w, d := v[0], v[1]
		t.AddMul(d, w, s[1])
		square(t, v[2], d, s[2], s[3])
		u := v[2]
		if centered {
			average(t, v[3], d, s[2], s[3])
			u = t.Copy(u)
			t.SubMul(u, v[3], v[3])
		}
		root := t.Add(t.Sqrt(t.Add(u, s[4])), s[5])
		if !momentum {
			v[0] = t.Sub(w, t.Div(t.Mul(d, s[0]), root))
			return
		}
		b := v[len(v)-1]
		t.MulBy(b, s[6])
		t.AddTo(b, t.Div(d, root))
		t.SubMul(w, b, s[0])
	}
	return k
}

func main() {
	c := vec.NewContext()
	for _, t := range vec.Types(c) {
		for _, k := range kernels {
			k.emit(t)
		}
		t.Constants()
	}
	vec.MaskTable(c)
	vec.Generate(c, func() string {
		return "import \"github.com/affine-go/affine/internal/cpu/arch\"\n\n" + vec.Tables("updateKernels", "updateKernels", func(t *vec.Type) string {
			var s strings.Builder
			for _, k := range kernels {
				fmt.Fprintf(&s, "%s: %s,\n", k.name, t.Name(k.name))
			}
			return s.String()
		})
	})
}

func (k kernel) emit(t *vec.Type) {
	doc := append(k.doc, "if clear {", "\tgrad[i] = 0", "}")
	names := k.scalars
	if k.signed {
		names = append([]string{"sign"}, names...)
	}
	t.Begin(k.name, fmt.Sprintf("func(%s *%s, n int, %s %[2]s, clear bool)",
		strings.Join(k.slices, ", "), t.Elem(), strings.Join(names, ", ")), doc...)
	var bases []reg.Register
	for _, name := range k.slices {
		bases = append(bases, t.Pointer(name))
	}
	var sign vec.Reg
	if k.signed {
		sign = t.Scalar("sign")
	}
	var scalars []vec.Reg
	for _, name := range k.scalars {
		scalars = append(scalars, t.Scalar(name))
	}
	n := t.Int("n")
	clear := t.GP8()
	t.Load(t.Param("clear"), clear)
	t.Loop(n, 1, func(p vec.Pass) {
		var values []vec.Reg
		for _, base := range bases {
			values = append(values, p.Load(base))
		}
		if k.signed {
			t.MulBy(values[1], sign)
		}
		k.step(t, values, scalars)
		for i, base := range bases {
			if k.slices[i] != "grad" {
				p.Store(values[i], base)
			}
		}
		kept := t.NewLabel("kept")
		t.TESTB(clear, clear)
		t.JZ(operand.LabelRef(kept))
		p.Store(t.Zero(), bases[1])
		t.Label(kept)
	})
	t.End()
}
