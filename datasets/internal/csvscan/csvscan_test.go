package csvscan

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

// A number is the nearest float64, as strconv has it, bit for bit.
func TestNumbersAreThoseOfStrconv(t *testing.T) {
	check := func(t interface{ Fatalf(string, ...any) }, text string) {
		want, err := strconv.ParseFloat(text, 64)
		got, ok := ParseNumber([]byte(text), '.')
		if ok != (err == nil) || ok && math.Float64bits(got) != math.Float64bits(want) {
			t.Fatalf("%s: got %v, %v, want %v, %v", text, got, ok, want, err)
		}
		if !strings.Contains(text, ".") {
			return
		}
		if comma, okComma := ParseNumber([]byte(strings.Replace(text, ".", ",", 1)), ','); okComma != ok || ok && comma != got {
			t.Fatalf("%s with a comma: got %v, %v", text, comma, okComma)
		}
	}
	for _, text := range []string{
		"0", "-0", "+1", ".5", "5.", "-.5e-3", "1e22", "1e23", "9007199254740993", "9007199254740992.5", "0.1", "0.30000000000000004",
		"1.7976931348623157e308", "1.7976931348623159e308", "4.9e-324", "2.4703282292062327e-324", "2.4703282292062328e-324",
		"2.2250738585072011e-308", "18446744073709551615", "18446744073709551616", "9999999999999999999", "99999999999999999999",
		"0.9999999999999999999", "1.00000000000000011102230246251565404", "1.00000000000000011102230246251565405", "1e-400", "123456789012345678901234567890e-30",
	} {
		check(t, text)
	}
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Float64().Draw(t, "value")
		check(t, strconv.FormatFloat(v, byte(rapid.SampledFrom([]rune("efg")).Draw(t, "format")), rapid.IntRange(-1, 25).Draw(t, "digits"), 64))
		check(t, rapid.StringMatching(`[-+]?[0-9]{0,22}(\.[0-9]{1,22})?(e[-+]?[0-9]{1,3})?`).Filter(func(s string) bool {
			return strings.ContainsAny(s, "0123456789") && !strings.HasPrefix(strings.TrimLeft(s, "+-"), "e")
		}).Draw(t, "text"))
	})
}

// Of numbers that lie halfway between two float64, and next to those, the right
// one is found: the quotient alone cannot tell them apart.
func TestNumbersHalfwayAreRoundedToEven(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		mantissa := rapid.Uint64Range(1<<52, 1<<53-1).Draw(t, "mantissa")
		down := rapid.IntRange(1, 9).Draw(t, "binary places")
		// (2·mantissa + 1)/2^down has a decimal form of that many places.
		half := new(big.Int).SetUint64(2*mantissa + 1)
		half.Mul(half, new(big.Int).Exp(big.NewInt(5), big.NewInt(int64(down)), nil))
		half.Add(half, big.NewInt(int64(rapid.IntRange(-1, 1).Draw(t, "beside"))))
		text := half.String() + "e-" + strconv.Itoa(down)
		want, err := strconv.ParseFloat(text, 64)
		if got, ok := ParseNumber([]byte(text), '.'); err != nil || !ok || got != want {
			t.Fatalf("%s: got %v, want %v", text, got, want)
		}
	})
}

func TestWhatIsNotANumber(t *testing.T) {
	for _, text := range []string{"", "-", "+", ".", "e5", "1e", "1e+", "1.2.3", "1,5", "0x10", "1_000", "inf", "NaN", "1 2", "--1", "1e400", "-1e999"} {
		if v, ok := ParseNumber([]byte(text), '.'); ok {
			t.Errorf("%q is read as %v", text, v)
		}
	}
	if v, ok := ParseNumber([]byte("1.5"), ','); ok {
		t.Errorf("1.5 with a decimal comma is read as %v", v)
	}
}

// scanned is all that a scan gives.
type scanned struct {
	values, targets []float64
	columns         []Column
	cells           [][]string
}

func scan(text io.Reader, p Plan) (*scanned, error) {
	all := new(scanned)
	r := NewReader(text)
	h, err := r.Head()
	if err != nil {
		return nil, err
	}
	header, err := h.Header(p.Dialect)
	if err != nil {
		return nil, err
	}
	if p.Ops == nil {
		p.Ops = make([]Op, len(header))
	}
	all.columns = make([]Column, len(p.Ops))
	err = r.Scan(h, &p, func(c *Chunk) error {
		all.values, all.targets = append(all.values, c.Values...), append(all.targets, c.Targets...)
		for i := range all.columns {
			all.columns[i].Merge(&c.Columns[i], p.Ops[i].Most)
		}
		return p.Records(c, func(_ int, cells [][]byte) error {
			record := make([]string, len(cells))
			for i := range cells {
				record[i] = string(cells[i])
			}
			all.cells = append(all.cells, record)
			return nil
		})
	})
	return all, err
}

// Cells are those of encoding/csv, whatever they hold.
func TestCellsAreThoseOfEncodingCSV(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		columns := rapid.IntRange(2, 5).Draw(t, "columns")
		cell := rapid.StringMatching(`[ab"\n,;0-9é.-]{0,6}`)
		records := rapid.SliceOfN(rapid.SliceOfN(cell, columns, columns), 2, 12).Draw(t, "records")
		var text bytes.Buffer
		w := csv.NewWriter(&text)
		w.Comma = rapid.SampledFrom([]rune(",;\t|")).Draw(t, "separator")
		w.UseCRLF = rapid.Bool().Draw(t, "CRLF")
		if err := w.WriteAll(records); err != nil {
			t.Fatal(err)
		}
		got, err := scan(iotest.OneByteReader(&text), Plan{Dialect: Dialect{Separator: byte(w.Comma), DecimalPoint: '.'}, Keep: true})
		if err != nil {
			t.Fatal(err)
		}
		for i, record := range records[1:] {
			for k := range record {
				record[k] = strings.TrimSpace(record[k])
			}
			if w.UseCRLF {
				for k := range record { // encoding/csv writes line breaks within cells so too
					record[k] = strings.ReplaceAll(record[k], "\n", "\r\n")
				}
			}
			if !slices.Equal(record, got.cells[i]) {
				t.Fatalf("record %d: got %q, want %q", i, got.cells[i], record)
			}
		}
	})
}

// What a file of many blocks holds does not depend on the number of threads, and
// lines are counted across the blocks.
func TestBlocksGiveOneFile(t *testing.T) {
	const rows = 80_000
	var text strings.Builder
	text.WriteString("a,kind,y\n")
	for i := range rows {
		fmt.Fprintf(&text, "%d.25,\"kind\n%d\",%d\n", i, i*i%17, -i)
	}
	plan := Plan{Dialect: Dialect{',', '.'}, Width: 2, Targets: true, Ops: []Op{
		{Kind: Number, Dest: 0}, {Kind: Text, Dest: 1, Most: 100}, {Kind: Number, Dest: Target},
	}}
	if text.Len() < 2*blockSize {
		t.Fatal("the text is too short to be cut")
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, threads := range []int{1, 3} {
		runtime.GOMAXPROCS(threads)
		got, err := scan(strings.NewReader(text.String()), plan)
		if err != nil {
			t.Fatal(err)
		}
		for i := range rows {
			if got.values[2*i] != float64(i)+0.25 || got.targets[i] != float64(-i) {
				t.Fatalf("%d threads, row %d: %v, %v", threads, i, got.values[2*i:2*i+2], got.targets[i])
			}
		}
		count := 0
		for _, e := range got.columns[1].Entries {
			count += e.Count
		}
		if n := len(got.columns[1].Entries); n != 9 || count != rows { // 9 squares modulo 17
			t.Errorf("%d threads: %d texts in %d rows", threads, n, count)
		}
	}
	text.WriteString("1,2\n")
	if _, err := scan(strings.NewReader(text.String()), plan); err == nil || err.Error() != fmt.Sprintf("line %d: 2 fields, want 3 as in the header", 2*rows+2) {
		t.Errorf("error %v, want the line", err)
	}
}

func TestDialects(t *testing.T) {
	for text, want := range map[string]Dialect{
		"a,b\n1,2\n":                      {',', '.'},
		"a;b\n1,5;2\n":                    {';', ','},
		"a;b\n1.5;2\n":                    {';', '.'},
		"a|b|c\n1|2|3\n":                  {'|', '.'},
		"a\tb\n1,5\t\"x,y\"\n":            {'\t', ','},
		"name, first;age;x\nDoe, J;3;1\n": {';', '.'},
		"\"a,b,c\";y\n1;2\n":              {';', '.'},
		"first, last;age;x\na;1;2\nb;2;3": {';', '.'},
	} {
		h, err := NewReader(strings.NewReader(text)).Head()
		if err != nil {
			t.Fatal(err)
		}
		if got := h.Detect(Dialect{}); got != want {
			t.Errorf("%q: got %c %c, want %c %c", text, got.Separator, got.DecimalPoint, want.Separator, want.DecimalPoint)
		}
		if got := h.Detect(Dialect{Separator: 'x', DecimalPoint: ','}); got != (Dialect{'x', ','}) {
			t.Errorf("%q: what is given is not kept: %v", text, got)
		}
	}
}

// A quotation mark that is missing does not fill the memory with one row.
func TestRowsAreBounded(t *testing.T) {
	text := io.MultiReader(strings.NewReader("a,b\n1,\""), io.LimitReader(endless('x'), 4*maxRecord))
	_, err := scan(text, Plan{Dialect: Dialect{',', '.'}})
	if err == nil || !strings.Contains(err.Error(), "a quotation mark missing") {
		t.Errorf("error %v", err)
	}
}

// endless reads one byte for ever.
type endless byte

func (e endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(e)
	}
	return len(p), nil
}

func TestReadersThatFail(t *testing.T) {
	broken := errors.New("disk on fire")
	if _, err := scan(io.MultiReader(strings.NewReader("a,b\n1,2\n"), iotest.ErrReader(broken)), Plan{Dialect: Dialect{',', '.'}}); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
}

// Printable text is left as it is; what would command a terminal is not left.
func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"petal width": "petal width", "é ♥ 日本": "é ♥ 日本", "\x1b[31mred\x07": "�[31mred�",
		"a\tb\r\nc": "a b  c", "a\u202eb": "a�b", "\u009b31m": "�31m",
	} {
		if got := Printable(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	if got := CellText([]byte("K\xf6ln")); got != "Köln" {
		t.Errorf("Windows-1252: got %q", got)
	}
}

func BenchmarkScan(b *testing.B) {
	var text strings.Builder
	text.WriteString(strings.Repeat("x,", 19) + "y\n")
	for i := range 20_000 {
		for k := range 20 {
			if k > 0 {
				text.WriteByte(',')
			}
			text.WriteString(strconv.FormatFloat(math.Sin(float64(20*i+k)), 'g', -1, 64))
		}
		text.WriteByte('\n')
	}
	p := Plan{Dialect: Dialect{',', '.'}, Width: 20, Ops: make([]Op, 20)}
	for i := range p.Ops {
		p.Ops[i] = Op{Kind: Number, Dest: i}
	}
	b.SetBytes(int64(text.Len()))
	for b.Loop() {
		r := NewReader(strings.NewReader(text.String()))
		h, err := r.Head()
		if err != nil {
			b.Fatal(err)
		}
		if _, err := h.Header(p.Dialect); err != nil {
			b.Fatal(err)
		}
		if err := r.Scan(h, &p, func(*Chunk) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}
