package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/internal/format"
	"github.com/affine-go/affine/train"
	"github.com/affine-go/affine/train/report/chart"
)

// runBody is the page of one run.
type runBody struct {
	Heading, Lead, Outcome string
	Good                   bool // it came to its end as it should
	Missing                []string
	Tiles                  []tile
	Command                string
	Learning               []drawing
	Picture                *drawing
	Confusion              *confusion
	Mistakes               *mistakes
	NoMistakes             string // a sentence, if there are none
	Parts                  *table
	Facts                  []facts
}

// WriteRun writes the page of one run: what was trained and how to repeat it,
// how it learned, what it learned, where it is wrong, and how long it took. Call
// [Run.Complete] before for all that takes the model.
func WriteRun(w io.Writer, r *Run, o Options) error {
	b := runBody{Heading: r.Config.Dataset, Outcome: r.outcome(), Good: r.Metrics != nil && r.Metrics.StoppingReason != train.ReasonNotFinite && r.Metrics.StoppingReason != train.ReasonDiverged,
		Tiles: r.tiles(), Command: o.repeat(r.Config)}
	var err error
	if b.Learning, err = drawAll(r.learning()); err != nil {
		return fmt.Errorf("report %s: %w", r.Name, err)
	}
	if err := b.addAnswers(r); err != nil {
		return fmt.Errorf("report %s: %w", r.Name, err)
	}
	if r.Metrics != nil {
		b.Parts = r.parts()
		b.Facts = append(b.Facts, r.timing())
		if r.Metrics.Environment != nil {
			b.Facts = append(b.Facts, environment(r.Metrics.Environment))
		}
	}
	b.Facts = append(b.Facts, settings(&r.Config)...)
	b.Lead, b.Missing = r.lead(), r.Missing
	return write(w, "run.html", r.Config.Dataset+": training run "+r.Name, "training run · "+r.Name, b)
}

// addAnswers shows what the model says.
func (b *runBody) addAnswers(r *Run) error {
	a := r.answers()
	if a == nil {
		return nil
	}
	c, err := a.picture()
	if err == nil && c != nil {
		var d drawing
		d, err = c.draw()
		b.Picture = &d
	}
	if err != nil {
		r.miss("The picture of what the model learned cannot be drawn: %v.", err)
	}
	if a.rows.Task == datasets.Classification {
		b.Confusion = newConfusion(a.part, a.rows.Classes, a.Confusion)
	}
	if b.Mistakes, err = a.mistakes(); err != nil {
		return err
	}
	if b.Mistakes == nil {
		b.NoMistakes = fmt.Sprintf("There are none: all %s are predicted right.", format.Plural(a.rows.Len(), a.part+" row"))
	}
	return nil
}

// outcome says how the run ended.
func (r *Run) outcome() string {
	switch {
	case r.Metrics == nil && r.History == nil:
		return "unfinished"
	case r.Metrics == nil:
		return fmt.Sprintf("unfinished: %d of %s are done", len(r.epochs()), format.Plural(r.Config.Epochs, "epoch"))
	case strings.Contains(r.Metrics.StoppingDetail, r.Metrics.StoppingReason):
		return r.Metrics.StoppingDetail
	}
	return r.Metrics.StoppingReason + ": " + r.Metrics.StoppingDetail
}

// lead says in a sentence what was trained.
func (r *Run) lead() string {
	c := &r.Config
	layers := "fused linear layers"
	if c.Impl == train.Builtin {
		layers = "layers of Gorgonia’s built-in ops"
	}
	units := ""
	if r.Model != nil {
		spec := r.Model.Spec()
		units = " of " + strings.Join(words(slices.Concat([]int{spec.Inputs}, spec.Hidden, []int{spec.Outputs})), "-") + " units"
	}
	between := ""
	if len(c.Hidden) > 0 {
		between = " with " + c.Activation + " between them"
	}
	rows := ""
	if r.Rows != nil {
		rows = " on " + format.Plural(r.Rows.Train.Len(), "row")
	}
	return fmt.Sprintf("A network%s, made of %s%s, trained with %s%s.", units, layers, between, c.Optimizer, rows)
}

func (r *Run) tiles() []tile {
	m := r.Metrics
	if m == nil {
		return nil
	}
	tiles := []tile{
		{"test " + scoreName(m.Task), format.Score(r.score()), ""},
		{"test loss", format.Known(m.TestLoss), lossName(m.Task)},
	}
	if m.TestMAE != nil {
		tiles = append(tiles, tile{"test MAE", format.Number(*m.TestMAE), "mean absolute error"})
	}
	best := tile{"best epoch", "–", "of " + format.Count(m.Epochs)}
	if m.BestEpoch > 0 {
		best.Value = format.Count(m.BestEpoch)
	}
	return append(tiles, best,
		tile{"parameters", format.Count(m.Parameters), m.Dtype},
		tile{"median step", format.Microseconds(m.StepMicroseconds), format.Plural(r.Config.Batch, "row") + " a step"},
		tile{"training time", format.Seconds(m.WallSeconds), format.Plural(m.Steps, "step")})
}

// captioned is a chart with what a page says besides.
type captioned struct {
	file, note string
	chart.XY
}

func (c *captioned) draw() (drawing, error) {
	return draw(strings.TrimSuffix(c.file, ".svg"), c.note, c.XY)
}

func drawAll(charts []captioned) ([]drawing, error) {
	var list []drawing
	for _, c := range charts {
		d, err := c.draw()
		if err != nil {
			return nil, err
		}
		list = append(list, d)
	}
	return list, nil
}

// learning are the curves over the epochs.
func (r *Run) learning() []captioned {
	epochs := r.epochs()
	if len(epochs) == 0 {
		if r.History != nil {
			r.miss("No epoch is finished: there are no curves.")
		}
		return nil
	}
	loss := chart.Curves{Title: "Loss", Measure: lossName(r.task()), Log: true}
	name := scoreName(r.task())
	score := chart.Curves{Title: strings.ToUpper(name[:1]) + name[1:], Measure: scoreLabel(r.task())}
	if r.Metrics != nil {
		loss.Best = float64(r.Metrics.BestEpoch)
		score.Best = loss.Best
	}
	var rate []float64
	validated := false
	for _, e := range epochs {
		loss.Epochs, rate = append(loss.Epochs, float64(e.Epoch)), append(rate, e.LR)
		loss.Train, loss.Validation = append(loss.Train, e.TrainLoss), append(loss.Validation, e.ValLoss)
		score.Train, score.Validation = append(score.Train, e.TrainMetric), append(score.Validation, e.ValMetric)
		validated = validated || finite(e.ValLoss)
	}
	score.Epochs = loss.Epochs
	note := "Of the training rows while they were trained on; of the validation rows at the end of each epoch."
	if !validated {
		note = "Of the training rows while they were trained on; there are no validation rows."
	}
	curves, _ := loss.XY()
	list := []captioned{{"loss.svg", note, curves}}
	if curves, _ = score.XY(); len(curves.Lines) > 0 {
		list = append(list, captioned{"score.svg", "At the end of each epoch; of the training rows, of 2,000 evenly picked ones if there are more.", curves})
	}
	if slices.Min(rate) < slices.Max(rate) {
		list = append(list, captioned{"rate.svg", "Of the last step of each epoch.", chart.XY{Title: "Learning rate",
			X: curves.X, Y: chart.Axis{Label: "learning rate (no unit)"}, Lines: []chart.Line{{Name: "learning rate", X: loss.Epochs, Y: rate, Color: 4}}}})
	}
	return list
}

// parts is how good the best weights are on each part.
func (r *Run) parts() *table {
	m := r.Metrics
	t := &table{Caption: "Of the best epoch’s weights; the loss is the " + lossName(m.Task) + ".", Headings: []string{"part", "rows", "loss", scoreName(m.Task)}}
	var of datasets.Parts
	if r.Rows != nil {
		of = *r.Rows
	}
	for _, p := range []struct {
		name               string
		rows               *datasets.Dataset
		loss, accuracy, r2 *float64
	}{
		{"training", of.Train, m.TrainLoss, m.TrainAccuracy, m.TrainR2},
		{"validation", of.Validation, m.ValLoss, m.ValAccuracy, m.ValR2},
		{"test", of.Test, m.TestLoss, m.TestAccuracy, m.TestR2},
	} {
		rows := "–"
		if p.rows != nil {
			rows = format.Count(p.rows.Len())
		}
		value := p.accuracy
		if value == nil {
			value = p.r2
		}
		t.Rows = append(t.Rows, []string{p.name, rows, format.Known(p.loss), format.Score(value)})
	}
	return t
}

// Throughput is how many rows a run trained on in a second of its training
// time, validation included; 0 if it took no step. The command's progress and
// summary tell the same. trainRows is the number of rows in an epoch.
func Throughput(m *train.Metrics, batch, trainRows int) float64 {
	epochSteps := (trainRows + batch - 1) / batch
	if m.WallSeconds <= 0 || epochSteps == 0 {
		return 0
	}
	rows := m.Steps/epochSteps*trainRows + m.Steps%epochSteps*batch
	return float64(rows) / m.WallSeconds
}

// timing is how long the training took.
func (r *Run) timing() facts {
	m := r.Metrics
	f := facts{Title: "Timing"}
	f.add("training", format.Seconds(m.WallSeconds))
	f.add("steps", fmt.Sprintf("%s in %s", format.Count(m.Steps), format.Plural(m.Epochs, "epoch")))
	f.add("median step", format.Microseconds(m.StepMicroseconds))
	if r.Rows != nil && r.Rows.Train != nil {
		if rows := Throughput(m, r.Config.Batch, r.Rows.Train.Len()); rows > 0 {
			f.add("throughput, with validation", format.Rate(rows)+" rows/s")
		}
	}
	if n := len(r.epochs()); n > 0 && r.epochs()[n-1].Wall > 0 {
		f.add("mean epoch, with validation", format.Microseconds(1e6*r.epochs()[n-1].Wall/float64(n)))
	}
	return f
}
