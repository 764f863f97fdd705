package chart

import (
	"fmt"
	"image"
	"image/color"
	"math"
)

// Boundary shows which class a model gives to every point of a plane: regions
// in the classes' colours, the stronger the surer the model is, with the rows
// that it was trained and tested on.
type Boundary struct {
	Title, Subtitle string
	XLabel, YLabel  string
	Classes         []string // names
	Train, Test     Points
	TestName        string // what to call a row of Test instead of "test row"
	// Predicted holds the class that the model gives to each test row; wrong
	// ones are crossed.
	Predicted []int
	Notes     []string // what pages tell of each test row
	// Predict returns one row of class probabilities for each point (x, y).
	Predict func(points [][2]float64) ([][]float64, error)
}

// The model is asked on a grid of this many points, which viewers smooth.
const (
	gridColumns = 320
	gridRows    = 240
)

// XY asks the model. Rows without a class or a prediction, and answers that are
// not one probability for each class, are an error.
func (b Boundary) XY() (XY, error) {
	for what, points := range map[string]Points{"training rows": b.Train, "test rows": b.Test} {
		if err := points.check(what, len(b.Classes)); err != nil {
			return XY{}, err
		}
	}
	if len(b.Predicted) != len(b.Test.Class) {
		return XY{}, fmt.Errorf("%d predictions for %d test rows, want one for each", len(b.Predicted), len(b.Test.Class))
	}
	if b.TestName == "" {
		b.TestName = "test row"
	}
	c := XY{Title: b.Title, Subtitle: b.Subtitle, X: around(b.XLabel, b.Train.X, b.Test.X), Y: around(b.YLabel, b.Train.Y, b.Test.Y)}
	sameUnit(&c.X, &c.Y)
	regions, err := b.regions(&c.X, &c.Y)
	if err != nil {
		return XY{}, err
	}
	c.Image = regions
	c.Clouds = append(b.Train.clouds(b.Classes, ", training row", true, nil), b.Test.clouds(b.Classes, ", "+b.TestName, false, b.Notes)...)
	for class, name := range b.Classes {
		c.Keys = append(c.Keys, Key{Name: name, Color: class, Shape: class, Small: true})
	}
	c.Keys = append(c.Keys, Key{Name: b.TestName, Plain: true})
	wrong := Cloud{Name: b.TestName + ", wrong", Crossed: true}
	for i, class := range b.Predicted {
		if class != b.Test.Class[i] {
			wrong.X, wrong.Y = append(wrong.X, b.Test.X[i]), append(wrong.Y, b.Test.Y[i])
		}
	}
	if len(wrong.X) > 0 {
		c.Clouds = append(c.Clouds, wrong)
		c.Keys = append(c.Keys, Key{Name: wrong.Name, Plain: true, Crossed: true})
	}
	return c, nil
}

func (b Boundary) figure() (figure, error) { return plotted(b) }

// regions asks the model on a grid over both axes and paints the answers: the
// colour is that of the class, the more opaque the surer, and dark where two
// regions meet.
func (b Boundary) regions(x, y *Axis) (image.Image, error) {
	points := make([][2]float64, 0, gridColumns*gridRows)
	for row := range gridRows {
		for column := range gridColumns {
			points = append(points, [2]float64{
				x.Lo + (x.Hi-x.Lo)*(float64(column)+0.5)/gridColumns,
				y.Hi - (y.Hi-y.Lo)*(float64(row)+0.5)/gridRows, // pictures start at the top
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
	shades, edge := regionPalette()
	img := image.NewPaletted(image.Rect(0, 0, gridColumns, gridRows), shades)
	classes := make([]int, len(points))
	for i, p := range probabilities {
		for c, v := range p {
			if v > p[classes[i]] {
				classes[i] = c
			}
		}
		img.Pix[i] = regionShade(classes[i], p[classes[i]], len(b.Classes))
	}
	for row := range gridRows - 1 {
		for column := range gridColumns - 1 {
			i := row*gridColumns + column
			if classes[i] != classes[i+1] || classes[i] != classes[i+gridColumns] {
				img.Pix[i] = edge
			}
		}
	}
	return img, nil
}

const strengths = 30 // shades of a region

// regionPalette has the shades of every colour, and that of an edge: a PNG with
// a palette has room for 256.
func regionPalette() (shades color.Palette, edge uint8) {
	for _, c := range palette {
		for strength := range strengths {
			c.A = uint8(255 * (0.12 + 0.30*float64(strength)/(strengths-1)))
			shades = append(shades, c)
		}
	}
	border := faint
	border.A = 0xA0
	return append(shades, border), uint8(len(shades))
}

// regionShade is the index of the shade of a class with a probability.
func regionShade(class int, probability float64, classes int) uint8 {
	chance, sure := 1/float64(classes), 0.0 // as it is if there is but one class
	if chance < 1 {
		sure = max(0, (probability-chance)/(1-chance))
	}
	return uint8(class%len(palette)*strengths + int(math.Round(sure*(strengths-1))))
}
