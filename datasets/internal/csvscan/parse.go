package csvscan

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// Dialect is how cells are separated and numbers written.
type Dialect struct {
	Separator    byte
	DecimalPoint byte // '.' or ','
}

// Kind is what is done with the cells of a column.
type Kind uint8

const (
	// Skip ignores the cells.
	Skip Kind = iota
	// Number reads numbers.
	Number
	// Text numbers the different texts in the order in which they come.
	Text
	// Known looks texts up in Op.Index.
	Known
	// Parsed calls Op.Parse.
	Parsed
)

// Op is what is done with one column of a file. The values of the cells, NaN for
// missing ones, go to column Dest of the chunk's table, or to its targets if
// Dest is [Target].
type Op struct {
	Kind Kind
	Dest int
	// Most is how many different texts are told apart; after that every cell
	// counts as the first one and Column.Overflow is set.
	Most int
	// Index gives the value of a known text and Numbers that of one that is a
	// number, however it is written. Unknown is that of the others if
	// HasUnknown, else they are bad cells.
	Index      map[string]int
	Numbers    map[float64]int
	Unknown    float64
	HasUnknown bool
	// Parse reads a cell that is not missing.
	Parse func(cell []byte) (float64, bool)
}

// Target is the Op.Dest of targets.
const Target = -1

// Plan is what is done with a file.
type Plan struct {
	Dialect
	Ops     []Op // one for each column of the file
	Width   int  // columns of the table
	Targets bool // whether there is a column of targets
	Keep    bool // whether chunks keep the text of their records
}

// Chunk is what a part of a file holds: whole rows.
type Chunk struct {
	Rows    int
	Values  []float64 // [Rows, Width], row after row
	Targets []float64 // [Rows] if the plan has targets
	Columns []Column  // one for each column of the file

	data    []byte
	records []record // if the plan keeps them
	err     error
}

type record struct{ from, to int }

// Column is what was found in a column of the file.
type Column struct {
	Missing  Cells
	Bad      Cells // cells that the plan's kind cannot read
	Overflow bool
	Entries  []Entry // the different texts of a Text column
	index    map[string]int
}

// Cells counts cells and keeps the first.
type Cells struct {
	Count int
	Line  int
	Text  string
}

// Entry is one of the different texts of a column.
type Entry struct {
	Text  string
	Count int
	Line  int // of the first cell
}

func (c *Cells) add(cell []byte, line int) {
	if c.Count++; c.Count == 1 {
		c.Line, c.Text = line, CellText(cell)
	}
}

// Merge adds what a later part of the file holds and returns, for a Text
// column, the entry that each entry of the later part is in c.
func (c *Column) Merge(later *Column, most int) (entries []int) {
	c.Missing.merge(&later.Missing)
	c.Bad.merge(&later.Bad)
	c.Overflow = c.Overflow || later.Overflow
	if len(later.Entries) == 0 {
		return nil
	}
	entries = make([]int, len(later.Entries))
	for i, e := range later.Entries {
		k, ok := c.index[e.Text]
		switch {
		case ok:
			c.Entries[k].Count += e.Count
		case len(c.Entries) >= most:
			c.Overflow = true
		default:
			k = c.enter(e)
		}
		entries[i] = k
	}
	return entries
}

func (c *Cells) merge(later *Cells) {
	if c.Count == 0 {
		*c = *later
	} else {
		c.Count += later.Count
	}
}

func (c *Column) enter(e Entry) int {
	if c.index == nil {
		c.index = map[string]int{}
	}
	k := len(c.Entries)
	c.index[e.Text] = k
	c.Entries = append(c.Entries, e)
	return k
}

// maxTextBytes is the longest text that can be one of a column's.
const maxTextBytes = 4 << 10

// text returns the number of a cell's text.
func (c *Column) text(cell []byte, line, most int) float64 {
	k, ok := c.index[string(cell)]
	switch {
	case ok:
		c.Entries[k].Count++
	case c.Overflow || len(c.Entries) >= most || len(cell) > maxTextBytes:
		c.Overflow = true
		if len(cell) > maxTextBytes {
			c.Bad.add(cell, line)
		}
		return 0
	default:
		text := CellText(cell)
		if k, ok = c.index[text]; ok { // it is not UTF-8 and has been seen
			c.Entries[k].Count++
		} else {
			k = c.enter(Entry{Text: text, Count: 1, Line: line})
		}
	}
	return float64(k)
}

// CellText returns a cell as UTF-8 that can be printed: a cell that is not UTF-8
// is taken for Windows-1252, of which Latin-1 is a part; control characters and
// marks of writing direction become �, line breaks and tabs blanks.
func CellText(cell []byte) string { return Printable(string(decoded(cell))) }

// decoded returns a cell as UTF-8.
func decoded(cell []byte) []byte {
	if utf8.Valid(cell) {
		return cell
	}
	text, err := charmap.Windows1252.NewDecoder().Bytes(cell)
	if err != nil {
		return bytes.ToValidUTF8(cell, []byte("�"))
	}
	return text
}

// Printable returns a text without what would command a terminal or reorder a
// line: control characters and marks of writing direction become �, line breaks
// and tabs blanks.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\r' || r == '\t':
			return ' '
		case unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control):
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// parser reads one block.
type parser struct {
	*Plan
	data    []byte // whole records, ending with a line break
	pos     int
	line    int
	scratch []byte // a cell with its doubled quotes made single
	chunk   *Chunk
}

// parse fills the chunk from the block.
func (p *Plan) parse(b block, c *Chunk) error {
	r := parser{Plan: p, data: b.data, line: b.line, chunk: c}
	*c = Chunk{Values: c.Values[:0], Targets: c.Targets[:0], records: c.records[:0], data: b.data, Columns: make([]Column, len(p.Ops))}
	for r.nextRecord() {
		if err := r.record(); err != nil {
			return err
		}
	}
	return nil
}

// nextRecord goes to the next line that is not empty.
func (p *parser) nextRecord() bool {
	for p.pos < len(p.data) {
		switch {
		case p.data[p.pos] == '\n':
			p.pos++
		case p.data[p.pos] == '\r' && p.data[p.pos+1] == '\n':
			p.pos += 2
		default:
			return true
		}
		p.line++
	}
	return false
}

func (p *parser) record() error {
	c := p.chunk
	from, line, last := p.pos, p.line, len(p.Ops)-1
	row := len(c.Values)
	for range p.Width {
		c.Values = append(c.Values, 0)
	}
	values := c.Values[row:]
	target := 0.0
	for i := range p.Ops {
		op := &p.Ops[i]
		if op.Kind == Number {
			if v, next, ok := number(p.data, p.pos, p.DecimalPoint); ok {
				end := p.data[next]
				if i < last && end == p.Separator {
					p.pos = next + 1
				} else if i == last && (end == '\n' || end == '\r' && p.data[next+1] == '\n') {
					if p.pos = next + 1; end == '\r' {
						p.pos++
					}
					p.line++
				} else {
					goto slowly
				}
				if op.Dest >= 0 {
					values[op.Dest] = v
				} else {
					target = v
				}
				continue
			}
		}
	slowly:
		cell, end, err := p.cell()
		if err != nil {
			return err
		}
		if end != (i == last) {
			return p.countFields(line, i+1, end)
		}
		if op.Kind == Skip {
			continue
		}
		v := p.value(op, &c.Columns[i], cell, line)
		if op.Dest >= 0 {
			values[op.Dest] = v
		} else {
			target = v
		}
	}
	c.Rows++
	if p.Targets {
		c.Targets = append(c.Targets, target)
	}
	if p.Keep {
		c.records = append(c.records, record{from, p.pos})
	}
	return nil
}

// value returns what a cell stands for.
func (p *parser) value(op *Op, c *Column, cell []byte, line int) float64 {
	if Missing(cell) {
		c.Missing.add(cell, line)
		return math.NaN()
	}
	var v float64
	var ok bool
	switch op.Kind {
	case Number:
		v, ok = ParseNumber(cell, p.DecimalPoint)
	case Parsed:
		v, ok = op.Parse(cell)
	case Text:
		return c.text(cell, line, op.Most)
	case Known:
		k, found := op.Index[string(cell)]
		if !found {
			k, found = op.Index[CellText(cell)]
		}
		if number, isNumber := 0.0, false; !found && len(op.Numbers) > 0 {
			if number, isNumber = ParseNumber(cell, p.DecimalPoint); isNumber {
				k, found = op.Numbers[number]
			}
		}
		switch {
		case found:
			return float64(k)
		case op.HasUnknown:
			return op.Unknown
		}
	}
	if !ok {
		c.Bad.add(cell, line)
		return math.NaN()
	}
	return v
}

var (
	errBareQuote = errors.New(`bare " in non-quoted-field`)
	errOpenQuote = errors.New(`extraneous or missing " in quoted-field`)
)

// cell reads the cell at p.pos, without the spaces around it, and goes on to the
// next; end says that the record is at its end. The cell is valid until the next
// call.
func (p *parser) cell() (cell []byte, end bool, err error) {
	b, i := p.data, p.pos
	for (b[i] == ' ' || b[i] == '\t') && b[i] != p.Separator {
		i++
	}
	if b[i] == '"' {
		return p.quoted(i + 1)
	}
	from := i
	for b[i] != p.Separator && b[i] != '\n' {
		if b[i] == '"' {
			return nil, false, fmt.Errorf("line %d: not CSV: %w", p.line, errBareQuote)
		}
		i++
	}
	cell, end = b[from:i], b[i] == '\n'
	if p.pos = i + 1; end {
		p.line++
	}
	return bytes.TrimSpace(cell), end, nil
}

// quoted reads the rest of a cell in quotation marks.
func (p *parser) quoted(i int) (cell []byte, end bool, err error) {
	b, start, doubled := p.data, i, false
	p.scratch = p.scratch[:0]
	lines := 0
	for {
		k := bytes.IndexByte(b[i:], '"')
		if k < 0 {
			// The end of the file, which is where the mark is missing.
			return nil, false, fmt.Errorf("line %d: not CSV: %w", p.line+bytes.Count(bytes.TrimSuffix(b[start:], []byte("\n")), []byte("\n")), errOpenQuote)
		}
		lines += bytes.Count(b[i:i+k], []byte("\n"))
		if b[i+k+1] != '"' {
			if cell = b[i : i+k]; doubled {
				p.scratch = append(p.scratch, cell...)
				cell = p.scratch
			}
			i += k + 1
			break
		}
		doubled = true
		p.scratch = append(p.scratch, b[i:i+k+1]...)
		i += k + 2
	}
	p.line += lines
	for (b[i] == ' ' || b[i] == '\t') && b[i] != p.Separator {
		i++
	}
	if b[i] == '\r' && b[i+1] == '\n' {
		i++
	}
	if b[i] != p.Separator && b[i] != '\n' {
		return nil, false, fmt.Errorf("line %d: not CSV: %w", p.line, errOpenQuote)
	}
	end = b[i] == '\n'
	if p.pos = i + 1; end {
		p.line++
	}
	return bytes.TrimSpace(cell), end, nil
}

// countFields says how many fields a line has that has too many or too few.
func (p *parser) countFields(line, fields int, end bool) error {
	for !end {
		var err error
		if _, end, err = p.cell(); err != nil {
			return err
		}
		fields++
	}
	return fmt.Errorf("line %d: %d fields, want %d as in the header", line, fields, len(p.Ops))
}

// Records calls f with the cells of each row of a chunk whose plan keeps them, as
// UTF-8. They are valid during the call.
func (p *Plan) Records(c *Chunk, f func(row int, cells [][]byte) error) error {
	var cells [][]byte
	var text []byte
	var ends []int
	for row, at := range c.records {
		r := parser{Plan: p, data: c.data[:at.to], pos: at.from}
		text, ends = text[:0], ends[:0]
		for end := false; !end; {
			var cell []byte
			var err error
			if cell, end, err = r.cell(); err != nil {
				return err
			}
			text = append(text, decoded(cell)...)
			ends = append(ends, len(text))
		}
		cells = cells[:0]
		from := 0
		for _, to := range ends {
			cells = append(cells, text[from:to:to])
			from = to
		}
		if err := f(row, cells); err != nil {
			return err
		}
	}
	return nil
}
