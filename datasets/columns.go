package datasets

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Kind is what the cells of a column of a CSV file are.
type Kind string

// The kinds of columns.
const (
	Numeric     Kind = "numeric"
	Categorical Kind = "categorical" // one of a few texts
	Boolean     Kind = "boolean"     // true or false, yes or no
	Date        Kind = "date"        // days since 1970-01-01
)

// Missing is what becomes of rows with missing values: cells that are empty or
// hold ?, NA, N/A, NaN or null.
type Missing string

// What can become of rows with missing values.
const (
	// ImputeMissing fills in the median of the training part's numbers or its
	// most frequent category, and adds a feature that says so. It is the default.
	ImputeMissing Missing = "impute"
	// DropMissing leaves such rows out. In data that are read for a model they
	// are filled in as ImputeMissing does.
	DropMissing Missing = "drop"
	// RefuseMissing makes a missing value an error.
	RefuseMissing Missing = "error"
)

// ParseMissing returns the way with the given name: impute, drop or error; ""
// is impute.
func ParseMissing(name string) (Missing, error) {
	switch m := Missing(name); m {
	case "":
		return ImputeMissing, nil
	case ImputeMissing, DropMissing, RefuseMissing:
		return m, nil
	}
	return "", usagef("missing %q: want impute, drop or error", name)
}

// CSVOptions say how the columns of a CSV file are to be understood, where what
// is found out by looking at them is not what is wanted. A column is given by
// its name or, if no column has that name, by its number counted from 1.
type CSVOptions struct {
	Numeric     []string `json:"numeric,omitempty"`     // columns of numbers
	Categorical []string `json:"categorical,omitempty"` // columns of categories
	Dates       []string `json:"dates,omitempty"`       // columns of dates, as days since 1970-01-01
	Drop        []string `json:"drop,omitempty"`        // columns that are no features
	Only        []string `json:"only,omitempty"`        // the only columns that are features, if any is named
	// Missing is what becomes of rows with missing values.
	Missing Missing `json:"missing,omitempty"`
	// MaxCategories is how many categories of a column get a feature each, the
	// most frequent ones; the rest share one. 0 stands for 32.
	MaxCategories int `json:"max_categories,omitempty"`
	// Separator of cells: one of , ; | and tab. Empty finds out.
	Separator string `json:"separator,omitempty"`
	// DecimalPoint is "." or ",". Empty finds out.
	DecimalPoint string `json:"decimal_point,omitempty"`
	// Charset is utf-8, utf-16, utf-16le, utf-16be, latin-1 or windows-1252. Empty
	// takes UTF-16 with a byte order mark for that, and every cell that is not
	// UTF-8 for Windows-1252, of which Latin-1 is a part.
	Charset string `json:"charset,omitempty"`
}

// isZero reports whether nothing is chosen.
func (o *CSVOptions) isZero() bool {
	return len(o.Numeric)+len(o.Categorical)+len(o.Dates)+len(o.Drop)+len(o.Only) == 0 &&
		o.Missing == "" && o.MaxCategories == 0 && o.Separator == "" && o.DecimalPoint == "" && o.Charset == ""
}

// defaultMaxCategories is how many categories get a feature each.
const defaultMaxCategories = 32

// Table is what the features of a dataset are that are not encoded yet, as a CSV
// file has them: X holds NaN for a missing value and, for a categorical column,
// the index of the category. [FitEncoding] and [Encoding.Transform] make
// features for a model of it.
type Table struct {
	Columns       []Column // one for each feature
	Missing       Missing
	MaxCategories int
}

// Column is a column of a [Table].
type Column struct {
	Name       string   `json:"name"`
	Kind       Kind     `json:"kind"`
	Categories []string `json:"categories,omitempty"` // of a categorical column, sorted
}

// ColumnSummary describes a column for people.
type ColumnSummary struct {
	Name     string `json:"name"`
	Kind     string `json:"kind"`
	Missing  int    `json:"missing"`  // values
	Distinct int    `json:"distinct"` // different values
	Example  string `json:"example"`  // the first value
}

// Columns describes the features of d and, last, its target.
func (d *Dataset) Columns() []ColumnSummary {
	list := make([]ColumnSummary, 0, d.Inputs()+1)
	for i, name := range d.Features {
		column := Column{Name: name, Kind: Numeric}
		if d.Table != nil {
			column = d.Table.Columns[i]
		}
		values := make([]float64, d.Len())
		for row := range values {
			values[row] = d.X[row*d.Inputs()+i]
		}
		list = append(list, column.summary(values))
	}
	if d.Y == nil {
		return list
	}
	target := Column{Name: d.TargetName, Kind: Numeric}
	if d.Task == Classification {
		target.Kind, target.Categories = Categorical, d.Classes
	}
	s := target.summary(slices.Clone(d.Y))
	s.Kind = "target, " + d.Task.String()
	return append(list, s)
}

// summary describes the column with the given values, which it overwrites.
func (c *Column) summary(values []float64) ColumnSummary {
	s := ColumnSummary{Name: c.Name, Kind: string(c.Kind)}
	present := slices.DeleteFunc(values, math.IsNaN)
	s.Missing = len(values) - len(present)
	if len(present) > 0 {
		s.Example = c.text(present[0])
	}
	slices.Sort(present)
	s.Distinct = len(slices.Compact(present))
	return s
}

// text writes a value as it may have stood in the file.
func (c *Column) text(v float64) string {
	switch c.Kind {
	case Categorical:
		return c.Categories[int(v)]
	case Boolean:
		return strconv.FormatBool(v != 0)
	case Date:
		at := time.Unix(0, 0).UTC().Add(time.Duration(math.Round(v*86400)) * time.Second)
		if v == math.Trunc(v) {
			return at.Format(time.DateOnly)
		}
		return at.Format(time.DateTime)
	}
	return numberLabel(v)
}

// dateLayouts are the ways to write a date that are understood: ISO 8601 and RFC
// 3339, and year, month, day with slashes, and day.month.year.
var dateLayouts = []string{
	time.DateOnly, time.DateTime, time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02T15:04",
	"2006-01-02 15:04:05Z07:00", "2006/01/02", "2006/01/02 15:04:05", "2006/01/02 15:04", "02.01.2006", "02.01.2006 15:04", "02.01.2006 15:04:05",
}

// parseDate returns the days since 1970-01-01, UTC if no zone is given.
func parseDate(cell []byte) (float64, bool) {
	if len(cell) < 8 || len(cell) > 40 {
		return 0, false
	}
	for _, layout := range dateLayouts {
		if at, err := time.Parse(layout, string(cell)); err == nil {
			return (float64(at.Unix()) + float64(at.Nanosecond())/1e9) / 86400, true
		}
	}
	return 0, false
}

// booleans are the words of boolean columns.
var booleans = func() map[string]int {
	words := map[string]int{}
	for i, list := range []string{"false no f n", "true yes t y"} {
		for _, w := range strings.Fields(list) {
			for _, form := range []string{w, strings.ToUpper(w), strings.ToUpper(w[:1]) + w[1:]} {
				words[form] = i
			}
		}
	}
	return words
}()

// columnSet is a list of columns by their places in a header.
type columnSet map[int]bool

// findColumns returns the places of the columns with the given names or numbers.
func findColumns(header []string, index map[string]int, names []string) (columnSet, error) {
	set := columnSet{}
	for _, name := range names {
		i, err := findColumn(header, index, name)
		if err != nil {
			return nil, err
		}
		set[i] = true
	}
	return set, nil
}

// findColumn returns the place of the column with the given name or number.
func findColumn(header []string, index map[string]int, name string) (int, error) {
	if i, ok := index[name]; ok && name != "" {
		return i, nil
	}
	if n, err := strconv.Atoi(name); err == nil {
		if n < 1 || n > len(header) {
			return 0, fmt.Errorf("column %d: want a number from 1 to %d", n, len(header))
		}
		return n - 1, nil
	}
	return 0, fmt.Errorf("no column %s: there are %s", quote(name), quoteList(header, "and"))
}
