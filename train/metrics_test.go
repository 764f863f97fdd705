package train_test

import (
	"math"
	"slices"
	"testing"

	"github.com/affine-go/affine/internal/nettest"
	"github.com/affine-go/affine/layer/device"
	"github.com/affine-go/affine/train"
	"pgregory.net/rapid"
)

func column(x ...float64) device.Matrix[float64] { return device.MatrixOf(x, len(x), 1) }

func TestArgmax(t *testing.T) {
	nan := math.NaN()
	// Rows of three in a matrix with a gap between them.
	m := device.Matrix[float64]{Rows: 6, Cols: 3, Stride: 4, Data: []float64{
		1, 2, 3, 9,
		3, 2, 1, 9,
		2, 2, 1, 9,
		nan, -5, -6, 9,
		-5, nan, -4, 9,
		nan, nan, nan,
	}}
	if got, want := train.Argmax(m), []int{2, 0, 0, 1, 2, 0}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestAccuracy(t *testing.T) {
	for _, c := range []struct {
		predicted, actual []int
		want              float64
	}{
		{[]int{1}, []int{1}, 1},
		{[]int{0}, []int{1}, 0},
		{[]int{0, 1, 2, 3}, []int{0, 1, 0, 0}, 0.5},
	} {
		got, err := train.Accuracy(c.predicted, c.actual)
		nettest.Must(t, err)
		if got != c.want {
			t.Errorf("accuracy of %v for %v is %v, want %v", c.predicted, c.actual, got, c.want)
		}
	}
	_, err := train.Accuracy([]int{1}, []int{1, 2})
	nettest.Fails(t, err, "1 predictions", "2 rows")
	_, err = train.Accuracy(nil, nil)
	nettest.Fails(t, err, "no rows")
}

func TestConfusion(t *testing.T) {
	c, err := train.NewConfusion([]int{0, 1, 1, 1, 0}, []int{0, 0, 1, 1, 1}, 3)
	nettest.Must(t, err)
	want := train.Confusion{{1, 1, 0}, {1, 2, 0}, {0, 0, 0}}
	for a := range want {
		if !slices.Equal(c[a], want[a]) {
			t.Errorf("row %d is %v, want %v", a, c[a], want[a])
		}
	}
	if got := c.Accuracy(); got != 0.6 {
		t.Errorf("accuracy is %v, want 0.6", got)
	}
	if r := c.Recall(); r[0] != 0.5 || r[1] != 2.0/3 || !math.IsNaN(r[2]) {
		t.Errorf("recall is %v, want 1/2, 2/3 and NaN", r)
	}
	if p := c.Precision(); p[0] != 0.5 || p[1] != 2.0/3 || !math.IsNaN(p[2]) {
		t.Errorf("precision is %v, want 1/2, 2/3 and NaN", p)
	}
	if got, want := c.String(), "actual      0      1      2\n     0      1      1      0\n     1      1      2      0\n     2      0      0      0"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for _, bad := range [][2]int{{3, 0}, {0, 3}, {-1, 0}, {0, -1}} {
		_, err := train.NewConfusion(bad[:1], bad[1:], 3)
		nettest.Fails(t, err, "row 0", "[0, 3)")
	}
	_, err = train.NewConfusion([]int{0}, nil, 3)
	nettest.Fails(t, err, "1 predictions", "0 rows")
	_, err = train.NewConfusion([]int{0}, []int{0}, -1)
	nettest.Fails(t, err, "row 0")
}

func TestConfusionCountsEveryRowOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		const classes = 4
		n := rapid.IntRange(1, 30).Draw(rt, "rows")
		class := rapid.SliceOfN(rapid.IntRange(0, classes-1), n, n)
		predicted, actual := class.Draw(rt, "predicted"), class.Draw(rt, "actual")
		c, err := train.NewConfusion(predicted, actual, classes)
		nettest.Must(rt, err)
		sum := 0
		for _, row := range c {
			for _, count := range row {
				sum += count
			}
		}
		accuracy, err := train.Accuracy(predicted, actual)
		nettest.Must(rt, err)
		if sum != n || c.Accuracy() != accuracy {
			rt.Fatalf("%v counts %d of %d rows, accuracy %v, want %v", c, sum, n, c.Accuracy(), accuracy)
		}
	})
}

func TestR2(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		name              string
		predicted, target device.Matrix[float64]
		want              float64
	}{
		{"perfect", column(1, 2, 3), column(1, 2, 3), 1},
		{"the mean", column(2, 2, 2), column(1, 2, 3), 0},
		{"worse than the mean", column(3, 2, 1), column(1, 2, 3), -3},
		// scikit-learn's documentation of r2_score
		{"example", column(2.5, 0, 2, 8), column(3, -0.5, 2, 7), 0.9486081370449679},
		{"two columns", device.MatrixOf([]float64{1, 2, 2, 2, 3, 2}, 3, 2), device.MatrixOf([]float64{1, 1, 2, 2, 3, 3}, 3, 2), 0.5},
		{"constant target, exact", column(5, 5), column(5, 5), 1},
		{"constant target, not exact", column(5, 5.1), column(5, 5), 0},
		{"constant target that rounds", column(0.1, 0.1, 0.1), column(0.1, 0.1, 0.1), 1},
		{"one row, exact", column(1), column(1), 1},
		{"one row, not exact", column(2), column(1), 0},
		{"NaN", column(nan, 1), column(1, 2), nan},
		{"NaN for a constant target", column(nan, 1), column(1, 1), nan},
		{"far from zero", column(1e9+1, 1e9+2, 1e9+3), column(1e9+1, 1e9+2, 1e9+4), 1 - 1/(14.0/3)},
	} {
		got, err := train.R2(c.predicted, c.target)
		nettest.Must(t, err)
		if math.Abs(got-c.want) > 1e-9 || math.IsNaN(got) != math.IsNaN(c.want) {
			t.Errorf("%s: R² is %v, want %v", c.name, got, c.want)
		}
	}
}

func TestMAE(t *testing.T) {
	got, err := train.MAE(device.MatrixOf([]float32{1, 2, 3, 4}, 2, 2), device.MatrixOf([]float32{1, 0, 4, 4}, 2, 2))
	nettest.Must(t, err)
	if got != 0.75 {
		t.Errorf("mean absolute error is %v, want 0.75", got)
	}
}

func TestRegressionMetricsWantEqualShapes(t *testing.T) {
	for _, c := range []struct {
		predicted, target device.Matrix[float64]
		says              []string
	}{
		{column(1, 2), column(1), []string{"(2, 1)", "(1, 1)"}},
		{column(1, 2), device.MatrixOf([]float64{1, 2}, 1, 2), []string{"(2, 1)", "(1, 2)"}},
		{column(), column(), []string{"at least one row"}},
		{column(1, 2), device.MatrixOf([]float64{1}, 2, 1), []string{"(2, 1)", "1 elements"}},
	} {
		_, err := train.R2(c.predicted, c.target)
		nettest.Fails(t, err, c.says...)
		_, err = train.MAE(c.predicted, c.target)
		nettest.Fails(t, err, c.says...)
	}
}
