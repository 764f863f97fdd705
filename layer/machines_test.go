package layer

import (
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/affine-go/affine/internal/recycle"
	"github.com/affine-go/affine/layer/device"
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

// masked is dropout by its definition, with the mask that the op drew for ones.
func masked(t *testing.T, name string, p float64, step, firstRow int, x *tensor.Dense) []float64 {
	t.Helper()
	ones := tensor.Ones(tensor.Float64, x.Shape()...)
	masks := NewMasks(3)
	masks.Set(step, firstRow)
	v, err := newDropoutOp(name, x.Dims(), p, masks, processor(t)).Do(ones)
	requireNoError(t, err)
	mask, values := floats(t, v), floats(t, x)
	for i := range values {
		if scaled := 1 / (1 - p); mask[i] != 0 && mask[i] != scaled {
			t.Fatalf("mask holds %v, want 0 or %v", mask[i], scaled)
		}
		values[i] *= mask[i]
	}
	return values
}

func processor(t *testing.T) device.Device {
	t.Helper()
	d, err := device.Open("cpu")
	requireNoError(t, err)
	return d
}

// TestDropout: value and gradient are those of a product with the mask, for both
// machines of Gorgonia.
func TestDropout(t *testing.T) {
	rng := generator(71)
	for _, machine := range []string{"tape", "lisp"} {
		for _, dt := range dtypes {
			for _, shape := range []tensor.Shape{{7}, {5, 4}, {2, 3, 5}} {
				x, dy := random(rng, dt, shape...), random(rng, dt, shape...)
				masks := NewMasks(3)
				masks.Set(9, 2)
				values, grads := run(t, machine, []*tensor.Dense{x, dy}, []int{0}, func(n gorgonia.Nodes) (*gorgonia.Node, gorgonia.Nodes, error) {
					y, err := Dropout(n[0], 0.4, masks)
					requireNoError(t, err)
					cost, err := weighted(y, n[1])
					return cost, gorgonia.Nodes{y}, err
				})
				requireClose(t, "Y", values[0], masked(t, "dropout1", 0.4, 9, 2, x), tolerance(dt))
				requireClose(t, "dX", grads[0], masked(t, "dropout1", 0.4, 9, 2, dy), tolerance(dt))
			}
		}
	}
}

// TestGradOfDropoutToSecondOrder: Σ (M ⊙ X)³ has the second derivative
// 6·M³ ⊙ X.
func TestGradOfDropoutToSecondOrder(t *testing.T) {
	x := random(generator(72), tensor.Float64, 3, 4)
	g := gorgonia.NewGraph()
	n := input(g, "x", x)
	y, err := Dropout(n, 0.25, NewMasks(3))
	requireNoError(t, err)
	cost, err := gorgonia.Sum(gorgonia.Must(gorgonia.Cube(y)))
	requireNoError(t, err)
	first, err := Grad(cost, n)
	requireNoError(t, err)
	second, err := Grad(gorgonia.Must(gorgonia.Sum(first[0])), n)
	requireNoError(t, err)
	m := gorgonia.NewTapeMachine(g)
	defer m.Close()
	requireNoError(t, m.RunAll())
	want := masked(t, "dropout1", 0.25, 0, 0, x)
	for i := range want {
		want[i] *= 6 / 0.75 / 0.75
	}
	requireClose(t, "second derivative", floats(t, second[0].Value()), want, 1e-12)
}

func TestDropoutsOfAGraphDiffer(t *testing.T) {
	g := gorgonia.NewGraph()
	x := input(g, "x", tensor.Ones(tensor.Float32, 4, 50))
	masks := NewMasks(3)
	var outputs gorgonia.Nodes
	for _, opts := range [][]Option{nil, nil, {WithName("mine")}} {
		y, err := Dropout(x, 0.5, masks, opts...)
		requireNoError(t, err)
		outputs = append(outputs, y)
	}
	m := gorgonia.NewTapeMachine(g)
	defer m.Close()
	draw := func(step int) (all [][]float64) {
		masks.Set(step, 0)
		m.Reset()
		requireNoError(t, m.RunAll())
		for _, y := range outputs {
			all = append(all, floats(t, y.Value()))
		}
		return all
	}
	first, next, again := draw(1), draw(2), draw(1)
	for i := range first {
		if slices.Equal(first[i], next[i]) || !slices.Equal(first[i], again[i]) {
			t.Errorf("op %d: want another mask in another step and the same in the same", i)
		}
		for j := range i {
			if slices.Equal(first[i], first[j]) {
				t.Errorf("ops %d and %d draw the same mask", j, i)
			}
		}
	}
}

func TestDropoutSaysWhatItCannotDo(t *testing.T) {
	g := gorgonia.NewGraph()
	x := input(g, "x", random(generator(73), tensor.Float64, 2, 2))
	s := gorgonia.NewScalar(g, tensor.Float64, gorgonia.WithName("s"))
	masks := NewMasks(1)
	for _, test := range []struct {
		x     *gorgonia.Node
		p     float64
		masks *Masks
		opts  []Option
		want  string
	}{
		{nil, 0.5, masks, nil, "X is nil"},
		{s, 0.5, masks, nil, "X is a scalar"},
		{x, 1, masks, nil, "probability is 1, want at least 0 and less than 1"},
		{x, math.NaN(), masks, nil, "probability is NaN"},
		{x, 0.5, nil, nil, "masks are nil"},
		{x, 0.5, masks, []Option{WithActivation(ReLU)}, "WithActivation does not apply here"},
	} {
		if _, err := Dropout(test.x, test.p, test.masks, test.opts...); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("got error %v, want one with %q", err, test.want)
		}
	}
}
