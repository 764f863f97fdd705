package datasets

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/affine-go/affine/datasets/internal/csvscan"
)

// dataset makes a dataset of what was scanned.
func (t *csvTable) dataset() (*Dataset, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	d := &Dataset{Name: t.name, TargetName: t.text.header[t.target], Table: &Table{Missing: t.opts.CSV.Missing, MaxCategories: t.opts.CSV.MaxCategories}}
	if d.Table.Missing == "" {
		d.Table.Missing = ImputeMissing
	}
	var keep []int // the places of the features in a row of x
	for k, i := range t.used {
		column, left := t.column(i, k)
		if left != "" {
			t.notices = append(t.notices, left)
			continue
		}
		keep = append(keep, k)
		d.Table.Columns = append(d.Table.Columns, column)
		d.Features = append(d.Features, column.Name)
	}
	d.Notices = t.notices
	if len(keep) == 0 {
		return nil, fmt.Errorf("no column is left for the features: %s", strings.Join(t.notices, "; "))
	}
	t.compact(keep)
	if d.Table.Missing == DropMissing {
		t.dropRows(d)
		if len(t.y) == 0 {
			return nil, fmt.Errorf("every row has a missing value, none is left")
		}
	}
	d.X = t.x
	return d, t.setTargets(d)
}

// column returns what column i of the file is, whose values are column k of x,
// or why it is left out.
func (t *csvTable) column(i, k int) (column Column, left string) {
	c, name := &t.columns[i], t.text.header[i]
	column = Column{Name: name, Kind: Numeric}
	switch {
	case c.Missing.Count == len(t.y):
		return column, fmt.Sprintf("column %s has no values: left out", quote(name))
	case t.kinds[i] == csvscan.Parsed:
		column.Kind = Date
		return column, ""
	case t.kinds[i] != csvscan.Text:
		return column, ""
	}
	if t.forced[i] == "" && c.Bad.Count > 0 {
		return column, fmt.Sprintf("column %s has texts of more than 4 KiB, such as %s: left out", quote(name), quote(c.Bad.Text))
	}
	present := len(t.y) - c.Missing.Count
	if t.forced[i] == "" && booleanWords(c.Entries) {
		column.Kind = Boolean
		t.recode(k, func(entry int) float64 { return float64(booleans[c.Entries[entry].Text]) })
		return column, ""
	}
	const few = 10
	if n := len(c.Entries); t.forced[i] == "" && (c.Overflow || n > mostFound || n > few && 2*n > present) {
		hint := "name it as categorical to use the most frequent ones"
		if _, ok := parseDate([]byte(c.Entries[0].Text)); ok {
			hint = "name it as dates to use it as days since 1970"
		}
		many := fmt.Sprintf("%d different texts in %d rows", n, present)
		if c.Overflow || n > mostFound {
			many = fmt.Sprintf("more than %d different texts", mostFound)
		}
		return column, fmt.Sprintf("column %s has %s: left out; %s", quote(name), many, hint)
	}
	column.Kind = Categorical
	var place []float64
	column.Categories, place = nameTexts(c.Entries, sortedTexts(c.Entries))
	t.recode(k, func(entry int) float64 { return place[entry] })
	return column, ""
}

func booleanWords(entries []csvscan.Entry) bool {
	for _, e := range entries {
		if _, ok := booleans[e.Text]; !ok {
			return false
		}
	}
	return true
}

// sortedTexts returns the order of the entries by text or, if all are numbers,
// by value.
func sortedTexts(entries []csvscan.Entry) []int {
	order, values, allNumbers := make([]int, len(entries)), make([]float64, len(entries)), true
	for i, e := range entries {
		order[i] = i
		v, ok := parseNumber(e.Text)
		values[i], allNumbers = v, allNumbers && ok
	}
	slices.SortStableFunc(order, func(a, b int) int {
		if allNumbers && values[a] != values[b] {
			if values[a] < values[b] {
				return -1
			}
			return 1
		}
		return strings.Compare(entries[a].Text, entries[b].Text)
	})
	return order
}

// nameTexts returns the different names of the entries in the given order, and
// the place of each entry's name.
func nameTexts(entries []csvscan.Entry, order []int) (names []string, place []float64) {
	place = make([]float64, len(entries))
	index := make(map[string]int, len(order))
	for _, i := range order {
		name := unguard(entries[i].Text)
		k, ok := index[name]
		if !ok {
			k = len(names)
			index[name], names = k, append(names, name)
		}
		place[i] = float64(k)
	}
	return names, place
}

// recode replaces the entries in column k of x by other values.
func (t *csvTable) recode(k int, value func(entry int) float64) {
	for i := k; i < len(t.x); i += len(t.used) {
		if v := t.x[i]; !math.IsNaN(v) {
			t.x[i] = value(int(v))
		}
	}
}

// compact keeps the given columns of x alone.
func (t *csvTable) compact(keep []int) {
	width := len(t.used)
	if len(keep) == width {
		return
	}
	to := 0
	for row := range t.y {
		for _, k := range keep {
			t.x[to] = t.x[row*width+k]
			to++
		}
	}
	t.x = t.x[:to]
}

// dropRows leaves out the rows with missing values.
func (t *csvTable) dropRows(d *Dataset) {
	width, to := d.Inputs(), 0
	for row, y := range t.y {
		values := t.x[row*width : (row+1)*width]
		if math.IsNaN(y) || slices.ContainsFunc(values, math.IsNaN) {
			continue
		}
		copy(t.x[to*width:], values)
		t.y[to] = y
		to++
	}
	if dropped := len(t.y) - to; dropped > 0 {
		d.Notices = append(d.Notices, fmt.Sprintf("%d of %d rows have missing values: left out", dropped, len(t.y)))
	}
	t.x, t.y = t.x[:to*width], t.y[:to]
}

// maxClasses is how many classes there may be: each has weights of its own.
const maxClasses = 10_000

// setTargets makes d's targets of the target column.
func (t *csvTable) setTargets(d *Dataset) error {
	c, name, task := &t.columns[t.target], d.TargetName, t.opts.Task
	var bad cellErrors
	if t.opts.CSV.Missing != DropMissing {
		bad.addMissing(&c.Missing, name, "a target")
	}
	if err := bad.err(); err != nil {
		return err
	}
	d.Y = t.y
	if t.kinds[t.target] == csvscan.Text {
		if task == AutoTask && fractions(c.Entries) || task == Regression {
			texts := texts(c.Entries)
			bad.add(&texts, name, "a finite number, the task being regression")
			return bad.err()
		}
		d.Task = Classification
		return t.textClasses(d, c)
	}
	if task == AutoTask {
		task = Regression
		if numbersAreClasses(d.Y) {
			task = Classification
		}
	}
	if d.Task = task; task == Classification {
		d.Classes = classesOfNumbers(d.Y)
	}
	return checkClasses(d)
}

// textClasses makes classes of the target's texts, those that rows are left of.
func (t *csvTable) textClasses(d *Dataset, c *csvscan.Column) error {
	if c.Bad.Count > 0 {
		var bad cellErrors
		bad.add(&c.Bad, d.TargetName, "a class name of at most 4 KiB")
		return bad.err()
	}
	if c.Overflow {
		return fmt.Errorf("column %s: more than %d different texts, want the names of at most %d classes", quote(d.TargetName), mostAsked, maxClasses)
	}
	left := make([]bool, len(c.Entries))
	for _, y := range d.Y {
		left[int(y)] = true
	}
	order := make([]int, 0, len(left))
	for i, some := range left {
		if some {
			order = append(order, i)
		}
	}
	slices.SortFunc(order, func(a, b int) int { return strings.Compare(c.Entries[a].Text, c.Entries[b].Text) })
	var place []float64
	d.Classes, place = nameTexts(c.Entries, order)
	for i, y := range d.Y {
		d.Y[i] = place[int(y)]
	}
	return checkClasses(d)
}

func checkClasses(d *Dataset) error {
	if len(d.Classes) > maxClasses {
		return fmt.Errorf("column %s: %d different targets, want at most %d classes; is the task regression, or the target another column?",
			quote(d.TargetName), len(d.Classes), maxClasses)
	}
	return nil
}

// fractions reports whether there are numbers with a fraction among the texts.
func fractions(entries []csvscan.Entry) bool {
	return slices.ContainsFunc(entries, func(e csvscan.Entry) bool {
		v, ok := parseNumber(e.Text)
		return ok && v != math.Trunc(v)
	})
}

// texts counts the cells that are not numbers.
func texts(entries []csvscan.Entry) csvscan.Cells {
	var cells csvscan.Cells
	for _, e := range entries {
		if _, ok := parseNumber(e.Text); ok {
			continue
		}
		if cells.Count == 0 {
			cells.Line, cells.Text = e.Line, e.Text
		}
		cells.Count += e.Count
	}
	return cells
}

// cellErrors keeps the first cell that cannot be read and counts the others.
type cellErrors struct {
	line  int
	first string
	count int
}

// add adds cells of a column that are not what was wanted.
func (e *cellErrors) add(cells *csvscan.Cells, column, want string) {
	e.note(cells, func() string {
		return fmt.Sprintf("line %d, column %s: %s, want %s", cells.Line, quote(column), quote(cells.Text), want)
	})
}

// addMissing adds cells of a column that hold nothing.
func (e *cellErrors) addMissing(cells *csvscan.Cells, column, want string) {
	e.note(cells, func() string {
		return fmt.Sprintf("line %d, column %s: missing value (%s), want %s", cells.Line, quote(column), quote(cells.Text), want)
	})
}

func (e *cellErrors) note(cells *csvscan.Cells, text func() string) {
	if cells.Count == 0 {
		return
	}
	e.count += cells.Count
	if e.first == "" || cells.Line < e.line {
		e.line, e.first = cells.Line, text()
	}
}

func (e *cellErrors) err() error {
	switch e.count {
	case 0:
		return nil
	case 1:
		return fmt.Errorf("%s", e.first)
	default:
		return fmt.Errorf("%s (and %d more like it)", e.first, e.count-1)
	}
}

// maxNumberClasses is how many different whole numbers are taken for classes
// if the task is not said.
const maxNumberClasses = 20

// numbersAreClasses is the rule for targets that are all numbers, as the
// docstring of Options.Task states it.
func numbersAreClasses(y []float64) bool {
	distinct := map[float64]bool{}
	for _, v := range y {
		if v != math.Trunc(v) {
			return false
		}
		distinct[v] = true
		if len(distinct) > maxNumberClasses {
			return false
		}
	}
	return 2*len(distinct) <= len(y)
}

// numberLabel returns the class name of a number: 1 and 1.0 are both "1".
func numberLabel(v float64) string {
	return strconv.FormatFloat(v+0, 'g', -1, 64) // + 0 makes 0 of −0
}

// classesOfNumbers replaces each number by the index of its class and returns
// the classes' names, in the numbers' order.
func classesOfNumbers(y []float64) []string {
	distinct := slices.Clone(y)
	slices.Sort(distinct)
	distinct = slices.Compact(distinct)
	classes := make([]string, len(distinct))
	for i, v := range distinct {
		classes[i] = numberLabel(v)
	}
	for i, v := range y {
		k, _ := slices.BinarySearch(distinct, v)
		y[i] = float64(k)
	}
	return classes
}

// parseNumber reads a finite decimal number.
func parseNumber(s string) (float64, bool) {
	v, err := strconv.ParseFloat(s, 64)
	return v, err == nil && finite(v)
}
