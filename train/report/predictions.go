package report

import (
	"fmt"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/internal/format"
	"github.com/affine-go/affine/train"
	"github.com/affine-go/affine/train/report/chart"
)

// answers are a model's predictions for the rows that a page shows them on.
type answers struct {
	model *train.Predictor
	part  string // "test", or another part if there are no test rows
	rows  *datasets.Dataset
	seen  *datasets.Dataset // the training part
	*train.Evaluation

	drawn *captioned // the picture, once it has been drawn
}

// answers asks the model about the test rows, or about the validation or
// training rows if there are no others. It returns nil, and a note in
// Missing, if that cannot be done.
func (r *Run) answers() *answers {
	if r.asked != nil || r.Model == nil || r.Rows == nil {
		return r.asked
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
	r.asked = a
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
	return format.Percent(p) + " %"
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
	return fmt.Sprintf("%s: target %s, predicted %s, off by %s", a.row(i), format.Number(target), format.Number(value), format.Number(value-target))
}

// picture shows what the model learned: the regions of the classes of two
// features, the curve of one feature, or predictions against targets. For
// classes of other numbers of features there is none, nil.
func (a *answers) picture() (*captioned, error) {
	if a.drawn != nil {
		return a.drawn, nil
	}
	c := &captioned{}
	var err error
	switch d := a.rows; {
	case d.Task == datasets.Classification && d.Inputs() == 2 && d.ImageShape == [2]int{}:
		c.file, c.note = "boundary.svg", "Each region has the colour of the class that the model gives to it, stronger where the model is surer."
		c.XY, err = a.boundary().XY()
	case d.Task == datasets.Regression && d.Inputs() == 1:
		c.file, c.note = "fit.svg", "What the model predicts over the range of its one feature, on top of the rows."
		c.XY, err = a.curve().XY()
	case d.Task == datasets.Regression:
		c.file, c.note = "predictions.svg", "The nearer a row is to the line, the better its prediction."
		var targets chart.Targets
		if targets, err = a.targets(); err == nil {
			c.XY, err = targets.XY()
		}
	default:
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	a.drawn = c
	return c, nil
}

// notes tell what the model makes of each row.
func (a *answers) notes(tell func(i int) string) []string {
	list := make([]string, a.rows.Len())
	for i := range list {
		list[i] = tell(i)
	}
	return list
}

// trainingRows are those that the model was trained on, unless they are all
// that there is.
func (a *answers) trainingRows() *datasets.Dataset {
	if a.rows == a.seen {
		return &datasets.Dataset{}
	}
	return a.seen
}

func (a *answers) boundary() chart.Boundary {
	d := a.rows
	points := func(d *datasets.Dataset) chart.Points {
		if d.Inputs() == 0 {
			return chart.Points{}
		}
		return chart.Points{X: column(d, 0), Y: column(d, 1), Class: classOf(d)}
	}
	return chart.Boundary{
		Title: "Decision boundary", XLabel: d.Features[0], YLabel: d.Features[1], Classes: d.Classes,
		Train: points(a.trainingRows()), Test: points(d), TestName: a.part + " row",
		Predicted: a.Predictions.Classes, Notes: a.notes(a.verdict),
		Predict: func(points [][2]float64) ([][]float64, error) {
			rows := make([][]float64, len(points))
			for i := range points {
				rows[i] = points[i][:]
			}
			p, err := a.model.Predict(rows)
			if err != nil {
				return nil, err
			}
			return p.Probabilities, nil
		},
	}
}

func (a *answers) curve() chart.Curve {
	train := a.trainingRows()
	return chart.Curve{
		Title: "Fitted curve", XLabel: a.rows.Features[0], YLabel: a.rows.TargetName,
		Train: chart.Pairs{X: train.X, Y: train.Y}, Test: chart.Pairs{X: a.rows.X, Y: a.rows.Y}, TestName: a.part + " row", Notes: a.notes(a.deviation),
		Predict: func(x []float64) ([]float64, error) {
			rows := make([][]float64, len(x))
			for i := range x {
				rows[i] = x[i : i+1]
			}
			p, err := a.model.Predict(rows)
			if err != nil {
				return nil, err
			}
			return p.Values, nil
		},
	}
}

func (a *answers) targets() (chart.Targets, error) {
	t := chart.Targets{
		Title: "Predictions against targets", Target: a.rows.TargetName, TestName: a.part + " row", Notes: a.notes(a.deviation),
		Test: chart.Pairs{X: a.rows.Y, Y: a.Predictions.Values},
	}
	if a.rows != a.seen {
		training, err := a.model.Evaluate(a.seen)
		if err != nil {
			return t, err
		}
		t.Train = chart.Pairs{X: a.seen.Y, Y: training.Predictions.Values}
	}
	return t, nil
}

// column returns a feature of all rows.
func column(d *datasets.Dataset, feature int) []float64 {
	values := make([]float64, d.Len())
	for i := range values {
		values[i] = d.Row(i)[feature]
	}
	return values
}

// classOf returns the class of each row; for regression, 0.
func classOf(d *datasets.Dataset) []int {
	classes := make([]int, d.Len())
	if d.Task == datasets.Classification {
		for i, y := range d.Y {
			classes[i] = int(y)
		}
	}
	return classes
}
