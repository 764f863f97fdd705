package report

import (
	"cmp"
	"html/template"
	"math"
	"slices"
	"strconv"

	"github.com/affine-go/affine/train/charts"
	"gonum.org/v1/plot"
)

// chart is numbers in two coordinates: lines, clouds of points, or both.
type chart struct {
	ID          string
	Title, Note string
	X, Y        axis
	Lines       []line
	Clouds      []cloud
	Mark        *mark
	Image       template.URL // behind everything, across the whole of both axes
	Keys        []path       // of the legend, where it is not one for each line and cloud
}

// axis says what a coordinate means. The range is that of the data where Lo and
// Hi are equal.
type axis struct {
	Label  string // with the unit
	Log    bool   // logarithmic where all that is drawn is above 0
	Whole  bool   // marked at whole numbers only
	Tight  bool   // no room around the data
	Lo, Hi float64
}

// line is a series; a value that is not finite leaves a gap.
type line struct {
	Name  string
	X, Y  []float64
	Color int
	Area  bool // a pale area down to 0
	Wide  bool // a broad, pale line, for one that another covers
}

// cloud is a set of points that look alike.
type cloud struct {
	Name    string
	X, Y    []float64
	Notes   []string // what the pointer tells of each
	Color   int
	Shape   int
	Small   bool
	Crossed bool
}

// mark is a line across the whole height.
type mark struct {
	X    float64
	Name string
}

// mostPoints is how many points of a line or a cloud are drawn: more make a
// page slow and no clearer.
const mostPoints = 1500

// evenly picks at most so many of n indices, the first and the last among them.
func evenly(n, most int) []int {
	var picked []int
	if n <= most {
		for i := range n {
			picked = append(picked, i)
		}
		return picked
	}
	for i := range most {
		picked = append(picked, i*(n-1)/(most-1))
	}
	return picked
}

func pick[T any](values []T, indices []int) []T {
	if len(values) == 0 || len(indices) == 0 {
		return nil
	}
	picked := make([]T, len(indices))
	for i, from := range indices {
		picked[i] = values[from]
	}
	return picked
}

// prepare thins what is too much, drops points that have no place, and settles
// the axes.
func (c *chart) prepare() {
	for i, l := range c.Lines {
		some := evenly(len(l.X), mostPoints)
		c.Lines[i].X, c.Lines[i].Y = pick(l.X, some), pick(l.Y, some)
	}
	for i, p := range c.Clouds {
		var shown []int
		for j := range p.X {
			if finite(p.X[j]) && finite(p.Y[j]) {
				shown = append(shown, j)
			}
		}
		some := pick(shown, evenly(len(shown), mostPoints))
		c.Clouds[i].X, c.Clouds[i].Y, c.Clouds[i].Notes = pick(p.X, some), pick(p.Y, some), pick(p.Notes, some)
	}
	var xs, ys []float64
	for _, l := range c.Lines {
		for i, y := range l.Y {
			if finite(y) {
				xs, ys = append(xs, l.X[i]), append(ys, y)
			}
		}
	}
	for _, p := range c.Clouds {
		xs, ys = append(xs, p.X...), append(ys, p.Y...)
	}
	c.X.settle(xs)
	c.Y.settle(ys)
}

// settle finds the range of an axis that has none and gives up a logarithm
// that cannot be.
func (a *axis) settle(values []float64) {
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
}

func (a *axis) scale(v float64) float64 {
	if a.Log {
		return math.Log10(v)
	}
	return v
}

func (a *axis) unscale(v float64) float64 {
	if a.Log {
		return math.Pow(10, v)
	}
	return v
}

// at returns where a value stands, from 0 at the start of the axis to 1 at its
// end.
func (a *axis) at(v float64) float64 {
	lo, hi := a.scale(a.Lo), a.scale(a.Hi)
	return (a.scale(v) - lo) / (hi - lo)
}

// Caption is the label with what there is to say of the scale.
func (a axis) Caption() string {
	if a.Log {
		return a.Label + ", log scale"
	}
	return a.Label
}

// tick is a marked value, with its place in per cent of the axis.
type tick struct {
	At    string
	Label string
}

// ticks returns about so many marks, or those of a logarithmic axis, of which
// there is room for the given number.
func (a *axis) ticks(about, room int) []tick {
	var list []tick
	if !a.Log {
		for _, m := range charts.Ticks(a.Lo, a.Hi, about, a.Whole) {
			list = append(list, tick{At: fixed(100 * a.at(m.Value)), Label: m.Label})
		}
		return list
	}
	marks := slices.DeleteFunc(charts.LogTicks(a.scale(a.Lo), a.scale(a.Hi)), plot.Tick.IsMinor)
	between := func(m plot.Tick) bool { return math.Abs(m.Value-math.Round(m.Value)) > 1e-9 }
	if powers := slices.DeleteFunc(slices.Clone(marks), between); len(marks) > room && len(powers) > 1 {
		marks = powers
	}
	for _, m := range marks {
		value := math.Pow(10, m.Value)
		list = append(list, tick{At: fixed(100 * a.at(value)), Label: decade(value)})
	}
	return list
}

// decade writes 1, 2 or 5 times a power of ten.
func decade(v float64) string {
	if v < 0.99e-3 || v > 1e5 {
		return powers(strconv.FormatFloat(v, 'e', 0, 64))
	}
	return strconv.FormatFloat(v, 'g', 6, 64)
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// byRank sorts indices by a number, highest first, equal ones in their order.
func byRank(indices []int, rank func(i int) float64) {
	slices.SortStableFunc(indices, func(a, b int) int { return cmp.Compare(rank(b), rank(a)) })
}
