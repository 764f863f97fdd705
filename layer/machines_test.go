package layer

import (
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/affine-go/affine/internal/recycle"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// TestMachinesMayShareAWeight: Gorgonia's own product transposes its inputs in
// place, which breaks this. The machines are made one after another, since
// gorgonia.NewTapeMachine writes the engine into every value of its graph.
func TestMachinesMayShareAWeight(t *testing.T) {
	rng := generator(17)
	w, b, dy := random(rng, tensor.Float64, 6, 5), random(rng, tensor.Float64, 5), random(rng, tensor.Float64, 4, 5)
	var runs []func()
	for i := range 8 {
		x := random(rng, tensor.Float64, 4, 6)
		want := linearCase(t, "tape", Apply, Tanh, x, w, b, dy)
		g := gorgonia.NewGraph()
		by := gorgonia.Nodes{input(g, "x", x), input(g, "w", w), input(g, "b", b)}
		y, err := Apply(by[0], by[1], by[2], WithActivation(Tanh))
		requireNoError(t, err)
		cost, err := weighted(y, input(g, "dy", dy))
		requireNoError(t, err)
		grads, err := gorgonia.Grad(cost, by...)
		requireNoError(t, err)
		got := make([]gorgonia.Value, 1+len(grads))
		for part, n := range append(gorgonia.Nodes{y}, grads...) {
			gorgonia.Read(n, &got[part])
		}
		m := gorgonia.NewTapeMachine(g)
		t.Cleanup(func() { m.Close() })
		runs = append(runs, func() {
			for range 20 {
				if err := m.RunAll(); err != nil {
					t.Errorf("goroutine %d: %v", i, err)
					return
				}
				m.Reset()
				for part := range want {
					if v := floats(t, got[part]); !slices.Equal(v, want[part]) {
						t.Errorf("goroutine %d, part %d is %v, want %v", i, part, v, want[part])
					}
				}
			}
		})
	}
	var wg sync.WaitGroup
	for _, run := range runs {
		wg.Go(run)
	}
	wg.Wait()
}

// Constants belong to no graph before they are used. The built-in ops take
// them for data, and so do ours.
func TestConstantsAreDataLikeInputs(t *testing.T) {
	rng := generator(61)
	data, targets, weight := random(rng, tensor.Float64, 4, 3), random(rng, tensor.Float64, 4, 2), random(rng, tensor.Float64, 3, 2)
	for _, machine := range []string{"tape", "lisp"} {
		for _, act := range []Activation{ReLU, GELU} {
			train := func(node func(g *gorgonia.ExprGraph, name string, v *tensor.Dense) *gorgonia.Node) (cost, grad []float64) {
				g := gorgonia.NewGraph()
				w := input(g, "w", weight)
				y, err := Apply(node(g, "x", data), w, nil, WithActivation(act))
				requireNoError(t, err)
				l, err := SoftmaxCrossEntropy(y, node(g, "targets", targets))
				requireNoError(t, err)
				if machine == "lisp" {
					requireNoError(t, gorgonia.NewLispMachine(g).RunAll())
					dw, err := w.Grad()
					requireNoError(t, err)
					return floats(t, l.Value()), floats(t, dw)
				}
				grads, err := gorgonia.Grad(l, w)
				requireNoError(t, err)
				requireNoError(t, gorgonia.NewTapeMachine(g).RunAll())
				return floats(t, l.Value()), floats(t, grads[0].Value())
			}
			wantCost, wantGrad := train(input)
			cost, grad := train(func(_ *gorgonia.ExprGraph, name string, v *tensor.Dense) *gorgonia.Node {
				return gorgonia.NewConstant(v, gorgonia.WithName(name))
			})
			requireClose(t, machine+" cost", cost, wantCost, 0)
			requireClose(t, machine+" dW", grad, wantGrad, 0)
		}
	}
}

func TestConstantsAloneHaveNoGraph(t *testing.T) {
	c := gorgonia.NewConstant(random(generator(67), tensor.Float64, 2, 2))
	if _, err := Apply(c, c, nil); err == nil || !strings.Contains(err.Error(), "X and W are constants, want at least one node of a graph") {
		t.Errorf("error is %v, want one that asks for a node of a graph", err)
	}
}

// collectGarbage runs the garbage collector until its finalizers, which are
// called some time later, have brought about what is awaited.
func collectGarbage(t *testing.T, what string, awaited func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !awaited(); time.Sleep(100 * time.Microsecond) {
		if time.Now().After(deadline) {
			t.Fatalf("collecting garbage for 10 s does not bring about: %s", what)
		}
		runtime.GC()
	}
}

// Whoever holds a result, a view of it or its elements keeps what stands there,
// however often the machine runs and the garbage collector too.
func TestResultsOfEarlierRunsStay(t *testing.T) {
	const batch, in, out = 64, 96, 80
	g := gorgonia.NewGraph()
	matrix := func(name string, rows, cols int) *gorgonia.Node {
		return gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithName(name), gorgonia.WithShape(rows, cols))
	}
	x, w, dy := matrix("x", batch, in), matrix("w", in, out), matrix("dy", batch, out)
	b := gorgonia.NewVector(g, tensor.Float32, gorgonia.WithName("b"), gorgonia.WithShape(out))
	y, err := Apply(x, w, b)
	if err != nil {
		t.Fatal(err)
	}
	grads, err := gorgonia.Backpropagate(gorgonia.Nodes{y}, gorgonia.Nodes{dy}, gorgonia.Nodes{x, w, b})
	if err != nil {
		t.Fatal(err)
	}
	vm := gorgonia.NewTapeMachine(g)
	defer vm.Close()

	fill := func(n *gorgonia.Node, v float32) {
		values := make([]float32, n.Shape().TotalSize())
		for i := range values {
			values[i] = v
		}
		if err := gorgonia.Let(n, tensor.New(tensor.WithShape(n.Shape()...), tensor.WithBacking(values))); err != nil {
			t.Fatal(err)
		}
	}
	type held struct {
		elements []float32
		want     float32
	}
	var all []held
	for run := range 60 {
		v := float32(run%7 + 1)
		fill(x, v)
		fill(w, 1)
		fill(b, 0)
		fill(dy, v)
		if err := vm.RunAll(); err != nil {
			t.Fatal(err)
		}
		// Of each run something else is held.
		switch run % 3 {
		case 0:
			all = append(all, held{y.Value().Data().([]float32), in * v})
		case 1:
			row, err := grads[0].Value().(*tensor.Dense).Slice(gorgonia.S(batch - 1))
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, held{row.Data().([]float32), out * v})
		case 2:
			all = append(all, held{grads[1].Value().Data().([]float32)[5:6], batch * v * v})
		}
		vm.Reset()
		if run%10 == 9 {
			collectGarbage(t, "memory of a result is free", func() bool { return recycle.Now().Free > 0 })
		}
	}
	for i, h := range all {
		if at := slices.IndexFunc(h.elements, func(v float32) bool { return v != h.want }); at >= 0 {
			t.Fatalf("run %d: element %d is %v by now, want %v", i, at, h.elements[at], h.want)
		}
	}
}
