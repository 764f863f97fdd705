package chart

import (
	"image"
)

// XY is numbers in two coordinates: lines, clouds of points, or both.
type XY struct {
	Title, Subtitle string
	X, Y            Axis
	Lines           []Line
	Clouds          []Cloud
	Mark            *Mark
	Image           image.Image // behind everything, across the whole of both axes
	Keys            []Key       // of the legend, instead of one for each line and cloud
}

// Line is a series; a value that is not finite leaves a gap.
type Line struct {
	Name  string
	X, Y  []float64
	Color int  // of the palette
	Area  bool // a pale area down to the axis
	Wide  bool // a broad, pale line below the others, for one that another covers
	Guide bool // a thin line below everything, to compare with
}

// Cloud is a set of points that look alike.
type Cloud struct {
	Name    string
	X, Y    []float64
	Notes   []string // what a page tells of each
	Color   int      // of the palette
	Shape   int      // as [Corners] counts
	Small   bool     // without an outline
	Crossed bool     // a cross on each point and nothing else: another cloud draws it
}

// Mark is a line across the whole height.
type Mark struct {
	X    float64
	Name string
}

// Key is a sample of a point in a legend.
type Key struct {
	Name         string
	Color, Shape int
	Small        bool
	Plain        bool // of no class: an outline without a colour
	Crossed      bool
}

// Aspect is the width of the room for the data over its height in charts with
// clouds, on pages and in files.
const Aspect = 4.0 / 3

// XY returns the chart itself: it is one of the kinds that come to one.
func (c XY) XY() (XY, error) { return c, nil }

// Settled returns the chart ready to be drawn: too many points are thinned,
// points without a place dropped, and both axes have a range.
func (c XY) Settled() XY {
	lines, clouds := make([]Line, len(c.Lines)), make([]Cloud, len(c.Clouds))
	var xs, ys []float64
	for i, l := range c.Lines {
		some := Evenly(len(l.X), mostPoints)
		l.X, l.Y = pick(l.X, some), pick(l.Y, some)
		lines[i] = l
		for j, y := range l.Y {
			if finite(y) {
				xs, ys = append(xs, l.X[j]), append(ys, y)
			}
		}
	}
	for i, p := range c.Clouds {
		var shown []int
		for j := range p.X {
			if finite(p.X[j]) && finite(p.Y[j]) {
				shown = append(shown, j)
			}
		}
		some := pick(shown, Evenly(len(shown), mostPoints))
		p.X, p.Y, p.Notes = pick(p.X, some), pick(p.Y, some), pick(p.Notes, some)
		clouds[i] = p
		xs, ys = append(xs, p.X...), append(ys, p.Y...)
	}
	c.Lines, c.Clouds = lines, clouds
	c.X.settle(xs)
	c.Y.settle(ys)
	return c
}

// mostPoints is how many points of a line or a cloud are drawn: more make a
// picture slow and no clearer.
const mostPoints = 1500

// Evenly picks at most so many of n indices, the first and the last among them.
func Evenly(n, most int) []int {
	picked := make([]int, min(n, most))
	for i := range picked {
		picked[i] = i
		if n > most {
			picked[i] = i * (n - 1) / (most - 1)
		}
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

// around is an axis with room around all values.
func around(label string, sets ...[]float64) Axis {
	lo, hi := span(sets...)
	if !(lo <= hi) || !finite(hi-lo) {
		return Axis{Label: label, Lo: -1, Hi: 1}
	}
	room := 0.08 * (hi - lo)
	if room == 0 {
		room = 1
	}
	return Axis{Label: label, Lo: lo - room, Hi: hi + room}
}

// sameUnit widens one of two axes until a unit is as long on both. Ranges that
// differ much stay as they are: one of them would shrink to a line.
func sameUnit(x, y *Axis) {
	const much = 3
	wide, high := x.Hi-x.Lo, (y.Hi-y.Lo)*Aspect
	switch {
	case wide > much*high || high > much*wide:
	case wide < high:
		x.Lo, x.Hi = x.Lo-(high-wide)/2, x.Hi+(high-wide)/2
	default:
		more := (wide - high) / Aspect / 2
		y.Lo, y.Hi = y.Lo-more, y.Hi+more
	}
}

// Corners returns the corners of the shape that goes with a class, in units of
// its radius with y upwards: a square, a triangle or a diamond of about the
// area of a circle, for which there are none. Classes that share a colour have
// different shapes.
func Corners(class int) [][2]float64 {
	switch (class + class/len(palette)) % 4 {
	case 1:
		return [][2]float64{{-0.9, -0.9}, {0.9, -0.9}, {0.9, 0.9}, {-0.9, 0.9}}
	case 2:
		return [][2]float64{{-1.15, -0.85}, {1.15, -0.85}, {0, 1.25}}
	case 3:
		return [][2]float64{{0, -1.3}, {1.3, 0}, {0, 1.3}, {-1.3, 0}}
	}
	return nil
}

// plottable is a kind of chart that comes to an XY.
type plottable interface{ XY() (XY, error) }

func plotted(p plottable) (figure, error) {
	c, err := p.XY()
	if err != nil {
		return figure{}, err
	}
	return c.figure()
}
