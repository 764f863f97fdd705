package charts

import (
	"fmt"
	"image"
	"image/color"
	"io"
	"strconv"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Confusion shows how many rows of each true class were given each class: a
// cell holds the count, and its colour the share of its row.
type Confusion struct {
	Title, Subtitle string
	Classes         []string // names
	Counts          [][]int  // [true][predicted]
}

// maxNumbered is the number of classes up to which counts fit into the cells.
const maxNumbered = 20

// WriteSVG implements [Chart].
func (m Confusion) WriteSVG(w io.Writer) error { return writeSVG(w, m) }

func (m Confusion) figure() (figure, error) {
	n := len(m.Classes)
	if n == 0 || len(m.Counts) != n {
		return figure{}, fmt.Errorf("confusion matrix has %d rows for %d classes, want one for each", len(m.Counts), n)
	}
	for i, row := range m.Counts {
		if len(row) != n {
			return figure{}, fmt.Errorf("row %d of the confusion matrix has %d counts for %d classes, want one for each", i, len(row), n)
		}
	}
	cell := vg.Length(min(48, max(300/float64(n), 12)))
	names := m.axisNames(cell)
	side := cell * vg.Length(n)
	f := figure{
		title: m.Title, subtitle: m.Subtitle,
		width:  max(side+names.room+80, 360),
		height: side + 122,
		legend: []entry{{"share of the true class, 0 to 100 %", ramp{}}},
	}
	if f.subtitle == "" {
		f.height -= subtitleSize + 5
	}
	f.body = func(c draw.Canvas) { m.draw(c, cell, names) }
	return f, nil
}

// ticks are the class names as they fit beside the cells.
type ticks struct {
	names []string
	room  vg.Length // width of the widest
	every int       // only each every-th name is written
}

func (m Confusion) axisNames(cell vg.Length) ticks {
	style := textStyle(tickSize, ink, false)
	widest := cell - 4 // names also stand below the cells
	t := ticks{every: 1}
	if cell < 14 {
		t.every = int(14/cell) + 1
	}
	for _, name := range m.Classes {
		short := shorten(name, style.Width, max(widest, 28))
		t.names = append(t.names, short)
		t.room = max(t.room, style.Width(short))
	}
	return t
}

func (m Confusion) draw(c draw.Canvas, cell vg.Length, names ticks) {
	label := textStyle(labelSize, ink, false)
	label.XAlign, label.YAlign = draw.XCenter, draw.YCenter
	tick := textStyle(tickSize, ink, false)
	left, top := c.Min.X+names.room+28, c.Max.Y-2
	side := cell * vg.Length(len(m.Classes))

	for i, row := range m.Counts {
		total := 0
		for _, count := range row {
			total += count
		}
		y := top - vg.Length(i)*cell
		for j, count := range row {
			share := 0.0
			if total > 0 {
				share = float64(count) / float64(total)
			}
			box := vg.Rectangle{Min: vg.Point{X: left + vg.Length(j)*cell, Y: y - cell}, Max: vg.Point{X: left + vg.Length(j+1)*cell, Y: y}}
			c.SetColor(shade(share))
			c.Fill(box.Path())
			c.SetLineStyle(line(white, 0.8))
			c.Stroke(box.Path())
			if len(m.Classes) <= maxNumbered {
				m.number(c, count, share, cell, vg.Point{X: (box.Min.X + box.Max.X) / 2, Y: (box.Min.Y + box.Max.Y) / 2})
			}
		}
		if i%names.every == 0 {
			tick.XAlign, tick.YAlign = draw.XRight, draw.YCenter
			c.FillText(tick, vg.Point{X: left - 5, Y: y - cell/2}, names.names[i])
			tick.XAlign, tick.YAlign = draw.XCenter, draw.YTop
			c.FillText(tick, vg.Point{X: left + (vg.Length(i)+0.5)*cell, Y: top - side - 4}, names.names[i])
		}
	}
	c.SetLineStyle(line(faint, 0.5))
	c.Stroke(vg.Rectangle{Min: vg.Point{X: left, Y: top - side}, Max: vg.Point{X: left + side, Y: top}}.Path())
	c.FillText(label, vg.Point{X: left + side/2, Y: top - side - 28}, "predicted class")
	label.Rotation = quarterTurn
	c.FillText(label, vg.Point{X: c.Min.X + 8, Y: top - side/2}, "true class")
}

// number writes a count into its cell; a zero is left faint.
func (m Confusion) number(c draw.Canvas, count int, share float64, cell vg.Length, at vg.Point) {
	colour := ink
	switch {
	case share > 0.55:
		colour = white
	case count == 0:
		colour = mix(white, faint, 0.5)
	}
	s := strconv.Itoa(count)
	style := textStyle(min(tickSize+1, cell*0.42), colour, false)
	if wide := style.Width(s); wide > cell-3 {
		style.Font.Size *= (cell - 3) / wide
	}
	style.XAlign, style.YAlign = draw.XCenter, draw.YCenter
	c.FillText(style, at, s)
}

// shade goes from nearly white to blue.
func shade(share float64) color.NRGBA { return mix(mix(white, blue, 0.05), blue, share) }

// ramp is the legend's sample of the shades.
type ramp struct{}

func (ramp) Thumbnail(c *draw.Canvas) {
	const steps = 32
	img := image.NewNRGBA(image.Rect(0, 0, steps, 1))
	for i := range steps {
		img.SetNRGBA(i, 0, shade(float64(i)/(steps-1)))
	}
	c.DrawImage(c.Rectangle, img)
}
