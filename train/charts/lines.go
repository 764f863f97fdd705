package charts

import (
	"fmt"
	"io"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Series is a named sequence of numbers with the place of each on the x axis.
type Series struct {
	Name string
	X, Y []float64
	Wide bool // a broad, pale line below the others, for one that another covers
}

// Lines shows one or more series, each with a colour and dashes of its own.
// Values that are not finite leave no mark.
type Lines struct {
	Title, Subtitle string
	XLabel, YLabel  string
	// LogY asks for a logarithmic y axis, which has no place for values that
	// are not above 0. Where there are no others the axis stays linear.
	LogY   bool
	Series []Series
}

// dashes tell lines apart without their colour.
var dashes = [...][]vg.Length{nil, {5, 2}, {1.5, 2}, {7, 2, 1.5, 2}}

// WriteSVG implements [Chart].
func (l Lines) WriteSVG(w io.Writer) error { return writeSVG(w, l) }

func (l Lines) figure() (figure, error) {
	p := axes(l.XLabel, l.YLabel)
	logarithmic := l.LogY && l.anyAboveZero()
	if logarithmic {
		p.Y.Tick.Marker = decades{}
		p.Y.Label.Text += ", log scale"
	}
	f := figure{title: l.Title, subtitle: l.Subtitle, body: p.Draw}
	var below, above []plot.Plotter
	for i, s := range l.Series {
		if len(s.X) != len(s.Y) {
			return figure{}, fmt.Errorf("%s: %d x and %d y, want the same number of both", s.Name, len(s.X), len(s.Y))
		}
		y := s.Y
		if logarithmic {
			y = make([]float64, len(s.Y))
			for j, v := range s.Y {
				y[j] = math.Log10(v) // −Inf and NaN are not drawn
			}
		}
		curve := &plotter.Line{XYs: finite(s.X, y), LineStyle: seriesStyle(i)}
		if s.Wide {
			curve.LineStyle = wideStyle(i)
		}
		f.legend = append(f.legend, entry{s.Name, curve})
		switch {
		case len(curve.XYs) == 0:
		case s.Wide:
			below = append(below, curve)
		case len(curve.XYs) <= 12:
			above = append(above, curve, marks{points: curve.XYs, class: i, radius: 2.2})
		default:
			above = append(above, curve)
		}
	}
	p.Add(append(below, above...)...)
	openRange(&p.X)
	openRange(&p.Y)
	return f, nil
}

func (l Lines) anyAboveZero() bool {
	for _, s := range l.Series {
		for _, v := range s.Y {
			if v > 0 && !math.IsInf(v, 1) {
				return true
			}
		}
	}
	return false
}

func seriesStyle(i int) draw.LineStyle {
	return line(classColor(i), 1.5, dashes[i%len(dashes)]...)
}

func wideStyle(i int) draw.LineStyle {
	pale := classColor(i)
	pale.A = 0x80
	return line(pale, 4.5)
}

// openRange gives an axis that has no extent some.
func openRange(a *plot.Axis) {
	switch {
	case a.Min > a.Max: // nothing was drawn
		a.Min, a.Max = 0, 1
	case a.Min == a.Max:
		a.Min, a.Max = a.Min-0.5, a.Max+0.5
	}
}
