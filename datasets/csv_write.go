package datasets

import (
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/affine-go/affine/datasets/internal/csvscan"
)

// WriteCSV writes the dataset as [ReadCSV] reads it: a header, then one line
// per row with the features and, if there are targets, the target as the last
// column, classes by name. Numbers are written so that reading gives the same
// float64 back. Names of columns and classes that a spreadsheet would take for a
// formula begin with an apostrophe in the file, see [GuardCell]. A table that is
// not encoded is written with its categories by name and missing values as empty
// cells.
func WriteCSV(w io.Writer, d *Dataset) error {
	if err := d.Check(); err != nil {
		return fmt.Errorf("write CSV: %w", err)
	}
	out := csv.NewWriter(w)
	line := slices.Clone(d.Features)
	if d.Y != nil {
		line = append(line, d.TargetName)
	}
	for i := range line {
		line[i] = guard(line[i])
	}
	if err := out.Write(line); err != nil {
		return fmt.Errorf("write CSV: %w", err)
	}
	for i := range d.Len() {
		line = line[:0]
		for k, v := range d.Row(i) {
			line = append(line, d.cell(k, v))
		}
		switch {
		case d.Y == nil:
		case d.Task == Classification:
			line = append(line, guard(d.Classes[int(d.Y[i])]))
		default:
			line = append(line, strconv.FormatFloat(d.Y[i], 'g', -1, 64))
		}
		if err := out.Write(line); err != nil {
			return fmt.Errorf("write CSV: row %d: %w", i, err)
		}
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return fmt.Errorf("write CSV: %w", err)
	}
	return nil
}

// cell writes a value of feature k.
func (d *Dataset) cell(k int, v float64) string {
	if d.Table != nil {
		switch c := &d.Table.Columns[k]; {
		case math.IsNaN(v):
			return ""
		case c.Kind == Categorical:
			return guard(c.Categories[int(v)])
		case c.Kind != Numeric:
			return c.text(v)
		}
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

// Printable returns a text from a file, such as the name of a column or a class,
// without what would command a terminal or reorder a line: control characters
// and marks of writing direction become �, line breaks and tabs blanks.
func Printable(text string) string { return csvscan.Printable(text) }

// GuardCell returns the text of a cell such that a spreadsheet takes it for a
// text: with an apostrophe before it if it begins with =, +, -, @, a tab or a
// carriage return, also after other apostrophes, and is not a number. [ReadCSV]
// takes the apostrophe away from the names of columns, categories and classes.
// OWASP calls the attack CSV injection.
func GuardCell(text string) string { return guard(text) }

func guard(text string) string {
	if !guarded(text) {
		return text
	}
	if _, ok := parseNumber(text); ok {
		return text
	}
	return "'" + text
}

// unguard takes away the apostrophe that guard put before a text.
func unguard(text string) string {
	if strings.HasPrefix(text, "'") && guarded(text) {
		return text[1:]
	}
	return text
}

// guarded reports whether a text, after any apostrophes, begins as a formula.
func guarded(text string) bool {
	text = strings.TrimLeft(text, "'")
	return text != "" && strings.IndexByte("=+-@\t\r", text[0]) >= 0
}
