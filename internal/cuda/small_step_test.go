//go:build gpu

package cuda

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/affine-go/affine/internal/cudasim"
	"github.com/affine-go/affine/internal/kernel"
)

// network is a perceptron with all that its training keeps on the device.
type network[T kernel.Float] struct {
	k                  Kernels[T]
	dataX, dataT, x, t kernel.Matrix[T]
	w, dw, y, z, dy    []kernel.Matrix[T]
	b, db              [][]T
	moments            []kernel.Moments[T] // of weights and biases, in turns
	act                kernel.Activation
	loss               string
	update             kernel.Update
	step               int
	everything         map[string][]T // by name
}

func newNetwork[T kernel.Float](t *testing.T, d *Device, rows, batch int, dims []int, transposed bool) *network[T] {
	rng := rand.New(rand.NewPCG(1, 2))
	n := &network[T]{k: NewKernels[T](d), everything: map[string][]T{}}
	vector := func(name string, size int) []T {
		data, err := n.k.Alloc(size)
		must(t, err)
		for i := range data {
			data[i] = T(rng.NormFloat64())
		}
		n.everything[name] = data
		return data
	}
	matrix := func(name string, rows, cols int) kernel.Matrix[T] {
		return kernel.MatrixOf(vector(name, rows*cols), rows, cols)
	}
	last := len(dims) - 1
	n.dataX, n.dataT = matrix("table of X", rows, dims[0]), matrix("table of T", rows, dims[last])
	for i := range n.dataT.Data {
		n.dataT.Data[i] = T(rng.Float64()) // targets are probabilities
	}
	n.x, n.t = matrix("x", batch, dims[0]), matrix("t", batch, dims[last])
	for i := range last {
		in, out := dims[i], dims[i+1]
		weights := func(name string) kernel.Matrix[T] {
			if transposed {
				m := matrix(name, out, in)
				m.Rows, m.Cols, m.Transposed = in, out, true
				return m
			}
			return matrix(name, in, out)
		}
		layer := func(what string) string { return fmt.Sprint(what, i) }
		n.w, n.dw = append(n.w, weights(layer("w"))), append(n.dw, weights(layer("dw")))
		n.b, n.db = append(n.b, vector(layer("b"), out)), append(n.db, vector(layer("db"), out))
		n.y, n.z, n.dy = append(n.y, matrix(layer("y"), batch, out)), append(n.z, matrix(layer("z"), batch, out)), append(n.dy, matrix(layer("dy"), batch, out))
		for _, size := range []int{in * out, out} {
			var m kernel.Moments[T]
			for j := range m {
				m[j] = vector(fmt.Sprint("moment ", j, " of ", len(n.moments)), size)
				clear(m[j])
			}
			n.moments = append(n.moments, m)
		}
	}
	return n
}

// train takes one step, as the trainer does.
func (n *network[T]) train(index []int) error {
	n.step++
	k, last := n.k, len(n.w)-1
	none := kernel.Matrix[T]{}
	var err error
	do := func(f func() error) {
		if err == nil {
			err = f()
		}
	}
	do(func() error { return k.GatherRows(n.x, n.dataX, index) })
	do(func() error { return k.GatherRows(n.t, n.dataT, index) })
	input := func(i int) kernel.Matrix[T] {
		if i == 0 {
			return n.x
		}
		return n.y[i-1]
	}
	act := func(i int) (a kernel.Activation, z, saved kernel.Matrix[T]) {
		if i < last {
			a = n.act
		}
		if a.Kind.Info().Saved == kernel.SavedZ {
			return a, n.z[i], n.z[i]
		}
		return a, none, n.y[i]
	}
	for i := range n.w {
		a, z, _ := act(i)
		do(func() error { return k.Linear(n.y[i], z, input(i), n.w[i], n.b[i], a) })
	}
	y, dy := n.y[last], n.dy[last]
	do(func() error {
		switch n.loss {
		case "mse":
			_, err := k.MSE(y.Data, n.t.Data)
			return err
		case "bce":
			_, err := k.BinaryCrossEntropy(y.Data, n.t.Data)
			return err
		}
		_, err := k.SoftmaxCrossEntropy(y, n.t)
		return err
	})
	do(func() error {
		switch n.loss {
		case "mse":
			return k.MSEBackward(dy.Data, y.Data, n.t.Data, 1)
		case "bce":
			return k.BinaryCrossEntropyBackward(dy.Data, y.Data, n.t.Data, 1)
		}
		return k.SoftmaxCrossEntropyBackward(dy, y, n.t, 1)
	})
	for i := last; i >= 0; i-- {
		a, _, saved := act(i)
		dx := none
		if i > 0 {
			dx = n.dy[i-1]
		}
		do(func() error { return k.LinearBackward(dx, n.dw[i], n.db[i], input(i), n.w[i], n.dy[i], saved, a) })
	}
	u := n.update
	u.Step, u.LR = n.step, u.LR/(1+0.1*float64(n.step)) // as a schedule does
	for i := range n.w {
		do(func() error { return k.Update(n.w[i].Data, n.dw[i].Data, n.moments[2*i], &u) })
		do(func() error { return k.Update(n.b[i], n.db[i], n.moments[2*i+1], &u) })
	}
	return err
}

var updates = map[string]kernel.Update{
	"sgd":     {Rule: kernel.SGD, LR: 0.1, Momentum: 0.9, WeightDecay: 0.01, Nesterov: true},
	"adam":    {Rule: kernel.Adam, LR: 0.01, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, AMSGrad: true, ZeroGrad: true},
	"adamw":   {Rule: kernel.Adam, LR: 0.01, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, Decoupled: true, WeightDecay: 0.1},
	"rmsprop": {Rule: kernel.RMSprop, LR: 0.01, Alpha: 0.99, Eps: 1e-3, Momentum: 0.9, Centered: true},
	"adagrad": {Rule: kernel.Adagrad, LR: 0.1, LRDecay: 0.1, Eps: 1e-10},
	"lion":    {Rule: kernel.Lion, LR: 0.01, Beta1: 0.9, Beta2: 0.99, WeightDecay: 0.01},
}

// A step that one kernel does gives the numbers of one that many do: losses,
// weights, gradients, moments, and what every layer computed.
func TestSmallStepsGiveTheNumbersOfManyKernels(t *testing.T) {
	type test struct {
		optimizer, loss string
		act             kernel.Activation
		dims            []int
		batch           int
		transposed      bool
	}
	tests := []test{}
	for kind := range kernel.ActivationKind(kernel.ActivationKinds) {
		act := kernel.Activation{Kind: kind, Alpha: 0.1, Beta: 1.5, Threshold: 2}
		tests = append(tests, test{"adam", "cross entropy", act, []int{2, 16, 16, 2}, 32, kind%2 == 1})
	}
	for _, optimizer := range []string{"sgd", "adamw", "rmsprop", "adagrad", "lion"} {
		tests = append(tests, test{optimizer, "mse", kernel.Activation{Kind: kernel.Tanh}, []int{5, 7, 3}, 11, false})
	}
	tests = append(tests, test{"adam", "bce", kernel.Activation{Kind: kernel.ReLU}, []int{3, 33, 1}, 1, false},
		test{"sgd", "mse", kernel.Activation{}, []int{4, 1}, 300, true},
		test{"adam", "cross entropy", kernel.Activation{Kind: kernel.ReLU}, []int{2, 16, 16, 2}, 128, false})
	for _, c := range tests {
		t.Run(fmt.Sprintf("%s, %s, %v, %v, batch %d", c.optimizer, c.loss, c.act.Kind, c.dims, c.batch), func(t *testing.T) {
			t.Run("float32", func(t *testing.T) {
				testSmallSteps[float32](t, c.optimizer, c.loss, c.act, c.dims, c.batch, c.transposed, 1e-6)
			})
			t.Run("float64", func(t *testing.T) {
				testSmallSteps[float64](t, c.optimizer, c.loss, c.act, c.dims, c.batch, c.transposed, 1e-13)
			})
		})
	}
}

func testSmallSteps[T kernel.Float](t *testing.T, optimizer, loss string, act kernel.Activation, dims []int, batch int, transposed bool,
	tolerance float64) {
	const rows, n = 400, 8
	run := func(fuses bool) (*network[T], []float64) {
		d := open(t)
		d.fuses = fuses
		m := newNetwork[T](t, d, rows, batch, dims, transposed)
		m.act, m.loss, m.update = act, loss, updates[optimizer]
		for i := range n {
			index := make([]int, batch)
			for j := range index {
				index[j] = (31*i + 7*j) % rows
			}
			before := 0
			if cudasim.Present() {
				before = cudasim.Get("kernels")
			}
			must(t, d.Step(func() error { return m.train(index) }))
			must(t, d.Sync())
			// Before that, sgd's first step differs from the others, and the new
			// kernel is launched once without work.
			if fuses && i >= 4 && cudasim.Present() {
				if got := cudasim.Get("kernels") - before; got != 1 {
					t.Errorf("step %d took %d kernels, want 1", i, got)
				}
			}
		}
		losses, err := d.Losses(nil)
		must(t, err)
		return m, losses
	}
	one, lossesOfOne := run(true)
	many, lossesOfMany := run(false)
	same := func(what string, got, want float64) {
		if !(math.Abs(got-want) <= tolerance*max(1, math.Abs(want))) {
			t.Errorf("%s is %v, by many kernels %v", what, got, want)
		}
	}
	if len(lossesOfOne) != n || len(lossesOfMany) != n {
		t.Fatalf("%d and %d losses, want %d", len(lossesOfOne), len(lossesOfMany), n)
	}
	for i := range lossesOfMany {
		same(fmt.Sprint("loss ", i), lossesOfOne[i], lossesOfMany[i])
	}
	for name, want := range many.everything {
		for i := range want {
			same(fmt.Sprintf("%s, element %d,", name, i), float64(one.everything[name][i]), float64(want[i]))
		}
	}
}

// A step that is too large for one block, or that has other kernels in it, is
// done as before.
func TestLargeStepsTakeManyKernels(t *testing.T) {
	standIn(t)
	d := open(t)
	kernels := func(m *network[float32], more func() error) (got int) {
		index := make([]int, m.x.Rows)
		for range 4 {
			before := cudasim.Get("kernels")
			must(t, d.Step(func() error {
				if err := m.train(index); err != nil {
					return err
				}
				return more()
			}))
			must(t, d.Sync())
			got = cudasim.Get("kernels") - before
		}
		return got
	}
	nothing := func() error { return nil }
	for _, c := range []struct {
		dims  []int
		batch int
		more  bool
		one   bool
	}{
		{[]int{4, 8, 3}, 16, false, true},
		{[]int{4, 8, 3}, 16, true, false},
		{[]int{4, 128, 128, 3}, 16, false, false}, // more multiplications than one block should do
		{[]int{4, 2, 3}, 1100, false, false},      // more rows than the kernel has room for
	} {
		m := newNetwork[float32](t, d, 40, c.batch, c.dims, false)
		m.update = updates["adamw"]
		more := nothing
		if c.more {
			more = func() error { return m.k.Scale(m.b[0], 0.5) }
		}
		if got := kernels(m, more); (got == 1) != c.one {
			t.Errorf("%v, batch %d, more %v: %d kernels, want one: %v", c.dims, c.batch, c.more, got, c.one)
		}
	}
}

// Weights that lie elsewhere than those of an equal step are not mixed up with them.
func TestSmallStepsOfTwoModelsStayApart(t *testing.T) {
	d := open(t)
	const batch = 8
	a := newNetwork[float64](t, d, 40, batch, []int{3, 4, 2}, false)
	a.update = updates["sgd"]
	// b shares everything with a but the moments.
	b := *a
	b.moments = newNetwork[float64](t, d, 40, batch, []int{3, 4, 2}, false).moments
	index := make([]int, batch)
	for i := range 6 {
		must(t, d.Step(func() error { return a.train(index) }))
		if i%2 == 1 {
			must(t, d.Step(func() error { return b.train(index) }))
		}
	}
	must(t, d.Sync())
	for i, m := range b.moments {
		for _, v := range m[0] {
			if v == 0 {
				t.Fatalf("momentum %d of the second model was not updated", i)
			}
		}
	}
}
