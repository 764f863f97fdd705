package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/affine-go/affine/internal/format"
	"github.com/affine-go/affine/train"
	"github.com/affine-go/affine/train/report"
	"github.com/affine-go/affine/train/report/chart"
	"github.com/guptarohit/asciigraph"
)

type lrFindCommand struct {
	dataFlags     `embed:""`
	modelFlags    `embed:""`
	trainingFlags `embed:""`

	Impl   *string `group:"model" placeholder:"NAME" help:"Layers: fused, of this module, or builtin, of Gorgonia's own ops."`
	Config *string `group:"run" placeholder:"FILE" help:"Settings to start from, as for fit."`
	Lowest float64 `group:"run" name:"min-lr" placeholder:"X" default:"1e-6" help:"Rate of the first step (default: ${default})."`
	Most   float64 `group:"run" name:"max-lr" placeholder:"X" default:"10" help:"Rate of the last step (default: ${default})."`
	Steps  int     `group:"run" placeholder:"N" default:"200" help:"Steps from one to the other (default: ${default})."`
	Output string  `group:"run" placeholder:"FILE.svg" help:"Draw the curve into a file, too."`
	JSON   bool    `group:"run" name:"json" help:"Print the rates and losses as one JSON object and nothing else."`
}

func (lrFindCommand) Help() string {
	return `Trains a model that is thrown away, with a learning rate that grows from step to step, and draws the loss over the rate (the range test of Smith 2015). Where the loss falls a rate is of use, where it rises the training diverges. The rate that is suggested is a tenth of that with the lowest loss. Settings that are not given are the dataset's own, as for fit.

Examples:

    train lr-find
    train lr-find --dataset spirals --hidden 64,64 --steps 600
    train lr-find --dataset csv:flowers.csv --target species --optimizer sgd --momentum 0.9 --output rates.svg`
}

func (c *lrFindCommand) Run(t *terminal) error {
	config, fit, err := c.config(t)
	if err != nil {
		return err
	}
	if c.Output != "" {
		if err := checkOutput(c.Output); err != nil {
			return err
		}
	}
	parts, err := fit.parts(t, &config)
	if err != nil {
		return err
	}
	ctx, done := untilInterrupted(context.Background(), t.stderr, "stopping after this step")
	defer done()
	live := liveLine{w: t.stderr}
	curve, err := train.FindLR(ctx, config, parts, train.LRRange{From: c.Lowest, To: c.Most, Steps: c.Steps, OnStep: func(step int) {
		if live.redrawDue() {
			live.show("step %d of %d", step, c.Steps)
		}
	}})
	live.clear()
	if errors.Is(err, context.Canceled) {
		return &interruptedError{errors.New("interrupted; a test of learning rates keeps nothing")}
	}
	if err != nil {
		return err
	}
	if c.Output != "" {
		var svg bytes.Buffer
		if err := chart.WriteSVG(&svg, report.LRCurveChart(config.Dataset, curve)); err != nil {
			return fmt.Errorf("draw %s: %w", c.Output, err)
		}
		if err := writeOutput(t, c.Output, svg.Bytes()); err != nil {
			return err
		}
	}
	if c.JSON {
		return t.printJSON(curve)
	}
	c.print(t, config, curve)
	return nil
}

// config returns the settings of the training, and the fit command that made
// them.
func (c *lrFindCommand) config(t *terminal) (train.Config, *fitCommand, error) {
	for _, f := range []struct {
		flag  string
		given bool
	}{
		{"--lr", c.LR != nil}, {"--schedule", c.Schedule != nil}, {"--warmup", c.Warmup != nil}, {"--epochs", c.Epochs != nil},
		{"--patience", c.Patience != nil}, {"--min-delta", c.MinDelta != nil}, {"--monitor", c.Monitor != nil},
	} {
		if f.given {
			return train.Config{}, nil, usagef("%s: lr-find tries one rate after the other for --steps steps, want it without %s", f.flag, f.flag)
		}
	}
	switch {
	case !(c.Lowest > 0) || math.IsInf(c.Lowest, 0):
		return train.Config{}, nil, usagef("--min-lr %v: want a finite rate above 0", c.Lowest)
	case !(c.Most > c.Lowest) || math.IsInf(c.Most, 0):
		return train.Config{}, nil, usagef("--max-lr %v: want a finite rate above the %v of --min-lr", c.Most, c.Lowest)
	case c.Steps < train.LeastLRSteps:
		return train.Config{}, nil, usagef("--steps %d: want at least %d", c.Steps, train.LeastLRSteps)
	}
	fit := &fitCommand{dataFlags: c.dataFlags, modelFlags: c.modelFlags, trainingFlags: c.trainingFlags, Impl: c.Impl, Config: c.Config, terminal: t}
	config, err := fit.config()
	return config, fit, err
}

func (c *lrFindCommand) print(t *terminal, config train.Config, curve *train.LRCurve) {
	fmt.Fprintln(t.stdout, c.graph(columnsOf(t.stdout, 80), curve))
	fmt.Fprintln(t.stdout)
	ended := "no: higher rates may be of use, see --max-lr"
	if curve.Diverged {
		ended = fmt.Sprintf("at a rate of %s", format.Short(curve.Rates[len(curve.Rates)-1]))
	}
	suggested := format.Short(curve.Suggested)
	if curve.Suggested == 0 {
		suggested = "none: the loss hardly fell; try more --steps"
	}
	facts(t.stdout, "lowest loss", fmt.Sprintf("%s, at a rate of %s", format.Short(lowestOf(curve.Smoothed)), format.Short(curve.Lowest)),
		"diverged", ended, "suggested", suggested)
	if curve.Suggested > 0 {
		config.LR, _ = strconv.ParseFloat(strconv.FormatFloat(curve.Suggested, 'g', 2, 64), 64)
		if command := repeatCommand(t.program, "fit", config); command != "" {
			fmt.Fprintf(t.stdout, "\ntrain with it:\n\n%s\n", command)
		}
	}
	if c.Output != "" && !isStandardOutput(c.Output) {
		fmt.Fprintf(t.stdout, "\nwrote %s\n", c.Output)
	}
}

func lowestOf(losses []float64) float64 {
	lowest := math.Inf(1)
	for _, loss := range losses {
		lowest = min(lowest, loss)
	}
	return lowest
}

// graph draws the smoothed loss over the whole range of rates. Losses beyond one
// and a half times those of the first half are cut off: they would leave no room
// for the others.
func (c *lrFindCommand) graph(columns int, curve *train.LRCurve) string {
	const labels = 12 // columns on the left and right of the graph
	half := curve.Smoothed[:(len(curve.Smoothed)+1)/2]
	top := 0.0
	for _, loss := range half {
		top = max(top, 1.5*loss)
	}
	width := max(min(columns-labels, 100), 20)
	losses := make([]float64, width)
	for i := range losses {
		losses[i] = math.NaN()
		step := int(math.Round(float64(i) / float64(width-1) * float64(c.Steps-1)))
		if step < len(curve.Smoothed) && curve.Smoothed[step] <= top {
			losses[i] = curve.Smoothed[step]
		}
	}
	from, to := math.Log10(c.Lowest), math.Log10(c.Most)
	ticks := max(2, int(math.Round(to-from))+1)
	for (ticks-1)*8 > width {
		ticks = (ticks + 1) / 2
	}
	text := asciigraph.Plot(losses, asciigraph.Height(12), asciigraph.Precision(3), asciigraph.XAxisRange(from, to), asciigraph.XAxisTickCount(ticks),
		asciigraph.XAxisValueFormatter(func(x float64) string { return format.Short(math.Pow(10, x)) }),
		asciigraph.Caption("learning rate"))
	return "loss, moving average\n" + strings.TrimRight(text, "\n")
}
