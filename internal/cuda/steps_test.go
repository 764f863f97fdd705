//go:build gpu

package cuda

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/affine-go/affine/internal/cudasim"

	"github.com/affine-go/affine/internal/kernel"
)

// regression is a linear model with all that its training keeps on the device.
type regression struct {
	d                      *Device
	dataX, dataT           kernel.Matrix[float64]
	x, target, y, dy, w, g kernel.Matrix[float64]
	m, v                   []float64
	step                   int
}

func newRegression(t testing.TB, d *Device, rows, batch int) *regression {
	rng := rand.New(rand.NewPCG(1, 2))
	matrix := func(rows, cols int) kernel.Matrix[float64] {
		data, err := NewKernels[float64](d).Alloc(rows * cols)
		must(t, err)
		for i := range data {
			data[i] = rng.NormFloat64()
		}
		return kernel.Matrix[float64]{Data: data, Rows: rows, Cols: cols, Stride: cols}
	}
	const in, out = 5, 2
	r := &regression{
		d: d, dataX: matrix(rows, in), dataT: matrix(rows, out), x: matrix(batch, in), target: matrix(batch, out),
		y: matrix(batch, out), dy: matrix(batch, out), w: matrix(in, out), g: matrix(in, out),
	}
	r.m, r.v = alloc(t, d, make([]float64, in*out)...), alloc(t, d, make([]float64, in*out)...)
	return r
}

// train takes one step of Adam on the rows of index.
func (r *regression) train(index []int, lr float64) (loss float64, err error) {
	r.step++
	none := kernel.Matrix[float64]{}
	for _, do := range []func() error{
		func() error { return NewKernels[float64](r.d).GatherRows(r.x, r.dataX, index) },
		func() error { return NewKernels[float64](r.d).GatherRows(r.target, r.dataT, index) },
		func() error { return NewKernels[float64](r.d).Linear(r.y, none, r.x, r.w, nil, kernel.Activation{}) },
		func() (err error) { loss, err = NewKernels[float64](r.d).MSE(r.y.Data, r.target.Data); return err },
		func() error { return NewKernels[float64](r.d).MSEBackward(r.dy.Data, r.y.Data, r.target.Data, 1) },
		func() error {
			return NewKernels[float64](r.d).LinearBackward(none, r.g, nil, r.x, r.w, r.dy, none, kernel.Activation{})
		},
		func() error {
			return NewKernels[float64](r.d).Update(r.w.Data, r.g.Data, kernel.Moments[float64]{r.m, r.v},
				&kernel.Update{Rule: kernel.Adam, LR: lr, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, Step: r.step, ZeroGrad: true})
		},
	} {
		if err := do(); err != nil {
			return 0, err
		}
	}
	return loss, nil
}

// batchOf returns the rows of step i, and the learning rate changes too.
func batchOf(i, batch, rows int) ([]int, float64) {
	index := make([]int, batch)
	for j := range index {
		index[j] = (7*i + 3*j) % rows
	}
	return index, 0.1 / float64(1+i/10)
}

func TestStepsGiveTheNumbersOfSingleCalls(t *testing.T) {
	d := open(t)
	const rows, batch, n = 40, 8, 3 * stepSlots / 2
	single, stepped := newRegression(t, d, rows, batch), newRegression(t, d, rows, batch)
	var want, got []float64
	for i := range n {
		loss, err := single.train(batchOf(i, batch, rows))
		must(t, err)
		want = append(want, loss)
	}
	for i := range n {
		must(t, d.Step(func() error {
			loss, err := stepped.train(batchOf(i, batch, rows))
			if !math.IsNaN(loss) {
				t.Errorf("step %d: loss %v before the step has run", i, loss)
			}
			return err
		}))
		if i%100 == 99 {
			var err error
			got, err = d.Losses(got)
			must(t, err)
		}
	}
	got, err := d.Losses(got)
	must(t, err)
	if len(got) != n {
		t.Fatalf("%d losses, want %d", len(got), n)
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("loss of step %d is %v, want %v", i, got[i], want[i])
		}
	}
	for i, w := range single.w.Data {
		if stepped.w.Data[i] != w {
			t.Fatalf("weight %d is %v, want %v", i, stepped.w.Data[i], w)
		}
	}
}

func TestAStepInSteadyStateIsOneLaunchAndCopiesNothing(t *testing.T) {
	standIn(t)
	d := open(t)
	const rows, batch = 40, 8
	r := newRegression(t, d, rows, batch)
	step := func(i int) {
		must(t, d.Step(func() error { _, err := r.train(batchOf(i, batch, rows)); return err }))
	}
	for i := range 3 {
		step(i)
	}
	losses := make([]float64, 0, 200)
	_, err := d.Losses(losses)
	must(t, err)
	names := []string{"host_to_device_bytes", "device_to_host_bytes", "device_to_device_bytes", "memsets",
		"allocations", "launches", "graphs", "graph_launches", "synchronizations"}
	before := map[string]int{}
	for _, name := range names {
		before[name] = cudasim.Get(name)
	}
	const n = 100
	for i := range n {
		step(3 + i)
	}
	losses, err = d.Losses(losses)
	must(t, err)
	if len(losses) != n {
		t.Errorf("%d losses, want %d", len(losses), n)
	}
	want := map[string]int{"graph_launches": n, "synchronizations": 1}
	for _, name := range names {
		if got := cudasim.Get(name) - before[name]; got != want[name] {
			t.Errorf("%s: %d in %d steps, want %d", name, got, n, want[name])
		}
	}
	index, lr := batchOf(0, batch, rows)
	body := func() error { _, err := r.train(index, lr); return err }
	if allocs := testing.AllocsPerRun(20, func() { must(t, d.Step(body)) }); allocs > 20 {
		t.Errorf("%v allocations of Go memory a step", allocs)
	}
}

func TestStepsOfSeveralShapesAreAllReplayed(t *testing.T) {
	standIn(t)
	d := open(t)
	const rows = 40
	models := []*regression{newRegression(t, d, rows, 8), newRegression(t, d, rows, 3)}
	before := cudasim.Get("graph_launches")
	for i := range 12 {
		r := models[i%2]
		must(t, d.Step(func() error { _, err := r.train(batchOf(i, r.x.Rows, rows)); return err }))
	}
	if got := cudasim.Get("graph_launches") - before; got != 10 {
		t.Errorf("%d graph launches, want 10: all steps but the first of each shape", got)
	}
	must(t, d.Sync())
}

func TestAStepMayReadTheDeviceInItsMidst(t *testing.T) {
	d := open(t)
	x, y := alloc[float64](t, d, 1, 2, 3), []float64{0, 0, 0} // y in host memory
	var sums []float64
	for range 4 {
		must(t, d.Step(func() error {
			if err := NewKernels[float64](d).Scale(x, 2); err != nil {
				return err
			}
			sum, err := NewKernels[float64](d).SumOfSquares(x)
			sums = append(sums, sum)
			if err != nil {
				return err
			}
			if err := NewKernels[float64](d).Scale(x, 0.5); err != nil {
				return err
			}
			if err := NewKernels[float64](d).Activate(y, x, kernel.Activation{}); err != nil {
				return err
			}
			return NewKernels[float64](d).Scale(x, 2)
		}))
		must(t, d.Sync())
		for i := range y {
			if y[i] != x[i]/2 {
				t.Errorf("y is %v while x was half of %v", y, x)
			}
		}
	}
	for i, sum := range sums {
		if want := 14 * math.Pow(4, float64(i+1)); sum != want {
			t.Errorf("step %d: sum of squares %v, want %v", i, sum, want)
		}
	}
}

// Learnables that are updated one after the other, with the same numbers, share
// a launch.
func TestUpdatesShareLaunches(t *testing.T) {
	d := open(t)
	const n = groupSize + 3
	update := func(w, g [][]float64, lr func(i int) float64) error {
		for i := range w {
			if err := NewKernels[float64](d).Update(w[i], g[i], kernel.Moments[float64]{}, &kernel.Update{Rule: kernel.SGD, LR: lr(i), ZeroGrad: true}); err != nil {
				return err
			}
		}
		return nil
	}
	for _, c := range []struct {
		name     string
		lr       func(i int) float64
		launches int // besides the first kernel of a step
	}{
		{"one rate", func(int) float64 { return 0.5 }, 2},
		{"alternating rates", func(i int) float64 { return 0.5 / float64(1+i%2) }, n},
	} {
		w, g := make([][]float64, n), make([][]float64, n)
		for step := range 4 {
			for i := range w {
				if step == 0 {
					w[i], g[i] = alloc(t, d, make([]float64, 1+i*100)...), alloc(t, d, make([]float64, 1+i*100)...)
				}
				g[i][i*100] = float64(i)
			}
			before := 0
			if cudasim.Present() {
				before = cudasim.Get("kernels")
			}
			must(t, d.Step(func() error { return update(w, g, c.lr) }))
			must(t, d.Sync())
			for i := range w {
				if want := -c.lr(i) * float64(i*(step+1)); w[i][i*100] != want || g[i][i*100] != 0 {
					t.Errorf("%s: weight %d is %v, want %v; gradient %v, want 0", c.name, i, w[i][i*100], want, g[i][i*100])
				}
			}
			if cudasim.Present() && step == 3 {
				if got := cudasim.Get("kernels") - before; got != 1+c.launches {
					t.Errorf("%s: %d kernels in step %d, want %d", c.name, got, step, 1+c.launches)
				}
			}
		}
	}
}

func TestAFailedStepIsDropped(t *testing.T) {
	d := open(t)
	x := alloc[float64](t, d, 1)
	broken := errors.New("broken")
	for range 3 {
		err := d.Step(func() error {
			must(t, NewKernels[float64](d).Scale(x, 2))
			return broken
		})
		if !errors.Is(err, broken) {
			t.Errorf("error %v, want the body's", err)
		}
	}
	must(t, d.Step(func() error { return NewKernels[float64](d).Scale(x, 3) }))
	must(t, d.Sync())
	if x[0] != 3 {
		t.Errorf("x is %v, want 3", x[0])
	}
	if err := d.Step(func() error { return d.Step(func() error { return nil }) }); err == nil {
		t.Error("a step within a step went well")
	}
}

func TestBatchesLargerThanTheRoomForThemAreGathered(t *testing.T) {
	d := open(t)
	const rows = 3 * firstWords
	src, dst := alloc(t, d, make([]float64, rows)...), alloc(t, d, make([]float64, rows)...)
	index := make([]int, rows)
	for i := range src {
		src[i], index[i] = float64(i), rows-1-i
	}
	for step := range 4 {
		must(t, d.Step(func() error {
			return NewKernels[float64](d).GatherRows(kernel.Matrix[float64]{Data: dst, Rows: rows, Cols: 1, Stride: 1}, kernel.Matrix[float64]{Data: src, Rows: rows, Cols: 1, Stride: 1}, index)
		}))
		must(t, d.Sync())
		if dst[0] != rows-1 || dst[rows-1] != 0 || dst[1000] != rows-1001 {
			t.Fatalf("step %d: rows are not in the order of the index", step)
		}
		must(t, NewKernels[float64](d).Scale(dst, 0))
	}
}
