package report

import (
	"fmt"
	"html/template"
	"image/color"
	"math"
	"strings"

	"github.com/affine-go/affine/train/report/chart"
)

var palette = chart.Palette()

// colors and dashes are how many of each the style sheet has; series beyond
// them begin again.
var colors = len(palette)

const dashes = 4

// darkPanel is what charts stand on in dark mode, as in the style sheet.
var darkPanel = color.NRGBA{0x1B, 0x1F, 0x26, 0xFF}

// paletteStyles defines the colours of series: on light pages those of the
// charts, on dark ones lighter if contrast asks for it.
func paletteStyles() template.CSS {
	var light, dark strings.Builder
	for i, c := range palette {
		fmt.Fprintf(&light, "--c%d:%s;", i, hex(c))
		fmt.Fprintf(&dark, "--c%d:%s;", i, hex(lighter(c)))
	}
	return template.CSS(fmt.Sprintf(":root{%s}@media screen and (prefers-color-scheme:dark){:root{%s}}", light.String(), dark.String()))
}

func hex(c color.NRGBA) string { return fmt.Sprintf("#%02x%02x%02x", c.R, c.G, c.B) }

// lighter mixes white into a colour until it stands out from a dark panel as
// text must (WCAG 2.1, success criterion 1.4.3).
func lighter(c color.NRGBA) color.NRGBA {
	const enough = 4.5
	mixed := c
	for t := 0.0; t < 1 && contrast(mixed, darkPanel) < enough; t += 0.02 {
		channel := func(v uint8) uint8 { return uint8(float64(v) + t*(255-float64(v))) }
		mixed = color.NRGBA{channel(c.R), channel(c.G), channel(c.B), 0xFF}
	}
	return mixed
}

// contrast is the contrast ratio of WCAG 2.1, from 1 to 21.
func contrast(a, b color.NRGBA) float64 {
	la, lb := luminance(a), luminance(b)
	return (max(la, lb) + 0.05) / (min(la, lb) + 0.05)
}

func luminance(c color.NRGBA) float64 {
	linear := func(v uint8) float64 {
		s := float64(v) / 255
		if s <= 0.04045 {
			return s / 12.92
		}
		return math.Pow((s+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(c.R) + 0.7152*linear(c.G) + 0.0722*linear(c.B)
}
