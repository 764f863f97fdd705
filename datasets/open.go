package datasets

import (
	"fmt"
	"slices"
	"strings"
)

// Options are what can be chosen about a dataset; the zero value takes the
// defaults. An option that the source does not have is an error.
type Options struct {
	// N is the number of rows and Noise the amount of noise of a built-in
	// dataset; 0 and nil take those that [Describe] tells. Seed is the seed that
	// the dataset is generated with.
	N     int
	Noise *float64
	Seed  uint64

	// Target is the target column of a CSV file: its name or, where no column
	// has that name, its number counted from 1. Empty takes the last column.
	Target string
	// Task says what the targets of a CSV or NPZ file are. AutoTask finds out:
	// targets that are not all numbers are classes; numbers are classes if they
	// are whole, no more than 20 different ones, and on average each is seen
	// twice or more. Text among numbers with a fraction is an error: a cell of a
	// regression target that cannot be read.
	Task Task
	// Schema is what a model was trained on, to read other data for it. The
	// columns of a CSV file are then found by name, in any order, and others
	// are ignored; the targets become indices into the schema's classes; and a
	// CSV or NPZ file may have no targets at all.
	Schema *Schema
}

// Open returns the dataset that a source names:
//
//	NAME      a built-in dataset, see [Load] and [Names]
//	csv:FILE  see [OpenCSV]
//	npz:FILE  see [OpenNPZ]
//	idx:DIR   see [OpenIDX]
func Open(source string, opts Options) (*Dataset, error) {
	kind, path, isFile := strings.Cut(source, ":")
	if !isFile {
		return Load(source, opts)
	}
	kinds := []string{"csv:FILE", "npz:FILE", "idx:DIR"}
	if !slices.ContainsFunc(kinds, func(k string) bool { return strings.HasPrefix(k, kind+":") }) {
		return nil, unknownName(source, kinds)
	}
	if path == "" {
		return nil, usagef("%q names no file, want %s", source, quoteList(kinds, "or"))
	}
	switch kind {
	case "csv":
		return OpenCSV(path, opts)
	case "npz":
		return OpenNPZ(path, opts)
	default:
		return OpenIDX(path, opts)
	}
}

// forFile checks that no option is set that only built-in datasets have, and
// that task and schema do not contradict each other.
func (o *Options) forFile(path string) error {
	if o.N != 0 || o.Noise != nil {
		return usagef("%s: rows and noise can be chosen for built-in datasets only, not for a file", path)
	}
	if o.Schema != nil && o.Task != AutoTask && o.Task != o.Schema.Task {
		return usagef("%s: task %v asked for, but the model does %v", path, o.Task, o.Schema.Task)
	}
	return nil
}

// conform returns d with its targets as indices into the classes of the
// options' schema, or an error if d is not what the schema describes. Without a
// schema it returns d as it is.
func (o *Options) conform(d *Dataset) (*Dataset, error) {
	s := o.Schema
	if s == nil {
		return d, nil
	}
	if d.Task != s.Task {
		return nil, fmt.Errorf("%s: the dataset is for %v, the model does %v", d.Name, d.Task, s.Task)
	}
	if d.Inputs() != len(s.Features) {
		return nil, fmt.Errorf("%s: %d features, the model wants %d", d.Name, d.Inputs(), len(s.Features))
	}
	if s.Task == Regression {
		return d, nil
	}
	index := make([]float64, len(d.Classes))
	for i, class := range d.Classes {
		k := slices.Index(s.Classes, class)
		if k < 0 {
			return nil, fmt.Errorf("%s: class %s is not one of the model's %d: %s",
				d.Name, quote(class), len(s.Classes), quoteList(s.Classes, "and"))
		}
		index[i] = float64(k)
	}
	for i, y := range d.Y {
		d.Y[i] = index[int(y)]
	}
	d.Classes = slices.Clone(s.Classes)
	return d, nil
}
