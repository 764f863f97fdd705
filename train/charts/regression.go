package charts

import (
	"fmt"
	"io"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg/draw"
)

// Pairs are rows of two numbers.
type Pairs struct{ X, Y []float64 }

func (p Pairs) check(what string) error {
	if len(p.X) != len(p.Y) {
		return fmt.Errorf("%s: %d x and %d y, want the same number of both", what, len(p.X), len(p.Y))
	}
	return nil
}

func (p Pairs) thinned() plotter.XYs {
	stride := max((len(p.X)+maxPoints-1)/maxPoints, 1)
	var x, y []float64
	for i := 0; i < len(p.X); i += stride {
		x, y = append(x, p.X[i]), append(y, p.Y[i])
	}
	return finite(x, y)
}

// Curve shows a model of one feature: what it predicts over the whole range,
// on top of the rows that it was trained and tested on.
type Curve struct {
	Title, Subtitle string
	XLabel, YLabel  string
	Train, Test     Pairs
	// Predict returns the prediction at each x.
	Predict func(x []float64) ([]float64, error)
}

// WriteSVG implements [Chart].
func (c Curve) WriteSVG(w io.Writer) error { return writeSVG(w, c) }

func (c Curve) figure() (figure, error) {
	for what, rows := range map[string]Pairs{"training rows": c.Train, "test rows": c.Test} {
		if err := rows.check(what); err != nil {
			return figure{}, err
		}
	}
	p := axes(c.XLabel, c.YLabel)
	f := figure{title: c.Title, subtitle: c.Subtitle, body: p.Draw}
	train := marks{points: c.Train.thinned(), class: skyClass, radius: 1.7}
	test := marks{points: c.Test.thinned(), class: orangeClass, radius: 2.2, outline: 0.6}

	x := make([]float64, 400)
	lo, hi := span(append(c.Train.X[:len(c.Train.X):len(c.Train.X)], c.Test.X...))
	for i := range x {
		x[i] = lo + (hi-lo)*float64(i)/float64(len(x)-1)
	}
	y, err := c.Predict(x)
	if err != nil {
		return figure{}, fmt.Errorf("predict the fitted curve: %w", err)
	}
	fitted := &plotter.Line{XYs: finite(x, y), LineStyle: line(ink, 1.8)}
	p.Add(train, test)
	if len(fitted.XYs) > 0 {
		p.Add(fitted)
	}
	f.legend = []entry{{"training row", train}, {"test row", test}, {"prediction", fitted}}
	return f, nil
}

// The classes whose colours and shapes stand for training and test rows.
const (
	orangeClass = 1
	skyClass    = 5
)

// Targets shows predictions against targets; the nearer to the diagonal, the
// better.
type Targets struct {
	Title, Subtitle string
	Target          string // name and unit of what is predicted
	Train, Test     Pairs  // X: target, Y: prediction
}

// WriteSVG implements [Chart].
func (t Targets) WriteSVG(w io.Writer) error { return writeSVG(w, t) }

func (t Targets) figure() (figure, error) {
	for what, rows := range map[string]Pairs{"training rows": t.Train, "test rows": t.Test} {
		if err := rows.check(what); err != nil {
			return figure{}, err
		}
	}
	p := axes("target: "+t.Target, "prediction: "+t.Target)
	train := marks{points: t.Train.thinned(), class: skyClass, radius: 1.7}
	test := marks{points: t.Test.thinned(), class: orangeClass, radius: 2.2, outline: 0.6}
	p.Add(diagonal, train, test)
	f := figure{title: t.Title, subtitle: t.Subtitle, body: p.Draw, legend: []entry{
		{"training row", train}, {"test row", test}, {"prediction = target", diagonal}}}
	return f, nil
}

var diagonal = identity{line(ink, 0.9, 4, 3)}

// identity is the line y = x across the axes.
type identity struct{ style draw.LineStyle }

func (d identity) Plot(c draw.Canvas, p *plot.Plot) {
	lo, hi := max(p.X.Min, p.Y.Min), min(p.X.Max, p.Y.Max)
	(&plotter.Line{XYs: plotter.XYs{{X: lo, Y: lo}, {X: hi, Y: hi}}, LineStyle: d.style}).Plot(c, p)
}

func (d identity) Thumbnail(c *draw.Canvas) { (&plotter.Line{LineStyle: d.style}).Thumbnail(c) }
