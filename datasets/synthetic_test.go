package datasets

import (
	"archive/zip"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/affine-go/affine/datasets/internal/glyph"
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

// Fisher's table I, means and sums of squares and products about them, gives
// these means; the deviations are theirs (n − 1), to three digits.
func TestIrisHasThePublishedMoments(t *testing.T) {
	d := mustLoad(t, "iris", Options{})
	if got := d.ClassCounts(); !slices.Equal(got, []int{50, 50, 50}) {
		t.Fatalf("rows per species: %v, want 50 each", got)
	}
	want := map[string]struct{ mean, deviation [4]float64 }{
		"setosa":     {[4]float64{5.006, 3.428, 1.462, 0.246}, [4]float64{0.352, 0.379, 0.174, 0.105}},
		"versicolor": {[4]float64{5.936, 2.770, 4.260, 1.326}, [4]float64{0.516, 0.314, 0.470, 0.198}},
		"virginica":  {[4]float64{6.588, 2.974, 5.552, 2.026}, [4]float64{0.636, 0.322, 0.552, 0.275}},
	}
	for k, species := range d.Classes {
		for c, feature := range d.Features {
			var sum, squares float64
			for i := range 50 {
				sum += d.Row(50*k + i)[c] / 50
			}
			for i := range 50 {
				v := d.Row(50*k + i)[c] - sum
				squares += v * v
			}
			if got, want := sum, want[species].mean[c]; math.Abs(got-want) > 1e-9 {
				t.Errorf("%s: mean %s is %v, want %v", species, feature, got, want)
			}
			if got, want := math.Sqrt(squares/49), want[species].deviation[c]; math.Abs(got-want) > 6e-4 {
				t.Errorf("%s: deviation of %s is %v, want %v", species, feature, got, want)
			}
		}
	}
}

// The two rows in which the copy of the UCI repository differs from Fisher.
func TestIrisHasFishersRows35And38(t *testing.T) {
	d := mustLoad(t, "iris", Options{})
	for row, want := range map[int][]float64{35: {4.9, 3.1, 1.5, 0.2}, 38: {4.9, 3.6, 1.4, 0.1}} {
		if got := d.Row(row - 1); !slices.Equal(got, want) {
			t.Errorf("row %d is %v, want %v", row, got, want)
		}
	}
}

// reference reads arrays that testdata/make_reference.py wrote.
type reference struct {
	t    *testing.T
	file npzFile
}

func openReference(t *testing.T, name string) reference {
	t.Helper()
	z, err := zip.OpenReader("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { z.Close() })
	return reference{t, npzFile{archive: &z.Reader, size: math.MaxInt64}}
}

func (r reference) array(name string) *ndarray {
	r.t.Helper()
	a, err := r.file.read(name)
	if err != nil {
		r.t.Fatal(err)
	}
	return a
}

// near checks that got is want to within the last digits of float64 numbers of
// size scale.
func near(t *testing.T, what string, got, want []float64, scale float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	for i := range want {
		if !(math.Abs(got[i]-want[i]) <= 1e-14*scale) {
			t.Fatalf("%s: value %d is %v, want %v", what, i, got[i], want[i])
		}
	}
}

// mustLoad loads a built-in dataset.
func mustLoad(t *testing.T, name string, opts Options) *Dataset {
	t.Helper()
	d, err := Load(name, opts)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// sortedRows returns the rows with their targets, in lexicographic order.
func sortedRows(d *Dataset) [][]float64 {
	rows := make([][]float64, d.Len())
	for i := range rows {
		rows[i] = append(slices.Clone(d.Row(i)), d.Y[i])
	}
	slices.SortFunc(rows, slices.Compare[[]float64])
	return rows
}

func sameData(a, b *Dataset) bool { return slices.Equal(a.X, b.X) && slices.Equal(a.Y, b.Y) }

func TestGlyphsArePixelsFrom0To1(t *testing.T) {
	for _, noise := range []float64{0, 0.1, 3} {
		d := mustLoad(t, "glyphs", Options{N: 50, Noise: &noise, Seed: 1})
		if low, high := slices.Min(d.X), slices.Max(d.X); low != 0 || high != 1 {
			t.Errorf("noise %v: pixels from %v to %v, want 0 to 1", noise, low, high)
		}
	}
}

// Without noise there is ink on the image and none at its border, whatever the
// shift, turn and scale: no digit is cut off.
func TestGlyphsFitTheImage(t *testing.T) {
	d := mustLoad(t, "glyphs", Options{N: 2000, Noise: new(float64), Seed: 2})
	for i := range d.Len() {
		var ink, border float64
		for k, v := range d.Row(i) {
			ink += v
			if y, x := k/glyph.Side, k%glyph.Side; y == 0 || x == 0 || y == glyph.Side-1 || x == glyph.Side-1 {
				border += v
			}
		}
		if ink < 15 || border > 0 {
			t.Fatalf("image %d of %v: ink %v, of which %v at the border", i, d.Y[i], ink, border)
		}
	}
}
