package charts

import (
	"math"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// axes returns an empty plot in the house style: a light grid, no title of its
// own, no legend.
func axes(xLabel, yLabel string) *plot.Plot {
	p := plot.New()
	for axis, label := range map[*plot.Axis]string{&p.X: xLabel, &p.Y: yLabel} {
		axis.LineStyle = line(faint, 0.5)
		axis.Padding = 4
		axis.Tick.LineStyle = line(faint, 0.5)
		axis.Tick.Length = 4
		axis.Tick.Marker = round{about: 6}
		tick, name := textStyle(tickSize, ink, false), textStyle(labelSize, ink, false)
		tick.XAlign, tick.YAlign = axis.Tick.Label.XAlign, axis.Tick.Label.YAlign
		name.XAlign, name.YAlign = axis.Label.TextStyle.XAlign, axis.Label.TextStyle.YAlign
		axis.Tick.Label, axis.Label.TextStyle = tick, name
		axis.Label.Text, axis.Label.Padding = label, 3
	}
	grid := plotter.NewGrid()
	grid.Vertical, grid.Horizontal = line(rule, 0.5), line(rule, 0.5)
	p.Add(grid)
	return p
}

// round marks about as many round numbers: multiples of 1, 2 or 5 times a
// power of ten.
type round struct {
	about int
	whole bool // whole numbers only, as for epochs
}

func (r round) Ticks(lo, hi float64) []plot.Tick {
	step, decimals := roundStep((hi - lo) / float64(r.about))
	if r.whole && step < 1 {
		step, decimals = 1, 0
	}
	var ticks []plot.Tick
	for i := math.Ceil(lo/step - 1e-9); i*step <= hi+1e-9*step; i++ {
		v := i*step + 0 // not −0
		ticks = append(ticks, plot.Tick{Value: v, Label: number(v, decimals)})
	}
	return ticks
}

// roundStep returns the least round number of at least x and how many decimals
// its multiples need.
func roundStep(x float64) (step float64, decimals int) {
	power := math.Pow(10, math.Floor(math.Log10(x)))
	for _, m := range []float64{1, 2, 5, 10} {
		if step = m * power; step >= x*0.999 {
			break
		}
	}
	return step, max(0, -int(math.Floor(math.Log10(step)+1e-9)))
}

// number writes v with a proper minus sign, and very large and small ones
// with an exponent.
func number(v float64, decimals int) string {
	s := strconv.FormatFloat(v, 'f', decimals, 64)
	if len(s) > 8 {
		s = strconv.FormatFloat(v, 'g', 3, 64)
	}
	return strings.Replace(s, "-", "−", 1)
}

// decades marks, on an axis of log₁₀(v), the powers of ten and, where few of
// them are in sight, 2 and 5 times those.
type decades struct{}

func (decades) Ticks(lo, hi float64) []plot.Tick {
	few := hi-lo < 3
	every := int(math.Ceil((hi - lo) / 8))
	var ticks []plot.Tick
	for e := int(math.Floor(lo)); e <= int(math.Ceil(hi)); e++ {
		for d := 1; d < 10; d++ {
			at := float64(e) + math.Log10(float64(d))
			if at < lo || at > hi {
				continue
			}
			t := plot.Tick{Value: at}
			if d == 1 && e%every == 0 || few && (d == 2 || d == 5) {
				t.Label = strconv.FormatFloat(float64(d)*math.Pow10(e), 'g', 3, 64)
			}
			ticks = append(ticks, t)
		}
	}
	return ticks
}

// marks draws one shape per point: filled with a class's colour and, where
// outline is above 0, outlined.
type marks struct {
	points  plotter.XYs
	class   int
	radius  vg.Length
	outline vg.Length
	crossed bool // a cross over each shape
}

func (m marks) DataRange() (xmin, xmax, ymin, ymax float64) { return plotter.XYRange(m.points) }

func (m marks) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	for _, pt := range m.points {
		m.draw(&c, vg.Point{X: x(pt.X), Y: y(pt.Y)})
	}
}

func (m marks) GlyphBoxes(p *plot.Plot) []plot.GlyphBox {
	boxes := make([]plot.GlyphBox, len(m.points))
	r := m.radius + m.outline
	for i, pt := range m.points {
		boxes[i] = plot.GlyphBox{X: p.X.Norm(pt.X), Y: p.Y.Norm(pt.Y),
			Rectangle: vg.Rectangle{Min: vg.Point{X: -r, Y: -r}, Max: vg.Point{X: r, Y: r}}}
	}
	return boxes
}

func (m marks) Thumbnail(c *draw.Canvas) {
	m.radius = max(m.radius, 2.6)
	m.draw(c, c.Center())
}

func (m marks) draw(c *draw.Canvas, at vg.Point) {
	path := shape(m.class, at, m.radius)
	c.SetColor(classColor(m.class))
	c.Fill(path)
	if m.outline > 0 {
		c.SetLineStyle(line(ink, m.outline))
		c.Stroke(path)
	}
	if m.crossed {
		cross(c, at, m.radius+2)
	}
}

func cross(c *draw.Canvas, at vg.Point, r vg.Length) {
	c.StrokeLines(line(ink, 1.2),
		[]vg.Point{{X: at.X - r, Y: at.Y - r}, {X: at.X + r, Y: at.Y + r}},
		[]vg.Point{{X: at.X - r, Y: at.Y + r}, {X: at.X + r, Y: at.Y - r}})
}

// shape returns the outline that goes with a class: circle, square, triangle
// or diamond, of about the same area. Classes that share a colour differ in it.
func shape(class int, at vg.Point, r vg.Length) vg.Path {
	corner := func(dx, dy float64) vg.Point {
		return vg.Point{X: at.X + vg.Length(dx)*r, Y: at.Y + vg.Length(dy)*r}
	}
	var corners []vg.Point
	switch (class + class/len(palette)) % 4 {
	case 0:
		var p vg.Path
		p.Move(corner(1, 0))
		p.Arc(at, r, 0, 2*math.Pi)
		p.Close()
		return p
	case 1:
		corners = []vg.Point{corner(-0.9, -0.9), corner(0.9, -0.9), corner(0.9, 0.9), corner(-0.9, 0.9)}
	case 2:
		corners = []vg.Point{corner(-1.15, -0.85), corner(1.15, -0.85), corner(0, 1.25)}
	case 3:
		corners = []vg.Point{corner(0, -1.3), corner(1.3, 0), corner(0, 1.3), corner(-1.3, 0)}
	}
	var p vg.Path
	p.Move(corners[0])
	for _, pt := range corners[1:] {
		p.Line(pt)
	}
	p.Close()
	return p
}

// finite keeps the points that can be drawn.
func finite(x, y []float64) plotter.XYs {
	var points plotter.XYs
	for i := range min(len(x), len(y)) {
		if sum := x[i] + y[i]; !math.IsNaN(sum) && !math.IsInf(sum, 0) {
			points = append(points, plotter.XY{X: x[i], Y: y[i]})
		}
	}
	return points
}
