package chart

import (
	"bytes"
	"fmt"
	"html"
	"io"

	"github.com/affine-go/affine/internal/atomicfile"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Chart is a picture: one of the types of this package.
type Chart interface {
	figure() (figure, error)
}

// WriteSVG writes the chart as a complete document. Data that cannot be drawn,
// such as slices of different lengths, are an error.
func WriteSVG(w io.Writer, c Chart) error {
	f, err := c.figure()
	if err != nil {
		return err
	}
	var svg *vgsvg.Canvas
	if err := f.draw(func(width, height vg.Length) vg.CanvasSizer {
		svg = vgsvg.NewWith(vgsvg.UseWH(width, height))
		return svg
	}); err != nil {
		return err
	}
	var document bytes.Buffer
	if _, err := svg.WriteTo(&document); err != nil {
		return err
	}
	_, err = w.Write(f.finish(document.Bytes()))
	return err
}

// WritePNG draws the chart as a bitmap of the given resolution in dots per
// inch, for viewers that show no SVG. The usual chart is 480 × 360 points of
// 1/72 inch. Data that cannot be drawn are an error.
func WritePNG(w io.Writer, c Chart, dpi int) error {
	if dpi < 1 {
		return fmt.Errorf("resolution is %d dots per inch, want at least 1", dpi)
	}
	f, err := c.figure()
	if err != nil {
		return err
	}
	var png vgimg.PngCanvas
	if err := f.draw(func(width, height vg.Length) vg.CanvasSizer {
		png.Canvas = vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(dpi))
		return png
	}); err != nil {
		return err
	}
	_, err = png.WriteTo(w)
	return err
}

// Save writes the chart to a file. It is drawn in memory first: a chart that
// cannot be drawn leaves what was there.
func Save(path string, c Chart) error {
	var svg bytes.Buffer
	if err := WriteSVG(&svg, c); err != nil {
		return fmt.Errorf("draw %s: %w", path, err)
	}
	return atomicfile.WriteOutput(path, svg.Bytes())
}

// figure is the frame around every chart: title, subtitle and a legend in
// rows above the body, so that the legend never hides data.
type figure struct {
	title, subtitle string
	width, height   vg.Length // of the whole picture; zero for the usual size
	legend          []entry
	body            func(c draw.Canvas)
}

// entry is one line of a legend: what is drawn and what it stands for.
type entry struct {
	label  string
	sample plot.Thumbnailer
}

// draw draws the figure on a canvas that open returns for its size.
func (f figure) draw(open func(width, height vg.Length) vg.CanvasSizer) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("%s: %v", f.title, cause)
		}
	}()
	if f.width == 0 {
		f.width = figureWidth
	}
	if f.height == 0 {
		f.height = figureHeight
	}
	legend := placeLegend(f.legend, f.width-2*margin)
	if rows := legend.rows(); rows > legendRows {
		f.height += vg.Length(rows-legendRows) * legendRow
	}
	c := draw.New(open(f.width, f.height))
	c.SetColor(white)
	c.Fill(c.Rectangle.Path())
	c = draw.Crop(c, margin, -margin, margin, -margin)

	c.Max.Y = f.drawText(c, f.title, titleSize, true)
	if f.subtitle != "" {
		c.Max.Y = f.drawText(c, f.subtitle, subtitleSize, false)
	}
	legend.draw(c)
	c.Max.Y -= vg.Length(legend.rows())*legendRow + 8
	f.body(c)
	return nil
}

// drawText writes one line at the top of c and returns the height below it.
// Text that is too long for the line ends in an ellipsis.
func (f figure) drawText(c draw.Canvas, s string, size vg.Length, bold bool) vg.Length {
	colour := ink
	if !bold {
		colour = faint
	}
	style := textStyle(size, colour, bold)
	style.YAlign = draw.YTop
	c.FillText(style, vg.Point{X: c.Min.X, Y: c.Max.Y}, shorten(s, style.Width, c.Max.X-c.Min.X))
	return c.Max.Y - size - 5
}

// placedEntry is an entry of a legend with its place: the row, counted from
// the top, and the distance from the left.
type placedEntry struct {
	entry
	row int
	x   vg.Length
}

type placedLegend []placedEntry

const (
	legendRow  = 15 // height of a row
	legendRows = 2  // the most for which figures have room; for more they grow
	sampleWide = 18
	sampleGap  = 4 // between a sample and its label
)

func legendStyle() text.Style {
	style := textStyle(tickSize, ink, false)
	style.YAlign = draw.YCenter
	return style
}

// placeLegend puts entries side by side, in as many rows as they need.
func placeLegend(legend []entry, width vg.Length) placedLegend {
	const between = 14
	style := legendStyle()
	var placed placedLegend
	row, x := 0, vg.Length(0)
	for _, e := range legend {
		e.label = shorten(e.label, style.Width, width-sampleWide-sampleGap)
		wide := sampleWide + sampleGap + style.Width(e.label)
		if x > 0 && x+wide > width {
			row, x = row+1, 0
		}
		placed = append(placed, placedEntry{e, row, x})
		x += wide + between
	}
	return placed
}

func (l placedLegend) rows() int {
	if len(l) == 0 {
		return 0
	}
	return l[len(l)-1].row + 1
}

// draw draws the legend at the top of c.
func (l placedLegend) draw(c draw.Canvas) {
	style := legendStyle()
	for _, e := range l {
		x, y := c.Min.X+e.x, c.Max.Y-2-vg.Length(e.row)*legendRow
		sample := draw.Canvas{Canvas: c.Canvas, Rectangle: vg.Rectangle{
			Min: vg.Point{X: x, Y: y - legendRow + 3},
			Max: vg.Point{X: x + sampleWide, Y: y},
		}}
		e.sample.Thumbnail(&sample)
		c.FillText(style, vg.Point{X: x + sampleWide + sampleGap, Y: sample.Center().Y}, e.label)
	}
}

// finish names fonts that every system has, gives the document a title for
// screen readers, and mends two things that vgsvg writes of embedded pictures:
// they are PNG, not JPEG, and are meant to fill their rectangle.
func (f figure) finish(svg []byte) []byte {
	svg = bytes.ReplaceAll(svg, []byte("font-family:Liberation Sans"), []byte("font-family:"+fontFamily))
	svg = bytes.ReplaceAll(svg, []byte(`xlink:href="data:image/jpg;`), []byte(`preserveAspectRatio="none" xlink:href="data:image/png;`))
	end := bytes.Index(svg, []byte("<svg"))
	end += bytes.IndexByte(svg[end:], '>') + 1
	title := "\n<title>" + html.EscapeString(f.title) + "</title>"
	return append(svg[:end:end], append([]byte(title), svg[end:]...)...)
}

// shorten cuts s to the width, in whole characters, and marks the cut.
func shorten(s string, measure func(string) vg.Length, width vg.Length) string {
	if measure(s) <= width {
		return s
	}
	runes := []rune(s)
	for n := len(runes) - 1; n > 0; n-- {
		if short := string(runes[:n]) + "…"; measure(short) <= width {
			return short
		}
	}
	return "…"
}
