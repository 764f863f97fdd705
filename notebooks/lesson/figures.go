package lesson

import (
	"bytes"
	"fmt"
	"image/color"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"

	"github.com/affine-go/affine/train/report/chart"
)

// Cells is a matrix in a figure: its name, its numbers, and the rows and
// columns that stand out.
type Cells struct {
	Name    string
	Numbers [][]float64
	Row     int // that stands out, −1 for none
	Column  int
}

// ShowProduct draws a product, A·B = C, with entry (i, j) of C and the row of A
// and the column of B that it is made of.
func ShowProduct(a, b, c Cells, i, j int) {
	a.Row, a.Column = i, -1
	b.Row, b.Column = -1, j
	c.Row, c.Column = i, j
	display(productFigure(a, b, c))
}

const (
	cellSize = 34
	between  = 30
)

func productFigure(matrices ...Cells) ([]byte, error) {
	rows, columns := 0, 0
	for _, m := range matrices {
		rows, columns = max(rows, len(m.Numbers)), columns+len(m.Numbers[0])
	}
	width := vg.Length(columns*cellSize + between*(len(matrices)+1))
	height := vg.Length(rows*cellSize + 50)
	return paint(width, height, func(c draw.Canvas) {
		x := vg.Length(between)
		for k, m := range matrices {
			high := vg.Length(len(m.Numbers) * cellSize)
			top := (height-26)/2 + high/2
			write(c, x+vg.Length(len(m.Numbers[0])*cellSize)/2, height-14, m.Name)
			for i, row := range m.Numbers {
				for j, v := range row {
					box := vg.Rectangle{Min: vg.Point{X: x + vg.Length(j*cellSize), Y: top - vg.Length((i+1)*cellSize)}}
					box.Max = box.Min.Add(vg.Point{X: cellSize, Y: cellSize})
					fill := color.Color(color.White)
					// Of the result the one entry stands out, of a factor all of a row or column.
					if entry := m.Row >= 0 && m.Column >= 0; entry && i == m.Row && j == m.Column || !entry && (i == m.Row || j == m.Column) {
						fill = pale(k)
					}
					rectangle(c, box, fill)
					write(c, box.Min.X+cellSize/2, box.Min.Y+cellSize/2, fmt.Sprintf("%g", v))
				}
			}
			x += vg.Length(len(m.Numbers[0]) * cellSize)
			if k+1 < len(matrices) {
				write(c, x+between/2, (height-26)/2, []string{"·", "="}[min(k, 1)])
			}
			x += between
		}
	})
}

// ShowFlow draws boxes in rows, an arrow from each to the next.
func ShowFlow(title string, rows ...[]string) { display(flowFigure(title, rows...)) }

func flowFigure(title string, rows ...[]string) ([]byte, error) {
	const wide, high, gap = 124, 40, 22
	most := 0
	for _, row := range rows {
		most = max(most, len(row))
	}
	width, height := vg.Length(most*(wide+gap)+gap), vg.Length(len(rows)*(high+gap)+gap+24)
	return paint(width, height, func(c draw.Canvas) {
		write(c, width/2, height-16, title)
		var last vg.Point
		for i, row := range rows {
			for j, text := range row {
				box := vg.Rectangle{Min: vg.Point{X: gap + vg.Length(j*(wide+gap)), Y: height - 24 - vg.Length((i+1)*(high+gap))}}
				box.Max = box.Min.Add(vg.Point{X: wide, Y: high})
				left, middle := vg.Point{X: box.Min.X, Y: box.Min.Y + high/2}, box.Min.Y+high/2
				switch {
				case j > 0:
					arrow(c, last, left)
				case i > 0: // from the end of the row above to the beginning of this one
					turn := box.Max.Y + gap/2
					c.StrokeLines(line, []vg.Point{{X: last.X - wide/2, Y: last.Y - high/2}, {X: last.X - wide/2, Y: turn}, {X: box.Min.X + wide/2, Y: turn}})
					arrow(c, vg.Point{X: box.Min.X + wide/2, Y: turn}, vg.Point{X: box.Min.X + wide/2, Y: box.Max.Y})
				}
				rectangle(c, box, pale(i))
				write(c, box.Min.X+wide/2, middle, text)
				last = vg.Point{X: box.Max.X, Y: middle}
			}
		}
	})
}

var line = draw.LineStyle{Color: color.Gray{Y: 0x50}, Width: 1}

// pale is a colour of the charts, mixed with white.
func pale(i int) color.Color {
	p := chart.Palette()
	c := p[i%len(p)]
	mix := func(v uint8) uint8 { return uint8(0.65*255 + 0.35*float64(v)) }
	return color.NRGBA{mix(c.R), mix(c.G), mix(c.B), 0xFF}
}

func rectangle(c draw.Canvas, box vg.Rectangle, fill color.Color) {
	c.SetColor(fill)
	c.Fill(box.Path())
	c.SetLineStyle(line)
	c.Stroke(box.Path())
}

func arrow(c draw.Canvas, from, to vg.Point) {
	c.StrokeLine2(line, from.X, from.Y, to.X, to.Y)
	back, across := vg.Point{X: -6}, vg.Point{Y: 3}
	if to.X == from.X { // downwards
		back, across = vg.Point{Y: 6}, vg.Point{X: 3}
	}
	c.FillPolygon(line.Color, []vg.Point{to, to.Add(back).Add(across), to.Add(back).Sub(across)})
}

// write writes text with its middle at a place.
func write(c draw.Canvas, x, y vg.Length, s string) {
	style := plot.New().Title.TextStyle
	style.Font.Size = 11
	style.XAlign, style.YAlign = draw.XCenter, draw.YCenter
	c.FillText(style, vg.Point{X: x, Y: y}, s)
}

func paint(width, height vg.Length, body func(draw.Canvas)) ([]byte, error) {
	canvas := vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(dpi))}
	body(draw.New(canvas))
	var drawn bytes.Buffer
	if _, err := canvas.WriteTo(&drawn); err != nil {
		return nil, err
	}
	return small(drawn.Bytes())
}
