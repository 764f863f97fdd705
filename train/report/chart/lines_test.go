package chart

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func drawn(t *testing.T, c Chart) string {
	t.Helper()
	var svg bytes.Buffer
	if err := WriteSVG(&svg, c); err != nil {
		t.Fatal(err)
	}
	if s := svg.String(); strings.Contains(s, "NaN") || strings.Contains(s, "Inf") {
		t.Errorf("the picture has coordinates that are not finite")
	}
	return words(t, svg.Bytes())
}

func TestLinesNameEverySeries(t *testing.T) {
	text := drawn(t, Lines{
		Title: "moons: loss", Subtitle: "200 steps", XLabel: "step", YLabel: "cross-entropy (nats)", LogY: true,
		Series: []Series{{Name: "fused", X: []float64{1, 2}, Y: []float64{0.7, 0.07}}, {Name: "built-in", X: []float64{1, 2}, Y: []float64{0.7, 0.07}}},
	})
	for _, want := range []string{"moons: loss", "200 steps", "step", "cross-entropy (nats), log scale", "fused", "built-in"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not on the chart, which says:\n%s", want, text)
		}
	}
}

func TestLinesDrawWhatCanBeDrawn(t *testing.T) {
	for name, c := range map[string]struct {
		y   []float64
		log bool // is what was asked for possible?
	}{
		"zeros among others":    {[]float64{0, 1e-9, 1e-7}, true},
		"nothing but zeros":     {[]float64{0, 0, 0}, false},
		"values not finite":     {[]float64{math.NaN(), math.Inf(1), 2}, true},
		"nothing that is drawn": {[]float64{math.NaN(), math.NaN(), math.NaN()}, false},
		"all the same":          {[]float64{3, 3, 3}, true},
	} {
		text := drawn(t, Lines{Title: name, YLabel: "y", LogY: true, Series: []Series{{Name: "s", X: []float64{1, 2, 3}, Y: c.y}}})
		if got := strings.Contains(text, "log scale"); got != c.log {
			t.Errorf("%s: log scale is %t, want %t", name, got, c.log)
		}
	}
	drawn(t, Lines{Title: "no series"})
}

func TestLogarithmsSuitValuesOfSeveralDecades(t *testing.T) {
	for _, c := range []struct {
		values []float64
		log    bool
	}{
		{[]float64{1, 0.1, 0.01}, true}, {[]float64{1, 0.5}, false}, {[]float64{1, 0}, false}, {[]float64{-1, 100}, false},
		{[]float64{1, math.Inf(1), math.NaN()}, false}, {nil, false},
	} {
		if got := WantsLog(c.values); got != c.log {
			t.Errorf("%v: %t, want %t", c.values, got, c.log)
		}
	}
	if !WantsLog([]float64{1}, []float64{100}) {
		t.Error("two series of two decades do not want a logarithm")
	}
}

// Of two lines that cover each other both must be seen.
func TestAWideLineLiesBelowTheOthers(t *testing.T) {
	var svg bytes.Buffer
	y := []float64{1, 2}
	if err := WriteSVG(&svg, Lines{Series: []Series{{Name: "narrow", X: y, Y: y}, {Name: "wide", X: y, Y: y, Wide: true}}}); err != nil {
		t.Fatal(err)
	}
	wide := strings.LastIndex(svg.String(), "stroke-opacity:0.5")
	narrow := strings.LastIndex(svg.String(), fmt.Sprintf("stroke:#%02X%02X%02X", blue.R, blue.G, blue.B))
	if wide < 0 || narrow < wide {
		t.Errorf("the wide line is drawn at byte %d, the narrow one at %d, want it above", wide, narrow)
	}
}

func TestHistogramNamesItsSets(t *testing.T) {
	text := drawn(t, Histogram{Title: "step time", Subtitle: "3 steps", XLabel: "time of a step (µs)",
		Sets: []Distribution{{"fused", []float64{1, 1, 2}}, {"built-in", []float64{10, 11, 30}}}})
	for _, want := range []string{"step time", "3 steps", "time of a step (µs), log scale", "share of all (%)", "fused", "built-in"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not on the chart, which says:\n%s", want, text)
		}
	}
}

func TestBinsHoldEveryValueOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(1e-9, 1e9), 1, 50).Draw(t, "values")
		other := rapid.SliceOfN(rapid.Float64Range(1e-9, 1e9), 0, 50).Draw(t, "other")
		edges, shares, err := logBins([]Distribution{{"a", values}, {"b", other}})
		if err != nil {
			t.Fatal(err)
		}
		for i := range edges[1:] {
			if !(edges[i] < edges[i+1]) {
				t.Fatalf("edges %d and %d are %v and %v, want them to rise", i, i+1, edges[i], edges[i+1])
			}
		}
		for set, want := range map[int]float64{0: 1, 1: float64(min(len(other), 1))} {
			sum := 0.0
			for _, share := range shares[set] {
				sum += share
			}
			if math.Abs(sum-want) > 1e-9 || len(shares[set]) != len(edges)-1 {
				t.Fatalf("shares of set %d in %d bins sum to %v, want %v in %d", set, len(shares[set]), sum, want, len(edges)-1)
			}
		}
		for _, v := range append(values, other...) {
			if v < edges[0]*(1-1e-9) || v > edges[len(edges)-1]*(1+1e-9) {
				t.Fatalf("%v lies outside [%v, %v]", v, edges[0], edges[len(edges)-1])
			}
		}
	})
}

func TestWrongSeriesAreAnError(t *testing.T) {
	for _, c := range []struct {
		chart Chart
		want  string
	}{
		{Lines{Series: []Series{{Name: "loss", X: []float64{1}}}}, "loss: 1 x and 0 y"},
		{Histogram{}, "no values"},
		{Histogram{Sets: []Distribution{{"fused", nil}}}, "no values"},
		{Histogram{Sets: []Distribution{{"fused", []float64{1, 0}}}}, "fused: 0 has no place on a logarithmic axis"},
		{Histogram{Sets: []Distribution{{"fused", []float64{math.NaN()}}}}, "fused: NaN has no place"},
		{Histogram{Sets: []Distribution{{"fused", []float64{math.Inf(1)}}}}, "fused: +Inf has no place"},
	} {
		err := WriteSVG(io.Discard, c.chart)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%T: error is %v, want one with %q", c.chart, err, c.want)
		}
	}
}
