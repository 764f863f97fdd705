package datasets

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/stat"
	"pgregory.net/rapid"
)

// people has each kind of column and holes; the last row is for the test part.
const people = `,age,city,member,joined,y
0,20,Oslo,yes,2020-01-01,1
1,,Paris,no,2020-01-02,2.5
2,40,Oslo,yes,,3
3,60,,no,2020-01-04,4
4,30,Rome,no,2020-01-05,5
`

func readPeople(t testing.TB, opts CSVOptions) *Dataset {
	t.Helper()
	opts.Dates = []string{"joined"}
	d, err := readText(people, Options{CSV: opts})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestKindsAreFoundOut(t *testing.T) {
	d := readPeople(t, CSVOptions{})
	var got []string
	for _, c := range d.Columns() {
		got = append(got, fmt.Sprintf("%s: %s, %d missing, %d distinct, %s", c.Name, c.Kind, c.Missing, c.Distinct, c.Example))
	}
	want := []string{
		"age: numeric, 1 missing, 4 distinct, 20", "city: categorical, 1 missing, 3 distinct, Oslo", "member: boolean, 0 missing, 2 distinct, true",
		"joined: date, 1 missing, 4 distinct, 2020-01-01", "y: target, regression, 0 missing, 5 distinct, 1",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if len(d.Notices) != 1 || !strings.Contains(d.Notices[0], "column 1 has no name") {
		t.Errorf("notices %q, want one of the index", d.Notices)
	}
	if err := d.Check(); err != nil {
		t.Error(err)
	}
}

// The encoding is fitted on the rows that it is given, those of the training
// part, and knows nothing of others.
func TestEncodingIsFittedOnTheTrainingPart(t *testing.T) {
	d := readPeople(t, CSVOptions{})
	e, err := FitEncoding(d.Subset([]int{0, 1, 2, 3}))
	if err != nil {
		t.Fatal(err)
	}
	features := []string{"age", "age is missing", "city=Oslo", "city=Paris", "city is missing", "member", "joined", "joined is missing"}
	if !slices.Equal(e.Features(), features) {
		t.Fatalf("features %q, want %q", e.Features(), features)
	}
	encoded, err := e.Transform(d)
	if err != nil {
		t.Fatal(err)
	}
	if err := encoded.Check(); err != nil {
		t.Error(err)
	}
	const day = 18262 // 2020-01-01
	want := []float64{
		20, 0, 1, 0, 0, 1, day, 0,
		40, 1, 0, 1, 0, 0, day + 1, 0, // the median of 20, 40, 60
		40, 0, 1, 0, 0, 1, day + 1, 1,
		60, 0, 1, 0, 1, 0, day + 3, 0, // the most frequent city
		30, 0, 0, 0, 0, 0, day + 4, 0, // a city that was not there
	}
	if !slices.Equal(encoded.X, want) {
		t.Errorf("got %v, want %v", encoded.X, want)
	}
	if s := encoded.Schema(); s.Encoding != e || !slices.Equal(s.Features, features) {
		t.Errorf("schema %+v", s)
	}
}

func TestRareCategoriesShareAFeature(t *testing.T) {
	text := "kind,x,y\n"
	for i := range 40 {
		text += fmt.Sprintf("%s,%d,%v\n", []string{"a", "a", "b", "c", "a", "b", "d", "b"}[i%8], i, float64(i)+0.5)
	}
	d, err := readText(text, Options{CSV: CSVOptions{MaxCategories: 2}})
	if err != nil {
		t.Fatal(err)
	}
	e, err := FitEncoding(d)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"kind=a", "kind=b", "kind=(other)", "x"}; !slices.Equal(e.Features(), want) {
		t.Fatalf("features %q, want %q", e.Features(), want)
	}
	encoded, err := e.Transform(d)
	if err != nil {
		t.Fatal(err)
	}
	for row, want := range map[int][]float64{0: {1, 0, 0, 0}, 2: {0, 1, 0, 2}, 3: {0, 0, 1, 3}, 6: {0, 0, 1, 6}} {
		if !slices.Equal(encoded.Row(row), want) {
			t.Errorf("row %d: got %v, want %v", row, encoded.Row(row), want)
		}
	}
}

// A model reads a raw table, its columns in any order, as the encoding of the
// same rows does, and from JSON as before.
func TestSchemaEncodesWhatIsReadForAModel(t *testing.T) {
	d := readPeople(t, CSVOptions{})
	parts, err := Parts{Train: d}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(parts.Train.Schema())
	if err != nil {
		t.Fatal(err)
	}
	var schema Schema
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(schema)
	if err != nil || !bytes.Equal(text, again) {
		t.Errorf("%s\ngives %s: %v", text, again, err)
	}
	for name, table := range map[string]string{
		"the same":          people,
		"another order":     "y;note;joined;member;age;city\n1;a;2020-01-01;True;20;Oslo\n2,5;b;2020-01-02;FALSE;;Paris\n3;c;NA;1;40,0;Oslo\n4;d;2020-01-04;0;60;?\n5;e;05.01.2020;f;30;Rome\n",
		"without a target":  strings.ReplaceAll(strings.ReplaceAll(people, ",y\n", "\n"), ",5\n", "\n"),
		"spaces and quotes": strings.ReplaceAll(people, "Oslo", `  "Oslo" `),
	} {
		if name == "without a target" {
			lines := strings.Split(strings.TrimSpace(people), "\n")
			for i := range lines {
				lines[i] = lines[i][:strings.LastIndexByte(lines[i], ',')]
			}
			table = strings.Join(lines, "\n")
		}
		got, err := readText(table, Options{Schema: &schema})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !slices.Equal(got.X, parts.Train.X) || !slices.Equal(got.Features, parts.Train.Features) {
			t.Errorf("%s: got %v, want %v", name, got.X, parts.Train.X)
		}
	}
	if _, err := readText("age,city,member,joined\n20,Oslo,perhaps,2020-01-01\n", Options{Schema: &schema}); err == nil || !strings.Contains(err.Error(), `line 2, column "member": "perhaps", want true or false`) {
		t.Errorf("error %v", err)
	}
}

func TestMissingValuesAsAsked(t *testing.T) {
	d := readPeople(t, CSVOptions{Missing: DropMissing})
	if d.Len() != 2 || slices.ContainsFunc(d.X, math.IsNaN) || !slices.Equal(d.Y, []float64{1, 5}) {
		t.Errorf("rows dropped: %d left, X %v, Y %v", d.Len(), d.X, d.Y)
	}
	if len(d.Notices) != 2 || d.Notices[1] != "3 of 5 rows have missing values: left out" {
		t.Errorf("notices %q", d.Notices)
	}
	_, err := readText(people, Options{CSV: CSVOptions{Missing: RefuseMissing}})
	if err == nil || err.Error() != `t.csv: line 3, column "age": missing value (""), want a value (and 2 more like it)` {
		t.Errorf("error %v", err)
	}
	d, err = readText("a,y\n1,1.5\n2,2.5\n", Options{CSV: CSVOptions{Missing: RefuseMissing}})
	if err != nil {
		t.Fatal(err)
	}
	parts, err := Parts{Train: d}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	schema := parts.Train.Schema()
	if _, err := readText("a\n1\nNA\n", Options{Schema: &schema}); err == nil || !strings.Contains(err.Error(), `line 3, column "a": missing value ("NA"), want a value`) {
		t.Errorf("error %v", err)
	}
}

func TestColumnsAreChosen(t *testing.T) {
	const text = "id,zip,size,note,y\n1,0150,3,aa,0\n2,0250,4,bb,1\n3,0150,5,cc,0\n4,0150,6,dd,1\n"
	for _, c := range []struct {
		name     string
		opts     CSVOptions
		features string
	}{
		{"as found", CSVOptions{}, "id:numeric zip:numeric size:numeric note:categorical"},
		{"categorical", CSVOptions{Categorical: []string{"zip"}}, "id:numeric zip:categorical size:numeric note:categorical"},
		{"dropped by name and number", CSVOptions{Drop: []string{"note", "1"}}, "zip:numeric size:numeric"},
		{"only", CSVOptions{Only: []string{"size", "zip"}}, "zip:numeric size:numeric"},
	} {
		d, err := readText(text, Options{CSV: c.opts})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var got []string
		for _, column := range d.Table.Columns {
			got = append(got, column.Name+":"+string(column.Kind))
		}
		if strings.Join(got, " ") != c.features {
			t.Errorf("%s: got %q, want %s", c.name, got, c.features)
		}
		if c.name == "categorical" && !slices.Equal(d.Table.Columns[1].Categories, []string{"0150", "0250"}) {
			t.Errorf("categories %q, want the texts as they are", d.Table.Columns[1].Categories)
		}
	}
	for want, opts := range map[string]CSVOptions{
		`t.csv: no column "colour": there are "id", "zip", "size", "note" and "y"`:      {Drop: []string{"colour"}},
		`t.csv: column "y" is the target and cannot be dropped`:                         {Drop: []string{"y"}},
		`t.csv: column "zip" is to be numeric and categorical, want one of them`:        {Numeric: []string{"zip"}, Categorical: []string{"zip"}},
		`t.csv: line 2, column "note": "aa", want a finite number (and 3 more like it)`: {Numeric: []string{"note"}},
		`t.csv: line 2, column "size": "3", want a date (and 3 more like it)`:           {Dates: []string{"size"}},
		`t.csv: no column is left for the features`:                                     {Drop: []string{"id", "zip", "size", "note"}},
		`t.csv: missing "impot": want impute, drop or error`:                            {Missing: "impot"},
		`t.csv: a comma is separator and decimal point, want it to be one of them`:      {Separator: ",", DecimalPoint: ","},
	} {
		if _, err := readText(text, Options{CSV: opts}); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

// A column that turns out to hold texts after many numbers is read again, and is
// what it would be if the texts came first.
func TestTextsAfterManyNumbers(t *testing.T) {
	const rows = 60_000
	lines := make([]string, rows)
	for i := range lines {
		lines[i] = fmt.Sprintf("%s,%d,%d.5\n", []string{"1", "2", "x", "y", "z"}[i%5], i, i)
	}
	slices.SortStableFunc(lines, func(a, b string) int { return strings.Compare(a[:1], b[:1]) })
	late, err := readText("kind,n,y\n"+strings.Join(lines, ""), Options{})
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(lines)
	early, err := readText("kind,n,y\n"+strings.Join(lines, ""), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if c := late.Table.Columns[0]; c.Kind != Categorical || !slices.Equal(c.Categories, []string{"1", "2", "x", "y", "z"}) {
		t.Errorf("got %+v", c)
	}
	for i := range rows {
		if !slices.Equal(late.Row(i), early.Row(rows-1-i)) {
			t.Fatalf("row %d: %v and %v", i, late.Row(i), early.Row(rows-1-i))
		}
	}
}

func TestEncodingsThatCannotBeAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		`{"version":2,"missing":"impute","columns":[{"name":"a","kind":"numeric","fill":0}]}`:                            "version 2, want 1",
		`{"version":1,"missing":"","columns":[{"name":"a","kind":"numeric","fill":0}]}`:                                  `missing ""`,
		`{"version":1,"missing":"impute","columns":[]}`:                                                                  "no columns",
		`{"version":1,"missing":"impute","columns":[{"name":"a","kind":"colour"}]}`:                                      `kind "colour"`,
		`{"version":1,"missing":"impute","columns":[{"name":"a","kind":"boolean","fill":2}]}`:                            "fill is 2, want 0 or 1",
		`{"version":1,"missing":"impute","columns":[{"name":"a","kind":"categorical","fill":0}]}`:                        "one of 0 categories",
		`{"version":1,"missing":"impute","columns":[{"name":"a","kind":"categorical","fill":1,"categories":["x"]}]}`:     "fill is 1",
		`{"version":1,"missing":"impute","columns":[{"name":"a","kind":"categorical","fill":0,"categories":["x","x"]}]}`: "two categories",
		`{"version":1,"missing":"impute","columns":[{"name":"a","kind":"numeric"},{"name":"a","kind":"numeric"}]}`:       "two columns",
		`{"version":1,"missing":"impute","columns":[{"name":"a","kind":"numeric","categories":["x"]}]}`:                  "with categories",
	} {
		if err := json.Unmarshal([]byte(text), new(Encoding)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %s", text, err, want)
		}
	}
}

// Names that a spreadsheet would take for formulas are guarded in a file, and
// come back as they were.
func TestGuardedNamesComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`'{0,2}[=+@-]?[a-z0-9]{1,3}`)
		d := &Dataset{
			Name: "guarded", Task: Classification, TargetName: "y", Features: []string{"f" + name.Draw(t, "f"), "=" + name.Draw(t, "g")},
			Classes: []string{name.Draw(t, "a") + "_a", name.Draw(t, "b") + "_b"}, X: []float64{1, 2, 3, 4}, Y: []float64{0, 1},
		}
		var text bytes.Buffer
		if err := WriteCSV(&text, d); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(text.String()) {
			for cell := range strings.SplitSeq(strings.TrimSpace(line), ",") {
				if _, isNumber := parseNumber(cell); !isNumber && strings.ContainsAny(cell[:1], "=+-@") {
					t.Fatalf("the file holds the cell %s", cell)
				}
			}
		}
		schema := d.Schema()
		back, err := ReadCSV(&text, "guarded", Options{Schema: &schema})
		if err != nil || !sameData(back, d) {
			t.Fatalf("wrote %+v, read %+v: %v", d, back, err)
		}
	})
}

var scalings = []Scaling{NoScaling, Standard, MinMax}

// drawTable draws rows of at least two different values in each column.
func drawTable(t *rapid.T) (x []float64, columns int) {
	columns = rapid.IntRange(1, 4).Draw(t, "columns")
	size := math.Pow(10, rapid.Float64Range(-12, 12).Draw(t, "size"))
	rows := rapid.IntRange(1, 30).Draw(t, "rows")
	x = rapid.SliceOfN(rapid.Float64Range(-1, 1), rows*columns, rows*columns).Draw(t, "X")
	for i := range x {
		x[i] *= size
	}
	x = append(x, slices.Repeat([]float64{-size}, columns)...)
	return append(x, slices.Repeat([]float64{size}, columns)...), columns
}

func column0(x []float64, columns int) []float64 {
	var v []float64
	for i := 0; i < len(x); i += columns {
		v = append(v, x[i])
	}
	return v
}

// Fitted and applied to the same table, a column has mean 0 and deviation 1, or
// least value 0 and largest 1, or is as it was.
func TestScalerLaw(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, columns := drawTable(t)
		for _, scaling := range scalings {
			s, err := FitScaler(scaling, x, columns)
			if err != nil {
				t.Fatal(err)
			}
			z := slices.Clone(x)
			if err := s.Transform(z); err != nil {
				t.Fatal(err)
			}
			v := column0(z, columns)
			switch scaling {
			case NoScaling:
				if !slices.Equal(z, x) {
					t.Errorf("no scaling changed %v to %v", x, z)
				}
			case Standard:
				mean, deviation := stat.PopMeanStdDev(v, nil)
				if math.Abs(mean) > 1e-12 || math.Abs(deviation-1) > 1e-12 {
					t.Errorf("mean %v and deviation %v, want 0 and 1", mean, deviation)
				}
			case MinMax:
				if low, high := slices.Min(v), slices.Max(v); low != 0 || high != 1 {
					t.Errorf("values from %v to %v, want 0 to 1", low, high)
				}
			}
		}
	})
}

// Inverse takes back what Transform did, to the last digits of the table's size.
func TestScalerInverse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, columns := drawTable(t)
		scaling := rapid.SampledFrom(scalings).Draw(t, "scaling")
		s, err := FitScaler(scaling, x, columns)
		if err != nil {
			t.Fatal(err)
		}
		z := slices.Clone(x)
		if err := errors.Join(s.Transform(z), s.Inverse(z)); err != nil {
			t.Fatal(err)
		}
		for i := range x {
			if math.Abs(z[i]-x[i]) > 1e-15*4*slices.Max(x) {
				t.Errorf("%v: value %d is %v, want %v", scaling, i, z[i], x[i])
			}
		}
	})
}

// A saved scaler gives the same bits as the one that was fitted.
func TestScalerRoundTripIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, columns := drawTable(t)
		s, err := FitScaler(rapid.SampledFrom(scalings).Draw(t, "scaling"), x, columns)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(*s)
		if err != nil {
			t.Fatal(err)
		}
		var back Scaler
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatal(err)
		}
		if back.Scaling() != s.Scaling() || !slices.Equal(back.offset, s.offset) || !slices.Equal(back.scale, s.scale) || back.Columns() != columns {
			t.Fatalf("saved %+v, read %+v", *s, back)
		}
	})
}

// What is constant in the training part stays harmless: its deviation by
// rounding (0.1 three times has a mean that is not 0.1) is not divided by.
func TestScalerOfConstantColumns(t *testing.T) {
	for _, scaling := range []Scaling{Standard, MinMax} {
		for _, constant := range []float64{0.1, 0, -1e300, 5e-324} {
			s, err := FitScaler(scaling, []float64{constant, 1, constant, 2, constant, 4}, 2)
			if err != nil {
				t.Fatal(err)
			}
			z := []float64{constant, 1, constant + 3, 1}
			if err := s.Transform(z); err != nil {
				t.Fatal(err)
			}
			if want := (constant + 3) - constant; z[0] != 0 || z[2] != want {
				t.Errorf("%v of constant %v: got %v and %v, want 0 and %v", scaling, constant, z[0], z[2], want)
			}
		}
	}
}

func TestScalerOfLargeAndSmallNumbers(t *testing.T) {
	for _, size := range []float64{1e-300, 1e-200, 1e200, 1e300} {
		s, err := FitScaler(Standard, []float64{size, -size}, 1)
		if err != nil {
			t.Fatal(err)
		}
		z := []float64{size, 0}
		if err := s.Transform(z); err != nil || z[0] != 1 || z[1] != 0 {
			t.Errorf("numbers of size %v: got %v, want 1 and 0; %v", size, z, err)
		}
	}
}

func TestScalerErrors(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		scaling Scaling
		x       []float64
		columns int
		want    string
	}{
		{"robust", []float64{1}, 1, `scaling "robust": want "none", "standard" or "min-max"`},
		{Standard, nil, 1, "fit scaler: 0 values, want rows of 1 columns, at least one"},
		{Standard, []float64{1, 2, 3}, 2, "fit scaler: 3 values, want rows of 2 columns, at least one"},
		{Standard, []float64{1}, 0, "fit scaler: 1 values, want rows of 0 columns, at least one"},
		{NoScaling, []float64{1, 2, 3, nan}, 2, "fit scaler: row 1, column 1 is NaN, want a finite number"},
		{MinMax, []float64{1, math.Inf(1)}, 1, "fit scaler: row 1, column 0 is +Inf, want a finite number"},
		{MinMax, []float64{1, math.MaxFloat64, 2, -math.MaxFloat64}, 2, "fit scaler: column 1 holds numbers too large to scale"},
	} {
		if _, err := FitScaler(c.scaling, c.x, c.columns); err == nil || err.Error() != c.want {
			t.Errorf("error %v, want %s", err, c.want)
		}
	}
	s, err := FitScaler(Standard, []float64{1, 2, 3, 4}, 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{s.Transform(make([]float64, 3)), s.Inverse(make([]float64, 3))} {
		if err == nil || err.Error() != "scaler: 3 values, want rows of 2 columns" {
			t.Errorf("error %v", err)
		}
	}
	if err := new(Scaler).Transform([]float64{1}); err == nil || err.Error() != "scaler was not fitted" {
		t.Errorf("error %v", err)
	}
}

func TestScalerRefusesWhatCannotScale(t *testing.T) {
	for text, want := range map[string]string{
		`{"scaling":"robust","offset":[0],"scale":[1]}`:       `scaler: scaling "robust": want "none", "standard" or "min-max"`,
		`{"scaling":"standard","offset":[],"scale":[]}`:       "scaler: 0 offsets and 0 scales, want one of each for every column",
		`{"scaling":"standard","offset":[1,2],"scale":[1]}`:   "scaler: 2 offsets and 1 scales, want one of each for every column",
		`{"scaling":"standard","offset":[1,2],"scale":[1,0]}`: "scaler: scale of column 1 is 0, want a number above 0",
		`{"scaling":"standard","offset":[1],"scale":[-1]}`:    "scaler: scale of column 0 is -1, want a number above 0",
		`{"scaling":"standard","offset":["1"],"scale":[1]}`:   "scaler: json: cannot unmarshal string",
	} {
		if err := json.Unmarshal([]byte(text), new(Scaler)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: error %v, want %s", text, err, want)
		}
	}
	if text, err := json.Marshal(struct{ S *Scaler }{}); err != nil || !bytes.Equal(text, []byte(`{"S":null}`)) {
		t.Errorf("no scaler is %s: %v", text, err)
	}
}
