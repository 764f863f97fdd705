package main

import (
	"context"
	"fmt"
	"math"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/internal/format"
	"github.com/affine-go/affine/train"
)

// repeated is several trainings with the same settings, by seeds or by folds.
type repeated struct {
	Runs []*train.Metrics    `json:"runs"`
	Mean map[string]*float64 `json:"mean"`
	Std  map[string]*float64 `json:"std"` // sample standard deviation
}

// scores are the test scores of a run, in the order in which they are shown.
func scores(m *train.Metrics) (names []string, values []*float64) {
	for _, s := range []struct {
		name  string
		value *float64
	}{
		{"test_loss", m.TestLoss}, {"test_accuracy", m.TestAccuracy}, {"test_balanced_accuracy", m.TestBalancedAccuracy},
		{"test_f1", m.TestF1}, {"test_roc_auc", m.TestROCAUC}, {"test_r2", m.TestR2}, {"test_rmse", m.TestRMSE}, {"test_mae", m.TestMAE},
	} {
		if s.value != nil {
			names, values = append(names, s.name), append(values, s.value)
		}
	}
	return names, values
}

// repeat trains with --seeds seeds, or once for each of --folds folds, and keeps
// no run directory.
func (c *fitCommand) repeat(ctx context.Context, t *terminal, config train.Config) error {
	all, err := c.repetitions(config)
	if err != nil {
		return err
	}
	r := repeated{Mean: map[string]*float64{}, Std: map[string]*float64{}}
	columns := map[string][]float64{}
	var order []string
	for i, one := range all {
		parts := one.parts
		if parts == nil {
			loaded, err := one.config.Load()
			if err != nil {
				return err
			}
			parts = &loaded
		}
		run, err := train.Fit(ctx, one.config, append(t.job.Share(), train.WithParts(*parts))...)
		if err != nil {
			return fmt.Errorf("%s: %w", one.name, err)
		}
		run.Close()
		if run.Metrics.StoppingReason == train.ReasonInterrupted {
			return &interruptedError{fmt.Errorf("interrupted in training %d of %d", i+1, len(all))}
		}
		r.Runs = append(r.Runs, run.Metrics)
		names, values := scores(run.Metrics)
		line := one.name + ":"
		for j, name := range names {
			if len(columns[name]) == 0 {
				order = append(order, name)
			}
			columns[name] = append(columns[name], *values[j])
			line += fmt.Sprintf(" %s %s", name, format.Known(values[j]))
		}
		fmt.Fprintln(t.stderr, line)
	}
	rows := newTable("score", ">mean", ">standard deviation")
	for _, name := range order {
		mean, std := meanAndStd(columns[name])
		r.Mean[name], r.Std[name] = finiteOrNil(mean), finiteOrNil(std)
		rows.add(name, format.Known(r.Mean[name]), format.Known(r.Std[name]))
	}
	if c.JSON {
		return t.printJSON(r)
	}
	fmt.Fprintln(t.stdout)
	rows.write(t.stdout)
	return nil
}

// repetition is one of several trainings. Without parts the settings are split as
// usual.
type repetition struct {
	name   string
	config train.Config
	parts  *datasets.Parts
}

func (c *fitCommand) repetitions(config train.Config) ([]repetition, error) {
	var all []repetition
	if c.Folds == 0 {
		for i := range c.Seeds {
			one := config
			one.Seed += uint64(i)
			all = append(all, repetition{name: fmt.Sprintf("seed %d", one.Seed), config: one})
		}
		return all, nil
	}
	d, err := datasets.Open(config.Dataset, config.DataOptions())
	if err != nil {
		return nil, err
	}
	folds, err := datasets.Folds(d, c.Folds, config.Fractions.Validation, config.Seed)
	if err != nil {
		return nil, err
	}
	for i, parts := range folds {
		encoded, err := parts.Encode()
		if err != nil {
			return nil, err
		}
		all = append(all, repetition{name: fmt.Sprintf("fold %d", i+1), config: config, parts: &encoded})
	}
	return all, nil
}

// checkRepeated refuses what cannot be repeated.
func (c *fitCommand) checkRepeated() error {
	switch {
	case c.Seeds != 0 && c.Folds != 0:
		return usagef("got --seeds and --folds, want one of them")
	case c.Seeds < 0 || c.Seeds == 1:
		return usagef("--seeds %d: want at least 2", c.Seeds)
	case c.Folds < 0 || c.Folds == 1:
		return usagef("--folds %d: want at least 2", c.Folds)
	case c.Out != "" || c.Resume || c.Force:
		return usagef("--seeds and --folds keep no run directory, want them without --out, --resume and --force")
	}
	return nil
}

// meanAndStd returns the mean and the sample standard deviation.
func meanAndStd(v []float64) (mean, std float64) {
	for _, x := range v {
		mean += x / float64(len(v))
	}
	for _, x := range v {
		std += (x - mean) * (x - mean)
	}
	return mean, math.Sqrt(std / float64(len(v)-1))
}
