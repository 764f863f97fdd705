package main

import (
	"bytes"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/affine-go/affine/internal/atomicfile"
	"github.com/affine-go/affine/train"
	"github.com/affine-go/affine/train/charts"
	comparison "github.com/affine-go/affine/train/compare"
	"github.com/affine-go/affine/train/report"
)

// comparisonFile holds the numbers of a comparison beside its page and plots.
const comparisonFile = "compare.json"

func printComparison(t *terminal, r *comparison.Result) {
	model, _, _ := strings.Cut(r.Model, ", "+train.Fused)
	heading(t.stdout, "%s: %s", r.Dataset, model)
	fmt.Fprintf(t.stdout, "%d steps of %d rows on each side, machine %s, seed %d\n\n", r.Steps, r.Batch, r.Machine, r.Seed)

	sides := newTable("", ">fused", ">built-in", ">built-in / fused")
	count := func(name string, fused, builtin float64) {
		ratio := "–"
		if fused > 0 {
			ratio = fmt.Sprintf("%.1f×", builtin/fused)
		}
		sides.add(name, fmt.Sprintf("%.0f", fused), fmt.Sprintf("%.0f", builtin), ratio)
	}
	sides.add("median step", microseconds(r.Fused.StepMicroseconds), microseconds(r.Builtin.StepMicroseconds), fmt.Sprintf("%.1f×", r.Speedup))
	count("allocations a step", r.Fused.AllocsPerStep, r.Builtin.AllocsPerStep)
	count("graph nodes", float64(r.Fused.Nodes), float64(r.Builtin.Nodes))
	count("tape instructions", float64(r.Fused.TapeInstructions), float64(r.Builtin.TapeInstructions))
	sides.write(t.stdout)

	fmt.Fprintln(t.stdout)
	losses := newTable("", ">fused", ">built-in", ">difference")
	for _, s := range r.Samples {
		losses.add(fmt.Sprintf("loss at step %d", s.Step), fmt.Sprintf("%.6f", s.Fused), fmt.Sprintf("%.6f", s.Builtin), fmt.Sprintf("%.1e", s.AbsDiff))
	}
	if r.Fused.TestScore != nil {
		difference := *r.Fused.TestScore - *r.Builtin.TestScore
		losses.add("test "+r.Metric, known(r.Fused.TestScore), known(r.Builtin.TestScore), fmt.Sprintf("%.1e", max(difference, -difference)))
	}
	losses.add("largest of any step's loss", "", "", fmt.Sprintf("%.1e", r.MaxAbsLossDiff))
	losses.add("largest of any weight at the end", "", "", fmt.Sprintf("%.1e", r.MaxAbsWeightDiff))
	losses.write(t.stdout)
	fmt.Fprintf(t.stdout, "\n%s\n", r.Verdict)
}

// comparisonCharts returns the plots by the names of their files.
func comparisonCharts(r *comparison.Result) map[string]charts.Chart {
	steps := make([]float64, r.Steps)
	difference := make([]float64, r.Steps)
	for i := range steps {
		steps[i] = float64(i + 1)
		difference[i] = max(r.Fused.Losses[i]-r.Builtin.Losses[i], r.Builtin.Losses[i]-r.Fused.Losses[i])
	}
	loss := "cross-entropy (nats)"
	if r.Metric == "r2" {
		loss = "mean squared error (target variances)"
	}
	subtitle := fmt.Sprintf("%d steps of %d rows, %s, machine %s", r.Steps, r.Batch, r.Dtype, r.Machine)
	return map[string]charts.Chart{
		"losses.svg": charts.Lines{
			Title: r.Dataset + ": loss of each step's batch", Subtitle: subtitle, XLabel: "step", YLabel: loss,
			LogY:   charts.WantsLog(r.Fused.Losses, r.Builtin.Losses),
			Series: []charts.Series{{Name: "fused", X: steps, Y: r.Fused.Losses}, {Name: "built-in", X: steps, Y: r.Builtin.Losses, Wide: true}},
		},
		"difference.svg": charts.Lines{
			Title: r.Dataset + ": difference of the two losses", Subtitle: subtitle, XLabel: "step", YLabel: "|difference|, " + loss, LogY: true,
			Series: []charts.Series{{Name: "|fused − built-in|; steps without any are left out", X: steps, Y: difference}},
		},
		"step-times.svg": charts.Histogram{
			Title:    r.Dataset + ": how long the steps take",
			Subtitle: fmt.Sprintf("medians %s and %s, a ratio of %.1f", microseconds(r.Fused.StepMicroseconds), microseconds(r.Builtin.StepMicroseconds), r.Speedup),
			XLabel:   "time of a step (µs)",
			Sets: []charts.Distribution{
				{Name: "fused", Values: inMicroseconds(r.Fused.StepSeconds)}, {Name: "built-in", Values: inMicroseconds(r.Builtin.StepSeconds)}},
		},
	}
}

func inMicroseconds(seconds []float64) []float64 {
	us := make([]float64, len(seconds))
	for i, s := range seconds {
		us[i] = 1e6 * s
	}
	return us
}

// save writes the numbers, the plots and the page, and returns their names.
func (c *compareCommand) save(t *terminal, config train.Config, r *comparison.Result) (written []string, err error) {
	for name, chart := range comparisonCharts(r) {
		if err := charts.Save(filepath.Join(c.Out, name), chart); err != nil {
			return nil, err
		}
		written = append(written, name)
	}
	var numbers bytes.Buffer
	if err := (&terminal{stdout: &numbers}).printJSON(r); err != nil {
		return nil, err
	}
	if err := atomicfile.WriteFile(filepath.Join(c.Out, comparisonFile), numbers.Bytes()); err != nil {
		return nil, err
	}
	dev, err := openDevice(config.Device)
	if err != nil {
		return nil, err
	}
	defer dev.Close()
	page := report.Comparison{Result: r, Config: config, Environment: train.CurrentEnvironment(dev), Command: c.repeat(t, config)}
	err = savePage(filepath.Join(c.Out, reportFile), func(w io.Writer) error { return report.WriteComparison(w, &page) })
	written = append(written, comparisonFile, reportFile)
	slices.Sort(written)
	return written, err
}

// repeat is the command line that compares again.
func (c *compareCommand) repeat(t *terminal, config train.Config) string {
	command := repeatCommand(t.program, "compare", config)
	if command != "" && c.Steps != nil {
		command += fmt.Sprintf(" --steps %d", *c.Steps)
	}
	return command
}
