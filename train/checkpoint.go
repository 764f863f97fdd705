package train

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/affine-go/affine/internal/sealedjson"
	"github.com/affine-go/affine/internal/tensorfile"
	"github.com/affine-go/affine/train/internal/ranks"
	"github.com/affine-go/affine/train/optim"
	"gorgonia.org/tensor"
)

// checkpoint is everything that a training needs to go on exactly where it
// was. Its tensors are copies. No time of day nor duration is in it: equal
// trainings have equal checkpoints.
type checkpoint struct {
	config    Config // that it belongs to
	header    string // of the model, its Metadata
	weights   map[string]*tensor.Dense
	best      map[string]*tensor.Dense // nil before the first epoch is finished
	optimizer optim.State
	training  trainingState
	history   History // of the finished epochs, without their wall times
}

// trainingState is the part of a checkpoint that is not tensors.
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

// stepperState is the part of an optim.State that is not tensors.
type stepperState struct {
	Name string  `json:"name"`
	Step int     `json:"step"`
	LR   float64 `json:"lr"`
}

// Names in the file of a checkpoint.
const (
	configText      = "affine.config" // of the run that the file belongs to
	trainingText    = "affine.training"
	bestPrefix      = "best."
	optimizerPrefix = "optimizer."
	historyTensor   = "history" // [epochs, historyNumbers] in float64
)

// bestWeights are those of the best epoch or, before there is one, the last.
func (c *checkpoint) bestWeights() map[string]*tensor.Dense {
	if c.best != nil {
		return c.best
	}
	return c.weights
}

// write writes the file that a training goes on from.
func (c *checkpoint) write(path string) error {
	f, err := c.file()
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return f.Write(path)
}

func (c *checkpoint) file() (*tensorfile.File, error) {
	c.training.Optimizer = stepperState{c.optimizer.Name, c.optimizer.Step, c.optimizer.LR}
	training, err := json.Marshal(c.training)
	if err != nil {
		return nil, err
	}
	config, err := json.Marshal(c.config)
	if err != nil {
		return nil, err
	}
	f := &tensorfile.File{
		Tensors: map[string]*tensor.Dense{},
		Texts:   map[string]string{modelText: c.header, trainingText: string(training), configText: string(config)},
	}
	addAll(f.Tensors, "", c.weights)
	addAll(f.Tensors, bestPrefix, c.best)
	addAll(f.Tensors, optimizerPrefix, c.optimizer.Moments)
	if n := len(c.history.Epochs); n > 0 {
		numbers := make([]float64, 0, n*historyNumbers)
		for _, r := range c.history.Epochs {
			numbers = append(numbers, float64(r.Step), r.LR, r.TrainLoss, r.TrainMetric, r.ValLoss, r.ValMetric)
		}
		f.Tensors[historyTensor] = tensor.New(tensor.WithShape(n, historyNumbers), tensor.WithBacking(numbers))
	}
	return f, nil
}

// broadcastCheckpoint returns the checkpoint that rank 0 goes on from, nil if
// it has none.
func broadcastCheckpoint(g ranks.Group, mine *checkpoint) (*checkpoint, error) {
	if g.Size() == 1 {
		return mine, nil
	}
	var data []byte
	if mine != nil {
		f, err := mine.file()
		if err == nil {
			data, err = f.Bytes()
		}
		if err != nil {
			return nil, err
		}
	}
	data, err := g.Broadcast(0, data)
	if err != nil || len(data) == 0 || g.Rank() == 0 {
		return mine, err
	}
	f, err := tensorfile.ReadFrom(bytes.NewReader(data), tensorfile.Options{Check: checkCheckpoint})
	if err != nil {
		return nil, err
	}
	return newCheckpoint(f)
}

// writeModel writes the best weights as a file that LoadPredictor reads.
func (c *checkpoint) writeModel(path string) error {
	f := tensorfile.File{Tensors: c.bestWeights(), Texts: map[string]string{modelText: c.header}}
	return f.Write(path)
}

func addAll(into map[string]*tensor.Dense, prefix string, from map[string]*tensor.Dense) {
	for name, t := range from {
		into[prefix+name] = t
	}
}

func readCheckpoint(path string) (*checkpoint, error) {
	f, err := tensorfile.Read(path, tensorfile.Options{Check: checkCheckpoint})
	if err != nil {
		return nil, err
	}
	c, err := newCheckpoint(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// maxTimesModel bounds the tensors of a checkpoint by those of the model: last
// and best weights, and up to four moments of the optimizer.
const maxTimesModel = 6

// checkCheckpoint refuses a header whose tensors a training cannot have.
func checkCheckpoint(h *tensorfile.Header) error {
	if _, ok := h.Texts[trainingText]; !ok {
		return fmt.Errorf("metadata has no %q: not a checkpoint", trainingText)
	}
	model, err := metadataOf(h.Texts)
	if err == nil {
		err = model.matches(h.Shapes)
	}
	if err != nil {
		return err
	}
	most := maxTimesModel * (float64(parametersOf(model.Widths)) + maxScalars)
	rest := 0.0
	for name, shape := range h.Shapes {
		if name != historyTensor {
			rest += float64(tensor.Shape(shape).TotalSize())
		}
	}
	if rest > most {
		return fmt.Errorf("the tensors have %.0f elements, want at most %.0f for widths %v", rest, most, model.Widths)
	}
	return nil
}

// maxScalars is room for what optimizers keep besides tensors of the learnables'
// shapes.
const maxScalars = 1 << 10

// historyNumbers are the columns of the history in a checkpoint.
const historyNumbers = 6

func newCheckpoint(f *tensorfile.File) (*checkpoint, error) {
	c := &checkpoint{header: f.Texts[modelText], weights: map[string]*tensor.Dense{}}
	s := &c.training
	if err := sealedjson.Decode([]byte(f.Texts[trainingText]), s); err != nil {
		return nil, fmt.Errorf("metadata %q: %w", trainingText, err)
	}
	if err := sealedjson.Decode([]byte(f.Texts[configText]), &c.config); err != nil {
		return nil, fmt.Errorf("metadata %q: %w", configText, err)
	}
	if err := c.config.Validate(); err != nil {
		return nil, fmt.Errorf("metadata %q: %w", configText, err)
	}
	if min(s.Epochs, s.Step, s.LossRows, s.BestEpoch, s.Waited, s.Optimizer.Step) < 0 || s.BestEpoch > s.Epochs || (s.BestEpoch == 0) != (s.Epochs == 0) {
		return nil, fmt.Errorf("metadata %q: counters contradict each other: %s", trainingText, f.Texts[trainingText])
	}
	c.optimizer = optim.State{Name: s.Optimizer.Name, Step: s.Optimizer.Step, LR: s.Optimizer.LR, Moments: map[string]*tensor.Dense{}}
	for name, t := range f.Tensors {
		if rest, ok := strings.CutPrefix(name, bestPrefix); ok {
			if c.best == nil {
				c.best = map[string]*tensor.Dense{}
			}
			c.best[rest] = t
		} else if rest, ok := strings.CutPrefix(name, optimizerPrefix); ok {
			c.optimizer.Moments[rest] = t
		} else if name != historyTensor {
			c.weights[name] = t
		}
	}
	if (c.best == nil) != (s.BestEpoch == 0) {
		return nil, errors.New("the best weights are missing, or belong to no epoch")
	}
	return c, c.readHistory(f.Tensors[historyTensor])
}

// readHistory takes the finished epochs from their tensor.
func (c *checkpoint) readHistory(t *tensor.Dense) error {
	if t == nil && c.training.Epochs == 0 {
		return nil
	}
	if t == nil || t.Dtype() != tensor.Float64 || !t.Shape().Eq(tensor.Shape{c.training.Epochs, historyNumbers}) {
		return fmt.Errorf("tensor %q does not hold the %d epochs that are done", historyTensor, c.training.Epochs)
	}
	x := t.Float64s()
	for i := range c.training.Epochs {
		r := x[i*historyNumbers:][:historyNumbers]
		c.history.Epochs = append(c.history.Epochs, EpochRecord{Epoch: i + 1, Step: int(r[0]), LR: r[1], TrainLoss: r[2],
			TrainMetric: r[3], ValLoss: r[4], ValMetric: r[5]})
	}
	return nil
}

// capture returns a checkpoint of the moment between two steps.
func (t *Trainer) capture() (*checkpoint, error) {
	if err := t.readLosses(); err != nil {
		return nil, err
	}
	header, err := t.predictor.Metadata()
	if err != nil {
		return nil, err
	}
	weights, err := t.model.copyWeights()
	if err != nil {
		return nil, err
	}
	optimizer, err := t.optimizer.State()
	if err != nil {
		return nil, err
	}
	sampler, err := t.sampler.MarshalBinary()
	if err != nil {
		return nil, err
	}
	n := len(t.history.Epochs)
	return &checkpoint{
		config: t.config, header: string(header), weights: weights, best: t.best, optimizer: optimizer,
		training: trainingState{
			Epochs: n, Step: t.progress.Step, LossSum: t.lossSum, LossRows: t.lossRows,
			BestEpoch: t.progress.BestEpoch, BestScore: t.score, Reference: t.reference, Waited: t.waited, Sampler: sampler,
		},
		history: History{Task: t.history.Task, Epochs: t.history.Epochs[:n:n]},
	}, nil
}

// restore goes on from a checkpoint of the same training. times, if there are
// any, are the wall times of its epochs.
func (t *Trainer) restore(c *checkpoint, times []EpochRecord) error {
	header, err := t.predictor.Metadata()
	if err != nil {
		return err
	}
	if c.header != string(header) {
		return fmt.Errorf("the checkpoint is of another model, or the data have changed: it has %s, want %s", c.header, header)
	}
	s := &c.training
	if c.best != nil { // SetWeights says what of them is wrong
		if err := t.model.SetWeights(c.best); err != nil {
			return fmt.Errorf("best weights: %w", err)
		}
	}
	if err := t.model.SetWeights(c.weights); err != nil {
		return err
	}
	if err := t.sampler.UnmarshalBinary(s.Sampler); err != nil {
		return err
	}
	learnables, err := t.learnables()
	if err != nil {
		return err
	}
	if err := t.optimizer.LoadState(c.optimizer, learnables); err != nil {
		return err
	}
	t.history.Epochs = c.history.Epochs
	for i := range min(len(times), len(c.history.Epochs)) {
		t.history.Epochs[i].Wall = times[i].Wall
	}
	t.lossSum, t.lossRows = s.LossSum, s.LossRows
	t.best, t.score, t.reference, t.waited = c.best, s.BestScore, s.Reference, s.Waited
	p := &t.progress
	p.Step, p.EpochStep, p.BestEpoch = s.Step, t.sampler.Batch(), s.BestEpoch
	p.Epoch = min(s.Epochs+1, t.config.Epochs)
	if s.Epochs > 0 {
		t.clock.before = t.history.Epochs[s.Epochs-1].Wall
	}
	return nil
}
