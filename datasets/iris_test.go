package datasets

import (
	"math"
	"slices"
	"testing"
)

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
