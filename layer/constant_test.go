package layer

import (
	"strings"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Constants belong to no graph before they are used. The built-in ops take
// them for data, and so do ours.
func TestConstantsAreDataLikeInputs(t *testing.T) {
	rng := generator(61)
	data, targets, weight := random(rng, tensor.Float64, 4, 3), random(rng, tensor.Float64, 4, 2), random(rng, tensor.Float64, 3, 2)
	for _, machine := range []string{"tape", "lisp"} {
		for _, act := range []Activation{ReLU, GELU} {
			train := func(node func(g *gorgonia.ExprGraph, name string, v *tensor.Dense) *gorgonia.Node) (cost, grad []float64) {
				g := gorgonia.NewGraph()
				w := input(g, "w", weight)
				y, err := Apply(node(g, "x", data), w, nil, WithActivation(act))
				requireNoError(t, err)
				l, err := SoftmaxCrossEntropy(y, node(g, "targets", targets))
				requireNoError(t, err)
				if machine == "lisp" {
					requireNoError(t, gorgonia.NewLispMachine(g).RunAll())
					dw, err := w.Grad()
					requireNoError(t, err)
					return floats(t, l.Value()), floats(t, dw)
				}
				grads, err := gorgonia.Grad(l, w)
				requireNoError(t, err)
				requireNoError(t, gorgonia.NewTapeMachine(g).RunAll())
				return floats(t, l.Value()), floats(t, grads[0].Value())
			}
			wantCost, wantGrad := train(input)
			cost, grad := train(func(_ *gorgonia.ExprGraph, name string, v *tensor.Dense) *gorgonia.Node {
				return gorgonia.NewConstant(v, gorgonia.WithName(name))
			})
			requireClose(t, machine+" cost", cost, wantCost, 0)
			requireClose(t, machine+" dW", grad, wantGrad, 0)
		}
	}
}

func TestConstantsAloneHaveNoGraph(t *testing.T) {
	c := gorgonia.NewConstant(random(generator(67), tensor.Float64, 2, 2))
	if _, err := Apply(c, c, nil); err == nil || !strings.Contains(err.Error(), "X and W are constants, want at least one node of a graph") {
		t.Errorf("error is %v, want one that asks for a node of a graph", err)
	}
}
