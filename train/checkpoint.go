package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/affine-go/affine/train/optim"

	"gorgonia.org/tensor"
)

// checkpoint is everything that a training needs to go on exactly where it
// was. Its tensors are copies.
type checkpoint struct {
	header    string // of the model, its Metadata
	weights   map[string]*tensor.Dense
	best      map[string]*tensor.Dense // nil before the first epoch is finished
	optimizer optim.State
	training  trainingState
}

// trainingState is the part of a checkpoint that is not tensors. No time of
// day nor duration is in it: equal trainings have equal checkpoints.
type trainingState struct {
	Epochs    int          `json:"epochs"` // finished
	Step      int          `json:"step"`
	LossSum   float64      `json:"loss_sum"` // over the rows of the epoch under way
	LossRows  int          `json:"loss_rows"`
	BestEpoch int          `json:"best_epoch"`
	BestScore float64      `json:"best_score"`
	Reference float64      `json:"reference"` // the score that patience waits to see beaten
	Waited    int          `json:"waited"`    // epochs since it was set
	Sampler   []byte       `json:"sampler"`
	Optimizer stepperState `json:"optimizer"`
}

// stepperState is the part of an OptimizerState that is not tensors.
type stepperState struct {
	Name string  `json:"name"`
	Step int     `json:"step"`
	LR   float64 `json:"lr"`
}

const (
	trainingText    = "affine.training"
	bestPrefix      = "best."
	optimizerPrefix = "optimizer."
)

func (c *checkpoint) write(path string) error {
	c.training.Optimizer = stepperState{c.optimizer.Name, c.optimizer.Step, c.optimizer.LR}
	text, err := json.Marshal(c.training)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	f := tensorFile{
		tensors: map[string]*tensor.Dense{},
		texts:   map[string]string{modelText: c.header, trainingText: string(text)},
	}
	addAll(f.tensors, "", c.weights)
	addAll(f.tensors, bestPrefix, c.best)
	addAll(f.tensors, optimizerPrefix, c.optimizer.Moments)
	return f.write(path)
}

func readCheckpoint(path string) (*checkpoint, error) {
	f, err := readTensorFile(path)
	if err != nil {
		return nil, err
	}
	c, err := f.checkpoint()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

func (f *tensorFile) checkpoint() (*checkpoint, error) {
	text, ok := f.texts[trainingText]
	if !ok {
		return nil, fmt.Errorf("metadata has no %q: not a checkpoint", trainingText)
	}
	c := &checkpoint{header: f.texts[modelText], weights: map[string]*tensor.Dense{}}
	s := &c.training
	if err := decodeStrictly([]byte(text), s); err != nil {
		return nil, fmt.Errorf("metadata %q: %w", trainingText, err)
	}
	if min(s.Epochs, s.Step, s.LossRows, s.BestEpoch, s.Waited, s.Optimizer.Step) < 0 || s.BestEpoch > s.Epochs || (s.BestEpoch == 0) != (s.Epochs == 0) {
		return nil, fmt.Errorf("metadata %q: counters contradict each other: %s", trainingText, text)
	}
	c.optimizer = optim.State{Name: s.Optimizer.Name, Step: s.Optimizer.Step, LR: s.Optimizer.LR, Moments: map[string]*tensor.Dense{}}
	for name, t := range f.tensors {
		if rest, ok := strings.CutPrefix(name, bestPrefix); ok {
			if c.best == nil {
				c.best = map[string]*tensor.Dense{}
			}
			c.best[rest] = t
		} else if rest, ok := strings.CutPrefix(name, optimizerPrefix); ok {
			c.optimizer.Moments[rest] = t
		} else {
			c.weights[name] = t
		}
	}
	if (c.best == nil) != (s.BestEpoch == 0) {
		return nil, errors.New("the best weights are missing, or belong to no epoch")
	}
	return c, nil
}

func addAll(into map[string]*tensor.Dense, prefix string, from map[string]*tensor.Dense) {
	for name, t := range from {
		into[prefix+name] = t
	}
}
