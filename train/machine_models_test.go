package train_test

import (
	"math"
	"testing"

	"github.com/affine-go/affine/layer"
	"github.com/affine-go/affine/train"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

func TestDropoutWorksInTrainingModeOnly(t *testing.T) {
	g := gorgonia.NewGraph()
	x := matrix(g, "x", 20, 20)
	letMatrix(t, x, 1)
	y := gorgonia.Must(gorgonia.Dropout(x, 0.5))
	training, err := train.NewMachine(g, train.WithOutputs(y))
	must(t, err)
	evaluation, err := train.NewMachine(g, train.WithOutputs(y), train.WithEvalMode())
	must(t, err)
	for range 2 { // the mode is the machine's, though the op is shared
		must(t, training.RunAll())
		zeros := 0
		for _, v := range numbers(y.Value()) {
			if v == 0 {
				zeros++
			}
		}
		if zeros < 100 || zeros > 300 {
			t.Errorf("training: %d of 400 elements dropped, want about 200", zeros)
		}
		must(t, evaluation.RunAll())
		if !sameNumbers(y.Value(), x.Value()) {
			t.Error("evaluation changed the values")
		}
	}
}

func TestMachineLeavesInputsAlone(t *testing.T) {
	n := newNetwork(t, tensor.Float64, 4, 3, 5, 2).differentiate(t)
	inputs := append(gorgonia.Nodes{n.x, n.targets}, n.learnables...)
	before := valuesOf(t, inputs)
	m, _ := n.machine(t)
	must(t, m.RunAll())
	for i, in := range inputs {
		if !sameNumbers(in.Value(), before[i]) {
			t.Errorf("%v has changed", in)
		}
	}
}

func TestEveryMachineComputesTheSameLossAndGradientsOfANetwork(t *testing.T) {
	for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
		t.Run(dt.String(), func(t *testing.T) {
			dims := []int{3, 7, 5, 2}
			ours := newNetwork(t, dt, 6, dims...).differentiate(t)
			m, params := ours.machine(t)
			must(t, m.RunAll())
			must(t, m.RunAll())

			tape := newNetwork(t, dt, 6, dims...).differentiate(t)
			must(t, gorgonia.NewTapeMachine(tape.graph).RunAll())
			lisp := newNetwork(t, dt, 6, dims...)
			must(t, gorgonia.NewLispMachine(lisp.graph).RunAll())

			if !sameNumbers(ours.loss.Value(), tape.loss.Value()) || !sameNumbers(ours.loss.Value(), lisp.loss.Value()) {
				t.Errorf("loss is %v, in a TapeMachine %v, in a LispMachine %v", ours.loss.Value(), tape.loss.Value(), lisp.loss.Value())
			}
			for i, w := range ours.learnables {
				got, err := params.ValueGrads()[i].Grad()
				must(t, err)
				if want := tape.grads[i].Value(); !sameNumbers(got, want) {
					t.Errorf("gradient of %s is\n%v, in a TapeMachine\n%v", w.Name(), got, want)
				}
				want, err := lisp.learnables[i].Grad()
				must(t, err)
				if !sameNumbers(got, want) {
					t.Errorf("gradient of %s is\n%v, in a LispMachine\n%v", w.Name(), got, want)
				}
			}
		})
	}
}

func TestMachineRunsConvolutionsAndPoolingAsTapeMachineDoes(t *testing.T) {
	build := func() (*gorgonia.ExprGraph, gorgonia.Nodes) {
		g := gorgonia.NewGraph()
		x := gorgonia.NewTensor(g, tensor.Float64, 4, gorgonia.WithShape(2, 1, 6, 6), gorgonia.WithName("x"), gorgonia.WithValue(waves(tensor.Float64, 1, 2, 1, 6, 6)))
		k := gorgonia.NewTensor(g, tensor.Float64, 4, gorgonia.WithShape(3, 1, 3, 3), gorgonia.WithName("k"), gorgonia.WithValue(waves(tensor.Float64, 2, 3, 1, 3, 3)))
		y := gorgonia.Must(gorgonia.Conv2d(x, k, tensor.Shape{3, 3}, []int{1, 1}, []int{1, 1}, []int{1, 1}))
		y = gorgonia.Must(gorgonia.MaxPool2D(gorgonia.Must(gorgonia.Rectify(y)), tensor.Shape{2, 2}, []int{0, 0}, []int{2, 2}))
		cost := gorgonia.Must(gorgonia.Mean(gorgonia.Must(gorgonia.Square(y))))
		grads, err := gorgonia.Grad(cost, x, k)
		must(t, err)
		return g, append(gorgonia.Nodes{cost}, grads...)
	}
	g, got := build()
	m, err := train.NewMachine(g, train.WithOutputs(got...))
	must(t, err)
	must(t, m.RunAll())
	g, want := build()
	must(t, gorgonia.NewTapeMachine(g).RunAll())
	for i := range got {
		if !sameNumbers(got[i].Value(), want[i].Value()) {
			t.Errorf("%v is\n%v, in a TapeMachine\n%v", got[i], got[i].Value(), want[i].Value())
		}
	}
}

func TestGraphsOfTwoBatchSizesShareTheirWeights(t *testing.T) {
	weights := waves(tensor.Float64, 1, 3, 2)
	graphOf := func(batch int) (*train.Machine, *gorgonia.Node) {
		g := gorgonia.NewGraph()
		x, w := matrix(g, "x", batch, 3), matrix(g, "w", 3, 2)
		letMatrix(t, x, 2)
		must(t, gorgonia.Let(w, weights))
		y, err := layer.Apply(x, w, nil)
		must(t, err)
		m, err := train.NewMachine(g, train.WithOutputs(y))
		must(t, err)
		return m, y
	}
	large, y4 := graphOf(4)
	small, y1 := graphOf(1)
	for range 2 {
		must(t, large.RunAll())
		must(t, small.RunAll())
		for j := range 2 {
			if a, b := numbers(y4.Value())[j], numbers(y1.Value())[j]; math.Abs(a-b) > 1e-15 {
				t.Errorf("first row is %v in the large graph, %v in the small one", a, b)
			}
		}
		weights.Float64s()[0]++
	}
}

func TestATrainingStepAllocatesAlmostNothing(t *testing.T) {
	for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
		m, params := newNetwork(t, dt, 32, 2, 16, 16, 2).differentiate(t).machine(t)
		optimizer, err := train.NewAdam()
		must(t, err)
		step := func() {
			must(t, m.RunAll())
			must(t, optimizer.Step(params.ValueGrads()))
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
		n = apply(t, name, true, n, keep)
	}
	m, err := train.NewMachine(g)
	must(t, err)
	if got := testing.AllocsPerRun(20, func() { must(t, m.RunAll()) }); got != 0 {
		t.Errorf("%v allocations a run, want none", got)
	}
}
