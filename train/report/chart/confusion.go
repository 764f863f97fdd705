package chart

import (
	"fmt"
	"image"
	"image/color"
	imagedraw "image/draw"
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
	l := m.layout()
	f := figure{
		title: m.Title, subtitle: m.Subtitle,
		width:  max(l.side+l.left+24+2*margin, 360),
		height: l.side + l.below + 90,
		legend: []entry{{"share of the true class, 0 to 100 %", ramp{}}},
		body:   func(c draw.Canvas) { m.draw(c, l) },
	}
	return f, nil
}

// confusionLayout is where things go: the cells in a square, names of the
// true classes left of it and those of the predicted ones below.
type confusionLayout struct {
	cell, side  vg.Length
	every       int      // only each every-th class is named
	names       []string // shortened
	left, below vg.Length
	upright     bool // the names below do not fit side by side
}

func (m Confusion) layout() confusionLayout {
	const nameRoom, nameHeight, axisLabel = 96, 12, 24
	style := textStyle(tickSize, ink, false)
	n := len(m.Classes)
	l := confusionLayout{cell: vg.Length(min(48, max(320/float64(n), 1))), every: 1}
	l.side = l.cell * vg.Length(n)
	for l.cell*vg.Length(l.every) < nameHeight {
		l.every++
	}
	var widest vg.Length
	for _, name := range m.Classes {
		name = shorten(name, style.Width, nameRoom)
		l.names = append(l.names, name)
		widest = max(widest, style.Width(name))
	}
	l.upright = widest > l.cell*vg.Length(l.every)-3
	l.left, l.below = widest+axisLabel, nameHeight+axisLabel
	if l.upright {
		l.below = widest + axisLabel
	}
	return l
}

func (m Confusion) draw(c draw.Canvas, l confusionLayout) {
	square := vg.Rectangle{Min: vg.Point{X: c.Min.X + l.left, Y: c.Max.Y - l.side}, Max: vg.Point{X: c.Min.X + l.left + l.side, Y: c.Max.Y}}
	if len(m.Classes) <= maxNumbered {
		m.drawCells(c, square, l.cell)
	} else {
		c.DrawImage(square, m.shades())
	}
	c.SetLineStyle(stroke(faint, 0.5))
	c.Stroke(square.Path())

	beside, below := textStyle(tickSize, ink, false), textStyle(tickSize, ink, false)
	beside.XAlign, beside.YAlign = draw.XRight, draw.YCenter
	below.XAlign, below.YAlign = draw.XCenter, draw.YTop
	if l.upright {
		below.XAlign, below.YAlign, below.Rotation = draw.XRight, draw.YCenter, quarterTurn
	}
	for i := 0; i < len(l.names); i += l.every {
		middle := (vg.Length(i) + 0.5) * l.cell
		c.FillText(beside, vg.Point{X: square.Min.X - 4, Y: square.Max.Y - middle}, l.names[i])
		c.FillText(below, vg.Point{X: square.Min.X + middle, Y: square.Min.Y - 4}, l.names[i])
	}
	label := textStyle(labelSize, ink, false)
	label.XAlign, label.YAlign = draw.XCenter, draw.YBottom
	c.FillText(label, vg.Point{X: square.Min.X + l.side/2, Y: square.Min.Y - l.below - 2}, "predicted class")
	label.YAlign, label.Rotation = draw.YCenter, quarterTurn
	c.FillText(label, vg.Point{X: c.Min.X + 8, Y: square.Max.Y - l.side/2}, "true class")
}

// Shares returns each count's part of its row, 0 in a row without rows, and how
// many rows there are.
func Shares(row []int) (shares []float64, total int) {
	for _, count := range row {
		total += count
	}
	shares = make([]float64, len(row))
	for j, count := range row {
		shares[j] = float64(count) / float64(max(total, 1))
	}
	return shares, total
}

// StrongShare is the share above which a cell is so dark that it takes light
// text.
const StrongShare = 0.55

// drawCells draws the cells with their counts.
func (m Confusion) drawCells(c draw.Canvas, square vg.Rectangle, cell vg.Length) {
	for i, row := range m.Counts {
		shares, _ := Shares(row)
		for j, count := range row {
			at := vg.Point{X: square.Min.X + (vg.Length(j)+0.5)*cell, Y: square.Max.Y - (vg.Length(i)+0.5)*cell}
			half := vg.Point{X: cell / 2, Y: cell / 2}
			box := vg.Rectangle{Min: at.Sub(half), Max: at.Add(half)}.Path()
			c.SetColor(shade(shares[j]))
			c.Fill(box)
			c.SetLineStyle(stroke(white, 0.8))
			c.Stroke(box)
			m.number(c, count, shares[j], cell, at)
		}
	}
}

// shades paints the cells of many classes as one picture, since a drawing of
// each would make a file of megabytes.
func (m Confusion) shades() image.Image {
	const pixels = 4 // of a cell, so that viewers that smooth pictures keep its edges
	n := len(m.Classes)
	img := image.NewNRGBA(image.Rect(0, 0, n*pixels, n*pixels))
	for i, row := range m.Counts {
		shares, _ := Shares(row)
		for j := range row {
			cell := image.Rect(j*pixels, i*pixels, (j+1)*pixels, (i+1)*pixels)
			imagedraw.Draw(img, cell, image.NewUniform(shade(shares[j])), image.Point{}, imagedraw.Src)
		}
	}
	return img
}

// number writes a count into its cell; a zero is left faint.
func (m Confusion) number(c draw.Canvas, count int, share float64, cell vg.Length, at vg.Point) {
	colour := ink
	switch {
	case share > StrongShare:
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
