package main

import (
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/internal/format"
	"github.com/affine-go/affine/train"
)

type evalCommand struct {
	Run_      string   `arg:"" name:"run" help:"Run directory."`
	Split     *string  `placeholder:"NAME" help:"Part of the run's own dataset: train, validation, test or all (default: test)."`
	Dataset   string   `placeholder:"SOURCE" help:"Another dataset, all rows of it: a name, csv:FILE, npz:FILE or idx:DIR."`
	N         *int     `name:"n" placeholder:"ROWS" help:"Rows of a generated --dataset."`
	Noise     *float64 `placeholder:"X" help:"Noise of a generated --dataset."`
	Seed      *uint64  `placeholder:"N" help:"Seed of a generated --dataset (default: ${default_seed})."`
	Target    *string  `placeholder:"COLUMN" help:"Target column of a CSV --dataset (default: the one trained on)."`
	Device    *string  `placeholder:"NAME" help:"auto, cpu, cuda or cuda:N (default: that of the run)."`
	JSON      bool     `name:"json" help:"Print one JSON object and nothing else."`
	textFlags `embed:""`
}

func (evalCommand) Help() string {
	return `Measures the best epoch's weights of a run. The columns of a CSV file are found by name, in any order.

Examples:

    train eval runs/moons-001
    train eval runs/moons-001 --split train
    train eval runs/moons-001 --dataset moons --n 5000 --seed 7
    train eval runs/flowers-001 --dataset csv:more.csv --json`
}

// evaluation is what eval finds, as JSON. Numbers that are not finite are null.
type evaluation struct {
	Run       string          `json:"run"`
	Dataset   string          `json:"dataset"`
	Split     string          `json:"split"`
	Rows      int             `json:"rows"`
	Loss      *float64        `json:"loss"`
	Accuracy  *float64        `json:"accuracy,omitempty"`
	Classes   []string        `json:"classes,omitempty"`
	Confusion train.Confusion `json:"confusion,omitempty"` // [actual][predicted]
	Recall    []*float64      `json:"recall,omitempty"`    // of each class
	Precision []*float64      `json:"precision,omitempty"`
	F1        []*float64      `json:"f1,omitempty"`

	BalancedAccuracy *float64 `json:"balanced_accuracy,omitempty"`
	MacroF1          *float64 `json:"macro_f1,omitempty"`
	ROCAUC           *float64 `json:"roc_auc,omitempty"`
	LogLoss          *float64 `json:"log_loss,omitempty"`
	CalibrationError *float64 `json:"calibration_error,omitempty"`
	Majority         *float64 `json:"majority,omitempty"` // accuracy of guessing the largest class

	R2   *float64 `json:"r2,omitempty"`
	RMSE *float64 `json:"rmse,omitempty"`
	MAE  *float64 `json:"mae,omitempty"`
}

func (c *evalCommand) Run(t *terminal) error {
	run, err := openRun(c.Run_, c.Device)
	if err != nil {
		return err
	}
	defer run.Close()
	rows, split, err := c.rows(run)
	if err != nil {
		return err
	}
	found, err := run.Evaluate(rows)
	if err != nil {
		return err
	}
	result := newEvaluation(run, found)
	result.Run, result.Split, result.Dataset = c.Run_, split, run.Config.Dataset
	if c.Dataset != "" {
		result.Dataset = c.Dataset
	}
	if c.JSON {
		return t.printJSON(result)
	}
	result.print(t.stdout)
	return nil
}

// openRun loads a run, on its own device unless another one is named.
func openRun(dir string, device *string) (*train.Run, error) {
	if device == nil {
		return train.LoadRun(dir)
	}
	if err := checkDeviceName(*device); err != nil {
		return nil, err
	}
	return train.LoadRun(dir, train.LoadOnDevice(*device))
}

// rows returns the rows to measure and the name of the part that they are.
func (c *evalCommand) rows(run *train.Run) (*datasets.Dataset, string, error) {
	if c.Dataset == "" {
		if c.N != nil || c.Noise != nil || c.Seed != nil || c.Target != nil {
			return nil, "", usagef("--n, --noise, --seed and --target are for another dataset, want them with --dataset")
		}
		split := "test"
		set(&split, c.Split)
		d, err := ownRows(run, split)
		return d, split, err
	}
	if c.Split != nil {
		return nil, "", usagef("--split is a part of the run's own dataset, want it without --dataset")
	}
	if err := checkRows(c.N); err != nil {
		return nil, "", err
	}
	opts := datasets.Options{Noise: c.Noise, Seed: defaultSeed, Schema: &run.Schema}
	c.textFlags.apply(&opts.CSV)
	set(&opts.N, c.N)
	set(&opts.Seed, c.Seed)
	set(&opts.Target, c.Target)
	d, err := datasets.Open(c.Dataset, opts)
	if err == nil && d.Y == nil {
		err = fmt.Errorf("%s: no column %q with the targets; for rows without them there is the command predict", c.Dataset, run.Schema.TargetName)
	}
	return d, "all", err
}

// ownRows opens the dataset that the run was trained on, splits it as it was
// split then, and returns a part.
func ownRows(run *train.Run, split string) (*datasets.Dataset, error) {
	if err := oneOf("--split", split, []string{"train", "validation", "test", "all"}); err != nil {
		return nil, err
	}
	config := run.Config
	if split == "all" {
		config.Fractions = datasets.Fractions{}
	}
	d, err := datasets.Open(config.Dataset, config.DataOptions())
	if err != nil {
		return nil, err
	}
	if e := run.Schema.Encoding; e != nil && d.Table != nil { // fitted on the training part
		if d, err = e.Transform(d); err != nil {
			return nil, err
		}
	}
	parts, err := config.Split(d)
	if err != nil {
		return nil, err
	}
	part := map[string]*datasets.Dataset{"train": parts.Train, "validation": parts.Validation, "test": parts.Test, "all": parts.Train}[split]
	if part.Len() == 0 {
		return nil, fmt.Errorf("the run has no %s rows", split)
	}
	return part, nil
}

func newEvaluation(run *train.Run, e *train.Evaluation) *evaluation {
	result := &evaluation{Rows: e.Rows, Loss: finiteOrNil(e.Loss)}
	if run.Schema.Task == datasets.Regression {
		result.R2, result.RMSE, result.MAE = finiteOrNil(e.R2), finiteOrNil(e.RMSE), finiteOrNil(e.MAE)
		return result
	}
	result.Accuracy, result.Classes, result.Confusion = finiteOrNil(e.Accuracy), run.Schema.Classes, e.Confusion
	for _, v := range e.Confusion.Recall() {
		result.Recall = append(result.Recall, finiteOrNil(v))
	}
	for _, v := range e.Confusion.Precision() {
		result.Precision = append(result.Precision, finiteOrNil(v))
	}
	for _, v := range e.Confusion.F1() {
		result.F1 = append(result.F1, finiteOrNil(v))
	}
	result.BalancedAccuracy, result.MacroF1 = finiteOrNil(e.Scores.BalancedAccuracy), finiteOrNil(e.Scores.F1)
	result.ROCAUC, result.LogLoss = finiteOrNil(e.Scores.ROCAUC), finiteOrNil(e.Scores.LogLoss)
	result.CalibrationError, result.Majority = finiteOrNil(e.Scores.CalibrationError), finiteOrNil(e.Scores.Majority)
	return result
}

func finiteOrNil(x float64) *float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	return &x
}

func (e *evaluation) print(w io.Writer) {
	heading(w, "%s, %s: %s of %s", e.Run, e.Split, counted(e.Rows, "row"), e.Dataset)
	if e.Accuracy == nil {
		facts(w, "loss", format.Known(e.Loss), "R²", format.Score(e.R2), "root mean squared error", format.Known(e.RMSE), "mean absolute error", format.Known(e.MAE))
		return
	}
	facts(w, "loss", format.Known(e.Loss), "accuracy", format.Score(e.Accuracy), "balanced accuracy", format.Score(e.BalancedAccuracy),
		"macro F1", format.Score(e.MacroF1), "ROC AUC", format.Score(e.ROCAUC), "log loss", format.Known(e.LogLoss), "calibration error", format.Known(e.CalibrationError))
	if warning := majorityWarning(*e.Accuracy, *e.Majority); warning != "" {
		fmt.Fprintln(w, warning)
	}
	fmt.Fprintln(w)
	confusionTable(e).write(w)
}

// confusionTable has a row for each actual class and a column for each
// predicted one; at the end of a row stand the class's recall and F1, below
// a column its precision.
func confusionTable(e *evaluation) *table {
	headings := []string{"actual \\ predicted"}
	for _, name := range e.Classes {
		headings = append(headings, ">"+name)
	}
	rows := newTable(append(headings, ">recall", ">F1")...)
	for i, name := range e.Classes {
		cells := []string{name}
		for _, count := range e.Confusion[i] {
			cells = append(cells, strconv.Itoa(count))
		}
		rows.add(append(cells, format.Score(e.Recall[i]), format.Score(e.F1[i]))...)
	}
	cells := []string{"precision"}
	for _, v := range e.Precision {
		cells = append(cells, format.Score(v))
	}
	rows.add(append(cells, "", "")...)
	return rows
}

// majorityWarning says so if guessing the largest class for every row would be as
// good.
func majorityWarning(accuracy, majority float64) string {
	if accuracy > majority {
		return ""
	}
	return fmt.Sprintf("warning: guessing the most frequent class for every row has the accuracy %.4f: the model has learnt nothing more", majority)
}
