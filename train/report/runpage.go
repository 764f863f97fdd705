package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/train"
	"github.com/affine-go/affine/train/charts"
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
	NoMistakes             string // a sentence, where there are none
	Parts                  *table
	Facts                  []facts
}

// WriteRun writes the page of one run: what was trained and how to repeat it,
// how it learned, what it learned, where it is wrong, and how long it took. Call
// [Run.Complete] before for all that takes the model.
func WriteRun(w io.Writer, r *Run, o Options) error {
	b := runBody{Heading: r.Config.Dataset, Outcome: r.outcome(), Good: r.Metrics != nil && r.Metrics.StoppingReason != train.ReasonNotFinite,
		Tiles: r.tiles(), Command: o.repeat(r.Config)}
	for _, c := range r.learning() {
		b.Learning = append(b.Learning, draw(c))
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
	if err != nil {
		r.miss("The picture of what the model learned cannot be drawn: %v.", err)
	} else if c != nil {
		d := draw(*c)
		b.Picture = &d
	}
	if a.rows.Task == datasets.Classification {
		b.Confusion = newConfusion(a.part, a.rows.Classes, a.Confusion)
	}
	if b.Mistakes, err = a.mistakes(); err != nil {
		return err
	}
	if b.Mistakes == nil {
		b.NoMistakes = fmt.Sprintf("There are none: all %s are predicted right.", plural(a.rows.Len(), a.part+" row"))
	}
	return nil
}

// outcome says how the run ended.
func (r *Run) outcome() string {
	switch {
	case r.Metrics == nil && r.History == nil:
		return "unfinished"
	case r.Metrics == nil:
		return fmt.Sprintf("unfinished: %d of %s are done", len(r.epochs()), plural(r.Config.Epochs, "epoch"))
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
		rows = " on " + plural(r.Rows.Train.Len(), "row")
	}
	return fmt.Sprintf("A network%s, made of %s%s, trained with %s%s.", units, layers, between, c.Optimizer, rows)
}

func (r *Run) tiles() []tile {
	m := r.Metrics
	if m == nil {
		return nil
	}
	tiles := []tile{
		{"test " + scoreName(m.Task), score(r.score()), ""},
		{"test loss", known(m.TestLoss), lossName(m.Task)},
	}
	if m.TestMAE != nil {
		tiles = append(tiles, tile{"test MAE", number(*m.TestMAE), "mean absolute error"})
	}
	best := tile{"best epoch", "–", "of " + count(m.Epochs)}
	if m.BestEpoch > 0 {
		best.Value = count(m.BestEpoch)
	}
	return append(tiles, best,
		tile{"parameters", count(m.Parameters), m.Dtype},
		tile{"median step", microseconds(m.StepMicroseconds), plural(r.Config.Batch, "row") + " a step"},
		tile{"training time", seconds(m.WallSeconds), plural(m.Steps, "step")})
}

// learning are the curves over the epochs.
func (r *Run) learning() []chart {
	epochs := r.epochs()
	if len(epochs) == 0 {
		if r.History != nil {
			r.miss("No epoch is finished: there are no curves.")
		}
		return nil
	}
	var x, rate, trainLoss, valLoss, valScore []float64
	validated := false
	for _, e := range epochs {
		x, rate, trainLoss = append(x, float64(e.Epoch)), append(rate, e.LR), append(trainLoss, e.TrainLoss)
		valLoss, valScore = append(valLoss, e.ValLoss), append(valScore, e.ValMetric)
		validated = validated || finite(e.ValLoss)
	}
	across := axis{Label: "epoch", Whole: true, Tight: true}
	var best *mark
	if r.Metrics != nil && r.Metrics.BestEpoch > 0 {
		best = &mark{float64(r.Metrics.BestEpoch), "best epoch, whose weights are kept"}
	}
	loss := chart{ID: "loss", Title: "Loss", X: across, Y: axis{Label: lossName(r.task())}, Mark: best,
		Note: "Of the training rows while they were trained on; of the validation rows at the end of each epoch."}
	loss.Lines = []line{{Name: "training", X: x, Y: trainLoss, Color: 0}}
	if !validated {
		loss.Note = "Of the training rows while they were trained on; there are no validation rows."
		loss.Y.Log = charts.WantsLog(trainLoss)
		return append([]chart{loss}, rateChart(across, x, rate)...)
	}
	loss.Lines = append(loss.Lines, line{Name: "validation", X: x, Y: valLoss, Color: 1})
	loss.Y.Log = charts.WantsLog(trainLoss, valLoss)
	name := scoreName(r.task())
	metric := chart{ID: "score", Title: strings.ToUpper(name[:1]) + name[1:], X: across, Y: axis{Label: scoreLabel(r.task())}, Mark: best,
		Note:  "Of the validation rows at the end of each epoch.",
		Lines: []line{{Name: "validation", X: x, Y: valScore, Color: 1}}}
	return append([]chart{loss, metric}, rateChart(across, x, rate)...)
}

// rateChart shows a learning rate that changes.
func rateChart(across axis, x, rate []float64) []chart {
	if slices.Min(rate) == slices.Max(rate) {
		return nil
	}
	return []chart{{ID: "rate", Title: "Learning rate", Note: "Of the last step of each epoch.", X: across,
		Y: axis{Label: "learning rate (no unit)"}, Lines: []line{{Name: "learning rate", X: x, Y: rate, Color: 4}}}}
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
			rows = count(p.rows.Len())
		}
		value := p.accuracy
		if value == nil {
			value = p.r2
		}
		t.Rows = append(t.Rows, []string{p.name, rows, known(p.loss), score(value)})
	}
	return t
}

// timing is how long the training took.
func (r *Run) timing() facts {
	m := r.Metrics
	f := facts{Title: "Timing"}
	f.add("training", seconds(m.WallSeconds))
	f.add("steps", fmt.Sprintf("%s in %s", count(m.Steps), plural(m.Epochs, "epoch")))
	f.add("median step", microseconds(m.StepMicroseconds))
	if m.StepMicroseconds > 0 {
		f.add("rows a second, median step", pace(1e6*float64(r.Config.Batch)/m.StepMicroseconds))
	}
	if n := len(r.epochs()); n > 0 && r.epochs()[n-1].Wall > 0 {
		f.add("mean epoch, with validation", microseconds(1e6*r.epochs()[n-1].Wall/float64(n)))
	}
	return f
}
