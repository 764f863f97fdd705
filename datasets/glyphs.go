package datasets

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

// The digits of glyphs: how large they are, in pixels, and how much they vary.
const (
	glyphSide     = 28 // of the image, as MNIST's
	glyphHeight   = 17 // of the digit before scaling
	glyphMaxShift = 2
	glyphMaxTurn  = 15 * math.Pi / 180 // radians
	glyphMinScale = 0.8
	glyphMaxScale = 1.1
)

var glyphsInfo = Info{
	Name:         "glyphs",
	Summary:      "digits 0 to 9 drawn at 28×28 in six fonts, shifted, turned and scaled",
	Task:         Classification,
	Features:     numbered("pixel", 0, glyphSide*glyphSide),
	TargetName:   "digit",
	Classes:      numbered("", 0, 10),
	ImageShape:   [2]int{glyphSide, glyphSide},
	Rows:         4000,
	Noise:        0.1,
	NoiseMeaning: "standard deviation of the Gaussian noise added to each pixel",
	Formula:      "ink = coverage of the digit's outline after scaling by 0.8 … 1.1, turning by ±15° and shifting by ±2 pixels; clip(ink + noise·N(0, 1), 0, 1)",
	Source:       "this package; Bigelow & Holmes' Go fonts, golang.org/x/image/font/gofont",
}

// Glyphs returns images of the digits 0 to 9: an image task that needs no
// download. Each row is a 28×28 image, line by line; a pixel is the ink on it,
// from 0 to 1.
//
// A digit's outline comes from one of the Go fonts (regular, bold, italic, bold
// italic, mono, mono bold), drawn uniformly. Its bounding box is scaled to a
// height of 17 pixels and centred; then it is scaled by a factor from [0.8,
// 1.1], turned by an angle from [−15°, 15°] and shifted by up to 2 pixels along
// each axis, all uniform. The pixel's value is
//
//	clip(coverage + noise·N(0, 1), 0, 1)
//
// Each digit has ⌈n/10⌉ or ⌊n/10⌋ rows; the rows come in random order.
func Glyphs(n int, noise float64, seed uint64) (*Dataset, error) {
	d, rng, err := newDataset(&glyphsInfo, n, noise, seed)
	if err != nil {
		return nil, err
	}
	outlines, err := digitOutlines()
	if err != nil {
		return nil, fmt.Errorf("glyphs: %w", err)
	}
	raster := vector.NewRasterizer(glyphSide, glyphSide)
	ink := image.NewAlpha(image.Rect(0, 0, glyphSide, glyphSide))
	for i := range n {
		digit := i % len(d.Classes)
		d.Y[i] = float64(digit)
		font := outlines[rng.IntN(len(outlines))]
		drawOutline(raster, ink, font[digit], randomPlacement(rng))
		row := d.Row(i)
		for k, coverage := range ink.Pix {
			row[k] = float64(coverage) / 255
		}
		addNoise(row, noise, rng)
		for k, v := range row {
			row[k] = min(max(v, 0), 1)
		}
	}
	d.shuffle(rng)
	return d, nil
}

// placement maps a point (x, y) of an outline to (a·x + b·y + c, d·x + e·y + f)
// on the image.
type placement struct{ a, b, c, d, e, f float64 }

// randomPlacement draws scale, turn and shift about the image's centre.
func randomPlacement(rng *rand.Rand) placement {
	uniform := func(low, high float64) float64 { return low + (high-low)*rng.Float64() }
	scale := glyphHeight * uniform(glyphMinScale, glyphMaxScale)
	sin, cos := math.Sincos(uniform(-glyphMaxTurn, glyphMaxTurn))
	return placement{
		a: scale * cos, b: -scale * sin, c: glyphSide/2 + uniform(-glyphMaxShift, glyphMaxShift),
		d: scale * sin, e: scale * cos, f: glyphSide/2 + uniform(-glyphMaxShift, glyphMaxShift),
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
	raster.Reset(glyphSide, glyphSide)
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
	height := float64(box.Max.Y - box.Min.Y)
	shape := make(outline, len(segments))
	for i, s := range segments {
		shape[i].op = s.Op
		for k, q := range s.Args {
			shape[i].points[k] = [2]float64{(float64(q.X) - center[0]) / height, (float64(q.Y) - center[1]) / height}
		}
	}
	return shape, nil
}
