package train_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/affine-go/affine/internal/nettest"
	"github.com/affine-go/affine/train"
)

// interruptedAt cancels the training after the given step.
func interruptedAt(step int) (context.Context, train.FitOption) {
	ctx, cancel := context.WithCancel(context.Background())
	if step == 0 {
		cancel()
	}
	return ctx, train.WithCallbacks(train.Callback{Name: "interrupt", OnStep: func(p *train.Progress) error {
		if p.Step == step {
			cancel()
		}
		return nil
	}})
}

// fitInPieces trains with interruptions after the given steps.
func fitInPieces(t *testing.T, c train.Config, dir string, steps ...int) *train.Run {
	t.Helper()
	opts := []train.FitOption{train.InDirectory(dir)}
	for _, step := range steps {
		ctx, interrupt := interruptedAt(step)
		r, err := train.Fit(ctx, c, append(opts, interrupt)...)
		nettest.Must(t, err)
		if r.Metrics.StoppingReason != train.ReasonInterrupted || r.Metrics.Steps != step {
			t.Fatalf("stopped for %q after %d steps, want %q after %d", r.Metrics.StoppingReason, r.Metrics.Steps, train.ReasonInterrupted, step)
		}
		opts = []train.FitOption{train.InDirectory(dir), train.Resume()}
	}
	return fit(t, c, opts...)
}

// sameButForTime compares two histories.
func sameButForTime(a, b *train.History) bool {
	return slices.EqualFunc(a.Epochs, b.Epochs, func(x, y train.EpochRecord) bool {
		x.Wall, y.Wall = 0, 0
		return fmt.Sprint(x) == fmt.Sprint(y) // NaN is the same as NaN
	})
}

// checkResumed trains once without and once with interruptions.
func checkResumed(t *testing.T, what string, c train.Config, steps ...int) {
	t.Helper()
	whole, pieces := t.TempDir(), t.TempDir()
	a := fit(t, c, train.InDirectory(whole))
	b := fitInPieces(t, c, pieces, steps...)
	for _, file := range []string{train.ModelFile, train.CheckpointFile, train.ConfigFile} {
		if !bytes.Equal(content(t, whole, file), content(t, pieces, file)) {
			t.Errorf("%s, interrupted after steps %v: %s differs from that of the whole run", what, steps, file)
		}
	}
	if !sameButForTime(a.History, b.History) {
		t.Errorf("%s, interrupted after steps %v: history is\n%v, want\n%v", what, steps, b.History.Epochs, a.History.Epochs)
	}
	if a.Metrics.Steps != b.Metrics.Steps || *a.Metrics.TestLoss != *b.Metrics.TestLoss || a.Metrics.StoppingReason != b.Metrics.StoppingReason {
		t.Errorf("%s, interrupted after steps %v: metrics are\n%v, want\n%v", what, steps, b.Metrics, a.Metrics)
	}
}

// An epoch has 3 steps and a run 12: before the first, within an epoch, at its
// end, twice in one epoch, and before the last step.
var interruptions = [][]int{{0}, {1}, {3}, {5}, {6}, {1, 2}, {2, 3, 4, 8}, {11}}

func TestAResumedRunEndsAsIfItHadNotBeenInterrupted(t *testing.T) {
	for _, steps := range interruptions {
		checkResumed(t, "moons", smallConfig(t, "moons"), steps...)
	}
}

func TestEveryOptimizerResumesExactly(t *testing.T) {
	for what, change := range map[string]func(*train.Config){
		"sgd":                func(c *train.Config) { c.Optimizer = "sgd" },
		"sgd with momentum":  func(c *train.Config) { c.Optimizer, c.Momentum, c.Nesterov = "sgd", 0.9, true },
		"adam":               func(c *train.Config) { c.Optimizer, c.Betas = "adam", &[2]float64{0.8, 0.99} },
		"adamw":              func(c *train.Config) { c.Optimizer, c.WeightDecay = "adamw", 0.1 },
		"rmsprop":            func(c *train.Config) { c.Optimizer = "rmsprop" },
		"rmsprop, all of it": func(c *train.Config) { c.Optimizer, c.Momentum, c.Centered = "rmsprop", 0.9, true },
		"adagrad":            func(c *train.Config) { c.Optimizer, c.InitialAccumulator = "adagrad", 0.1 },
		"amsgrad":            func(c *train.Config) { c.Optimizer, c.AMSGrad = "adam", true },
		"lion":               func(c *train.Config) { c.Optimizer, c.LR = "lion", 0.001 },
	} {
		c := smallConfig(t, "moons")
		change(&c)
		for _, steps := range [][]int{{4}, {6, 7}} {
			checkResumed(t, what, c, steps...)
		}
	}
}

func TestEveryWayOfTrainingResumesExactly(t *testing.T) {
	for what, change := range map[string]func(*train.Config){
		"one-cycle":       func(c *train.Config) { c.Schedule, c.WarmupEpochs = "one-cycle", 0.5 },
		"clipped":         func(c *train.Config) { c.ClipNorm, c.ClipValue = 0.5, 0.1 },
		"dropout":         func(c *train.Config) { c.Dropout = 0.3 },
		"float64":         func(c *train.Config) { c.Dtype = "float64" },
		"tape":            func(c *train.Config) { c.Machine = train.TapeMachine },
		"built-in":        func(c *train.Config) { c.Impl = train.Builtin },
		"linear model":    func(c *train.Config) { c.Hidden = nil },
		"batch of all":    func(c *train.Config) { c.Batch, c.Epochs = 1000, 12 },
		"early stopping":  func(c *train.Config) { c.Patience, c.MinDelta = 2, 10 },
		"by accuracy":     func(c *train.Config) { c.Monitor = train.MonitorValMetric },
		"by train loss":   func(c *train.Config) { c.Monitor = train.MonitorTrainLoss },
		"without the two": func(c *train.Config) { c.Fractions.Validation, c.Monitor = 0, train.MonitorTrainLoss },
	} {
		c := smallConfig(t, "moons")
		change(&c)
		checkResumed(t, what, c, 2, 6)
	}
	checkResumed(t, "regression", smallConfig(t, "sine"), 4)
}

func TestResumeAfterACrashGoesOnFromTheLastCheckpoint(t *testing.T) {
	c := smallConfig(t, "moons")
	whole, crashed := t.TempDir(), t.TempDir()
	fit(t, c, train.InDirectory(whole))
	_, err := train.Fit(context.Background(), c, train.InDirectory(crashed), train.WithCallbacks(train.Callback{
		Name: "crash", OnStep: func(p *train.Progress) error {
			if p.Step == 8 {
				return os.ErrProcessDone
			}
			time.Sleep(10 * time.Millisecond) // longer than all that follows
			return nil
		}}))
	wantError(t, "crash", err, `callback "crash"`, os.ErrProcessDone.Error())
	r := fit(t, c, train.InDirectory(crashed), train.Resume())
	if !bytes.Equal(content(t, whole, train.ModelFile), content(t, crashed, train.ModelFile)) {
		t.Errorf("%s differs from that of the run without a crash", train.ModelFile)
	}
	checkWallTime(t, r)
	// Without its checkpoint a run that has finished epochs must not begin again unasked.
	nettest.Must(t, os.Remove(filepath.Join(crashed, train.CheckpointFile)))
	_, err = train.Fit(context.Background(), c, train.InDirectory(crashed), train.Resume())
	wantError(t, "checkpoint gone", err, train.CheckpointFile, "4 epochs are done")
	// A crash before the first checkpoint leaves the settings alone.
	for _, file := range []string{train.ModelFile, train.HistoryFile, train.MetricsFile} {
		nettest.Must(t, os.Remove(filepath.Join(crashed, file)))
	}
	fit(t, c, train.InDirectory(crashed), train.Resume())
	if !bytes.Equal(content(t, whole, train.ModelFile), content(t, crashed, train.ModelFile)) {
		t.Errorf("without a checkpoint: %s differs from that of the run without a crash", train.ModelFile)
	}
}

func TestResumeOfAFinishedRunChangesNothing(t *testing.T) {
	c := smallConfig(t, "moons")
	dir := t.TempDir()
	fit(t, c, train.InDirectory(dir))
	before := map[string][]byte{}
	for _, file := range []string{train.ModelFile, train.CheckpointFile, train.ConfigFile, train.HistoryFile, train.MetricsFile} {
		before[file] = content(t, dir, file)
	}
	fit(t, c, train.InDirectory(dir), train.Resume())
	for file, want := range before {
		if got := content(t, dir, file); !bytes.Equal(got, want) {
			t.Errorf("%s changed from\n%s\nto\n%s", file, want, got)
		}
	}
}

func TestResumeWithMoreEpochsGoesOn(t *testing.T) {
	c := smallConfig(t, "moons")
	c.Schedule = "constant" // others depend on the number of epochs
	short, long := t.TempDir(), t.TempDir()
	fit(t, c, train.InDirectory(short))
	c.Epochs += 3
	fit(t, c, train.InDirectory(short), train.Resume())
	fit(t, c, train.InDirectory(long))
	if !bytes.Equal(content(t, short, train.CheckpointFile), content(t, long, train.CheckpointFile)) {
		t.Error("4 epochs and then 3 more end elsewhere than 7 epochs")
	}
}

func TestWallTimeOfAResumedRunCountsAllSessions(t *testing.T) {
	c := smallConfig(t, "moons")
	dir := t.TempDir()
	checkWallTime(t, fitInPieces(t, c, dir, 4, 7))
}

// checkWallTime checks that the time of a run goes on from epoch to epoch.
func checkWallTime(t *testing.T, r *train.Run) {
	t.Helper()
	last := 0.0
	for _, e := range r.History.Epochs {
		if e.Wall <= last {
			t.Errorf("epoch %d ended after %v s, the one before after %v s", e.Epoch, e.Wall, last)
		}
		last = e.Wall
	}
	if r.Metrics.WallSeconds < last {
		t.Errorf("the run took %v s, its last epoch ended after %v s", r.Metrics.WallSeconds, last)
	}
}

func TestResumeRefusesWhatIsNotTheSameRun(t *testing.T) {
	c := smallConfig(t, "moons")
	dir := t.TempDir()
	ctx, interrupt := interruptedAt(4)
	_, err := train.Fit(ctx, c, train.InDirectory(dir), interrupt)
	nettest.Must(t, err)
	resume := func(c train.Config, dir string, opts ...train.FitOption) error {
		_, err := train.Fit(context.Background(), c, append(opts, train.Resume(), train.InDirectory(dir))...)
		return err
	}

	other := c
	other.LR = 0.5
	wantError(t, "other rate", resume(other, dir), "resume", "lr is 0.5", fmt.Sprint("the run has ", c.LR), "only epochs")
	noise := 0.9
	other = c
	other.Noise = &noise
	wantError(t, "other noise", resume(other, dir), "noise is 0.9", "the run has unset")
	other = c
	other.Epochs = 1
	nettest.Must(t, func() error {
		_, err := train.Fit(context.Background(), other, train.InDirectory(t.TempDir()))
		return err
	}())
	missing := filepath.Join(t.TempDir(), "no-such-run")
	wantError(t, "no run", resume(c, missing), "no run in", "no-such-run", train.ConfigFile)
	wantError(t, "both", resume(c, dir, train.Overwrite()), "resume", "overwrite")
	_, err = train.Fit(context.Background(), c, train.Resume())
	wantError(t, "no directory", err, "no directory")

	parts, err := c.Load()
	nettest.Must(t, err)
	parts.Train.X[0]++
	wantError(t, "other data", resume(c, dir, train.WithParts(parts)), train.CheckpointFile, "data have changed")

	finished := t.TempDir()
	fit(t, c, train.InDirectory(finished))
	other = c
	other.Epochs = 2
	wantError(t, "fewer epochs", resume(other, finished), "epochs is 2", "4 are done")
}

func TestResumeRefusesCheckpointsThatContradictThemselves(t *testing.T) {
	c := smallConfig(t, "moons")
	dir := t.TempDir()
	ctx, interrupt := interruptedAt(4)
	_, err := train.Fit(ctx, c, train.InDirectory(dir), interrupt)
	nettest.Must(t, err)
	whole := content(t, dir, train.CheckpointFile)
	for what, change := range map[string]struct {
		training func(m map[string]any)
		header   func(h map[string]any)
		words    []string
	}{
		"negative":     {training: func(m map[string]any) { m["step"] = -1 }, words: []string{"counters"}},
		"best epoch":   {training: func(m map[string]any) { m["best_epoch"] = 2 }, words: []string{"counters"}},
		"no best":      {training: func(m map[string]any) { m["best_epoch"], m["epochs"] = 0, 0 }, words: []string{"best weights"}},
		"history":      {training: func(m map[string]any) { m["best_epoch"], m["epochs"] = 2, 2 }, words: []string{"history", "2 epochs that are done"}},
		"sampler":      {training: func(m map[string]any) { m["sampler"] = "" }, words: []string{"sampler state"}},
		"optimizer":    {training: func(m map[string]any) { m["optimizer"].(map[string]any)["name"] = "sgd" }, words: []string{"adam", "sgd"}},
		"unknown":      {training: func(m map[string]any) { m["weather"] = "fine" }, words: []string{"weather"}},
		"a model":      {header: func(h map[string]any) { delete(h["__metadata__"].(map[string]any), "affine.training") }, words: []string{"not a checkpoint"}},
		"no moment":    {header: func(h map[string]any) { rename(h, "optimizer.linear1.bias.exp_avg", "optimizer.x") }, words: []string{"linear1.bias.exp_avg"}},
		"no weight":    {header: func(h map[string]any) { rename(h, "linear1.bias", "x") }, words: []string{"linear1.bias", "missing"}},
		"no best bias": {header: func(h map[string]any) { rename(h, "best.linear1.bias", "best.x") }, words: []string{"linear1.bias", "missing"}},
	} {
		data := withHeader(whole, func(h map[string]any) {
			if change.header != nil {
				change.header(h)
				return
			}
			texts := h["__metadata__"].(map[string]any)
			texts["affine.training"] = withJSON(texts["affine.training"].(string), change.training)
		})
		nettest.Must(t, os.WriteFile(filepath.Join(dir, train.CheckpointFile), data, 0o644))
		_, err := train.Fit(context.Background(), c, train.InDirectory(dir), train.Resume())
		wantError(t, what, err, append(change.words, "resume", train.CheckpointFile)...)
	}
}

func rename(h map[string]any, from, to string) {
	h[to] = h[from]
	delete(h, from)
}

func TestResumeRefusesBrokenFiles(t *testing.T) {
	c := smallConfig(t, "moons")
	for file, words := range map[string][]string{
		train.ConfigFile:     {"byte 5"},
		train.HistoryFile:    {"line 1"},
		train.CheckpointFile: {"the first 8 bytes"},
		train.MetricsFile:    {"byte 5"},
	} {
		dir := t.TempDir()
		ctx, interrupt := interruptedAt(4)
		_, err := train.Fit(ctx, c, train.InDirectory(dir), interrupt)
		nettest.Must(t, err)
		nettest.Must(t, os.WriteFile(filepath.Join(dir, file), []byte("not what it should be"), 0o644))
		if file == train.ConfigFile || file == train.MetricsFile {
			nettest.Must(t, os.WriteFile(filepath.Join(dir, file), []byte(`{"a":`+"\x00"), 0o644))
			words = []string{file}
		}
		_, err = train.Fit(context.Background(), c, train.InDirectory(dir), train.Resume())
		wantError(t, file, err, append(words, file)...)
	}
}
