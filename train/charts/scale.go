package charts

import (
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/plot"
)

// Palette returns the colours of classes and series, in their order. Where
// there are more classes than colours, they begin again with other shapes.
func Palette() []color.NRGBA { return slices.Clone(palette[:]) }

// WantsLog reports whether a logarithmic axis suits the values: they are all
// above 0 and span more than a factor of ten. Those that are not finite do not
// count.
func WantsLog(series ...[]float64) bool {
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, values := range series {
		for _, v := range values {
			if !math.IsNaN(v) && !math.IsInf(v, 0) {
				lo, hi = min(lo, v), max(hi, v)
			}
		}
	}
	return lo > 0 && hi/lo > 10
}

// Ticks marks about as many round numbers from lo to hi, with labels; with
// whole it marks whole numbers only.
func Ticks(lo, hi float64, about int, whole bool) []plot.Tick {
	return round{about: about, whole: whole}.Ticks(lo, hi)
}

// LogTicks marks, on an axis of log₁₀(v) from lo to hi, the powers of ten and
// what lies between; only some have labels.
func LogTicks(lo, hi float64) []plot.Tick { return decades{}.Ticks(lo, hi) }
