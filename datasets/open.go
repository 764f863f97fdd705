package datasets

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/affine-go/affine/datasets/internal/csvscan"
	"github.com/agnivade/levenshtein"
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

	// Target is the target column of a CSV file: its name or, if no column
	// has that name, its number counted from 1. Empty takes the last column.
	Target string
	// Task says what the targets of a CSV or NPZ file are. AutoTask finds out:
	// targets that are not all numbers are classes; numbers are classes if they
	// are whole, no more than 20 different ones, and on average each is seen
	// twice or more. Text among numbers with a fraction is an error: a cell of a
	// regression target that cannot be read.
	Task Task
	// CSV says how the columns of a CSV file are to be understood.
	CSV CSVOptions
	// Progress, if it is not nil, is called with the bytes of a CSV file that have
	// been read, from another goroutine and many times.
	Progress func(bytes int64)
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
//	idx:DIR   see [OpenIDX]; idx:FILE for images to be predicted
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

// SourceOf returns the source, as [Open] takes it, of a path whose kind is found
// out: idx:PATH for a directory and for a file that begins as an IDX file of
// images does, npz:PATH for one that begins as an archive does, else csv:PATH. A
// path that is a source already is returned as it is.
func SourceOf(path string) (string, error) {
	for _, kind := range []string{"csv:", "npz:", "idx:"} {
		if strings.HasPrefix(path, kind) {
			return path, nil
		}
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return "idx:" + path, nil
	}
	f, err := openRegular(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	var start [4]byte
	_, err = io.ReadFull(f, start[:])
	if err == nil && (string(start[:]) == "PK\x03\x04" || string(start[:]) == "PK\x05\x06") {
		return "npz:" + path, nil
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	if content, err := csvscan.Unpack(f); err == nil {
		if _, err = io.ReadFull(content, start[:]); err == nil && binary.BigEndian.Uint32(start[:]) == idxImages {
			return "idx:" + path, nil
		}
	}
	return "csv:" + path, nil
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

// onlyCSV checks that nothing is chosen that only CSV files have.
func (o *Options) onlyCSV(path string) error {
	if !o.CSV.isZero() {
		return usagef("%s: columns can be chosen for CSV files only", path)
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
	if s.Encoding != nil {
		return nil, fmt.Errorf("%s: the model was trained on a table, want a CSV file", d.Name)
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
	index, place := make([]float64, len(d.Classes)), make(map[string]int, len(s.Classes))
	for i, class := range s.Classes {
		place[class] = i
	}
	for i, class := range d.Classes {
		k, ok := place[class]
		if !ok {
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

// ErrUsage is matched, with errors.Is, by every error that means wrong use
// rather than bad data: an unknown name, or an option that cannot be.
var ErrUsage = errors.New("wrong use")

// usageError is an error that matches ErrUsage without saying so in its text.
type usageError struct{ text string }

func (e *usageError) Error() string        { return e.text }
func (e *usageError) Is(target error) bool { return target == ErrUsage }

func usagef(format string, args ...any) error {
	return &usageError{fmt.Sprintf(format, args...)}
}

// UnknownNameError says that no dataset has the name that was asked for. It
// matches [ErrUsage].
type UnknownNameError struct {
	Name    string   // what was asked for
	Nearest []string // what may have been meant, the likeliest first
}

func (e *UnknownNameError) Error() string {
	return fmt.Sprintf("no dataset %q: did you mean %s?", e.Name, quoteList(e.Nearest, "or"))
}

// Is reports whether target is [ErrUsage].
func (e *UnknownNameError) Is(target error) bool { return target == ErrUsage }

// maxNearest is how many names an UnknownNameError offers.
const maxNearest = 3

// unknownName says that name is not one of known.
func unknownName(name string, known []string) error {
	switch ext := strings.ToLower(filepath.Ext(name)); ext {
	case ".csv", ".npz":
		return &UnknownNameError{Name: name, Nearest: []string{ext[1:] + ":" + name}}
	}
	return &UnknownNameError{Name: name, Nearest: nearest(name, known)}
}

// nearest returns the names that take the fewest edits to reach from name.
func nearest(name string, names []string) []string {
	distance := func(n string) int { return levenshtein.ComputeDistance(strings.ToLower(name), n) }
	sorted := slices.Clone(names)
	slices.SortStableFunc(sorted, func(a, b string) int { return cmp.Compare(distance(a), distance(b)) })
	return sorted[:min(maxNearest, len(sorted))]
}

// maxQuoted is how many items quoteList writes out before it counts the rest.
const maxQuoted = 10

// quoteList writes "a", "b" or "c".
func quoteList(items []string, conjunction string) string {
	var s strings.Builder
	for i, item := range items {
		switch {
		case i == maxQuoted:
			fmt.Fprintf(&s, " %s %d more", conjunction, len(items)-i)
			return s.String()
		case i == 0:
		case i == len(items)-1:
			fmt.Fprintf(&s, " %s ", conjunction)
		default:
			s.WriteString(", ")
		}
		s.WriteString(quote(item))
	}
	return s.String()
}

// maxQuotedRunes is how much of a text from a file quote writes out.
const maxQuotedRunes = 80

// quote writes a text from a file between quotation marks. What should be one
// cell may be a whole file, of which an error shows the beginning.
func quote(text string) string {
	runes := 0
	for i := range text {
		if runes == maxQuotedRunes {
			return fmt.Sprintf("%q… (%d bytes)", text[:i], len(text))
		}
		runes++
	}
	return strconv.Quote(text)
}
