package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/train"
	"github.com/affine-go/affine/train/charts"
)

// savePlots draws what there is to see of a run into its directory: the losses
// always; for classification the confusion matrix, for two features the
// decision boundary and for images samples and the worst mistakes; for
// regression the fitted curve of one feature or predictions against targets.
// Plots of another run that was there are taken away.
func savePlots(run *train.Run, parts datasets.Parts) error {
	p := &plotter{run: run, parts: parts}
	all := map[string]func() (charts.Chart, error){"loss.svg": p.losses}
	if parts.Test.Len() > 0 {
		var err error
		if p.test, err = run.Evaluate(parts.Test); err != nil {
			return err
		}
		switch d := parts.Train; {
		case d.Task == datasets.Regression && d.Inputs() == 1:
			all["fit.svg"] = p.curve
		case d.Task == datasets.Regression:
			all["predictions.svg"] = p.targets
		case d.ImageShape != [2]int{}:
			all["confusion.svg"] = p.confusion
			all["samples.svg"] = p.samples
			all["mistakes.svg"] = p.mistakes
		case d.Inputs() == 2:
			all["confusion.svg"] = p.confusion
			all["boundary.svg"] = p.boundary
		default:
			all["confusion.svg"] = p.confusion
		}
	}
	if err := removePlots(run.Dir); err != nil {
		return err
	}
	for name, draw := range all {
		chart, err := draw()
		if err != nil {
			return fmt.Errorf("draw %s: %w", name, err)
		}
		if chart == nil {
			continue
		}
		if err := charts.Save(filepath.Join(run.Dir, name), chart); err != nil {
			return err
		}
	}
	return nil
}

// removePlots removes every plot that savePlots may have drawn.
func removePlots(dir string) error {
	for _, name := range []string{"loss", "fit", "predictions", "confusion", "samples", "mistakes", "boundary"} {
		err := os.Remove(filepath.Join(dir, name+".svg"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove an earlier plot: %w", err)
		}
	}
	return nil
}

// plotter turns a run into charts.
type plotter struct {
	run   *train.Run
	parts datasets.Parts
	test  *train.Evaluation
}

func (p *plotter) title(what string) string { return p.parts.Train.Name + ": " + what }

// score is the test part's, for subtitles.
func (p *plotter) score() string {
	if p.parts.Train.Task == datasets.Regression {
		return fmt.Sprintf("R² %.4f, mean absolute error %.4g on %d test rows", p.test.R2, p.test.MAE, p.test.Rows)
	}
	return fmt.Sprintf("accuracy %.4f on %d test rows", p.test.Accuracy, p.test.Rows)
}

func (p *plotter) losses() (charts.Chart, error) {
	c := &p.run.Config
	chart := charts.Losses{
		Title:    p.title("loss by epoch"),
		Subtitle: fmt.Sprintf("hidden %s %s; %s", widthList(c.Hidden), c.Activation, trainingLine(c)),
		Loss:     "cross-entropy (nats)", Best: float64(p.run.Metrics.BestEpoch),
	}
	if p.parts.Train.Task == datasets.Regression {
		chart.Loss = "mean squared error (target variances)"
	}
	for _, e := range p.run.History.Epochs {
		chart.Epochs = append(chart.Epochs, float64(e.Epoch))
		chart.Train = append(chart.Train, e.TrainLoss)
		chart.Validation = append(chart.Validation, e.ValLoss)
	}
	return chart, nil
}

func (p *plotter) confusion() (charts.Chart, error) {
	return charts.Confusion{Title: p.title("confusion matrix"), Subtitle: p.score(),
		Classes: p.parts.Train.Classes, Counts: p.test.Confusion}, nil
}

func (p *plotter) boundary() (charts.Chart, error) {
	d := p.parts.Train
	return charts.Boundary{
		Title: p.title("decision boundary"), Subtitle: p.score() + "; regions are paler where the model is less sure",
		XLabel: d.Features[0], YLabel: d.Features[1], Classes: d.Classes,
		Train: points(d), Test: points(p.parts.Test), Predicted: p.test.Predictions.Classes,
		Predict: func(points [][2]float64) ([][]float64, error) {
			rows := make([][]float64, len(points))
			for i := range points {
				rows[i] = points[i][:]
			}
			predictions, err := p.run.Predict(rows)
			if err != nil {
				return nil, err
			}
			return predictions.Probabilities, nil
		},
	}, nil
}

func points(d *datasets.Dataset) charts.Points {
	return charts.Points{X: column(d, 0), Y: column(d, 1), Class: classOf(d)}
}

func (p *plotter) curve() (charts.Chart, error) {
	d := p.parts.Train
	return charts.Curve{
		Title: p.title("fitted curve"), Subtitle: p.score(), XLabel: d.Features[0], YLabel: d.TargetName,
		Train: charts.Pairs{X: d.X, Y: d.Y}, Test: charts.Pairs{X: p.parts.Test.X, Y: p.parts.Test.Y},
		Predict: func(x []float64) ([]float64, error) {
			rows := make([][]float64, len(x))
			for i := range x {
				rows[i] = x[i : i+1]
			}
			predictions, err := p.run.Predict(rows)
			if err != nil {
				return nil, err
			}
			return predictions.Values, nil
		},
	}, nil
}

func (p *plotter) targets() (charts.Chart, error) {
	d := p.parts.Train
	training, err := p.run.Evaluate(d)
	if err != nil {
		return nil, err
	}
	return charts.Targets{
		Title: p.title("predictions against targets"), Subtitle: p.score(), Target: d.TargetName,
		Train: charts.Pairs{X: d.Y, Y: training.Predictions.Values},
		Test:  charts.Pairs{X: p.parts.Test.Y, Y: p.test.Predictions.Values},
	}, nil
}

// mostPictures is how many images a plot shows.
const mostPictures = 24

func (p *plotter) samples() (charts.Chart, error) {
	rows := make([]int, min(mostPictures, p.test.Rows))
	for i := range rows {
		rows[i] = i
	}
	return p.pictures("first test rows", p.score(), rows), nil
}

// mistakes shows the wrong test rows that the model was surest of. There is no
// such plot where it made none.
func (p *plotter) mistakes() (charts.Chart, error) {
	var wrong []int
	for i, class := range p.test.Predictions.Classes {
		if class != int(p.parts.Test.Y[i]) {
			wrong = append(wrong, i)
		}
	}
	if len(wrong) == 0 {
		return nil, nil
	}
	slices.SortStableFunc(wrong, func(a, b int) int { return cmp.Compare(p.probability(b), p.probability(a)) })
	return p.pictures("worst mistakes", fmt.Sprintf("%d of %d test rows are wrong; surest first", len(wrong), p.test.Rows),
		wrong[:min(mostPictures, len(wrong))]), nil
}

// probability is what the model gives to the class that it predicts.
func (p *plotter) probability(row int) float64 {
	return p.test.Predictions.Probabilities[row][p.test.Predictions.Classes[row]]
}

func (p *plotter) pictures(what, subtitle string, rows []int) charts.Chart {
	d := p.parts.Test
	chart := charts.Pictures{Title: p.title(what), Subtitle: subtitle, Height: d.ImageShape[0], Width: d.ImageShape[1]}
	for _, row := range rows {
		chart.Pictures = append(chart.Pictures, charts.Picture{
			Pixels: d.Row(row), True: d.Classes[int(d.Y[row])],
			Predicted: d.Classes[p.test.Predictions.Classes[row]], Probability: p.probability(row),
		})
	}
	return chart
}
