package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/affine-go/affine/train"
	comparison "github.com/affine-go/affine/train/compare"
)

type compareCommand struct {
	dataFlags     `embed:""`
	modelFlags    `embed:""`
	trainingFlags `embed:""`

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
func (c *compareCommand) train(ctx context.Context, t *terminal, config train.Config) (*comparison.Result, error) {
	live := liveLine{w: t.stderr}
	defer live.clear()
	most, taken, all := 0, 0, 0
	set(&most, c.Steps)
	result, err := comparison.Run(ctx, config, most, func(step, steps int, fused, builtin float64) {
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
