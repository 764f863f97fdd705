package report

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/internal/format"
	"github.com/affine-go/affine/train"
	"github.com/affine-go/affine/train/report/chart"
)

// plotNames are the files that SavePlots may write.
var plotNames = []string{"loss.svg", "score.svg", "rate.svg", "fit.svg", "predictions.svg", "confusion.svg", "samples.svg", "mistakes.svg", "boundary.svg"}

// SavePlots draws what the page of the run shows into its directory, one file
// each: the curves of the training; for classification the confusion matrix,
// for two features the decision boundary and for images samples and the worst
// mistakes; for regression the fitted curve of one feature or predictions
// against targets. Plots of another run that was there are taken away. Call
// [Run.Complete] before for all that takes the model.
func (r *Run) SavePlots() error {
	plots, err := r.Plots()
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	if err := RemovePlots(r.Name); err != nil {
		return err
	}
	for name, c := range plots {
		if err := chart.Save(filepath.Join(r.Name, name), c); err != nil {
			return fmt.Errorf("report: %w", err)
		}
	}
	return nil
}

// RemovePlots removes what SavePlots may have written into a directory.
func RemovePlots(dir string) error {
	for _, name := range plotNames {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("report: remove an earlier plot: %w", err)
		}
	}
	return nil
}

// Plots returns the charts by the names of their files. Alone in a file, a chart
// says what it is about.
func (r *Run) Plots() (map[string]chart.Chart, error) {
	name := r.Config.Dataset
	all := map[string]chart.Chart{}
	for _, c := range r.learning() {
		all[c.file] = c.titled(name, r.training())
	}
	a := r.answers()
	if a == nil || a.part != "test" { // a file does not say for whom its numbers are good
		return all, nil
	}
	name = a.rows.Name
	picture, err := a.picture()
	if err != nil {
		return nil, err
	}
	if picture != nil {
		all[picture.file] = picture.titled(name, a.score())
	}
	if a.rows.Task != datasets.Classification {
		return all, nil
	}
	all["confusion.svg"] = chart.Confusion{Title: name + ": confusion matrix", Subtitle: a.score(), Classes: a.rows.Classes, Counts: a.Confusion}
	if a.rows.ImageShape != [2]int{} {
		first := make([]int, a.rows.Len())
		for i := range first {
			first[i] = i
		}
		all["samples.svg"] = a.pictures(name+": first "+a.part+" rows", a.score(), first)
		if wrong := a.wrong(); len(wrong) > 0 {
			all["mistakes.svg"] = a.pictures(name+": worst mistakes",
				fmt.Sprintf("%s of %s are wrong; surest first", format.Count(len(wrong)), format.Plural(a.rows.Len(), a.part+" row")), wrong)
		}
	}
	return all, nil
}

// titled is the chart as it stands alone.
func (c captioned) titled(name, subtitle string) chart.XY {
	c.Title, c.Subtitle = name+": "+lower(c.Title), subtitle
	return c.XY
}

// training says in a line how the run was trained.
func (r *Run) training() string {
	c := &r.Config
	return fmt.Sprintf("hidden %s %s; %s, learning rate %s, batch %s", widths(c.Hidden), c.Activation, c.Optimizer, format.Exact(c.LR), format.Count(c.Batch))
}

// score says in a line how good the answers are.
func (a *answers) score() string {
	rows := format.Plural(a.Rows, a.part+" row")
	if a.rows.Task == datasets.Regression {
		return fmt.Sprintf("R² %s, mean absolute error %s on %s", format.Score(&a.R2), format.Number(a.MAE), rows)
	}
	return fmt.Sprintf("accuracy %s on %s", format.Score(&a.Accuracy), rows)
}

func (a *answers) pictures(title, subtitle string, rows []int) chart.Pictures {
	c := chart.Pictures{Title: title, Subtitle: subtitle, Height: a.rows.ImageShape[0], Width: a.rows.ImageShape[1]}
	for _, row := range rows[:min(mostPictures, len(rows))] {
		c.Pictures = append(c.Pictures, chart.Picture{
			Pixels: a.rows.Row(row), True: a.rows.Classes[a.class(row)],
			Predicted: a.rows.Classes[a.predicted(row)], Probability: a.probability(row),
		})
	}
	return c
}

// SavePlots draws what the page of the comparison shows into a directory, and
// returns the names of the files.
func (c *Comparison) SavePlots(dir string) (written []string, err error) {
	r := c.Result
	list, err := comparisonCharts(r)
	if err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	subtitle := fmt.Sprintf("%s of %s, %s, machine %s; medians %s and %s, a ratio of %s", format.Plural(r.Steps, "step"), format.Plural(r.Batch, "row"), r.Dtype, r.Machine,
		format.Microseconds(r.Fused.StepMicroseconds), format.Microseconds(r.Builtin.StepMicroseconds), format.Short(r.Speedup))
	for _, plot := range list {
		if err := chart.Save(filepath.Join(dir, plot.file), plot.titled(r.Dataset, subtitle)); err != nil {
			return nil, fmt.Errorf("report: %w", err)
		}
		written = append(written, plot.file)
	}
	return written, nil
}

// LRCurveChart shows a learning-rate range test on a dataset.
func LRCurveChart(dataset string, c *train.LRCurve) chart.Chart {
	// Losses that grow without bounds would leave no room for the others.
	top := 1.5 * slices.Max(c.Smoothed[:(len(c.Smoothed)+1)/2])
	shown := func(losses []float64) []float64 {
		kept := slices.Clone(losses)
		for i, loss := range kept {
			if loss > top {
				kept[i] = math.NaN()
			}
		}
		return kept
	}
	xy := chart.XY{
		Title: dataset + ": learning rates", Subtitle: "loss of a training whose learning rate grows from step to step",
		X: chart.Axis{Label: "learning rate", Log: true, Tight: true}, Y: chart.Axis{Label: "loss"},
		Lines: []chart.Line{
			{Name: "moving average", X: c.Rates, Y: shown(c.Smoothed)},
			{Name: "each step", X: c.Rates, Y: shown(c.Losses), Color: 1, Guide: true},
		},
	}
	if c.Suggested > 0 {
		xy.Mark = &chart.Mark{X: c.Suggested, Name: "suggested: " + format.Short(c.Suggested)}
	}
	return xy
}
