package chart

import (
	"math"
	"slices"
	"strconv"

	"github.com/affine-go/affine/internal/format"
)

// Axis says what a coordinate means. If Lo and Hi are equal, the range is that
// of the data.
type Axis struct {
	Label  string // with the unit
	Log    bool   // logarithmic, if anything that is drawn is above 0
	Whole  bool   // marked at whole numbers only
	Tight  bool   // no room around the data
	Lo, Hi float64
}

// Tick is a marked value.
type Tick struct {
	Value float64
	Label string // empty for a mark between others
	// Spare labels are the first to go if there is no room for all: on a
	// logarithmic axis those that are no powers of ten.
	Spare bool
}

// settle finds the range of an axis that has none and gives up a logarithm
// that cannot be.
func (a *Axis) settle(values []float64) {
	if a.Log {
		above := slices.DeleteFunc(slices.Clone(values), func(v float64) bool { return !(v > 0) })
		if a.Log = len(above) > 0; a.Log {
			values = above
		}
	}
	if a.Lo != a.Hi {
		return
	}
	if len(values) == 0 {
		a.Lo, a.Hi = 0, 1
		return
	}
	lo, hi := a.scale(slices.Min(values)), a.scale(slices.Max(values))
	switch room := 0.04 * (hi - lo); {
	case lo == hi && a.Log:
		lo, hi = lo-0.1, hi+0.1
	case lo == hi:
		room = max(math.Abs(lo)/10, 1e-9)
		if a.Whole {
			room = 0.5
		}
		lo, hi = lo-room, hi+room
	case !a.Tight:
		lo, hi = lo-room, hi+room
	}
	a.Lo, a.Hi = a.unscale(lo), a.unscale(hi)
	if a.Log { // powers near the least float64 are off by more than the room
		least := slices.Min(values)
		if a.Lo = min(a.Lo, least); a.Lo == 0 {
			a.Lo = least
		}
		a.Hi = max(a.Hi, slices.Max(values))
	}
}

func (a *Axis) scale(v float64) float64 {
	if a.Log {
		return math.Log10(v)
	}
	return v
}

func (a *Axis) unscale(v float64) float64 {
	if a.Log {
		return math.Pow(10, v)
	}
	return v
}

// At returns where a value stands, from 0 at the start of the axis to 1 at its
// end.
func (a *Axis) At(v float64) float64 {
	lo, hi := a.scale(a.Lo), a.scale(a.Hi)
	return (a.scale(v) - lo) / (hi - lo)
}

// Caption is the label with what there is to say of the scale.
func (a Axis) Caption() string {
	if a.Log {
		return a.Label + ", log scale"
	}
	return a.Label
}

// Ticks returns about so many marks with round values or, of a logarithmic
// axis, at most that many.
func (a *Axis) Ticks(about int) []Tick {
	if a.Log {
		return logTicks(a.scale(a.Lo), a.scale(a.Hi), about)
	}
	step, decimals := roundStep((a.Hi - a.Lo) / float64(about))
	if a.Whole && step < 1 {
		step, decimals = 1, 0
	}
	var ticks []Tick
	slack := 1e-9 * (a.Hi - a.Lo)
	for i := math.Ceil((a.Lo - slack) / step); i*step <= a.Hi+slack; i++ {
		v := i*step + 0 // not −0
		ticks = append(ticks, Tick{Value: v, Label: tickLabel(v, decimals)})
	}
	return ticks
}

// roundStep returns the least multiple by 1, 2 or 5 of a power of ten that is
// at least x, and how many decimals its multiples need.
func roundStep(x float64) (step float64, decimals int) {
	power := math.Pow(10, math.Floor(math.Log10(x)))
	for _, m := range []float64{1, 2, 5, 10} {
		if step = m * power; step >= x*0.999 {
			break
		}
	}
	return step, max(0, -int(math.Floor(math.Log10(step)+1e-9)))
}

func tickLabel(v float64, decimals int) string {
	switch size := math.Abs(v); {
	case decimals == 0 && size >= 1e4 && size < 1e6:
		return format.Count(int(v))
	case decimals > 5 || size >= 1e6:
		return format.Powers(strconv.FormatFloat(v, 'g', 4, 64))
	}
	return format.Powers(strconv.FormatFloat(v, 'f', decimals, 64))
}

// logTicks marks, on an axis of log₁₀(v), powers of ten and, if few of them are
// in sight, 2 and 5 times those.
func logTicks(lo, hi float64, most int) []Tick {
	var ticks []Tick
	labels := 0
	few := hi-lo < 3
	every := max(int(math.Ceil((hi-lo)/float64(most))), 1)
	for e := int(math.Floor(lo)); e <= int(math.Ceil(hi)); e++ {
		for d := 1; d < 10; d++ {
			at := float64(e) + math.Log10(float64(d))
			if at < lo-1e-9 || at > hi+1e-9 {
				continue
			}
			t := Tick{Value: float64(d) * math.Pow10(e), Spare: d != 1}
			if d == 1 && e%every == 0 || few && (d == 2 || d == 5) {
				t.Label = decade(t.Value)
				labels++
			}
			ticks = append(ticks, t)
		}
	}
	powers := slices.ContainsFunc(ticks, func(t Tick) bool { return t.Label != "" && !t.Spare })
	if labels > most && powers {
		for i := range ticks {
			if ticks[i].Spare {
				ticks[i].Label = ""
			}
		}
	}
	return ticks
}

// decade writes 1, 2 or 5 times a power of ten.
func decade(v float64) string {
	if v < 0.99e-3 || v > 1.01e5 {
		return format.Powers(strconv.FormatFloat(v, 'e', 0, 64))
	}
	return format.Number(v)
}

// WantsLog reports whether a logarithmic axis suits the values: they are all
// above 0 and span more than a factor of ten. Those that are not finite do not
// count.
func WantsLog(series ...[]float64) bool {
	lo, hi := span(series...)
	return lo > 0 && hi/lo > 10
}

// span is the range of the values that are finite; of none, [+Inf, −Inf].
func span(sets ...[]float64) (lo, hi float64) {
	lo, hi = math.Inf(1), math.Inf(-1)
	for _, values := range sets {
		for _, v := range values {
			if finite(v) {
				lo, hi = min(lo, v), max(hi, v)
			}
		}
	}
	return lo, hi
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
