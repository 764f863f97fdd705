// Command activation generates the activations and their derivatives.
package main

import (
	"fmt"
	"strings"

	"github.com/affine-go/affine/internal/cpu/asm/vec"
)

// unroll is how many vectors a loop handles at a time if the work on one is a
// few instructions, so that they and not the loop's own set the pace.
const unroll = 4

// The parts of an activation, by the suffix of the kernels' names.
var suffixes = []string{"", "Backward", "Second"}

func main() {
	c := vec.NewContext()
	for _, t := range vec.Types(c) {
		for _, a := range vec.Activations {
			emit(t, a, a.Forward, "")
			emit(t, a, a.Backward, "Backward")
			emit(t, a, a.Second, "Second")
		}
		t.Constants()
	}
	vec.MaskTable(c)
	vec.Generate(c, table)
}

// name returns that of a kernel, without instruction set and type.
func name(a vec.Activation, suffix string) string {
	kind := a.Kind
	if kind == strings.ToUpper(kind) || kind == "ReLU" || kind == "SiLU" {
		return strings.ToLower(kind) + suffix
	}
	return strings.ToLower(kind[:1]) + kind[1:] + suffix
}

func emit(t *vec.Type, a vec.Activation, f vec.Loop, suffix string) {
	if f.Emit == nil {
		return
	}
	inputs, output := []string{"dy", "saved"}, "dz"
	if suffix == "" {
		inputs, output = []string{"z"}, "y"
	}
	t.Begin(name(a, suffix), fmt.Sprintf("func(%s, %s *%s, n int, alpha, beta, threshold %[3]s)", output, strings.Join(inputs, ", "), t.Elem()),
		strings.Split(output+"[i] = "+f.Formula, "\n")...)
	out, n := t.Pointer(output), t.Int("n")
	x := t.Pointer(inputs[len(inputs)-1])
	dy := x
	if suffix != "" {
		dy = t.Pointer("dy")
	}
	var parameters []vec.Reg
	for _, p := range a.Uses {
		parameters = append(parameters, t.Scalar(p))
	}
	count := 1
	if f.Cheap {
		count = unroll
	}
	t.Loop(n, count, func(p vec.Pass) {
		var d vec.Reg
		if suffix != "" {
			d = p.Load(dy)
		}
		p.Store(f.Emit(t, d, p.Load(x), parameters), out)
	})
	t.End()
}

func table() string {
	return `import (
	"github.com/affine-go/affine/internal/cpu/arch"
	"github.com/affine-go/affine/internal/kernel"
)

` + vec.Tables("activations", "activationKernels", func(t *vec.Type) string {
		var s strings.Builder
		for _, suffix := range suffixes {
			field, signature := map[string]string{"": "forward", "Backward": "backward", "Second": "second"}[suffix], "func(dz, dy, saved *%[1]s, n int, alpha, beta, threshold %[1]s)"
			if suffix == "" {
				signature = "func(y, z *%[1]s, n int, alpha, beta, threshold %[1]s)"
			}
			fmt.Fprintf(&s, "%s: [kernel.ActivationKinds]"+strings.ReplaceAll(signature, "%[1]s", t.Elem())+"{\n", field)
			for _, a := range vec.Activations {
				if suffix != "Second" || a.Second.Emit != nil {
					fmt.Fprintf(&s, "kernel.%s: %s,\n", a.Kind, t.Name(name(a, suffix)))
				}
			}
			s.WriteString("},\n")
		}
		return s.String()
	})
}
