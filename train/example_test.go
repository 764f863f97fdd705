package train_test

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/train"
)

// A model is trained with a dataset's default settings, but for those changed.
func ExampleFit() {
	c := train.DefaultConfig("blobs", nil)
	c.Device, c.Hidden, c.Epochs, c.Batch, c.Seed = "cpu", []int{16}, 20, 36, 1
	run, err := train.Fit(context.Background(), c)
	if err != nil {
		log.Fatal(err)
	}
	defer run.Close()
	fmt.Println(run)
	fmt.Println(run.Metrics.StoppingReason, "after", run.Metrics.Steps, "steps")
	fmt.Println("most of the test part is right:", *run.Metrics.TestAccuracy > 0.9)
	// Output:
	// 2-16-3 relu, classification, 99 parameters, float32, fused on cpu
	// completed after 200 steps
	// most of the test part is right: true
}

// A run is kept in a directory, interrupted, resumed, and loaded.
func ExampleFit_resume() {
	dir, err := os.MkdirTemp("", "run")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	c := train.DefaultConfig("iris", nil)
	c.Device, c.Epochs, c.Batch, c.Seed = "cpu", 100, 16, 1

	ctx, cancel := context.WithCancel(context.Background())
	run, err := train.Fit(ctx, c, train.InDirectory(dir), train.WithCallbacks(train.Callback{
		Name: "power cut",
		OnStep: func(p *train.Progress) error {
			if p.Step == 100 {
				cancel()
			}
			return nil
		},
	}))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(run.Metrics.StoppingReason, "after", run.Metrics.Steps, "steps")

	run, err = train.Fit(context.Background(), c, train.InDirectory(dir), train.Resume())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(run.Metrics.StoppingReason, "after", run.Metrics.Steps, "steps")

	loaded, err := train.LoadRun(dir)
	if err != nil {
		log.Fatal(err)
	}
	flowers, err := loaded.Predict([][]float64{{5.0, 3.4, 1.5, 0.2}, {6.6, 3.0, 5.6, 2.0}})
	if err != nil {
		log.Fatal(err)
	}
	for _, class := range flowers.Classes {
		fmt.Println(loaded.Schema.Classes[class])
	}
	// Output:
	// interrupted after 100 steps
	// completed after 600 steps
	// setosa
	// virginica
}

// A Trainer leaves the loop to the caller.
func ExampleTrainer() {
	c := train.DefaultConfig("sine", nil)
	c.Device, c.Epochs, c.Batch, c.Seed = "cpu", 30, 32, 1
	parts, err := c.Load()
	if err != nil {
		log.Fatal(err)
	}
	t, err := train.NewTrainer(c, parts)
	if err != nil {
		log.Fatal(err)
	}
	for !t.Finished() {
		if _, err := t.Step(); err != nil {
			log.Fatal(err)
		}
		if t.EpochDone() {
			if err := t.FinishEpoch(); err != nil {
				log.Fatal(err)
			}
		}
	}
	progress := t.Progress()
	fmt.Println(progress.Step, "steps in", len(progress.History.Epochs), "epochs")
	p, err := t.Predictor()
	if err != nil {
		log.Fatal(err)
	}
	e, err := p.Evaluate(parts.Test)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("R² above 0.9:", e.R2 > 0.9)
	// Output:
	// 300 steps in 30 epochs
	// R² above 0.9: true
}

// A callback watches the training and may end it.
func ExampleCallback() {
	c := train.DefaultConfig("xor", nil)
	c.Device, c.Seed, c.Epochs = "cpu", 1, 100
	run, err := train.Fit(context.Background(), c, train.WithCallbacks(train.Callback{
		Name: "good enough",
		OnEpoch: func(p *train.Progress) error {
			if last := p.History.Epochs[len(p.History.Epochs)-1]; last.ValMetric > 0.9 {
				p.Stop()
			}
			return nil
		},
	}))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(run.Metrics.StoppingReason)
	// Output: stopped by a callback
}

func ExampleNewConfusion() {
	c, err := train.NewConfusion([]int{0, 1, 1, 0, 1}, []int{0, 1, 1, 1, 0}, 2)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(c)
	fmt.Println(c.Accuracy())
	// Output:
	// actual      0      1
	//      0      1      1
	//      1      1      2
	// 0.6
}

// A model that travels in the program: train fit --dataset moons --hidden 8
// --epochs 40 --seed 1 wrote it.
//
//go:embed testdata/moons.safetensors
var moons []byte

// service answers POST with rows of features, [[0.5, 0.25], …], by the classes'
// probabilities. Any number of requests share the predictor.
type service struct {
	predictor atomic.Pointer[train.Predictor]
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var rows [][]float64
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&rows); err != nil {
		http.Error(w, "want rows of numbers as JSON: "+err.Error(), http.StatusBadRequest)
		return
	}
	p, err := s.predictor.Load().Predict(rows)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	json.NewEncoder(w).Encode(p.Probabilities)
}

// reload takes the model of a run that has landed. Requests under way end with
// the model that they began with.
func (s *service) reload(path string) error {
	p, err := train.LoadPredictor(path)
	if err != nil {
		return err // the old model goes on
	}
	s.predictor.Store(p)
	return nil
}

// A handler serves an embedded model, and a new one without a pause.
func ExampleReadPredictor() {
	p, err := train.ReadPredictor(bytes.NewReader(moons))
	if err != nil {
		log.Fatal(err)
	}
	var s service
	s.predictor.Store(p)
	server := httptest.NewServer(&s)
	defer server.Close()

	ask := func(body string) {
		answer, err := http.Post(server.URL, "application/json", strings.NewReader(body))
		if err != nil {
			log.Fatal(err)
		}
		defer answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			fmt.Println(answer.Status)
			return
		}
		var probabilities [][]float64
		if err := json.NewDecoder(answer.Body).Decode(&probabilities); err != nil {
			log.Fatal(err)
		}
		for _, row := range probabilities {
			fmt.Println("first moon:", row[0] > 0.5)
		}
	}
	ask(`[[0, 1], [1, -0.5]]`)
	ask(`[[0, 1, 2]]`)
	if err := s.reload("testdata/moons.safetensors"); err != nil {
		log.Fatal(err)
	}
	ask(`[[0, 1]]`)
	// Output:
	// first moon: true
	// first moon: false
	// 400 Bad Request
	// first moon: true
}

// A batch job predicts rows chunk by chunk, with memory of its own size.
func ExamplePredictor_PredictInto() {
	p, err := train.LoadPredictor("testdata/moons.safetensors")
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	d, err := datasets.Open("moons", datasets.Options{N: 10_000, Seed: 2})
	if err != nil {
		log.Fatal(err)
	}
	const chunk = 1024
	inputs, outputs := len(p.Schema.Features), p.Outputs()
	probabilities := make([]float64, chunk*outputs)
	right := 0
	for first := 0; first < d.Len(); first += chunk {
		last := min(first+chunk, d.Len())
		out := probabilities[:(last-first)*outputs]
		if err := p.PredictInto(out, d.X[first*inputs:last*inputs]); err != nil {
			log.Fatal(err)
		}
		for i := range last - first {
			class := 0.
			if out[i*outputs+1] > out[i*outputs] {
				class = 1
			}
			if class == d.Y[first+i] {
				right++
			}
		}
	}
	fmt.Println("accuracy above 0.95:", float64(right)/float64(d.Len()) > 0.95)
	// Output: accuracy above 0.95: true
}
