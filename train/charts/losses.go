package charts

import (
	"io"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Losses shows the loss over the epochs. The loss axis is logarithmic where
// the values span more than a factor of ten. Values that are not finite leave
// a gap.
type Losses struct {
	Title, Subtitle string
	Loss            string // name and unit of the loss, the label of the axis
	Epochs          []float64
	Train           []float64
	Validation      []float64 // empty where there is no validation part
	Best            float64   // epoch of the weights that were kept; 0 for none
}

// WriteSVG implements [Chart].
func (l Losses) WriteSVG(w io.Writer) error { return writeSVG(w, l) }

func (l Losses) figure() (figure, error) {
	_, epochs := span(l.Epochs)
	p := axes("epoch", l.Loss)
	p.X.Tick.Marker = round{about: 8, whole: true}
	p.X.Min, p.X.Max = 0, max(epochs, 1)
	train, validation := finite(l.Epochs, l.Train), finite(l.Epochs, l.Validation)
	var losses []float64
	for _, pt := range slices.Concat(train, validation) {
		losses = append(losses, pt.Y)
	}
	lo, hi := span(losses)
	if lo > 0 && hi/lo > 10 {
		for _, points := range []plotter.XYs{train, validation} {
			for i := range points {
				points[i].Y = math.Log10(points[i].Y)
			}
		}
		p.Y.Tick.Marker = decades{}
		p.Y.Label.Text += ", log scale"
	} else if lo == hi {
		p.Y.Min, p.Y.Max = min(0, 2*lo), max(0, 2*lo)
	}

	f := figure{title: l.Title, subtitle: l.Subtitle, body: p.Draw}
	for _, series := range []struct {
		label  string
		points plotter.XYs
		style  draw.LineStyle
		class  int
	}{
		{"training", train, line(blue, 1.5), 0},
		{"validation", validation, line(orange, 1.5, 5, 2), 1},
	} {
		if len(series.points) == 0 {
			continue
		}
		curve := &plotter.Line{XYs: series.points, LineStyle: series.style}
		p.Add(curve)
		f.legend = append(f.legend, entry{series.label, curve})
		if len(series.points) <= 12 {
			p.Add(marks{points: series.points, class: series.class, radius: 2.2})
		}
	}
	if l.Best > 0 {
		best := upright{at: l.Best, style: line(ink, 0.8, 2, 2)}
		p.Add(best)
		f.legend = append(f.legend, entry{"best epoch, whose weights are kept", best})
	}
	return f, nil
}

func span(values []float64) (lo, hi float64) {
	lo, hi = math.Inf(1), math.Inf(-1)
	for _, v := range values {
		lo, hi = min(lo, v), max(hi, v)
	}
	return lo, hi
}

// upright is a line across the whole height.
type upright struct {
	at    float64
	style draw.LineStyle
}

func (u upright) Plot(c draw.Canvas, p *plot.Plot) {
	x, _ := p.Transforms(&c)
	c.StrokeLine2(u.style, x(u.at), c.Min.Y, x(u.at), c.Max.Y)
}

func (u upright) Thumbnail(c *draw.Canvas) {
	mid := c.Center().X
	c.StrokeLines(u.style, []vg.Point{{X: mid, Y: c.Min.Y}, {X: mid, Y: c.Max.Y}})
}
