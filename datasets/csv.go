package datasets

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// OpenCSV reads a CSV file (RFC 4180) with one row per line. The first line
// names the columns. The separator is comma, semicolon or tab, whichever the
// first line holds most of.
//
// [Options] Target names the target column, by default the last, and Task says
// what it holds. Every other column is a feature: finite numbers. Class names
// are in sorted order, numbers by value.
//
// With [Options] Schema the columns are found by name, in any order; a column
// of targets is read if there is one with the schema's target name, and Y is
// nil if there is none or all its cells are empty.
//
// A cell that is missing (empty, ?, NA, N/A, NaN, null) or cannot be read is an
// error that names the file, the line and the column.
func OpenCSV(path string, opts Options) (*Dataset, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err // it names the operation and the path
	}
	defer f.Close()
	d, err := ReadCSV(f, path, opts)
	if err != nil {
		return nil, err
	}
	d.Name = filepath.Base(path)
	return d, nil
}

// ReadCSV reads what [OpenCSV] does from a reader; name stands for the file in
// errors and is the dataset's name.
func ReadCSV(r io.Reader, name string, opts Options) (*Dataset, error) {
	if err := opts.forFile(name); err != nil {
		return nil, err
	}
	t := csvTable{bad: cellErrors{file: name}}
	if err := t.read(r, opts); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if err := t.bad.err(); err != nil {
		return nil, err
	}
	d := &Dataset{Name: name, Features: t.features, TargetName: t.target, X: t.x}
	if err := t.setTargets(d, opts); err != nil {
		return nil, err
	}
	return d, nil
}

// csvTable is a CSV file with its cells as they are read.
type csvTable struct {
	features []string
	columns  []int // the features' places in a line
	target   string
	column   int // the target's place in a line, or −1

	x      []float64
	labels []string // the target's cells
	lines  []int    // the lines they stand in
	bad    cellErrors
}

func (t *csvTable) read(r io.Reader, opts Options) error {
	lines, separator, err := sniff(r)
	if err != nil {
		return err
	}
	cells := csv.NewReader(lines)
	cells.Comma = separator
	cells.FieldsPerRecord = -1 // our own message says more
	cells.ReuseRecord = true
	cells.TrimLeadingSpace = separator != '\t' // it would eat the tabs of empty cells
	header, err := cells.Read()
	if errors.Is(err, io.EOF) {
		return errors.New("empty file, want a line of column names and then rows")
	}
	if err != nil {
		return csvError(err)
	}
	header = slices.Clone(header)
	for i := range header {
		header[i] = strings.TrimSpace(header[i])
	}
	if err := t.locate(header, opts); err != nil {
		return err
	}
	for {
		record, err := cells.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return csvError(err)
		}
		line, _ := cells.FieldPos(0)
		if len(record) != len(header) {
			return fmt.Errorf("line %d: %d fields, want %d as in the header", line, len(record), len(header))
		}
		t.add(record, line)
	}
	if len(t.lines) == 0 {
		return errors.New("a header but no rows")
	}
	return nil
}

// add reads one line's cells.
func (t *csvTable) add(record []string, line int) {
	for i, column := range t.columns {
		cell := strings.TrimSpace(record[column])
		v, ok := parseNumber(cell)
		if !ok {
			t.bad.add(line, t.features[i], cell, "a finite number")
		}
		t.x = append(t.x, v)
	}
	t.lines = append(t.lines, line)
	if t.column >= 0 {
		t.labels = append(t.labels, strings.TrimSpace(record[t.column]))
	}
}

// locate finds the columns of features and target in the header.
func (t *csvTable) locate(header []string, opts Options) error {
	numbers := 0
	for i, name := range header {
		if name == "" {
			return fmt.Errorf("header: column %d has no name", i+1)
		}
		if first := slices.Index(header, name); first < i {
			return fmt.Errorf("header: columns %d and %d are both named %s", first+1, i+1, quote(name))
		}
		if _, ok := parseNumber(name); ok {
			numbers++
		}
	}
	if opts.Schema != nil {
		return t.locateSchema(header, opts)
	}
	if numbers == len(header) {
		return errors.New("header: only numbers, want the columns' names")
	}
	if len(header) < 2 {
		return fmt.Errorf("header: one column, %s, want features and a target, separated by comma, semicolon or tab", quote(header[0]))
	}
	column, err := targetColumn(header, opts.Target)
	if err != nil {
		return err
	}
	t.column, t.target = column, header[column]
	for i, name := range header {
		if i != column {
			t.features, t.columns = append(t.features, name), append(t.columns, i)
		}
	}
	return nil
}

func (t *csvTable) locateSchema(header []string, opts Options) error {
	s := opts.Schema
	var missing []string
	for _, name := range s.Features {
		i := slices.Index(header, name)
		if i < 0 {
			missing = append(missing, name)
		}
		t.features, t.columns = append(t.features, name), append(t.columns, i)
	}
	if missing != nil {
		return fmt.Errorf("header: no column %s, which the model wants; there are %s",
			quoteList(missing, "and"), quoteList(header, "and"))
	}
	t.target, t.column = s.TargetName, slices.Index(header, s.TargetName)
	if opts.Target == "" {
		return nil
	}
	column, err := targetColumn(header, opts.Target)
	if err != nil {
		return err
	}
	t.target, t.column = header[column], column
	return nil
}

// targetColumn returns the place of the column with the given name or number.
func targetColumn(header []string, target string) (int, error) {
	if target == "" {
		return len(header) - 1, nil
	}
	if i := slices.Index(header, target); i >= 0 {
		return i, nil
	}
	if n, err := strconv.Atoi(target); err == nil {
		if n < 1 || n > len(header) {
			return 0, fmt.Errorf("target column %d: want a number from 1 to %d", n, len(header))
		}
		return n - 1, nil
	}
	return 0, fmt.Errorf("no target column %q: there are %s", target, quoteList(header, "and"))
}

// sniff returns the text after a byte order mark and its separator.
func sniff(r io.Reader) (io.Reader, rune, error) {
	const longest = 1 << 16 // header bytes to look at
	b := bufio.NewReaderSize(r, longest)
	head, err := b.Peek(longest)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, 0, err
	}
	if mark := []byte("\xef\xbb\xbf"); bytes.HasPrefix(head, mark) {
		head = head[len(mark):]
		if _, err := b.Discard(len(mark)); err != nil {
			return nil, 0, err
		}
	}
	counts := map[rune]int{}
	quoted := false
	for _, c := range string(bytes.TrimLeft(head, "\r\n")) {
		if c == '"' {
			quoted = !quoted
		}
		if c == '\n' && !quoted {
			break
		}
		if !quoted {
			counts[c]++
		}
	}
	separator := ','
	for _, c := range ";\t" {
		if counts[c] > counts[separator] {
			separator = c
		}
	}
	return b, separator, nil
}

// csvError says in one line where and why text is not CSV.
func csvError(err error) error {
	var parse *csv.ParseError
	if !errors.As(err, &parse) {
		return err
	}
	return fmt.Errorf("line %d: not CSV: %w", parse.Line, parse.Err)
}
