package chart

import (
	"fmt"
	"image"
	"image/color"
	"math"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Pictures shows images with the classes that they are and were given.
type Pictures struct {
	Title, Subtitle string
	Width, Height   int // of each picture, in pixels
	Pictures        []Picture
}

// Picture is one image, dark for high values.
type Picture struct {
	// Pixels has Width·Height values, row by row; the least of them is shown
	// white and the greatest black.
	Pixels []float64
	// True and Predicted are class names. Without a prediction (empty) only
	// the true class is shown.
	True, Predicted string
	// Probability is what the model gives to Predicted, from 0 to 1.
	Probability float64
}

func (s Pictures) figure() (figure, error) {
	if len(s.Pictures) == 0 || s.Width < 1 || s.Height < 1 {
		return figure{}, fmt.Errorf("%d pictures of %d×%d pixels, want at least one of each", len(s.Pictures), s.Width, s.Height)
	}
	predicted := false
	for i, p := range s.Pictures {
		if len(p.Pixels) != s.Width*s.Height {
			return figure{}, fmt.Errorf("picture %d has %d pixels, want %d×%d", i, len(p.Pixels), s.Width, s.Height)
		}
		predicted = predicted || p.Predicted != ""
	}
	const cell, caption, gap = 64, 15, 8
	const enlarged = 4 // so that viewers that smooth pictures keep the pixels' edges
	columns := min(len(s.Pictures), 6)
	rows := (len(s.Pictures) + columns - 1) / columns
	f := figure{
		title: s.Title, subtitle: s.Subtitle,
		width:  max(vg.Length(columns)*(cell+gap)-gap+2*margin, 6*(cell+gap)-gap+2*margin),
		height: vg.Length(rows)*(cell+caption+gap) + 90,
	}
	axis := fmt.Sprintf("%d × %d pixels each, above: true class", s.Width, s.Height)
	if predicted {
		axis = fmt.Sprintf("%d × %d pixels each, above: true → predicted class, probability", s.Width, s.Height)
		f.legend = []entry{{"right", frame{rightColor, 1}}, {"wrong", frame{wrongColor, 2.2}}}
	} else {
		f.legend = []entry{{"one row of the dataset", frame{rightColor, 1}}}
	}
	f.body = func(c draw.Canvas) {
		for i, p := range s.Pictures {
			at := vg.Point{X: c.Min.X + vg.Length(i%columns)*(cell+gap), Y: c.Max.Y - vg.Length(i/columns)*(cell+caption+gap)}
			box := vg.Rectangle{Min: vg.Point{X: at.X, Y: at.Y - caption - cell}, Max: vg.Point{X: at.X + cell, Y: at.Y - caption}}
			c.DrawImage(box, Grey(p.Pixels, s.Width, s.Height, enlarged))
			border := frame{rightColor, 1}
			if predicted && p.True != p.Predicted {
				border = frame{wrongColor, 2.2}
			}
			border.draw(c, box)
			style := textStyle(tickSize, border.colour, border.colour == wrongColor)
			style.XAlign = draw.XCenter
			c.FillText(style, vg.Point{X: at.X + cell/2, Y: box.Max.Y + 3}, shorten(p.caption(), style.Width, cell+gap-2))
		}
		style := textStyle(tickSize, faint, false)
		c.FillText(style, c.Min, axis)
	}
	return f, nil
}

var rightColor, wrongColor = ink, vermillion

func (p Picture) caption() string {
	if p.Predicted == "" {
		return p.True
	}
	return fmt.Sprintf("%s → %s %.0f%%", p.True, p.Predicted, math.Floor(100*p.Probability))
}

// Grey turns values, row by row, into a picture: the least is white and the
// greatest black. Each value is enlarged to a square of so many pixels.
func Grey(pixels []float64, width, height, enlarged int) image.Image {
	lo, hi := span(pixels)
	img := image.NewGray(image.Rect(0, 0, width*enlarged, height*enlarged))
	for y := range height * enlarged {
		for x := range width * enlarged {
			v := 0.0
			if hi > lo {
				v = (pixels[y/enlarged*width+x/enlarged] - lo) / (hi - lo)
			}
			img.SetGray(x, y, color.Gray{Y: uint8(255 - 255*v + 0.5)})
		}
	}
	return img
}

// frame is a border around a picture.
type frame struct {
	colour color.NRGBA
	width  vg.Length
}

func (b frame) draw(c draw.Canvas, box vg.Rectangle) {
	c.SetLineStyle(stroke(b.colour, b.width))
	c.Stroke(box.Path())
}

func (b frame) Thumbnail(c *draw.Canvas) {
	mid := c.Center()
	b.draw(*c, vg.Rectangle{Min: vg.Point{X: mid.X - 5, Y: mid.Y - 5}, Max: vg.Point{X: mid.X + 5, Y: mid.Y + 5}})
}
