package chart

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// twoMoons stands for any dataset of two features and two classes.
func twoMoons(n int) Points {
	var p Points
	for i := range n {
		angle := math.Pi * float64(i) / float64(n)
		x, y := math.Cos(angle), math.Sin(angle)
		if i%2 == 1 {
			x, y = 1-x, 0.5-y
		}
		p.X, p.Y, p.Class = append(p.X, x), append(p.Y, y), append(p.Class, i%2)
	}
	return p
}

func rising(points [][2]float64) ([][]float64, error) {
	rows := make([][]float64, len(points))
	for i, p := range points {
		upper := 1 / (1 + math.Exp(-4*p[1]))
		rows[i] = []float64{upper, 1 - upper}
	}
	return rows, nil
}

func square(x []float64) ([]float64, error) {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = v * v
	}
	return y, nil
}

// complete is one chart of each kind with the words that must stand on it.
var complete = map[string]struct {
	chart Chart
	words []string
}{
	"curves": {Curves{
		Title: "moons: loss", Subtitle: "adam", Measure: "cross-entropy (nats)", Epochs: []float64{1, 2, 3},
		Train: []float64{0.7, 0.5, 0.4}, Validation: []float64{0.8, 0.6, 0.7}, Best: 2,
	}, []string{"moons: loss", "adam", "epoch", "cross-entropy (nats)", "training", "validation", "best epoch"}},
	"scatter": {Scatter{
		Title: "moons", Subtitle: "40 rows", XLabel: "x1 (cm)", YLabel: "x2 (cm)", Classes: []string{"upper", "lower"}, Points: twoMoons(40),
	}, []string{"moons", "40 rows", "x1 (cm)", "x2 (cm)", "upper", "lower"}},
	"boundary": {Boundary{
		Title: "moons: boundary", Subtitle: "accuracy", XLabel: "x1 (cm)", YLabel: "x2 (cm)", Classes: []string{"upper", "lower"},
		Train: twoMoons(40), Test: twoMoons(10), Predicted: make([]int, 10), Predict: rising,
	}, []string{"moons: boundary", "accuracy", "x1 (cm)", "x2 (cm)", "upper", "lower", "test row", "test row, wrong"}},
	"confusion": {Confusion{
		Title: "iris: confusion", Subtitle: "30 rows", Classes: []string{"setosa", "a name that is far too long for its cell"}, Counts: [][]int{{17, 1}, {0, 12}},
	}, []string{"iris: confusion", "30 rows", "true class", "predicted class", "setosa", "…", "17", "12", "share of the true class"}},
	"curve": {Curve{
		Title: "sine: fit", Subtitle: "R²", XLabel: "x (rad)", YLabel: "y (m)", Train: Pairs{[]float64{0, 1}, []float64{0, 1}}, Test: Pairs{[]float64{2}, []float64{4}}, Predict: square,
	}, []string{"sine: fit", "R²", "x (rad)", "y (m)", "training row", "test row", "prediction"}},
	"targets": {Targets{
		Title: "friedman1", Subtitle: "R²", Target: "y (m)", Train: Pairs{[]float64{0, 1}, []float64{0, 1}}, Test: Pairs{[]float64{2}, []float64{2}},
	}, []string{"friedman1", "R²", "target: y (m)", "prediction: y (m)", "training row", "test row", "prediction = target"}},
	"panels": {Panels{
		Title: "iris", Subtitle: "150 rows", Classes: []string{"setosa", "virginica"},
		Panels: []Panel{{"length (cm)", "width (cm)", twoMoons(20)}, {"length (cm)", "height (cm)", twoMoons(20)}},
	}, []string{"iris", "150 rows", "setosa", "virginica", "length (cm)", "width (cm)", "height (cm)"}},
	"pictures": {Pictures{
		Title: "glyphs", Subtitle: "worst mistakes", Width: 2, Height: 2, Pictures: []Picture{
			{Pixels: []float64{0, 1, 1, 0}, True: "4", Predicted: "9", Probability: 0.999}, {Pixels: []float64{0, 0, 0, 0}, True: "1", Predicted: "1", Probability: 1}},
	}, []string{"glyphs", "worst mistakes", "2 × 2 pixels", "true → predicted class, probability", "4 → 9 99%", "1 → 1 100%", "right", "wrong"}},
}

// words returns all text of an SVG document, which must be well-formed XML.
func words(t *testing.T, svg []byte) string {
	t.Helper()
	var text strings.Builder
	d := xml.NewDecoder(bytes.NewReader(svg))
	for {
		token, err := d.Token()
		if err == io.EOF {
			return text.String()
		}
		if err != nil {
			t.Fatalf("not well-formed: %v", err)
		}
		if s, ok := token.(xml.CharData); ok {
			text.Write(s)
			text.WriteByte('\n')
		}
	}
}

func TestEveryChartNamesItsTitleAxesAndLegend(t *testing.T) {
	for kind, c := range complete {
		t.Run(kind, func(t *testing.T) {
			var svg bytes.Buffer
			if err := WriteSVG(&svg, c.chart); err != nil {
				t.Fatal(err)
			}
			text := words(t, svg.Bytes())
			for _, want := range c.words {
				if !strings.Contains(text, want) {
					t.Errorf("%q is not on the chart, which says:\n%s", want, text)
				}
			}
		})
	}
}

func TestSameDataGiveSameBytes(t *testing.T) {
	for kind, c := range complete {
		var first bytes.Buffer
		if err := WriteSVG(&first, c.chart); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			var again bytes.Buffer
			if err := WriteSVG(&again, c.chart); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(first.Bytes(), again.Bytes()) {
				t.Errorf("%s: another picture of the same data", kind)
			}
		}
	}
}

func TestLossAxisIsLogarithmicWhenRangesDemand(t *testing.T) {
	for _, c := range []struct {
		name  string
		train []float64
		log   bool
	}{
		{"two decades", []float64{1, 0.1, 0.01}, true},
		{"a factor of two", []float64{1, 0.7, 0.5}, false},
		{"a loss of zero has no logarithm", []float64{1, 0.1, 0}, false},
		{"values that are not finite do not count", []float64{1, 0.7, math.Inf(1), math.NaN()}, false},
		{"one epoch", []float64{0.5}, false},
		{"no epoch", nil, false},
	} {
		var svg bytes.Buffer
		if err := WriteSVG(&svg, Curves{Title: c.name, Measure: "loss", Log: true, Epochs: []float64{1, 2, 3, 4}, Train: c.train}); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if got := strings.Contains(words(t, svg.Bytes()), "log scale"); got != c.log {
			t.Errorf("%s: log scale is %t, want %t", c.name, got, c.log)
		}
		if bytes.Contains(svg.Bytes(), []byte("NaN")) || bytes.Contains(svg.Bytes(), []byte("Inf")) {
			t.Errorf("%s: the picture has coordinates that are not finite", c.name)
		}
	}
}

// The test row at (0.9, 0.5) is the only one that is predicted wrong.
func TestBoundaryCrossesWrongTestRows(t *testing.T) {
	b := complete["boundary"].chart.(Boundary)
	b.Test = Points{X: []float64{0.1, 0.9}, Y: []float64{0.5, 0.5}, Class: []int{0, 1}}
	strokes := func(predicted []int) int {
		b.Predicted = predicted
		var svg bytes.Buffer
		if err := WriteSVG(&svg, b); err != nil {
			t.Fatal(err)
		}
		return strings.Count(svg.String(), "<path")
	}
	if right, wrong := strokes([]int{0, 1}), strokes([]int{0, 0}); wrong <= right {
		t.Errorf("%d paths with a wrong test row, want more than the %d without", wrong, right)
	}
}

func TestWrongDataIsAnError(t *testing.T) {
	boundary := complete["boundary"].chart.(Boundary)
	failing, short := boundary, boundary
	failing.Predict = func([][2]float64) ([][]float64, error) { return nil, errors.New("out of order") }
	short.Predicted = nil
	foreign := complete["scatter"].chart.(Scatter)
	foreign.Points.Class = slices.Repeat([]int{2}, 40)
	for _, c := range []struct {
		chart Chart
		want  string
	}{
		{failing, "predict the grid of the decision boundary: out of order"},
		{short, "0 predictions for 10 test rows"},
		{foreign, "class of row 0 is 2, want 0 to 1"},
		{Scatter{Points: Points{X: []float64{1}}}, "1 x, 0 y and 0 classes"},
		{Confusion{Classes: []string{"a", "b"}, Counts: [][]int{{1, 2}}}, "1 rows for 2 classes"},
		{Confusion{Classes: []string{"a", "b"}, Counts: [][]int{{1, 2}, {1}}}, "row 1 of the confusion matrix has 1 counts"},
		{Confusion{}, "0 rows for 0 classes"},
		{Curve{Train: Pairs{X: []float64{1}}}, "training rows: 1 x and 0 y"},
		{Targets{Test: Pairs{Y: []float64{1}}}, "test rows: 0 x and 1 y"},
		{Panels{}, "no panels"},
		{Pictures{}, "0 pictures"},
		{Pictures{Width: 2, Height: 2, Pictures: []Picture{{Pixels: []float64{1}}}}, "picture 0 has 1 pixels, want 2×2"},
	} {
		err := WriteSVG(io.Discard, c.chart)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%T: error is %v, want one with %q", c.chart, err, c.want)
		}
	}
}

func TestSaveLeavesNothingBehindAChartThatCannotBeDrawn(t *testing.T) {
	dir := t.TempDir()
	if err := Save(filepath.Join(dir, "loss.svg"), Panels{}); err == nil {
		t.Error("no error")
	}
	if err := Save(filepath.Join(dir, "missing", "loss.svg"), complete["curves"].chart); err == nil {
		t.Error("no error for a folder that is not there")
	}
	if files, _ := os.ReadDir(dir); len(files) > 0 {
		t.Errorf("left %v", files)
	}
	if err := Save(filepath.Join(dir, "loss.svg"), complete["curves"].chart); err != nil {
		t.Fatal(err)
	}
	if files, _ := os.ReadDir(dir); len(files) != 1 {
		t.Errorf("left %v, want the chart alone", files)
	}
}

func TestTicksAreRoundAndInRange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lo := rapid.Float64Range(-1e6, 1e6).Draw(t, "lo")
		hi := lo + rapid.Float64Range(1e-3, 1e6).Draw(t, "width")
		about := rapid.IntRange(3, 10).Draw(t, "about")
		ticks := (&Axis{Lo: lo, Hi: hi}).Ticks(about)
		if len(ticks) < about/2-1 || len(ticks) > about+2 {
			t.Fatalf("%d ticks in [%v, %v], want about %d", len(ticks), lo, hi, about)
		}
		for _, tick := range ticks {
			if slack := 1e-6 * (hi - lo); tick.Value < lo-slack || tick.Value > hi+slack {
				t.Fatalf("tick %v is outside [%v, %v]", tick.Value, lo, hi)
			}
			if strings.HasPrefix(tick.Label, "−0") && tick.Value == 0 {
				t.Fatalf("zero is written %q", tick.Label)
			}
		}
	})
}

func TestEpochTicksAreWhole(t *testing.T) {
	for _, last := range []float64{1, 2, 3, 7, 100, 1234} {
		for _, tick := range (&Axis{Whole: true, Hi: last}).Ticks(8) {
			if tick.Value != math.Trunc(tick.Value) || tick.Label != fmt.Sprint(tick.Value) {
				t.Errorf("tick %v, written %q, of %v epochs", tick.Value, tick.Label, last)
			}
		}
	}
}

// Charts of many classes grow with the names, not with the square of them.
func TestManyClassesStayReadable(t *testing.T) {
	const classes = 250
	c := Confusion{Title: "many"}
	b := complete["boundary"].chart.(Boundary)
	b.Classes, b.Predict = nil, func(points [][2]float64) ([][]float64, error) {
		rows := make([][]float64, len(points))
		for i := range rows {
			rows[i] = make([]float64, classes)
		}
		return rows, nil
	}
	for i := range classes {
		name := fmt.Sprintf("class number %d", i)
		c.Classes, b.Classes = append(c.Classes, name), append(b.Classes, name)
		c.Counts = append(c.Counts, make([]int, classes))
		c.Counts[i][i] = 3
	}
	var matrix, boundary bytes.Buffer
	if err := errors.Join(WriteSVG(&matrix, c), WriteSVG(&boundary, b)); err != nil {
		t.Fatal(err)
	}
	if matrix.Len() > 100_000 {
		t.Errorf("the confusion matrix takes %d bytes", matrix.Len())
	}
	if text := words(t, matrix.Bytes()); !strings.Contains(text, "class number 0") || strings.Count(text, "class number") > classes/2 {
		t.Errorf("want some of the names, not all:\n%s", text)
	}
	if text := words(t, boundary.Bytes()); !strings.Contains(text, "class number 249") {
		t.Errorf("the legend lacks the last class:\n%s", text)
	}
}

func TestThinningKeepsEveryClass(t *testing.T) {
	c, err := Scatter{Classes: []string{"upper", "lower"}, Points: twoMoons(20 * mostPoints)}.XY()
	if err != nil {
		t.Fatal(err)
	}
	for _, cloud := range c.Settled().Clouds {
		if n := len(cloud.X); n == 0 || n > mostPoints {
			t.Errorf("%d points of %s are drawn, want some and at most %d", n, cloud.Name, mostPoints)
		}
	}
}
