package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/layer/device"
	"github.com/affine-go/affine/train"
	"github.com/affine-go/affine/train/report"
)

// defaultSeed seeds runs for which no seed was given: they too can be repeated.
const defaultSeed = 1

type fitCommand struct {
	dataFlags     `embed:""`
	modelFlags    `embed:""`
	trainingFlags `embed:""`

	Impl    *string `group:"model" placeholder:"NAME" help:"Layers: fused, of this module, or builtin, of Gorgonia's own ops."`
	Config  *string `group:"run" placeholder:"FILE" help:"Settings to start from: a run's config.json, or some of its names in YAML; flags come after."`
	Out     string  `group:"run" placeholder:"DIR" help:"Run directory (default: the next free runs/DATASET-NNN)."`
	Resume  bool    `group:"run" xor:"existing" help:"Go on with the run in --out. Its settings hold; only --epochs may differ."`
	Force   bool    `group:"run" xor:"existing" help:"Overwrite the run in --out."`
	Seeds   int     `group:"run" placeholder:"N" help:"Train with N seeds from --seed on and print mean and standard deviation of the test scores; no run is kept."`
	Folds   int     `group:"run" placeholder:"K" help:"The same by K-fold cross-validation."`
	NoPlots bool    `group:"run" name:"no-plots" help:"Write no SVG plots."`
	JSON    bool    `group:"run" name:"json" help:"Print the metrics as one JSON object and nothing else."`

	terminal *terminal
	opened   *datasets.Dataset // a file's, if it had to be read for the settings
}

func (fitCommand) Help() string {
	return `Settings that are not given are the dataset's own: see "train datasets NAME". The run directory holds the settings, the history of the epochs, the metrics, the model (weights of the best epoch), a checkpoint to resume from, plots, and report.html, a page that shows all of it.

Ctrl-C finishes the step, saves, and says how to resume; the resumed run ends with the same bytes as one that was not interrupted. A hang-up or a termination signal does the same. A second Ctrl-C stops at once.

Examples:

    train fit
    train fit --dataset spirals --hidden 64,64 --activation tanh --epochs 200
    train fit --dataset csv:flowers.csv --target species --optimizer adamw --weight-decay 0.01
    train fit --dataset idx:mnist --schedule one-cycle --lr 0.003 --patience 5
    train fit --out runs/moons-001 --resume --epochs 300
    train fit --dataset iris --json | jq .test_accuracy`
}

func (c *fitCommand) Run(t *terminal) error {
	c.terminal = t
	many := c.Seeds != 0 || c.Folds != 0
	if many {
		if err := c.checkRepeated(); err != nil {
			return err
		}
	} else if err := c.checkOut(t); err != nil {
		return err
	}
	ctx, done := untilInterrupted(context.Background(), t.stderr, "finishing this step and saving")
	defer done()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	whenClosed(t.stdout, stop)
	config, err := c.config()
	if err != nil {
		return err
	}
	if err := checkRanks(t.job.Size(), &config); err != nil {
		return err
	}
	if many {
		return c.repeat(ctx, t, config)
	}
	parts, err := c.parts(t, &config)
	if err != nil {
		return err
	}
	run, err := c.fit(ctx, t, config, parts)
	if err != nil {
		return err
	}
	defer run.Close()
	if first, err := t.job.Leave(); err != nil || !first {
		return err
	}
	return c.report(t, run, parts)
}

// parts returns the dataset's parts and says what was decided about its columns.
func (c *fitCommand) parts(t *terminal, config *train.Config) (datasets.Parts, error) {
	d := c.opened
	c.opened = nil // its rows are copied into the parts
	if d == nil {
		var err error
		if d, err = openWithProgress(t, config.Dataset, config.DataOptions()); err != nil {
			return datasets.Parts{}, err
		}
	}
	notices(t, d)
	return config.Split(d)
}

// sharesWork reports whether all processes of a job take part.
func (*fitCommand) sharesWork() bool { return true }

// checkRanks refuses settings with which n processes cannot share a batch.
func checkRanks(n int, c *train.Config) error {
	parts := max(c.Microbatches, 1)
	switch {
	case n&(n-1) != 0:
		return usagef("got %d ranks, want 1, 2, 4, 8 or more, a power of two", n)
	case parts%n != 0:
		return usagef("%d ranks cannot share a batch in %s: give --microbatches %d or a larger power of two; it decides the last digits of the result, the number of ranks does not",
			n, counted(parts, "part"), n)
	}
	return nil
}

// checkOut refuses combinations of --out, --resume and --force that cannot be.
func (c *fitCommand) checkOut(t *terminal) error {
	if c.Out != "" || !c.Resume && !c.Force {
		return nil
	}
	return usagef("--resume and --force need the run to work on, such as %s fit --out %s/%s-001 --resume",
		t.program, runsFolder, datasets.DefaultName)
}

// fit trains, with progress on standard output or, if JSON is to be printed, on
// standard error.
func (c *fitCommand) fit(ctx context.Context, t *terminal, config train.Config, parts datasets.Parts) (*train.Run, error) {
	messages := t.stdout
	if c.JSON {
		messages = t.stderr
	}
	dir := c.Out
	if dir == "" && t.job.First() {
		var err error
		if dir, err = newRunDir(config.Dataset); err != nil {
			return nil, err
		}
		defer os.Remove(dir) // fails, as it should, once there is something in it
	}
	opening := train.Callback{Name: "opening", OnStart: func(p *train.Progress) error {
		printOpening(messages, p, parts, dir)
		if c.Force {
			return report.RemovePlots(dir) // of the run that this one takes the place of
		}
		return nil
	}}
	options := append(t.job.Share(), train.InDirectory(dir), train.WithParts(parts), train.WithCallbacks(opening, showProgress(messages)))
	switch {
	case c.Resume:
		options = append(options, train.Resume())
	case c.Force:
		options = append(options, train.Overwrite())
	}
	run, err := train.Fit(ctx, config, options...)
	switch {
	case errors.Is(err, train.ErrRunExists):
		err = usagef("%s exists and is not empty: use --resume to go on with it, --force to overwrite it, or another --out", dir)
	case errors.Is(err, train.ErrOtherSettings):
		err = &usageError{err}
	}
	return run, err
}

// report draws the plots, prints the summary and tells how the run ended.
func (c *fitCommand) report(t *terminal, run *train.Run, parts datasets.Parts) error {
	reason := run.Metrics.StoppingReason
	plots := !c.NoPlots && run.Metrics.Epochs > 0 && reason != train.ReasonInterrupted
	if err := saveReport(t, run, parts, plots); err != nil {
		return err
	}
	var err error
	if c.JSON {
		err = t.printJSON(struct {
			Run string `json:"run"`
			*train.Metrics
		}{run.Dir, run.Metrics})
	} else {
		err = printSummary(t, run, parts)
	}
	switch {
	case err != nil:
		return err
	case reason == train.ReasonInterrupted:
		return &interruptedError{fmt.Errorf("%s; saved; resume with: %s fit --out %s --resume", outcome(run.Metrics), t.program, quoted(run.Dir))}
	case reason == train.ReasonNotFinite, reason == train.ReasonDiverged:
		return fmt.Errorf("training stopped: %s; try a lower --lr than %v, or --clip-norm 1", outcome(run.Metrics), run.Config.LR)
	}
	return nil
}

// printOpening says what is trained on what.
func printOpening(w io.Writer, p *train.Progress, parts datasets.Parts, dir string) {
	d := parts.Train
	columns := fmt.Sprintf("%d features", d.Inputs())
	if d.ImageShape != [2]int{} {
		columns = fmt.Sprintf("%d×%d pixels", d.ImageShape[0], d.ImageShape[1])
	}
	if d.Task == datasets.Classification {
		columns += fmt.Sprintf(", %d classes", len(d.Classes))
	}
	facts(w,
		"data", fmt.Sprintf("%s: %d rows to train on, %d to validate, %d to test; %s",
			p.Config.Dataset, parts.Train.Len(), parts.Validation.Len(), parts.Test.Len(), columns),
		"model", p.Model.String(),
		"device", fallback(p.Model.Spec().Device),
		"training", trainingLine(&p.Config),
		"run", dir)
}

// fallback says why a program that can use a card computes on the processor,
// if nobody asked for that.
func fallback(d device.Device) string {
	if f, ok := d.(device.Fallback); ok {
		return fmt.Sprintf("%s, for lack of a card: %v", d.Name(), f.Instead())
	}
	return ""
}

func batchOf(c *train.Config) string {
	if c.Microbatches > 1 {
		return fmt.Sprintf("batch %d in %d parts", c.Batch, c.Microbatches)
	}
	return fmt.Sprintf("batch %d", c.Batch)
}

// trainingLine sums up how the weights are changed.
func trainingLine(c *train.Config) string {
	parts := []string{
		fmt.Sprintf("%s, lr %v", c.Optimizer, c.LR),
		fmt.Sprintf("%s schedule", c.Schedule),
		batchOf(c),
		fmt.Sprintf("seed %d", c.Seed),
	}
	if c.Dropout > 0 {
		parts = append(parts, fmt.Sprintf("dropout %v", c.Dropout))
	}
	return strings.Join(parts, ", ")
}
