package train_test

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/train"
)

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
