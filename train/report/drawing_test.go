package report

import (
	"encoding/json"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/affine-go/affine/train/report/chart"
)

func drawn(t *testing.T, c chart.XY) drawing {
	t.Helper()
	d, err := draw("id", "note", c)
	must(t, err)
	return d
}

// A line has a gap where a value is missing, a dot where it stands alone
// between gaps, and ends at both ends of a tight axis.
func TestLinesHaveGaps(t *testing.T) {
	nan := math.NaN()
	d := drawn(t, chart.XY{X: chart.Axis{Tight: true}, Y: chart.Axis{Lo: 0, Hi: 10}, Lines: []chart.Line{{Name: "a", X: []float64{0, 1, 2, 3, 4, 5}, Y: []float64{0, 10, nan, 5, nan, 10}}}})
	if want := "M0.00 1000.00L200.00 0.00M600.00 500.00h0M1000.00 0.00h0"; d.Paths[0].D != want {
		t.Errorf("path is %s, want %s", d.Paths[0].D, want)
	}
	data, err := json.Marshal(d.Data)
	must(t, err)
	if want := `"y":[0,10,null,5,null,10]`; !strings.Contains(string(data), want) {
		t.Errorf("data are %s, want %s in it", data, want)
	}
}

func TestChartsOfNothingAreDrawn(t *testing.T) {
	for name, c := range map[string]chart.XY{
		"no line":         {},
		"an empty line":   {Lines: []chart.Line{{Name: "a"}}},
		"nothing finite":  {Lines: []chart.Line{{Name: "a", X: []float64{1, 2}, Y: []float64{math.NaN(), math.Inf(1)}}}},
		"one point":       {X: chart.Axis{Whole: true}, Lines: []chart.Line{{Name: "a", X: []float64{1}, Y: []float64{0}}}},
		"an empty cloud":  {Clouds: []chart.Cloud{{Name: "a"}}},
		"zeros, with log": {Y: chart.Axis{Log: true}, Lines: []chart.Line{{Name: "a", X: []float64{1, 2}, Y: []float64{0, 0}}}},
	} {
		d := drawn(t, c)
		for _, p := range d.Paths {
			if strings.Contains(p.D, "NaN") || strings.Contains(p.D, "Inf") {
				t.Errorf("%s: path is %s", name, p.D)
			}
		}
	}
}

func TestTablesOfChartsHoldTheirNumbers(t *testing.T) {
	d := drawn(t, chart.XY{Title: "Loss", X: chart.Axis{Label: "epoch", Whole: true}, Y: chart.Axis{Label: "nats"}, Lines: []chart.Line{
		{Name: "a", X: []float64{1, 2, 3}, Y: []float64{0.5, math.NaN(), 1e-7}}, {Name: "b", X: []float64{2}, Y: []float64{7}}}})
	want := [][]string{{"1", "0.5", ""}, {"2", "–", "7"}, {"3", "10⁻⁷", ""}}
	if !slices.EqualFunc(d.Table.Rows, want, slices.Equal) || strings.Join(d.Table.Headings, " ") != "epoch a b" || d.Table.Caption != "Loss: nats" {
		t.Errorf("table is %+v, want %v", d.Table, want)
	}
	long := make([]float64, 5000)
	for i := range long {
		long[i] = float64(i)
	}
	table := drawn(t, chart.XY{Title: "Long", Lines: []chart.Line{{Name: "a", X: long, Y: long}}}).Table
	if len(table.Rows) != mostRows || table.Rows[mostRows-1][0] != "4999" || !strings.Contains(table.Caption, "200 of") {
		t.Errorf("a long table has %d rows to %v, and the caption %q", len(table.Rows), table.Rows[len(table.Rows)-1], table.Caption)
	}
}

// The style sheet has a colour for each of the palette, a look for each dash,
// and the panel that dark colours are chosen for.
func TestStyleSheetHasWhatChartsUse(t *testing.T) {
	css, err := os.ReadFile("page/report.css")
	must(t, err)
	for i := range colors {
		n := strconv.Itoa(i)
		if !strings.Contains(string(css), ".c"+n+" { --c: var(--c"+n+"); }") {
			t.Errorf("the style sheet has no class c%d", i)
		}
	}
	for i := range dashes {
		if !strings.Contains(string(css), ".d"+strconv.Itoa(i)+" { stroke-") {
			t.Errorf("the style sheet has no class d%d", i)
		}
	}
	if !regexp.MustCompile(`(?s)prefers-color-scheme: dark.*--panel: ` + hex(darkPanel)).Match(css) {
		t.Errorf("the dark panel is not %s", hex(darkPanel))
	}
	for i, c := range palette {
		if ratio := contrast(lighter(c), darkPanel); ratio < 4.5 {
			t.Errorf("colour %d stands out from the dark panel by %.1f, want 4.5", i, ratio)
		}
	}
}
