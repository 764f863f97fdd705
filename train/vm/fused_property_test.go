package vm_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/affine-go/affine/internal/nettest"
	"github.com/affine-go/affine/train/vm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"
)

// layerDraw is one of the ways in which a linear layer is written in built-in
// ops.
type layerDraw struct {
	out, bias, act int
	transposed     bool
}

func drawLayers(rt *rapid.T) []layerDraw {
	layers := make([]layerDraw, rapid.IntRange(1, 3).Draw(rt, "layers"))
	for i := range layers {
		layers[i] = layerDraw{out: rapid.IntRange(1, 30).Draw(rt, "out"), bias: rapid.IntRange(0, 4).Draw(rt, "bias"),
			act: rapid.IntRange(0, 6).Draw(rt, "act"), transposed: rapid.Bool().Draw(rt, "transposed")}
	}
	return layers
}

// buildNetwork builds the layers with a cost, the same at every call.
func buildNetwork(dt tensor.Dtype, rows, in, loss int, layers []layerDraw) (g *gorgonia.ExprGraph, nodes, learnables gorgonia.Nodes, cost *gorgonia.Node) {
	g = gorgonia.NewGraph()
	seed := 0.0
	input := func(shape ...int) *gorgonia.Node {
		seed++
		n := gorgonia.NewTensor(g, dt, len(shape), gorgonia.WithShape(shape...), gorgonia.WithName(fmt.Sprint("in", seed)), gorgonia.WithValue(nettest.Waves(dt, seed, shape...)))
		return n
	}
	scaled := func(scale float64, shape ...int) *gorgonia.Node {
		n := input(shape...)
		if _, err := n.Value().(*tensor.Dense).MulScalar(scalar(dt, scale), true, tensor.UseUnsafe()); err != nil {
			panic(err)
		}
		learnables = append(learnables, n)
		return n
	}
	learnable := func(shape ...int) *gorgonia.Node { return scaled(0.4, shape...) }
	// Weights are small enough for sums below 6 after three layers: from 15 on
	// Gorgonia's sigmoid is 1, and wrong in the tenth digit long before.
	weight := func(shape ...int) *gorgonia.Node { return scaled(1.5/float64(in), shape...) }
	h := input(rows, in)
	for _, l := range layers {
		var w *gorgonia.Node
		if l.transposed {
			w = gorgonia.Must(gorgonia.Transpose(weight(l.out, in), 1, 0))
		} else {
			w = weight(in, l.out)
		}
		h = gorgonia.Must(gorgonia.Mul(h, w))
		switch l.bias {
		case 1:
			h = gorgonia.Must(gorgonia.BroadcastAdd(h, learnable(l.out), nil, []byte{0}))
		case 2:
			h = gorgonia.Must(gorgonia.BroadcastAdd(h, learnable(1, l.out), nil, []byte{0}))
		case 3:
			h = gorgonia.Must(gorgonia.Add(learnable(rows, l.out), h))
		case 4:
			h = gorgonia.Must(gorgonia.BroadcastAdd(learnable(1, l.out), h, []byte{0}, nil))
		}
		switch l.act {
		case 1:
			h = gorgonia.Must(gorgonia.Rectify(h))
		case 2:
			h = gorgonia.Must(gorgonia.Tanh(h))
		case 3:
			h = gorgonia.Must(gorgonia.Sigmoid(h))
		case 4:
			h = gorgonia.Must(gorgonia.Softplus(h))
		case 5:
			h = gorgonia.Must(leaky(h))
		case 6:
			h = gorgonia.Must(silu(h))
		}
		nodes = append(nodes, h)
		in = l.out
	}
	switch loss {
	case 0:
		cost = gorgonia.Must(gorgonia.Mean(gorgonia.Must(gorgonia.Square(gorgonia.Must(gorgonia.Sub(h, input(rows, in)))))))
	case 1:
		cost = gorgonia.Must(gorgonia.Neg(gorgonia.Must(gorgonia.Mean(gorgonia.Must(gorgonia.HadamardProd(gorgonia.Must(gorgonia.Log(gorgonia.Must(gorgonia.SoftMax(h, 1)))), input(rows, in)))))))
	default:
		cost = gorgonia.Must(gorgonia.Sum(h))
	}
	return g, nodes, learnables, cost
}

func scalar(dt tensor.Dtype, x float64) any {
	if dt == tensor.Float32 {
		return float32(x)
	}
	return x
}

func TestFusedLayersOfAnyFormAreThoseOfATapeMachine(t *testing.T) {
	fused := 0
	rapid.Check(t, func(rt *rapid.T) {
		dt := rapid.SampledFrom([]tensor.Dtype{tensor.Float32, tensor.Float64}).Draw(rt, "dtype")
		rows, in, loss := rapid.IntRange(1, 20).Draw(rt, "rows"), rapid.IntRange(1, 30).Draw(rt, "in"), rapid.IntRange(0, 2).Draw(rt, "loss")
		layers := drawLayers(rt)
		mode := rapid.IntRange(0, 2).Draw(rt, "mode")
		build := func() (g *gorgonia.ExprGraph, nodes, learnables, grads gorgonia.Nodes, cost *gorgonia.Node, ok bool) {
			defer func() { // a (1, 1) bias and others that Gorgonia cannot differentiate
				if recover() != nil {
					ok = false
				}
			}()
			g, nodes, learnables, cost = buildNetwork(dt, rows, in, loss, layers)
			grads, err := gorgonia.Grad(cost, learnables...)
			return g, nodes, learnables, grads, cost, err == nil
		}
		g, nodes, learnables, grads, cost, ok := build()
		if !ok {
			return
		}
		tapeGraph, _, tapeLearnables, _, tapeCost, _ := build()
		if err := runTape(tapeGraph, tapeLearnables); err != nil {
			return // Gorgonia's ops cannot run it
		}
		var opts []vm.Option
		switch mode {
		case 0:
			opts = append(opts, vm.BindDualValues(learnables...))
		case 1:
			opts = append(opts, vm.WithOutputs(cost), vm.WithOutputs(grads...))
		default:
			opts = append(opts, vm.WithOutputs(cost, nodes[0]), vm.WithOutputs(grads...))
		}
		m, err := vm.New(g, opts...)
		nettest.Must(rt, err)
		for range 2 {
			nettest.Must(rt, m.RunAll())
		}
		tolerance := 1e-11
		if dt == tensor.Float32 {
			tolerance = 2e-5
		}
		check := func(what string, got, want gorgonia.Value, runs, norm float64) {
			a, b := nettest.Numbers(got), nettest.Numbers(want)
			if len(a) != len(b) {
				rt.Fatalf("%s has %d elements, want %d", what, len(a), len(b))
			}
			for _, x := range b {
				norm = max(norm, math.Abs(x))
			}
			for i := range b {
				if !(math.Abs(a[i]/runs-b[i]) <= tolerance*norm) {
					rt.Fatalf("%s: element %d is %v, want %v\n%s", what, i, a[i]/runs, b[i], m.Explain())
				}
			}
		}
		// A sum may cancel: its terms are of the order of 1.
		check("cost", cost.Value(), tapeCost.Value(), 1, float64(rows*layers[len(layers)-1].out))
		for i, n := range learnables {
			got, err := n.Grad()
			nettest.Must(rt, err)
			want, err := tapeLearnables[i].Grad()
			nettest.Must(rt, err)
			runs := 1.0
			if mode == 0 {
				runs = 2 // dual values add up
			}
			check(n.Name(), got, want, runs, 0.1) // a gradient may be nothing but rounding
		}
		fused++
	})
	if fused == 0 {
		t.Error("no network could be run")
	}
}

func runTape(g *gorgonia.ExprGraph, learnables gorgonia.Nodes) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic: %v", cause)
		}
	}()
	return gorgonia.NewTapeMachine(g, gorgonia.BindDualValues(learnables...)).RunAll()
}
