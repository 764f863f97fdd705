package glyph

import (
	"image"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"golang.org/x/image/vector"
)

// moments returns the mass, the centre and the covariance of the ink.
func moments(ink []uint8) (mass, cx, cy, xx, xy, yy float64) {
	for k, v := range ink {
		x, y, m := float64(k%Side)+0.5, float64(k/Side)+0.5, float64(v)/255
		mass, cx, cy = mass+m, cx+m*x, cy+m*y
		xx, xy, yy = xx+m*x*x, xy+m*x*y, yy+m*y*y
	}
	cx, cy = cx/mass, cy/mass
	return mass, cx, cy, xx/mass - cx*cx, xy/mass - cx*cy, yy/mass - cy*cy
}

// Drawing moves the moments of the ink as the placement says: mass grows with
// the square of the scale, the centre moves along, and the covariance turns.
// The tolerances allow for the rasteriser, which draws a curve as a few lines.
func TestDrawOutlineFollowsThePlacement(t *testing.T) {
	outlines, err := digitOutlines()
	if err != nil {
		t.Fatal(err)
	}
	raster := vector.NewRasterizer(Side, Side)
	ink := image.NewAlpha(image.Rect(0, 0, Side, Side))
	draw := func(shape outline, scale, turn, dx, dy float64) (mass, cx, cy, xx, xy, yy float64) {
		sin, cos := math.Sincos(turn)
		drawOutline(raster, ink, shape, placement{
			scale * cos, -scale * sin, Side/2 + dx,
			scale * sin, scale * cos, Side/2 + dy,
		})
		return moments(ink.Pix)
	}
	for f, font := range outlines {
		for digit, shape := range font {
			mass0, cx0, cy0, xx0, xy0, yy0 := draw(shape, 20, 0, 0, 0)
			mass, cx, cy, xx, xy, yy := draw(shape, 15, 0.25, 1.5, -2)
			ratio := 15.0 / 20
			sin, cos := math.Sincos(0.25)
			x0, y0 := ratio*(cx0-Side/2), ratio*(cy0-Side/2)
			for _, c := range []struct {
				what              string
				got, want, within float64
			}{
				{"mass", mass, ratio * ratio * mass0, 0.03 * mass},
				{"centre x", cx, Side/2 + 1.5 + cos*x0 - sin*y0, 0.05},
				{"centre y", cy, Side/2 - 2 + sin*x0 + cos*y0, 0.05},
				{"trace", xx + yy, ratio * ratio * (xx0 + yy0), 0.02 * (xx + yy)},
				{"covariance", xy, ratio * ratio * (sin*cos*(xx0-yy0) + (cos*cos-sin*sin)*xy0), 0.02 * (xx + yy)},
			} {
				if math.Abs(c.got-c.want) > c.within {
					t.Errorf("font %d, digit %d: %s is %.3f, want %.3f", f, digit, c.what, c.got, c.want)
				}
			}
		}
	}
}

// A placement keeps angles, and its scale, turn and shift fill their ranges.
func TestPlacementsAreWithinTheirRanges(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	var scales, turns, shifts []float64
	for range 1000 {
		p := randomPlacement(rng)
		if p.a != p.e || p.b != -p.d {
			t.Fatalf("%+v is not a turn and a scale", p)
		}
		scales = append(scales, math.Hypot(p.a, p.d)/height)
		turns = append(turns, math.Atan2(p.d, p.a)*180/math.Pi)
		shifts = append(shifts, p.c-Side/2, p.f-Side/2)
	}
	for what, c := range map[string]struct {
		values    []float64
		low, high float64
	}{"scale": {scales, 0.8, 1.1}, "turn": {turns, -15, 15}, "shift": {shifts, -2, 2}} {
		slack := 0.01 * (c.high - c.low)
		if low := slices.Min(c.values); math.Abs(low-c.low) > slack {
			t.Errorf("least %s is %v, want %v", what, low, c.low)
		}
		if high := slices.Max(c.values); math.Abs(high-c.high) > slack {
			t.Errorf("largest %s is %v, want %v", what, high, c.high)
		}
	}
}

func TestGlyphsVaryInFontPlaceAndSize(t *testing.T) {
	pen, err := NewPen()
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	var mass, cx []float64
	for range 40 {
		m, x, _, _, _, _ := moments(pen.Draw(3, rng))
		mass, cx = append(mass, m), append(cx, x)
	}
	if low, high := slices.Min(mass), slices.Max(mass); high < 2*low {
		t.Errorf("the ink of a 3 varies from %.0f to %.0f, want more: fonts and scales", low, high)
	}
	if low, high := slices.Min(cx), slices.Max(cx); high-low < 2*maxShift-1 || high-low > 2*maxShift+4 {
		t.Errorf("the centre of a 3 is between %.1f and %.1f, want shifts of ±%v", low, high, maxShift)
	}
}
