package train_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/internal/nettest"
	"github.com/affine-go/affine/layer/device"
	"github.com/affine-go/affine/train"
)

func TestARunDirectoryHoldsTheFilesOfTheRun(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "runs", "first") // made with its parents
	r := fit(t, smallConfig(t, "moons"), train.InDirectory(dir))
	entries, err := os.ReadDir(dir)
	nettest.Must(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	want := []string{"config.json", "history.csv", "last.safetensors", "metrics.json", "model.safetensors"}
	if !slices.Equal(names, want) {
		t.Errorf("files are %v, want %v", names, want)
	}
	var metrics map[string]any
	nettest.Must(t, json.Unmarshal(content(t, dir, train.MetricsFile), &metrics))
	for _, key := range []string{"dataset", "impl", "device", "dtype", "seed", "epochs", "steps", "parameters", "train_loss", "val_loss",
		"test_loss", "test_accuracy", "step_us_median", "wall_s", "stopping_reason"} {
		if metrics[key] == nil {
			t.Errorf("%s lacks %s", train.MetricsFile, key)
		}
	}
	c, err := train.ReadConfig(filepath.Join(dir, train.ConfigFile))
	nettest.Must(t, err)
	if !reflect.DeepEqual(c, r.Config) {
		t.Errorf("config on disk is %+v, want %+v", c, r.Config)
	}
}

func TestADirectoryInUseIsRefused(t *testing.T) {
	c := smallConfig(t, "moons")
	dir := t.TempDir() // there, but empty
	fit(t, c, train.InDirectory(dir))
	before := content(t, dir, train.ModelFile)

	c.Seed++
	_, err := train.Fit(context.Background(), c, train.InDirectory(dir))
	wantError(t, "run", err, dir, "holds a run", "resume", "overwrite")
	if !errors.Is(err, train.ErrRunExists) {
		t.Errorf("%v does not wrap ErrRunExists", err)
	}
	if !bytes.Equal(content(t, dir, train.ModelFile), before) {
		t.Error("the refused run changed the model")
	}
	fit(t, c, train.InDirectory(dir), train.Overwrite())
	if bytes.Equal(content(t, dir, train.ModelFile), before) {
		t.Error("the run that overwrites did not change the model")
	}

	other := t.TempDir()
	nettest.Must(t, os.WriteFile(filepath.Join(other, "thesis.tex"), nil, 0o644))
	_, err = train.Fit(context.Background(), c, train.InDirectory(other))
	wantError(t, "other files", err, other, "not empty")
	fit(t, c, train.InDirectory(other), train.Overwrite())
	if _, err := os.Stat(filepath.Join(other, "thesis.tex")); err != nil {
		t.Error("a file that is none of a run's is gone")
	}
	_, err = train.Fit(context.Background(), c, train.InDirectory(filepath.Join(other, "thesis.tex")), train.Overwrite())
	wantError(t, "a file", err, "thesis.tex")
}

func TestOptionsThatAreNilAreErrors(t *testing.T) {
	_, err := train.Fit(context.Background(), smallConfig(t, "moons"), train.WithCallbacks(), nil)
	wantError(t, "fit", err, "fit: option 1 is nil")
	_, err = train.LoadPredictor("model", nil)
	wantError(t, "load predictor", err, "load predictor: option 0 is nil")
}

func TestBadSettingsLeaveNoDirectory(t *testing.T) {
	for what, change := range map[string]func(*train.Config){
		"setting": func(c *train.Config) { c.Epochs = 0 },
		"dataset": func(c *train.Config) { c.Dataset = "csv:no-such-file.csv"; c.Rows = 0 },
		"device":  func(c *train.Config) { c.Device = "abacus" },
		"scaling": func(c *train.Config) { c.Scaling = "up" },
	} {
		c := smallConfig(t, "moons")
		change(&c)
		dir := filepath.Join(t.TempDir(), "run")
		_, err := train.Fit(context.Background(), c, train.InDirectory(dir))
		wantError(t, what, err, "fit: ")
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: the directory was made: %v", what, err)
		}
	}
}

func TestALoadedRunAnswersAsTheTrainedOne(t *testing.T) {
	for _, dataset := range []string{"iris", "friedman1"} {
		for _, dtype := range []string{"float32", "float64"} {
			c := smallConfig(t, dataset)
			c.Dtype = dtype
			if dataset == "iris" {
				c.Rows = 0
			}
			dir := t.TempDir()
			trained := fit(t, c, train.InDirectory(dir))
			loaded, err := train.LoadRun(dir)
			nettest.Must(t, err)
			defer loaded.Close()
			parts, err := c.Load()
			nettest.Must(t, err)
			want, err := trained.Evaluate(parts.Test)
			nettest.Must(t, err)
			got, err := loaded.Evaluate(parts.Test)
			nettest.Must(t, err)
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s, %s: loaded run gives %+v, want %+v", dataset, dtype, got, want)
			}
			if !reflect.DeepEqual(loaded.Schema, parts.Train.Schema()) || loaded.Spec().Dtype.String() != dtype {
				t.Errorf("%s: schema is %+v and dtype %v", dataset, loaded.Schema, loaded.Spec().Dtype)
			}
			if !reflect.DeepEqual(loaded.Metrics, trained.Metrics) || !reflect.DeepEqual(loaded.Config, trained.Config) {
				t.Errorf("%s: metrics or config differ from the trained run's", dataset)
			}
		}
	}
}

func TestAnUnfinishedRunLoadsWithoutMetrics(t *testing.T) {
	dir := t.TempDir()
	fit(t, smallConfig(t, "moons"), train.InDirectory(dir))
	nettest.Must(t, os.Remove(filepath.Join(dir, train.MetricsFile)))
	r, err := train.LoadRun(dir)
	nettest.Must(t, err)
	if r.Metrics != nil || len(r.History.Epochs) != 4 {
		t.Errorf("metrics are %v and history %v", r.Metrics, r.History)
	}
}

func TestLoadOptionsChooseImplAndMachine(t *testing.T) {
	dir := t.TempDir()
	fit(t, smallConfig(t, "moons"), train.InDirectory(dir))
	r, err := train.LoadRun(dir, train.LoadAs(train.Builtin, train.TapeMachine), train.LoadOnDevice("auto"))
	nettest.Must(t, err)
	if s := r.Spec(); s.Impl != train.Builtin || s.Machine != train.TapeMachine {
		t.Errorf("loaded as %s on %s", s.Impl, s.Machine)
	}
	_, err = train.LoadRun(dir, train.LoadOnDevice("abacus"))
	wantError(t, "device", err, "load", `"abacus"`, "cpu")
}

// Any file that is missing, or is the beginning of what it should be, gives an
// error of one line that names it.
func TestLoadRunNamesTheFileThatIsBroken(t *testing.T) {
	dir := t.TempDir()
	fit(t, smallConfig(t, "moons"), train.InDirectory(dir))
	for _, file := range []string{train.ConfigFile, train.HistoryFile, train.MetricsFile, train.ModelFile} {
		path := filepath.Join(dir, file)
		whole := content(t, dir, file)
		ends := []int{0, 1, len(whole) / 2, len(whole) - 3}
		if file == train.ModelFile {
			ends = make([]int, len(whole))
			for i := range ends {
				ends[i] = i
			}
		}
		for _, n := range ends {
			nettest.Must(t, os.WriteFile(path, whole[:n], 0o644))
			_, err := train.LoadRun(dir)
			wantError(t, file, err, "load run: ", path)
		}
		nettest.Must(t, os.Remove(path))
		if file != train.MetricsFile {
			_, err := train.LoadRun(dir)
			wantError(t, file, err, "load run: ", path)
		}
		nettest.Must(t, os.WriteFile(path, whole, 0o644))
	}
	_, err := train.LoadRun(filepath.Join(dir, "none"))
	wantError(t, "directory", err, "load run: ", "none")
}

func TestARunOfACSVFileKnowsItsColumns(t *testing.T) {
	d, err := datasets.Load("iris", datasets.Options{})
	nettest.Must(t, err)
	path := filepath.Join(t.TempDir(), "flowers.csv")
	f, err := os.Create(path)
	nettest.Must(t, err)
	nettest.Must(t, datasets.WriteCSV(f, d))
	nettest.Must(t, f.Close())

	c := smallConfig(t, "iris")
	c.Dataset, c.Target, c.Rows, c.Epochs = "csv:"+path, "species", 0, 30
	dir := t.TempDir()
	fit(t, c, train.InDirectory(dir))
	r, err := train.LoadRun(dir)
	nettest.Must(t, err)
	if !slices.Equal(r.Schema.Classes, d.Classes) || !slices.Equal(r.Schema.Features, d.Features) || r.Schema.TargetName != "species" {
		t.Errorf("schema is %+v, want that of iris", r.Schema)
	}
	again, err := datasets.Open("csv:"+path, datasets.Options{Schema: &r.Schema})
	nettest.Must(t, err)
	e, err := r.Evaluate(again)
	nettest.Must(t, err)
	if e.Rows != 150 || e.Accuracy < 0.8 {
		t.Errorf("accuracy on %d rows is %v", e.Rows, e.Accuracy)
	}
}

func TestTrainingLearnsTinyDatasets(t *testing.T) {
	for _, dataset := range []string{"moons", "xor", "iris", "sine"} {
		c := smallConfig(t, dataset)
		c.Hidden, c.Epochs, c.LR, c.Activation, c.Schedule = []int{16, 16}, 150, 0.01, "tanh", "cosine"
		if c.Rows = 200; dataset == "iris" {
			c.Rows = 0
		}
		m := fit(t, c).Metrics
		switch score := m.TestAccuracy; {
		case dataset == "sine":
			if m.TestR2 == nil || *m.TestR2 < 0.95 || m.TestAccuracy != nil {
				t.Errorf("sine: R² is %v, want at least 0.95", m.TestR2)
			}
		case score == nil || *score < 0.9 || m.TestR2 != nil:
			t.Errorf("%s: accuracy is %v, want at least 0.9", dataset, score)
		}
	}
}

func TestMetricsSumTheRunUp(t *testing.T) {
	c := smallConfig(t, "moons")
	r := fit(t, c)
	m := r.Metrics
	if m.Dataset != "moons" || m.Impl != "fused" || m.Device != "cpu" || m.Dtype != "float32" || m.Seed != 7 {
		t.Errorf("metrics name %+v, want the settings %+v", m, c)
	}
	if m.Epochs != 4 || m.Steps != 12 || m.Parameters != 2*8+8+8*5+5+5*2+2 {
		t.Errorf("%d epochs, %d steps, %d parameters, want 4, 12 and 81", m.Epochs, m.Steps, m.Parameters)
	}
	if m.StepMicroseconds <= 0 || m.WallSeconds < r.History.Epochs[3].Wall || m.StoppingReason != train.ReasonCompleted {
		t.Errorf("step %v µs, wall %v s, reason %q", m.StepMicroseconds, m.WallSeconds, m.StoppingReason)
	}
	best := slices.MinFunc(r.History.Epochs, func(a, b train.EpochRecord) int { return int(math.Copysign(1, a.ValLoss-b.ValLoss)) })
	if m.BestEpoch != best.Epoch || *m.ValLoss != best.ValLoss || *m.ValAccuracy != best.ValMetric {
		t.Errorf("best epoch %d with loss %v, want %d with %v", m.BestEpoch, *m.ValLoss, best.Epoch, best.ValLoss)
	}
	parts, err := c.Load()
	nettest.Must(t, err)
	e, err := r.Evaluate(parts.Test)
	nettest.Must(t, err)
	if e.Loss != *m.TestLoss || e.Accuracy != *m.TestAccuracy || fmt.Sprint(e.Confusion) != fmt.Sprint(m.TestConfusion) {
		t.Errorf("test part measures %v, metrics have %v", e, m)
	}
}

// The history's training loss is the mean over rows, not over batches.
func TestTrainingLossIsTheMeanOverRows(t *testing.T) {
	c := smallConfig(t, "moons")
	c.Epochs = 1
	var sum, rows float64
	seen := 0
	r := fit(t, c, train.WithCallbacks(train.Callback{Name: "sum", OnStep: func(p *train.Progress) error {
		n := float64(p.Rows - seen)
		seen = p.Rows
		sum, rows = sum+n*p.Loss, rows+n
		return nil
	}}))
	if got := r.History.Epochs[0].TrainLoss; got != sum/rows || rows != 39 {
		t.Errorf("training loss of %v rows is %v, want %v", rows, got, sum/rows)
	}
}

func TestADivergingRunStopsAndKeepsTheLastGoodCheckpoint(t *testing.T) {
	for _, impl := range []string{train.Fused, train.Builtin} {
		c := smallConfig(t, "linear")
		c.Impl, c.Optimizer, c.Schedule, c.Activation, c.LR, c.Epochs = impl, "sgd", "constant", "relu", 30, 50
		dir := t.TempDir()
		r := fit(t, c, train.InDirectory(dir))
		m := r.Metrics
		if m.StoppingReason != train.ReasonNotFinite || !strings.Contains(m.StoppingDetail, "checkpoint is that of epoch 0") {
			t.Fatalf("%s: stopped for %q (%s), want %q", impl, m.StoppingReason, m.StoppingDetail, train.ReasonNotFinite)
		}
		if m.Steps >= 150 || len(r.History.Epochs) != m.Epochs {
			t.Errorf("%s: %d steps, %d epochs, history of %d", impl, m.Steps, m.Epochs, len(r.History.Epochs))
		}
		loaded, err := train.LoadRun(dir) // refuses weights that are not finite
		nettest.Must(t, err)
		for name, w := range weightsOf(t, loaded.Predictor) {
			if !nettest.SameNumbers(w, weightsOf(t, r.Predictor)[name]) {
				t.Errorf("%s: %s on disk is not what Fit returned", impl, name)
			}
		}
		// The same rate diverges again, from the same good checkpoint.
		before := content(t, dir, train.CheckpointFile)
		again := fit(t, c, train.InDirectory(dir), train.Resume())
		if again.Metrics.StoppingReason != train.ReasonNotFinite || !bytes.Equal(before, content(t, dir, train.CheckpointFile)) {
			t.Errorf("%s: resumed, it stopped for %q with another checkpoint", impl, again.Metrics.StoppingReason)
		}
	}
}

// Where even the first weights give no finite loss, metrics say null.
func TestLossesThatAreNotFiniteAreNull(t *testing.T) {
	c := smallConfig(t, "linear")
	c.Scaling = datasets.NoScaling
	parts, err := c.Load()
	nettest.Must(t, err)
	for i := range parts.Train.X {
		parts.Train.X[i] = math.Copysign(1e39, parts.Train.X[i])
	}
	dir := t.TempDir()
	m := fit(t, c, train.WithParts(parts), train.InDirectory(dir)).Metrics
	if m.StoppingReason != train.ReasonNotFinite || m.Steps != 0 || m.TrainLoss != nil || m.TestLoss == nil {
		t.Errorf("metrics are %+v", m)
	}
	if !bytes.Contains(content(t, dir, train.MetricsFile), []byte(`"train_loss": null`)) {
		t.Errorf("metrics are %s", content(t, dir, train.MetricsFile))
	}
}

// The loss of the step in which the weights break is finite still.
func TestWeightsThatBreakInTheLastStepAreNotKept(t *testing.T) {
	for what, opt := range map[string]func(p *train.Progress, cancel func()) bool{
		"end of an epoch": func(p *train.Progress, _ func()) bool { return p.Epoch == 2 && p.EpochStep == p.EpochSteps },
		"interruption": func(p *train.Progress, cancel func()) bool {
			if p.Step == 5 {
				cancel()
			}
			return p.Step == 5
		},
	} {
		c := smallConfig(t, "moons")
		c.Fractions.Validation, c.Monitor = 0, train.MonitorTrainLoss // a validation loss would tell too
		dir := t.TempDir()
		ctx, cancel := context.WithCancel(context.Background())
		r, err := train.Fit(ctx, c, train.InDirectory(dir), train.WithCallbacks(train.Callback{Name: "break", OnStep: func(p *train.Progress) error {
			if opt(p, cancel) {
				p.Model.Weights()["linear2.weight"].Float32s()[3] = float32(math.Inf(1))
			}
			return nil
		}}))
		cancel()
		nettest.Must(t, err)
		if r.Metrics.StoppingReason != train.ReasonNotFinite || r.Metrics.Epochs != 1 {
			t.Errorf("%s: stopped for %q after %d epochs, want %q after 1", what, r.Metrics.StoppingReason, r.Metrics.Epochs, train.ReasonNotFinite)
		}
		if _, err := train.LoadRun(dir); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestEarlyStoppingWaitsForPatienceEpochs(t *testing.T) {
	c := smallConfig(t, "moons")
	c.Epochs, c.Patience, c.MinDelta = 50, 3, 10 // no loss falls by 10
	r := fit(t, c)
	if m := r.Metrics; m.StoppingReason != train.ReasonEarlyStopping || m.Epochs != 4 {
		t.Errorf("stopped for %q after %d epochs, want %q after 4", m.StoppingReason, m.Epochs, train.ReasonEarlyStopping)
	}
	for _, words := range []string{"val_loss", "10", "3 epochs", fmt.Sprint("best in epoch ", r.Metrics.BestEpoch)} {
		if !strings.Contains(r.Metrics.StoppingDetail, words) {
			t.Errorf("detail %q does not say %q", r.Metrics.StoppingDetail, words)
		}
	}
	// An epoch is notably better than the reference, not than the epoch before.
	c.MinDelta, c.Monitor, c.LR = 1e-9, train.MonitorTrainLoss, 1e-3
	if m := fit(t, c).Metrics; m.StoppingReason != train.ReasonCompleted {
		t.Errorf("a training loss that falls all the time stopped for %q: %s", m.StoppingReason, m.StoppingDetail)
	}
}

func TestTheBestEpochIsTheMonitors(t *testing.T) {
	better := map[string]func(a, b train.EpochRecord) bool{
		train.MonitorValLoss:   func(a, b train.EpochRecord) bool { return a.ValLoss < b.ValLoss },
		train.MonitorValMetric: func(a, b train.EpochRecord) bool { return a.ValMetric > b.ValMetric },
		train.MonitorTrainLoss: func(a, b train.EpochRecord) bool { return a.TrainLoss < b.TrainLoss },
	}
	for monitor, better := range better {
		c := smallConfig(t, "spirals")
		c.Monitor, c.Epochs, c.LR = monitor, 20, 0.05
		r := fit(t, c)
		best := r.History.Epochs[0]
		for _, e := range r.History.Epochs {
			if better(e, best) {
				best = e
			}
		}
		if r.Metrics.BestEpoch != best.Epoch {
			t.Errorf("%s: best epoch is %d, want %d", monitor, r.Metrics.BestEpoch, best.Epoch)
		}
	}
}

func TestCallbacksAreCalledInOrder(t *testing.T) {
	c := smallConfig(t, "moons")
	c.Epochs = 2
	var calls []string
	note := func(name string, priority int) train.Callback {
		say := func(when string) func(*train.Progress) error {
			return func(p *train.Progress) error {
				calls = append(calls, fmt.Sprintf("%s %s %d/%d", name, when, p.Epoch, p.Step))
				return nil
			}
		}
		return train.Callback{Name: name, Priority: priority, OnStart: say("start"), OnStep: say("step"), OnEpoch: say("epoch"), OnEnd: say("end")}
	}
	fit(t, c, train.WithCallbacks(note("b", 1), note("c", 1)), train.WithCallbacks(note("a", -1), train.Callback{Name: "none"}))
	var want []string
	for _, event := range []string{"start 1/0",
		"step 1/1", "step 1/2", "step 1/3", "epoch 1/3", "step 2/4", "step 2/5", "step 2/6", "epoch 2/6", "end 2/6"} {
		for _, name := range []string{"a", "b", "c"} {
			want = append(want, name+" "+event)
		}
	}
	if !slices.Equal(calls, want) {
		t.Errorf("calls were\n%s\nwant\n%s", strings.Join(calls, "\n"), strings.Join(want, "\n"))
	}
}

func TestCallbacksSeeTheProgress(t *testing.T) {
	c := smallConfig(t, "moons")
	epochs := 0
	fit(t, c, train.WithCallbacks(train.Callback{Name: "watch",
		OnStep: func(p *train.Progress) error {
			if p.EpochSteps != 3 || p.EpochStep != (p.Step-1)%3+1 || !(p.Loss > 0) || !(p.LR > 0) || p.Model == nil || p.StoppingReason != "" {
				return fmt.Errorf("progress is %+v", p)
			}
			return nil
		},
		OnEpoch: func(p *train.Progress) error {
			if epochs++; len(p.History.Epochs) != epochs || p.History.Epochs[epochs-1].Step != p.Step || p.Rows != 39*epochs || p.BestEpoch == 0 {
				return fmt.Errorf("after epoch %d progress is %+v", epochs, p)
			}
			return nil
		},
		OnEnd: func(p *train.Progress) error {
			if p.StoppingReason != train.ReasonCompleted || p.Detail == "" {
				return fmt.Errorf("at the end progress is %+v", p)
			}
			return nil
		},
	}))
	if epochs != 4 {
		t.Errorf("OnEpoch was called %d times, want 4", epochs)
	}
}

func TestAnErrorOfACallbackEndsTheTraining(t *testing.T) {
	broken := errors.New("out of paper")
	fail := func(*train.Progress) error { return broken }
	for what, cb := range map[string]train.Callback{
		"start": {Name: "printer", OnStart: fail}, "step": {Name: "printer", OnStep: fail},
		"epoch": {Name: "printer", OnEpoch: fail}, "end": {Name: "printer", OnEnd: fail},
	} {
		_, err := train.Fit(context.Background(), smallConfig(t, "moons"), train.WithCallbacks(cb))
		wantError(t, what, err, `callback "printer"`, "out of paper")
		if !errors.Is(err, broken) {
			t.Errorf("%s: %v does not wrap the callback's error", what, err)
		}
	}
}

func TestACallbackCanStopTheTraining(t *testing.T) {
	c := smallConfig(t, "moons")
	whole, dir := t.TempDir(), t.TempDir()
	fit(t, c, train.InDirectory(whole))
	r := fit(t, c, train.InDirectory(dir), train.WithCallbacks(train.Callback{Name: "enough", OnStep: func(p *train.Progress) error {
		if p.Step == 4 {
			p.Stop()
		}
		return nil
	}}))
	if m := r.Metrics; m.StoppingReason != train.ReasonCallback || m.Steps != 4 || m.Epochs != 1 {
		t.Errorf("stopped for %q after %d steps and %d epochs, want %q after 4 and 1", m.StoppingReason, m.Steps, m.Epochs, train.ReasonCallback)
	}
	fit(t, c, train.InDirectory(dir), train.Resume())
	if !bytes.Equal(content(t, whole, train.CheckpointFile), content(t, dir, train.CheckpointFile)) {
		t.Error("resumed, it ends elsewhere than without the stop")
	}
}

func TestACancelledContextTrainsNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	r, err := train.Fit(ctx, smallConfig(t, "moons"))
	nettest.Must(t, err)
	if m := r.Metrics; m.StoppingReason != train.ReasonInterrupted || m.Steps != 0 || m.TestLoss == nil {
		t.Errorf("stopped for %q after %d steps", m.StoppingReason, m.Steps)
	}
}

// smallConfig returns the settings of a training of milliseconds: 65 rows of a
// built-in dataset, 39 of them to train on, in batches of 16 of which the last
// has 7 rows.
func smallConfig(t testing.TB, dataset string) train.Config {
	t.Helper()
	c := train.DefaultConfig(dataset, nil)
	c.Device = "cpu"
	c.Rows, c.Batch, c.Epochs, c.Seed = 65, 16, 4, 7
	c.Hidden = []int{8, 5}
	return c
}

// fit trains and closes the run at the end of the test.
func fit(t testing.TB, c train.Config, opts ...train.FitOption) *train.Run {
	t.Helper()
	r, err := train.Fit(context.Background(), c, opts...)
	nettest.Must(t, err)
	t.Cleanup(func() { r.Close() })
	return r
}

// newTrainer returns a trainer on the parts that the settings load.
func newTrainer(t testing.TB, c train.Config) *train.Trainer {
	t.Helper()
	parts, err := c.Load()
	nettest.Must(t, err)
	tr, err := train.NewTrainer(c, parts)
	nettest.Must(t, err)
	return tr
}

// losses trains for a number of steps and returns the loss of each.
func losses(t testing.TB, tr *train.Trainer, steps int) []float64 {
	t.Helper()
	out := make([]float64, steps)
	for i := range out {
		var err error
		out[i], err = tr.Step()
		nettest.Must(t, err)
	}
	return out
}

// content returns the bytes of a file in a run directory.
func content(t testing.TB, dir, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, file))
	nettest.Must(t, err)
	return data
}

// rowsOf returns the features of a dataset row by row.
func rowsOf(d *datasets.Dataset) [][]float64 {
	rows := make([][]float64, d.Len())
	for i := range rows {
		rows[i] = slices.Clone(d.Row(i))
	}
	return rows
}

// columnOf is one column of numbers.
func columnOf(x []float64) device.Matrix[float64] { return device.MatrixOf(x, len(x), 1) }

// wantError checks that err says all of the words, in one line.
func wantError(t testing.TB, what string, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error, want one that says %q", what, words)
		return
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%s: error %q does not say %q", what, err, w)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("%s: error has more than one line: %q", what, err)
	}
}
