// Package glyph draws the digits of the dataset glyphs.
package glyph

import (
	"fmt"
	"image"
	"image/draw"
	"math"
	"math/rand/v2"
	"sync"

	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/gobolditalic"
	"golang.org/x/image/font/gofont/goitalic"
	"golang.org/x/image/font/gofont/gomono"
	"golang.org/x/image/font/gofont/gomonobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"
)

// Side is the side of an image in pixels, as MNIST's.
const Side = 28

// How large a digit is, in pixels, and how much it varies.
const (
	height   = 17 // before scaling
	maxShift = 2
	maxTurn  = 15 * math.Pi / 180 // radians
	minScale = 0.8
	maxScale = 1.1
)

// Pen draws digits one after another.
type Pen struct {
	fonts  [][10]outline
	raster *vector.Rasterizer
	ink    *image.Alpha
}

// NewPen returns a pen that has all fonts.
func NewPen() (*Pen, error) {
	fonts, err := digitOutlines()
	if err != nil {
		return nil, err
	}
	return &Pen{fonts, vector.NewRasterizer(Side, Side), image.NewAlpha(image.Rect(0, 0, Side, Side))}, nil
}

// Draw returns the coverage, 0 to 255, of each pixel by a digit in a random
// font, turned, scaled and shifted at random. It is valid until the next call.
func (p *Pen) Draw(digit int, rng *rand.Rand) []uint8 {
	font := p.fonts[rng.IntN(len(p.fonts))]
	drawOutline(p.raster, p.ink, font[digit], randomPlacement(rng))
	return p.ink.Pix
}

// placement maps a point (x, y) of an outline to (a·x + b·y + c, d·x + e·y + f)
// on the image.
type placement struct{ a, b, c, d, e, f float64 }

// randomPlacement draws scale, turn and shift about the image's centre.
func randomPlacement(rng *rand.Rand) placement {
	uniform := func(low, high float64) float64 { return low + (high-low)*rng.Float64() }
	scale := height * uniform(minScale, maxScale)
	sin, cos := math.Sincos(uniform(-maxTurn, maxTurn))
	return placement{
		a: scale * cos, b: -scale * sin, c: Side/2 + uniform(-maxShift, maxShift),
		d: scale * sin, e: scale * cos, f: Side/2 + uniform(-maxShift, maxShift),
	}
}

// outline is a digit's shape: centred on (0, 0), of height 1, y down.
type outline []curve

type curve struct {
	op     sfnt.SegmentOp
	points [3][2]float64
}

// drawOutline fills ink with the outline's coverage, 0 to 255.
func drawOutline(raster *vector.Rasterizer, ink *image.Alpha, shape outline, p placement) {
	raster.Reset(Side, Side)
	raster.DrawOp = draw.Src
	for _, c := range shape {
		var xy [6]float32
		for i, q := range c.points {
			xy[2*i] = float32(p.a*q[0] + p.b*q[1] + p.c)
			xy[2*i+1] = float32(p.d*q[0] + p.e*q[1] + p.f)
		}
		switch c.op {
		case sfnt.SegmentOpMoveTo:
			raster.MoveTo(xy[0], xy[1])
		case sfnt.SegmentOpLineTo:
			raster.LineTo(xy[0], xy[1])
		case sfnt.SegmentOpQuadTo:
			raster.QuadTo(xy[0], xy[1], xy[2], xy[3])
		case sfnt.SegmentOpCubeTo:
			raster.CubeTo(xy[0], xy[1], xy[2], xy[3], xy[4], xy[5])
		}
	}
	raster.Draw(ink, ink.Bounds(), image.Opaque, image.Point{})
}

// digitOutlines returns the outlines of the ten digits in each font.
var digitOutlines = sync.OnceValues(func() ([][10]outline, error) {
	fonts := [][]byte{goregular.TTF, gobold.TTF, goitalic.TTF, gobolditalic.TTF, gomono.TTF, gomonobold.TTF}
	outlines := make([][10]outline, len(fonts))
	for i, ttf := range fonts {
		font, err := sfnt.Parse(ttf)
		if err != nil {
			return nil, fmt.Errorf("font %d: %w", i, err)
		}
		for digit := range outlines[i] {
			if outlines[i][digit], err = loadOutline(font, rune('0'+digit)); err != nil {
				return nil, fmt.Errorf("font %d, digit %d: %w", i, digit, err)
			}
		}
	}
	return outlines, nil
})

func loadOutline(font *sfnt.Font, r rune) (outline, error) {
	var buf sfnt.Buffer
	index, err := font.GlyphIndex(&buf, r)
	if err != nil {
		return nil, err
	}
	// At one pixel per font unit the outline's coordinates are exact.
	segments, err := font.LoadGlyph(&buf, index, fixed.I(int(font.UnitsPerEm())), nil)
	if err != nil {
		return nil, err
	}
	box := segments.Bounds()
	center := [2]float64{float64(box.Min.X+box.Max.X) / 2, float64(box.Min.Y+box.Max.Y) / 2}
	unit := float64(box.Max.Y - box.Min.Y)
	shape := make(outline, len(segments))
	for i, s := range segments {
		shape[i].op = s.Op
		for k, q := range s.Args {
			shape[i].points[k] = [2]float64{(float64(q.X) - center[0]) / unit, (float64(q.Y) - center[1]) / unit}
		}
	}
	return shape, nil
}
