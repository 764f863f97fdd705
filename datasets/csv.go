package datasets

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/affine-go/affine/datasets/internal/csvscan"
)

// OpenCSV reads a CSV file (RFC 4180), plain or packed with gzip or zstd. The
// first line names the columns. The separator (comma, semicolon, tab or |), the
// decimal point and the character set are found out or given by [CSVOptions].
//
// [Options] Target names the target column, by default the last, and Task says
// what it holds. Class names are in sorted order, numbers by value. Every other
// column is a feature, and its kind is found out:
//
//	numeric      all cells are finite numbers
//	boolean      all cells are true or false, yes or no, t or f, y or n
//	categorical  other texts, if no more than 1,000 different ones, and at most
//	             10, or each seen twice on average
//
// Other texts, such as names, are left out, and so is a first column without a
// name, which is the index that pandas writes; [Dataset] Notices say so. Cells
// that are not numbers are an error if at least half of a column's are: one that
// was mistyped should not make categories of numbers. Numbers that are
// categories, and dates, have to be named as such.
//
// The dataset has a [Table], which [FitEncoding] makes features of.
//
// With [Options] Schema the columns are found by name, in any order, and become
// the features of the schema; a column of targets is read if there is one with
// the schema's target name, and Y is nil if there is none or all its cells are
// empty.
//
// An error names the file, the line and the column.
func OpenCSV(path string, opts Options) (*Dataset, error) {
	f, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	d, err := ReadCSV(f, path, opts)
	if err != nil {
		return nil, err
	}
	d.Name = filepath.Base(path)
	return d, nil
}

// openRegular opens a file that ends: not a directory, a pipe or a device.
func openRegular(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, errors.Unwrap(err))
	}
	switch mode := info.Mode(); {
	case mode.IsDir():
		return nil, fmt.Errorf("%s: is a directory, want a file", path)
	case mode&os.ModeNamedPipe != 0:
		return nil, fmt.Errorf("%s: is a pipe, want a regular file", path)
	case !mode.IsRegular():
		return nil, fmt.Errorf("%s: is a device or socket, want a regular file", path)
	}
	return os.Open(path)
}

// ReadCSV reads what [OpenCSV] does from a reader; name stands for the file in
// errors and is the dataset's name. Without a schema the text may have to be
// read twice: what is not an [io.Seeker] is kept in memory for that.
func ReadCSV(r io.Reader, name string, opts Options) (*Dataset, error) {
	if err := opts.forFile(name); err != nil {
		return nil, err
	}
	if opts.Schema != nil {
		return readCSVForModel(r, name, opts)
	}
	seeker, ok := r.(io.ReadSeeker)
	if !ok {
		text, err := io.ReadAll(r)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		seeker = bytes.NewReader(text)
	}
	t := csvTable{name: name, opts: opts}
	d, err := t.read(seeker)
	if err != nil {
		if errors.Is(err, ErrUsage) {
			return nil, usagef("%s: %v", name, err)
		}
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return d, nil
}

// csvText opens a text: unpacked, decoded, its header read.
type csvText struct {
	reader *csvscan.Reader
	head   *csvscan.Head
	header []string
	index  map[string]int // of the columns, by name
	csvscan.Dialect
}

// progressReader tells how much has been read.
type progressReader struct {
	r    io.Reader
	read int64
	tell func(bytes int64)
}

func (p *progressReader) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	p.read += int64(n)
	p.tell(p.read)
	return n, err
}

func openCSVText(r io.Reader, opts *Options) (*csvText, error) {
	given, err := opts.CSV.dialect()
	if err != nil {
		return nil, err
	}
	if opts.Progress != nil {
		r = &progressReader{r: r, tell: opts.Progress}
	}
	if r, err = csvscan.Unpack(r); err != nil {
		return nil, err
	}
	if r, err = csvscan.Decode(r, opts.CSV.Charset); err != nil {
		return nil, err
	}
	t := &csvText{reader: csvscan.NewReader(r)}
	errEmpty := errors.New("empty file, want a line of column names and then rows")
	if t.head, err = t.reader.Head(); errors.Is(err, io.EOF) {
		return nil, errEmpty
	} else if err != nil {
		return nil, err
	}
	t.Dialect = t.head.Detect(given)
	if t.header, err = t.head.Header(t.Dialect); errors.Is(err, io.EOF) {
		return nil, errEmpty
	} else if err != nil {
		return nil, err
	}
	t.index = make(map[string]int, len(t.header))
	for i, name := range t.header {
		t.header[i] = unguard(name)
		if _, ok := t.index[t.header[i]]; !ok {
			t.index[t.header[i]] = i
		}
	}
	return t, nil
}

// dialect returns what is given of how cells are separated and numbers written.
func (o *CSVOptions) dialect() (csvscan.Dialect, error) {
	var d csvscan.Dialect
	switch s := o.Separator; s {
	case "":
	case ",", ";", "\t", "|":
		d.Separator = s[0]
	case `\t`, "tab":
		d.Separator = '\t'
	default:
		return d, usagef(`separator %q: want one of , ; | or tab`, s)
	}
	switch p := o.DecimalPoint; p {
	case "":
	case ".", ",":
		d.DecimalPoint = p[0]
	default:
		return d, usagef(`decimal point %q: want "." or ","`, p)
	}
	if d.Separator == ',' && d.DecimalPoint == ',' {
		return d, usagef("a comma is separator and decimal point, want it to be one of them")
	}
	if o.Charset != "" && !slices.Contains(csvscan.Charsets(), strings.ToLower(o.Charset)) {
		return d, usagef("character set %q: want one of %s", o.Charset, strings.Join(csvscan.Charsets(), ", "))
	}
	return d, nil
}

// csvTable reads a CSV file whose columns are not known.
type csvTable struct {
	name string
	opts Options

	text    *csvText
	target  int   // the target's place in the header
	used    []int // the features' places in the header
	forced  []Kind
	kinds   []csvscan.Kind // of the columns of the file
	notices []string

	x, y    []float64
	columns []csvscan.Column // of the file
}

// The most different texts of a column: of those that are looked at to find out
// whether they are categories, and of those that are asked for as such.
const (
	mostFound = 1_000
	mostAsked = 100_000
)

func (t *csvTable) read(r io.ReadSeeker) (*Dataset, error) {
	start, err := r.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil, err
	}
	size := sizeOf(r, start)
	if t.text, err = openCSVText(r, &t.opts); err != nil {
		return nil, err
	}
	if err := t.locate(); err != nil {
		return nil, err
	}
	sample, err := t.text.head.Try(t.plan())
	if err != nil {
		return nil, err
	}
	t.textsInPlaceOfNumbers(sample.Columns)
	if err := t.scan(size, sample); err != nil {
		return nil, err
	}
	if err := t.check(); err != nil {
		return nil, err
	}
	if t.textsInPlaceOfNumbers(t.columns) {
		// The first texts of these columns were taken for numbers.
		if _, err := r.Seek(start, io.SeekStart); err != nil {
			return nil, err
		}
		if t.text, err = openCSVText(r, &t.opts); err != nil {
			return nil, err
		}
		if err := t.scan(size, sample); err != nil {
			return nil, err
		}
	}
	return t.dataset()
}

// sizeOf returns the bytes from start on, 0 if they cannot be known.
func sizeOf(r io.Seeker, start int64) int64 {
	end, err := r.Seek(0, io.SeekEnd)
	if err != nil {
		return 0
	}
	if _, err := r.Seek(start, io.SeekStart); err != nil {
		return 0
	}
	return end - start
}

// locate finds the columns of features and target in the header.
func (t *csvTable) locate() error {
	header, index, o := t.text.header, t.text.index, &t.opts.CSV
	if _, err := ParseMissing(string(o.Missing)); err != nil {
		return err
	}
	if o.MaxCategories < 0 {
		return usagef("%d categories at most: want at least 1", o.MaxCategories)
	}
	numbers := 0
	for _, name := range header {
		if _, ok := parseNumber(name); ok {
			numbers++
		}
	}
	if numbers == len(header) {
		return errors.New("header: only numbers, want the columns' names")
	}
	if len(header) < 2 {
		return fmt.Errorf("header: one column, %s, want features and a target, separated by comma, semicolon, tab or |", quote(header[0]))
	}
	t.target = len(header) - 1
	if name := t.opts.Target; name != "" {
		i, err := findTarget(header, index, name)
		if err != nil {
			return err
		}
		t.target = i
	}
	var sets [5]columnSet
	for i, names := range [][]string{o.Drop, o.Only, o.Numeric, o.Categorical, o.Dates} {
		var err error
		if sets[i], err = findColumns(header, index, names); err != nil {
			return err
		}
	}
	drop, only := sets[0], sets[1]
	if drop[t.target] {
		return usagef("column %s is the target and cannot be dropped", quote(header[t.target]))
	}
	t.forced = make([]Kind, len(header))
	for i, kind := range []Kind{Numeric, Categorical, Date} {
		for c := range sets[2+i] {
			if t.forced[c] != "" {
				return usagef("column %s is to be %s and %s, want one of them", quote(header[c]), t.forced[c], kind)
			}
			t.forced[c] = kind
		}
	}
	for i, name := range header {
		switch {
		case i == t.target || drop[i] || len(only) > 0 && !only[i]:
			if i != t.target {
				continue
			}
		case i == 0 && !only[0] && t.forced[0] == "" && (name == "" || name == "Unnamed: 0"):
			t.notices = append(t.notices, "column 1 has no name: taken for the index of the rows and left out")
			continue
		}
		if name == "" {
			return fmt.Errorf("header: column %d has no name", i+1)
		}
		if first := index[name]; first < i {
			return fmt.Errorf("header: columns %d and %d are both named %s", first+1, i+1, quote(name))
		}
		if i != t.target {
			t.used = append(t.used, i)
		}
	}
	if len(t.used) == 0 {
		return errors.New("no column is left for the features")
	}
	t.kinds = make([]csvscan.Kind, len(header))
	for _, i := range append([]int{t.target}, t.used...) {
		switch t.forced[i] {
		case Categorical:
			t.kinds[i] = csvscan.Text
		case Date:
			t.kinds[i] = csvscan.Parsed
		default:
			t.kinds[i] = csvscan.Number
		}
	}
	return nil
}

// plan returns what is to be done with the file.
func (t *csvTable) plan() *csvscan.Plan {
	p := &csvscan.Plan{Dialect: t.text.Dialect, Ops: make([]csvscan.Op, len(t.text.header)), Width: len(t.used), Targets: true}
	op := func(i, dest int) csvscan.Op {
		most := mostFound + 1
		if t.forced[i] != "" || i == t.target {
			most = mostAsked
		}
		return csvscan.Op{Kind: t.kinds[i], Dest: dest, Most: most, Parse: parseDate}
	}
	for k, i := range t.used {
		p.Ops[i] = op(i, k)
	}
	p.Ops[t.target] = op(t.target, csvscan.Target)
	return p
}

// textsInPlaceOfNumbers makes texts of the columns that were taken for numbers
// and hold other cells, and reports whether there are any.
func (t *csvTable) textsInPlaceOfNumbers(columns []csvscan.Column) bool {
	any := false
	for i := range columns {
		if t.kinds[i] == csvscan.Number && columns[i].Bad.Count > 0 && t.forced[i] != Numeric && !(i == t.target && t.opts.Task == Regression) {
			t.kinds[i] = csvscan.Text
			any = true
		}
	}
	return any
}

// scan reads the rows. Memory for as many as the sample lets expect is taken at
// once, where the size of the text is known.
func (t *csvTable) scan(size int64, sample *csvscan.Chunk) error {
	t.columns = make([]csvscan.Column, len(t.text.header))
	width := len(t.used)
	rows := t.text.head.Rows(size, sample.Rows)
	if t.x == nil {
		t.x, t.y = make([]float64, 0, rows*width), make([]float64, 0, rows)
	}
	t.x, t.y = t.x[:0], t.y[:0]
	plan := t.plan()
	err := t.text.reader.Scan(t.text.head, plan, func(c *csvscan.Chunk) error {
		from, row := len(t.x), len(t.y)
		t.x, t.y = append(t.x, c.Values...), append(t.y, c.Targets...)
		for i := range t.columns {
			op := &plan.Ops[i]
			entries := t.columns[i].Merge(&c.Columns[i], op.Most)
			if entries == nil {
				continue
			}
			values, at, stride := t.x, from+op.Dest, width
			if op.Dest == csvscan.Target {
				values, at, stride = t.y, row, 1
			}
			for ; at < len(values); at += stride {
				if v := values[at]; !math.IsNaN(v) {
					values[at] = float64(entries[int(v)])
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if len(t.y) == 0 {
		return errors.New("a header but no rows")
	}
	return nil
}

// check refuses columns with cells that cannot be what they are to be.
func (t *csvTable) check() error {
	bad := cellErrors{}
	for _, i := range t.used {
		c := &t.columns[i]
		name := t.text.header[i]
		switch {
		case t.forced[i] == Date:
			bad.add(&c.Bad, name, "a date")
		case t.forced[i] == Categorical || t.kinds[i] == csvscan.Text:
			t.checkTexts(&bad, c, i)
		case t.forced[i] == Numeric || 2*c.Bad.Count <= len(t.y)-c.Missing.Count || infinite(c.Bad.Text):
			bad.add(&c.Bad, name, "a finite number")
		}
		if t.opts.CSV.Missing == RefuseMissing {
			bad.addMissing(&c.Missing, name, "a value")
		}
	}
	if t.kinds[t.target] == csvscan.Number && t.opts.Task == Regression {
		bad.add(&t.columns[t.target].Bad, t.text.header[t.target], "a finite number, the task being regression")
	}
	return bad.err()
}

// checkTexts refuses texts that are too many, or among numbers.
func (t *csvTable) checkTexts(bad *cellErrors, c *csvscan.Column, i int) {
	name := t.text.header[i]
	if t.forced[i] == Categorical {
		if c.Bad.Count > 0 {
			bad.add(&csvscan.Cells{Count: c.Bad.Count, Line: c.Bad.Line, Text: c.Bad.Text}, name, "a category of at most 4 KiB")
		} else if c.Overflow {
			bad.add(&csvscan.Cells{Count: 1, Line: 1, Text: name}, name, fmt.Sprintf("at most %d categories", mostAsked))
		}
		return
	}
	present, numbers := 0, 0
	var first csvscan.Cells
	for _, e := range c.Entries {
		present += e.Count
		if v, err := strconv.ParseFloat(e.Text, 64); err == nil && finite(v) {
			numbers += e.Count
			continue
		}
		if first.Count == 0 {
			first.Line, first.Text = e.Line, e.Text
		}
		first.Count += e.Count
	}
	if first.Count > 0 && (2*numbers >= present || infinite(first.Text)) && present > 0 {
		bad.add(&first, name, "a finite number")
	}
}

// infinite reports whether a cell is a number that is not finite.
func infinite(cell string) bool {
	v, err := strconv.ParseFloat(cell, 64)
	return math.IsInf(v, 0) && (err == nil || errors.Is(err, strconv.ErrRange))
}
