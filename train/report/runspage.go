package report

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/internal/format"
	"github.com/affine-go/affine/train/report/chart"
)

// runsBody is the page that compares runs.
type runsBody struct {
	Heading, Lead string
	Missing       []string
	Notes         []string
	Table         table
	Charts        []drawing
	Same          facts // settings that all runs share
	Commands      []fact
}

// WriteRuns writes the page that compares runs: their settings if they
// differ and their results in one table, and their losses in one chart for each
// task, as losses of different tasks have different units.
func WriteRuns(w io.Writer, runs []*Run, o Options) error {
	if len(runs) == 0 {
		return fmt.Errorf("report: no runs to compare, want at least one")
	}
	b := runsBody{Heading: format.Plural(len(runs), "run") + " compared", Same: facts{Title: "The same in all"}}
	differing := b.split(runs)
	b.Table = runsTable(runs, differing)
	for _, r := range runs {
		for _, missing := range r.Missing {
			b.Missing = append(b.Missing, r.Name+": "+missing)
		}
		if len(r.epochs()) == 0 && r.History != nil {
			b.Missing = append(b.Missing, r.Name+": no epoch is finished: it is in no chart.")
		}
		if command := o.repeat(r.Config); command != "" {
			b.Commands = append(b.Commands, fact{r.Name, command})
		}
	}
	b.describe(runs)
	var err error
	if b.Charts, err = drawAll(runsCharts(runs)); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return write(w, "runs.html", b.Heading, "training runs", b)
}

// split returns the names of the settings in which the runs differ and keeps
// the others.
func (b *runsBody) split(runs []*Run) (differing []string) {
	values := make([]map[string]string, len(runs))
	var names []string
	for i, r := range runs {
		values[i] = map[string]string{}
		for _, group := range settings(&r.Config) {
			for _, f := range group.Facts {
				values[i][f.Name] = f.Value
				if !slices.Contains(names, f.Name) {
					names = append(names, f.Name)
				}
			}
		}
	}
	for _, name := range names {
		same := !slices.ContainsFunc(values, func(v map[string]string) bool { return v[name] != values[0][name] })
		if same {
			b.Same.add(name, values[0][name])
		} else {
			differing = append(differing, name)
		}
	}
	return differing
}

// describe says what the runs are about and what cannot be compared.
func (b *runsBody) describe(runs []*Run) {
	var sources, tasks []string
	for _, r := range runs {
		if !slices.Contains(sources, r.Config.Dataset) {
			sources = append(sources, r.Config.Dataset)
		}
		if task := r.task(); task != datasets.AutoTask && !slices.Contains(tasks, task.String()) {
			tasks = append(tasks, task.String())
		}
	}
	b.Lead = "Trained on " + strings.Join(sources, ", ") + "."
	switch {
	case len(tasks) > 1:
		b.Notes = append(b.Notes, "The runs do different tasks ("+strings.Join(tasks, ", ")+
			"). Their losses and scores have different units and cannot be compared; each task has charts of its own.")
	case len(sources) > 1:
		b.Notes = append(b.Notes, "The runs are trained on different datasets: compare their losses and scores with care.")
	}
}

// runsTable has a column for each run: results, then the settings that differ.
// The best result stands out if there are several runs on the same rows.
func runsTable(runs []*Run, differing []string) table {
	has := func(task datasets.Task) bool {
		return slices.ContainsFunc(runs, func(r *Run) bool { return r.task() == task })
	}
	names := []string{"dataset"}
	if has(datasets.Classification) {
		names = append(names, "test accuracy")
	}
	if has(datasets.Regression) {
		names = append(names, "test R²")
	}
	names = append(names, "test loss", "validation loss", "best epoch", "parameters", "median step", "training time", "ended")
	names = append(names, slices.DeleteFunc(slices.Clone(differing), func(name string) bool { return name == "dataset" })...)

	t := table{Caption: resultsCaption,
		Headings: append([]string{"run"}, labels(runs)...), Best: map[[2]int]bool{}}
	for i, name := range names {
		row := []string{name}
		for _, r := range runs {
			row = append(row, r.cell(name))
		}
		t.Rows = append(t.Rows, row)
		if worth, ok := results[name]; ok {
			markBest(&t, i, runs, worth)
		}
	}
	if len(t.Best) > 0 {
		t.Caption += bestCaption
	}
	return t
}

// What a table of runs says of itself and, if anything stands out, of that.
const (
	resultsCaption = "Results of the weights of each run’s best epoch, the one with the best value of what “best epoch by” names, and the settings that differ."
	bestCaption    = " In bold: the best of the runs with the same rows, the highest accuracy or R², the lowest loss or step time. To choose a run, compare the validation loss; the test part is for a last judgement."
)

// labels are the names of the runs without their folders, if that tells them
// apart.
func labels(runs []*Run) []string {
	var short, long []string
	for _, r := range runs {
		short, long = append(short, filepath.Base(r.Name)), append(long, r.Name)
	}
	if len(slices.Compact(slices.Sorted(slices.Values(short)))) < len(runs) {
		return long
	}
	return short
}

// results are the rows that have a best, with a number that is higher for
// better.
var results = map[string]func(*Run) *float64{
	"validation loss": func(r *Run) *float64 { return negative(r.Metrics.ValLoss) },
	"test loss":       func(r *Run) *float64 { return negative(r.Metrics.TestLoss) },
	"test accuracy":   func(r *Run) *float64 { return r.Metrics.TestAccuracy },
	"test R²":         func(r *Run) *float64 { return r.Metrics.TestR2 },
	"median step":     func(r *Run) *float64 { return negative(&r.Metrics.StepMicroseconds) },
}

func negative(x *float64) *float64 {
	if x == nil {
		return nil
	}
	y := -*x
	return &y
}

// cell is what the table says of a run under a name.
func (r *Run) cell(name string) string {
	values := map[string]string{"ended": r.ending()}
	for _, group := range settings(&r.Config) {
		for _, f := range group.Facts {
			values[f.Name] = f.Value
		}
	}
	if m := r.Metrics; m != nil {
		values["parameters"] = format.Count(m.Parameters)
		values["best epoch"] = fmt.Sprintf("%s of %s", format.Count(m.BestEpoch), format.Count(m.Epochs))
		values["validation loss"], values["test loss"] = format.Known(m.ValLoss), format.Known(m.TestLoss)
		values["test accuracy"], values["test R²"] = format.Score(m.TestAccuracy), format.Score(m.TestR2)
		values["median step"], values["training time"] = format.Microseconds(m.StepMicroseconds), format.Seconds(m.WallSeconds)
	}
	if values[name] == "" {
		return "–"
	}
	return values[name]
}

// ending is the outcome in a word or two.
func (r *Run) ending() string {
	if r.Metrics == nil {
		return "unfinished"
	}
	return r.Metrics.StoppingReason
}

// markBest lets the best of a row stand out, among the runs of each dataset of
// which there are at least two.
func markBest(t *table, row int, runs []*Run, worth func(*Run) *float64) {
	byData := map[string][]int{}
	for i, r := range runs {
		if r.Metrics != nil && worth(r) != nil {
			key := fmt.Sprint(dataFacts(&r.Config))
			byData[key] = append(byData[key], i)
		}
	}
	for _, same := range byData {
		if len(same) < 2 {
			continue
		}
		best := *worth(runs[same[0]])
		for _, i := range same {
			best = max(best, *worth(runs[i]))
		}
		for _, i := range same {
			if *worth(runs[i]) == best {
				t.Best[[2]int{row, i + 1}] = true
			}
		}
	}
}

// runsCharts draws the runs of each task together.
func runsCharts(runs []*Run) []captioned {
	var list []captioned
	names := labels(runs)
	epoch := chart.Axis{Label: "epoch", Whole: true, Tight: true}
	for _, task := range []datasets.Task{datasets.Classification, datasets.Regression} {
		loss := captioned{"loss-" + task.String(), "At the end of each epoch; of a run without validation rows, the training loss.",
			chart.XY{Title: "Validation loss", X: epoch, Y: chart.Axis{Label: lossName(task)}}}
		metric := captioned{"score-" + task.String(), "At the end of each epoch.",
			chart.XY{Title: "Validation " + scoreName(task), X: epoch, Y: chart.Axis{Label: scoreLabel(task)}}}
		var losses [][]float64
		for i, r := range runs {
			if r.task() != task || len(r.epochs()) == 0 {
				continue
			}
			l, s := chart.Line{Name: names[i], Color: i}, chart.Line{Name: names[i], Color: i}
			for _, e := range r.epochs() {
				value := e.ValLoss
				if !finite(value) {
					value = e.TrainLoss
				}
				l.X, l.Y = append(l.X, float64(e.Epoch)), append(l.Y, value)
				if finite(e.ValMetric) {
					s.X, s.Y = append(s.X, float64(e.Epoch)), append(s.Y, e.ValMetric)
				}
			}
			loss.Lines, losses = append(loss.Lines, l), append(losses, l.Y)
			if len(s.X) > 0 {
				metric.Lines = append(metric.Lines, s)
			}
		}
		loss.Y.Log = chart.WantsLog(losses...)
		for _, c := range []captioned{loss, metric} {
			if len(c.Lines) > 0 {
				list = append(list, c)
			}
		}
	}
	return list
}
