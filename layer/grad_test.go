package layer

import (
	"fmt"
	"os"
	"strings"
	"testing"

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
		{newInputBackwardOp(plain(3), dev), []tensor.Shape{y, w}, x, 2},
		{newWeightBackwardOp(plain(3), dev), []tensor.Shape{x, y}, w, 2},
		{newBiasBackwardOp(plain(3), dev), []tensor.Shape{y}, b, 1},
		{newBroadcastRowsOp(plain(3), dev), []tensor.Shape{b, y}, y, 1},
		{newPreactivationOp(newLinearOp(plain(3), GELU, true, dev)), []tensor.Shape{x, w, b, y}, y, 3},
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

// allPairs is the cost Σ dY ⊙ act(X·W + b) and all that it is differentiated by.
func allPairs(t *testing.T, build linearBuilder, act Activation, bias bool) (cost *gorgonia.Node, wrt gorgonia.Nodes) {
	t.Helper()
	g := gorgonia.NewGraph()
	rng := generator(37)
	x, w := input(g, "X", random(rng, tensor.Float64, 3, 4)), input(g, "W", random(rng, tensor.Float64, 4, 2))
	dy := input(g, "dY", random(rng, tensor.Float64, 3, 2))
	wrt = gorgonia.Nodes{x, w, dy}
	var b *gorgonia.Node
	if bias {
		b = input(g, "b", random(rng, tensor.Float64, 2))
		wrt = append(wrt, b)
	}
	y, err := build(x, w, b, WithActivation(act))
	requireNoError(t, err)
	cost, err = weighted(y, dy)
	requireNoError(t, err)
	return cost, wrt
}

func requireSecond(t *testing.T, what string, cost *gorgonia.Node, wrt gorgonia.Nodes) {
	t.Helper()
	report, err := gradcheck.Check(cost, wrt, gradcheck.WithGrad(Grad))
	requireNoError(t, err)
	if !report.OK() {
		t.Errorf("%s, first order: %v", what, report)
	}
	report, err = gradcheck.CheckSecond(cost, wrt)
	requireNoError(t, err)
	if !report.OK() {
		t.Errorf("%s, second order: %v", what, report)
	}
}

func TestSecondDerivativesByEveryPairOfInputs(t *testing.T) {
	for _, act := range activations {
		for _, bias := range []bool{true, false} {
			for name, build := range map[string]linearBuilder{"fused": Apply, "built-in": Builtin} {
				if name == "built-in" && act == GELU && os.Getenv("AFFINE_TEST_LONG") == "" {
					continue // hundreds of nodes
				}
				cost, wrt := allPairs(t, build, act, bias)
				requireSecond(t, fmt.Sprintf("%s %v, bias %t", name, act, bias), cost, wrt)
			}
		}
	}
}

func TestThirdDerivatives(t *testing.T) {
	for _, act := range activations {
		cost, wrt := allPairs(t, Apply, act, true)
		first, err := Grad(cost, wrt...)
		requireNoError(t, err)
		for i, n := range first {
			v := input(cost.Graph(), fmt.Sprintf("V%d", i), random(generator(uint64(i)), tensor.Float64, n.Shape()...))
			sum, err := weighted(n, v)
			requireNoError(t, err)
			// Not all inputs have a path to this gradient: that of dY has none to itself.
			var reached gorgonia.Nodes
			for _, in := range append(wrt, v) {
				if _, err := Grad(sum, in); err == nil {
					reached = append(reached, in)
				}
			}
			report, err := gradcheck.CheckSecond(sum, reached)
			requireNoError(t, err)
			if !report.OK() {
				t.Errorf("%v, of the gradient by %v: %v", act, wrt[i], report)
			}
		}
	}
}

func TestSecondDerivativesOfLosses(t *testing.T) {
	losses := map[string]func(p, t *gorgonia.Node, opts ...Option) (*gorgonia.Node, error){
		"softmax cross-entropy": SoftmaxCrossEntropy, "mean squared error": MSE, "binary cross-entropy": BinaryCrossEntropy,
	}
	for name, loss := range losses {
		for _, shape := range []tensor.Shape{{4}, {3, 4}, {2, 3, 4}} {
			g := gorgonia.NewGraph()
			rng := generator(43)
			p, target := input(g, "P", random(rng, tensor.Float64, shape...)), input(g, "T", random(rng, tensor.Float64, shape...))
			l, err := loss(p, target)
			requireNoError(t, err)
			// exp(L) depends on L in all orders, so that the gradient by dL counts.
			cost, err := gorgonia.Exp(l)
			requireNoError(t, err)
			requireSecond(t, fmt.Sprint(name, shape), cost, gorgonia.Nodes{p, target})
			first, err := Grad(cost, p)
			requireNoError(t, err)
			v := input(g, "V", random(rng, tensor.Float64, shape...))
			sum, err := weighted(first[0], v)
			requireNoError(t, err)
			requireSecond(t, fmt.Sprint(name, shape, " third order"), sum, gorgonia.Nodes{p, target, v})
		}
	}
}

// gorgonia.Grad passes over nodes that it has differentiated by before. Of the
// ops here it is told so; Grad takes no notice of it.
func TestGorgoniaGradTwiceIsRefusedAndGradIsNot(t *testing.T) {
	for _, act := range activations[1:] {
		cost, wrt := allPairs(t, Apply, act, true)
		first, err := gorgonia.Grad(cost, wrt...)
		requireNoError(t, err)
		v := input(cost.Graph(), "V", random(generator(47), tensor.Float64, 4, 2))
		sum, err := weighted(first[1], v)
		requireNoError(t, err)
		_, err = gorgonia.Grad(sum, wrt[0])
		if err == nil || !strings.Contains(fmt.Sprint(err), "use layer.Grad") {
			t.Errorf("%v: error is %v, want one that says to use layer.Grad", act, err)
		}
		requireSecond(t, act.String(), cost, wrt)
	}
}

func TestGradSumsOverAllPathsAndCosts(t *testing.T) {
	g := gorgonia.NewGraph()
	rng := generator(53)
	w := input(g, "W", random(rng, tensor.Float64, 3, 3))
	x := input(g, "X", random(rng, tensor.Float64, 2, 3))
	h, err := Apply(x, w, nil, WithActivation(Tanh))
	requireNoError(t, err)
	h2, err := Apply(h, w, nil, WithActivation(GELU)) // the weight a second time
	requireNoError(t, err)
	y, err := gorgonia.Add(h, h2) // and a path around it
	requireNoError(t, err)
	first := gorgonia.Must(gorgonia.Sum(gorgonia.Must(gorgonia.Square(y))))
	second := gorgonia.Must(gorgonia.Mean(h2))
	// The gradients of one cost must not disturb those of the other, whoever made them.
	_, err = gorgonia.Grad(second, w)
	requireNoError(t, err)
	requireSecond(t, "first cost", first, gorgonia.Nodes{w, x})
	report, err := gradcheck.Check(second, gorgonia.Nodes{w, x}, gradcheck.WithGrad(Grad))
	requireNoError(t, err)
	if !report.OK() {
		t.Error(report)
	}
	requireSecond(t, "first cost again", first, gorgonia.Nodes{x})
}

func TestGradByTheResultOfAnOp(t *testing.T) {
	g := gorgonia.NewGraph()
	rng := generator(67)
	x, w := input(g, "X", random(rng, tensor.Float64, 2, 3)), input(g, "W", random(rng, tensor.Float64, 3, 4))
	dy := random(rng, tensor.Float64, 2, 4)
	y, err := Apply(x, w, nil, WithActivation(SiLU))
	requireNoError(t, err)
	cost, err := weighted(y, input(g, "dY", dy))
	requireNoError(t, err)
	grads, err := Grad(cost, y, cost)
	requireNoError(t, err)
	m := gorgonia.NewTapeMachine(g)
	defer m.Close()
	requireNoError(t, m.RunAll())
	requireClose(t, "by Y", floats(t, grads[0].Value()), floats(t, dy), 0)
	requireClose(t, "by the cost itself", floats(t, grads[1].Value()), []float64{1}, 0)
}

func TestGradRefusesWhatItCannotDo(t *testing.T) {
	g := gorgonia.NewGraph()
	rng := generator(59)
	x, w := input(g, "X", random(rng, tensor.Float64, 2, 3)), input(g, "W", random(rng, tensor.Float64, 3, 2))
	stranger := input(g, "stranger", random(rng, tensor.Float64, 2))
	y, err := Apply(x, w, nil, WithActivation(Tanh))
	requireNoError(t, err)
	cost := gorgonia.Must(gorgonia.Sum(y))
	dropped := gorgonia.Must(gorgonia.Sum(gorgonia.Must(gorgonia.Dropout(y, 0.5))))
	if _, err = Apply(y, w, nil, WithoutInputGrad()); err == nil {
		t.Fatal("shapes (2, 2) and (3, 2) were taken")
	}
	w2 := input(g, "W2", random(rng, tensor.Float64, 2, 2))
	closed, err := Apply(y, w2, nil, WithoutInputGrad())
	requireNoError(t, err)
	sign := gorgonia.Must(gorgonia.Sum(gorgonia.Must(gorgonia.Sign(y))))
	other := input(gorgonia.NewGraph(), "other", random(rng, tensor.Float64, 2))
	for _, c := range []struct {
		name string
		cost *gorgonia.Node
		wrt  gorgonia.Nodes
		want string
	}{
		{"nil cost", nil, gorgonia.Nodes{w}, "cost is nil"},
		{"cost not scalar", y, gorgonia.Nodes{w}, "want a scalar: take gorgonia.Sum"},
		{"nothing to differentiate by", cost, nil, "no nodes given"},
		{"nil node", cost, gorgonia.Nodes{w, nil}, "node 1 to differentiate by is nil"},
		{"another graph", cost, gorgonia.Nodes{other}, "belongs to another graph"},
		{"no path", cost, gorgonia.Nodes{w, stranger}, "does not depend on stranger"},
		{"no path but through sign", sign, gorgonia.Nodes{w}, "does not depend on W"},
		{"an op without a gradient", dropped, gorgonia.Nodes{w}, "Dropout"},
		{"an opted out gradient", gorgonia.Must(gorgonia.Sum(closed)), gorgonia.Nodes{w}, "WithoutInputGrad"},
	} {
		_, err := Grad(c.cost, c.wrt...)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error is %v, want one that says %q", c.name, err, c.want)
		}
	}
	// A path that nobody takes may be closed.
	if _, err := Grad(gorgonia.Must(gorgonia.Sum(closed)), w2); err != nil {
		t.Error(err)
	}
}

func TestThirdDerivativesOnTheLispMachineAreRefused(t *testing.T) {
	dev := mustCollect(t).dev
	for _, act := range activations[1:] {
		g := gorgonia.NewGraph()
		rng := generator(41)
		dy, a := input(g, "dY", random(rng, tensor.Float64, 2, 2)), input(g, "A", random(rng, tensor.Float64, 2, 2))
		out, err := gorgonia.ApplyOp(newActivationBackwardOp(2, act, 2, dev), dy, a)
		requireNoError(t, err)
		_, err = gorgonia.Sum(out)
		requireNoError(t, err)
		m := gorgonia.NewLispMachine(g)
		err = m.RunAll()
		if act == ReLU || act.spec.Kind == LeakyReLU(0).spec.Kind {
			requireNoError(t, err)
		} else if err == nil || !strings.Contains(err.Error(), "third derivatives of "+act.String()) {
			t.Errorf("%v: error is %v, want one that says that third derivatives are not available", act, err)
		}
		m.Close()
	}
}
