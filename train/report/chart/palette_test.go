package chart

import (
	"image/color"
	"math"
	"slices"
	"strings"
	"testing"
)

// Linear RGB as people without red cones (protanopia) and without green cones
// (deuteranopia) see it: Viénot, Brettel & Mollon, "Digital video colourmaps
// for checking the legibility of displays by dichromats" (1999).
var dichromats = map[string][3][3]float64{
	"trichromat":   {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
	"protanopia":   {{0.11238, 0.88762, 0}, {0.11238, 0.88762, 0}, {0.00401, -0.00401, 1}},
	"deuteranopia": {{0.29275, 0.70725, 0}, {0.29275, 0.70725, 0}, {-0.02234, 0.02234, 1}},
}

// lab converts a colour, as the eye sees it, to CIE L*a*b* (sRGB, D65).
func lab(c color.NRGBA, eye [3][3]float64) [3]float64 {
	linear := func(v uint8) float64 {
		s := float64(v) / 255
		if s <= 0.04045 {
			return s / 12.92
		}
		return math.Pow((s+0.055)/1.055, 2.4)
	}
	apply := func(m [3][3]float64, v [3]float64) (out [3]float64) {
		for i := range m {
			for j := range v {
				out[i] += m[i][j] * v[j]
			}
		}
		return out
	}
	xyz := apply([3][3]float64{
		{0.4124, 0.3576, 0.1805}, {0.2126, 0.7152, 0.0722}, {0.0193, 0.1192, 0.9505},
	}, apply(eye, [3]float64{linear(c.R), linear(c.G), linear(c.B)}))
	f := func(t float64) float64 {
		if t > 216.0/24389 {
			return math.Cbrt(t)
		}
		return (24389.0/27*t + 16) / 116
	}
	x, y, z := f(xyz[0]/0.95047), f(xyz[1]), f(xyz[2]/1.08883)
	return [3]float64{116*y - 16, 500 * (x - y), 200 * (y - z)}
}

// A difference of 2.3 in L*a*b* can just be noticed; small marks need several
// times that.
func TestColoursStayApartForColourBlindReaders(t *testing.T) {
	for eye, m := range dichromats {
		for i, a := range palette {
			for j, b := range palette[:i] {
				p, q := lab(a, m), lab(b, m)
				if d := math.Sqrt(math.Pow(p[0]-q[0], 2) + math.Pow(p[1]-q[1], 2) + math.Pow(p[2]-q[2], 2)); d < 10 {
					t.Errorf("%s: classes %d and %d differ by %.1f, want at least 10", eye, j, i, d)
				}
			}
		}
	}
}

func TestClassesOfOneColourHaveDifferentShapes(t *testing.T) {
	for class := range 8 {
		if a, b := Corners(class), Corners(class+len(palette)); slices.Equal(a, b) {
			t.Errorf("classes %d and %d look the same", class, class+len(palette))
		}
	}
}

// The font of files lacks some raised digits.
func TestExponentsAreDrawnAsRaisedDigits(t *testing.T) {
	for _, c := range []struct {
		text, base, exponent string
		ok                   bool
	}{
		{"2·10⁻⁵", "2·10", "−5", true}, {"10⁹", "10", "9", true}, {"10", "10", "", false}, {"110", "110", "", false},
		{"R²", "R²", "", false}, {"", "", "", false}, {"10⁰ rows", "10⁰ rows", "", false},
	} {
		if base, exponent, ok := cutPower(c.text); base != c.base || exponent != c.exponent || ok != c.ok {
			t.Errorf("%q is cut into %q and %q (%t)", c.text, base, exponent, ok)
		}
	}
	text := drawn(t, Lines{Title: "powers", LogY: true, Series: []Series{{Name: "s", X: []float64{1, 2}, Y: []float64{1e-9, 1e-5}}}})
	if !strings.Contains(text, "−9") || strings.ContainsAny(text, "⁻⁹") {
		t.Errorf("the chart says:\n%s", text)
	}
}
