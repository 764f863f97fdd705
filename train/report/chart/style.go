package chart

import (
	"image/color"
	"math"
	"slices"

	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/font/liberation"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// The palette of Okabe & Ito, "Color Universal Design" (2008), in an order that
// puts the best contrast on white first.
var palette = [...]color.NRGBA{
	{0x00, 0x72, 0xB2, 0xFF}, // blue
	{0xE6, 0x9F, 0x00, 0xFF}, // orange
	{0x00, 0x9E, 0x73, 0xFF}, // bluish green
	{0xD5, 0x5E, 0x00, 0xFF}, // vermillion
	{0xCC, 0x79, 0xA7, 0xFF}, // reddish purple
	{0x56, 0xB4, 0xE9, 0xFF}, // sky blue
	{0xF0, 0xE4, 0x42, 0xFF}, // yellow
	{0x40, 0x40, 0x40, 0xFF}, // black, softened
}

var (
	blue       = palette[0]
	vermillion = palette[3]

	ink   = color.NRGBA{0x22, 0x22, 0x22, 0xFF} // text, outlines
	faint = color.NRGBA{0x59, 0x59, 0x59, 0xFF} // subtitles, axes; 7:1 on white
	rule  = color.NRGBA{0xE3, 0xE3, 0xE3, 0xFF} // grid
)

// classColor returns the colour of a class; after eight they repeat with
// another shape.
func classColor(class int) color.NRGBA { return palette[class%len(palette)] }

// Palette returns the colours of classes and series, in their order. If there
// are more classes than colours, they begin again with other shapes.
func Palette() []color.NRGBA { return slices.Clone(palette[:]) }

func translucent(class int, alpha uint8) color.NRGBA {
	c := classColor(class)
	c.A = alpha
	return c
}

// mix returns a + t·(b − a) for t in [0, 1].
func mix(a, b color.NRGBA, t float64) color.NRGBA {
	channel := func(x, y uint8) uint8 { return uint8(float64(x) + t*(float64(y)-float64(x)) + 0.5) }
	return color.NRGBA{channel(a.R, b.R), channel(a.G, b.G), channel(a.B, b.B), 0xFF}
}

var white = color.NRGBA{0xFF, 0xFF, 0xFF, 0xFF}

const quarterTurn = math.Pi / 2

// Sizes in points.
const (
	figureWidth  = 480
	figureHeight = 360
	margin       = 12

	titleSize    = 14
	subtitleSize = 10.5
	labelSize    = 11
	tickSize     = 10
)

// fontFamily is what a viewer picks from. The first three have the same
// metrics, so text takes the room that was measured for it.
const fontFamily = "Liberation Sans,Arial,Helvetica,sans-serif"

var fonts = font.NewCache(liberation.Collection())

// textStyle returns left-aligned text that stands on its baseline.
func textStyle(size font.Length, c color.Color, bold bool) text.Style {
	f := font.Font{Typeface: "Liberation", Variant: "Sans", Size: size}
	if bold {
		f.Weight = xfont.WeightBold
	}
	return text.Style{Color: c, Font: f, XAlign: draw.XLeft, YAlign: draw.YBottom, Handler: raised{text.Plain{Fonts: fonts}}}
}

func stroke(c color.Color, width vg.Length, dashes ...vg.Length) draw.LineStyle {
	return draw.LineStyle{Color: c, Width: width, Dashes: dashes}
}
