package report

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"html/template"
	"image"
	"image/png"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/affine-go/affine/internal/format"
	"github.com/affine-go/affine/train/report/chart"
)

// drawing is a chart as the template writes it: shapes in the units of the
// picture, labels in per cent of it, and the numbers for the read-out.
type drawing struct {
	chart.XY
	ID, Note       string
	Under          template.URL // a picture behind everything
	Width, Height  int          // of the picture's own units
	Stretched      bool         // to any width and height; a picture with points keeps its shape
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

// tick is a marked value, with its place in per cent of the axis.
type tick struct {
	At    string
	Label string
	Spare bool // the first to go if there is little room
}

func ticks(a *chart.Axis, about int) []tick {
	var list []tick
	for _, t := range a.Ticks(about) {
		if t.Label != "" {
			list = append(list, tick{At: fixed(100 * a.At(t.Value)), Label: t.Label})
			list[len(list)-1].Spare = t.Spare
		}
	}
	powers := slices.ContainsFunc(list, func(t tick) bool { return !t.Spare })
	for i := range list { // without powers of ten, every other label stays
		list[i].Spare = list[i].Spare && powers || !powers && i%2 == 1 || !a.Log && len(list) > 5 && i%2 == 1
	}
	return list
}

// path is one shape of a picture.
type path struct {
	D     string // as SVG's path takes it
	Class string // of the style sheet
	Name  string // in a legend
}

// readout is what the page's script reads.
type readout struct {
	Nearest string       `json:"nearest"` // "x" of lines, "point" if there are clouds
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

// decimal is a number with six digits in JSON, null if it is not finite.
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
func draw(id, note string, c chart.XY) (drawing, error) {
	c = c.Settled()
	d := drawing{XY: c, ID: id, Note: note, Width: 1000, Height: 1000, Stretched: true, Data: readout{Nearest: "x"}}
	if len(c.Clouds) > 0 {
		d.Width, d.Height, d.Stretched, d.Data.Nearest = 480*chart.Aspect, 480, false, "point"
	}
	d.XTicks, d.YTicks = ticks(&d.X, 6), ticks(&d.Y, 5)
	for _, t := range d.YTicks {
		d.LabelRoom = max(d.LabelRoom, len([]rune(t.Label)))
	}
	d.Grid = d.grid()
	d.Data.X = readoutAxis{c.X.Label, c.X.Log, decimal(c.X.Lo), decimal(c.X.Hi)}
	d.Data.Y = readoutAxis{c.Y.Label, c.Y.Log, decimal(c.Y.Lo), decimal(c.Y.Hi)}
	for _, l := range c.Lines {
		if l.Guide {
			d.addLine(l)
		}
	}
	for _, p := range c.Clouds {
		d.addCloud(p)
	}
	for _, l := range c.Lines {
		if !l.Guide {
			d.addLine(l)
		}
	}
	if c.Mark != nil {
		d.MarkAt = fixed(100 * c.X.At(c.Mark.X))
		d.Legend = append(d.Legend, path{D: "M14 0V12", Class: "mark", Name: c.Mark.Name})
	}
	if c.Keys != nil {
		d.Legend = nil
		for _, k := range c.Keys {
			d.Legend = append(d.Legend, keyPath(k))
		}
	}
	if c.Image != nil {
		var err error
		if d.Under, err = pngURL(c.Image); err != nil {
			return d, err
		}
	}
	d.Summary = d.summary()
	d.Table = chartTable(&d.XY)
	return d, nil
}

func (d *drawing) x(v float64) float64 { return float64(d.Width) * d.X.At(v) }
func (d *drawing) y(v float64) float64 { return float64(d.Height) * (1 - d.Y.At(v)) }

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

func (d *drawing) addLine(l chart.Line) {
	class := fmt.Sprintf("line c%d d%d", l.Color%colors, (l.Color+l.Color/colors)%dashes)
	switch {
	case l.Wide:
		class = fmt.Sprintf("line wide c%d", l.Color%colors)
	case l.Guide:
		class = "line guide"
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
		d.Paths = append(d.Paths, path{D: d.area(l), Class: fmt.Sprintf("area c%d", l.Color%colors)})
	}
	d.Paths = append(d.Paths, path{D: b.String(), Class: class, Name: l.Name})
	if points <= 12 && len(d.Clouds) == 0 {
		d.Paths = append(d.Paths, path{D: dots.String(), Class: fmt.Sprintf("dots c%d", l.Color%colors)})
	}
	d.Legend = append(d.Legend, path{D: "M1 6H27", Class: class, Name: l.Name})
	d.Data.Series = append(d.Data.Series, readoutSet{Name: l.Name, Class: fmt.Sprintf("c%d", l.Color%colors), X: decimals(l.X), Y: decimals(l.Y)})
}

// area is what lies between a line and the axis, in one piece for each run of
// values without a gap.
func (d *drawing) area(l chart.Line) string {
	var b strings.Builder
	open, start := false, ""
	for j := range l.Y {
		x, y := d.x(l.X[j]), d.y(l.Y[j])
		switch {
		case !finite(x) || !finite(y):
			if open {
				fmt.Fprintf(&b, "V%dH%sZ", d.Height, start)
			}
			open = false
			continue
		case !open:
			start = fixed(x)
			fmt.Fprintf(&b, "M%s %dV%s", start, d.Height, fixed(y))
		default:
			fmt.Fprintf(&b, "L%s %s", fixed(x), fixed(y))
		}
		open = true
	}
	if open {
		fmt.Fprintf(&b, "V%dH%sZ", d.Height, start)
	}
	return b.String()
}

// crowd is how many points hide each other unless they are drawn finer.
const crowd = 150

func (d *drawing) addCloud(p chart.Cloud) {
	class, radius := fmt.Sprintf("point c%d", p.Color%colors), 5.0
	switch {
	case p.Crossed:
		class, radius = "cross", 9
	case p.Small:
		class, radius = "small "+class, 3
	case len(p.X) > crowd:
		class, radius = "many "+class, 4
	}
	mark := func(x, y, r float64) string {
		if p.Crossed {
			return cross(x, y, r)
		}
		return shape(p.Shape, x, y, r)
	}
	var b strings.Builder
	for i := range p.X {
		b.WriteString(mark(d.x(p.X[i]), d.y(p.Y[i]), radius))
	}
	d.Paths = append(d.Paths, path{D: b.String(), Class: class, Name: p.Name})
	d.Legend = append(d.Legend, path{D: mark(14, 6, min(radius*0.9, 5)), Class: class, Name: p.Name})
	if !p.Crossed { // another cloud tells of these points
		d.Data.Series = append(d.Data.Series, readoutSet{Name: p.Name, Class: fmt.Sprintf("c%d", p.Color%colors), X: decimals(p.X), Y: decimals(p.Y), Notes: p.Notes})
	}
}

// keyPath is the sample of a legend's key.
func keyPath(k chart.Key) path {
	p := path{D: shape(k.Shape, 14, 6, 4.5), Class: fmt.Sprintf("point c%d", k.Color%colors), Name: k.Name}
	switch {
	case k.Plain:
		p.Class = "point plain"
	case k.Small:
		p.Class = "small " + p.Class
	}
	if k.Crossed {
		p.D += cross(14, 6, 6)
	}
	return p
}

// shape returns the outline of a point, of about the same area for all.
func shape(kind int, x, y, r float64) string {
	corners := chart.Corners(kind)
	if corners == nil {
		return fmt.Sprintf("M%s %sa%s %s 0 1 0 %s 0a%s %s 0 1 0 -%s 0Z", fixed(x-r), fixed(y), fixed(r), fixed(r), fixed(2*r), fixed(r), fixed(r), fixed(2*r))
	}
	var b strings.Builder
	for i, c := range corners {
		b.WriteByte("ML"[min(i, 1)])
		b.WriteString(fixed(x+c[0]*r) + " " + fixed(y-c[1]*r))
	}
	return b.String() + "Z"
}

func cross(x, y, r float64) string {
	return fmt.Sprintf("M%s %sL%s %sM%s %sL%s %s", fixed(x-r), fixed(y-r), fixed(x+r), fixed(y+r), fixed(x-r), fixed(y+r), fixed(x+r), fixed(y-r))
}

// summary says in words what the picture shows.
func (d *drawing) summary() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s. Across: %s, %s to %s. Up: %s, %s to %s.", d.Title, d.X.Caption(), format.Number(d.X.Lo), format.Number(d.X.Hi), d.Y.Caption(), format.Number(d.Y.Lo), format.Number(d.Y.Hi))
	for _, l := range d.Lines {
		if first, last, ok := ends(l.Y); ok && !l.Area {
			fmt.Fprintf(&b, " %s goes from %s to %s.", l.Name, format.Number(first), format.Number(last))
		}
	}
	for _, p := range d.Clouds {
		fmt.Fprintf(&b, " %s: %s.", p.Name, format.Plural(len(p.X), "point"))
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

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// pngURL writes a picture into the address that shows it.
func pngURL(img image.Image) (template.URL, error) {
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&b, img); err != nil {
		return "", fmt.Errorf("encode picture: %w", err)
	}
	return template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(b.Bytes())), nil
}
