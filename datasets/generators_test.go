package datasets

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

// points are the layouts that plane shuffles and adds noise to.
var points = map[string]func(*Dataset){
	"moons": moonsPoints, "circles": circlesPoints, "blobs": blobsPoints, "spirals": spiralsPoints, "xor": xorPoints,
}

func noiseFree(t *testing.T, name string, n int) *Dataset {
	t.Helper()
	info, err := Describe(name)
	if err != nil {
		t.Fatal(err)
	}
	d, _, err := newDataset(&info, n, 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	points[name](d)
	return d
}

// Moons and circles are scikit-learn's points in its order; spirals are those
// of Lang and Witbrock.
func TestPointsAreThoseOfTheSource(t *testing.T) {
	r := openReference(t, "generators.npz")
	for name, sizes := range map[string][]int{"moons": {1, 2, 7, 50}, "circles": {1, 2, 7, 50}, "spirals": {194}} {
		for _, n := range sizes {
			key := fmt.Sprintf("%s/%d/", name, n)
			d := noiseFree(t, name, n)
			near(t, key+"x", d.X, r.array(key+"x").appendTo(nil), 10)
			near(t, key+"y", d.Y, r.array(key+"y").appendTo(nil), 0)
		}
	}
}

// make_blobs puts out one cluster after the other, we deal them in turn; the
// rows are the same.
func TestBlobsAreThoseOfMakeBlobs(t *testing.T) {
	r := openReference(t, "generators.npz")
	for _, n := range []int{1, 2, 7, 50} {
		key := fmt.Sprintf("blobs/%d/", n)
		want := &Dataset{Features: planeFeatures, X: r.array(key + "x").appendTo(nil), Y: r.array(key + "y").appendTo(nil)}
		got := mustLoad(t, "blobs", Options{N: n, Noise: new(float64)})
		if !slices.EqualFunc(sortedRows(got), sortedRows(want), slices.Equal) {
			t.Errorf("%d blobs are not those of make_blobs", n)
		}
	}
}

func TestFriedman1IsThatOfMakeFriedman1(t *testing.T) {
	r := openReference(t, "generators.npz")
	x, y := r.array("friedman1/40/x"), r.array("friedman1/40/y")
	for i, want := range y.appendTo(nil) {
		cols := x.shape[1]
		near(t, "friedman1", []float64{friedman1Value(x.appendTo(nil)[i*cols : (i+1)*cols])}, []float64{want}, 30)
	}
}

func TestXORWithoutNoiseIsTheTruthTable(t *testing.T) {
	d := mustLoad(t, "xor", Options{N: 4, Noise: new(float64), Seed: 1})
	want := [][]float64{{0, 0, 0}, {0, 1, 1}, {1, 0, 1}, {1, 1, 0}}
	if got := sortedRows(d); !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// Without noise a regression target is the formula of its row, at points worked
// out by hand, and the rows fill the interval that the formula is given for.
func TestRegressionFormulas(t *testing.T) {
	for _, c := range []struct {
		f    func([]float64) float64
		x    []float64
		want float64
	}{
		{linearValue, []float64{0, 0, 0}, 1},
		{linearValue, []float64{1, 1, 1}, 2.5},
		{linearValue, []float64{-1, 0.5, -1}, -3.5},
		{sineValue, []float64{0.25}, 1},
		{sineValue, []float64{0.75}, -1},
		{friedman1Value, []float64{0.5, 1, 0.5, 0.25, 0.5, 9, 9, 9, 9, 9}, 15},
		{friedman1Value, []float64{0, 1, 0, 1, 1, 9, 9, 9, 9, 9}, 20},
	} {
		near(t, fmt.Sprint(c.x), []float64{c.f(c.x)}, []float64{c.want}, 10)
	}
	for name, low := range map[string]float64{"linear": -1, "sine": 0, "friedman1": 0} {
		d := mustLoad(t, name, Options{N: 1000, Noise: new(float64), Seed: 3})
		if got := slices.Min(d.X); got < low || got > low+0.02 {
			t.Errorf("%s: smallest x is %v, want just above %v", name, got, low)
		}
		if got := slices.Max(d.X); got > 1 || got < 0.98 {
			t.Errorf("%s: largest x is %v, want just below 1", name, got)
		}
		f := map[string]func([]float64) float64{"linear": linearValue, "sine": sineValue, "friedman1": friedman1Value}[name]
		for i := range d.Len() {
			if d.Y[i] != f(d.Row(i)) {
				t.Fatalf("%s: row %d: y is %v, want %v", name, i, d.Y[i], f(d.Row(i)))
			}
		}
	}
}

// residuals returns what noise has added to a dataset.
func residuals(t *testing.T, name string, n int, noise float64) []float64 {
	clean := mustLoad(t, name, Options{N: n, Noise: new(float64), Seed: 5})
	noisy := mustLoad(t, name, Options{N: n, Noise: &noise, Seed: 5})
	a, b := clean.X, noisy.X
	if clean.Task == Regression {
		a, b = clean.Y, noisy.Y
	}
	r := make([]float64, len(a))
	for i := range r {
		r[i] = b[i] - a[i]
	}
	return r
}

// The mean of m draws of N(0, σ²) is within 5σ/√m of 0, and their variance
// within 5·σ²·√(2/m) of σ², but once in a million times.
func TestNoiseIsGaussianWithTheGivenDeviation(t *testing.T) {
	for _, name := range []string{"moons", "circles", "blobs", "spirals", "xor", "linear", "sine", "friedman1"} {
		for _, sigma := range []float64{0.05, 2} {
			r := residuals(t, name, 5000, sigma)
			var sum, squares, inside float64
			for _, v := range r {
				sum, squares = sum+v, squares+v*v
				if math.Abs(v) < sigma {
					inside++
				}
			}
			m := float64(len(r))
			if mean := sum / m; math.Abs(mean) > 5*sigma/math.Sqrt(m) {
				t.Errorf("%s: noise %v has mean %v", name, sigma, mean)
			}
			if v := squares / m / (sigma * sigma); math.Abs(v-1) > 5*math.Sqrt(2/m) {
				t.Errorf("%s: noise %v has a variance %v times the one wanted", name, sigma, v)
			}
			if p := inside / m; math.Abs(p-0.6827) > 5*math.Sqrt(0.6827*0.3173/m) {
				t.Errorf("%s: %v of the noise is within one deviation, want 0.6827", name, p)
			}
		}
	}
}
