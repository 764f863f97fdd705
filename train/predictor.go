package train

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/layer/device"
	"github.com/affine-go/affine/train/optim"
	"gorgonia.org/tensor"
)

// Predictor is a trained model with all that turns rows of features into
// classes or values: what the columns mean, and how they were scaled for
// training. It comes from [LoadPredictor], [ReadPredictor], [Fit] or
// [Trainer.Predictor], holds one set of weights that nobody changes any more,
// and may be used by any number of goroutines at once. No Gorgonia graph is
// built: a prediction is a call to the device for each layer.
//
// A row's answer has the same bits alone, in a batch of any size and on any
// number of threads.
//
// The fields describe the model; they must not be changed.
type Predictor struct {
	Schema   datasets.Schema
	Features *datasets.Scaler
	Targets  *datasets.Scaler // of regression, nil for classification

	model *Model
}

// NewPredictor returns a predictor with a copy of the weights of m. The schema
// names the columns of its input and, for classification, the classes; features
// scales its input and targets, for regression alone, its output.
func NewPredictor(m *Model, schema datasets.Schema, features, targets *datasets.Scaler) (*Predictor, error) {
	h := Metadata{Task: m.spec.Task, Widths: m.spec.widths(), Schema: schema, Features: features, Targets: targets}
	if err := h.check(); err != nil {
		return nil, fmt.Errorf("new predictor: %w", err)
	}
	frozen, err := m.clone()
	if err != nil {
		return nil, fmt.Errorf("new predictor: %w", err)
	}
	return &Predictor{Schema: schema, Features: features, Targets: targets, model: frozen}, nil
}

// Spec returns what the model was built from.
func (p *Predictor) Spec() Spec { return p.model.spec }

// String describes the model, as "2-16-16-2 relu, classification, 354 parameters,
// float32, fused on cpu".
func (p *Predictor) String() string { return p.model.String() }

// Parameters returns the number of weights and biases.
func (p *Predictor) Parameters() int { return p.model.Parameters() }

// Weights returns copies of the learnables under the names of [Model.Weights].
func (p *Predictor) Weights() (map[string]*tensor.Dense, error) { return p.model.copyWeights() }

// Outputs returns how many numbers [Predictor.PredictInto] writes for a row: the
// probability of each class or, for regression, one value.
func (p *Predictor) Outputs() int { return p.model.spec.Outputs }

// Close gives back the device. The predictor must not be used afterwards.
func (p *Predictor) Close() error { return p.model.spec.Device.Close() }

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
	// Accuracy, Confusion and Scores are for classification.
	Accuracy  float64
	Confusion Confusion
	Scores    *ClassScores
	// R2, and RMSE and MAE on the scale of the dataset's targets, are for
	// regression.
	R2, RMSE, MAE float64

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
	out := make([]float64, len(rows)*p.Outputs())
	if err := p.outputs(out, x); err != nil {
		return nil, fmt.Errorf("predict: %w", err)
	}
	predictions, err := p.predictions(out)
	if err != nil {
		return nil, fmt.Errorf("predict: %w", err)
	}
	return predictions, nil
}

// PredictInto writes the answers for rows, each with the features of the schema
// in its order, to dst: for each row the probabilities of the classes or, for
// regression, the value on the scale of the dataset's targets. Both are in
// row-major order. After the first calls it allocates nothing.
func (p *Predictor) PredictInto(dst, rows []float64) error {
	err := p.outputs(dst, rows)
	if err == nil {
		err = p.answers(dst)
	}
	if err != nil {
		return fmt.Errorf("predict: %w", err)
	}
	return nil
}

// outputs computes what the model gives for rows, logits or scaled values.
func (p *Predictor) outputs(dst, rows []float64) error {
	inputs, outputs := p.model.spec.Inputs, p.model.spec.Outputs
	if len(rows)%inputs != 0 {
		return fmt.Errorf("got %d values, want rows of %d features", len(rows), inputs)
	}
	if n := len(rows) / inputs; len(dst) != n*outputs {
		return fmt.Errorf("got room for %d values, want %d for %d rows", len(dst), n*outputs, n)
	}
	for i, v := range rows {
		if !finite(v) {
			return fmt.Errorf("row %d: feature %q is %v, want a finite number", i/inputs, p.Schema.Features[i%inputs], v)
		}
	}
	if err := p.model.network.Forward(dst, rows, p.Features); err != nil {
		return err
	}
	for i, v := range dst {
		if !finite(v) {
			return fmt.Errorf("row %d: the model's output is %v: %w", i/outputs, v, optim.ErrNotFinite)
		}
	}
	return nil
}

// answers turns outputs of the model, logits or scaled values, into
// probabilities or values, in place.
func (p *Predictor) answers(out []float64) error {
	if p.Schema.Task == datasets.Regression {
		return p.Targets.Inverse(out)
	}
	if len(out) == 0 {
		return nil
	}
	host, err := device.Open("cpu")
	if err != nil {
		return err
	}
	classes := p.model.spec.Outputs
	logits := device.MatrixOf(out, len(out)/classes, classes)
	return host.Float64().Softmax(logits, logits)
}

// predictions lists the answers for outputs of the model, row by row. It keeps
// and overwrites out.
func (p *Predictor) predictions(out []float64) (*Predictions, error) {
	if p.Schema.Task == datasets.Regression {
		return &Predictions{Values: out}, p.answers(out)
	}
	n, classes := len(out)/p.Outputs(), p.Outputs()
	// The classes are those of the logits: probabilities may round to ties.
	list := &Predictions{Classes: Argmax(device.MatrixOf(out, n, classes)), Probabilities: make([][]float64, n)}
	for i := range list.Probabilities {
		list.Probabilities[i] = out[i*classes : (i+1)*classes : (i+1)*classes]
	}
	return list, p.answers(out)
}

// Evaluate compares the model's answers for the rows of d with its targets. The
// features, task and classes of d must be those of the schema; open files with
// datasets.Options.Schema for that.
func (p *Predictor) Evaluate(d *datasets.Dataset) (*Evaluation, error) {
	return p.evaluateBy(p.model.Forward, d)
}

// evaluateBy is Evaluate with another way to the model's outputs.
func (p *Predictor) evaluateBy(forward func(x []float64) ([]float64, error), d *datasets.Dataset) (*Evaluation, error) {
	e, err := p.evaluate(forward, d)
	switch {
	case err != nil && d == nil:
		return nil, fmt.Errorf("evaluate: %w", err)
	case err != nil:
		return nil, fmt.Errorf("evaluate %s: %w", d.Name, err)
	}
	return e, nil
}

func (p *Predictor) evaluate(forward func(x []float64) ([]float64, error), d *datasets.Dataset) (*Evaluation, error) {
	part, err := p.prepare(d)
	if err != nil {
		return nil, err
	}
	out, err := forward(part.x)
	if err != nil {
		return nil, err
	}
	e := &Evaluation{Rows: part.rows}
	var metric float64
	if e.Loss, metric, err = p.measure(out, part); err != nil {
		return nil, err
	}
	if e.Predictions, err = p.predictions(out); err != nil {
		return nil, err
	}
	if p.Schema.Task == datasets.Regression {
		predicted, targets := device.MatrixOf(e.Predictions.Values, part.rows, 1), device.MatrixOf(d.Y, part.rows, 1)
		e.R2 = metric
		if e.RMSE, err = RMSE(predicted, targets); err != nil {
			return nil, err
		}
		e.MAE, err = MAE(predicted, targets)
		return e, err
	}
	e.Accuracy = metric
	if e.Scores, err = NewClassScores(device.MatrixOf(out, part.rows, p.Outputs()), part.classes); err != nil {
		return nil, err
	}
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

// some returns at most so many rows, evenly picked.
func (p *part) some(most int) *part {
	inputs, outputs := len(p.x)/p.rows, len(p.targets)/p.rows
	few := &part{rows: min(p.rows, most)}
	for i := range few.rows {
		row := i * p.rows / few.rows
		few.x = append(few.x, p.x[row*inputs:(row+1)*inputs]...)
		few.targets = append(few.targets, p.targets[row*outputs:(row+1)*outputs]...)
		if p.classes != nil {
			few.classes = append(few.classes, p.classes[row])
		}
	}
	return few
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

// Columns returns the names of the columns that a row of the model's data has, as
// they were before categories became features.
func (p *Predictor) Columns() []string {
	if p.Schema.Encoding == nil {
		return slices.Clone(p.Schema.Features)
	}
	var names []string
	for _, c := range p.Schema.Encoding.Columns() {
		names = append(names, c.Name)
	}
	return names
}

// PredictRecords returns the model's answers for rows whose cells have the names
// of [Predictor.Columns]; other names are ignored. A cell is a number, a text, a
// bool, or nil or absent if it is missing. Texts are read as the cells of a CSV
// file are, and missing cells are what they were to the training: imputed, or an
// error.
func (p *Predictor) PredictRecords(records []map[string]any) (*Predictions, error) {
	d, err := p.table(records)
	if err != nil {
		return nil, fmt.Errorf("predict: %w", err)
	}
	out := make([]float64, len(records)*p.Outputs())
	if err := p.outputs(out, d.X); err != nil {
		return nil, fmt.Errorf("predict: %w", err)
	}
	predictions, err := p.predictions(out)
	if err != nil {
		return nil, fmt.Errorf("predict: %w", err)
	}
	return predictions, nil
}

// table reads records as a CSV file is read, so that there is one way from cells
// to features.
func (p *Predictor) table(records []map[string]any) (*datasets.Dataset, error) {
	if len(records) == 0 {
		return &datasets.Dataset{}, nil
	}
	var text bytes.Buffer
	w := csv.NewWriter(&text)
	columns := p.Columns()
	if err := w.Write(columns); err != nil {
		return nil, err
	}
	cells := make([]string, len(columns))
	for i, record := range records {
		for j, name := range columns {
			cell, err := cellOf(record[name])
			if err != nil {
				return nil, fmt.Errorf("record %d: column %q %w", i, name, err)
			}
			cells[j] = cell
		}
		if len(cells) == 1 && cells[0] == "" { // not an empty line
			cells[0] = "NA"
		}
		if err := w.Write(cells); err != nil {
			return nil, err
		}
	}
	w.Flush()
	opts := datasets.Options{Schema: &p.Schema}
	opts.CSV.Separator, opts.CSV.DecimalPoint, opts.CSV.Charset = ",", ".", "utf-8"
	return datasets.ReadCSV(&text, "records", opts)
}

// cellOf writes a value as a cell of a CSV file, such that reading gives the same
// number back.
func cellOf(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64), nil
	case float32:
		return strconv.FormatFloat(float64(v), 'g', -1, 64), nil
	case bool, int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64:
		return fmt.Sprint(v), nil
	}
	return "", fmt.Errorf("is a %T, want a number, a text, a bool or nil", v)
}
