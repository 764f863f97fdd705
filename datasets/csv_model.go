package datasets

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/affine-go/affine/datasets/internal/csvscan"
)

// CSVBatch is some rows of a CSV file that are read for a model. It is valid
// during the call that it is handed to.
type CSVBatch struct {
	// Dataset holds the features of the schema. A target that is missing is NaN;
	// Y is nil if all are, or if there is no column of them.
	*Dataset
	Header    []string // the names of the file's columns
	Separator byte     // of the file's cells

	plan  *csvscan.Plan
	chunk *csvscan.Chunk
}

// Cells calls f with the cells of each row of the file, without the spaces and
// quotation marks around them. They are valid during the call.
func (b *CSVBatch) Cells(f func(row int, cells [][]byte) error) error {
	return b.plan.Records(b.chunk, f)
}

// ScanCSV reads a CSV file for a model, [Options] Schema, and calls each with its
// rows, some at a time and in their order: it takes the same memory for a file
// of any length. What else it does stands at [OpenCSV]; name stands for the file
// in errors.
func ScanCSV(r io.Reader, name string, opts Options, each func(*CSVBatch) error) error {
	if err := opts.forFile(name); err != nil {
		return err
	}
	if opts.Schema == nil {
		return usagef("%s: no schema, want that of the model to read for", name)
	}
	m := csvForModel{name: name, schema: opts.Schema}
	err := m.scan(r, &opts, each)
	var own *callerError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &own):
		return own.error
	case errors.Is(err, ErrUsage):
		return usagef("%s: %v", name, err)
	}
	return fmt.Errorf("%s: %w", name, err)
}

// callerError is an error of the function that batches are handed to.
type callerError struct{ error }

// csvForModel reads the rows of a CSV file for a model.
type csvForModel struct {
	name   string
	schema *Schema
	text   *csvText
	plan   *csvscan.Plan
	names  []string // of the columns that are read
	places []int    // of these columns in the header
	target int      // its place in the header, −1 if there is none
	from   []int    // 0, 1, …: where the columns of the encoding stand in a row
	x      []float64
}

func (m *csvForModel) scan(r io.Reader, opts *Options, each func(*CSVBatch) error) error {
	var err error
	if m.text, err = openCSVText(r, opts); err != nil {
		return err
	}
	if err := m.locate(opts); err != nil {
		return err
	}
	rows := 0
	err = m.text.reader.Scan(m.text.head, m.plan, func(c *csvscan.Chunk) error {
		if c.Rows == 0 {
			return nil
		}
		d, err := m.dataset(c)
		if err != nil {
			return err
		}
		rows += c.Rows
		if err := each(&CSVBatch{Dataset: d, Header: m.text.header, Separator: m.text.Separator, plan: m.plan, chunk: c}); err != nil {
			return &callerError{err}
		}
		return nil
	})
	if err == nil && rows == 0 {
		err = errors.New("a header but no rows")
	}
	return err
}

// locate finds the columns that the model wants, and plans how to read them.
func (m *csvForModel) locate(opts *Options) error {
	s, header, index := m.schema, m.text.header, m.text.index
	columns := make([]Column, 0, len(s.Features))
	if s.Encoding != nil {
		if n := len(s.Encoding.Features()); n != len(s.Features) {
			return fmt.Errorf("the model's encoding makes %d features, its schema names %d", n, len(s.Features))
		}
		columns = s.Encoding.Columns()
	} else {
		for _, name := range s.Features {
			columns = append(columns, Column{Name: name, Kind: Numeric})
		}
	}
	m.plan = &csvscan.Plan{Dialect: m.text.Dialect, Ops: make([]csvscan.Op, len(header)), Width: len(columns), Keep: true}
	seen := make(map[string]int, len(header))
	for i, name := range header {
		if first, ok := seen[name]; ok {
			if slices.ContainsFunc(columns, func(c Column) bool { return c.Name == name }) {
				return fmt.Errorf("header: columns %d and %d are both named %s", first+1, i+1, quote(name))
			}
			continue
		}
		seen[name] = i
	}
	var lacking []string
	for k := range columns {
		c := &columns[k]
		i, ok := index[c.Name]
		if !ok {
			lacking = append(lacking, c.Name)
			continue
		}
		m.names, m.places, m.from = append(m.names, c.Name), append(m.places, i), append(m.from, k)
		m.plan.Ops[i] = columnOp(c, k)
	}
	if lacking != nil {
		return fmt.Errorf("header: no column %s, which the model wants; there are %s", quoteList(lacking, "and"), quoteList(header, "and"))
	}
	return m.locateTarget(opts)
}

func (m *csvForModel) locateTarget(opts *Options) error {
	i, ok := m.text.index[m.schema.TargetName]
	if opts.Target != "" {
		var err error
		if i, err = findTarget(m.text.header, m.text.index, opts.Target); err != nil {
			return err
		}
		ok = true
	}
	m.target = -1
	if !ok || m.plan.Ops[i].Kind != csvscan.Skip {
		return nil
	}
	m.target, m.plan.Targets = i, true
	op := csvscan.Op{Kind: csvscan.Number, Dest: csvscan.Target}
	if m.schema.Task == Classification {
		op.Kind = csvscan.Known
		op.Index, op.Numbers = textIndex(m.schema.Classes)
	}
	m.plan.Ops[i] = op
	return nil
}

// findTarget is findColumn with the target in its errors.
func findTarget(header []string, index map[string]int, name string) (int, error) {
	i, err := findColumn(header, index, name)
	if err != nil {
		return 0, errors.New(strings.Replace(err.Error(), "column", "target column", 1))
	}
	return i, nil
}

// columnOp returns how to read a column that is column k of the encoding.
func columnOp(c *Column, k int) csvscan.Op {
	op := csvscan.Op{Kind: csvscan.Number, Dest: k}
	switch c.Kind {
	case Categorical:
		op.Kind, op.Unknown, op.HasUnknown = csvscan.Known, float64(len(c.Categories)), true
		op.Index, op.Numbers = textIndex(c.Categories)
	case Boolean:
		op.Kind, op.Index, op.Numbers = csvscan.Known, booleans, map[float64]int{0: 0, 1: 1}
	case Date:
		op.Kind, op.Parse = csvscan.Parsed, parseDate
	}
	return op
}

// textIndex returns the places of texts as they stand in a file, and of those
// that are numbers by value: another file may hold 1.0 for 1.
func textIndex(texts []string) (byText map[string]int, byNumber map[float64]int) {
	byText, byNumber = make(map[string]int, len(texts)), map[float64]int{}
	for i, text := range texts {
		byText[guard(text)] = i
		byText[text] = i
		if v, ok := parseNumber(text); ok {
			byNumber[v] = i
		}
	}
	return byText, byNumber
}

// dataset makes a dataset of a chunk, in memory that the next one takes again.
func (m *csvForModel) dataset(c *csvscan.Chunk) (*Dataset, error) {
	if err := m.check(c); err != nil {
		return nil, err
	}
	s := m.schema
	d := &Dataset{Name: m.name, Task: s.Task, Features: s.Features, Classes: s.Classes, TargetName: s.TargetName, Encoding: s.Encoding, X: c.Values}
	if m.target >= 0 {
		d.TargetName = m.text.header[m.target]
		if c.Columns[m.target].Missing.Count < c.Rows {
			d.Y = c.Targets
		}
	}
	if s.Encoding == nil {
		return d, nil
	}
	from, to := m.plan.Width, len(s.Features)
	if n := c.Rows * to; cap(m.x) < n {
		m.x = make([]float64, n)
	}
	d.X = m.x[:c.Rows*to]
	for row := range c.Rows {
		if err := s.Encoding.row(d.X[row*to:(row+1)*to], c.Values[row*from:(row+1)*from], m.from, nil); err != nil {
			return nil, fmt.Errorf("row %d: %w", row, err) // check has seen it
		}
	}
	return d, nil
}

// check refuses cells that cannot be read.
func (m *csvForModel) check(c *csvscan.Chunk) error {
	var bad cellErrors
	refuse := m.schema.Encoding == nil || m.schema.Encoding.missing == RefuseMissing
	for k, i := range m.places {
		found := &c.Columns[i]
		want := "a finite number"
		switch op := &m.plan.Ops[i]; {
		case op.Kind == csvscan.Parsed:
			want = "a date"
		case op.Kind == csvscan.Known:
			want = "true or false"
		}
		bad.add(&found.Bad, m.names[k], want)
		if refuse {
			if m.schema.Encoding != nil {
				want = "a value"
			}
			bad.addMissing(&found.Missing, m.names[k], want)
		}
	}
	if m.target >= 0 {
		want := "a finite number, the task being regression"
		if m.schema.Task == Classification {
			want = fmt.Sprintf("one of the model's %d classes: %s", len(m.schema.Classes), quoteList(m.schema.Classes, "or"))
		}
		bad.add(&c.Columns[m.target].Bad, m.text.header[m.target], want)
	}
	return bad.err()
}

// readCSVForModel reads all rows that ScanCSV does.
func readCSVForModel(r io.Reader, name string, opts Options) (*Dataset, error) {
	s := opts.Schema
	all := &Dataset{
		Name: name, Task: s.Task, Features: slices.Clone(s.Features), Classes: slices.Clone(s.Classes), TargetName: s.TargetName, Encoding: s.Encoding,
	}
	var y []float64
	missing := csvscan.Cells{}
	err := ScanCSV(r, name, opts, func(b *CSVBatch) error {
		all.X = append(all.X, b.X...)
		all.TargetName = b.TargetName
		if !b.plan.Targets {
			return nil
		}
		y = append(y, b.chunk.Targets...)
		column := (&csvscan.Column{Missing: missing})
		column.Merge(b.targetColumn(), 0)
		missing = column.Missing
		return nil
	})
	if err != nil {
		return nil, err
	}
	switch present := len(y) - missing.Count; {
	case present == 0:
	case missing.Count > 0:
		var bad cellErrors
		bad.addMissing(&missing, all.TargetName, "a target")
		return nil, fmt.Errorf("%s: %w", name, bad.err())
	default:
		all.Y = y
	}
	if slices.ContainsFunc(all.Y, math.IsNaN) { // a missing target would be counted
		return nil, fmt.Errorf("%s: column %s: missing value, want a target", name, quote(all.TargetName))
	}
	return all, nil
}

// targetColumn returns what was found in the column of targets.
func (b *CSVBatch) targetColumn() *csvscan.Column {
	for i := range b.plan.Ops {
		if op := &b.plan.Ops[i]; op.Kind != csvscan.Skip && op.Dest == csvscan.Target {
			return &b.chunk.Columns[i]
		}
	}
	return new(csvscan.Column)
}
