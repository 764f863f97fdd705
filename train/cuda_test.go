//go:build gpu

package train_test

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/affine-go/affine/internal/cudasim"
	"github.com/affine-go/affine/internal/nettest"
	"github.com/affine-go/affine/layer"
	"github.com/affine-go/affine/layer/device"
	"github.com/affine-go/affine/train"
	"github.com/affine-go/affine/train/vm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// onCard returns the default settings for a dataset on the first card.
func onCard(t *testing.T, dataset string) train.Config {
	t.Helper()
	d, err := device.Open("cuda")
	if err != nil {
		t.Skip(err)
	}
	nettest.Must(t, d.Close())
	c := train.DefaultConfig(dataset, nil)
	c.Device = "cuda"
	return c
}

// The curves of losses are those of the processor: classification, of a model that
// one kernel trains and of one that takes several, and every regression.
func TestCUDATrainsAsTheProcessorDoes(t *testing.T) {
	for _, test := range []struct {
		dataset      string
		rows, epochs int
		hidden       []int
	}{
		{"moons", 0, 50, nil}, {"glyphs", 400, 4, []int{48, 32}},
		{"sine", 300, 20, nil}, {"friedman1", 300, 20, nil}, {"linear", 300, 20, nil},
	} {
		t.Run(test.dataset, func(t *testing.T) {
			c := onCard(t, test.dataset)
			c.Epochs, c.Patience = test.epochs, 0
			if test.rows > 0 {
				c.Rows = test.rows
			}
			if test.hidden != nil {
				c.Hidden = test.hidden
			}
			curve := func(device string) []train.EpochRecord {
				c.Device = device
				run, err := train.Fit(context.Background(), c)
				nettest.Must(t, err)
				nettest.Must(t, run.Close())
				if len(run.History.Epochs) != c.Epochs {
					t.Fatalf("%s: %d epochs, want %d", device, len(run.History.Epochs), c.Epochs)
				}
				return run.History.Epochs
			}
			got, want := curve("cuda"), curve("cpu")
			for i := range want {
				if d := math.Abs(got[i].TrainLoss - want[i].TrainLoss); !(d <= 1e-4) {
					t.Errorf("epoch %d: training loss %v, on the processor %v", i+1, got[i].TrainLoss, want[i].TrainLoss)
				}
				if d := math.Abs(got[i].ValLoss - want[i].ValLoss); !(d <= 1e-4) {
					t.Errorf("epoch %d: validation loss %v, on the processor %v", i+1, got[i].ValLoss, want[i].ValLoss)
				}
			}
			if first, last := want[0].TrainLoss, want[len(want)-1].TrainLoss; !(last < first) {
				t.Errorf("the loss went from %v to %v: nothing was learned", first, last)
			}
		})
	}
}

func TestCUDACopiesNoWeightsWhileItTrains(t *testing.T) {
	c := onCard(t, "blobs")
	if !cudasim.Present() {
		t.Skip("the driver is not the stand-in")
	}
	c.Rows, c.Batch, c.Epochs, c.Optimizer = 4000, 10, 3, "adamw"
	parts, err := c.Load()
	nettest.Must(t, err)
	tr, err := train.NewTrainer(c, parts)
	nettest.Must(t, err)
	defer func() { nettest.Must(t, tr.Model().Spec().Device.Close()) }()
	for range 65 { // the first alone, the others until the losses are read
		_, err := tr.Step()
		nettest.Must(t, err)
	}
	names := []string{"host_to_device_bytes", "device_to_host_bytes", "device_to_device_bytes", "allocations",
		"launches", "graphs", "graph_launches", "synchronizations"}
	before := map[string]int{}
	for _, name := range names {
		before[name] = cudasim.Get(name)
	}
	const n = 128 // two readings
	for range n {
		_, err := tr.Step()
		nettest.Must(t, err)
	}
	want := map[string]int{"graph_launches": n, "synchronizations": 2}
	for _, name := range names {
		if got := cudasim.Get(name) - before[name]; got != want[name] {
			t.Errorf("%s: %d in %d steps, want %d", name, got, n, want[name])
		}
	}
	if loss := tr.Progress().Loss; !(loss > 0 && loss < 10) {
		t.Errorf("loss is %v", loss)
	}
}

// A step takes one launch for its beginning and the batch, one for each layer
// forward and one backward, one for the loss with its gradient and one for the
// optimizer; that of a small model takes one in all.
func TestCUDAStepsTakeFewLaunches(t *testing.T) {
	for _, m := range []struct {
		dataset string
		hidden  []int
		most    int
		exactly bool
	}{
		{"moons", []int{16, 16}, 1, true},
		{"glyphs", []int{512, 256}, 12, false},
	} {
		c := onCard(t, m.dataset)
		if !cudasim.Present() {
			t.Skip("the driver is not the stand-in")
		}
		if cudasim.Get("lazy") != 0 {
			t.Skip("launches are counted when they run")
		}
		c.Hidden, c.Rows, c.Batch, c.Epochs = m.hidden, 1500, 128, 3
		parts, err := c.Load()
		nettest.Must(t, err)
		tr, err := train.NewTrainer(c, parts)
		nettest.Must(t, err)
		defer func() { nettest.Must(t, tr.Model().Spec().Device.Close()) }()
		for range 4 { // allocates, is met, is captured, is replayed
			_, err := tr.Step()
			nettest.Must(t, err)
		}
		graphs, before := cudasim.Get("graph_launches"), cudasim.Get("kernels")+cudasim.Get("products")
		_, err = tr.Step()
		nettest.Must(t, err)
		got := cudasim.Get("kernels") + cudasim.Get("products") - before
		if cudasim.Get("graph_launches") != graphs+1 {
			t.Errorf("%s: the step was not replayed", m.dataset)
		}
		if got > m.most || m.exactly && got != m.most {
			t.Errorf("%s: %d kernels in a step, want %d", m.dataset, got, m.most)
		}
	}
}

// Managed memory stays where it is: no page moves while steps are taken, and few
// move when an epoch ends and the validation rows are computed.
func TestCUDALeavesPagesWhereTheyAre(t *testing.T) {
	c := onCard(t, "blobs")
	if !cudasim.Present() {
		t.Skip("the driver is not the stand-in")
	}
	if cudasim.Get("protect") != 0 {
		t.Skip("pages are counted where they are not protected")
	}
	cudasim.Set("pages", 1)
	defer cudasim.Set("pages", 0)
	c.Rows, c.Batch, c.Epochs = 4000, 10, 10
	parts, err := c.Load()
	nettest.Must(t, err)
	tr, err := train.NewTrainer(c, parts)
	nettest.Must(t, err)
	defer func() { nettest.Must(t, tr.Model().Spec().Device.Close()) }()
	moved := func() int { return cudasim.Get("pages_to_host") + cudasim.Get("pages_to_device") }
	epoch := func() (steps, end int) {
		before := moved()
		for !tr.EpochDone() {
			_, err := tr.Step()
			nettest.Must(t, err)
		}
		steps = moved() - before
		nettest.Must(t, tr.FinishEpoch())
		return steps, moved() - before - steps
	}
	epoch() // allocates
	for range 3 {
		if steps, end := epoch(); steps != 0 || end != 0 {
			t.Errorf("%d pages moved in the steps of an epoch and %d at its end, want none", steps, end)
		}
	}
}

func TestCUDALostInMidRunKeepsTheCheckpoint(t *testing.T) {
	c := onCard(t, "moons")
	if !cudasim.Present() {
		t.Skip("the driver is not the stand-in")
	}
	c.Epochs, c.Patience = 10, 0
	dir := t.TempDir()
	lose := train.Callback{Name: "lose", OnEpoch: func(p *train.Progress) error {
		if p.Epoch == 4 {
			cudasim.Set("lost_after", 10)
		}
		return nil
	}}
	_, err := train.Fit(context.Background(), c, train.InDirectory(dir), train.WithCallbacks(lose))
	cudasim.Set("lost", 0)
	cudasim.Set("lost_after", 0)
	nettest.Fails(t, err, "unspecified launch failure")

	resumed, err := train.Fit(context.Background(), c, train.InDirectory(dir), train.Resume())
	nettest.Must(t, err)
	nettest.Must(t, resumed.Close())
	whole, err := train.Fit(context.Background(), c)
	nettest.Must(t, err)
	nettest.Must(t, whole.Close())
	for i, r := range whole.History.Epochs {
		if got := resumed.History.Epochs[i].TrainLoss; got != r.TrainLoss {
			t.Errorf("epoch %d: loss %v after resuming, %v without interruption", i+1, got, r.TrainLoss)
		}
	}
}

// A machine that is closed gives its memory on the card back; what it has
// computed can be read all the same.
func TestCUDAMachinesGiveTheirMemoryBack(t *testing.T) {
	d, err := device.Open("cuda")
	if err != nil {
		t.Skip(err)
	}
	defer func() { nettest.Must(t, d.Close()) }()
	if !cudasim.Present() {
		t.Skip("the driver is not the stand-in")
	}
	// The graphs are built again for each machine, as a search for settings does.
	run := func() (y, view, grad *tensor.Dense) {
		g := gorgonia.NewGraph()
		const n, in, out = 300, 40, 50
		ones := func(rows, cols int) *gorgonia.Node {
			return gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithShape(rows, cols), gorgonia.WithInit(gorgonia.Ones()),
				gorgonia.WithName(fmt.Sprint(rows, "x", cols)))
		}
		x, w := ones(n, in), ones(in, out)
		product, err := layer.Apply(x, w, nil, layer.WithDevice(d))
		nettest.Must(t, err)
		part := gorgonia.Must(gorgonia.Slice(product, gorgonia.S(1)))
		loss, err := layer.MSE(product, ones(n, out), layer.WithDevice(d))
		nettest.Must(t, err)
		grads, err := gorgonia.Grad(loss, w)
		nettest.Must(t, err)
		m, err := vm.New(g, vm.WithOutputs(product, part, grads[0]))
		nettest.Must(t, err)
		nettest.Must(t, m.RunAll())
		y, view, grad = product.Value().(*tensor.Dense), part.Value().(*tensor.Dense), grads[0].Value().(*tensor.Dense)
		nettest.Must(t, m.Close())
		nettest.Must(t, m.Close())
		if product.Value() != gorgonia.Value(y) {
			t.Fatal("the node has lost its value")
		}
		return y, view, grad
	}
	y, view, grad := run()
	bytes := cudasim.Get("bytes")
	for range 400 {
		run()
	}
	if got := cudasim.Get("bytes"); got > bytes {
		t.Errorf("400 machines took %d bytes of the card's memory and kept them", got-bytes)
	}
	for what, v := range map[string][]float32{"product": y.Float32s(), "view": view.Float32s()} {
		for i, v := range v {
			if v != 40 {
				t.Fatalf("%s: element %d is %v, want 40", what, i, v)
			}
		}
	}
	for i, v := range grad.Float32s() { // 2·39·300/(300·50)
		if math.Abs(float64(v)-1.56) > 1e-5 {
			t.Fatalf("gradient %d is %v, want 1.56", i, v)
		}
	}
}
