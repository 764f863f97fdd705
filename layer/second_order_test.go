package layer

import (
	"fmt"
	"strings"
	"testing"

	"github.com/affine-go/affine/layer/device"
	"github.com/affine-go/affine/layer/gradcheck"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// gradientOps lists every gradient op with the shapes of its inputs and output
// and the number of leading inputs that it can be differentiated by.
func gradientOps(t *testing.T) []struct {
	op     gorgonia.Op
	inputs []tensor.Shape
	output tensor.Shape
	wrt    int
} {
	type gradientOp = struct {
		op     gorgonia.Op
		inputs []tensor.Shape
		output tensor.Shape
		wrt    int
	}
	dev := mustCollect(t).dev
	x, y := tensor.Shape{2, 3, 4}, tensor.Shape{2, 3, 5}
	w, b := tensor.Shape{4, 5}, tensor.Shape{5}
	ops := []gradientOp{
		{newInputBackwardOp(3, dev), []tensor.Shape{y, w}, x, 2},
		{newWeightBackwardOp(3, dev), []tensor.Shape{x, y}, w, 2},
		{newBiasBackwardOp(3, dev), []tensor.Shape{y}, b, 1},
		{newBroadcastRowsOp(3, dev), []tensor.Shape{b, y}, y, 1},
		{newPreactivationOp(newLinearOp(3, GELU, true, true, dev)), []tensor.Shape{x, w, b, y}, y, 3},
	}
	for _, act := range activations[1:] {
		ops = append(ops, gradientOp{newActivationBackwardOp(3, act, 1, dev), []tensor.Shape{y, y}, y, 2})
	}
	return ops
}

func TestGradientOpsPassFiniteDifferences(t *testing.T) {
	for _, c := range gradientOps(t) {
		t.Run(c.op.String(), func(t *testing.T) {
			g := gorgonia.NewGraph()
			rng := generator(29)
			nodes := make(gorgonia.Nodes, len(c.inputs))
			for i, shape := range c.inputs {
				nodes[i] = input(g, fmt.Sprintf("in%d", i), random(rng, tensor.Float64, shape...))
			}
			out, err := gorgonia.ApplyOp(c.op, nodes...)
			requireNoError(t, err)
			cost, err := weighted(out, input(g, "G", random(rng, tensor.Float64, c.output...)))
			requireNoError(t, err)
			report, err := gradcheck.Check(cost, nodes[:c.wrt])
			requireNoError(t, err)
			if !report.OK() {
				t.Error(report)
			}
		})
	}
}

func TestGradientOpsGiveTheSameOnLispMachine(t *testing.T) {
	for _, c := range gradientOps(t) {
		t.Run(c.op.String(), func(t *testing.T) {
			rng := generator(31)
			var inputs []*tensor.Dense
			for _, shape := range append(c.inputs, c.output) {
				inputs = append(inputs, random(rng, tensor.Float64, shape...))
			}
			wrt := []int{0, 1, 2}[:c.wrt]
			f := func(n gorgonia.Nodes) (*gorgonia.Node, gorgonia.Nodes, error) {
				last := len(n) - 1
				out, err := gorgonia.ApplyOp(c.op, n[:last]...)
				if err != nil {
					return nil, nil, err
				}
				cost, err := weighted(out, n[last])
				return cost, gorgonia.Nodes{out}, err
			}
			values, grads := run(t, "tape", inputs, wrt, f)
			lispValues, lispGrads := run(t, "lisp", inputs, wrt, f)
			requireClose(t, "value", lispValues[0], values[0], 0)
			for i := range grads {
				requireClose(t, fmt.Sprintf("gradient of input %d", i), lispGrads[i], grads[i], 1e-14)
			}
		})
	}
}

// TestSecondOrderGradientsAreThoseOfTheBuiltinOps differentiates V·dW by X.
// Gorgonia's Grad does not go through a node again that it has differentiated
// before, so where act' is written in Y the paths through Y are left out, for
// the built-in ops and for ours alike. GELU and SiLU go through Z, a node of its
// own, and are complete; so is the linear layer without activation.
func TestSecondOrderGradientsAreThoseOfTheBuiltinOps(t *testing.T) {
	second := func(build linearBuilder, act Activation) (cost *gorgonia.Node, x *gorgonia.Node, grad []float64) {
		g := gorgonia.NewGraph()
		rng := generator(37)
		x, w, b := input(g, "X", random(rng, tensor.Float64, 3, 4)), input(g, "W", random(rng, tensor.Float64, 4, 2)), input(g, "b", random(rng, tensor.Float64, 2))
		dy, v := input(g, "dY", random(rng, tensor.Float64, 3, 2)), input(g, "V", random(rng, tensor.Float64, 4, 2))
		y, err := build(x, w, b, WithActivation(act))
		requireNoError(t, err)
		first, err := weighted(y, dy)
		requireNoError(t, err)
		dw, err := gorgonia.Grad(first, w)
		requireNoError(t, err)
		cost, err = weighted(dw[0], v)
		requireNoError(t, err)
		dx, err := gorgonia.Grad(cost, x)
		requireNoError(t, err)
		m := gorgonia.NewTapeMachine(g)
		defer m.Close()
		requireNoError(t, m.RunAll())
		return cost, x, floats(t, dx[0].Value())
	}
	for _, act := range activations {
		cost, x, fused := second(Apply, act)
		if act == Identity || act.spec.Kind.Saved() == device.SavedZ {
			report, err := gradcheck.Check(cost, gorgonia.Nodes{x})
			requireNoError(t, err)
			if !report.OK() {
				t.Errorf("%v: %v", act, report)
			}
			continue
		}
		_, _, twin := second(Builtin, act)
		requireClose(t, act.String(), fused, twin, 1e-12)
	}
}

func TestThirdDerivativesOfCurvedActivationsAreRefused(t *testing.T) {
	dev := mustCollect(t).dev
	g := gorgonia.NewGraph()
	rng := generator(41)
	dy, a := input(g, "dY", random(rng, tensor.Float64, 2, 2)), input(g, "A", random(rng, tensor.Float64, 2, 2))
	for _, act := range activations[1:] {
		out, err := gorgonia.ApplyOp(newActivationBackwardOp(2, act, 2, dev), dy, a)
		requireNoError(t, err)
		cost, err := gorgonia.Sum(out)
		requireNoError(t, err)
		_, err = gorgonia.Grad(cost, dy)
		if act == ReLU || act.spec.Kind == LeakyReLU(0).spec.Kind {
			requireNoError(t, err)
		} else if err == nil || !strings.Contains(err.Error(), "third derivatives of "+act.String()) {
			t.Errorf("%v: error is %v, want one that says that third derivatives are not available", act, err)
		}
	}
}
