package report

import (
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/internal/format"
	"github.com/affine-go/affine/train"
	"github.com/affine-go/affine/train/compare"
	"github.com/affine-go/affine/train/report/chart"
)

// Comparison is a training with the fused op beside one with the built-in ops.
type Comparison struct {
	Result      *compare.Result
	Config      train.Config
	Environment train.Environment
	Command     string // that compares again; may be empty
}

// comparisonBody is the page of a comparison.
type comparisonBody struct {
	Heading, Lead, Verdict string
	Good                   bool
	Tiles                  []tile
	Command                string
	Sides, Samples         table
	Charts                 []drawing
	Facts                  []facts
}

// WriteComparison writes the page of a comparison that compare.Run has just
// made: how far the two trainings are apart, and how long their steps take.
func WriteComparison(w io.Writer, c *Comparison) error {
	r := c.Result
	model, _, _ := strings.Cut(r.Model, ", "+train.Fused)
	b := comparisonBody{
		Heading: r.Dataset + ": fused and built-in", Command: c.Command, Verdict: r.Verdict, Good: !strings.HasPrefix(r.Verdict, "NOT"),
		Lead: fmt.Sprintf("The same model (%s) trained twice, from the same weights on the same batches: with the fused linear op, and with Gorgonia’s built-in ops. %s of %s on each side.",
			model, format.Plural(r.Steps, "step"), format.Plural(r.Batch, "row")),
		Tiles: []tile{
			{"speed-up", format.Ratio(r.Speedup), "median step, built-in over fused"},
			{"largest difference of a loss", format.Number(r.MaxAbsLossDiff), "over all steps"},
			{"largest difference of a weight", format.Number(r.MaxAbsWeightDiff), "after the last step"},
		},
		Sides: sidesTable(r), Samples: samplesTable(r),
		Facts: append([]facts{environment(&c.Environment)}, settings(&c.Config)...),
	}
	list, err := comparisonCharts(r)
	if err == nil {
		b.Charts, err = drawAll(list)
	}
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return write(w, "comparison.html", r.Dataset+": fused and built-in ops compared", "comparison · "+r.Dataset, b)
}

func sidesTable(r *compare.Result) table {
	t := table{Caption: "Ratios are built-in over fused", Headings: []string{"", "fused", "built-in", "ratio"}}
	add := func(name string, fused, builtin float64, write func(float64) string) {
		ratio := "–"
		if fused > 0 {
			ratio = format.Ratio(builtin / fused)
		}
		t.Rows = append(t.Rows, []string{name, write(fused), write(builtin), ratio})
	}
	whole := func(x float64) string { return format.Count(int(math.Round(x))) }
	add("median step", r.Fused.StepMicroseconds, r.Builtin.StepMicroseconds, format.Microseconds)
	add("allocations a step", r.Fused.AllocsPerStep, r.Builtin.AllocsPerStep, whole)
	add("graph nodes", float64(r.Fused.Nodes), float64(r.Builtin.Nodes), whole)
	add("tape instructions", float64(r.Fused.TapeInstructions), float64(r.Builtin.TapeInstructions), whole)
	t.Rows = append(t.Rows, []string{"loss of the last batch", format.Number(r.Fused.FinalLoss), format.Number(r.Builtin.FinalLoss), "–"})
	name := r.Metric
	if name == "r2" {
		name = "R²"
	}
	t.Rows = append(t.Rows, []string{"test " + name, format.Score(r.Fused.TestScore), format.Score(r.Builtin.TestScore), "–"})
	return t
}

func samplesTable(r *compare.Result) table {
	t := table{Caption: "Losses at chosen steps, before the step", Headings: []string{"step", "fused", "built-in", "difference"}}
	for _, s := range r.Samples {
		t.Rows = append(t.Rows, []string{format.Count(s.Step), fmt.Sprintf("%.6f", s.Fused), fmt.Sprintf("%.6f", s.Builtin), format.Difference(s.AbsDiff)})
	}
	return t
}

// comparisonCharts are the losses, their difference and the times of the steps.
func comparisonCharts(r *compare.Result) ([]captioned, error) {
	steps := make([]float64, r.Steps)
	apart := make([]float64, r.Steps)
	for i := range steps {
		steps[i] = float64(i + 1)
		apart[i] = math.Abs(r.Fused.Losses[i] - r.Builtin.Losses[i])
	}
	task := datasets.Classification
	if r.Metric == "r2" {
		task = datasets.Regression
	}
	loss := lossName(task)
	across := chart.Axis{Label: "step", Whole: true, Tight: true}
	x, y := highest(steps, apart, mostPoints)
	times := chart.Histogram{Title: "How long a step takes", XLabel: "time of a step (µs)", Sets: []chart.Distribution{
		{Name: "fused", Values: inMicroseconds(r.Fused.StepSeconds)}, {Name: "built-in", Values: inMicroseconds(r.Builtin.StepSeconds)}}}
	distribution, err := times.XY()
	return []captioned{
		{"losses.svg", "Of each step’s batch, before the step. Where the trainings agree, the narrow line lies in the wide one.",
			chart.XY{Title: "Loss", X: across, Y: chart.Axis{Label: loss, Log: chart.WantsLog(r.Fused.Losses, r.Builtin.Losses)}, Lines: []chart.Line{
				{Name: "built-in", X: steps, Y: r.Builtin.Losses, Color: 1, Wide: true}, {Name: "fused", X: steps, Y: r.Fused.Losses, Color: 0}}}},
		{"difference.svg", "|fused − built-in| of each step; steps without any difference leave a gap.",
			chart.XY{Title: "Difference of the losses", X: across, Y: chart.Axis{Label: "difference of " + loss, Log: true}, Lines: []chart.Line{{Name: "difference", X: x, Y: y, Color: 4}}}},
		{"step-times.svg", "The share of each side’s steps by their time.", distribution},
	}, err
}

func inMicroseconds(seconds []float64) []float64 {
	us := make([]float64, len(seconds))
	for i, s := range seconds {
		us[i] = 1e6 * s
	}
	return us
}

// highest returns at most so many points, the highest of each stretch: what
// matters of a difference is how large it gets.
func highest(x, y []float64, most int) (someX, someY []float64) {
	stretch := max((len(x)+most-1)/most, 1)
	for start := 0; start < len(x); start += stretch {
		best := start
		for i := start; i < min(start+stretch, len(x)); i++ {
			if y[i] > y[best] {
				best = i
			}
		}
		someX, someY = append(someX, x[best]), append(someY, y[best])
	}
	return someX, someY
}

// mostPoints is how many differences a chart shows.
const mostPoints = 1500
