package report

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"html/template"
	"image"
	"image/color"
	"image/png"
	"math"
)

// The model is asked on a grid of this many points, which the browser smooths.
const (
	gridColumns = 256
	gridRows    = 192
	strengths   = 30 // shades of a region
)

// boundary shows which class the model gives to every point of the plane of two
// features.
func (a *answers) boundary() (*chart, error) {
	d := a.rows
	c := &chart{
		ID: "boundary", Title: "Decision boundary", X: widened(d.Features[0], column(a.seen, 0), column(d, 0)),
		Y:    widened(d.Features[1], column(a.seen, 1), column(d, 1)),
		Note: "Each region has the colour of the class that the model gives to it, stronger where the model is surer.",
	}
	var err error
	if c.Image, err = a.regions(&c.X, &c.Y); err != nil {
		return nil, err
	}
	for class, name := range d.Classes {
		seen := cloud{Name: name + ", training row", Color: class, Shape: shapeOf(class), Small: true}
		c.Keys = append(c.Keys, path{D: shape(shapeOf(class), 14, 6, 4.5), Class: fmt.Sprintf("point small c%d", class%colors), Name: name})
		if a.seen != a.rows {
			for i, y := range a.seen.Y {
				if int(y) == class {
					seen.X, seen.Y = append(seen.X, a.seen.Row(i)[0]), append(seen.Y, a.seen.Row(i)[1])
				}
			}
		}
		c.Clouds = append(c.Clouds, seen)
	}
	wrong := cloud{Name: a.part + " row, wrong", Crossed: true}
	for class, name := range d.Classes {
		right := cloud{Name: name + ", " + a.part + " row", Color: class, Shape: shapeOf(class)}
		for i := range d.Len() {
			if a.class(i) != class {
				continue
			}
			right.X, right.Y, right.Notes = append(right.X, d.Row(i)[0]), append(right.Y, d.Row(i)[1]), append(right.Notes, a.verdict(i))
			if a.isWrong(i) {
				wrong.X, wrong.Y = append(wrong.X, d.Row(i)[0]), append(wrong.Y, d.Row(i)[1])
			}
		}
		c.Clouds = append(c.Clouds, right)
	}
	c.Keys = append(c.Keys, path{D: shape(0, 14, 6, 4.5), Class: "point plain", Name: a.part + " row"})
	if len(wrong.X) > 0 {
		c.Clouds = append(c.Clouds, wrong)
		c.Keys = append(c.Keys, path{D: shape(0, 14, 6, 4.5) + cross(14, 6, 6), Class: "point plain", Name: wrong.Name})
	}
	return c, nil
}

// shapeOf gives classes that share a colour other shapes.
func shapeOf(class int) int { return class + class/colors }

// widened is an axis with room around all values.
func widened(label string, sets ...[]float64) axis {
	lo, hi := extent(sets...)
	room := 0.08 * (hi - lo)
	if room == 0 {
		room = 1
	}
	return axis{Label: label, Lo: lo - room, Hi: hi + room}
}

// regions asks the model on a grid and paints its answers: the colour is that
// of the class, the more opaque the surer.
func (a *answers) regions(x, y *axis) (template.URL, error) {
	rows := make([][]float64, 0, gridColumns*gridRows)
	for row := range gridRows {
		for col := range gridColumns {
			rows = append(rows, []float64{
				x.Lo + (x.Hi-x.Lo)*(float64(col)+0.5)/gridColumns,
				y.Hi - (y.Hi-y.Lo)*(float64(row)+0.5)/gridRows, // pictures start at the top
			})
		}
	}
	p, err := a.model.Predict(rows)
	if err != nil {
		return "", fmt.Errorf("predict the grid of the decision boundary: %w", err)
	}
	// A PNG has at most 256 colours: up to eight classes in thirty shades each.
	var shades color.Palette
	for _, c := range palette {
		for strength := range strengths {
			c.A = uint8(255 * (0.12 + 0.30*float64(strength)/(strengths-1)))
			shades = append(shades, c)
		}
	}
	img := image.NewPaletted(image.Rect(0, 0, gridColumns, gridRows), shades)
	chance := 1 / float64(len(a.rows.Classes))
	for i, class := range p.Classes {
		sure := 0.0 // as it is where there is but one class
		if chance < 1 {
			sure = max(0, (p.Probabilities[i][class]-chance)/(1-chance))
		}
		img.Pix[i] = uint8(class%colors*strengths + int(math.Round(sure*(strengths-1))))
	}
	return pngURL(img)
}

// pngURL writes a picture into the address that shows it.
func pngURL(img image.Image) (template.URL, error) {
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&b, img); err != nil {
		return "", fmt.Errorf("encode picture: %w", err)
	}
	return template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(b.Bytes())), nil
}

// greyURL shows pixels row by row, the least of them white and the greatest
// black.
func greyURL(pixels []float64, height, width int) (template.URL, error) {
	lo, hi := extent(pixels)
	img := image.NewGray(image.Rect(0, 0, width, height))
	for i, v := range pixels {
		shade := 0.0
		if hi > lo {
			shade = (v - lo) / (hi - lo)
		}
		img.Pix[i] = uint8(255 - 255*shade + 0.5)
	}
	return pngURL(img)
}
