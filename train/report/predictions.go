package report

import (
	"fmt"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/train"
)

// answers are a model's predictions for the rows that a page shows them on.
type answers struct {
	model *train.Predictor
	part  string // "test", or another part where there are no test rows
	rows  *datasets.Dataset
	seen  *datasets.Dataset // the training part
	*train.Evaluation
}

// answers asks the model about the test rows, or about the validation or
// training rows where there are no others. It returns nil, and a note in
// Missing, where that cannot be done.
func (r *Run) answers() *answers {
	if r.Model == nil || r.Rows == nil {
		return nil
	}
	a := &answers{model: r.Model, seen: r.Rows.Train}
	for _, part := range []struct {
		name string
		rows *datasets.Dataset
	}{{"test", r.Rows.Test}, {"validation", r.Rows.Validation}, {"training", r.Rows.Train}} {
		if part.rows != nil && part.rows.Len() > 0 {
			a.part, a.rows = part.name, part.rows
			break
		}
	}
	if a.rows == nil {
		return nil
	}
	var err error
	if a.Evaluation, err = r.Model.Evaluate(a.rows); err != nil {
		r.miss("The model cannot be asked about its rows (%v): there is nothing to see of what it learned.", err)
		return nil
	}
	return a
}

// row names a row of the part, counted from 1.
func (a *answers) row(i int) string { return fmt.Sprintf("%s row %d", a.part, i+1) }

func (a *answers) class(i int) int { return int(a.rows.Y[i]) }

func (a *answers) predicted(i int) int { return a.Predictions.Classes[i] }

// probability is what the model gives to the class that it predicts.
func (a *answers) probability(i int) float64 { return a.Predictions.Probabilities[i][a.predicted(i)] }

func (a *answers) isWrong(i int) bool { return a.predicted(i) != a.class(i) }

// sure is the probability in per cent.
func (a *answers) sure(i int) string {
	p := a.probability(i)
	if !finite(p) {
		return "not"
	}
	return fmt.Sprintf("%.1f %%", 100*p)
}

// verdict tells what the model makes of a row of a classification.
func (a *answers) verdict(i int) string {
	text := fmt.Sprintf("%s: %s", a.row(i), a.rows.Classes[a.class(i)])
	if a.isWrong(i) {
		text += ", wrongly predicted to be " + a.rows.Classes[a.predicted(i)]
	}
	return fmt.Sprintf("%s (%s sure)", text, a.sure(i))
}

// deviation tells what the model makes of a row of a regression.
func (a *answers) deviation(i int) string {
	target, value := a.rows.Y[i], a.Predictions.Values[i]
	return fmt.Sprintf("%s: target %s, predicted %s, off by %s", a.row(i), number(target), number(value), number(value-target))
}

func column(d *datasets.Dataset, feature int) []float64 {
	values := make([]float64, d.Len())
	for i := range values {
		values[i] = d.Row(i)[feature]
	}
	return values
}

// picture shows what the model learned: the regions of the classes of two
// features, the curve of one feature, or predictions against targets. There is
// none for classes of other numbers of features.
func (a *answers) picture() (*chart, error) {
	switch d := a.rows; {
	case d.Task == datasets.Classification && d.Inputs() == 2 && d.ImageShape == [2]int{}:
		return a.boundary()
	case d.Task == datasets.Regression && d.Inputs() == 1:
		return a.curve()
	case d.Task == datasets.Regression:
		return a.targets()
	}
	return nil, nil
}

// The colours of rows that were trained on and of others, in regressions.
const (
	seenColor   = 5 // sky blue
	otherColor  = 1 // orange
	modelColor  = 0 // blue
	otherShape  = 1 // square
	curvePoints = 240
)

func (a *answers) curve() (*chart, error) {
	c := &chart{ID: "curve", Title: "Fitted curve", X: axis{Label: a.rows.Features[0]}, Y: axis{Label: a.rows.TargetName},
		Note: "What the model predicts over the range of its one feature, on top of the rows."}
	lo, hi := extent(a.seen.X, a.rows.X)
	rows := make([][]float64, curvePoints)
	x := make([]float64, curvePoints)
	for i := range rows {
		x[i] = lo + (hi-lo)*float64(i)/(curvePoints-1)
		rows[i] = x[i : i+1]
	}
	p, err := a.model.Predict(rows)
	if err != nil {
		return nil, err
	}
	c.Lines = []line{{Name: "prediction", X: x, Y: p.Values, Color: modelColor}}
	c.Clouds = append(a.seenCloud(a.seen.X, a.seen.Y), a.otherCloud(a.rows.X, a.rows.Y))
	return c, nil
}

func (a *answers) targets() (*chart, error) {
	name := a.rows.TargetName
	c := &chart{ID: "targets", Title: "Predictions against targets", X: axis{Label: "target: " + name}, Y: axis{Label: "prediction: " + name},
		Note: "The nearer a row is to the line, the better its prediction."}
	training, err := a.model.Evaluate(a.seen)
	if err != nil {
		return nil, err
	}
	lo, hi := extent(a.rows.Y, a.seen.Y)
	c.Lines = []line{{Name: "prediction = target", X: []float64{lo, hi}, Y: []float64{lo, hi}, Color: modelColor}}
	c.Clouds = append(a.seenCloud(a.seen.Y, training.Predictions.Values), a.otherCloud(a.rows.Y, a.Predictions.Values))
	return c, nil
}

// seenCloud shows the training rows, unless they are all that there is.
func (a *answers) seenCloud(x, y []float64) []cloud {
	if a.rows == a.seen {
		return nil
	}
	return []cloud{{Name: "training row", X: x, Y: y, Color: seenColor, Small: true}}
}

func (a *answers) otherCloud(x, y []float64) cloud {
	p := cloud{Name: a.part + " row", X: x, Y: y, Color: otherColor, Shape: otherShape}
	for i := range x {
		p.Notes = append(p.Notes, a.deviation(i))
	}
	return p
}

// extent is the range of all values.
func extent(sets ...[]float64) (lo, hi float64) {
	first := true
	for _, set := range sets {
		for _, v := range set {
			if first {
				lo, hi, first = v, v, false
			}
			lo, hi = min(lo, v), max(hi, v)
		}
	}
	return lo, hi
}
