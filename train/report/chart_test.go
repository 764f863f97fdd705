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

	"pgregory.net/rapid"
)

func TestAxesHoldAllValues(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := axis{Log: rapid.Bool().Draw(t, "log"), Tight: rapid.Bool().Draw(t, "tight"), Whole: rapid.Bool().Draw(t, "whole")}
		values := rapid.SliceOfN(rapid.Float64Range(-1e6, 1e6), 0, 20).Draw(t, "values")
		a.settle(values)
		if !(a.Lo < a.Hi) {
			t.Fatalf("axis goes from %v to %v", a.Lo, a.Hi)
		}
		for _, v := range values {
			if a.Log && v <= 0 {
				continue
			}
			if at := a.at(v); !(at >= -1e-6 && at <= 1+1e-6) {
				t.Fatalf("%v stands at %v, want it in [0, 1]", v, at)
			}
		}
		for _, tick := range a.ticks(6, 6) {
			if at, err := strconv.ParseFloat(tick.At, 64); err != nil || at < -0.01 || at > 100.01 {
				t.Fatalf("tick %q stands at %s %%", tick.Label, tick.At)
			}
		}
	})
}

func TestAnAxisIsLogarithmicOnlyWhereThatCanBe(t *testing.T) {
	for _, c := range []struct {
		values []float64
		log    bool
	}{{[]float64{1, 2}, true}, {[]float64{0, 2}, true}, {[]float64{0, 0}, false}, {[]float64{-1}, false}, {nil, false}} {
		a := axis{Log: true}
		a.settle(c.values)
		if a.Log != c.log {
			t.Errorf("%v: logarithmic is %t, want %t", c.values, a.Log, c.log)
		}
	}
}

func TestThinningKeepsBothEndsAndTheOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, most := rapid.IntRange(1, 10000).Draw(t, "n"), rapid.IntRange(2, 2000).Draw(t, "most")
		some := evenly(n, most)
		if len(some) != min(n, most) || some[0] != 0 || some[len(some)-1] != n-1 {
			t.Fatalf("of %d at most %d: %d are left, from %d to %d", n, most, len(some), some[0], some[len(some)-1])
		}
		for i := range some[1:] {
			if some[i] >= some[i+1] {
				t.Fatalf("%d comes before %d", some[i], some[i+1])
			}
		}
	})
}

// A line has a gap where a value is missing, a dot where it stands alone
// between gaps, and ends at both ends of a tight axis.
func TestLinesHaveGaps(t *testing.T) {
	nan := math.NaN()
	d := draw(chart{X: axis{Tight: true}, Y: axis{Lo: 0, Hi: 10}, Lines: []line{{Name: "a", X: []float64{0, 1, 2, 3, 4, 5}, Y: []float64{0, 10, nan, 5, nan, 10}}}})
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
	for name, c := range map[string]chart{
		"no line":         {},
		"an empty line":   {Lines: []line{{Name: "a"}}},
		"nothing finite":  {Lines: []line{{Name: "a", X: []float64{1, 2}, Y: []float64{math.NaN(), math.Inf(1)}}}},
		"one point":       {X: axis{Whole: true}, Lines: []line{{Name: "a", X: []float64{1}, Y: []float64{0}}}},
		"an empty cloud":  {Clouds: []cloud{{Name: "a"}}},
		"zeros, with log": {Y: axis{Log: true}, Lines: []line{{Name: "a", X: []float64{1, 2}, Y: []float64{0, 0}}}},
	} {
		d := draw(c)
		for _, p := range d.Paths {
			if strings.Contains(p.D, "NaN") || strings.Contains(p.D, "Inf") {
				t.Errorf("%s: path is %s", name, p.D)
			}
		}
	}
}

func TestTablesOfChartsHoldTheirNumbers(t *testing.T) {
	d := draw(chart{Title: "Loss", X: axis{Label: "epoch", Whole: true}, Y: axis{Label: "nats"}, Lines: []line{
		{Name: "a", X: []float64{1, 2, 3}, Y: []float64{0.5, math.NaN(), 1e-7}}, {Name: "b", X: []float64{2}, Y: []float64{7}}}})
	want := [][]string{{"1", "0.5", ""}, {"2", "–", "7"}, {"3", "10⁻⁷", ""}}
	if !slices.EqualFunc(d.Table.Rows, want, slices.Equal) || strings.Join(d.Table.Headings, " ") != "epoch a b" || d.Table.Caption != "Loss: nats" {
		t.Errorf("table is %+v, want %v", d.Table, want)
	}
	long := make([]float64, 5000)
	for i := range long {
		long[i] = float64(i)
	}
	table := draw(chart{Title: "Long", Lines: []line{{Name: "a", X: long, Y: long}}}).Table
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
