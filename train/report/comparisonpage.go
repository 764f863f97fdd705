package report

import (
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/affine-go/affine/train"
	"github.com/affine-go/affine/train/charts"
	"github.com/affine-go/affine/train/compare"
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
			model, plural(r.Steps, "step"), plural(r.Batch, "row")),
		Tiles: []tile{
			{"speed-up", number3(r.Speedup) + "×", "median step, built-in over fused"},
			{"largest difference of a loss", number(r.MaxAbsLossDiff), "over all steps"},
			{"largest difference of a weight", number(r.MaxAbsWeightDiff), "after the last step"},
		},
		Sides: sidesTable(r), Samples: samplesTable(r),
		Facts: append([]facts{environment(&c.Environment)}, settings(&c.Config)...),
	}
	list, err := comparisonCharts(r)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	for _, chart := range list {
		b.Charts = append(b.Charts, draw(chart))
	}
	return write(w, "comparison.html", r.Dataset+": fused and built-in ops compared", "comparison · "+r.Dataset, b)
}

func sidesTable(r *compare.Result) table {
	t := table{Caption: "Ratios are built-in over fused", Headings: []string{"", "fused", "built-in", "ratio"}}
	add := func(name string, fused, builtin float64, format func(float64) string) {
		ratio := "–"
		if fused > 0 {
			ratio = number3(builtin/fused) + "×"
		}
		t.Rows = append(t.Rows, []string{name, format(fused), format(builtin), ratio})
	}
	whole := func(x float64) string { return count(int(math.Round(x))) }
	add("median step", r.Fused.StepMicroseconds, r.Builtin.StepMicroseconds, microseconds)
	add("allocations a step", r.Fused.AllocsPerStep, r.Builtin.AllocsPerStep, whole)
	add("graph nodes", float64(r.Fused.Nodes), float64(r.Builtin.Nodes), whole)
	add("tape instructions", float64(r.Fused.TapeInstructions), float64(r.Builtin.TapeInstructions), whole)
	t.Rows = append(t.Rows, []string{"loss of the last batch", number(r.Fused.FinalLoss), number(r.Builtin.FinalLoss), "–"})
	name := r.Metric
	if name == "r2" {
		name = "R²"
	}
	t.Rows = append(t.Rows, []string{"test " + name, score(r.Fused.TestScore), score(r.Builtin.TestScore), "–"})
	return t
}

func samplesTable(r *compare.Result) table {
	t := table{Caption: "Losses at chosen steps, before the step", Headings: []string{"step", "fused", "built-in", "difference"}}
	for _, s := range r.Samples {
		t.Rows = append(t.Rows, []string{count(s.Step), fmt.Sprintf("%.6f", s.Fused), fmt.Sprintf("%.6f", s.Builtin), difference(s.AbsDiff)})
	}
	return t
}

// difference writes two digits.
func difference(x float64) string {
	if x == 0 {
		return "0"
	}
	return powers(fmt.Sprintf("%.1e", x))
}

func comparisonCharts(r *compare.Result) ([]chart, error) {
	steps := make([]float64, r.Steps)
	apart := make([]float64, r.Steps)
	for i := range steps {
		steps[i] = float64(i + 1)
		apart[i] = math.Abs(r.Fused.Losses[i] - r.Builtin.Losses[i])
	}
	across := axis{Label: "step", Whole: true, Tight: true}
	loss := "cross-entropy (nats)"
	if r.Metric == "r2" {
		loss = "mean squared error (target variances)"
	}
	losses := chart{ID: "losses", Title: "Loss", Note: "Of each step’s batch, before the step. Where the trainings agree, the narrow line lies in the wide one.", X: across,
		Y: axis{Label: loss, Log: charts.WantsLog(r.Fused.Losses, r.Builtin.Losses)}, Lines: []line{
			{Name: "built-in", X: steps, Y: r.Builtin.Losses, Color: 1, Wide: true}, {Name: "fused", X: steps, Y: r.Fused.Losses, Color: 0}}}
	x, y := highest(steps, apart, mostPoints)
	differences := chart{ID: "difference", Title: "Difference of the losses", Note: "|fused − built-in| of each step; steps without any difference leave a gap.", X: across,
		Y: axis{Label: "difference of " + loss, Log: true}, Lines: []line{{Name: "difference", X: x, Y: y, Color: 4}}}
	times, err := timesChart(r)
	return []chart{losses, differences, times}, err
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

// timesChart shows how the times of the steps are distributed.
func timesChart(r *compare.Result) (chart, error) {
	sets := []charts.Distribution{{Name: "fused"}, {Name: "built-in"}}
	for i, side := range []compare.Side{r.Fused, r.Builtin} {
		for _, s := range side.StepSeconds {
			sets[i].Values = append(sets[i].Values, 1e6*s)
		}
	}
	c := chart{ID: "times", Title: "How long a step takes", Note: "The share of each side’s steps by their time.",
		X: axis{Label: "time of a step (µs)", Log: true, Tight: true}, Y: axis{Label: "share of the steps (%)"}}
	edges, shares, err := charts.LogBins(sets)
	if err != nil {
		return c, err
	}
	for i, set := range sets {
		l := line{Name: set.Name, Color: i, Area: true}
		for bin, share := range shares[i] {
			l.X, l.Y = append(l.X, math.Sqrt(edges[bin]*edges[bin+1])), append(l.Y, 100*share)
		}
		c.Lines = append(c.Lines, l)
		c.Y.Hi = max(c.Y.Hi, maxOf(l.Y)*1.06)
	}
	return c, nil
}

func maxOf(values []float64) float64 {
	_, hi := extent(values)
	return hi
}
