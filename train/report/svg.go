package report

import (
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"
)

// drawing is a chart as the template writes it: shapes in the units of the
// picture, labels in per cent of it, and the numbers for the read-out.
type drawing struct {
	*chart
	Width, Height  int  // of the picture's own units
	Stretched      bool // to any width and height; a picture with points keeps its shape
	XTicks, YTicks []tick
	LabelRoom      int // of the y axis, in characters
	Grid           string
	Paths          []path
	Legend         []path // samples with their names
	MarkAt         string
	Summary        string // for readers who cannot see the picture
	Data           readout
	Table          table
}

// path is one shape of a picture.
type path struct {
	D     string // as SVG's path takes it
	Class string // of the style sheet
	Name  string // in a legend
}

// readout is what the page's script reads.
type readout struct {
	Nearest string       `json:"nearest"` // "x" of lines, "point" where there are clouds
	X       readoutAxis  `json:"x"`
	Y       readoutAxis  `json:"y"`
	Series  []readoutSet `json:"series"`
}

type readoutAxis struct {
	Label string  `json:"label"`
	Log   bool    `json:"log"`
	Lo    decimal `json:"lo"`
	Hi    decimal `json:"hi"`
}

type readoutSet struct {
	Name  string    `json:"name"`
	Class string    `json:"class"`
	X     []decimal `json:"x"`
	Y     []decimal `json:"y"`
	Notes []string  `json:"notes,omitempty"`
}

// decimal is a number with six digits in JSON, null where it is not finite.
type decimal float64

// MarshalJSON implements json.Marshaler.
func (d decimal) MarshalJSON() ([]byte, error) {
	if !finite(float64(d)) {
		return []byte("null"), nil
	}
	return strconv.AppendFloat(nil, float64(d), 'g', 6, 64), nil
}

func decimals(values []float64) []decimal {
	list := make([]decimal, len(values))
	for i, v := range values {
		list[i] = decimal(v)
	}
	return list
}

func fixed(x float64) string { return strconv.FormatFloat(x, 'f', 2, 64) }

// draw turns a chart into shapes.
func draw(c chart) drawing {
	c.prepare()
	d := drawing{chart: &c, Width: 1000, Height: 1000, Stretched: true, Data: readout{Nearest: "x"}}
	if len(c.Clouds) > 0 {
		d.Width, d.Height, d.Stretched, d.Data.Nearest = 640, 480, false, "point"
	}
	d.XTicks, d.YTicks = c.X.ticks(6, 6), c.Y.ticks(5, 10)
	for _, t := range d.YTicks {
		d.LabelRoom = max(d.LabelRoom, len([]rune(t.Label)))
	}
	d.Grid = d.grid()
	d.Data.X = readoutAxis{c.X.Label, c.X.Log, decimal(c.X.Lo), decimal(c.X.Hi)}
	d.Data.Y = readoutAxis{c.Y.Label, c.Y.Log, decimal(c.Y.Lo), decimal(c.Y.Hi)}
	for _, p := range c.Clouds {
		d.addCloud(p)
	}
	for _, l := range c.Lines {
		d.addLine(l)
	}
	if c.Mark != nil {
		d.MarkAt = fixed(100 * c.X.at(c.Mark.X))
		d.Legend = append(d.Legend, path{D: "M14 0V12", Class: "mark", Name: c.Mark.Name})
	}
	if c.Keys != nil {
		d.Legend = c.Keys
	}
	d.Summary = d.summary()
	d.Table = c.table()
	return d
}

func (d *drawing) x(v float64) float64 { return float64(d.Width) * d.X.at(v) }
func (d *drawing) y(v float64) float64 { return float64(d.Height) * (1 - d.Y.at(v)) }

func (d *drawing) grid() string {
	var b strings.Builder
	for _, t := range d.XTicks {
		at, _ := strconv.ParseFloat(t.At, 64)
		fmt.Fprintf(&b, "M%s 0V%d", fixed(at/100*float64(d.Width)), d.Height)
	}
	for _, t := range d.YTicks {
		at, _ := strconv.ParseFloat(t.At, 64)
		fmt.Fprintf(&b, "M0 %sH%d", fixed((1-at/100)*float64(d.Height)), d.Width)
	}
	return b.String()
}

func (d *drawing) addLine(l line) {
	class := fmt.Sprintf("line c%d d%d", l.Color%colors, (l.Color+l.Color/colors)%dashes)
	if l.Wide {
		class = fmt.Sprintf("line wide c%d", l.Color%colors)
	}
	var b, dots strings.Builder
	points, run := 0, 0 // in all, and since the last gap
	for j := range l.Y {
		x, y := d.x(l.X[j]), d.y(l.Y[j])
		if !finite(x) || !finite(y) {
			if run == 1 {
				b.WriteString("h0") // a dot
			}
			run = 0
			continue
		}
		move := "L"
		if run == 0 {
			move = "M"
		}
		fmt.Fprintf(&b, "%s%s %s", move, fixed(x), fixed(y))
		fmt.Fprintf(&dots, "M%s %sh0", fixed(x), fixed(y))
		points, run = points+1, run+1
	}
	if run == 1 {
		b.WriteString("h0")
	}
	if l.Area && points > 0 {
		bottom := fmt.Sprintf("V%dH%sZ", d.Height, fixed(d.x(l.X[0])))
		d.Paths = append(d.Paths, path{D: b.String() + bottom, Class: fmt.Sprintf("area c%d", l.Color%colors)})
	}
	d.Paths = append(d.Paths, path{D: b.String(), Class: class, Name: l.Name})
	if points <= 12 && len(d.Clouds) == 0 {
		d.Paths = append(d.Paths, path{D: dots.String(), Class: fmt.Sprintf("dots c%d", l.Color%colors)})
	}
	d.Legend = append(d.Legend, path{D: "M1 6H27", Class: class, Name: l.Name})
	d.Data.Series = append(d.Data.Series, readoutSet{Name: l.Name, Class: fmt.Sprintf("c%d", l.Color%colors), X: decimals(l.X), Y: decimals(l.Y)})
}

// crowd is how many points hide each other unless they are drawn finer.
const crowd = 150

func (d *drawing) addCloud(p cloud) {
	class, radius := fmt.Sprintf("point c%d", p.Color%colors), 5.0
	switch {
	case p.Small:
		class, radius = "small "+class, 3
	case len(p.X) > crowd:
		class, radius = "many "+class, 4
	}
	var b, crosses strings.Builder
	for i := range p.X {
		x, y := d.x(p.X[i]), d.y(p.Y[i])
		b.WriteString(shape(p.Shape, x, y, radius))
		if p.Crossed {
			crosses.WriteString(cross(x, y, 9))
		}
	}
	d.Paths = append(d.Paths, path{D: b.String(), Class: class, Name: p.Name})
	d.Legend = append(d.Legend, path{D: shape(p.Shape, 14, 6, radius*0.9), Class: class, Name: p.Name})
	if p.Crossed {
		d.Paths = append(d.Paths, path{D: crosses.String(), Class: "cross"})
	}
	d.Data.Series = append(d.Data.Series, readoutSet{Name: p.Name, Class: fmt.Sprintf("c%d", p.Color%colors), X: decimals(p.X), Y: decimals(p.Y), Notes: p.Notes})
}

// shape returns circle, square, triangle or diamond of about the same area.
func shape(kind int, x, y, r float64) string {
	at := func(dx, dy float64) string { return fixed(x+dx*r) + " " + fixed(y+dy*r) }
	switch kind % 4 {
	case 1:
		return fmt.Sprintf("M%sL%sL%sL%sZ", at(-0.9, -0.9), at(0.9, -0.9), at(0.9, 0.9), at(-0.9, 0.9))
	case 2:
		return fmt.Sprintf("M%sL%sL%sZ", at(-1.15, 0.85), at(1.15, 0.85), at(0, -1.25))
	case 3:
		return fmt.Sprintf("M%sL%sL%sL%sZ", at(0, -1.3), at(1.3, 0), at(0, 1.3), at(-1.3, 0))
	}
	return fmt.Sprintf("M%sa%s %s 0 1 0 %s 0a%s %s 0 1 0 -%s 0Z", at(-1, 0), fixed(r), fixed(r), fixed(2*r), fixed(r), fixed(r), fixed(2*r))
}

func cross(x, y, r float64) string {
	return fmt.Sprintf("M%s %sL%s %sM%s %sL%s %s", fixed(x-r), fixed(y-r), fixed(x+r), fixed(y+r), fixed(x-r), fixed(y+r), fixed(x+r), fixed(y-r))
}

// summary says in words what the picture shows.
func (d *drawing) summary() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s. Across: %s, %s to %s. Up: %s, %s to %s.", d.Title, d.X.Caption(), number(d.X.Lo), number(d.X.Hi), d.Y.Caption(), number(d.Y.Lo), number(d.Y.Hi))
	for _, l := range d.Lines {
		if first, last, ok := ends(l.Y); ok && !l.Area {
			fmt.Fprintf(&b, " %s goes from %s to %s.", l.Name, number(first), number(last))
		}
	}
	for _, p := range d.Clouds {
		fmt.Fprintf(&b, " %s: %s.", p.Name, plural(len(p.X), "point"))
	}
	return b.String()
}

// ends returns the first and the last value that are finite.
func ends(values []float64) (first, last float64, ok bool) {
	first = math.NaN()
	for _, v := range values {
		if finite(v) {
			if !ok {
				first, ok = v, true
			}
			last = v
		}
	}
	return first, last, ok
}

// Style places the labels of the y axis.
func (d *drawing) Style() template.CSS {
	return template.CSS(fmt.Sprintf("--room:%dch", d.LabelRoom+1))
}
