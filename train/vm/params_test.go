package vm_test

import (
	"math"
	"testing"

	"github.com/affine-go/affine/internal/nettest"
	"github.com/affine-go/affine/train/vm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

func TestGorgoniasSolversTrainParamsAsTheyTrainDualValues(t *testing.T) {
	for name, newSolver := range map[string]func() gorgonia.Solver{
		"vanilla": func() gorgonia.Solver { return gorgonia.NewVanillaSolver(gorgonia.WithLearnRate(0.5)) },
		"adam":    func() gorgonia.Solver { return gorgonia.NewAdamSolver(gorgonia.WithLearnRate(0.02)) },
		"rmsprop": func() gorgonia.Solver { return gorgonia.NewRMSPropSolver(gorgonia.WithLearnRate(0.001)) },
	} {
		t.Run(name, func(t *testing.T) {
			dims := []int{2, 8, 2}
			ours := nettest.NewNetwork(t, tensor.Float64, 8, dims...).Differentiate(t)
			m, params := ours.Machine(t)
			got := nettest.Steps(t, 40, m, newSolver(), params.ValueGrads(), ours.Loss)

			tape := nettest.NewNetwork(t, tensor.Float64, 8, dims...).Differentiate(t)
			vm := gorgonia.NewTapeMachine(tape.Graph, gorgonia.BindDualValues(tape.Learnables...))
			want := nettest.Steps(t, 40, vm, newSolver(), gorgonia.NodesToValueGrads(tape.Learnables), tape.Loss)

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
	ours := nettest.NewNetwork(t, tensor.Float64, 8, dims...).Differentiate(t)
	m, params := ours.Machine(t)
	want := nettest.Steps(t, 10, m, nettest.NewSGD(t), params.ValueGrads(), ours.Loss)

	tape := nettest.NewNetwork(t, tensor.Float64, 8, dims...).Differentiate(t)
	tapeParams, err := vm.NewParams(tape.Learnables, tape.Grads)
	nettest.Must(t, err)
	got := nettest.Steps(t, 10, gorgonia.NewTapeMachine(tape.Graph), nettest.NewSGD(t), tapeParams.ValueGrads(), tape.Loss)
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("loss of step %d is %v in a TapeMachine, %v in ours", i, got[i], want[i])
		}
	}
}
func TestLearnablesWithOneGradientNodeDoNotShareItsMemory(t *testing.T) {
	// The cost Σ(v + w)² has the same gradient by v and by w.
	g := gorgonia.NewGraph()
	v, w := matrix(g, "v", 2, 2), matrix(g, "w", 2, 2)
	letMatrix(t, v, 1)
	letMatrix(t, w, 1)
	cost := gorgonia.Must(gorgonia.Sum(gorgonia.Must(gorgonia.Square(gorgonia.Must(gorgonia.Add(v, w))))))
	grads, err := gorgonia.Grad(cost, v, w)
	nettest.Must(t, err)
	if grads[0] != grads[1] {
		t.Fatal("the gradients are two nodes: this test wants them to be one")
	}
	params, err := vm.NewParams(gorgonia.Nodes{v, w}, grads)
	nettest.Must(t, err)
	m, err := vm.New(g, vm.WithOutputs(params.Gradients()...))
	nettest.Must(t, err)
	nettest.Steps(t, 3, m, nettest.NewSGD(t), params.ValueGrads(), v)
	if !nettest.SameNumbers(v.Value(), w.Value()) {
		t.Errorf("v is\n%v and w\n%v, want them equal", v.Value(), w.Value())
	}
}

func TestABufferedGradientOfTwoLearnablesIsCopiedForTheSecond(t *testing.T) {
	g := gorgonia.NewGraph()
	v, w, x := matrix(g, "v", 2, 2), matrix(g, "w", 2, 2), matrix(g, "x", 2, 2)
	for _, n := range []*gorgonia.Node{v, w, x} {
		letMatrix(t, n, 1)
	}
	grad := nettest.Apply(t, "x + 1", true, x, nettest.AddOne)
	params, err := vm.NewParams(gorgonia.Nodes{v, w}, gorgonia.Nodes{grad, grad})
	nettest.Must(t, err)
	if params.Gradients()[0] != grad {
		t.Error("the gradient of the first learnable is copied, though its memory is its own")
	}
	m, err := vm.New(g, vm.WithOutputs(params.Gradients()...))
	nettest.Must(t, err)
	nettest.Steps(t, 3, m, nettest.NewSGD(t), params.ValueGrads(), v)
	if !nettest.SameNumbers(v.Value(), w.Value()) {
		t.Errorf("v is\n%v and w\n%v, want them equal", v.Value(), w.Value())
	}
}

func TestSolversDoNotWriteToConstants(t *testing.T) {
	// The gradient of Σw with one element is a view of Gorgonia's constant 1,
	// which all graphs share.
	one := func() (*gorgonia.Node, *gorgonia.Node) {
		g := gorgonia.NewGraph()
		w := matrix(g, "w", 1, 1)
		nettest.Must(t, gorgonia.Let(w, nettest.Waves(tensor.Float64, 1, 1, 1)))
		cost := gorgonia.Must(gorgonia.Sum(w))
		grads, err := gorgonia.Grad(cost, w)
		nettest.Must(t, err)
		params, err := vm.NewParams(gorgonia.Nodes{w}, grads)
		nettest.Must(t, err)
		m, err := vm.New(g, vm.WithOutputs(params.Gradients()...))
		nettest.Must(t, err)
		nettest.Steps(t, 2, m, nettest.NewSGD(t), params.ValueGrads(), w)
		return w, grads[0]
	}
	first, _ := one()
	second, grad := one()
	if got := nettest.Numbers(grad.Value())[0]; got != 1 {
		t.Errorf("dΣw/dw is %v, want 1", got)
	}
	if !nettest.SameNumbers(first.Value(), second.Value()) {
		t.Errorf("the second graph trained w to %v, the first to %v", second.Value(), first.Value())
	}
}

func TestScalarLearnablesTrain(t *testing.T) {
	g := gorgonia.NewGraph()
	w := gorgonia.NewScalar(g, tensor.Float64, gorgonia.WithName("w"), gorgonia.WithValue(3.0))
	cost := gorgonia.Must(gorgonia.Square(w))
	grads, err := gorgonia.Grad(cost, w)
	nettest.Must(t, err)
	params, err := vm.NewParams(gorgonia.Nodes{w}, grads)
	nettest.Must(t, err)
	m, err := vm.New(g, vm.WithOutputs(cost), vm.WithOutputs(params.Gradients()...))
	nettest.Must(t, err)
	nettest.Steps(t, 2, m, nettest.NewSGD(t), params.ValueGrads(), cost)
	if got, want := nettest.Numbers(w.Value())[0], 3*0.8*0.8; math.Abs(got-want) > 1e-15 {
		t.Errorf("w is %v after two steps of w ← w − 0.1·2w, want %v", got, want)
	}
}

func TestGradBeforeARunIsAnError(t *testing.T) {
	n := nettest.NewNetwork(t, tensor.Float64, 2, 2, 2).Differentiate(t)
	params, err := vm.NewParams(n.Learnables, n.Grads)
	nettest.Must(t, err)
	_, err = params.ValueGrads()[0].Grad()
	nettest.Fails(t, err, n.Learnables[0].Name(), "not been computed")
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
			_, err := vm.NewParams(c.learnables, c.grads)
			nettest.Fails(t, err, c.says...)
		})
	}
}
