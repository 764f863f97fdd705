package chart

import (
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

func (c XY) figure() (figure, error) {
	c = c.Settled()
	p := axes(c.X.Caption(), c.Y.Caption())
	if c.Image != nil {
		p.Add(plotter.NewImage(c.Image, c.X.Lo, c.Y.Lo, c.X.Hi, c.Y.Hi))
	} else {
		p.Add(grid())
	}
	f := figure{title: c.Title, subtitle: c.Subtitle, body: p.Draw}
	var below, above []plot.Plotter
	if len(c.Clouds) > 0 {
		f.height = 420
		f.body = func(canvas draw.Canvas) { p.Draw(shaped(p, canvas)) }
	}
	for _, l := range c.Lines {
		s := series{Line: l, x: &c.X, y: &c.Y, dotted: len(l.X) <= fewPoints && len(c.Clouds) == 0 && !l.Wide}
		if l.Wide || l.Guide {
			below = append(below, s)
		} else {
			above = append(above, s)
		}
		f.legend = append(f.legend, entry{l.Name, s})
	}
	for _, cloud := range c.Clouds {
		m := cloudMarks(cloud)
		m.x, m.y = &c.X, &c.Y
		// A model's line lies on top of the rows.
		below = append(below, m)
		f.legend = append(f.legend, entry{cloud.Name, m})
	}
	p.Add(append(below, above...)...)
	if c.Mark != nil {
		mark := upright{at: c.X.scale(c.Mark.X), style: stroke(ink, 0.8, 2, 2)}
		p.Add(mark)
		f.legend = append(f.legend, entry{c.Mark.Name, mark})
	}
	if c.Keys != nil {
		f.legend = nil
		for _, k := range c.Keys {
			f.legend = append(f.legend, entry{k.Name, k})
		}
	}
	setAxis(&p.X, &c.X, 8)
	setAxis(&p.Y, &c.Y, 6)
	return f, nil
}

// shaped narrows a canvas until the room for the data has the shape that pages
// give it.
func shaped(p *plot.Plot, c draw.Canvas) draw.Canvas {
	for range 3 { // the labels' places depend on the size, if little
		data := p.DataCanvas(c)
		size := data.Size()
		c.Max.X -= max(0, size.X-size.Y*Aspect)
		c.Min.Y += max(0, size.Y-size.X/Aspect)
	}
	return c
}

// axes returns an empty plot in the house style: no title of its own, no
// legend.
func axes(xLabel, yLabel string) *plot.Plot {
	p := plot.New()
	for axis, label := range map[*plot.Axis]string{&p.X: xLabel, &p.Y: yLabel} {
		axis.LineStyle = stroke(faint, 0.5)
		axis.Padding = 0
		axis.Tick.LineStyle = stroke(faint, 0.5)
		axis.Tick.Length = 4
		tick, name := textStyle(tickSize, ink, false), textStyle(labelSize, ink, false)
		tick.XAlign, tick.YAlign = axis.Tick.Label.XAlign, axis.Tick.Label.YAlign
		name.XAlign, name.YAlign = axis.Label.TextStyle.XAlign, axis.Label.TextStyle.YAlign
		axis.Tick.Label, axis.Label.TextStyle = tick, name
		axis.Label.Text, axis.Label.Padding = label, 3
	}
	return p
}

func grid() *plotter.Grid {
	g := plotter.NewGrid()
	g.Vertical, g.Horizontal = stroke(rule, 0.5), stroke(rule, 0.5)
	return g
}

// setAxis gives an axis the range and the marks of ours.
func setAxis(axis *plot.Axis, a *Axis, about int) {
	axis.Min, axis.Max = a.scale(a.Lo), a.scale(a.Hi)
	var ticks plot.ConstantTicks
	for _, t := range a.Ticks(about) {
		ticks = append(ticks, plot.Tick{Value: a.scale(t.Value), Label: t.Label})
	}
	axis.Tick.Marker = ticks
}

// points returns those that have a place, scaled as the axes are.
func points(xs, ys []float64, x, y *Axis) (list plotter.XYs) {
	for i := range xs {
		at := plotter.XY{X: x.scale(xs[i]), Y: y.scale(ys[i])}
		if finite(at.X) && finite(at.Y) {
			list = append(list, at)
		}
	}
	return list
}

// series draws a line, with a gap where a value has no place.
type series struct {
	Line
	x, y   *Axis
	dotted bool // each point is marked
}

// dashes tell lines apart without their colour.
var dashes = [...][]vg.Length{nil, {5, 2}, {1.5, 2}, {7, 2, 1.5, 2}}

// fewPoints is how many points of a line are marked.
const fewPoints = 12

func (s series) style() draw.LineStyle {
	switch {
	case s.Wide:
		return stroke(translucent(s.Color, 0x80), 4.5)
	case s.Guide:
		return stroke(ink, 0.9, 4, 3)
	}
	return stroke(classColor(s.Color), 1.5, dashes[(s.Color+s.Color/len(palette))%len(dashes)]...)
}

func (s series) Plot(c draw.Canvas, p *plot.Plot) {
	toX, toY := p.Transforms(&c)
	var run []vg.Point
	flush := func() {
		if s.Area && len(run) > 0 {
			first, last := run[0], run[len(run)-1]
			bottom := toY(p.Y.Min)
			c.FillPolygon(translucent(s.Color, 0x30), append(run[:len(run):len(run)], vg.Point{X: last.X, Y: bottom}, vg.Point{X: first.X, Y: bottom}))
		}
		if len(run) == 1 { // a dot
			run = append(run, run[0].Add(vg.Point{X: 0.01}))
		}
		c.StrokeLines(s.style(), run)
		run = nil
	}
	for i := range s.X {
		at := vg.Point{X: toX(s.x.scale(s.X[i])), Y: toY(s.y.scale(s.Y[i]))}
		if !finite(float64(at.X)) || !finite(float64(at.Y)) {
			flush()
			continue
		}
		run = append(run, at)
	}
	flush()
	if s.dotted {
		marks{points: points(s.X, s.Y, s.x, s.y), color: s.Color, shape: s.Color, radius: 2.2}.Plot(c, p)
	}
}

func (s series) Thumbnail(c *draw.Canvas) {
	mid := c.Center().Y
	c.StrokeLine2(s.style(), c.Min.X, mid, c.Max.X, mid)
}

// marks draws one shape per point: filled with a class's colour and, if
// outline is above 0, outlined.
type marks struct {
	points       plotter.XYs // or xs and ys on the axes
	xs, ys       []float64
	x, y         *Axis
	color, shape int
	radius       vg.Length
	outline      vg.Length
	crossed      bool // a cross and no shape
}

// crowd is how many points hide each other unless they are drawn finer.
const crowd = 150

func cloudMarks(p Cloud) marks {
	m := marks{xs: p.X, ys: p.Y, color: p.Color, shape: p.Shape, radius: 2.8, outline: 0.8, crossed: p.Crossed}
	switch {
	case p.Small:
		m.radius, m.outline = 1.7, 0
	case len(p.X) > crowd:
		m.radius, m.outline = 2.2, 0.4
	}
	return m
}

func (m marks) Plot(c draw.Canvas, p *plot.Plot) {
	list := m.points
	if m.x != nil {
		list = points(m.xs, m.ys, m.x, m.y)
	}
	toX, toY := p.Transforms(&c)
	for _, pt := range list {
		m.draw(&c, vg.Point{X: toX(pt.X), Y: toY(pt.Y)})
	}
}

func (m marks) Thumbnail(c *draw.Canvas) {
	m.radius = max(m.radius, 2.6)
	m.draw(c, c.Center())
}

func (m marks) draw(c *draw.Canvas, at vg.Point) {
	if m.crossed {
		cross(c, at, m.radius+2)
		return
	}
	drawShape(c, at, m.shape, m.radius, classColor(m.color), m.outline)
}

func drawShape(c *draw.Canvas, at vg.Point, shape int, radius vg.Length, fill color.Color, outline vg.Length) {
	path := outlineOf(shape, at, radius)
	c.SetColor(fill)
	c.Fill(path)
	if outline > 0 {
		c.SetLineStyle(stroke(ink, outline))
		c.Stroke(path)
	}
}

// Thumbnail draws the sample of a legend.
func (k Key) Thumbnail(c *draw.Canvas) {
	fill, outline := classColor(k.Color), vg.Length(0)
	if k.Plain {
		fill = white
	}
	if !k.Small {
		outline = 0.8
	}
	drawShape(c, c.Center(), k.Shape, 2.8, fill, outline)
	if k.Crossed {
		cross(c, c.Center(), 4.8)
	}
}

func cross(c *draw.Canvas, at vg.Point, r vg.Length) {
	c.StrokeLines(stroke(ink, 1.2),
		[]vg.Point{{X: at.X - r, Y: at.Y - r}, {X: at.X + r, Y: at.Y + r}},
		[]vg.Point{{X: at.X - r, Y: at.Y + r}, {X: at.X + r, Y: at.Y - r}})
}

func outlineOf(shape int, at vg.Point, r vg.Length) vg.Path {
	var p vg.Path
	corners := Corners(shape)
	if corners == nil {
		p.Move(vg.Point{X: at.X + r, Y: at.Y})
		p.Arc(at, r, 0, 2*math.Pi)
	}
	for i, c := range corners {
		corner := vg.Point{X: at.X + vg.Length(c[0])*r, Y: at.Y + vg.Length(c[1])*r}
		if i == 0 {
			p.Move(corner)
		} else {
			p.Line(corner)
		}
	}
	p.Close()
	return p
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
