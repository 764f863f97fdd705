package chart

import (
	"bytes"
	"image/color"
	"image/png"
	"io"
	"math"
	"strings"
	"testing"
)

var speedups = Bars{
	Title: "Speed", Subtitle: "float32", XLabel: "speed (× built-in)", Format: "%.1f×", Groups: []string{"64×64×64", "one row"},
	Series:    []BarSeries{{"fused", []float64{4.26, 12}}, {"direct", []float64{0, 20}}},
	Reference: Reference{"built-in ops", 1},
}

func TestBarsNameGroupsSeriesAndValues(t *testing.T) {
	text := drawn(t, speedups)
	for _, want := range []string{"Speed", "float32", "speed (× built-in)", "64×64×64", "one row", "fused", "direct", "built-in ops", "4.3×", "12.0×", "0.0×", "20.0×"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not on the chart, which says:\n%s", want, text)
		}
	}
	drawn(t, Bars{Title: "zero", Format: "%g", Groups: []string{"a"}, Series: []BarSeries{{"s", []float64{0}}}})
}

func TestWrongBarsAreAnError(t *testing.T) {
	for want, b := range map[string]Bars{
		"0 groups of 0 bars":              {},
		"s: 1 values for 2 groups":        {Groups: []string{"a", "b"}, Series: []BarSeries{{"s", []float64{1}}}},
		"s: value is -1, want a finite":   {Groups: []string{"a"}, Series: []BarSeries{{"s", []float64{-1}}}},
		"s: value is NaN, want a finite":  {Groups: []string{"a"}, Series: []BarSeries{{"s", []float64{math.NaN()}}}},
		"s: value is +Inf, want a finite": {Groups: []string{"a"}, Series: []BarSeries{{"s", []float64{math.Inf(1)}}}},
	} {
		if err := WriteSVG(io.Discard, b); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want one with %q", err, want)
		}
	}
}

func TestBitmapsHaveTheirSizeAndTheBarsColours(t *testing.T) {
	const dpi = 144 // two pixels to a point
	var file bytes.Buffer
	if err := WritePNG(&file, speedups, dpi); err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(&file)
	if err != nil {
		t.Fatal(err)
	}
	if got := img.Bounds().Dx(); got != 2*figureWidth {
		t.Errorf("%d pixels wide, want %d", got, 2*figureWidth)
	}
	seen := map[color.NRGBA]bool{}
	for y := range img.Bounds().Dy() {
		for x := range img.Bounds().Dx() {
			seen[color.NRGBAModel.Convert(img.At(x, y)).(color.NRGBA)] = true
		}
	}
	for _, c := range []color.NRGBA{white, blue, palette[1]} {
		if !seen[c] {
			t.Errorf("no pixel has the colour %v", c)
		}
	}
}

func TestWrongBitmapsAreAnError(t *testing.T) {
	if err := WritePNG(io.Discard, speedups, 0); err == nil || !strings.Contains(err.Error(), "resolution is 0") {
		t.Errorf("error is %v, want one about the resolution", err)
	}
	if err := WritePNG(io.Discard, Bars{}, 72); err == nil || !strings.Contains(err.Error(), "0 groups") {
		t.Errorf("error is %v, want the chart's", err)
	}
}
