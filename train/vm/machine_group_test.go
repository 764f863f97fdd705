package vm

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/affine-go/affine/layer"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// twoLayers is loss(act(x·W₁ + b₁)·W₂ + b₂) with gradients by all learnables
// and by x.
func twoLayers(t *testing.T, act layer.Activation, dt tensor.Dtype) (g *gorgonia.ExprGraph, loss *gorgonia.Node, grads gorgonia.Nodes) {
	t.Helper()
	g = gorgonia.NewGraph()
	rng := rand.New(rand.NewPCG(1, 2))
	value := func(shape ...int) *tensor.Dense {
		data := make([]float64, tensor.Shape(shape).TotalSize())
		for i := range data {
			data[i] = rng.NormFloat64()
		}
		if dt == tensor.Float64 {
			return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(data))
		}
		rounded := make([]float32, len(data))
		for i, v := range data {
			rounded[i] = float32(v)
		}
		return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(rounded))
	}
	input := func(name string, shape ...int) *gorgonia.Node {
		return gorgonia.NewTensor(g, dt, len(shape), gorgonia.WithShape(shape...), gorgonia.WithName(name), gorgonia.WithValue(value(shape...)))
	}
	x := input("x", 7, 5)
	hidden, err := layer.NewLinear(g, 5, 6, layer.WithActivation(act), layer.WithDtype(dt))
	if err != nil {
		t.Fatal(err)
	}
	out, err := layer.NewLinear(g, 6, 3, layer.WithDtype(dt), layer.WithoutBias())
	if err != nil {
		t.Fatal(err)
	}
	h, err := hidden.Fwd(x)
	if err != nil {
		t.Fatal(err)
	}
	y, err := out.Fwd(h)
	if err != nil {
		t.Fatal(err)
	}
	if loss, err = layer.MSE(y, input("target", 7, 3)); err != nil {
		t.Fatal(err)
	}
	if grads, err = gorgonia.Grad(loss, append(append(hidden.Learnables(), out.Learnables()...), x)...); err != nil {
		t.Fatal(err)
	}
	return g, loss, grads
}

func TestGroupedGradientsAreThoseOfSingleOpsToTheBit(t *testing.T) {
	for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
		for _, act := range []layer.Activation{layer.Identity, layer.ReLU, layer.LeakyReLU(0.1), layer.Tanh, layer.Sigmoid, layer.GELU, layer.SiLU} {
			values := func(grouped bool) string {
				g, loss, grads := twoLayers(t, act, dt)
				m, err := New(g, WithOutputs(loss), WithOutputs(grads...))
				if err != nil {
					t.Fatal(err)
				}
				if !grouped {
					ungroup(m.program)
					m.values = make([]gorgonia.Value, m.program.slots)
				}
				text := ""
				for range 2 { // the second run writes into the buffers of the first
					if err := m.RunAll(); err != nil {
						t.Fatal(err)
					}
					for _, n := range append(gorgonia.Nodes{loss}, grads...) {
						text += fmt.Sprintln(n.Value().Data())
					}
				}
				return text
			}
			if got, want := values(true), values(false); got != want {
				t.Errorf("%v %v: grouped gradients are\n%s, single ones\n%s", dt, act, got, want)
			}
		}
	}
}

// ungroup replaces every group by the ops of its nodes.
func ungroup(p *program) {
	slot := map[*gorgonia.Node]int{}
	for _, in := range p.inputs {
		slot[in.node] = in.to
	}
	for _, inst := range p.instructions {
		for i, n := range inst.nodes {
			slot[n] = inst.to[i]
		}
	}
	instructions := p.instructions
	p.instructions = nil
	for _, inst := range instructions {
		together, ok := inst.computation.(*layerGradients)
		if !ok {
			p.instructions = append(p.instructions, inst)
			continue
		}
		nodes := inst.nodes
		if hidden := together.group.Hidden; hidden != nil {
			nodes = append(gorgonia.Nodes{hidden}, nodes...)
			slot[hidden] = p.slots
			p.slots++
		}
		for _, n := range nodes {
			alone := instruction{computation: single(n), nodes: gorgonia.Nodes{n}, to: []int{slot[n]}, results: make([]gorgonia.Value, 1)}
			for _, arg := range mustLayout().childrenOf(n) {
				alone.from = append(alone.from, slot[arg])
			}
			alone.args = make([]gorgonia.Value, len(alone.from))
			p.instructions = append(p.instructions, alone)
		}
	}
}

func TestGradientsOfALayerAreOneInstruction(t *testing.T) {
	g, loss, grads := twoLayers(t, layer.Tanh, tensor.Float32)
	m, err := New(g, WithOutputs(loss), WithOutputs(grads...))
	if err != nil {
		t.Fatal(err)
	}
	// Two layers, the loss, its gradient with the constant 1, and one group for each layer.
	if got := len(m.program.instructions); got != 7 {
		t.Errorf("the program has %d instructions, want 7", got)
	}
	// The hidden layer's dZ and the loss's gradient by its target come on top.
	if all, err := New(g); err != nil || len(all.program.instructions) != 9 {
		t.Errorf("with every node an output: %d instructions, want 9 (error %v)", len(all.program.instructions), err)
	}
}

func mustLayout() *layout {
	l, err := nodeLayout()
	if err != nil {
		panic(err)
	}
	return l
}
