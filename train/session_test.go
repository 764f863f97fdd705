package train_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/internal/nettest"
	"github.com/affine-go/affine/train"
)

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
