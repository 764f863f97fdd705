package train_test

import (
	"math"
	"testing"

	"github.com/affine-go/affine/train"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// steps runs machine and solver alternately and returns the losses.
func steps(t *testing.T, count int, vm gorgonia.VM, solver gorgonia.Solver, model []gorgonia.ValueGrad, loss *gorgonia.Node) []float64 {
	t.Helper()
	var losses []float64
	for range count {
		must(t, vm.RunAll())
		losses = append(losses, numbers(loss.Value())[0])
		must(t, solver.Step(model))
		vm.Reset()
	}
	return losses
}

func TestGorgoniasSolversTrainParamsAsTheyTrainDualValues(t *testing.T) {
	for name, newSolver := range map[string]func() gorgonia.Solver{
		"vanilla": func() gorgonia.Solver { return gorgonia.NewVanillaSolver(gorgonia.WithLearnRate(0.5)) },
		"adam":    func() gorgonia.Solver { return gorgonia.NewAdamSolver(gorgonia.WithLearnRate(0.02)) },
		"rmsprop": func() gorgonia.Solver { return gorgonia.NewRMSPropSolver(gorgonia.WithLearnRate(0.001)) },
	} {
		t.Run(name, func(t *testing.T) {
			dims := []int{2, 8, 2}
			ours := newNetwork(t, tensor.Float64, 8, dims...).differentiate(t)
			m, params := ours.machine(t)
			got := steps(t, 40, m, newSolver(), params.ValueGrads(), ours.loss)

			tape := newNetwork(t, tensor.Float64, 8, dims...).differentiate(t)
			vm := gorgonia.NewTapeMachine(tape.graph, gorgonia.BindDualValues(tape.learnables...))
			want := steps(t, 40, vm, newSolver(), gorgonia.NodesToValueGrads(tape.learnables), tape.loss)

			for i := range got {
				if math.Abs(got[i]-want[i]) > 1e-12*want[i] {
					t.Fatalf("loss of step %d is %v, with dual values %v", i, got[i], want[i])
				}
			}
			if first, last := got[0], got[len(got)-1]; !(last < 0.9*first) {
				t.Errorf("loss went from %v to %v, want it to fall", first, last)
			}
		})
	}
}

func TestParamsWorkInATapeMachineWithoutDualValues(t *testing.T) {
	dims := []int{2, 8, 2}
	ours := newNetwork(t, tensor.Float64, 8, dims...).differentiate(t)
	m, params := ours.machine(t)
	want := steps(t, 10, m, newSGD(t), params.ValueGrads(), ours.loss)

	tape := newNetwork(t, tensor.Float64, 8, dims...).differentiate(t)
	tapeParams, err := train.NewParams(tape.learnables, tape.grads)
	must(t, err)
	got := steps(t, 10, gorgonia.NewTapeMachine(tape.graph), newSGD(t), tapeParams.ValueGrads(), tape.loss)
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("loss of step %d is %v in a TapeMachine, %v in ours", i, got[i], want[i])
		}
	}
}

func newSGD(t *testing.T) *train.Optimizer {
	t.Helper()
	o, err := train.NewSGD(train.WithLR(0.1))
	must(t, err)
	return o
}

func TestLearnablesWithOneGradientNodeDoNotShareItsMemory(t *testing.T) {
	// The cost Σ(v + w)² has the same gradient by v and by w.
	g := gorgonia.NewGraph()
	v, w := matrix(g, "v", 2, 2), matrix(g, "w", 2, 2)
	letMatrix(t, v, 1)
	letMatrix(t, w, 1)
	cost := gorgonia.Must(gorgonia.Sum(gorgonia.Must(gorgonia.Square(gorgonia.Must(gorgonia.Add(v, w))))))
	grads, err := gorgonia.Grad(cost, v, w)
	must(t, err)
	if grads[0] != grads[1] {
		t.Fatal("the gradients are two nodes: this test wants them to be one")
	}
	params, err := train.NewParams(gorgonia.Nodes{v, w}, grads)
	must(t, err)
	m, err := train.NewMachine(g, train.WithOutputs(params.Gradients()...))
	must(t, err)
	steps(t, 3, m, newSGD(t), params.ValueGrads(), v)
	if !sameNumbers(v.Value(), w.Value()) {
		t.Errorf("v is\n%v and w\n%v, want them equal", v.Value(), w.Value())
	}
}

func TestABufferedGradientOfTwoLearnablesIsCopiedForTheSecond(t *testing.T) {
	g := gorgonia.NewGraph()
	v, w, x := matrix(g, "v", 2, 2), matrix(g, "w", 2, 2), matrix(g, "x", 2, 2)
	for _, n := range []*gorgonia.Node{v, w, x} {
		letMatrix(t, n, 1)
	}
	grad := apply(t, "x + 1", true, x, addOne)
	params, err := train.NewParams(gorgonia.Nodes{v, w}, gorgonia.Nodes{grad, grad})
	must(t, err)
	if params.Gradients()[0] != grad {
		t.Error("the gradient of the first learnable is copied, though its memory is its own")
	}
	m, err := train.NewMachine(g, train.WithOutputs(params.Gradients()...))
	must(t, err)
	steps(t, 3, m, newSGD(t), params.ValueGrads(), v)
	if !sameNumbers(v.Value(), w.Value()) {
		t.Errorf("v is\n%v and w\n%v, want them equal", v.Value(), w.Value())
	}
}

func TestSolversDoNotWriteToConstants(t *testing.T) {
	// The gradient of Σw with one element is a view of Gorgonia's constant 1,
	// which all graphs share.
	one := func() (*gorgonia.Node, *gorgonia.Node) {
		g := gorgonia.NewGraph()
		w := matrix(g, "w", 1, 1)
		must(t, gorgonia.Let(w, waves(tensor.Float64, 1, 1, 1)))
		cost := gorgonia.Must(gorgonia.Sum(w))
		grads, err := gorgonia.Grad(cost, w)
		must(t, err)
		params, err := train.NewParams(gorgonia.Nodes{w}, grads)
		must(t, err)
		m, err := train.NewMachine(g, train.WithOutputs(params.Gradients()...))
		must(t, err)
		steps(t, 2, m, newSGD(t), params.ValueGrads(), w)
		return w, grads[0]
	}
	first, _ := one()
	second, grad := one()
	if got := numbers(grad.Value())[0]; got != 1 {
		t.Errorf("dΣw/dw is %v, want 1", got)
	}
	if !sameNumbers(first.Value(), second.Value()) {
		t.Errorf("the second graph trained w to %v, the first to %v", second.Value(), first.Value())
	}
}

func TestScalarLearnablesTrain(t *testing.T) {
	g := gorgonia.NewGraph()
	w := gorgonia.NewScalar(g, tensor.Float64, gorgonia.WithName("w"), gorgonia.WithValue(3.0))
	cost := gorgonia.Must(gorgonia.Square(w))
	grads, err := gorgonia.Grad(cost, w)
	must(t, err)
	params, err := train.NewParams(gorgonia.Nodes{w}, grads)
	must(t, err)
	m, err := train.NewMachine(g, train.WithOutputs(cost), train.WithOutputs(params.Gradients()...))
	must(t, err)
	steps(t, 2, m, newSGD(t), params.ValueGrads(), cost)
	if got, want := numbers(w.Value())[0], 3*0.8*0.8; math.Abs(got-want) > 1e-15 {
		t.Errorf("w is %v after two steps of w ← w − 0.1·2w, want %v", got, want)
	}
}

func TestGradBeforeARunIsAnError(t *testing.T) {
	n := newNetwork(t, tensor.Float64, 2, 2, 2).differentiate(t)
	params, err := train.NewParams(n.learnables, n.grads)
	must(t, err)
	_, err = params.ValueGrads()[0].Grad()
	fails(t, err, n.learnables[0].Name(), "not been computed")
}

func TestNewParamsSaysWhatDoesNotFit(t *testing.T) {
	g := gorgonia.NewGraph()
	w, v, wide := matrix(g, "w", 2, 2), matrix(g, "v", 2, 2), matrix(g, "wide", 2, 3)
	single := gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithShape(2, 2), gorgonia.WithName("single"))
	for _, c := range []struct {
		name              string
		learnables, grads gorgonia.Nodes
		says              []string
	}{
		{"counts", gorgonia.Nodes{w}, gorgonia.Nodes{v, v}, []string{"2 gradients", "1 learnables"}},
		{"nil learnable", gorgonia.Nodes{nil}, gorgonia.Nodes{v}, []string{"0", "nil"}},
		{"nil gradient", gorgonia.Nodes{w}, gorgonia.Nodes{nil}, []string{"0", "nil"}},
		{"twice", gorgonia.Nodes{w, w}, gorgonia.Nodes{v, v}, []string{`"w"`, "twice"}},
		{"shape", gorgonia.Nodes{w}, gorgonia.Nodes{wide}, []string{`"w"`, "(2, 3)", "(2, 2)"}},
		{"dtype", gorgonia.Nodes{w}, gorgonia.Nodes{single}, []string{`"w"`, "float32", "float64"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := train.NewParams(c.learnables, c.grads)
			fails(t, err, c.says...)
		})
	}
}
