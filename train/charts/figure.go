package charts

import (
	"bytes"
	"fmt"
	"html"
	"io"
	"os"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Chart is a picture: one of the types of this package.
type Chart interface {
	// WriteSVG writes a complete document. Data that cannot be drawn, such as
	// slices of different lengths, are an error.
	WriteSVG(w io.Writer) error

	figure() (figure, error)
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
	if err := c.WriteSVG(&svg); err != nil {
		return fmt.Errorf("draw %s: %w", path, err)
	}
	if err := os.WriteFile(path, svg.Bytes(), 0o644); err != nil {
		return fmt.Errorf("save chart: %w", err)
	}
	return nil
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

func writeSVG(w io.Writer, c Chart) error {
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
	c := draw.New(open(f.width, f.height))
	c.SetColor(white)
	c.Fill(c.Rectangle.Path())
	c = draw.Crop(c, margin, -margin, margin, -margin)

	c.Max.Y = f.drawText(c, f.title, titleSize, true)
	if f.subtitle != "" {
		c.Max.Y = f.drawText(c, f.subtitle, subtitleSize, false)
	}
	c.Max.Y = drawLegend(c, f.legend) - 6
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

// drawLegend writes the entries in as many rows as they need and returns the
// height below them.
func drawLegend(c draw.Canvas, legend []entry) vg.Length {
	if len(legend) == 0 {
		return c.Max.Y
	}
	const thumb, gap, between, row = 18, 4, 14, 15
	style := textStyle(tickSize, ink, false)
	style.YAlign = draw.YCenter
	x, y := c.Min.X, c.Max.Y-2
	for _, e := range legend {
		label := shorten(e.label, style.Width, c.Max.X-c.Min.X-thumb-gap)
		width := thumb + gap + style.Width(label)
		if x > c.Min.X && x+width > c.Max.X {
			x, y = c.Min.X, y-row
		}
		sample := draw.Canvas{Canvas: c.Canvas, Rectangle: vg.Rectangle{
			Min: vg.Point{X: x, Y: y - row + 3},
			Max: vg.Point{X: x + thumb, Y: y},
		}}
		e.sample.Thumbnail(&sample)
		c.FillText(style, vg.Point{X: x + thumb + gap, Y: sample.Center().Y}, label)
		x += width + between
	}
	return y - row
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
