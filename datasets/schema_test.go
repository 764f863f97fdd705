package datasets

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

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
