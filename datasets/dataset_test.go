package datasets

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

func table() *Dataset {
	return &Dataset{
		Name: "table", Task: Classification, TargetName: "kind",
		Features: []string{"a", "b"}, Classes: []string{"p", "q", "r"},
		X: []float64{0, 1, 10, 11, 20, 21, 30, 31}, Y: []float64{0, 2, 1, 2}, TestFrom: 3,
	}
}

func TestTableDimensions(t *testing.T) {
	d := table()
	if d.Len() != 4 || d.Inputs() != 2 || d.Outputs() != 3 || !slices.Equal(d.Row(2), []float64{20, 21}) || !slices.Equal(d.ClassCounts(), []int{1, 1, 2}) {
		t.Errorf("got %d rows, %d inputs, %d outputs, row 2 %v, counts %v", d.Len(), d.Inputs(), d.Outputs(), d.Row(2), d.ClassCounts())
	}
	d.Task, d.Classes = Regression, nil
	if d.Outputs() != 1 || d.ClassCounts() != nil {
		t.Errorf("regression has %d outputs and counts %v, want 1 and none", d.Outputs(), d.ClassCounts())
	}
	if empty := new(Dataset); empty.Len() != 0 || empty.Inputs() != 0 {
		t.Errorf("the empty dataset has %d rows of %d", empty.Len(), empty.Inputs())
	}
}

func TestSubsetCopiesRowsInOrder(t *testing.T) {
	d := table()
	s := d.Subset([]int{3, 0, 3})
	if !slices.Equal(s.X, []float64{30, 31, 0, 1, 30, 31}) || !slices.Equal(s.Y, []float64{2, 0, 2}) || s.TestFrom != 0 {
		t.Errorf("got X %v, Y %v, test part from %d", s.X, s.Y, s.TestFrom)
	}
	s.X[0], s.Y[0] = -1, -1
	if want := table(); !sameData(d, want) {
		t.Error("writing to a subset changed the dataset")
	}
	d.Y = nil
	if s := d.Subset([]int{1}); s.Y != nil || s.Len() != 1 {
		t.Errorf("subset without targets: %d rows, Y %v", s.Len(), s.Y)
	}
	if s := d.Subset(nil); s.Len() != 0 {
		t.Errorf("subset of no rows has %d", s.Len())
	}
}

func TestCheckNamesWhatIsWrong(t *testing.T) {
	if err := table().Check(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		change func(*Dataset)
		want   string
	}{
		{func(d *Dataset) { d.Task = AutoTask }, "task is auto, want classification or regression"},
		{func(d *Dataset) { d.Features = nil }, "no features, want at least one"},
		{func(d *Dataset) { d.X = d.X[1:] }, "X has 7 values, want a multiple of 2, the number of features"},
		{func(d *Dataset) { d.Y = d.Y[1:] }, "Y has 3 targets, want 4, one for each row"},
		{func(d *Dataset) { d.Classes = nil }, "no classes, want at least one"},
		{func(d *Dataset) { d.Task = Regression }, "3 classes, want none for regression"},
		{func(d *Dataset) { d.ImageShape = [2]int{2, 2} }, "images of 2×2 pixels do not fit rows of 2 features"},
		{func(d *Dataset) { d.ImageShape = [2]int{-1, -2} }, "images of -1×-2 pixels do not fit rows of 2 features"},
		{func(d *Dataset) { d.TestFrom = 5 }, "test part starts at row 5, want one of the 4 rows"},
		{func(d *Dataset) { d.TestFrom = -1 }, "test part starts at row -1, want one of the 4 rows"},
		{func(d *Dataset) { d.X[3] = math.NaN() }, `X[1, 1] (feature "b") is NaN, want a finite number`},
		{func(d *Dataset) { d.X[4] = math.Inf(-1) }, `X[2, 0] (feature "a") is -Inf, want a finite number`},
		{func(d *Dataset) { d.Y[1] = 3 }, "Y[1] is 3, want the index of one of the 3 classes"},
		{func(d *Dataset) { d.Y[2] = 0.5 }, "Y[2] is 0.5, want the index of one of the 3 classes"},
		{func(d *Dataset) { d.Y[3] = math.NaN() }, "Y[3] is NaN, want the index of one of the 3 classes"},
		{func(d *Dataset) { d.Task, d.Classes, d.Y[0] = Regression, nil, math.Inf(1) }, "Y[0] is +Inf, want a finite number"},
	} {
		d := table()
		c.change(d)
		want := `dataset "table": ` + c.want
		if err := d.Check(); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
		if _, err := Split(d, DefaultFractions, 1); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("split: error %v, want %s", err, want)
		}
		if err := WriteCSV(new(strings.Builder), d); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("write: error %v, want %s", err, want)
		}
	}
}

func TestNoDatasetIsAnError(t *testing.T) {
	_, splitting := Split(nil, DefaultFractions, 1)
	for what, err := range map[string]error{
		"check": (*Dataset)(nil).Check(), "split": splitting, "write CSV": WriteCSV(new(strings.Builder), nil),
	} {
		if err == nil || !strings.HasSuffix(err.Error(), "dataset is nil") {
			t.Errorf("%s: error %v, want that the dataset is nil", what, err)
		}
	}
}

func TestTaskAsText(t *testing.T) {
	for _, task := range []Task{AutoTask, Classification, Regression} {
		var back Task
		text, err := json.Marshal(task)
		if err == nil {
			err = json.Unmarshal(text, &back)
		}
		if err != nil || back != task || string(text) != `"`+task.String()+`"` {
			t.Errorf("%v as JSON is %s and back %v: %v", task, text, back, err)
		}
	}
	if _, err := ParseTask("clustering"); !errors.Is(err, ErrUsage) || err.Error() != `task "clustering": want auto, classification or regression` {
		t.Errorf("error %v", err)
	}
	if got := Task(9).String(); got != "task(9)" {
		t.Errorf("got %q", got)
	}
}

// gatherLaw: row i of the inputs is the row asked for, and of the targets its
// class in one-hot form, whatever dst held.
func testGather[T Float](t *testing.T) {
	d, rows := table(), []int{2, 0, 2}
	x, y := make([]T, 6), slices.Repeat([]T{7}, 9)
	if err := GatherInputs(x, d, rows); err != nil {
		t.Fatal(err)
	}
	if err := GatherTargets(y, d, rows); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(x, []T{20, 21, 0, 1, 20, 21}) || !slices.Equal(y, []T{0, 1, 0, 1, 0, 0, 0, 1, 0}) {
		t.Errorf("got X %v and Y %v", x, y)
	}
	d.Task, d.Classes, d.Y = Regression, nil, []float64{0.5, 1.5, 2.5, 3.5}
	if err := GatherTargets(y[:3], d, rows); err != nil || !slices.Equal(y[:3], []T{2.5, 0.5, 2.5}) {
		t.Errorf("got Y %v, %v", y[:3], err)
	}
	if allocs := testing.AllocsPerRun(10, func() {
		_ = GatherInputs(x, d, rows)
		_ = GatherTargets(y[:3], d, rows)
	}); allocs != 0 {
		t.Errorf("%v allocations, want none", allocs)
	}
}

func TestGatherFloat32(t *testing.T) { testGather[float32](t) }
func TestGatherFloat64(t *testing.T) { testGather[float64](t) }

func TestGatherNamesWhatIsWrong(t *testing.T) {
	unlabelled, wrong := table(), table()
	unlabelled.Y, wrong.Y[1] = nil, 3
	for _, c := range []struct{ err, want string }{
		{GatherInputs(make([]float32, 3), table(), []int{0, 1}).Error(), "gather inputs: room for 3 values, want 4: 2 rows of 2"},
		{GatherInputs(make([]float32, 2), table(), []int{4}).Error(), `gather inputs: row 4, dataset "table" has 4`},
		{GatherInputs(make([]float32, 2), table(), []int{-1}).Error(), `gather inputs: row -1, dataset "table" has 4`},
		{GatherTargets(make([]float64, 2), table(), []int{0}).Error(), "gather targets: room for 2 values, want 3: 1 rows of 3"},
		{GatherTargets(make([]float64, 3), unlabelled, []int{0}).Error(), `gather targets: dataset "table" has none`},
		{GatherTargets(make([]float64, 3), wrong, []int{1}).Error(), "gather targets: Y[1] is 3, want the index of one of the 3 classes"},
	} {
		if c.err != c.want {
			t.Errorf("got %s, want %s", c.err, c.want)
		}
	}
}

var flowerSchema = Schema{
	Task: Classification, TargetName: "kind",
	Features: []string{"length", "width"}, Classes: []string{"rose", "lily", "7"},
}

func TestSchemaFindsColumnsByName(t *testing.T) {
	for _, c := range []struct {
		name, text string
		y          []float64
	}{
		{"same order", "length,width,kind\n1,2,lily\n3,4,rose\n", []float64{1, 0}},
		{"other order, other columns", "id,kind,width,note,length\n9,rose,2,NA,1\n8,7.0,4,,3\n", []float64{0, 2}},
		{"no target", "width,length\n2,1\n4,3\n", nil},
		{"target to be filled in", "length,width,kind\n1,2,\n3,4,?\n", nil},
	} {
		d, err := readText(c.text, Options{Schema: &flowerSchema})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if !slices.Equal(d.X, []float64{1, 2, 3, 4}) || !slices.Equal(d.Y, c.y) || (d.Y == nil) != (c.y == nil) || fmt.Sprint(d.Schema()) != fmt.Sprint(flowerSchema) {
			t.Errorf("%s: got X %v, Y %v, %+v", c.name, d.X, d.Y, d.Schema())
		}
		if err := d.Check(); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	d, err := readText("length,width,species\n1,2,lily\n", Options{Schema: &flowerSchema, Target: "species"})
	if err != nil || !slices.Equal(d.Y, []float64{1}) || d.TargetName != "species" {
		t.Errorf("target under another name: %+v, %v", d, err)
	}
}

func TestSchemaErrors(t *testing.T) {
	line := Schema{Task: Regression, Features: []string{"x"}, TargetName: "y"}
	for _, c := range []struct {
		name, text string
		opts       Options
		want       string
	}{
		{"missing columns", "length,kind\n1,rose\n", Options{Schema: &Schema{Task: Regression, Features: []string{"width", "length", "depth"}}},
			`header: no column "width" and "depth", which the model wants; there are "length" and "kind"`},
		{"unknown class", "length,width,kind\n1,2,rose\n3,4,tulip\n", Options{Schema: &flowerSchema},
			`line 3, column "kind": "tulip", want one of the model's 3 classes: "rose", "lily" or "7"`},
		{"some targets missing", "length,width,kind\n1,2,rose\n3,4,\n", Options{Schema: &flowerSchema},
			`line 3, column "kind": missing value (""), want a target`},
		{"class for a number", "x,y\n1,rose\n", Options{Schema: &line},
			`line 2, column "y": "rose", want a finite number, the task being regression`},
		{"no such target", "x,y\n1,2\n", Options{Schema: &line, Target: "z"}, `no target column "z": there are "x" and "y"`},
		{"other task", "x,y\n1,2\n", Options{Schema: &line, Task: Classification}, "task classification asked for, but the model does regression"},
	} {
		_, err := readText(c.text, c.opts)
		if want := "t.csv: " + c.want; err == nil || err.Error() != want {
			t.Errorf("%s: error %v, want %s", c.name, err, want)
		}
	}
}

// A built-in dataset is read for a model through the same option.
func TestSchemaOfBuiltinDatasets(t *testing.T) {
	swapped := mustLoad(t, "moons", Options{}).Schema()
	slices.Reverse(swapped.Classes)
	a, b := mustLoad(t, "moons", Options{N: 30}), mustLoad(t, "moons", Options{N: 30, Schema: &swapped})
	for i := range a.Y {
		if a.Classes[int(a.Y[i])] != b.Classes[int(b.Y[i])] || a.Y[i] == b.Y[i] {
			t.Fatalf("row %d is %q of %q and %q of %q", i, a.Classes[int(a.Y[i])], a.Classes, b.Classes[int(b.Y[i])], b.Classes)
		}
	}
	for name, want := range map[string]string{
		"iris":    "iris: 4 features, the model wants 2",
		"sine":    "sine: the dataset is for regression, the model does classification",
		"circles": `circles: class "outer" is not one of the model's 2: "lower" and "upper"`,
	} {
		if _, err := Load(name, Options{Schema: &swapped}); err == nil || err.Error() != want || errors.Is(err, ErrUsage) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

func TestSchemaAsJSON(t *testing.T) {
	text, err := json.Marshal(flowerSchema)
	var back Schema
	if err == nil {
		err = json.Unmarshal(text, &back)
	}
	if err != nil || fmt.Sprint(back) != fmt.Sprint(flowerSchema) || !strings.Contains(string(text), `"classification"`) {
		t.Errorf("%s gives %+v: %v", text, back, err)
	}
}
