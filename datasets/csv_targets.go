package datasets

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// setTargets turns the target's cells into d's targets.
func (t *csvTable) setTargets(d *Dataset, opts Options) error {
	task := opts.Task
	if s := opts.Schema; s != nil {
		task = s.Task
		d.Task, d.Classes = task, slices.Clone(s.Classes)
		if !slices.ContainsFunc(t.labels, func(label string) bool { return !missing(label) }) {
			return nil
		}
	}
	values, numbers := t.parseLabels()
	for i, label := range t.labels {
		if missing(label) {
			t.bad.add(t.lines[i], t.target, label, "a target")
		}
	}
	if err := t.bad.err(); err != nil {
		return err
	}
	if task == AutoTask {
		task = autoTask(values, numbers)
	}
	d.Task = task
	switch {
	case task == Regression:
		for i, ok := range numbers {
			if !ok {
				t.bad.add(t.lines[i], t.target, t.labels[i], "a finite number, the task being regression")
			}
		}
		d.Y = values
	case opts.Schema != nil:
		for i, label := range t.labels {
			k := classIndex(label, d.Classes)
			if k < 0 {
				t.bad.add(t.lines[i], t.target, label,
					fmt.Sprintf("one of the model's %d classes: %s", len(d.Classes), quoteList(d.Classes, "or")))
			}
			values[i] = float64(k)
		}
		d.Y = values
	case !slices.Contains(numbers, false):
		d.Classes, d.Y = classesOfNumbers(values), values
	default:
		d.Y, d.Classes = classesOfText(t.labels)
	}
	return t.bad.err()
}

// parseLabels returns the value of each of the target's cells that is a number.
func (t *csvTable) parseLabels() (values []float64, numbers []bool) {
	values, numbers = make([]float64, len(t.labels)), make([]bool, len(t.labels))
	for i, label := range t.labels {
		values[i], numbers[i] = parseNumber(label)
	}
	return values, numbers
}

// autoTask applies the rule of Options.Task.
func autoTask(values []float64, numbers []bool) Task {
	if !slices.Contains(numbers, false) {
		if numbersAreClasses(values) {
			return Classification
		}
		return Regression
	}
	for i, v := range values {
		if numbers[i] && v != math.Trunc(v) {
			return Regression
		}
	}
	return Classification
}

// missing reports whether a cell says that its value is not known.
func missing(cell string) bool {
	switch strings.ToLower(cell) {
	case "", "?", "na", "n/a", "nan", "null":
		return true
	}
	return false
}

// cellErrors keeps the first cell that cannot be read and counts the others.
type cellErrors struct {
	file  string
	first string
	more  int
}

func (e *cellErrors) add(line int, column, cell, want string) {
	if e.first != "" {
		e.more++
		return
	}
	what := quote(cell)
	if missing(cell) {
		what = fmt.Sprintf("missing value (%s)", what)
	}
	e.first = fmt.Sprintf("line %d, column %s: %s, want %s", line, quote(column), what, want)
}

func (e *cellErrors) err() error {
	switch {
	case e.first == "":
		return nil
	case e.more == 0:
		return fmt.Errorf("%s: %s", e.file, e.first)
	default:
		return fmt.Errorf("%s: %s (and %d more like it)", e.file, e.first, e.more)
	}
}
