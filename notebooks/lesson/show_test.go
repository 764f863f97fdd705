package lesson

import (
	"bytes"
	"image/color"
	"image/png"
	"testing"

	"github.com/affine-go/affine/train/report/chart"
)

func TestChartsBecomeSmallPicturesInTheirColours(t *testing.T) {
	first, err := bitmap(chart.Bars{Title: "T", Format: "%.0f", Groups: []string{"g"},
		Series: []chart.BarSeries{{Name: "s", Values: []float64{1}}}})
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(first))
	if err != nil {
		t.Fatal(err)
	}
	if got := img.Bounds().Dx(); got != 640 {
		t.Errorf("picture is %d pixels wide, want 640", got)
	}
	if len(first) > 40_000 {
		t.Errorf("picture takes %d bytes, want at most 40000", len(first))
	}
	want := chart.Palette()[0]
	found := false
	for y := range img.Bounds().Dy() {
		for x := range img.Bounds().Dx() {
			c := color.NRGBAModel.Convert(img.At(x, y)).(color.NRGBA)
			near := func(a, b uint8) bool { return max(a, b)-min(a, b) <= 4 }
			found = found || near(c.R, want.R) && near(c.G, want.G) && near(c.B, want.B)
		}
	}
	if !found {
		t.Errorf("no pixel has the bars' colour %v", want)
	}
	if white := color.NRGBAModel.Convert(img.At(0, 0)).(color.NRGBA); white != (color.NRGBA{255, 255, 255, 255}) {
		t.Errorf("the corner is %v, want white", white)
	}
	if _, err := bitmap(chart.Bars{}); err == nil {
		t.Error("a chart without bars is no error")
	}
}

func TestFiguresAreDrawn(t *testing.T) {
	a := Cells{Name: "A [2, 2]", Numbers: [][]float64{{1, 2}, {3, 4}}, Row: 0, Column: -1}
	product, err := productFigure(a, a, a)
	if err != nil {
		t.Fatal(err)
	}
	flow, err := flowFigure("a step", []string{"forward 1", "forward 2"}, []string{"backward 2", "backward 1"})
	if err != nil {
		t.Fatal(err)
	}
	for name, picture := range map[string][]byte{"product": product, "flow": flow} {
		img, err := png.Decode(bytes.NewReader(picture))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		colours := map[color.Color]bool{}
		for y := range img.Bounds().Dy() {
			for x := range img.Bounds().Dx() {
				colours[img.At(x, y)] = true
			}
		}
		if len(colours) < 4 {
			t.Errorf("%s has %d colours, want paper, ink and marked boxes", name, len(colours))
		}
	}
}
