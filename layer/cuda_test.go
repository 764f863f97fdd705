//go:build gpu

package layer_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/affine-go/affine/internal/cudasim"
	"github.com/affine-go/affine/layer"
	"github.com/affine-go/affine/layer/device"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"
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

// TestCUDAAgreesWithTheProcessor compares value, loss and all gradients of
// random layers, in every machine.
func TestCUDAAgreesWithTheProcessor(t *testing.T) {
	card := openCUDA(t)
	cpu, err := device.Open("cpu")
	if err != nil {
		t.Fatal(err)
	}
	activations := []layer.Activation{layer.Identity, layer.ReLU, layer.LeakyReLU(0.1), layer.Tanh, layer.Sigmoid, layer.GELU, layer.SiLU}
	losses := []func(*gorgonia.Node, *gorgonia.Node, ...layer.Option) (*gorgonia.Node, error){
		layer.SoftmaxCrossEntropy, layer.MSE, layer.BinaryCrossEntropy,
	}
	rapid.Check(t, func(rt *rapid.T) {
		dt := rapid.SampledFrom([]tensor.Dtype{tensor.Float32, tensor.Float64}).Draw(rt, "dtype")
		act := rapid.SampledFrom(activations).Draw(rt, "activation")
		loss := rapid.SampledFrom(losses).Draw(rt, "loss")
		bias, symbolic := rapid.Bool().Draw(rt, "bias"), rapid.Bool().Draw(rt, "symbolic")
		size := rapid.OneOf(rapid.IntRange(1, 5), rapid.IntRange(6, 90))
		rows, in, out := size.Draw(rt, "rows"), size.Draw(rt, "in"), size.Draw(rt, "out")
		lead := tensor.Shape{rows}
		if rapid.Bool().Draw(rt, "two leading dimensions") {
			lead = tensor.Shape{2, rows}
		}
		run := func(d device.Device) (results []gorgonia.Value) {
			rng := rand.New(rand.NewPCG(7, 7))
			g := gorgonia.NewGraph()
			node := func(name string, shape ...int) *gorgonia.Node {
				v := tensor.New(tensor.WithShape(shape...), tensor.Of(dt))
				for i := range v.Shape().TotalSize() {
					if x := rng.Float64() - 0.4; dt == tensor.Float32 {
						v.Float32s()[i] = float32(x)
					} else {
						v.Float64s()[i] = x
					}
				}
				return gorgonia.NewTensor(g, dt, len(shape), gorgonia.WithShape(shape...), gorgonia.WithName(name), gorgonia.WithValue(v))
			}
			x, w := node("x", append(lead.Clone(), in)...), node("w", in, out)
			learnables := gorgonia.Nodes{x, w}
			var b *gorgonia.Node
			if bias {
				b = node("b", out)
				learnables = append(learnables, b)
			}
			y, err := layer.Apply(x, w, b, layer.WithActivation(act), layer.WithDevice(d))
			check(rt, err)
			l, err := loss(y, node("targets", append(lead.Clone(), out)...), layer.WithDevice(d))
			check(rt, err)
			if !symbolic {
				check(rt, gorgonia.NewLispMachine(g).RunAll())
				results = append(results, y.Value(), l.Value())
				for _, n := range learnables {
					v, err := n.Grad()
					check(rt, err)
					results = append(results, v)
				}
				return results
			}
			grads, err := gorgonia.Grad(l, learnables...)
			check(rt, err)
			check(rt, gorgonia.NewTapeMachine(g).RunAll())
			for _, n := range append(gorgonia.Nodes{y, l}, grads...) {
				results = append(results, n.Value())
			}
			return results
		}
		got, want := run(card), run(cpu)
		tolerance := 1e-11
		if dt == tensor.Float32 {
			tolerance = 1e-5
		}
		for i := range want {
			a, b := floats(got[i]), floats(want[i])
			largest := 0.0
			for _, v := range b {
				largest = max(largest, math.Abs(v))
			}
			for j := range b {
				if d := math.Abs(a[j] - b[j]); !(d <= tolerance*max(largest, 1e-3)) {
					rt.Fatalf("result %d, element %d: got %v, on the processor %v", i, j, a[j], b[j])
				}
			}
		}
	})
}

func check(t *rapid.T, err error) {
	if err != nil {
		t.Helper()
		t.Fatal(err)
	}
}

// floats returns the elements of a tensor or scalar.
func floats(v gorgonia.Value) (all []float64) {
	switch v := v.Data().(type) {
	case []float32:
		for _, x := range v {
			all = append(all, float64(x))
		}
	case []float64:
		all = v
	case float32:
		all = []float64{float64(v)}
	case float64:
		all = []float64{v}
	}
	return all
}
