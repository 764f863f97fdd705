package charts

import (
	"image/color"
	"slices"

	"gonum.org/v1/plot"
)

// Palette returns the colours of classes and series, in their order. Where
// there are more classes than colours, they begin again with other shapes.
func Palette() []color.NRGBA { return slices.Clone(palette[:]) }

// Ticks marks about as many round numbers from lo to hi, with labels; with
// whole it marks whole numbers only.
func Ticks(lo, hi float64, about int, whole bool) []plot.Tick {
	return round{about: about, whole: whole}.Ticks(lo, hi)
}

// LogTicks marks, on an axis of log₁₀(v) from lo to hi, the powers of ten and
// what lies between; only some have labels.
func LogTicks(lo, hi float64) []plot.Tick { return decades{}.Ticks(lo, hi) }
