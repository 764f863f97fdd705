package chart

import "fmt"

// Points are rows with two coordinates and a class each, counted from 0.
type Points struct {
	X, Y  []float64
	Class []int
}

func (p Points) check(what string, classes int) error {
	if len(p.X) != len(p.Class) || len(p.Y) != len(p.Class) {
		return fmt.Errorf("%s: %d x, %d y and %d classes, want the same number of each", what, len(p.X), len(p.Y), len(p.Class))
	}
	for i, c := range p.Class {
		if c < 0 || c >= classes {
			return fmt.Errorf("%s: class of row %d is %d, want 0 to %d", what, i, c, classes-1)
		}
	}
	return nil
}

// clouds returns one cloud for each class, with the notes of its rows if there
// are any.
func (p Points) clouds(classes []string, suffix string, small bool, notes []string) []Cloud {
	list := make([]Cloud, len(classes))
	for class, name := range classes {
		list[class] = Cloud{Name: name + suffix, Color: class, Shape: class, Small: small}
	}
	for i, class := range p.Class {
		c := &list[class]
		c.X, c.Y = append(c.X, p.X[i]), append(c.Y, p.Y[i])
		if notes != nil {
			c.Notes = append(c.Notes, notes[i])
		}
	}
	return list
}

// Scatter shows the rows of a dataset in two coordinates.
type Scatter struct {
	Title, Subtitle string
	XLabel, YLabel  string
	Classes         []string // names
	Points          Points
	SameUnit        bool // both coordinates are features, for which a unit may be as long on both axes
}

// XY returns a cloud for each class; a row of none of them is an error.
func (s Scatter) XY() (XY, error) {
	if err := s.Points.check("scatter", len(s.Classes)); err != nil {
		return XY{}, err
	}
	c := XY{Title: s.Title, Subtitle: s.Subtitle, X: around(s.XLabel, s.Points.X), Y: around(s.YLabel, s.Points.Y),
		Clouds: s.Points.clouds(s.Classes, "", true, nil)}
	if s.SameUnit {
		sameUnit(&c.X, &c.Y)
	}
	return c, nil
}

func (s Scatter) figure() (figure, error) { return plotted(s) }

// Pairs are rows of two numbers.
type Pairs struct{ X, Y []float64 }

func (p Pairs) check(what string) error {
	if len(p.X) != len(p.Y) {
		return fmt.Errorf("%s: %d x and %d y, want the same number of both", what, len(p.X), len(p.Y))
	}
	return nil
}

// The colours and shapes of rows that were trained on and of others.
const (
	trainColor, trainShape = 5, 0 // sky blue circles
	testColor, testShape   = 1, 1 // orange squares
	modelColor             = 0    // blue
)

// rowClouds shows training rows, if there are any, and test rows.
func rowClouds(train, test Pairs, notes []string, testName string) ([]Cloud, error) {
	for what, rows := range map[string]Pairs{"training rows": train, "test rows": test} {
		if err := rows.check(what); err != nil {
			return nil, err
		}
	}
	if testName == "" {
		testName = "test row"
	}
	var list []Cloud
	if len(train.X) > 0 {
		list = append(list, Cloud{Name: "training row", X: train.X, Y: train.Y, Color: trainColor, Shape: trainShape, Small: true})
	}
	return append(list, Cloud{Name: testName, X: test.X, Y: test.Y, Notes: notes, Color: testColor, Shape: testShape}), nil
}

// Curve shows a model of one feature: what it predicts over the whole range,
// on top of the rows that it was trained and tested on.
type Curve struct {
	Title, Subtitle string
	XLabel, YLabel  string
	Train, Test     Pairs
	TestName        string   // what to call a row of Test instead of "test row"
	Notes           []string // what pages tell of each test row
	// Predict returns the prediction at each x.
	Predict func(x []float64) ([]float64, error)
}

// XY asks the model; rows of which x or y is missing are an error.
func (c Curve) XY() (XY, error) {
	const curvePoints = 400
	clouds, err := rowClouds(c.Train, c.Test, c.Notes, c.TestName)
	if err != nil {
		return XY{}, err
	}
	x := make([]float64, curvePoints)
	lo, hi := span(c.Train.X, c.Test.X)
	for i := range x {
		x[i] = lo + (hi-lo)*float64(i)/float64(len(x)-1)
	}
	y, err := c.Predict(x)
	if err != nil {
		return XY{}, fmt.Errorf("predict the fitted curve: %w", err)
	}
	return XY{Title: c.Title, Subtitle: c.Subtitle, X: Axis{Label: c.XLabel}, Y: Axis{Label: c.YLabel},
		Clouds: clouds, Lines: []Line{{Name: "prediction", X: x, Y: y, Color: modelColor}}}, nil
}

func (c Curve) figure() (figure, error) { return plotted(c) }

// Targets shows predictions against targets; the nearer to the diagonal, the
// better.
type Targets struct {
	Title, Subtitle string
	Target          string // name and unit of what is predicted
	Train, Test     Pairs  // X: target, Y: prediction
	TestName        string // what to call a row of Test instead of "test row"
	Notes           []string
}

// XY returns the rows and the diagonal; rows of which the target or the
// prediction is missing are an error.
func (t Targets) XY() (XY, error) {
	clouds, err := rowClouds(t.Train, t.Test, t.Notes, t.TestName)
	if err != nil {
		return XY{}, err
	}
	c := XY{Title: t.Title, Subtitle: t.Subtitle, X: around("target: "+t.Target, t.Train.X, t.Test.X),
		Y: around("prediction: "+t.Target, t.Train.Y, t.Test.Y), Clouds: clouds}
	sameUnit(&c.X, &c.Y)
	lo, hi := max(c.X.Lo, c.Y.Lo), min(c.X.Hi, c.Y.Hi)
	if lo < hi {
		c.Lines = []Line{{Name: "prediction = target", X: []float64{lo, hi}, Y: []float64{lo, hi}, Guide: true}}
	}
	return c, nil
}

func (t Targets) figure() (figure, error) { return plotted(t) }
