package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/train"
)

type predictCommand struct {
	Run_   string  `arg:"" name:"run" help:"Run directory."`
	Input  string  `required:"" placeholder:"FILE.csv" help:"Rows to predict, with the names of the columns in the first line; - for standard input."`
	Output string  `placeholder:"FILE.csv" help:"Where to write them (default: standard output)."`
	Device *string `placeholder:"NAME" help:"auto, cpu, cuda or cuda:N (default: that of the run)."`
}

func (predictCommand) Help() string {
	return `Writes the input with the predictions as further columns: "prediction" and, for classification, "p(CLASS)" with the probability of each class. Features are found by their names, in any order; other columns are copied. If a column holds the targets, the predictions are also measured against them, as eval does.

Examples:

    train predict runs/iris-001 --input flowers.csv
    train predict runs/iris-001 --input flowers.csv --output named.csv
    cat flowers.csv | train predict runs/iris-001 --input - | head`
}

func (c *predictCommand) Run(t *terminal) error {
	run, err := openRun(c.Run_, c.Device)
	if err != nil {
		return err
	}
	defer run.Close()
	name, text, err := c.read(t)
	if err != nil {
		return err
	}
	d, err := datasets.ReadCSV(bytes.NewReader(text), name, datasets.Options{Schema: &run.Schema})
	if err != nil {
		return err
	}
	rows := make([][]float64, d.Len())
	for i := range rows {
		rows[i] = d.Row(i)
	}
	predictions, err := run.Predict(rows)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	written, err := withPredictions(text, run.Schema, predictions)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return c.write(t, run, d, written)
}

// read returns the input and what to call it in errors.
func (c *predictCommand) read(t *terminal) (name string, text []byte, err error) {
	if c.Input == "-" {
		text, err = io.ReadAll(t.stdin)
		return "standard input", text, err
	}
	text, err = os.ReadFile(c.Input)
	if pathError := (*os.PathError)(nil); errors.As(err, &pathError) {
		err = fmt.Errorf("read %s: %w", c.Input, pathError.Err)
	}
	return c.Input, text, err
}

// write writes the rows as a whole and, where the targets are known, says how
// good the predictions are.
func (c *predictCommand) write(t *terminal, run *train.Run, d *datasets.Dataset, written []byte) error {
	if c.Output == "" {
		if _, err := t.stdout.Write(written); err != nil {
			return fmt.Errorf("write predictions: %w", err)
		}
	} else if err := writeOutput(t, c.Output, written); err != nil {
		return err
	}
	where := c.Output
	if where == "" {
		where = "standard output"
	}
	fmt.Fprintf(t.stderr, "%d rows with predictions to %s\n", d.Len(), where)
	if d.Y == nil {
		return nil
	}
	found, err := run.Evaluate(d)
	if err != nil {
		return err
	}
	if d.Task == datasets.Regression {
		fmt.Fprintf(t.stderr, "against column %q: R² %.4f, mean absolute error %.4g\n", d.TargetName, found.R2, found.MAE)
	} else {
		fmt.Fprintf(t.stderr, "against column %q: accuracy %.4f\n", d.TargetName, found.Accuracy)
	}
	return nil
}
