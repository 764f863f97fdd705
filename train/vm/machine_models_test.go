package vm_test

import (
	"math"
	"sync"
	"testing"

	"github.com/affine-go/affine/internal/nettest"
	"github.com/affine-go/affine/layer"
	"github.com/affine-go/affine/train/optim"
	"github.com/affine-go/affine/train/vm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

func TestDropoutWorksInTrainingModeOnly(t *testing.T) {
	g := gorgonia.NewGraph()
	x := matrix(g, "x", 20, 20)
	letMatrix(t, x, 1)
	y := gorgonia.Must(gorgonia.Dropout(x, 0.5))
	training, err := vm.New(g, vm.WithOutputs(y))
	nettest.Must(t, err)
	evaluation, err := vm.New(g, vm.WithOutputs(y), vm.WithEvalMode())
	nettest.Must(t, err)
	for range 2 { // the mode is the machine's, though the op is shared
		nettest.Must(t, training.RunAll())
		zeros := 0
		for _, v := range nettest.Numbers(y.Value()) {
			if v == 0 {
				zeros++
			}
		}
		if zeros < 100 || zeros > 300 {
			t.Errorf("training: %d of 400 elements dropped, want about 200", zeros)
		}
		nettest.Must(t, evaluation.RunAll())
		if !nettest.SameNumbers(y.Value(), x.Value()) {
			t.Error("evaluation changed the values")
		}
	}
}

func TestMachineLeavesInputsAlone(t *testing.T) {
	n := nettest.NewNetwork(t, tensor.Float64, 4, 3, 5, 2).Differentiate(t)
	inputs := append(gorgonia.Nodes{n.X, n.Targets}, n.Learnables...)
	before := nettest.ValuesOf(t, inputs)
	m, _ := n.Machine(t)
	nettest.Must(t, m.RunAll())
	for i, in := range inputs {
		if !nettest.SameNumbers(in.Value(), before[i]) {
			t.Errorf("%v has changed", in)
		}
	}
}

func TestEveryMachineComputesTheSameLossAndGradientsOfANetwork(t *testing.T) {
	for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
		t.Run(dt.String(), func(t *testing.T) {
			dims := []int{3, 7, 5, 2}
			ours := nettest.NewNetwork(t, dt, 6, dims...).Differentiate(t)
			m, params := ours.Machine(t)
			nettest.Must(t, m.RunAll())
			nettest.Must(t, m.RunAll())

			tape := nettest.NewNetwork(t, dt, 6, dims...).Differentiate(t)
			nettest.Must(t, gorgonia.NewTapeMachine(tape.Graph).RunAll())
			lisp := nettest.NewNetwork(t, dt, 6, dims...)
			nettest.Must(t, gorgonia.NewLispMachine(lisp.Graph).RunAll())

			if !nettest.SameNumbers(ours.Loss.Value(), tape.Loss.Value()) || !nettest.SameNumbers(ours.Loss.Value(), lisp.Loss.Value()) {
				t.Errorf("loss is %v, in a TapeMachine %v, in a LispMachine %v", ours.Loss.Value(), tape.Loss.Value(), lisp.Loss.Value())
			}
			for i, w := range ours.Learnables {
				got, err := params.ValueGrads()[i].Grad()
				nettest.Must(t, err)
				if want := tape.Grads[i].Value(); !nettest.SameNumbers(got, want) {
					t.Errorf("gradient of %s is\n%v, in a TapeMachine\n%v", w.Name(), got, want)
				}
				want, err := lisp.Learnables[i].Grad()
				nettest.Must(t, err)
				if !nettest.SameNumbers(got, want) {
					t.Errorf("gradient of %s is\n%v, in a LispMachine\n%v", w.Name(), got, want)
				}
			}
		})
	}
}

func TestMachineRunsConvolutionsAndPoolingAsTapeMachineDoes(t *testing.T) {
	build := func() (*gorgonia.ExprGraph, gorgonia.Nodes) {
		g := gorgonia.NewGraph()
		x := gorgonia.NewTensor(g, tensor.Float64, 4, gorgonia.WithShape(2, 1, 6, 6), gorgonia.WithName("x"), gorgonia.WithValue(nettest.Waves(tensor.Float64, 1, 2, 1, 6, 6)))
		k := gorgonia.NewTensor(g, tensor.Float64, 4, gorgonia.WithShape(3, 1, 3, 3), gorgonia.WithName("k"), gorgonia.WithValue(nettest.Waves(tensor.Float64, 2, 3, 1, 3, 3)))
		y := gorgonia.Must(gorgonia.Conv2d(x, k, tensor.Shape{3, 3}, []int{1, 1}, []int{1, 1}, []int{1, 1}))
		y = gorgonia.Must(gorgonia.MaxPool2D(gorgonia.Must(gorgonia.Rectify(y)), tensor.Shape{2, 2}, []int{0, 0}, []int{2, 2}))
		cost := gorgonia.Must(gorgonia.Mean(gorgonia.Must(gorgonia.Square(y))))
		grads, err := gorgonia.Grad(cost, x, k)
		nettest.Must(t, err)
		return g, append(gorgonia.Nodes{cost}, grads...)
	}
	g, got := build()
	m, err := vm.New(g, vm.WithOutputs(got...))
	nettest.Must(t, err)
	nettest.Must(t, m.RunAll())
	g, want := build()
	nettest.Must(t, gorgonia.NewTapeMachine(g).RunAll())
	for i := range got {
		if !nettest.SameNumbers(got[i].Value(), want[i].Value()) {
			t.Errorf("%v is\n%v, in a TapeMachine\n%v", got[i], got[i].Value(), want[i].Value())
		}
	}
}

func TestGraphsOfTwoBatchSizesShareTheirWeights(t *testing.T) {
	weights := nettest.Waves(tensor.Float64, 1, 3, 2)
	graphOf := func(batch int) (*vm.Machine, *gorgonia.Node) {
		g := gorgonia.NewGraph()
		x, w := matrix(g, "x", batch, 3), matrix(g, "w", 3, 2)
		letMatrix(t, x, 2)
		nettest.Must(t, gorgonia.Let(w, weights))
		y, err := layer.Apply(x, w, nil)
		nettest.Must(t, err)
		m, err := vm.New(g, vm.WithOutputs(y))
		nettest.Must(t, err)
		return m, y
	}
	large, y4 := graphOf(4)
	small, y1 := graphOf(1)
	for range 2 {
		nettest.Must(t, large.RunAll())
		nettest.Must(t, small.RunAll())
		for j := range 2 {
			if a, b := nettest.Numbers(y4.Value())[j], nettest.Numbers(y1.Value())[j]; math.Abs(a-b) > 1e-15 {
				t.Errorf("first row is %v in the large graph, %v in the small one", a, b)
			}
		}
		weights.Float64s()[0]++
	}
}

func TestATrainingStepAllocatesAlmostNothing(t *testing.T) {
	for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
		m, params := nettest.NewNetwork(t, dt, 32, 2, 16, 16, 2).Differentiate(t).Machine(t)
		optimizer, err := optim.NewAdam()
		nettest.Must(t, err)
		step := func() {
			nettest.Must(t, m.RunAll())
			nettest.Must(t, optimizer.Step(params.ValueGrads()))
		}
		if got := testing.AllocsPerRun(20, step); got > 5 {
			t.Errorf("%v: %v allocations a step, want at most 5", dt, got)
		}
	}
}

func TestTheMachineItselfAllocatesNothing(t *testing.T) {
	g := gorgonia.NewGraph()
	n := matrix(g, "x", 2, 2)
	letMatrix(t, n, 1)
	for _, name := range []string{"a", "b", "c"} {
		n = nettest.Apply(t, name, true, n, nettest.Keep)
	}
	m, err := vm.New(g)
	nettest.Must(t, err)
	if got := testing.AllocsPerRun(20, func() { nettest.Must(t, m.RunAll()) }); got != 0 {
		t.Errorf("%v allocations a run, want none", got)
	}
}

// Machines of graphs that share nothing train side by side as they do alone.
// Machines that share weights are in TestGorgonia549GoroutinesShareWeights.
func TestMachinesSideBySideTrainAsAlone(t *testing.T) {
	losses := func() []float64 {
		n := nettest.NewNetwork(t, tensor.Float32, 16, 8, 12, 3).Differentiate(t)
		m, params := n.Machine(t)
		return nettest.Steps(t, 20, m, nettest.NewSGD(t), params.ValueGrads(), n.Loss)
	}
	want := losses()
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for i, loss := range losses() {
				if loss != want[i] {
					t.Errorf("step %d: loss is %v, alone %v", i, loss, want[i])
					return
				}
			}
		})
	}
	wait.Wait()
}
