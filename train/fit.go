package train

import (
	"context"
	"errors"
	"fmt"

	"github.com/affine-go/affine/datasets"
)

// FitOption changes what Fit does beside training.
type FitOption func(*fitSettings)

type fitSettings struct {
	dir           runDir
	resume, force bool
	callbacks     []Callback
	parts         *datasets.Parts
}

// InDirectory keeps the run in dir, which must not be there yet, or be empty:
// see [ConfigFile] and the other files. Without this option nothing is written.
func InDirectory(dir string) FitOption { return func(s *fitSettings) { s.dir = runDir(dir) } }

// Resume goes on with the run in the directory, which ends with the same bytes
// in the model file as if it had not been interrupted. The settings must be
// those of the run, see [ReadConfig]; only Epochs may differ. A run that has
// ended already is returned as it is.
func Resume() FitOption { return func(s *fitSettings) { s.resume = true } }

// Overwrite lets a new run take the place of one in the directory.
func Overwrite() FitOption { return func(s *fitSettings) { s.force = true } }

// WithCallbacks adds callbacks.
func WithCallbacks(list ...Callback) FitOption {
	return func(s *fitSettings) { s.callbacks = append(s.callbacks, list...) }
}

// WithParts trains on these parts instead of those that [Config.Load] returns.
func WithParts(parts datasets.Parts) FitOption { return func(s *fitSettings) { s.parts = &parts } }

// Load opens the dataset and splits it.
func (c *Config) Load() (datasets.Parts, error) {
	d, err := datasets.Open(c.Dataset, datasets.Options{
		N: c.Rows, Noise: c.Noise, Seed: c.Seed, Target: c.Target, Task: c.Task,
	})
	if err != nil {
		return datasets.Parts{}, err
	}
	return datasets.Split(d, c.Fractions, c.Seed)
}

// Fit trains a model from start to end and returns it with the weights of its
// best epoch. The same settings give the same weights, bit for bit, on any
// number of threads.
//
// Training ends when all epochs are done, when patience runs out, when a loss
// or the weights are not finite, when a callback asks for it, or when ctx is
// cancelled; Metrics.StoppingReason says which. None of these is an error. A
// cancelled run has finished its step and can be resumed. A run that met
// numbers that are not finite keeps the checkpoint of the last good epoch.
func Fit(ctx context.Context, c Config, opts ...FitOption) (*Run, error) {
	var s fitSettings
	for i, opt := range opts {
		if opt == nil {
			return nil, fmt.Errorf("fit: option %d is nil", i)
		}
		opt(&s)
	}
	r, err := fit(ctx, c, &s)
	if err != nil {
		return nil, fmt.Errorf("fit: %w", err)
	}
	return r, nil
}

func fit(ctx context.Context, c Config, s *fitSettings) (*Run, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	switch {
	case s.resume && s.dir == "":
		return nil, errors.New("resume: no directory was given")
	case s.resume && s.force:
		return nil, errors.New("got both resume and overwrite, want one of them")
	case s.resume:
		if err := checkSettings(s.dir, c); err != nil {
			return nil, fmt.Errorf("resume: %w", err)
		}
	case s.dir != "":
		if err := s.dir.checkFree(s.force); err != nil {
			return nil, err
		}
	}
	if s.parts == nil {
		parts, err := c.Load()
		if err != nil {
			return nil, err
		}
		s.parts = &parts
	}
	t, err := newTrainer(c, *s.parts)
	if err != nil {
		return nil, err
	}
	r, err := t.fit(ctx, s)
	if err != nil {
		t.model.spec.Device.Close()
		return nil, err
	}
	return r, nil
}

// checkSettings refuses to go on with other settings than the run's.
func checkSettings(dir runDir, c Config) error {
	if !dir.holdsRun() {
		return fmt.Errorf("there is no run in %s: %s is missing", dir, ConfigFile)
	}
	before, err := ReadConfig(dir.file(ConfigFile))
	if err != nil {
		return err
	}
	before.Epochs = c.Epochs
	different, err := differences(before, c)
	if err != nil {
		return err
	}
	if len(different) > 0 {
		return fmt.Errorf("%s; want the same, only epochs may differ", different[0])
	}
	return nil
}
