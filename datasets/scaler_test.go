package datasets

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/stat"
	"pgregory.net/rapid"
)

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
