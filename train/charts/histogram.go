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

// Distribution is a named set of numbers above 0.
type Distribution struct {
	Name   string
	Values []float64
}

// Histogram shows how the numbers of one or more sets are distributed, on a
// logarithmic axis: which share of each set falls between two edges.
type Histogram struct {
	Title, Subtitle string
	XLabel          string // name and unit of the values
	Sets            []Distribution
}

// WriteSVG implements [Chart].
func (h Histogram) WriteSVG(w io.Writer) error { return writeSVG(w, h) }

func (h Histogram) figure() (figure, error) {
	edges, shares, err := LogBins(h.Sets)
	if err != nil {
		return figure{}, err
	}
	p := axes(h.XLabel+", log scale", "share of all (%)")
	p.X.Tick.Marker = decades{}
	p.Y.Min = 0
	f := figure{title: h.Title, subtitle: h.Subtitle, body: p.Draw}
	for i, set := range h.Sets {
		s := steps{class: i}
		for j, share := range shares[i] {
			s.outline = append(s.outline,
				plotter.XY{X: math.Log10(edges[j]), Y: 100 * share}, plotter.XY{X: math.Log10(edges[j+1]), Y: 100 * share})
		}
		p.Add(s)
		f.legend = append(f.legend, entry{set.Name, s})
	}
	return f, nil
}

// LogBins parts the range of all sets' values into bins whose edges grow by
// one ratio and returns, for each set, the share of its values in each bin: one
// fewer than there are edges. It refuses values that are not above 0, and sets
// none of which has a value.
func LogBins(sets []Distribution) (edges []float64, shares [][]float64, err error) {
	lo, hi := math.Inf(1), 0.0
	for _, s := range sets {
		for _, v := range s.Values {
			if !(v > 0) || math.IsInf(v, 1) {
				return nil, nil, fmt.Errorf("%s: %v has no place on a logarithmic axis, want a finite number above 0", s.Name, v)
			}
			lo, hi = min(lo, v), max(hi, v)
		}
	}
	if hi == 0 {
		return nil, nil, fmt.Errorf("no values to show the distribution of")
	}
	const bins = 72
	if hi < lo*1.01 { // all the same
		lo, hi = lo/1.1, hi*1.1
	}
	ratio := math.Log(hi / lo)
	for i := range bins + 1 {
		edges = append(edges, lo*math.Exp(ratio*float64(i)/bins))
	}
	for _, s := range sets {
		share := make([]float64, bins)
		for _, v := range s.Values {
			bin := int(bins * math.Log(v/lo) / ratio)
			share[min(max(bin, 0), bins-1)] += 1 / float64(len(s.Values))
		}
		shares = append(shares, share)
	}
	return edges, shares, nil
}

// steps is the outline of a histogram with a pale area below it.
type steps struct {
	outline plotter.XYs
	class   int
}

func (s steps) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	points := []vg.Point{{X: x(s.outline[0].X), Y: y(0)}}
	for _, pt := range s.outline {
		points = append(points, vg.Point{X: x(pt.X), Y: y(pt.Y)})
	}
	points = append(points, vg.Point{X: x(s.outline[len(s.outline)-1].X), Y: y(0)})
	shade := classColor(s.class)
	shade.A = 0x30
	c.FillPolygon(shade, points)
	c.StrokeLines(seriesStyle(s.class), points)
}

func (s steps) DataRange() (xmin, xmax, ymin, ymax float64) {
	xmin, xmax, _, ymax = plotter.XYRange(s.outline)
	return xmin, xmax, 0, ymax
}

func (s steps) Thumbnail(c *draw.Canvas) {
	(&plotter.Line{LineStyle: seriesStyle(s.class)}).Thumbnail(c)
}
