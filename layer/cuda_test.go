//go:build gpu

package layer_test

import (
	"math"
	"testing"

	"github.com/affine-go/affine/internal/cudasim"
	"github.com/affine-go/affine/layer"
	"github.com/affine-go/affine/layer/device"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// openCUDA opens the first card, and closes it when the test ends.
func openCUDA(t *testing.T) device.Device {
	t.Helper()
	d, err := device.Open("cuda")
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// TestCUDAFeedsBuiltinOps trains act(X·W + b) on the card, followed by
// Gorgonia's own Rectify, Square and Mean and trained by its VanillaSolver.
func TestCUDAFeedsBuiltinOps(t *testing.T) {
	cpu, err := device.Open("cpu")
	if err != nil {
		t.Fatal(err)
	}
	train := func(d device.Device, machine func(*gorgonia.ExprGraph, gorgonia.Nodes) gorgonia.VM, symbolic bool) (losses []float64) {
		g := gorgonia.NewGraph()
		x := gorgonia.NewMatrix(g, tensor.Float64, gorgonia.WithShape(6, 3), gorgonia.WithName("x"),
			gorgonia.WithValue(tensor.New(tensor.WithShape(6, 3), tensor.WithBacking(tensor.Range(tensor.Float64, -9, 9)))))
		l, err := layer.NewLinear(g, 3, 4, layer.WithDtype(tensor.Float64), layer.WithDevice(d), layer.WithSeed(3),
			layer.WithActivation(layer.SiLU))
		if err != nil {
			t.Fatal(err)
		}
		y, err := l.Fwd(x)
		if err != nil {
			t.Fatal(err)
		}
		cost := gorgonia.Must(gorgonia.Mean(gorgonia.Must(gorgonia.Square(gorgonia.Must(gorgonia.Rectify(y))))))
		if symbolic {
			if _, err := gorgonia.Grad(cost, l.Learnables()...); err != nil {
				t.Fatal(err)
			}
		}
		solver := gorgonia.NewVanillaSolver(gorgonia.WithLearnRate(0.05))
		for range 20 {
			m := machine(g, l.Learnables()) // a LispMachine runs once
			if err := m.RunAll(); err != nil {
				t.Fatal(err)
			}
			losses = append(losses, cost.Value().Data().(float64))
			if err := solver.Step(gorgonia.NodesToValueGrads(l.Learnables())); err != nil {
				t.Fatal(err)
			}
		}
		return losses
	}
	tape := func(g *gorgonia.ExprGraph, learnables gorgonia.Nodes) gorgonia.VM {
		return gorgonia.NewTapeMachine(g, gorgonia.BindDualValues(learnables...))
	}
	lisp := func(g *gorgonia.ExprGraph, _ gorgonia.Nodes) gorgonia.VM { return gorgonia.NewLispMachine(g) }
	d := openCUDA(t)
	for name, machine := range map[string]func(*gorgonia.ExprGraph, gorgonia.Nodes) gorgonia.VM{"TapeMachine": tape, "LispMachine": lisp} {
		got, want := train(d, machine, name == "TapeMachine"), train(cpu, machine, name == "TapeMachine")
		for i := range want {
			if math.Abs(got[i]-want[i]) > 1e-11*math.Abs(want[i]) {
				t.Errorf("%s: loss of step %d is %v, on the processor %v", name, i, got[i], want[i])
			}
		}
		if want[len(want)-1] >= want[0] {
			t.Errorf("%s: the loss went from %v to %v", name, want[0], want[len(want)-1])
		}
	}
}

func TestResultsOfATapeMachineTakeNoMemoryOfTheCard(t *testing.T) {
	d := openCUDA(t)
	if !cudasim.Present() {
		t.Skip("the driver is not the stand-in")
	}
	g := gorgonia.NewGraph()
	const n = 1 << 9
	x := gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithShape(n, 1), gorgonia.WithName("x"), gorgonia.WithInit(gorgonia.Ones()))
	w := gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithShape(1, n), gorgonia.WithName("w"), gorgonia.WithInit(gorgonia.Ones()))
	y, err := layer.Apply(x, w, nil, layer.WithDevice(d))
	if err != nil {
		t.Fatal(err)
	}
	view := gorgonia.Must(gorgonia.Slice(y, gorgonia.S(1)))
	m := gorgonia.NewTapeMachine(g)
	bytes := cudasim.Get("bytes")
	for range 5 {
		if err := m.RunAll(); err != nil {
			t.Fatal(err)
		}
		m.Reset()
		if got := cudasim.Get("bytes"); got > bytes {
			t.Fatalf("the card holds %d bytes more than before", got-bytes)
		}
	}
	for i, v := range view.Value().Data().([]float32) {
		if v != 1 {
			t.Fatalf("element %d is %v, want 1", i, v)
		}
	}
}
