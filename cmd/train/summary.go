package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/internal/format"
	"github.com/affine-go/affine/train"
	"github.com/affine-go/affine/train/report"
)

// printSummary tells how a run ended, how good the model is, what was written
// and what to do with it.
func printSummary(t *terminal, run *train.Run, parts datasets.Parts) error {
	m := run.Metrics
	fmt.Fprintln(t.stdout)
	heading(t.stdout, "%s", outcome(m))
	kept := fmt.Sprintf("weights of epoch %d", m.BestEpoch)
	if m.BestEpoch == 0 {
		kept = "no epoch finished: latest weights"
	}
	rate := format.Rate(report.Throughput(m, run.Config.Batch, parts.Train.Len()))
	fmt.Fprintf(t.stdout, "%s in %s, %s rows/s, median step %s; %s; %s kept\n\n",
		format.Plural(m.Steps, "step"), format.Seconds(m.WallSeconds), rate, format.Microseconds(m.StepMicroseconds), format.Plural(m.Parameters, "parameter"), kept)

	rows := newTable("part", ">rows", ">loss", ">"+run.History.MetricName())
	for _, part := range []struct {
		name         string
		rows         *datasets.Dataset
		loss, metric *float64
	}{
		{"training", parts.Train, m.TrainLoss, either(m.TrainAccuracy, m.TrainR2)},
		{"validation", parts.Validation, m.ValLoss, either(m.ValAccuracy, m.ValR2)},
		{"test", parts.Test, m.TestLoss, either(m.TestAccuracy, m.TestR2)},
	} {
		if part.rows.Len() > 0 {
			rows.add(part.name, strconv.Itoa(part.rows.Len()), format.Known(part.loss), format.Score(part.metric))
		}
	}
	rows.write(t.stdout)
	if m.TestBalancedAccuracy != nil {
		fmt.Fprintf(t.stdout, "\ntest: balanced accuracy %s, macro F1 %s, ROC AUC %s\n", format.Score(m.TestBalancedAccuracy), format.Score(m.TestF1), format.Score(m.TestROCAUC))
		if warning := majorityWarning(*m.TestAccuracy, *m.TestMajority); warning != "" {
			fmt.Fprintln(t.stdout, warning)
		}
	} else if m.TestRMSE != nil {
		fmt.Fprintf(t.stdout, "\ntest: root mean squared error %s, mean absolute error %s\n", format.Known(m.TestRMSE), format.Known(m.TestMAE))
	}

	fmt.Fprintln(t.stdout)
	printLayers(t.stdout, m.Layers)
	files, err := os.ReadDir(run.Dir)
	if err != nil {
		return err
	}
	var names []string
	for _, f := range files {
		names = append(names, f.Name())
	}
	dir := quoted(run.Dir)
	fmt.Fprintln(t.stdout)
	facts(t.stdout,
		"written", run.Dir+": "+strings.Join(names, ", "),
		"look at", filepath.Join(run.Dir, reportFile),
		"measure", fmt.Sprintf("%s eval %s", t.program, dir),
		"use", fmt.Sprintf("%s predict %s --input FILE.csv", t.program, dir))
	return nil
}

// printLayers writes the layers of a model as a table.
func printLayers(w io.Writer, layers []train.Layer) {
	rows := newTable("layer", "weight", "bias", "activation", ">parameters", ">FLOP per row")
	parameters, flop := 0, 0
	for _, l := range layers {
		rows.add(l.Name, fmt.Sprintf("%d×%d", l.Inputs, l.Outputs), strconv.Itoa(l.Outputs), l.Activation, format.Count(l.Parameters), format.Count(l.FLOP))
		parameters, flop = parameters+l.Parameters, flop+l.FLOP
	}
	if len(layers) > 1 {
		rows.add("together", "", "", "", format.Count(parameters), format.Count(flop))
	}
	rows.write(w)
}

// outcome is the reason why a run ended and what explains it.
func outcome(m *train.Metrics) string {
	if strings.Contains(m.StoppingDetail, m.StoppingReason) {
		return m.StoppingDetail
	}
	return m.StoppingReason + ": " + m.StoppingDetail
}

// either returns the one that is known.
func either(a, b *float64) *float64 {
	if a != nil {
		return a
	}
	return b
}

// quoted writes a path as a word of a command line.
func quoted(path string) string {
	if strings.ContainsAny(path, " \t\"'$&;()*?[]<>|\\`") {
		return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
	}
	return path
}
