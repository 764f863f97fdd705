package main

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/train"
)

type predictCommand struct {
	Run_      string  `arg:"" name:"run" help:"Run directory or model file."`
	Input     string  `required:"" placeholder:"FILE" help:"Rows to predict: a CSV file, an NPZ file, an IDX file of images or a directory of IDX files; - for CSV from standard input."`
	Output    string  `placeholder:"FILE" help:"Where to write them: a CSV file or, if it ends in .npz, arrays (default: CSV to standard output)."`
	Proba     bool    `negatable:"" default:"true" help:"Write the probability of each class too."`
	Target    *string `placeholder:"COLUMN" help:"Column of a CSV file to measure the predictions against (default: the one trained on)."`
	Device    *string `placeholder:"NAME" help:"auto, cpu, cuda or cuda:N (default: that of the run)."`
	textFlags `embed:""`
}

func (predictCommand) Help() string {
	return `Writes the rows of a CSV file with the predictions as further columns: "prediction" and, for classification, "p(CLASS)" with the probability of each class. Columns are found by their names, in any order, and prepared as they were for the training; others are copied. A file of any length takes the same memory, unless an NPZ file is written. For arrays, only the predictions are written.

If there are targets, the predictions are also measured against them.

In a CSV file that is written, a text that a spreadsheet would take for a formula begins with an apostrophe. An NPZ file holds the array "prediction" (indices into "classes", or values) and "probability".

Examples:

    train predict runs/iris-001 --input flowers.csv
    train predict runs/iris-001 --input flowers.csv --output named.csv
    train predict runs/mnist-001 --input t10k-images-idx3-ubyte.gz --output digits.npz
    cat flowers.csv | train predict runs/iris-001 --input - | head`
}

func (c *predictCommand) Run(t *terminal) error {
	p, err := openPredictor(c.Run_, c.Device)
	if err != nil {
		return err
	}
	defer p.Close()
	if c.Output != "" {
		if err := checkOutput(c.Output); err != nil {
			return err
		}
	}
	s := &predicting{predictor: p, proba: c.Proba}
	if strings.EqualFold(filepath.Ext(c.Output), ".npz") {
		s.arrays = &predictedArrays{schema: &p.Schema, proba: c.Proba}
		if err := c.predict(t, s, nil); err != nil {
			return err
		}
		var data bytes.Buffer
		if err := s.arrays.write(&data); err != nil {
			return err
		}
		err = writeOutput(t, c.Output, data.Bytes())
	} else {
		write := func(w io.Writer) error { return c.predict(t, s, w) }
		if c.Output == "" {
			err = write(t.stdout)
		} else {
			err = writeOutputBy(t, c.Output, write)
		}
	}
	if err != nil {
		return err
	}
	where := c.Output
	if where == "" {
		where = "standard output"
	}
	fmt.Fprintf(t.stderr, "%s with predictions to %s\n", counted(s.rows, "row"), where)
	if text := s.measures(); text != "" {
		fmt.Fprintln(t.stderr, text)
	}
	return nil
}

// openPredictor loads the model of a run, on the run's device unless another one
// is named, or a model file.
func openPredictor(path string, device *string) (*train.Predictor, error) {
	// An imported model is a directory without the settings of a run.
	if _, err := os.Stat(filepath.Join(path, train.ConfigFile)); err == nil {
		run, err := openRun(path, device)
		if err != nil {
			return nil, err
		}
		return run.Predictor, nil
	}
	if device == nil {
		return train.LoadPredictor(path)
	}
	if err := checkDeviceName(*device); err != nil {
		return nil, err
	}
	return train.LoadPredictor(path, train.LoadOnDevice(*device))
}

// predict reads the input and writes the rows to w, or keeps them for arrays.
func (c *predictCommand) predict(t *terminal, s *predicting, w io.Writer) error {
	opts := datasets.Options{Schema: &s.predictor.Schema}
	c.textFlags.apply(&opts.CSV)
	if c.Target != nil {
		opts.Target = *c.Target
	}
	if c.Input == "-" {
		return s.csv(t, w, t.stdin, "standard input", opts)
	}
	source, err := datasets.SourceOf(c.Input)
	if err != nil {
		return err
	}
	path, isCSV := strings.CutPrefix(source, "csv:")
	if !isCSV {
		return s.table(w, source, opts)
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	reading := watchReading(t, path)
	defer reading.end()
	if opts.Progress = reading.told; w != nil && isTerminal(w) {
		opts.Progress = nil // the rows are to be seen
	}
	return s.csv(t, w, f, path, opts)
}

// predicting predicts batches of rows, writes them, and measures them where
// targets are known.
type predicting struct {
	predictor *train.Predictor
	proba     bool
	arrays    *predictedArrays // nil if the rows are written
	rows      int

	out      []float64
	measured int // rows with a target
	target   string
	right    int
	absolute float64 // Σ|y − p|
	squared  float64 // Σ(y − p)²
	mean     float64 // of y
	spread   float64 // Σ(y − mean)²
}

// csv predicts the rows of a CSV file.
func (s *predicting) csv(t *terminal, w io.Writer, r io.Reader, name string, opts datasets.Options) error {
	var lines *predictedLines
	err := datasets.ScanCSV(r, name, opts, func(b *datasets.CSVBatch) error {
		if err := s.batch(b.Dataset); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if s.arrays != nil {
			return nil
		}
		if lines == nil {
			lines = &predictedLines{w: w, schema: &s.predictor.Schema, proba: s.proba, separator: b.Separator}
			if err := lines.header(b.Header); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		if err := b.Cells(func(row int, cells [][]byte) error { return lines.row(cells, s.answer(row)) }); err != nil {
			return err
		}
		return lines.flush()
	})
	return err
}

// table predicts the rows of arrays.
func (s *predicting) table(w io.Writer, source string, opts datasets.Options) error {
	lines := &predictedLines{w: w, schema: &s.predictor.Schema, proba: s.proba, separator: ','}
	if s.arrays == nil {
		if err := lines.header(nil); err != nil {
			return err
		}
	}
	return datasets.ScanArrays(source, opts, func(d *datasets.Dataset) error {
		if err := s.batch(d); err != nil {
			return fmt.Errorf("%s: %w", d.Name, err)
		}
		if s.arrays != nil {
			return nil
		}
		for row := range d.Len() {
			if err := lines.row(nil, s.answer(row)); err != nil {
				return err
			}
		}
		return lines.flush()
	})
}

// answer returns what the model puts out for a row of the last batch.
func (s *predicting) answer(row int) []float64 {
	n := s.predictor.Outputs()
	return s.out[row*n : (row+1)*n]
}

// batch predicts some rows.
func (s *predicting) batch(d *datasets.Dataset) error {
	n := d.Len() * s.predictor.Outputs()
	if cap(s.out) < n {
		s.out = make([]float64, n)
	}
	s.out = s.out[:n]
	if err := s.predictor.PredictInto(s.out, d.X); err != nil {
		return err
	}
	s.rows += d.Len()
	if s.arrays != nil {
		s.arrays.add(s.out)
	}
	s.target = d.TargetName
	for row, y := range d.Y {
		if math.IsNaN(y) {
			continue
		}
		s.measured++
		if d.Task == datasets.Classification {
			if mostProbable(s.answer(row)) == int(y) {
				s.right++
			}
			continue
		}
		e := y - s.out[row]
		s.absolute += math.Abs(e)
		s.squared += e * e
		before := y - s.mean // Welford's update
		s.mean += before / float64(s.measured)
		s.spread += before * (y - s.mean)
	}
	return nil
}

// mostProbable returns the index of the largest probability, the first of those
// that are equal.
func mostProbable(p []float64) int { return slices.Index(p, slices.Max(p)) }

// measures says how good the predictions are, if targets are known.
func (s *predicting) measures() string {
	n := float64(s.measured)
	switch {
	case s.measured == 0:
		return ""
	case s.predictor.Schema.Task == datasets.Classification:
		return fmt.Sprintf("against column %q: accuracy %.4f", s.target, float64(s.right)/n)
	}
	return fmt.Sprintf("against column %q: R² %.4f, mean absolute error %.4g", s.target, 1-s.squared/s.spread, s.absolute/n)
}
