package charts

import (
	"fmt"
	"io"

	"gonum.org/v1/plot/plotter"
)

// Points are rows with two coordinates and a class each, counted from 0.
type Points struct {
	X, Y  []float64
	Class []int
}

// maxPoints is how many points of each kind are drawn; a picture of more is
// slow to show and no clearer. Larger sets are thinned evenly.
const maxPoints = 1500

// ofClass returns the points of one class, thinned.
func (p Points) ofClass(class int) plotter.XYs {
	stride := max((len(p.Class)+maxPoints-1)/maxPoints, 1)
	var x, y []float64
	seen := 0
	for i, c := range p.Class {
		if c != class {
			continue
		}
		if seen%stride == 0 {
			x, y = append(x, p.X[i]), append(y, p.Y[i])
		}
		seen++
	}
	return finite(x, y)
}

func (p Points) check(what string, classes int) error {
	if len(p.X) != len(p.Class) || len(p.Y) != len(p.Class) {
		return fmt.Errorf("%s: %d x, %d y and %d classes, want the same number of each", what, len(p.X), len(p.Y), len(p.Class))
	}
	for i, c := range p.Class {
		if c < 0 || c >= classes {
			return fmt.Errorf("%s: class of row %d is %d, want 0 to %d", what, i, c, classes-1)
		}
	}
	return nil
}

// Scatter shows the rows of a dataset in two coordinates.
type Scatter struct {
	Title, Subtitle string
	XLabel, YLabel  string
	Classes         []string // names
	Points          Points
}

// WriteSVG implements [Chart].
func (s Scatter) WriteSVG(w io.Writer) error { return writeSVG(w, s) }

func (s Scatter) figure() (figure, error) {
	if err := s.Points.check("scatter", len(s.Classes)); err != nil {
		return figure{}, err
	}
	p := axes(s.XLabel, s.YLabel)
	f := figure{title: s.Title, subtitle: s.Subtitle, body: p.Draw}
	for class, name := range s.Classes {
		m := marks{points: s.Points.ofClass(class), class: class, radius: 2.2}
		p.Add(m)
		f.legend = append(f.legend, entry{name, m})
	}
	return f, nil
}
