package main

import (
	"bytes"
	"fmt"
	"io"
	"path/filepath"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/internal/atomicfile"
	"github.com/affine-go/affine/train"
	"github.com/affine-go/affine/train/report"
)

// reportFile is the page in a run directory.
const reportFile = "report.html"

type reportCommand struct {
	Runs []string `arg:"" name:"run" help:"Run directories: one for a page of its own, several to compare them."`
	Out  string   `placeholder:"FILE.html" help:"Where to write the page (default: ${report_file} in the one run directory, or here for several)."`
}

func (reportCommand) Help() string {
	return `Writes one HTML page that needs no network and no other file. For one run it shows what was trained and how to repeat it, how it learned, what it learned, and its worst mistakes; fit writes the same page. For several it puts their settings, results and curves side by side.

What a run directory lacks, as that of an unfinished run does, is named on the page.

Examples:

    train report runs/moons-001
    train report runs/moons-* --out moons.html`
}

func (c *reportCommand) Run(t *terminal) error {
	runs := make([]*report.Run, len(c.Runs))
	for i, dir := range c.Runs {
		var err error
		if runs[i], err = report.Load(dir); err != nil {
			return err
		}
	}
	out, write := c.Out, func(w io.Writer) error { return report.WriteRuns(w, runs, reportOptions(t)) }
	if len(runs) == 1 {
		if err := runs[0].Complete(nil); err != nil {
			return err
		}
		write = func(w io.Writer) error { return report.WriteRun(w, runs[0], reportOptions(t)) }
	}
	if out == "" {
		out = reportFile
		if len(runs) == 1 {
			out = filepath.Join(c.Runs[0], reportFile)
		}
	}
	if err := savePage(out, write); err != nil {
		return err
	}
	fmt.Fprintln(t.stdout, "wrote", out)
	return nil
}

// saveReport writes the page of a run that has just ended into its directory,
// and the plots if they are wanted. It starts from the files, as the command
// does, so that both write the same.
func saveReport(t *terminal, run *train.Run, parts datasets.Parts, plots bool) error {
	r, err := report.Load(run.Dir)
	if err != nil {
		return err
	}
	if err := r.Complete(&parts); err != nil {
		return err
	}
	if plots {
		if err := r.SavePlots(); err != nil {
			return err
		}
	}
	return savePage(filepath.Join(run.Dir, reportFile), func(w io.Writer) error {
		return report.WriteRun(w, r, reportOptions(t))
	})
}

func savePage(path string, write func(io.Writer) error) error {
	var page bytes.Buffer
	if err := write(&page); err != nil {
		return err
	}
	return atomicfile.WriteOutput(path, page.Bytes())
}

// reportOptions lets pages tell the command line that trains again.
func reportOptions(t *terminal) report.Options {
	return report.Options{Repeat: func(c train.Config) string { return repeatCommand(t.program, "fit", c) }}
}
