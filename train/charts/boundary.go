package charts

import (
	"fmt"
	"image"
	"io"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg/draw"
)

// Boundary shows which class a model gives to every point of a plane: regions
// in the classes' colours, the stronger the surer the model is, with the rows
// that it was trained and tested on.
type Boundary struct {
	Title, Subtitle string
	XLabel, YLabel  string
	Classes         []string // names
	Train, Test     Points
	// Predicted holds the class that the model gives to each test row; wrong
	// ones are crossed.
	Predicted []int
	// Predict returns one row of class probabilities for each point (x, y).
	Predict func(points [][2]float64) ([][]float64, error)
}

// The model is asked on a grid of this many points; between them the
// probabilities are interpolated on a picture `finer` times as fine.
const (
	gridColumns = 180
	gridRows    = 132
	finer       = 4
)

// WriteSVG implements [Chart].
func (b Boundary) WriteSVG(w io.Writer) error { return writeSVG(w, b) }

func (b Boundary) figure() (figure, error) {
	for what, points := range map[string]Points{"training rows": b.Train, "test rows": b.Test} {
		if err := points.check(what, len(b.Classes)); err != nil {
			return figure{}, err
		}
	}
	if len(b.Predicted) != len(b.Test.Class) {
		return figure{}, fmt.Errorf("%d predictions for %d test rows, want one for each", len(b.Predicted), len(b.Test.Class))
	}
	p := axes(b.XLabel, b.YLabel)
	p.X.Padding, p.Y.Padding = 0, 0
	f := figure{title: b.Title, subtitle: b.Subtitle, body: p.Draw}

	xs, ys := append(b.Train.X[:len(b.Train.X):len(b.Train.X)], b.Test.X...), append(b.Train.Y[:len(b.Train.Y):len(b.Train.Y)], b.Test.Y...)
	x, y := widened(xs), widened(ys)
	regions, err := b.regions(x, y)
	if err != nil {
		return figure{}, err
	}
	p.Add(plotter.NewImage(regions, x[0], y[0], x[1], y[1]))
	for class, name := range b.Classes {
		m := marks{points: b.Train.ofClass(class), class: class, radius: 1.7}
		p.Add(m)
		f.legend = append(f.legend, entry{name, m})
	}
	var wrong Points
	for i, class := range b.Predicted {
		if class != b.Test.Class[i] {
			wrong.X, wrong.Y = append(wrong.X, b.Test.X[i]), append(wrong.Y, b.Test.Y[i])
			wrong.Class = append(wrong.Class, b.Test.Class[i])
		}
	}
	for class := range b.Classes {
		p.Add(marks{points: b.Test.ofClass(class), class: class, radius: 2.8, outline: 0.8})
		p.Add(marks{points: wrong.ofClass(class), class: class, radius: 2.8, outline: 0.8, crossed: true})
	}
	f.legend = append(f.legend, entry{"test row", outlined{}}, entry{"test row, wrong", outlined{crossed: true}})
	return f, nil
}

// widened returns the range of the values with room around it.
func widened(values []float64) [2]float64 {
	lo, hi := span(values)
	if !(lo <= hi) || math.IsInf(hi-lo, 0) {
		return [2]float64{-1, 1}
	}
	room := 0.08 * (hi - lo)
	if room == 0 {
		room = 1
	}
	return [2]float64{lo - room, hi + room}
}

// regions asks the model on a grid over x and y and paints the answer.
func (b Boundary) regions(x, y [2]float64) (image.Image, error) {
	points := make([][2]float64, 0, gridColumns*gridRows)
	for row := range gridRows {
		for column := range gridColumns {
			points = append(points, [2]float64{
				x[0] + (x[1]-x[0])*(float64(column)+0.5)/gridColumns,
				y[1] - (y[1]-y[0])*(float64(row)+0.5)/gridRows, // pictures start at the top
			})
		}
	}
	probabilities, err := b.Predict(points)
	if err != nil {
		return nil, fmt.Errorf("predict the grid of the decision boundary: %w", err)
	}
	if len(probabilities) != len(points) || len(probabilities[0]) != len(b.Classes) {
		return nil, fmt.Errorf("predict the grid of the decision boundary: got %d rows of probabilities, want %d of %d classes", len(probabilities), len(points), len(b.Classes))
	}
	width, height := gridColumns*finer, gridRows*finer
	classes := make([]int, width*height)
	img := image.NewNRGBA(image.Rect(0, 0, width, height))
	blend := make([]float64, len(b.Classes))
	for py := range height {
		for px := range width {
			interpolate(blend, probabilities, px, py)
			best := 0
			for c, v := range blend {
				if v > blend[best] {
					best = c
				}
			}
			classes[py*width+px] = best
			chance := 1 / float64(len(b.Classes))
			sure := math.Max(0, (blend[best]-chance)/(1-chance+1e-12))
			img.SetNRGBA(px, py, mix(white, classColor(best), 0.10+0.28*sure))
		}
	}
	drawEdges(img, classes)
	return img, nil
}

// interpolate writes the probabilities at a fine pixel, bilinear between the
// four grid points around it.
func interpolate(blend []float64, grid [][]float64, px, py int) {
	at := func(p, n int) (low, high int, t float64) {
		pos := min(max((float64(p)+0.5)/finer-0.5, 0), float64(n-1))
		low = int(pos)
		return low, min(low+1, n-1), pos - float64(low)
	}
	x0, x1, tx := at(px, gridColumns)
	y0, y1, ty := at(py, gridRows)
	for c := range blend {
		top := grid[y0*gridColumns+x0][c]*(1-tx) + grid[y0*gridColumns+x1][c]*tx
		bottom := grid[y1*gridColumns+x0][c]*(1-tx) + grid[y1*gridColumns+x1][c]*tx
		blend[c] = top*(1-ty) + bottom*ty
	}
}

// drawEdges darkens the pixels where one region meets another.
func drawEdges(img *image.NRGBA, classes []int) {
	width, height := img.Rect.Dx(), img.Rect.Dy()
	for y := range height - 1 {
		for x := range width - 1 {
			c := classes[y*width+x]
			if classes[y*width+x+1] != c || classes[(y+1)*width+x] != c {
				for _, p := range []image.Point{{X: x, Y: y}, {X: x + 1, Y: y}, {X: x, Y: y + 1}} {
					img.SetNRGBA(p.X, p.Y, faint)
				}
			}
		}
	}
}

// outlined is the legend's sample of a test row of any class.
type outlined struct{ crossed bool }

func (o outlined) Thumbnail(c *draw.Canvas) {
	m := marks{radius: 2.8, outline: 0.8, crossed: o.crossed}
	path := shape(0, c.Center(), m.radius)
	c.SetColor(white)
	c.Fill(path)
	c.SetLineStyle(line(ink, m.outline))
	c.Stroke(path)
	if o.crossed {
		cross(c, c.Center(), m.radius+2)
	}
}

var _ plot.Thumbnailer = outlined{}
