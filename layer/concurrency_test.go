package layer

import (
	"slices"
	"sync"
	"testing"

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
