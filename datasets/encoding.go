package datasets

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
)

// encodingVersion is the version of the form in which encodings are saved.
const encodingVersion = 1

// Encoding makes the features of a model of the columns of a table: a number of
// each numeric, boolean and date column, a feature for each category of a
// categorical column (1 for the row's category, 0 for the others), and a
// feature for each column with missing values that says where they are. It is
// fitted on the training part alone, and saved with the model as a part of its
// [Schema].
type Encoding struct {
	missing Missing
	columns []encodedColumn
}

// encodedColumn is what becomes of one column of a table.
type encodedColumn struct {
	Name string `json:"name"`
	Kind Kind   `json:"kind"`
	// Fill stands for a missing value: a number or the index of a category.
	Fill float64 `json:"fill"`
	// Indicator says that a further feature tells missing values.
	Indicator bool `json:"indicator,omitempty"`
	// Categories have a feature each; Other says that all others share one. A
	// category that is none of them has no feature that is 1.
	Categories []string `json:"categories,omitempty"`
	Other      bool     `json:"other,omitempty"`
}

// FitEncoding returns the encoding of a table's columns, fitted on its rows,
// those of the training part. For a dataset without a [Table], whose features
// are for a model as they are, it returns nil.
//
// A column without any value in the training part gives no feature.
func FitEncoding(train *Dataset) (*Encoding, error) {
	t := train.Table
	if t == nil {
		return nil, nil
	}
	if len(t.Columns) != train.Inputs() || train.Len() == 0 {
		return nil, fmt.Errorf("fit encoding: %d rows and %d columns, want at least one row and %d columns, one for each feature",
			train.Len(), len(t.Columns), train.Inputs())
	}
	e := &Encoding{missing: t.Missing}
	if e.missing == "" {
		e.missing = ImputeMissing
	}
	most := t.MaxCategories
	if most == 0 {
		most = defaultMaxCategories
	}
	for i := range t.Columns {
		if c, ok := fitColumn(&t.Columns[i], train.X[i:], train.Inputs(), most); ok {
			e.columns = append(e.columns, c)
		}
	}
	if len(e.columns) == 0 {
		return nil, fmt.Errorf("fit encoding: no column has a value in the %d rows", train.Len())
	}
	return e, nil
}

// maxMedian is how many values a median is taken of: all, or as many that are
// evenly spaced.
const maxMedian = 100_000

// fitColumn fits one column x[0], x[stride], …; ok is false if it has no value.
func fitColumn(c *Column, x []float64, stride, most int) (_ encodedColumn, ok bool) {
	e := encodedColumn{Name: c.Name, Kind: c.Kind}
	var some []float64
	counts := make([]int, len(c.Categories)+2) // + 2: those of a boolean
	rows := (len(x) + stride - 1) / stride
	every := max(1, rows/maxMedian)
	for i, row := 0, 0; i < len(x); i, row = i+stride, row+1 {
		v := x[i]
		switch {
		case math.IsNaN(v):
			e.Indicator = true
		case c.Kind == Categorical || c.Kind == Boolean:
			counts[int(v)]++
			ok = true
		default:
			if ok = true; row%every == 0 {
				some = append(some, v)
			}
		}
	}
	switch {
	case !ok:
	case c.Kind == Categorical:
		e.fitCategories(c, counts[:len(c.Categories)], most)
	case c.Kind == Boolean:
		if counts[1] > counts[0] {
			e.Fill = 1
		}
	case len(some) == 0: // all that were looked at are missing: look at all
		for i := 0; i < len(x); i += stride {
			if !math.IsNaN(x[i]) {
				some = append(some, x[i])
			}
		}
		fallthrough
	default:
		slices.Sort(some)
		e.Fill = some[(len(some)-1)/2]/2 + some[len(some)/2]/2
	}
	return e, ok
}

// fitCategories gives the most frequent categories a feature each, in sorted
// order.
func (e *encodedColumn) fitCategories(c *Column, counts []int, most int) {
	order := make([]int, 0, len(counts))
	for k, n := range counts {
		if n > 0 {
			order = append(order, k)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(counts[b], counts[a]) })
	frequent := order[0]
	if len(order) > most {
		order, e.Other = order[:most], true
	}
	slices.Sort(order)
	for i, k := range order {
		e.Categories = append(e.Categories, c.Categories[k])
		if k == frequent {
			e.Fill = float64(i)
		}
	}
}

// Features returns the names of the features that the encoding makes: a
// column's name, "column=category", "column=(other)" and "column is missing".
func (e *Encoding) Features() []string {
	var names []string
	taken := map[string]bool{}
	add := func(name string) {
		for taken[name] {
			name += "'"
		}
		taken[name] = true
		names = append(names, name)
	}
	for i := range e.columns {
		c := &e.columns[i]
		if c.Kind != Categorical {
			add(c.Name)
		}
		for _, category := range c.Categories {
			add(c.Name + "=" + category)
		}
		if c.Other {
			add(c.Name + "=(other)")
		}
		if c.Indicator {
			add(c.Name + " is missing")
		}
	}
	return names
}

// Columns returns the columns that the encoding reads.
func (e *Encoding) Columns() []Column {
	columns := make([]Column, len(e.columns))
	for i, c := range e.columns {
		columns[i] = Column{Name: c.Name, Kind: c.Kind, Categories: slices.Clone(c.Categories)}
	}
	return columns
}

// plain reports whether features are columns as they are.
func (e *Encoding) plain() bool {
	return !slices.ContainsFunc(e.columns, func(c encodedColumn) bool { return c.Kind == Categorical || c.Indicator })
}

// Transform returns d with the encoding's features in place of its columns. The
// table must have the encoding's columns, in any order. X is shared with d if
// nothing in it changes.
func (e *Encoding) Transform(d *Dataset) (*Dataset, error) {
	if d.Table == nil || len(d.Table.Columns) != d.Inputs() {
		return nil, fmt.Errorf("encode %s: the dataset has no table of columns", d.Name)
	}
	place := make(map[string]int, d.Inputs())
	for i, c := range d.Table.Columns {
		place[c.Name] = i
	}
	from := make([]int, len(e.columns))
	categories := make([][]float64, len(e.columns)) // of the table → of the encoding
	same := e.plain() && len(e.columns) == d.Inputs()
	for i := range e.columns {
		c := &e.columns[i]
		k, ok := place[c.Name]
		if !ok || d.Table.Columns[k].Kind != c.Kind {
			return nil, fmt.Errorf("encode %s: no %s column %s", d.Name, c.Kind, quote(c.Name))
		}
		from[i] = k
		same = same && k == i
		if c.Kind == Categorical {
			categories[i] = c.translate(d.Table.Columns[k].Categories)
		}
	}
	out := *d
	out.Table, out.Encoding, out.Features, out.ImageShape = nil, e, e.Features(), [2]int{}
	if same && !slices.ContainsFunc(d.X, math.IsNaN) {
		return &out, nil
	}
	width := len(out.Features)
	out.X = make([]float64, d.Len()*width)
	for row := range d.Len() {
		if err := e.row(out.X[row*width:(row+1)*width], d.Row(row), from, categories); err != nil {
			return nil, fmt.Errorf("encode %s: row %d: %w", d.Name, row, err)
		}
	}
	return &out, nil
}

// translate returns the index among the column's categories of each of a
// table's; that of others is their number.
func (c *encodedColumn) translate(table []string) []float64 {
	index := make(map[string]int, len(c.Categories))
	for i, name := range c.Categories {
		index[name] = i
	}
	to := make([]float64, len(table))
	for i, name := range table {
		k, ok := index[name]
		if !ok {
			k = len(c.Categories)
		}
		to[i] = float64(k)
	}
	return to
}

// row writes the features of one row of a table: column i of the encoding stands
// at from[i], its categories are those of categories[i] or, if that is nil, the
// encoding's.
func (e *Encoding) row(dst, row []float64, from []int, categories [][]float64) error {
	k := 0
	for i := range e.columns {
		c := &e.columns[i]
		v := row[from[i]]
		missing := math.IsNaN(v)
		switch {
		case missing && e.missing == RefuseMissing:
			return fmt.Errorf("column %s: missing value, want none", quote(c.Name))
		case missing:
			v = c.Fill
		case c.Kind == Categorical && categories != nil:
			v = categories[i][int(v)]
		}
		if c.Kind == Categorical {
			n := len(c.Categories)
			if c.Other {
				n++
			}
			clear(dst[k : k+n])
			if int(v) < n {
				dst[k+int(v)] = 1
			}
			k += n
		} else {
			dst[k] = v
			k++
		}
		if c.Indicator {
			dst[k] = 0
			if missing {
				dst[k] = 1
			}
			k++
		}
	}
	return nil
}

// Encode fits an encoding on the training part and returns all parts encoded by
// it. Parts whose features are for a model as they are stay as they are.
func (p Parts) Encode() (Parts, error) {
	if p.Train == nil || p.Train.Table == nil {
		return p, nil
	}
	e, err := FitEncoding(p.Train)
	if err != nil {
		return p, err
	}
	for _, part := range []**Dataset{&p.Train, &p.Validation, &p.Test} {
		if *part == nil {
			continue
		}
		if *part, err = e.Transform(*part); err != nil {
			return p, err
		}
	}
	return p, nil
}

// encodingJSON is the form in which an encoding is saved.
type encodingJSON struct {
	Version int             `json:"version"`
	Missing Missing         `json:"missing"`
	Columns []encodedColumn `json:"columns"`
}

// MarshalJSON writes the version of the form and the columns.
func (e Encoding) MarshalJSON() ([]byte, error) {
	return json.Marshal(encodingJSON{encodingVersion, e.missing, e.columns})
}

// UnmarshalJSON reads what MarshalJSON wrote, and refuses what cannot encode.
func (e *Encoding) UnmarshalJSON(text []byte) error {
	var j encodingJSON
	if err := json.Unmarshal(text, &j); err != nil {
		return fmt.Errorf("encoding: %w", err)
	}
	if j.Version != encodingVersion {
		return fmt.Errorf("encoding: version %d, want %d", j.Version, encodingVersion)
	}
	if _, err := ParseMissing(string(j.Missing)); err != nil || j.Missing == "" {
		return fmt.Errorf("encoding: missing %q, want impute, drop or error", j.Missing)
	}
	if len(j.Columns) == 0 {
		return fmt.Errorf("encoding: no columns, want at least one")
	}
	names := map[string]bool{}
	for i, c := range j.Columns {
		if names[c.Name] {
			return fmt.Errorf("encoding: two columns %s", quote(c.Name))
		}
		names[c.Name] = true
		if err := c.check(); err != nil {
			return fmt.Errorf("encoding: column %d, %s: %w", i, quote(c.Name), err)
		}
	}
	e.missing, e.columns = j.Missing, j.Columns
	return nil
}

func (c *encodedColumn) check() error {
	switch c.Kind {
	case Numeric, Date:
	case Boolean:
		if c.Fill != 0 && c.Fill != 1 {
			return fmt.Errorf("fill is %v, want 0 or 1", c.Fill)
		}
	case Categorical:
		if len(c.Categories) == 0 || !(c.Fill >= 0 && c.Fill < float64(len(c.Categories)) && c.Fill == math.Trunc(c.Fill)) {
			return fmt.Errorf("fill is %v, want the index of one of %d categories", c.Fill, len(c.Categories))
		}
		distinct := map[string]bool{}
		for _, name := range c.Categories {
			if distinct[name] {
				return fmt.Errorf("two categories %s", quote(name))
			}
			distinct[name] = true
		}
	default:
		return fmt.Errorf("kind %q, want %s, %s, %s or %s", c.Kind, Numeric, Categorical, Boolean, Date)
	}
	if c.Kind != Categorical && (c.Categories != nil || c.Other) {
		return fmt.Errorf("a %s column with categories", c.Kind)
	}
	return nil
}
