package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/affine-go/affine/internal/atomicfile"
	"github.com/affine-go/affine/internal/format"
	"github.com/affine-go/affine/train"
	"github.com/affine-go/affine/train/bench"
	"github.com/affine-go/affine/train/compare"
	"github.com/affine-go/affine/train/report"
)

type compareCommand struct {
	dataFlags     `embed:""`
	modelFlags    `embed:""`
	trainingFlags `embed:""`

	Impl *string `hidden:""` // to say why it is not wanted

	Steps *int     `group:"run" placeholder:"N" help:"Stop after so many steps (default: all epochs)."`
	Out   string   `group:"run" placeholder:"DIR" help:"Write plots, a page and the numbers into this directory."`
	Force bool     `group:"run" help:"Overwrite what is in --out."`
	Ops   bool     `group:"run" name:"op" help:"Compare the op alone, without training, over a grid of shapes."`
	Size  []string `group:"run" placeholder:"BxIxO" help:"Shapes for --op instead of the usual ones: batch, inputs, outputs."`
	JSON  bool     `group:"run" name:"json" help:"Print one JSON object and nothing else."`
}

func (compareCommand) Help() string {
	return `Trains the same model twice, with the fused op and with Gorgonia's built-in ops, from the same weights on the same batches. The two take turns step by step, so that a machine that slows down slows both alike. Settings that are not given are the dataset's own, as for fit; both sides compute on the processor, the only device that the built-in ops know.

With --op there is no training: forward and all gradients of one linear layer in float32, through a TapeMachine, timed at each shape of a grid, and the largest error of each result against float64, relative to the largest element of that result.

Examples:

    train compare
    train compare --dataset glyphs --epochs 3 --out glyphs-compared
    train compare --dataset moons --dtype float64 --steps 200 --machine tape
    train compare --op
    train compare --op --size 128x784x512 --json`
}

func (c *compareCommand) Run(t *terminal) error {
	if c.Ops {
		return c.compareOps(t)
	}
	config, err := c.config()
	if err != nil {
		return err
	}
	ctx, done := untilInterrupted(context.Background(), t.stderr, "stopping after this step")
	defer done()
	if c.Out != "" {
		created, err := claimDirectory(c.Out, c.Force)
		if err != nil {
			return err
		}
		if created {
			defer os.Remove(c.Out) // fails, as it should, once there is something in it
		}
	}
	result, err := c.train(ctx, t, config)
	if err != nil {
		return err
	}
	var written []string
	if c.Out != "" {
		if written, err = c.save(t, config, result); err != nil {
			return err
		}
	}
	if c.JSON {
		return t.printJSON(result)
	}
	printComparison(t, result)
	if len(written) > 0 {
		fmt.Fprintln(t.stdout)
		facts(t.stdout, "written", c.Out+": "+strings.Join(written, ", "))
	}
	return nil
}

// config returns the settings of both sides.
func (c *compareCommand) config() (train.Config, error) {
	switch {
	case c.Impl != nil:
		return train.Config{}, usagef("--impl %q: compare trains with both, want it without --impl", *c.Impl)
	case c.Steps != nil && *c.Steps < 1:
		return train.Config{}, usagef("--steps %d: want at least 1", *c.Steps)
	case len(c.Size) > 0:
		return train.Config{}, usagef("--size is for --op, want a training without it")
	}
	if c.Device == nil {
		cpu := "cpu"
		c.Device = &cpu
	}
	fit := fitCommand{dataFlags: c.dataFlags, modelFlags: c.modelFlags, trainingFlags: c.trainingFlags}
	return fit.config()
}

// train trains both sides and shows how far they are.
func (c *compareCommand) train(ctx context.Context, t *terminal, config train.Config) (*compare.Result, error) {
	live := liveLine{w: t.stderr}
	defer live.clear()
	most, taken, all := 0, 0, 0
	set(&most, c.Steps)
	result, err := compare.Run(ctx, config, most, func(step, steps int, fused, builtin float64) {
		taken, all = step, steps
		if live.redrawDue() {
			live.show("step %d of %d  fused loss %.4g  built-in loss %.4g", step, steps, fused, builtin)
		}
	})
	if errors.Is(err, context.Canceled) {
		return nil, &interruptedError{fmt.Errorf("interrupted after %d of %d steps; a comparison keeps nothing", taken, all)}
	}
	return result, err
}

// claimDirectory makes a directory, or takes one that is empty or, with force,
// holds whatever it holds, and tells whether it made it.
func claimDirectory(path string, force bool) (created bool, err error) {
	entries, err := os.ReadDir(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		if err := os.MkdirAll(path, 0o755); err != nil {
			return false, fmt.Errorf("make %s: %w", path, err)
		}
		return true, nil
	case err != nil:
		return false, fmt.Errorf("--out: %w", err)
	case len(entries) > 0 && !force:
		return false, usagef("%s exists and is not empty: use --force to overwrite what is in it, or another --out", path)
	}
	return false, nil
}

// comparisonFile holds the numbers of a comparison beside its page and plots.
const comparisonFile = "compare.json"

func printComparison(t *terminal, r *compare.Result) {
	model, _, _ := strings.Cut(r.Model, ", "+train.Fused)
	heading(t.stdout, "%s: %s", r.Dataset, model)
	fmt.Fprintf(t.stdout, "%d steps of %d rows on each side, machine %s, seed %d\n\n", r.Steps, r.Batch, r.Machine, r.Seed)

	sides := newTable("", ">fused", ">built-in", ">built-in / fused")
	count := func(name string, fused, builtin float64) {
		ratio := "–"
		if fused > 0 {
			ratio = format.Ratio(builtin / fused)
		}
		sides.add(name, format.Count(int(math.Round(fused))), format.Count(int(math.Round(builtin))), ratio)
	}
	sides.add("median step", format.Microseconds(r.Fused.StepMicroseconds), format.Microseconds(r.Builtin.StepMicroseconds), format.Ratio(r.Speedup))
	count("allocations a step", r.Fused.AllocsPerStep, r.Builtin.AllocsPerStep)
	count("graph nodes", float64(r.Fused.Nodes), float64(r.Builtin.Nodes))
	count("tape instructions", float64(r.Fused.TapeInstructions), float64(r.Builtin.TapeInstructions))
	sides.write(t.stdout)

	fmt.Fprintln(t.stdout)
	losses := newTable("", ">fused", ">built-in", ">difference")
	for _, s := range r.Samples {
		losses.add(fmt.Sprintf("loss at step %d", s.Step), fmt.Sprintf("%.6f", s.Fused), fmt.Sprintf("%.6f", s.Builtin), format.Difference(s.AbsDiff))
	}
	if r.Fused.TestScore != nil {
		difference := *r.Fused.TestScore - *r.Builtin.TestScore
		losses.add("test "+r.Metric, format.Score(r.Fused.TestScore), format.Score(r.Builtin.TestScore), format.Difference(max(difference, -difference)))
	}
	losses.add("largest of any step's loss", "", "", format.Difference(r.MaxAbsLossDiff))
	losses.add("largest of any weight at the end", "", "", format.Difference(r.MaxAbsWeightDiff))
	losses.write(t.stdout)
	fmt.Fprintf(t.stdout, "\n%s\n", r.Verdict)
}

// save writes the numbers, the plots and the page, and returns their names.
func (c *compareCommand) save(t *terminal, config train.Config, r *compare.Result) (written []string, err error) {
	dev, err := openDevice(config.Device)
	if err != nil {
		return nil, err
	}
	defer dev.Close()
	page := report.Comparison{Result: r, Config: config, Environment: train.CurrentEnvironment(dev), Command: c.repeat(t, config)}
	if written, err = page.SavePlots(c.Out); err != nil {
		return nil, err
	}
	var numbers bytes.Buffer
	if err := (&terminal{stdout: &numbers}).printJSON(r); err != nil {
		return nil, err
	}
	if err := atomicfile.WriteFile(filepath.Join(c.Out, comparisonFile), numbers.Bytes()); err != nil {
		return nil, err
	}
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

// opsReport is what compare --op prints as JSON.
type opsReport struct {
	Device      string          `json:"device"`
	Description string          `json:"description"`
	Dtype       string          `json:"dtype"`
	Shapes      []compare.OpRow `json:"shapes"`
}

// How long each side of each shape is timed.
const (
	opSamples = 9
	opSample  = 20 * time.Millisecond
)

func (c *compareCommand) compareOps(t *terminal) error {
	shapes, err := c.shapes()
	if err != nil {
		return err
	}
	name := "cpu"
	set(&name, c.Device)
	dev, err := openDevice(name)
	if err != nil {
		return err
	}
	defer dev.Close()
	ctx, done := untilInterrupted(context.Background(), t.stderr, "stopping after this sample")
	defer done()
	live, begun := liveLine{w: t.stderr}, 0
	rows, err := compare.Ops(ctx, shapes, bench.Options{Device: dev, Samples: opSamples, Sample: opSample}, func(shape string) {
		begun++
		live.show("%d of %d: %s", begun, len(shapes), shape)
	})
	live.clear()
	if errors.Is(err, context.Canceled) {
		return &interruptedError{fmt.Errorf("interrupted after %d of %d shapes; a comparison keeps nothing", max(begun-1, 0), len(shapes))}
	}
	if err != nil {
		return err
	}
	report := opsReport{Device: dev.Name(), Description: dev.Description(), Dtype: "float32", Shapes: rows}
	if c.JSON {
		return t.printJSON(report)
	}
	printOps(t, &report)
	return nil
}

// shapes returns the grid and refuses flags that say something of a training.
func (c *compareCommand) shapes() ([][3]int, error) {
	model := c.modelFlags
	model.Device = nil
	if !reflect.DeepEqual(c.dataFlags, dataFlags{}) || model != (modelFlags{}) || c.trainingFlags != (trainingFlags{}) || c.Steps != nil || c.Out != "" {
		return nil, usagef("--op compares the op without a model or data: want no flags besides --size, --device and --json")
	}
	if len(c.Size) == 0 {
		return compare.OpShapes(), nil
	}
	var shapes [][3]int
	for _, size := range c.Size {
		n, err := parseSize(size)
		if err != nil {
			return nil, err
		}
		if len(n) != 3 {
			return nil, usagef("--size %q: want batch, inputs and outputs, such as 128x784x512", size)
		}
		shapes = append(shapes, [3]int(n))
	}
	return shapes, nil
}

func printOps(t *terminal, r *opsReport) {
	heading(t.stdout, "Linear layer, forward and all gradients, %s", r.Dtype)
	fmt.Fprintf(t.stdout, "%s: %s\n\n", r.Device, r.Description)
	speed := newTable("batch×in×out", ">fused", ">built-in", ">speedup")
	exact := newTable("error against float64", ">Y fused", ">built-in", ">dX fused", ">built-in", ">dW fused", ">built-in", ">db fused", ">built-in")
	for _, s := range r.Shapes {
		shape := fmt.Sprintf("%d×%d×%d", s.Batch, s.In, s.Out)
		speed.add(shape, format.Microseconds(s.FusedNs/1e3), format.Microseconds(s.BuiltinNs/1e3), format.Ratio(s.Speedup))
		cells := []string{shape}
		for _, pair := range [][2]float64{
			{s.FusedError.Y, s.BuiltinError.Y}, {s.FusedError.DX, s.BuiltinError.DX},
			{s.FusedError.DW, s.BuiltinError.DW}, {s.FusedError.DB, s.BuiltinError.DB},
		} {
			cells = append(cells, format.Difference(pair[0]), format.Difference(pair[1]))
		}
		exact.add(cells...)
	}
	speed.write(t.stdout)
	fmt.Fprintln(t.stdout)
	exact.write(t.stdout)
	fmt.Fprintln(t.stdout, "\nTimes are medians of samples that take turns. Errors are max |got − exact| / max |exact| of each result.")
}
