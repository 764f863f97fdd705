package train

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

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
	for _, opt := range opts {
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

func (t *Trainer) fit(ctx context.Context, s *fitSettings) (*Run, error) {
	session := &session{trainer: t, dir: s.dir, callbacks: newCallbacks(s.callbacks)}
	if s.resume {
		c, h, err := s.dir.load()
		if err != nil {
			return nil, fmt.Errorf("resume: %w", err)
		}
		if c != nil {
			if err := t.restore(c, h); err != nil {
				return nil, fmt.Errorf("resume %s: %w", s.dir.file(CheckpointFile), err)
			}
		}
		if m, err := ReadMetrics(s.dir.file(MetricsFile)); err == nil {
			t.clock.before = m.WallSeconds
			session.earlier = m
		}
		if err := s.dir.writeJSON(ConfigFile, t.config); err != nil {
			return nil, err
		}
	} else if s.dir != "" {
		if err := s.dir.create(&t.config); err != nil {
			return nil, err
		}
	}
	if err := session.run(ctx); err != nil {
		return nil, err
	}
	return session.finish(*s.parts)
}

// saveEvery is the least time between two checkpoints: writing files must not
// take a notable part of a training whose epochs last a millisecond.
const saveEvery = time.Second

// session is the part of a run between a start or a resume and its end.
type session struct {
	trainer   *Trainer
	dir       runDir
	callbacks callbacks
	earlier   *Metrics    // of the session before
	good      *checkpoint // of the last moment known to be good
	saved     time.Time
}

func (s *session) run(ctx context.Context) (err error) {
	p := &s.trainer.progress
	if err := s.keep(); err != nil {
		return err
	}
	if err := s.save(); err != nil {
		return err
	}
	if err := s.callbacks.call(onStart, p); err != nil {
		return err
	}
	if p.StoppingReason, p.Detail, err = s.train(ctx); err != nil {
		if saving := s.save(); saving != nil {
			return fmt.Errorf("%w; then: %w", err, saving)
		}
		return err
	}
	if err := s.save(); err != nil {
		return err
	}
	return s.callbacks.call(onEnd, p)
}

// train runs steps until there is a reason to stop.
func (s *session) train(ctx context.Context) (reason, detail string, err error) {
	t := s.trainer
	p := &t.progress
	for !t.Finished() {
		switch {
		case ctx.Err() != nil:
			return s.stop(ReasonInterrupted, fmt.Sprintf("interrupted after step %d, in epoch %d", p.Step, p.Epoch))
		case p.stop:
			return s.stop(ReasonCallback, fmt.Sprintf("a callback asked to stop after step %d, in epoch %d", p.Step, p.Epoch))
		}
		_, err := t.Step()
		if err == nil {
			err = s.callbacks.call(onStep, p)
		}
		if err == nil && t.EpochDone() {
			err = s.finishEpoch()
		}
		if errors.Is(err, ErrNotFinite) {
			return ReasonNotFinite, fmt.Sprintf("%v; the checkpoint is that of epoch %d", err, s.good.training.Epochs), nil
		}
		if err != nil {
			return "", "", err
		}
	}
	if t.outOfPatience() {
		return ReasonEarlyStopping, fmt.Sprintf("%s has not got better by more than %v for %d epochs; best in epoch %d",
			t.config.Monitor, t.config.MinDelta, t.waited, p.BestEpoch), nil
	}
	return ReasonCompleted, fmt.Sprintf("all %d epochs are done", t.config.Epochs), nil
}

func (s *session) finishEpoch() error {
	if err := s.trainer.FinishEpoch(); err != nil {
		return err
	}
	if err := s.keep(); err != nil {
		return err
	}
	if time.Since(s.saved) >= saveEvery {
		if err := s.save(); err != nil {
			return err
		}
	}
	return s.callbacks.call(onEpoch, &s.trainer.progress)
}

// stop ends the training between two steps, after a look at the weights.
func (s *session) stop(reason, detail string) (string, string, error) {
	ok, err := s.trainer.model.finite()
	if err != nil {
		return "", "", err
	}
	if !ok {
		return ReasonNotFinite, fmt.Sprintf("weights are not finite; the checkpoint is that of epoch %d", s.good.training.Epochs), nil
	}
	return reason, detail, s.keep()
}

// keep takes this moment as the last good one.
func (s *session) keep() (err error) {
	s.good, err = s.trainer.capture()
	return err
}

func (s *session) save() error {
	s.saved = time.Now()
	return s.dir.save(s.good, s.trainer.predictor, &s.trainer.history)
}

// finish gives the model its best weights and measures it.
func (s *session) finish(parts datasets.Parts) (*Run, error) {
	t := s.trainer
	wall := t.clock.seconds()
	weights := s.good.best
	if weights == nil {
		weights = s.good.weights
	}
	if err := t.model.SetWeights(weights); err != nil {
		return nil, err
	}
	m, err := t.metrics(parts)
	if err != nil {
		return nil, err
	}
	m.WallSeconds = wall
	if s.earlier != nil && t.times.count == 0 {
		m.StepMicroseconds, m.WallSeconds = s.earlier.StepMicroseconds, s.earlier.WallSeconds
	}
	if s.dir != "" {
		if err := s.dir.writeJSON(MetricsFile, m); err != nil {
			return nil, err
		}
	}
	return &Run{Predictor: t.predictor, Dir: string(s.dir), Config: t.config, History: &t.history, Metrics: m}, nil
}

// Run is a run that has ended or stopped: the model with the weights of its
// best epoch, and what is known of the training.
type Run struct {
	*Predictor
	Dir     string // "" if it was not kept
	Config  Config
	History *History
	Metrics *Metrics // nil if the run did not come to its end
}

// Close gives back the device.
func (r *Run) Close() error { return r.Model.spec.Device.Close() }

// LoadRun reads a run directory. Metrics are nil where the run is unfinished;
// everything else must be there and whole. Options change where and how the
// model computes; without them it does as it was trained.
func LoadRun(dir string, opts ...LoadOption) (*Run, error) {
	d := runDir(dir)
	r, err := d.loadRun(opts)
	if err != nil {
		return nil, fmt.Errorf("load run: %w", err)
	}
	return r, nil
}

func (d runDir) loadRun(opts []LoadOption) (*Run, error) {
	if _, err := os.Stat(string(d)); err != nil {
		return nil, err
	}
	c, err := ReadConfig(d.file(ConfigFile))
	if err != nil {
		return nil, err
	}
	r := &Run{Dir: string(d), Config: c}
	if r.History, err = ReadHistory(d.file(HistoryFile)); err != nil {
		return nil, err
	}
	if r.Metrics, err = ReadMetrics(d.file(MetricsFile)); errors.Is(err, os.ErrNotExist) {
		r.Metrics = nil
	} else if err != nil {
		return nil, err
	}
	opts = append([]LoadOption{LoadOnDevice(c.Device), LoadAs(c.Impl, c.Machine)}, opts...)
	r.Predictor, err = LoadModel(d.file(ModelFile), opts...)
	return r, err
}
