package chart

import (
	"fmt"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Panels shows a dataset with more than two columns as small scatter plots
// side by side, one for each pair of columns.
type Panels struct {
	Title, Subtitle string
	Classes         []string // names; a regression task has one, such as "row"
	Panels          []Panel
}

// Panel is one of the small plots.
type Panel struct {
	XLabel, YLabel string
	Points         Points
}

func (s Panels) figure() (figure, error) {
	if len(s.Panels) == 0 {
		return figure{}, fmt.Errorf("no panels to draw")
	}
	f := figure{title: s.Title, subtitle: s.Subtitle}
	var plots []*plot.Plot
	for _, panel := range s.Panels {
		if err := panel.Points.check(panel.XLabel+", "+panel.YLabel, len(s.Classes)); err != nil {
			return figure{}, err
		}
		c := XY{X: around(panel.XLabel, panel.Points.X), Y: around(panel.YLabel, panel.Points.Y),
			Clouds: panel.Points.clouds(s.Classes, "", true, nil)}.Settled()
		p := axes(c.X.Caption(), c.Y.Caption())
		p.Add(grid())
		for _, cloud := range c.Clouds {
			m := cloudMarks(cloud)
			m.x, m.y = &c.X, &c.Y
			p.Add(m)
		}
		setAxis(&p.X, &c.X, 4)
		setAxis(&p.Y, &c.Y, 4)
		plots = append(plots, p)
	}
	for class, name := range s.Classes {
		f.legend = append(f.legend, entry{name, Key{Color: class, Shape: class, Small: true}})
	}
	columns := min(3, len(plots))
	rows := (len(plots) + columns - 1) / columns
	const width, height, gap = 200, 165, 12
	f.width = max(vg.Length(columns)*width+2*margin, figureWidth)
	f.height = vg.Length(rows)*height + 80
	f.body = func(c draw.Canvas) {
		w := (c.Max.X - c.Min.X + gap) / vg.Length(columns)
		h := (c.Max.Y - c.Min.Y + gap) / vg.Length(rows)
		for i, p := range plots {
			x, y := c.Min.X+vg.Length(i%columns)*w, c.Max.Y-vg.Length(i/columns)*h
			p.Draw(draw.Canvas{Canvas: c.Canvas, Rectangle: vg.Rectangle{
				Min: vg.Point{X: x, Y: y - h + gap}, Max: vg.Point{X: x + w - gap, Y: y}}})
		}
	}
	return f, nil
}
