package datasets

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

func readText(text string, opts Options) (*Dataset, error) {
	return ReadCSV(strings.NewReader(text), "t.csv", opts)
}

func TestCSVTargetByNameOrNumber(t *testing.T) {
	const text = "a,2,c\n1,2,3.5\n4,5,6.5\n"
	for _, c := range []struct {
		target   string
		features []string
		x, y     []float64
	}{
		{"", []string{"a", "2"}, []float64{1, 2, 4, 5}, []float64{3.5, 6.5}},
		{"c", []string{"a", "2"}, []float64{1, 2, 4, 5}, []float64{3.5, 6.5}},
		{"1", []string{"2", "c"}, []float64{2, 3.5, 5, 6.5}, []float64{1, 4}},
		{"2", []string{"a", "c"}, []float64{1, 3.5, 4, 6.5}, []float64{2, 5}}, // a name comes before a number
		{"3", []string{"a", "2"}, []float64{1, 2, 4, 5}, []float64{3.5, 6.5}},
	} {
		d, err := readText(text, Options{Target: c.target})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(d.Features, c.features) || !slices.Equal(d.X, c.x) || !slices.Equal(d.Y, c.y) || d.Task != Regression {
			t.Errorf("target %q: got %v, X %v, Y %v, %v", c.target, d.Features, d.X, d.Y, d.Task)
		}
	}
}

// column makes a file with the given target cells.
func column(cells ...string) string {
	text := "x,y\n"
	for i, cell := range cells {
		text += fmt.Sprintf("%d,%s\n", i, cell)
	}
	return text
}

func TestCSVTaskIsFoundOut(t *testing.T) {
	whole := func(n, distinct int) []string {
		cells := make([]string, n)
		for i := range cells {
			cells[i] = fmt.Sprint(i % distinct)
		}
		return cells
	}
	for _, c := range []struct {
		name    string
		cells   []string
		task    Task
		want    Task
		classes []string
		y       []float64
	}{
		{"text", []string{"no", "yes", "no"}, AutoTask, Classification, []string{"no", "yes"}, []float64{0, 1, 0}},
		{"text among whole numbers", []string{"1", "many", "1"}, AutoTask, Classification, []string{"1", "many"}, []float64{0, 1, 0}},
		{"whole numbers, each twice", []string{"10", "9", "9.0", "1e1"}, AutoTask, Classification, []string{"9", "10"}, []float64{1, 0, 0, 1}},
		{"minus zero", []string{"-0", "-0", "1", "1"}, AutoTask, Classification, []string{"0", "1"}, []float64{0, 0, 1, 1}},
		{"whole numbers, seldom twice", []string{"1", "2", "3", "1"}, AutoTask, Regression, nil, []float64{1, 2, 3, 1}},
		{"fractions", []string{"0.5", "0.5", "1", "1"}, AutoTask, Regression, nil, []float64{0.5, 0.5, 1, 1}},
		{"20 whole numbers", whole(40, 20), AutoTask, Classification, numbered("", 0, 20), nil},
		{"21 whole numbers", whole(42, 21), AutoTask, Regression, nil, nil},
		{"numbers as classes", []string{"0.5", "2", "1"}, Classification, Classification, []string{"0.5", "1", "2"}, []float64{0, 2, 1}},
		{"classes as numbers", []string{"1", "0", "0", "1"}, Regression, Regression, nil, []float64{1, 0, 0, 1}},
	} {
		d, err := readText(column(c.cells...), Options{Task: c.task})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if d.Task != c.want || !slices.Equal(d.Classes, c.classes) || c.y != nil && !slices.Equal(d.Y, c.y) {
			t.Errorf("%s: got %v, classes %q, Y %v; want %v, %q, %v", c.name, d.Task, d.Classes, d.Y, c.want, c.classes, c.y)
		}
		if err := d.Check(); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestCSVDialects(t *testing.T) {
	want, err := readText("a,b c,y\n1,2,p\n-3e2,4.5,q\n", Options{})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"semicolons":        "a;b c;y\n1;2;p\n-3e2;4.5;q\n",
		"tabs":              "a\tb c\ty\n1\t2\tp\n-3e2\t4.5\tq\n",
		"CRLF":              "a,b c,y\r\n1,2,p\r\n-3e2,4.5,q\r\n",
		"byte order mark":   "\ufeffa,b c,y\n1,2,p\n-3e2,4.5,q\n",
		"spaces":            " a , b c ,y \n 1, 2 , p\n -3e2 ,4.5,q\n",
		"quotes":            "\"a\",\"b c\",\"y\"\n\"1\",2,\"p\"\n-3e2,4.5,q\n",
		"quoted after tabs": "\"a\"\t\"b c\"\t\"y\"\n\"1\"\t2\t\"p\"\n-3e2\t4.5\tq\n",
		"blank lines":       "\n\na,b c,y\n\n1,2,p\n\n-3e2,4.5,q\n\n",
		"no last newline":   "a,b c,y\n1,2,p\n-3e2,4.5,q",
	} {
		d, err := readText(text, Options{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if !sameData(d, want) || fmt.Sprint(d.Schema()) != fmt.Sprint(want.Schema()) {
			t.Errorf("%s: got %+v", name, d)
		}
	}
	d, err := readText("\"a,b,c\";y\n1;2.5\n", Options{})
	if err != nil || d.Features[0] != "a,b,c" {
		t.Errorf("commas within quotes: %v", err)
	}
	d, err = readText("a;b,c,y\n1,2,3.5\n", Options{})
	if err != nil || d.Features[0] != "a;b" {
		t.Errorf("more commas than semicolons: %v", err)
	}
}

func TestCSVErrorsNameTheLineAndColumn(t *testing.T) {
	for _, c := range []struct {
		name, text string
		opts       Options
		want       string
	}{
		{"empty", "", Options{}, "empty file, want a line of column names and then rows"},
		{"only a mark", "\ufeff\n\n", Options{}, "empty file, want a line of column names and then rows"},
		{"only a header", "a,b\n", Options{}, "a header but no rows"},
		{"one column", "a\n1\n", Options{}, `header: one column, "a", want features and a target, separated by comma, semicolon, tab or |`},
		{"no header", "5.1,3.5,0\n4.9,3.0,1\n", Options{}, "header: only numbers, want the columns' names"},
		{"unnamed column", "a,,c\n1,2,3\n", Options{}, "header: column 2 has no name"},
		{"repeated column", "a,b,a\n1,2,3\n", Options{}, `header: columns 1 and 3 are both named "a"`},
		{"no such target", "a,b\n1,2\n", Options{Target: "c"}, `no target column "c": there are "a" and "b"`},
		{"target 0", "a,b\n1,2\n", Options{Target: "0"}, "target column 0: want a number from 1 to 2"},
		{"target 3", "a,b\n1,2\n", Options{Target: "3"}, "target column 3: want a number from 1 to 2"},
		{"short row", "a,b,c\n1,2,3\n\n1,2\n", Options{}, "line 4: 2 fields, want 3 as in the header"},
		{"long row", "a,b\n1,2,3\n", Options{}, "line 2: 3 fields, want 2 as in the header"},
		{"missing", "a,b,c\n1,2,3\n1,,3\n", Options{CSV: CSVOptions{Missing: RefuseMissing}}, `line 3, column "b": missing value (""), want a value`},
		{"missing at first", "a,b,c\n,2,3\n", Options{CSV: CSVOptions{Missing: RefuseMissing}}, `line 2, column "a": missing value (""), want a value`},
		{"missing after a tab", "a\tb\tc\n1\t\t3\n", Options{CSV: CSVOptions{Missing: RefuseMissing}}, `line 2, column "b": missing value (""), want a value`},
		{"missing by name", "a,b\n1,1\nNA,2\n?,3\nnull,4\nn/a,5\n", Options{CSV: CSVOptions{Missing: RefuseMissing}}, `line 3, column "a": missing value ("NA"), want a value (and 3 more like it)`},
		{"not a number", "a,b\n1,1\n2 cm,2\n", Options{}, `line 3, column "a": "2 cm", want a finite number`},
		{"NaN", "a,b\nNaN,1\n", Options{CSV: CSVOptions{Missing: RefuseMissing}}, `line 2, column "a": missing value ("NaN"), want a value`},
		{"infinite", "a,b\n1,1\n-inf,1\n", Options{}, `line 3, column "a": "-inf", want a finite number`},
		{"too large", "a,b\n1e999,1\n", Options{}, `line 2, column "a": "1e999", want a finite number`},
		{"target missing", column("1", "2", ""), Options{}, `line 4, column "y": missing value (""), want a target`},
		{"target missing among classes", column("p", "NA", "q"), Options{}, `line 3, column "y": missing value ("NA"), want a target`},
		{"text among fractions", column("0.5", "1.5", "x", "z"), Options{}, `line 4, column "y": "x", want a finite number, the task being regression (and 1 more like it)`},
		{"text as numbers", column("p", "q"), Options{Task: Regression}, `line 2, column "y": "p", want a finite number, the task being regression (and 1 more like it)`},
		{"after a long cell", "a,b\n\"1\n\",1\nx,2\n", Options{}, `line 4, column "a": "x", want a finite number`},
		{"bare quote", "a,b\n1,2\n1\"2,3\n", Options{}, `line 3: not CSV: bare " in non-quoted-field`},
		{"open quote", "a,b\n1,2\n\"3,4\n", Options{}, `line 3: not CSV: extraneous or missing " in quoted-field`},
		{"rows asked for", "a,b\n1,2\n", Options{N: 5}, "rows and noise can be chosen for built-in datasets only, not for a file"},
	} {
		_, err := readText(c.text, c.opts)
		if want := "t.csv: " + c.want; err == nil || err.Error() != want {
			t.Errorf("%s: error %v, want %s", c.name, err, want)
		}
	}
}

// What was meant for a table may hold no line break at all.
func TestCSVErrorsShowTheBeginningOfLongCells(t *testing.T) {
	long := strings.Repeat("é", 1<<20)
	for what, c := range map[string]struct {
		text string
		opts Options
	}{
		"feature":  {"a,b\n" + long + ",1\n", Options{}},
		"target":   {"a,b\n1," + long + "\n", Options{Task: Regression}},
		"header":   {long + "\n1\n", Options{}},
		"repeated": {long + "," + long + "\n1,2\n", Options{}},
		"choice":   {long + ",b\n1,2\n", Options{Target: "c"}},
	} {
		_, err := readText(c.text, c.opts)
		if err == nil {
			t.Fatalf("%s: a long cell is read", what)
		}
		if message := err.Error(); len(message) > 400 || !strings.Contains(message, `éé"… (2097152 bytes)`) {
			t.Errorf("%s: the error of %d bytes does not show the beginning alone", what, len(message))
		}
	}
}

func TestCSVFilesThatCannotBeRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none.csv")
	if _, err := Open("csv:"+path, Options{}); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), path) {
		t.Errorf("no file: error %v, want fs.ErrNotExist with the path", err)
	}
	if _, err := OpenCSV(t.TempDir(), Options{}); err == nil {
		t.Error("a directory gives no error")
	}
}

func TestCSVReadersAndWritersThatFail(t *testing.T) {
	broken := errors.New("disk on fire")
	for _, text := range []string{"", "a,b\n1,2\n3"} {
		_, err := ReadCSV(io.MultiReader(strings.NewReader(text), iotest.ErrReader(broken)), "t.csv", Options{})
		if err == nil || err.Error() != "t.csv: disk on fire" || !errors.Is(err, broken) {
			t.Errorf("after %q: error %v", text, err)
		}
	}
	r, w := io.Pipe()
	r.CloseWithError(broken)
	for _, name := range []string{"xor", "glyphs"} { // less and more than a buffer
		if err := WriteCSV(w, mustLoad(t, name, Options{N: 4})); !errors.Is(err, broken) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func flowers(t testing.TB) []byte {
	text, err := os.ReadFile("testdata/flowers.csv")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Whatever a CSV file breaks off in, the result is a dataset or an error.
func TestCSVCutOffAnywhere(t *testing.T) {
	text := flowers(t)
	for n := range text {
		d, err := ReadCSV(bytes.NewReader(text[:n]), "cut.csv", Options{})
		if err == nil {
			err = d.Check()
		} else if !strings.HasPrefix(err.Error(), "cut.csv: ") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%d bytes: error %q, want one line with the file", n, err)
			continue
		}
		if lines := bytes.Count(text[:n], []byte("\n")); err == nil && d.Len() != lines && d.Len() != lines-1 {
			t.Errorf("%d bytes, %d lines: %d rows", n, lines, d.Len())
		}
	}
}

func FuzzReadCSV(f *testing.F) {
	f.Add(flowers(f))
	f.Add([]byte("\ufeffa;b;c\n1;2;NA\n\"\";x;1e999\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, opts := range []Options{{}, {Target: "1", Task: Classification}, {Schema: &Schema{Task: Regression, Features: []string{"a"}, TargetName: "b"}}} {
			if d, err := ReadCSV(bytes.NewReader(text), "f", opts); err == nil {
				if err := d.Check(); err != nil {
					t.Error(err)
				}
			}
		}
	})
}

// Writing a dataset and reading it gives the same numbers, bit for bit.
func TestCSVRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := randomDataset(t)
		d.TestFrom = 0
		var text bytes.Buffer
		if err := WriteCSV(&text, d); err != nil {
			t.Fatal(err)
		}
		schema := d.Schema()
		back, err := ReadCSV(&text, d.Name, Options{Schema: &schema})
		if err != nil {
			t.Fatal(err)
		}
		if !sameData(back, d) || (back.Y == nil) != (d.Y == nil) || fmt.Sprint(back.Schema()) != fmt.Sprint(schema) {
			t.Fatalf("wrote %+v, read %+v", d, back)
		}
	})
}

// randomDataset draws a small dataset of either task, with or without targets.
func randomDataset(t *rapid.T) *Dataset {
	cols, rows := rapid.IntRange(1, 4).Draw(t, "columns"), rapid.IntRange(1, 40).Draw(t, "rows")
	number := rapid.Float64Range(-1e6, 1e6)
	d := &Dataset{
		Name: "random", Task: Regression, TargetName: "target", Features: numbered("f", 0, cols),
		X: rapid.SliceOfN(number, rows*cols, rows*cols).Draw(t, "X"),
	}
	if rapid.Bool().Draw(t, "classification") {
		d.Task, d.Classes = Classification, []string{"p", "q", `"r", s`}
		number = rapid.Map(rapid.IntRange(0, 2), func(k int) float64 { return float64(k) })
	}
	if rapid.Bool().Draw(t, "labelled") {
		d.Y = rapid.SliceOfN(number, rows, rows).Draw(t, "Y")
	}
	return d
}
