package datasets

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
)

// Dataset is a table of examples: one row per example, one column per feature,
// and one target per row.
type Dataset struct {
	Name string
	Task Task
	// Features names the columns of X.
	Features []string
	// Classes names the classes that Y indexes; nil for regression.
	Classes []string
	// TargetName names what Y holds.
	TargetName string
	// X holds the features of all rows, row after row: [Len, Inputs].
	X []float64
	// Y holds one target per row: a class index or a number. It is nil where
	// the targets are not known, as in rows that are to be predicted.
	Y []float64
	// ImageShape is the height and width of the images that the rows hold,
	// line by line; zero if the rows are not images.
	ImageShape [2]int
	// TestFrom is the first row of a test part that comes with the dataset, as
	// MNIST's does; 0 if there is none.
	TestFrom int
	// Table is what the features are if they are not encoded for a model yet, and
	// Encoding how they were; both are nil if they are for a model as they are.
	Table    *Table
	Encoding *Encoding
	// Notices tell what was decided without having been asked for, one line each.
	Notices []string
}

// Schema is what a model must know of the dataset that it was trained on in
// order to read other data: see [Options].
type Schema struct {
	Task       Task     `json:"task"`
	Features   []string `json:"features"`
	TargetName string   `json:"target"`
	Classes    []string `json:"classes,omitempty"`
	// Encoding makes the features of the columns of a table; nil if they are for
	// a model as they are.
	Encoding *Encoding `json:"encoding,omitempty"`
}

// Numbered reports whether features and classes have no names of their own: they
// are called x1, x2, … and 0, 1, …
func (s *Schema) Numbered() bool {
	for i, name := range s.Features {
		if name != "x"+strconv.Itoa(i+1) {
			return false
		}
	}
	for i, name := range s.Classes {
		if name != strconv.Itoa(i) {
			return false
		}
	}
	return true
}

// Len returns the number of rows.
func (d *Dataset) Len() int {
	if len(d.Features) == 0 {
		return 0
	}
	return len(d.X) / len(d.Features)
}

// Inputs returns the number of features, the columns of X.
func (d *Dataset) Inputs() int { return len(d.Features) }

// Outputs returns the number of values that a model puts out for a row: one
// per class, or 1 for regression.
func (d *Dataset) Outputs() int {
	if d.Task == Classification {
		return len(d.Classes)
	}
	return 1
}

// Row returns the features of row i: a view of X, not a copy. Like an index
// into a slice, i must be in [0, Len).
func (d *Dataset) Row(i int) []float64 {
	n := d.Inputs()
	return d.X[i*n : (i+1)*n : (i+1)*n]
}

// Schema returns a copy of what the dataset's columns mean.
func (d *Dataset) Schema() Schema {
	return Schema{
		Task:       d.Task,
		Features:   slices.Clone(d.Features),
		TargetName: d.TargetName,
		Classes:    slices.Clone(d.Classes),
		Encoding:   d.Encoding,
	}
}

// Subset returns a dataset with copies of the given rows, in the given order.
// It has no predefined test part. Like indices into a slice, the rows must be
// in [0, Len).
func (d *Dataset) Subset(rows []int) *Dataset {
	s := *d
	s.TestFrom = 0
	s.X = make([]float64, 0, len(rows)*d.Inputs())
	for _, i := range rows {
		s.X = append(s.X, d.Row(i)...)
	}
	if d.Y != nil {
		s.Y = make([]float64, len(rows))
		for i, row := range rows {
			s.Y[i] = d.Y[row]
		}
	}
	return &s
}

// ClassCounts returns how many rows each class has; nil for regression and
// for a dataset without targets.
func (d *Dataset) ClassCounts() []int {
	if d.Task != Classification || d.Y == nil {
		return nil
	}
	counts := make([]int, len(d.Classes))
	for _, y := range d.Y {
		if k := int(y); k >= 0 && k < len(counts) {
			counts[k]++
		}
	}
	return counts
}

// Check returns an error if the fields of the dataset contradict each other or
// hold values that are not finite, but for NaN in a [Table]. What this package returns passes it.
func (d *Dataset) Check() error {
	if d == nil {
		return errors.New("dataset is nil")
	}
	if err := d.check(); err != nil {
		return fmt.Errorf("dataset %q: %w", d.Name, err)
	}
	return nil
}

func (d *Dataset) check() error {
	n := d.Len()
	switch h, w := d.ImageShape[0], d.ImageShape[1]; {
	case d.Task != Classification && d.Task != Regression:
		return fmt.Errorf("task is %v, want %v or %v", d.Task, Classification, Regression)
	case len(d.Features) == 0:
		return fmt.Errorf("no features, want at least one")
	case n*len(d.Features) != len(d.X):
		return fmt.Errorf("X has %d values, want a multiple of %d, the number of features", len(d.X), len(d.Features))
	case d.Y != nil && len(d.Y) != n:
		return fmt.Errorf("Y has %d targets, want %d, one for each row", len(d.Y), n)
	case d.Task == Classification && len(d.Classes) == 0:
		return fmt.Errorf("no classes, want at least one")
	case d.Task == Regression && d.Classes != nil:
		return fmt.Errorf("%d classes, want none for regression", len(d.Classes))
	case d.ImageShape != [2]int{} && (h <= 0 || w <= 0 || h*w != len(d.Features)):
		return fmt.Errorf("images of %d×%d pixels do not fit rows of %d features", h, w, len(d.Features))
	case d.Table != nil && len(d.Table.Columns) != len(d.Features):
		return fmt.Errorf("the table has %d columns, want %d, one for each feature", len(d.Table.Columns), len(d.Features))
	case d.TestFrom < 0 || d.TestFrom > n:
		return fmt.Errorf("test part starts at row %d, want one of the %d rows", d.TestFrom, n)
	}
	for i, x := range d.X {
		if !finite(x) && !(d.Table != nil && math.IsNaN(x)) {
			row, column := i/len(d.Features), i%len(d.Features)
			return fmt.Errorf("X[%d, %d] (feature %q) is %v, want a finite number", row, column, d.Features[column], x)
		}
	}
	for i, y := range d.Y {
		switch {
		case d.Task == Regression && !finite(y):
			return fmt.Errorf("Y[%d] is %v, want a finite number", i, y)
		case d.Task == Classification && !(y >= 0 && y < float64(len(d.Classes)) && y == math.Trunc(y)):
			return fmt.Errorf("Y[%d] is %v, want the index of one of the %d classes", i, y, len(d.Classes))
		}
	}
	return nil
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// numbered returns prefix followed by first, first+1, … for n names.
func numbered(prefix string, first, n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = prefix + strconv.Itoa(first+i)
	}
	return names
}

// Task is what is to be learnt from a dataset.
type Task int

const (
	// AutoTask is no task: in [Options] it asks the loader to find out from the
	// targets.
	AutoTask Task = iota
	// Classification has targets that are indices of classes.
	Classification
	// Regression has targets that are numbers.
	Regression
)

var taskNames = [...]string{"auto", "classification", "regression"}

// ParseTask returns the task with the given name: auto, classification or
// regression.
func ParseTask(name string) (Task, error) {
	for i, n := range taskNames {
		if n == name {
			return Task(i), nil
		}
	}
	return AutoTask, usagef("task %q: want auto, classification or regression", name)
}

// String returns the name that [ParseTask] understands.
func (t Task) String() string {
	if t < 0 || int(t) >= len(taskNames) {
		return fmt.Sprintf("task(%d)", int(t))
	}
	return taskNames[t]
}

// MarshalText writes the task's name, so that JSON holds "classification".
func (t Task) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads a name as [ParseTask] does.
func (t *Task) UnmarshalText(text []byte) error {
	task, err := ParseTask(string(text))
	if err != nil {
		return err
	}
	*t = task
	return nil
}
