package report

import (
	"bytes"
	"encoding/base64"
	"image/png"
	"regexp"
	"strings"
	"testing"

	"github.com/affine-go/affine/internal/format"
	"github.com/affine-go/affine/train"
)

func TestMistakesComeSurestFirst(t *testing.T) {
	c := config(t, "glyphs", 200)
	c.Epochs = 2
	a := loaded(t, trained(t, c)).answers()
	m, err := a.mistakes()
	must(t, err)
	if m == nil || len(m.Pictures) < 2 {
		t.Fatalf("two epochs leave %+v, want mistakes", m)
	}
	last := 2.0
	for i, p := range m.Pictures {
		if p.Actual == p.Predicted {
			t.Errorf("picture %d of a %s, taken for that, is no mistake", i, p.Actual)
		}
		var n int
		for row := range a.rows.Len() {
			if a.row(row) == p.Row {
				n = row
			}
		}
		if sure := a.probability(n); sure > last {
			t.Errorf("picture %d is surer than the one before", i)
		} else {
			last = sure
		}
		if !a.isWrong(n) {
			t.Errorf("%s is predicted right", p.Row)
		}
	}
}

func TestLargestErrorsComeFirst(t *testing.T) {
	m := loaded(t, trained(t, config(t, "friedman1", 80))).answers().largestErrors()
	if got := len(m.Table.Rows); got != mostMistakes {
		t.Fatalf("%d errors are listed, want %d", got, mostMistakes)
	}
	if got := strings.Join(m.Table.Headings, " "); !strings.HasPrefix(got, "test row y predicted off by x1 ") || !strings.HasSuffix(got, " x8 …") {
		t.Errorf("headings are %s", got)
	}
	for _, row := range m.Table.Rows {
		if len(row) != len(m.Table.Headings) {
			t.Errorf("%v has %d cells below %d headings", row, len(row), len(m.Table.Headings))
		}
	}
}

func TestARunWithoutMistakesSaysSo(t *testing.T) {
	c := config(t, "blobs", 90)
	c.Epochs = 30
	noise := 0.1
	c.Noise = &noise
	wantText(t, "the page", runPage(t, trained(t, c)), "There are none: all 18 test rows are predicted right.")
}

// The picture below the decision boundary has the colour of each row's class
// at the rows that are predicted right.
func TestRegionsHaveTheColoursOfTheClasses(t *testing.T) {
	c := config(t, "moons", 200)
	c.Epochs = 60
	a := loaded(t, trained(t, c)).answers()
	boundary, err := a.boundary().XY()
	must(t, err)
	d, err := draw("boundary", "", boundary)
	must(t, err)
	data, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(string(d.Under), "data:image/png;base64,"))
	must(t, err)
	img, err := png.Decode(bytes.NewReader(data))
	must(t, err)
	for i := range a.rows.Len() {
		if a.probability(i) < 0.9 {
			continue
		}
		x, y := a.rows.Row(i)[0], a.rows.Row(i)[1]
		r, g, b, alpha := img.At(int(d.X.At(x)*float64(img.Bounds().Dx())), int((1-d.Y.At(y))*float64(img.Bounds().Dy()))).RGBA()
		want := palette[a.predicted(i)]
		near := func(got uint32, want uint8) bool { // undo the premultiplied alpha
			d := int(got*255/max(alpha, 1)) - int(want)
			return d >= -4 && d <= 4
		}
		if !near(r, want.R) || !near(g, want.G) || !near(b, want.B) || alpha < 0x3000 {
			t.Errorf("at (%v, %v) the picture has %x %x %x with opacity %x, want %v", x, y, r, g, b, alpha, want)
		}
	}
}

func TestConfusionMatrixCountsTheRowsOfThePart(t *testing.T) {
	dir := trained(t, config(t, "iris", 0))
	page, m := runPage(t, dir), loaded(t, dir).Metrics
	cell := regexp.MustCompile(`<td class="cell[^"]*" style="--share:[0-9.]+" title="[^"]+">([0-9]+)</td>`)
	counts := cell.FindAllStringSubmatch(page, -1)
	if len(counts) != 9 {
		t.Fatalf("%d cells, want 9", len(counts))
	}
	for i, found := range counts {
		if want := m.TestConfusion[i/3][i%3]; found[1] != format.Count(want) {
			t.Errorf("cell %d is %s, want %d", i, found[1], want)
		}
	}
}

func TestSharesAreWrittenInPerCent(t *testing.T) {
	two := newConfusion("test", []string{"a", "b"}, train.Confusion{{199, 1}, {0, 0}})
	if got := two.Rows[0].Recall; got != "99.5" {
		t.Errorf("recall of 199 in 200 is %s, want 99.5", got)
	}
	if got := two.Rows[1].Recall + two.Precision[0]; got != "–100" {
		t.Errorf("recall of none and precision of all are %s, want –100", got)
	}
	counts, names := make(train.Confusion, 10), make([]string, 10)
	for i := range counts {
		counts[i] = make([]int, 10)
		counts[i][i] = 199
	}
	counts[0][1] = 1
	if got := newConfusion("test", names, counts).Rows[0].Recall; got != "99.5" {
		t.Errorf("of many classes, recall of 199 in 200 is %s, want 99.5", got)
	}
}
