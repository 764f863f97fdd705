package report

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/train"
)

// Run is what there is of a run. What is nil is missing, and Missing says why.
type Run struct {
	Name    string // what pages call it: its directory
	Config  train.Config
	History *train.History
	Metrics *train.Metrics // nil as long as the run has not come to an end
	Model   *train.Predictor
	Rows    *datasets.Parts // that it was trained, validated and tested on
	Missing []string        // a sentence for each thing that is not there

	asked *answers // what Model says of Rows, once it has been asked
}

// Load reads the settings, the history and the metrics of a run directory. The
// settings must be there; the others may be missing, but not be malformed.
func Load(dir string) (*Run, error) {
	r, err := load(filepath.Clean(dir))
	if err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	return r, nil
}

func load(dir string) (r *Run, err error) {
	if _, err := os.Stat(dir); err != nil {
		return nil, err
	}
	r = &Run{Name: dir}
	if r.Config, err = train.ReadConfig(filepath.Join(dir, train.ConfigFile)); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s holds no run: %s is missing", dir, train.ConfigFile)
	} else if err != nil {
		return nil, err
	}
	if r.History, err = train.ReadHistory(filepath.Join(dir, train.HistoryFile)); errors.Is(err, fs.ErrNotExist) {
		r.History, err = nil, nil
		r.miss("%s is missing: there are no curves.", train.HistoryFile)
	}
	if err != nil {
		return nil, err
	}
	if r.Metrics, err = train.ReadMetrics(filepath.Join(dir, train.MetricsFile)); errors.Is(err, fs.ErrNotExist) {
		r.Metrics, err = nil, nil
		r.miss("%s is missing: the run has not come to an end. To go on with it: fit --out %s --resume", train.MetricsFile, dir)
	}
	if r.Metrics != nil && r.Metrics.StoppingReason == train.ReasonInterrupted {
		r.miss("The run was interrupted. To go on with it: fit --out %s --resume", dir)
	}
	return r, err
}

// Complete reads the model, which computes on the processor, and takes or,
// if rows is nil, loads the rows that the run used. What is not there is
// noted in Missing; a model file that cannot be read is an error.
func (r *Run) Complete(rows *datasets.Parts) (err error) {
	if r.Model, err = train.LoadPredictor(filepath.Join(r.Name, train.ModelFile)); errors.Is(err, fs.ErrNotExist) {
		r.miss("%s is missing: there is nothing to see of what the model learned.", train.ModelFile)
	} else if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	if r.Rows = rows; rows != nil || r.Model == nil {
		return nil
	}
	parts, err := r.Config.Load()
	if err != nil {
		r.miss("The rows of the run cannot be read (%v): there is nothing to see of what the model learned.", err)
		return nil
	}
	r.Rows = &parts
	return nil
}

func (r *Run) miss(format string, args ...any) {
	if s := fmt.Sprintf(format, args...); !slices.Contains(r.Missing, s) {
		r.Missing = append(r.Missing, s)
	}
}

// task is what the run trains for; AutoTask if that is not known yet.
func (r *Run) task() datasets.Task {
	switch {
	case r.Metrics != nil:
		return r.Metrics.Task
	case r.History != nil:
		return r.History.Task
	case r.Model != nil:
		return r.Model.Schema.Task
	}
	return r.Config.Task
}

// epochs returns the history's epochs, none if there is no history.
func (r *Run) epochs() []train.EpochRecord {
	if r.History == nil {
		return nil
	}
	return r.History.Epochs
}

// score is the test part's accuracy or R², nil if it is not known.
func (r *Run) score() *float64 {
	switch {
	case r.Metrics == nil:
		return nil
	case r.Metrics.TestAccuracy != nil:
		return r.Metrics.TestAccuracy
	}
	return r.Metrics.TestR2
}

// lossName is the loss that a task is trained for, with its unit.
func lossName(task datasets.Task) string {
	switch task {
	case datasets.Classification:
		return "cross-entropy (nats)"
	case datasets.Regression:
		return "mean squared error (target variances)"
	}
	return "loss"
}

// scoreName is how predictions of a task are judged.
func scoreName(task datasets.Task) string {
	switch task {
	case datasets.Classification:
		return "accuracy"
	case datasets.Regression:
		return "R²"
	}
	return "score"
}

// scoreLabel is the score with its unit.
func scoreLabel(task datasets.Task) string {
	if task == datasets.Classification {
		return "accuracy (share of rows)"
	}
	return scoreName(task) + " (no unit)"
}
