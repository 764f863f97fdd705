package train

import (
	"errors"
	"fmt"
	"slices"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/layer/device"
	"github.com/affine-go/affine/train/optim"
)

// Predictor is a model with all that turns rows of features into classes or
// values: what the columns mean, and how they were scaled for training.
type Predictor struct {
	Model    *Model
	Schema   datasets.Schema
	Features *datasets.Scaler
	Targets  *datasets.Scaler // of regression, nil for classification
}

// Predictions are a model's answers, one for each row.
type Predictions struct {
	// Classes are the most probable classes, indices into Schema.Classes, and
	// Probabilities the softmax of the logits, [rows][classes]. Both are nil for
	// regression.
	Classes       []int
	Probabilities [][]float64
	// Values are on the scale of the dataset's targets; nil for classification.
	Values []float64
}

// Evaluation is how well predictions agree with the targets of a dataset.
type Evaluation struct {
	Rows int
	// Loss is the model's: the mean softmax cross-entropy or, for targets of
	// variance 1 in the training part, the mean squared error.
	Loss float64
	// Accuracy and Confusion are for classification.
	Accuracy  float64
	Confusion Confusion
	// R2 and MAE, on the scale of the dataset's targets, are for regression.
	R2, MAE float64

	Predictions *Predictions
}

// Predict returns the model's answers for any number of rows, each with the
// features of the schema in its order.
func (p *Predictor) Predict(rows [][]float64) (*Predictions, error) {
	inputs := len(p.Schema.Features)
	x := make([]float64, 0, len(rows)*inputs)
	for i, row := range rows {
		if len(row) != inputs {
			return nil, fmt.Errorf("predict: row %d has %d features, the model wants %d", i, len(row), inputs)
		}
		x = append(x, row...)
	}
	for i, v := range x {
		if !finite(v) {
			return nil, fmt.Errorf("predict: row %d: feature %q is %v, want a finite number", i/inputs, p.Schema.Features[i%inputs], v)
		}
	}
	predictions, err := p.predict(x)
	if err != nil {
		return nil, fmt.Errorf("predict: %w", err)
	}
	return predictions, nil
}

func (p *Predictor) predict(x []float64) (*Predictions, error) {
	if err := p.Features.Transform(x); err != nil {
		return nil, err
	}
	out, err := p.Model.Forward(x)
	if err != nil {
		return nil, err
	}
	for i, v := range out {
		if !finite(v) {
			return nil, fmt.Errorf("row %d: the model's output is %v: %w", i/p.Model.spec.Outputs, v, optim.ErrNotFinite)
		}
	}
	return p.interpret(out)
}

// interpret turns outputs of the model into predictions. It overwrites out.
func (p *Predictor) interpret(out []float64) (*Predictions, error) {
	if p.Schema.Task == datasets.Regression {
		if err := p.Targets.Inverse(out); err != nil {
			return nil, err
		}
		return &Predictions{Values: out}, nil
	}
	classes := len(p.Schema.Classes)
	logits := device.MatrixOf(out, len(out)/classes, classes)
	predictions := &Predictions{Classes: Argmax(logits), Probabilities: make([][]float64, logits.Rows)}
	if logits.Rows == 0 {
		return predictions, nil
	}
	host, err := device.Open("cpu")
	if err != nil {
		return nil, err
	}
	if err := host.Float64().Softmax(logits, logits); err != nil {
		return nil, err
	}
	for i := range predictions.Probabilities {
		predictions.Probabilities[i] = out[i*classes : (i+1)*classes : (i+1)*classes]
	}
	return predictions, nil
}

// Evaluate compares the model's answers for the rows of d with its targets. The
// features, task and classes of d must be those of the schema; open files with
// datasets.Options.Schema for that.
func (p *Predictor) Evaluate(d *datasets.Dataset) (*Evaluation, error) {
	e, err := p.evaluate(d)
	switch {
	case err != nil && d == nil:
		return nil, fmt.Errorf("evaluate: %w", err)
	case err != nil:
		return nil, fmt.Errorf("evaluate %s: %w", d.Name, err)
	}
	return e, nil
}

func (p *Predictor) evaluate(d *datasets.Dataset) (*Evaluation, error) {
	part, err := p.prepare(d)
	if err != nil {
		return nil, err
	}
	out, err := p.Model.Forward(part.x)
	if err != nil {
		return nil, err
	}
	e := &Evaluation{Rows: part.rows}
	var metric float64
	if e.Loss, metric, err = p.measure(out, part); err != nil {
		return nil, err
	}
	if e.Predictions, err = p.interpret(out); err != nil {
		return nil, err
	}
	if p.Schema.Task == datasets.Regression {
		e.R2 = metric
		e.MAE, err = MAE(device.MatrixOf(e.Predictions.Values, part.rows, 1), device.MatrixOf(d.Y, part.rows, 1))
		return e, err
	}
	e.Accuracy = metric
	e.Confusion, err = NewConfusion(e.Predictions.Classes, part.classes, len(p.Schema.Classes))
	return e, err
}

// part is a dataset as the model and its loss take it.
type part struct {
	rows    int
	x       []float64 // [rows, inputs], scaled
	targets []float64 // [rows, outputs], one-hot or scaled
	classes []int     // of each row, for classification
}

func (p *Predictor) prepare(d *datasets.Dataset) (*part, error) {
	if err := d.Check(); err != nil {
		return nil, err
	}
	if err := p.fits(d); err != nil {
		return nil, err
	}
	n := d.Len()
	rows := make([]int, n)
	for i := range rows {
		rows[i] = i
	}
	part := &part{rows: n, x: slices.Clone(d.X), targets: make([]float64, n*d.Outputs())}
	if err := p.Features.Transform(part.x); err != nil {
		return nil, err
	}
	if err := datasets.GatherTargets(part.targets, d, rows); err != nil {
		return nil, err
	}
	if d.Task == datasets.Regression {
		return part, p.Targets.Transform(part.targets)
	}
	part.classes = make([]int, n)
	for i, y := range d.Y {
		part.classes[i] = int(y)
	}
	return part, nil
}

// fits refuses a dataset that is not what the model was trained on.
func (p *Predictor) fits(d *datasets.Dataset) error {
	s := &p.Schema
	switch {
	case d.Task != s.Task:
		return fmt.Errorf("the dataset is for %v, the model does %v", d.Task, s.Task)
	case d.Inputs() != len(s.Features):
		return fmt.Errorf("the dataset has %d features, the model wants %d", d.Inputs(), len(s.Features))
	case len(d.Classes) > len(s.Classes):
		return fmt.Errorf("the dataset has %d classes, the model knows %d", len(d.Classes), len(s.Classes))
	case !slices.Equal(d.Classes, s.Classes):
		return fmt.Errorf("the dataset has the classes %q, the model %q", d.Classes, s.Classes)
	case d.Y == nil:
		return errors.New("the dataset has no targets")
	case d.Len() == 0:
		return errors.New("the dataset has no rows")
	}
	return nil
}

// measure returns the mean loss and the accuracy or R² of the model's outputs
// for a part, computed on the processor in float64.
func (p *Predictor) measure(out []float64, part *part) (loss, metric float64, err error) {
	host, err := device.Open("cpu")
	if err != nil {
		return 0, 0, err
	}
	cols := len(out) / part.rows
	predicted, targets := device.MatrixOf(out, part.rows, cols), device.MatrixOf(part.targets, part.rows, cols)
	if p.Schema.Task == datasets.Regression {
		if loss, err = host.Float64().MSE(out, part.targets); err != nil {
			return 0, 0, err
		}
		metric, err = R2(predicted, targets)
		return loss, metric, err
	}
	if loss, err = host.Float64().SoftmaxCrossEntropy(predicted, targets); err != nil {
		return 0, 0, err
	}
	metric, err = Accuracy(Argmax(predicted), part.classes)
	return loss, metric, err
}
