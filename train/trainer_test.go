package train_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"reflect"
	"runtime"
	"slices"
	"testing"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/internal/nettest"
	"github.com/affine-go/affine/internal/recycle"
	"github.com/affine-go/affine/layer"
	"github.com/affine-go/affine/train"
	"github.com/affine-go/affine/train/optim"
	"github.com/affine-go/affine/train/vm"
	"gonum.org/v1/gonum/mat"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// An epoch of batches of 16, 16 and 7 rows makes the weights that three graphs
// built by hand for 16, 16 and 7 rows make, on the rows that the sampler deals.
func TestTheLastSmallerBatchTrainsExactly(t *testing.T) {
	for _, dataset := range []string{"moons", "linear"} {
		c := smallConfig(t, dataset)
		c.Dtype, c.Optimizer, c.Schedule, c.LR = "float64", "sgd", "constant", 0.1
		parts, err := c.Load()
		nettest.Must(t, err)
		tr, err := train.NewTrainer(c, parts)
		nettest.Must(t, err)
		weights := map[string]gorgonia.Value{}
		for name, w := range tr.Model().Weights() {
			weights[name] = w.Clone().(*tensor.Dense)
		}
		losses(t, tr, 3)
		if !tr.EpochDone() {
			t.Fatalf("%s: 39 rows in batches of 16 take more than 3 steps", dataset)
		}

		p, err := tr.Predictor()
		nettest.Must(t, err)
		x := slices.Clone(parts.Train.X)
		nettest.Must(t, p.Features.Transform(x))
		targets := make([]float64, parts.Train.Len()*parts.Train.Outputs())
		all := make([]int, parts.Train.Len())
		for i := range all {
			all[i] = i
		}
		nettest.Must(t, datasets.GatherTargets(targets, parts.Train, all))
		if p.Targets != nil {
			nettest.Must(t, p.Targets.Transform(targets))
		}
		sampler, err := datasets.NewSampler(len(all), c.Batch, c.Seed)
		nettest.Must(t, err)
		for rows := sampler.Next(); rows != nil; rows = sampler.Next() {
			stepByHand(t, weights, c, pick(x, parts.Train.Inputs(), rows), pick(targets, parts.Train.Outputs(), rows))
		}
		for name, w := range tr.Model().Weights() {
			if !nettest.SameNumbers(w, weights[name]) {
				t.Errorf("%s: %s is %v, want %v", dataset, name, w, weights[name])
			}
		}
	}
}

// pick returns the given rows of a table as a tensor.
func pick(table []float64, cols int, rows []int) *tensor.Dense {
	var data []float64
	for _, r := range rows {
		data = append(data, table[r*cols:(r+1)*cols]...)
	}
	return tensor.New(tensor.WithShape(len(rows), cols), tensor.WithBacking(data))
}

// stepByHand takes one step of plain gradient descent on a graph of its own.
func stepByHand(t *testing.T, weights map[string]gorgonia.Value, c train.Config, x, targets *tensor.Dense) {
	t.Helper()
	act, err := layer.ParseActivation(c.Activation)
	nettest.Must(t, err)
	g := gorgonia.NewGraph()
	node := func(name string, v gorgonia.Value) *gorgonia.Node {
		return gorgonia.NewTensor(g, tensor.Float64, v.Shape().Dims(), gorgonia.WithShape(v.Shape()...), gorgonia.WithName(name), gorgonia.WithValue(v))
	}
	h := node("x", x)
	var learnables gorgonia.Nodes
	for i := 1; i <= len(c.Hidden)+1; i++ {
		w := node(fmt.Sprintf("linear%d.weight", i), weights[fmt.Sprintf("linear%d.weight", i)])
		b := node(fmt.Sprintf("linear%d.bias", i), weights[fmt.Sprintf("linear%d.bias", i)])
		learnables = append(learnables, w, b)
		opts := []layer.Option{layer.WithActivation(act)}
		if i > len(c.Hidden) {
			opts = nil
		}
		h, err = layer.Apply(h, w, b, opts...)
		nettest.Must(t, err)
	}
	lossOf := layer.MSE
	if c.Dataset == "moons" {
		lossOf = layer.SoftmaxCrossEntropy
	}
	loss, err := lossOf(h, node("targets", targets))
	nettest.Must(t, err)
	grads, err := gorgonia.Grad(loss, learnables...)
	nettest.Must(t, err)
	params, err := vm.NewParams(learnables, grads)
	nettest.Must(t, err)
	m, err := vm.New(g, vm.WithOutputs(params.Gradients()...))
	nettest.Must(t, err)
	nettest.Must(t, m.RunAll())
	sgd, err := optim.NewSGD(optim.WithLR(c.LR))
	nettest.Must(t, err)
	nettest.Must(t, sgd.Step(params.ValueGrads()))
}

func TestFusedAndBuiltInModelsHaveTheSameLosses(t *testing.T) {
	for _, dataset := range []string{"moons", "friedman1"} {
		for _, activation := range []string{"relu", "tanh", "gelu", "leakyrelu(0.1)"} {
			c := smallConfig(t, dataset)
			c.Dtype, c.Activation, c.Impl = "float64", activation, train.Fused
			fused := losses(t, newTrainer(t, c), 50)
			c.Impl = train.Builtin
			builtin := losses(t, newTrainer(t, c), 50)
			for i := range fused {
				if math.Abs(fused[i]-builtin[i]) > 1e-10*(1+math.Abs(builtin[i])) {
					t.Errorf("%s, %s: loss of step %d is %v fused and %v built-in", dataset, activation, i+1, fused[i], builtin[i])
					break
				}
			}
		}
	}
}

func TestBothMachinesTrainTheSameBits(t *testing.T) {
	for _, dataset := range []string{"moons", "sine"} {
		for _, dtype := range []string{"float32", "float64"} {
			c := smallConfig(t, dataset)
			c.Dtype, c.Activation, c.Machine = dtype, "gelu", train.OurMachine
			ours := newTrainer(t, c)
			c.Machine = train.TapeMachine
			tape := newTrainer(t, c)
			if a, b := losses(t, ours, 20), losses(t, tape, 20); !slices.Equal(a, b) {
				t.Errorf("%s, %s: losses are %v by our machine, %v by the tape", dataset, dtype, a, b)
			}
			for name, w := range ours.Model().Weights() {
				if !nettest.SameNumbers(w, tape.Model().Weights()[name]) {
					t.Errorf("%s, %s: %s differs between the machines", dataset, dtype, name)
				}
			}
		}
	}
}

func TestEveryOptimizerScheduleAndActivationLowersTheLoss(t *testing.T) {
	lower := func(c train.Config) {
		t.Helper()
		r := fit(t, c)
		h := r.History.Epochs
		if first, last := h[0].TrainLoss, h[len(h)-1].TrainLoss; !(last < 0.8*first) {
			t.Errorf("%s, %s, %s: training loss went from %v to %v", c.Optimizer, c.Schedule, c.Activation, first, last)
		}
	}
	for _, name := range optim.Names() {
		c := smallConfig(t, "moons")
		c.Optimizer, c.Epochs, c.LR = name, 20, 0.02
		if name == "sgd" {
			c.LR, c.Momentum = 0.1, 0.9
		}
		lower(c)
	}
	for _, name := range optim.ScheduleNames() {
		c := smallConfig(t, "moons")
		c.Schedule, c.Epochs, c.LR, c.WarmupEpochs = name, 20, 0.02, 2
		lower(c)
	}
	for _, name := range layer.ActivationNames() {
		c := smallConfig(t, "linear")
		c.Activation, c.Epochs = name, 20
		lower(c)
	}
}

// The learning rate of every step is the schedule's, with the warm-up in front.
// With plain gradient descent and gradients clipped to one norm, it shows in
// the length of the step.
func TestStepsFollowTheSchedule(t *testing.T) {
	const norm = 1e-3
	c := smallConfig(t, "moons")
	c.Schedule, c.LR, c.Epochs, c.WarmupEpochs = "cosine", 0.5, 4, 1
	c.Dtype, c.Optimizer, c.ClipNorm = "float64", "sgd", norm
	tr := newTrainer(t, c)
	after := optim.CosineLR{LR: 0.5, Steps: 9}
	for step := range 12 {
		length, _ := distance(t, tr)
		want := after.At(step - 3)
		if step < 3 {
			want = 0.5 * (1/3. + (1-1/3.)*float64(step)/3)
		}
		if got := tr.Progress().LR; math.Abs(got-want) > 1e-15 {
			t.Errorf("step %d has rate %v, want %v", step, got, want)
		}
		if math.Abs(length-want*norm) > 1e-3*want*norm {
			t.Errorf("step %d has length %v, want %v", step, length, want*norm)
		}
	}
}

// distance takes a step and returns the Euclidean norm and the largest element
// of what it added to the weights.
func distance(t *testing.T, tr *train.Trainer) (norm, largest float64) {
	t.Helper()
	before := map[string][]float64{}
	for name, w := range tr.Model().Weights() {
		before[name] = slices.Clone(w.Float64s())
	}
	losses(t, tr, 1)
	for name, w := range tr.Model().Weights() {
		for i, x := range w.Float64s() {
			d := math.Abs(x - before[name][i])
			norm, largest = norm+d*d, max(largest, d)
		}
	}
	return math.Sqrt(norm), largest
}

// With plain gradient descent a step is the rate times the clipped gradient.
func TestClippingBoundsTheStep(t *testing.T) {
	const lr, limit = 0.5, 1e-3
	length := func(change func(*train.Config)) (norm, largest float64) {
		c := smallConfig(t, "moons")
		c.Dtype, c.Optimizer, c.Schedule, c.LR = "float64", "sgd", "constant", lr
		change(&c)
		norm, largest = distance(t, newTrainer(t, c))
		return norm / lr, largest / lr
	}
	if norm, largest := length(func(*train.Config) {}); norm < 10*limit || largest < 10*limit {
		t.Fatalf("the gradient has norm %v and largest element %v, too small to show clipping", norm, largest)
	}
	if norm, _ := length(func(c *train.Config) { c.ClipNorm = limit }); math.Abs(norm-limit) > 1e-3*limit {
		t.Errorf("clipped by norm, the gradient has norm %v, want %v", norm, limit)
	}
	if _, largest := length(func(c *train.Config) { c.ClipValue = limit }); math.Abs(largest-limit) > 1e-9*limit {
		t.Errorf("clipped by value, the largest element is %v, want %v", largest, limit)
	}
}

// A step in steady state allocates nothing that grows.
func TestStepAllocatesAlmostNothing(t *testing.T) {
	for _, dtype := range []string{"float32", "float64"} {
		for _, hidden := range [][]int{{8}, {64, 64}} {
			c := smallConfig(t, "moons")
			c.Dtype, c.Hidden, c.ClipNorm, c.Rows, c.Batch = dtype, hidden, 1, 1000, 50
			tr := newTrainer(t, c)
			losses(t, tr, 25) // more than an epoch
			var err error
			allocations := testing.AllocsPerRun(50, func() {
				if _, e := tr.Step(); e != nil {
					err = e
				}
			})
			nettest.Must(t, err)
			if allocations > 5 {
				t.Errorf("%s, hidden %v: %v allocations in a step, want at most 5", dtype, hidden, allocations)
			}
		}
	}
}

func TestTrainingDoesNotDependOnTheNumberOfThreads(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	c := smallConfig(t, "friedman1")
	c.Rows, c.Hidden, c.Batch, c.Epochs = 1000, []int{200, 150}, 128, 2 // large enough for several threads
	c.Dropout = 0.2
	var want []byte
	for _, threads := range []int{1, 2, 4} {
		runtime.GOMAXPROCS(threads)
		dir := t.TempDir()
		fit(t, c, train.InDirectory(dir))
		got := content(t, dir, train.ModelFile)
		if want == nil {
			want = got
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s with %d threads differs from that with one", train.ModelFile, threads)
		}
	}
}

// TestDropoutIsForTrainingAlone: layers of both kinds, on both machines, train
// with the same masks, those of the step; what is measured has none.
func TestDropoutIsForTrainingAlone(t *testing.T) {
	losses := func(dropout float64, impl, machine string) (all []float64) {
		c := smallConfig(t, "moons")
		c.Dtype, c.Dropout, c.Impl, c.Machine = "float64", dropout, impl, machine
		tr := newTrainer(t, c)
		for range 12 {
			loss, err := tr.Step()
			nettest.Must(t, err)
			all = append(all, loss)
		}
		return all
	}
	want, without := losses(0.4, train.Fused, train.OurMachine), losses(0, train.Fused, train.OurMachine)
	for i := range want {
		if want[i] == without[i] {
			t.Errorf("step %d: the loss is %v with dropout and without", i, want[i])
		}
	}
	for _, impl := range []string{train.Fused, train.Builtin} {
		for _, machine := range []string{train.OurMachine, train.TapeMachine} {
			for i, loss := range losses(0.4, impl, machine) {
				if math.Abs(loss-want[i]) > 1e-9 {
					t.Errorf("%s on %s, step %d: loss is %v, want %v", impl, machine, i, loss, want[i])
				}
			}
		}
	}

	c := smallConfig(t, "moons")
	c.Dropout = 0.4
	dir := t.TempDir()
	r := fit(t, c, train.InDirectory(dir))
	loaded, err := train.LoadPredictor(dir)
	nettest.Must(t, err)
	if loaded.Spec().Dropout != 0 {
		t.Errorf("the loaded model drops %v of its outputs", loaded.Spec().Dropout)
	}
	rows := [][]float64{{0.3, -0.2}, {1.5, 0.8}}
	for _, p := range []*train.Predictor{r.Predictor, loaded, r.Predictor} {
		got, err := p.Predict(rows)
		nettest.Must(t, err)
		first, err := loaded.Predict(rows)
		nettest.Must(t, err)
		if !reflect.DeepEqual(got, first) {
			t.Errorf("got %v, want %v", got.Probabilities, first.Probabilities)
		}
	}
}

func TestInitialisersAreThoseOfTheSettings(t *testing.T) {
	c := smallConfig(t, "moons")
	c.Init, c.BiasInit = "zeros", "he-normal"
	for name, w := range newTrainer(t, c).Model().Weights() {
		isWeight, allZero := w.Dims() == 2, !slices.ContainsFunc(nettest.Numbers(w), func(x float64) bool { return x != 0 })
		if isWeight != allZero {
			t.Errorf("%s is %v", name, w)
		}
	}
}

// Nothing has the shape of the input but the input: its gradient is not computed.
func TestTheGradientOfTheDataIsNotComputed(t *testing.T) {
	g, err := newTrainer(t, smallConfig(t, "friedman1")).Model().TrainingGraph(13)
	nettest.Must(t, err)
	var names []string
	for _, n := range g.AllNodes() {
		if slices.Equal(n.Shape(), []int{13, 10}) {
			names = append(names, n.Name())
		}
	}
	if len(names) != 1 {
		t.Errorf("nodes of shape (13, 10) are %q, want the features alone", names)
	}
}

func TestSeedsGiveDifferentModels(t *testing.T) {
	c := smallConfig(t, "moons")
	a := fit(t, c)
	c.Seed++
	b := fit(t, c)
	if nettest.SameNumbers(weightsOf(t, a.Predictor)["linear1.weight"], weightsOf(t, b.Predictor)["linear1.weight"]) {
		t.Error("two seeds give the same weights")
	}
}

func TestStepReportsALossThatIsNotFinite(t *testing.T) {
	c := smallConfig(t, "moons")
	tr := newTrainer(t, c)
	w := tr.Model().Weights()["linear2.bias"]
	w.Float32s()[0] = float32(math.NaN())
	loss, err := tr.Step()
	if !errors.Is(err, optim.ErrNotFinite) || !math.IsNaN(loss) {
		t.Errorf("loss %v and error %v, want NaN and an error that wraps ErrNotFinite", loss, err)
	}
	wantError(t, "step", err, "step 1", "NaN")
}

func TestFinishEpochWantsAWholeEpoch(t *testing.T) {
	tr := newTrainer(t, smallConfig(t, "moons"))
	losses(t, tr, 2)
	wantError(t, "two of three steps", tr.FinishEpoch(), "2 of its 3 steps")
	losses(t, tr, 1)
	nettest.Must(t, tr.FinishEpoch())
	wantError(t, "no step", tr.FinishEpoch(), "0 of its 3 steps")
}

// Who does not finish epochs trains all the same.
func TestStepBeginsTheNextEpochByItself(t *testing.T) {
	c := smallConfig(t, "moons")
	a, b := newTrainer(t, c), newTrainer(t, c)
	want := losses(t, a, 3)
	nettest.Must(t, a.FinishEpoch())
	want = append(want, losses(t, a, 3)...)
	if got := losses(t, b, 6); !slices.Equal(got, want) {
		t.Errorf("losses are %v, want %v", got, want)
	}
}

func TestNewTrainerRefusesPartsThatCannotTrain(t *testing.T) {
	c := smallConfig(t, "moons")
	_, err := train.NewTrainer(c, datasets.Parts{})
	wantError(t, "no training part", err, "no rows to train on")
	c.Fractions.Validation = 0
	parts, err := c.Load()
	nettest.Must(t, err)
	_, err = train.NewTrainer(c, parts)
	wantError(t, "no validation part", err, "monitor", "val_loss", "no validation rows", "train_loss")
	c.Monitor, c.Device = train.MonitorTrainLoss, "abacus"
	_, err = train.NewTrainer(c, parts)
	wantError(t, "unknown device", err, "abacus", "cpu")
}

// A training takes no more memory the longer it lasts, but for its history.
func TestMemoryStaysFlatOverManySteps(t *testing.T) {
	steps, warm := 3_000, 500
	if nettest.Long() {
		steps, warm = 100_000, 10_000
	}
	c := smallConfig(t, "moons")
	c.Rows, c.Batch, c.Epochs = 5000, 16, 1<<30
	tr := newTrainer(t, c)
	heap := func() int {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	before := 0
	for step := range steps {
		if step == warm {
			before = heap()
		}
		_, err := tr.Step()
		nettest.Must(t, err)
		if tr.EpochDone() {
			nettest.Must(t, tr.FinishEpoch())
		}
	}
	const record = 64 // bytes of an epoch in the history, which may have room for as many again
	most := 256<<10 + 2*record*len(tr.Progress().History.Epochs)
	if grown := heap() - before; grown > most {
		t.Errorf("memory grew by %d bytes in %d steps, want at most %d", grown, steps-warm, most)
	}
}

// No result depends on what stood in its memory before: trainings on the
// machines whose results are recycled give the same bytes with all of it set to
// NaN, before it is used and when it comes back.
func TestTrainingInPoisonedMemoryGivesTheSameBytes(t *testing.T) {
	for name, change := range map[string]func(*train.Config){
		"tape, float32": func(c *train.Config) { c.Machine = train.TapeMachine },
		"tape, float64": func(c *train.Config) { c.Machine, c.Dtype = train.TapeMachine, "float64" },
		"tape, dropout": func(c *train.Config) { c.Machine, c.Dropout, c.Activation = train.TapeMachine, 0.2, "gelu" },
		"micro-batches": func(c *train.Config) { c.Machine, c.Microbatches = train.TapeMachine, 4 },
		"class weights": func(c *train.Config) { c.Machine, c.ClassWeights = train.TapeMachine, "balanced" },
	} {
		c := smallConfig(t, "moons")
		c.Rows, c.Batch, c.Hidden, c.Epochs = 400, 64, []int{80, 5}, 3 // a hidden layer's 20 KiB are recycled, the rest is not
		change(&c)
		recycled := 0
		model := func() []byte {
			dir := t.TempDir()
			fit(t, c, train.InDirectory(dir), train.WithCallbacks(train.Callback{Name: "collect", OnStep: func(*train.Progress) error {
				recycled += recycle.Now().InUse
				runtime.GC()
				return nil
			}}))
			return content(t, dir, train.ModelFile)
		}
		want := model()
		restore := recycle.Poison()
		got := model()
		restore()
		if !bytes.Equal(got, want) {
			t.Errorf("%s: the model has other bytes in poisoned memory", name)
		}
		if recycled == 0 && os.Getenv("AFFINE_RECYCLE") != "off" {
			t.Errorf("%s: no memory was recycled", name)
		}
	}
}

// Weights that repeat rows make the training that repeated rows make: in one
// batch of all rows, the sums are the same.
func TestAWeightOfTwoIsARowTwice(t *testing.T) {
	c := smallConfig(t, "moons")
	c.Dtype, c.Optimizer, c.Schedule, c.LR, c.Epochs, c.Scaling = "float64", "sgd", "constant", 0.3, 5, datasets.NoScaling
	c.Fractions, c.Monitor, c.Patience = datasets.Fractions{}, train.MonitorTrainLoss, 0
	parts, err := c.Load()
	nettest.Must(t, err)
	d := parts.Train
	var rows []int
	for i, y := range d.Y {
		rows = append(rows, i)
		if y == 1 {
			rows = append(rows, i)
		}
	}
	weighted, repeated := c, c
	weighted.Batch, weighted.ClassWeights = d.Len(), d.Classes[1]+"=2"
	repeated.Batch = len(rows)
	// The mean is over rows: the learning rate makes up for their number.
	weighted.LR *= float64(d.Len()) / float64(len(rows))
	a, err := train.NewTrainer(weighted, parts)
	nettest.Must(t, err)
	b, err := train.NewTrainer(repeated, datasets.Parts{Train: d.Subset(rows)})
	nettest.Must(t, err)
	for _, tr := range []*train.Trainer{a, b} {
		for !tr.Finished() {
			_, err := tr.Step()
			nettest.Must(t, err)
			if tr.EpochDone() {
				nettest.Must(t, tr.FinishEpoch())
			}
		}
	}
	for name, w := range a.Model().Weights() {
		for i, v := range nettest.Numbers(w) {
			want := nettest.Numbers(b.Model().Weights()[name])[i]
			// The step is lr·(n_a/n_b)·(1/n_a)·Σ on one side, lr·(1/n_b)·Σ on the other.
			if !(math.Abs(v-want) <= 1e-12*max(1, math.Abs(want))) {
				t.Fatalf("%s[%d] is %v, with rows repeated %v", name, i, v, want)
			}
		}
	}
}

func TestClassWeightsThatCannotBe(t *testing.T) {
	c := smallConfig(t, "moons")
	parts, err := c.Load()
	nettest.Must(t, err)
	for text, words := range map[string][]string{
		"heavy":              {`"heavy"`, "balanced or CLASS=WEIGHT"},
		"nobody=2":           {`no class "nobody"`},
		"upper=-1":           {`"-1"`, "at least 0"},
		"upper=many":         {`"many"`},
		"upper=1,lower=+Inf": {"finite"},
		"balanced,upper=":    {`"balanced"`},
	} {
		c.ClassWeights = text
		_, err := train.NewTrainer(c, parts)
		nettest.Fails(t, err, append(words, "class weights: ")...)
	}
	c = smallConfig(t, "sine")
	c.ClassWeights = "balanced"
	parts, err = c.Load()
	nettest.Must(t, err)
	_, err = train.NewTrainer(c, parts)
	nettest.Fails(t, err, "class weights", "classification")
}

// Every monitor picks an epoch, and the one that it says is the best.
func TestEveryMonitorOfAClassification(t *testing.T) {
	for _, monitor := range train.Monitors() {
		for _, dataset := range []string{"moons", "sine"} {
			c := smallConfig(t, dataset)
			c.Monitor, c.Patience = monitor, 2
			parts, err := c.Load()
			nettest.Must(t, err)
			tr, err := train.NewTrainer(c, parts)
			if err != nil {
				nettest.Fails(t, err, monitor, "want one of")
				continue
			}
			for !tr.Finished() {
				_, err := tr.Step()
				nettest.Must(t, err)
				if tr.EpochDone() {
					nettest.Must(t, tr.FinishEpoch())
				}
			}
			if tr.Progress().BestEpoch < 1 {
				t.Errorf("%s, %s: no best epoch", dataset, monitor)
			}
		}
	}
}

// TestLRRangeFindsWhereDescentDiverges: gradient descent on the mean squared
// error of a linear model, over all rows, diverges above 2/λ, λ the largest
// eigenvalue of the Hessian 2·[X 1]ᵀ[X 1]/n. From next to nothing the error takes
// some steps to grow.
func TestLRRangeFindsWhereDescentDiverges(t *testing.T) {
	c := smallConfig(t, "linear")
	c.Dtype, c.Hidden, c.Optimizer, c.WeightDecay, c.Batch = "float64", nil, "sgd", 0, 1000
	parts, err := c.Load()
	nettest.Must(t, err)
	curve, err := train.FindLR(context.Background(), c, parts, train.LRRange{From: 1e-5, To: 1e3, Steps: 400})
	nettest.Must(t, err)
	again, err := train.FindLR(context.Background(), c, parts, train.LRRange{From: 1e-5, To: 1e3, Steps: 400})
	nettest.Must(t, err)
	if !reflect.DeepEqual(curve, again) {
		t.Error("two tests with one seed differ")
	}

	x, in := slices.Clone(parts.Train.X), parts.Train.Inputs()
	scaler, err := datasets.FitScaler(c.Scaling, x, in)
	nettest.Must(t, err)
	nettest.Must(t, scaler.Transform(x))
	rows := len(x) / in
	hessian := mat.NewSymDense(in+1, nil)
	for i := range rows {
		row := append(slices.Clone(x[i*in:(i+1)*in]), 1)
		hessian.SymRankOne(hessian, 2/float64(rows), mat.NewVecDense(in+1, row))
	}
	var e mat.EigenSym
	if !e.Factorize(hessian, false) {
		t.Fatal("no eigenvalues")
	}
	limit := 2 / slices.Max(e.Values(nil))
	last := curve.Rates[len(curve.Rates)-1]
	if !curve.Diverged || last < limit || last > 10*limit || curve.Lowest < limit/10 || curve.Suggested != curve.Lowest/10 {
		t.Errorf("diverged %t at %v, lowest at %v, suggested %v; descent diverges above %v", curve.Diverged, last, curve.Lowest, curve.Suggested, limit)
	}
	for i := 1; i < len(curve.Rates); i++ {
		if ratio := curve.Rates[i] / curve.Rates[i-1]; math.Abs(ratio-math.Pow(1e8, 1.0/399)) > 1e-9 {
			t.Fatalf("rate %d is %v times the one before", i, ratio)
		}
	}
	flat, err := train.FindLR(context.Background(), c, parts, train.LRRange{From: 1e-12, To: 1e-11, Steps: 20})
	nettest.Must(t, err)
	if flat.Suggested != 0 || flat.Diverged || len(flat.Rates) != 20 {
		t.Errorf("rates too low for anything: got %+v, want 20 and no suggestion", flat)
	}
}

func TestLRRangeSaysWhatItCannotTry(t *testing.T) {
	c := smallConfig(t, "moons")
	parts, err := c.Load()
	nettest.Must(t, err)
	for want, r := range map[string]train.LRRange{
		"range is 1 to 0.5":      {From: 1, To: 0.5},
		"range is -1 to 10":      {From: -1},
		"range is 1e-06 to +Inf": {To: math.Inf(1)},
		"got 19 steps":           {Steps: 19},
	} {
		_, err := train.FindLR(context.Background(), c, parts, r)
		wantError(t, want, err, "find learning rate", want)
	}
	stopped, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := train.FindLR(stopped, c, parts, train.LRRange{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that it was cancelled", err)
	}
}
