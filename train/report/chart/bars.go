package chart

import (
	"fmt"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Bars compares numbers of at least 0 as horizontal bars from 0, with the value
// written at the end of each. The bars of a group stand together, after its
// name.
type Bars struct {
	Title, Subtitle string
	XLabel          string // name and unit of the values
	Format          string // of the values at the bars, as for fmt.Sprintf: "%.1f×"
	Groups          []string
	Series          []BarSeries
	// Reference is a value that a line across all bars marks; Reference.Name
	// says what it stands for. There is none if the name is empty.
	Reference Reference
}

// BarSeries has one value for each group.
type BarSeries struct {
	Name   string
	Values []float64
}

// Reference is a named value to compare with.
type Reference struct {
	Name  string
	Value float64
}

func (b Bars) figure() (figure, error) {
	if len(b.Groups) == 0 || len(b.Series) == 0 {
		return figure{}, fmt.Errorf("%d groups of %d bars, want at least one of each", len(b.Groups), len(b.Series))
	}
	p := axes(b.XLabel, "")
	p.Add(grid())
	f := figure{title: b.Title, subtitle: b.Subtitle, body: p.Draw,
		height: vg.Length(len(b.Groups))*(14+13*vg.Length(len(b.Series))) + 116}
	longest := b.Reference.Value
	for i, s := range b.Series {
		if len(s.Values) != len(b.Groups) {
			return figure{}, fmt.Errorf("%s: %d values for %d groups, want one for each", s.Name, len(s.Values), len(b.Groups))
		}
		for _, v := range s.Values {
			if !(v >= 0) || math.IsInf(v, 1) {
				return figure{}, fmt.Errorf("%s: value is %v, want a finite number of at least 0", s.Name, v)
			}
			longest = max(longest, v)
		}
		row := barRow{chart: b, series: i}
		p.Add(row)
		f.legend = append(f.legend, entry{s.Name, row})
	}
	if b.Reference.Name != "" {
		line := upright{at: b.Reference.Value, style: stroke(ink, 1, 3, 2)}
		p.Add(line)
		f.legend = append(f.legend, entry{b.Reference.Name, line})
	}
	setAxis(&p.X, &Axis{Lo: 0, Hi: 1.16 * max(longest, 1e-300)}, 6) // room for the longest bar's value
	p.Y.Min, p.Y.Max = 0, float64(len(b.Groups))
	names := make(plot.ConstantTicks, len(b.Groups))
	for i, name := range b.Groups {
		names[i] = plot.Tick{Value: b.middle(i), Label: name}
	}
	p.Y.Tick.Marker, p.Y.Tick.Length = names, 0
	return f, nil
}

// middle is where a group stands on the upright axis, the first one on top.
func (b Bars) middle(group int) float64 { return float64(len(b.Groups)-group) - 0.5 }

// barRow draws the bars of one series.
type barRow struct {
	chart  Bars
	series int
}

func (r barRow) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	const share = 0.76 // of a group's height that its bars take
	thickness := share / float64(len(r.chart.Series))
	style := textStyle(tickSize, ink, false)
	style.YAlign = draw.YCenter
	for group, v := range r.chart.Series[r.series].Values {
		top := r.chart.middle(group) + share/2 - thickness*float64(r.series)
		box := vg.Rectangle{Min: vg.Point{X: x(0), Y: y(top-thickness) + 0.7}, Max: vg.Point{X: x(v), Y: y(top) - 0.7}}
		c.SetColor(classColor(r.series))
		c.Fill(box.Path())
		c.FillText(style, vg.Point{X: box.Max.X + 4, Y: (box.Min.Y + box.Max.Y) / 2}, fmt.Sprintf(r.chart.Format, v))
	}
}

func (r barRow) Thumbnail(c *draw.Canvas) {
	mid := c.Center().Y
	c.SetColor(classColor(r.series))
	c.Fill(vg.Rectangle{Min: vg.Point{X: c.Min.X, Y: mid - 4}, Max: vg.Point{X: c.Max.X, Y: mid + 4}}.Path())
}
