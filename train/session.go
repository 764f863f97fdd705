package train

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/train/optim"
)

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
		if session.earlier, err = s.dir.reopen(&t.config); err != nil {
			return nil, fmt.Errorf("resume: %w", err)
		}
		if session.earlier != nil {
			t.clock.before = max(t.clock.before, session.earlier.WallSeconds)
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

// train runs steps until there is a reason to stop. Numbers that are not finite
// are a reason, other errors are not.
func (s *session) train(ctx context.Context) (reason, detail string, err error) {
	reason, detail, err = s.steps(ctx)
	if errors.Is(err, optim.ErrNotFinite) {
		return ReasonNotFinite, fmt.Sprintf("%v; the checkpoint is that of epoch %d", err, s.good.training.Epochs), nil
	}
	return reason, detail, err
}

func (s *session) steps(ctx context.Context) (reason, detail string, err error) {
	t := s.trainer
	p := &t.progress
	for !t.Finished() {
		switch {
		case ctx.Err() != nil:
			return ReasonInterrupted, fmt.Sprintf("interrupted after step %d, in epoch %d", p.Step, p.Epoch), s.stop()
		case p.stop:
			return ReasonCallback, fmt.Sprintf("a callback asked to stop after step %d, in epoch %d", p.Step, p.Epoch), s.stop()
		}
		if _, err := t.Step(); err != nil {
			return "", "", err
		}
		if err := s.callbacks.call(onStep, p); err != nil {
			return "", "", err
		}
		if t.EpochDone() {
			if err := s.finishEpoch(); err != nil {
				return "", "", err
			}
		}
	}
	if len(t.history.Epochs) >= t.config.Epochs {
		return ReasonCompleted, fmt.Sprintf("all %d epochs are done", t.config.Epochs), nil
	}
	return ReasonEarlyStopping, fmt.Sprintf("%s has not got better by more than %v for %d epochs; best in epoch %d",
		t.config.Monitor, t.config.MinDelta, t.waited, p.BestEpoch), nil
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

// stop keeps the moment between two steps, if the weights are finite.
func (s *session) stop() error {
	if err := s.trainer.checkWeights(); err != nil {
		return err
	}
	return s.keep()
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
