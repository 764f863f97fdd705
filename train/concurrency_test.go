package train_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/affine-go/affine/internal/nettest"
	"github.com/affine-go/affine/train"
)

// Each test here holds a rule of the package documentation's section
// "Concurrency"; the race detector looks on.

// A training publishes the weights of each epoch; others predict with the newest
// that there are.
func TestSixteenPredictWhileOneTrains(t *testing.T) {
	type published struct {
		*train.Predictor
		answer []float64 // to row
	}
	row := []float64{0.5, -0.25}
	tr := newTrainer(t, smallConfig(t, "moons"))
	var newest atomic.Pointer[published]
	publish := func() {
		p, err := tr.Predictor()
		nettest.Must(t, err)
		answer := make([]float64, p.Outputs())
		nettest.Must(t, p.PredictInto(answer, row))
		newest.Store(&published{p, answer})
	}
	publish()
	var training atomic.Bool
	training.Store(true)
	var wait sync.WaitGroup
	for range 16 {
		wait.Go(func() {
			got := make([]float64, 2)
			for more := true; more; {
				more = training.Load()
				p := newest.Load()
				if err := p.PredictInto(got, row); err != nil || !slices.Equal(got, p.answer) {
					t.Errorf("got %v and error %v, want %v", got, err, p.answer)
					return
				}
			}
		})
	}
	for !tr.Finished() {
		_, err := tr.Step()
		nettest.Must(t, err)
		if tr.EpochDone() {
			nettest.Must(t, tr.FinishEpoch())
			publish()
		}
	}
	training.Store(false)
	wait.Wait()
}

func TestTrainingsSideBySideEndAsAlone(t *testing.T) {
	alone := map[string][]byte{}
	for _, dataset := range []string{"moons", "sine"} {
		dir := t.TempDir()
		fit(t, smallConfig(t, dataset), train.InDirectory(dir))
		alone[dataset] = content(t, dir, train.CheckpointFile)
	}
	var wait sync.WaitGroup
	for i := range 6 {
		dataset := []string{"moons", "sine"}[i%2]
		c, dir := smallConfig(t, dataset), t.TempDir()
		wait.Go(func() {
			r, err := train.Fit(context.Background(), c, train.InDirectory(dir))
			if err != nil {
				t.Error(err)
				return
			}
			r.Close()
			if !bytes.Equal(content(t, dir, train.CheckpointFile), alone[dataset]) {
				t.Errorf("%s ends elsewhere than alone", dataset)
			}
		})
	}
	wait.Wait()
}

// With Fit the copy is taken in a callback.
func TestACallbackPublishesAPredictor(t *testing.T) {
	row := []float64{0.5, -0.25}
	var wait sync.WaitGroup
	fit(t, smallConfig(t, "moons"), train.WithCallbacks(train.Callback{Name: "publish", OnEpoch: func(p *train.Progress) error {
		predictor, err := p.Predictor()
		if err != nil {
			return err
		}
		want := make([]float64, 2)
		if err := predictor.PredictInto(want, row); err != nil {
			return err
		}
		for range 4 {
			wait.Go(func() {
				got := make([]float64, 2)
				for range 50 {
					if err := predictor.PredictInto(got, row); err != nil || !slices.Equal(got, want) {
						t.Errorf("got %v and error %v, want %v", got, err, want)
						return
					}
				}
			})
		}
		return nil
	}}))
	wait.Wait()
}

// A run may be read while it is written, and only one training may write it.
func TestARunIsReadWhileItIsWritten(t *testing.T) {
	c := smallConfig(t, "moons")
	c.Epochs = 1 << 30
	dir := filepath.Join(t.TempDir(), "run")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	started, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		_, err := train.Fit(ctx, c, train.InDirectory(dir), train.WithCallbacks(train.Callback{
			Name: "started", OnStart: func(*train.Progress) error { close(started); return nil },
		}))
		ended <- err
	}()
	select {
	case <-started:
	case err := <-ended:
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for range 20 {
				r, err := train.LoadRun(dir)
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := r.Predict([][]float64{{0.5, -0.25}}); err != nil {
					t.Error(err)
				}
				r.Close()
				time.Sleep(time.Millisecond)
			}
		})
	}
	for _, how := range []train.FitOption{train.Resume(), train.Overwrite(), train.WithCallbacks()} {
		_, err := train.Fit(ctx, c, train.InDirectory(dir), how)
		if !errors.Is(err, train.ErrRunInUse) {
			t.Errorf("a second training got %v, want ErrRunInUse", err)
		}
	}
	wait.Wait()
	cancel()
	nettest.Must(t, <-ended)
	// With the first training's end the directory is free.
	c.Epochs = 1
	fit(t, c, train.InDirectory(dir), train.Overwrite())
}

// Whoever reads while sessions begin and end, each of which writes every file
// several times, finds whole files.
func TestNothingIsTornWhileItIsRead(t *testing.T) {
	reads := 500
	if nettest.Long() {
		reads = 10_000
	}
	c := smallConfig(t, "moons")
	c.Epochs = 1
	dir := t.TempDir()
	fit(t, c, train.InDirectory(dir))
	var reading atomic.Bool
	reading.Store(true)
	sessions := 0
	var wait sync.WaitGroup
	wait.Go(func() {
		for ; reading.Load(); sessions++ {
			c.Epochs = 1 + sessions%50
			how := train.Resume()
			if c.Epochs == 1 && sessions > 0 { // the history shall not grow for ever
				how = train.Overwrite()
			}
			r, err := train.Fit(context.Background(), c, train.InDirectory(dir), how)
			if err != nil {
				t.Error(err)
				return
			}
			r.Close()
		}
	})
	for range reads {
		r, err := train.LoadRun(dir)
		if err == nil {
			r.Close()
		} else if !errors.Is(err, os.ErrNotExist) { // config.json, while a run takes another one's place
			t.Error(err)
			break
		}
		if _, err := train.ReadRunConfig(dir); err != nil {
			t.Error(err)
			break
		}
	}
	reading.Store(false)
	wait.Wait()
	t.Logf("%d reads during %d sessions", 2*reads, sessions)
}
