package train

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"slices"
	"time"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/internal/atomicfile"
	"github.com/affine-go/affine/internal/sealedjson"
	"github.com/affine-go/affine/layer/device"
	"github.com/affine-go/affine/train/internal/ranks"
	"github.com/affine-go/affine/train/optim"
)

// FitOption configures [Fit].
type FitOption func(*fitSettings)

type fitSettings struct {
	dir           runDir
	resume, force bool
	callbacks     []Callback
	parts         *datasets.Parts
	ranks         ranks.Group
}

// InDirectory keeps the run in dir, which must not be there yet, or be empty:
// see [ConfigFile] and the other files. Without this option nothing is written.
// One training at a time may keep its run in a directory, see [ErrRunInUse].
func InDirectory(dir string) FitOption { return func(s *fitSettings) { s.dir = runDir(dir) } }

// Resume goes on with the run in the directory, which ends with the same bytes
// in the model file as if it had not been interrupted, by a signal, a kill or a
// crash at any moment. The settings must be those of the run, see
// [ReadRunConfig]; only Epochs may differ. A run that has ended already is
// returned as it is.
func Resume() FitOption { return func(s *fitSettings) { s.resume = true } }

// Overwrite lets a new run take the place of one in the directory, as soon as
// the new one has its first checkpoint.
func Overwrite() FitOption { return func(s *fitSettings) { s.force = true } }

// WithCallbacks adds callbacks.
func WithCallbacks(list ...Callback) FitOption {
	return func(s *fitSettings) { s.callbacks = append(s.callbacks, list...) }
}

// WithParts trains on these parts instead of those that [Config.Load] returns.
// Parts of a table are encoded as [Config.Load] does.
func WithParts(parts datasets.Parts) FitOption { return func(s *fitSettings) { s.parts = &parts } }

// Ranks are the processes that train one model together, as mpirun starts them,
// each of which has a rank from 0 on. All call the same methods in the same
// order.
type Ranks = ranks.Group

// WithRanks shares the training among processes, all of which call Fit with the
// same settings and data. The micro-batches of every batch are shared, and the
// rows that are predicted to measure the model; the number of processes must
// divide [Config.Microbatches]. Their number changes no bit of the result, and a
// run may be resumed on another one.
//
// Rank 0 alone keeps the run directory and calls the callbacks. A context that is
// cancelled, or a callback that asks to stop, in any process stops all of them
// after the same step. At the start all processes compare settings, data, kernels
// and versions, and return an error if these differ. After any later error in
// one process the others wait for it: it must end the job.
func WithRanks(r Ranks) FitOption { return func(s *fitSettings) { s.ranks = r } }

// DataOptions returns the options to open the dataset with.
func (c *Config) DataOptions() datasets.Options {
	return datasets.Options{N: c.Rows, Noise: c.Noise, Seed: c.Seed, Target: c.Target, Task: c.Task, CSV: c.CSV}
}

// Load opens the dataset, splits it, and encodes the columns of a table by what
// its training part holds.
func (c *Config) Load() (datasets.Parts, error) {
	d, err := datasets.Open(c.Dataset, c.DataOptions())
	if err != nil {
		return datasets.Parts{}, err
	}
	return c.Split(d)
}

// Split is [Config.Load] for a dataset that is open already.
func (c *Config) Split(d *datasets.Dataset) (datasets.Parts, error) {
	d, err := c.encodedAsFrom(d)
	if err != nil {
		return datasets.Parts{}, err
	}
	parts, err := datasets.Split(d, c.Fractions, c.Seed)
	if err != nil {
		return parts, err
	}
	return parts.Encode()
}

// encodedAsFrom encodes the columns of a table as the model does that the
// training starts from, if there is one and it has an encoding.
func (c *Config) encodedAsFrom(d *datasets.Dataset) (*datasets.Dataset, error) {
	if c.From == "" || d.Table == nil {
		return d, nil
	}
	p, err := LoadPredictor(c.From)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	if p.Schema.Encoding == nil {
		return d, nil
	}
	return p.Schema.Encoding.Transform(d)
}

// ErrOtherSettings is wrapped by the error for settings with which a run cannot
// be resumed.
var ErrOtherSettings = errors.New("want the settings of the run, only epochs may differ, and not below those done")

// Fit trains a model from start to end and returns it with the weights of its
// best epoch. The same settings give the same weights, bit for bit, on any
// number of threads.
//
// Training ends when all epochs are done, when patience runs out, when a loss
// or the weights are not finite or the loss is none any more (see
// [ReasonDiverged]), when a callback asks for it, or when ctx is cancelled;
// Metrics.StoppingReason says which. None of these is an error. A cancelled run
// has finished its step and can be resumed. A run that diverged keeps the
// checkpoint of the last good epoch.
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

// fit is a training from top to bottom: the directory is taken, the data are
// loaded, the trainer is built and, in a resumed run, restored; then steps are
// taken until there is a reason to stop, and the model is measured.
func fit(ctx context.Context, c Config, o *fitSettings) (_ *Run, err error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if o.ranks == nil {
		o.ranks = ranks.Alone{}
	}
	if o.ranks.Rank() != 0 {
		o.dir, o.resume, o.force, o.callbacks = "", false, false, nil
	}
	switch {
	case o.resume && o.dir == "":
		return nil, errors.New("resume: no directory was given")
	case o.resume && o.force:
		return nil, errors.New("got both resume and overwrite, want one of them")
	}
	s := &session{ranks: o.ranks, dir: o.dir, resume: o.resume, replace: o.force, callbacks: newCallbacks(o.callbacks)}
	defer func() {
		if s.unlock != nil {
			s.unlock()
		}
		if err != nil && s.trainer != nil {
			s.trainer.model.spec.Device.Close()
		}
	}()
	parts, err := s.prepare(c, o)
	if err := ranks.Agree(s.ranks, err); err != nil {
		return nil, err
	}
	if err := s.compare(parts); err != nil {
		return nil, err
	}
	if err := ranks.Agree(s.ranks, s.begin()); err != nil {
		return nil, err
	}
	if err := s.run(ctx); err != nil {
		return nil, err
	}
	return s.finish(parts)
}

// session is the part of a run between a start or a resume and its end.
type session struct {
	trainer   *Trainer
	ranks     ranks.Group
	dir       runDir
	resume    bool
	replace   bool   // what is in the directory
	unlock    func() // gives the directory back; nil while it is not taken
	callbacks callbacks
	before    *savedRun // the run that is resumed

	good      *checkpoint   // of the last moment known to be good
	saved     time.Time     // when the last checkpoint was written
	saving    time.Duration // that this took
	bestSaved int           // the epoch whose weights are in the model file
}

// prepare is all that comes before the first step and needs no other process.
func (s *session) prepare(c Config, o *fitSettings) (datasets.Parts, error) {
	if err := s.open(c); err != nil {
		return datasets.Parts{}, err
	}
	if o.parts == nil {
		parts, err := c.Load()
		if err != nil {
			return parts, err
		}
		o.parts = &parts
	}
	parts, err := o.parts.Encode()
	if err != nil {
		return parts, err
	}
	s.trainer, err = newTrainer(c, parts, s.ranks)
	return parts, err
}

// compare refuses to train with processes whose steps would be others.
func (s *session) compare(parts datasets.Parts) error {
	if s.ranks.Size() == 1 {
		return nil
	}
	t := s.trainer
	var facts []ranks.Fact
	bySetting, err := settings(t.config)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(bySetting)) {
		facts = append(facts, ranks.Fact{Name: "setting " + name, Value: string(bySetting[name])})
	}
	sum, err := checksum(parts)
	if err != nil {
		return err
	}
	e := CurrentEnvironment(t.model.spec.Device)
	facts = append(facts, ranks.Fact{Name: "the data's checksum", Value: sum}, ranks.Fact{Name: "architecture", Value: e.Arch},
		ranks.Fact{Name: "Go", Value: e.Go}, ranks.Fact{Name: "the kernels' instruction set", Value: kernelSet(t.model.spec.Device)})
	for _, path := range slices.Sorted(maps.Keys(e.Modules)) {
		facts = append(facts, ranks.Fact{Name: path, Value: e.Modules[path]})
	}
	return ranks.Same(s.ranks, facts)
}

// kernelSet returns what the last bits of results depend on besides the device.
func kernelSet(d device.Device) string {
	if v, ok := d.(device.KernelSetter); ok {
		return v.KernelSet()
	}
	return d.Name()
}

// checksum returns the SHA-256 of the numbers that a model is trained and
// measured with.
func checksum(parts datasets.Parts) (string, error) {
	h := sha256.New()
	var buffer []byte
	for _, d := range []*datasets.Dataset{parts.Train, parts.Validation, parts.Test} {
		if d == nil {
			continue
		}
		names, err := json.Marshal(d.Schema())
		if err != nil {
			return "", err
		}
		h.Write(names)
		for _, column := range [][]float64{d.X, d.Y} {
			for block := range slices.Chunk(column, 1<<12) {
				buffer = buffer[:0]
				for _, x := range block {
					buffer = binary.LittleEndian.AppendUint64(buffer, math.Float64bits(x))
				}
				h.Write(buffer)
			}
			fmt.Fprintf(h, "%d numbers", len(column))
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// open takes a directory that is there, and reads the run that is to be resumed.
func (s *session) open(c Config) (err error) {
	if s.dir == "" {
		return nil
	}
	if err := s.take(); err != nil && (s.resume || !errors.Is(err, fs.ErrNotExist)) {
		return err
	}
	if !s.resume {
		return nil
	}
	if s.before, err = s.dir.load(); err != nil {
		return fmt.Errorf("resume: %w", err)
	}
	different, err := differencesButEpochs(s.before.config, c)
	if err != nil {
		return err
	}
	if len(different) > 0 {
		return fmt.Errorf("resume: %s; %w", different[0], ErrOtherSettings)
	}
	if cp := s.before.checkpoint; cp != nil && cp.training.Epochs > c.Epochs {
		return fmt.Errorf("resume %s: epochs is %d, but %d are done; %w", s.dir, c.Epochs, cp.training.Epochs, ErrOtherSettings)
	}
	return nil
}

// take locks the directory and checks that it is free, unless a run is to be
// resumed there. What a training that was killed left half-written is removed.
func (s *session) take() (err error) {
	if s.unlock, err = s.dir.lock(); errors.Is(err, fs.ErrNotExist) && s.resume {
		_, err = s.dir.load() // says what is missing
		return fmt.Errorf("resume: %w", err)
	} else if err != nil {
		return err
	}
	if err := atomicfile.RemoveTemporaries(string(s.dir)); err != nil {
		return err
	}
	if s.resume {
		return nil
	}
	return s.dir.checkFree(s.replace)
}

// begin writes the first checkpoint of the session, before the first step.
func (s *session) begin() error {
	t := s.trainer
	if s.before == nil {
		s.before = &savedRun{}
	}
	c, err := broadcastCheckpoint(s.ranks, s.before.checkpoint)
	if err != nil {
		return err
	}
	if c != nil {
		if err := t.restore(c, s.before.times); err != nil {
			return fmt.Errorf("resume %s: %w", s.dir.file(CheckpointFile), err)
		}
	}
	if m := s.before.metrics; m != nil {
		t.clock.before = max(t.clock.before, m.WallSeconds)
	}
	if err := s.keep(); err != nil || s.dir == "" {
		return err
	}
	if s.unlock == nil {
		if err := os.MkdirAll(string(s.dir), 0o777); err != nil {
			return err
		}
		if err := s.take(); err != nil {
			return err
		}
	}
	started := time.Now()
	if err := s.dir.begin(s.good, &t.history, s.replace); err != nil {
		return err
	}
	s.haveSaved(started)
	return nil
}

// run trains and keeps what it reached.
func (s *session) run(ctx context.Context) (err error) {
	p := &s.trainer.progress
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
	if lost := s.trainer.history.lost(); err == nil && len(lost) > 0 && (reason == ReasonCompleted || reason == ReasonEarlyStopping) {
		return ReasonDiverged, diverged(lost), nil
	}
	return reason, detail, err
}

func (s *session) steps(ctx context.Context) (reason, detail string, err error) {
	t := s.trainer
	p := &t.progress
	for !t.Finished() && !t.history.hopeless() {
		t.interrupted = ctx.Err() != nil
		interrupted, asked := t.interrupted, p.stop
		if s.ranks.Size() > 1 { // all stop after the same step
			interrupted, asked = t.agreed.interrupted, t.agreed.stop
		}
		switch {
		case interrupted:
			return ReasonInterrupted, fmt.Sprintf("interrupted after step %d, in epoch %d", p.Step, p.Epoch), s.stop()
		case asked:
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

// maxLost is how many epochs in a row without a loss end a training. Most that
// get there have numbers that are not finite before.
const maxLost = 8

// LargestLoss is the largest training loss that says something: the one of
// outputs of 2^24, from which on float32 leaves whole numbers out. Larger ones
// are rounded to steps beyond what they are compared with, the logarithms of
// probabilities or targets of variance 1. The softmax cross-entropy grows with
// the outputs, the mean squared error with their squares.
func LargestLoss(task datasets.Task) float64 {
	const output = 1 << 24
	if task == datasets.Regression {
		return output * output
	}
	return output
}

// hopeless reports whether the last maxLost epochs had no loss any more.
func (h *History) hopeless() bool {
	n := len(h.Epochs)
	if n < maxLost {
		return false
	}
	for _, r := range h.Epochs[n-maxLost:] {
		if r.TrainLoss <= LargestLoss(h.Task) {
			return false
		}
	}
	return true
}

// lost returns the epochs whose loss is none any more.
func (h *History) lost() []EpochRecord {
	var lost []EpochRecord
	for _, r := range h.Epochs {
		if r.TrainLoss > LargestLoss(h.Task) {
			lost = append(lost, r)
		}
	}
	return lost
}

func diverged(lost []EpochRecord) string {
	return fmt.Sprintf("the training loss was %.3g in epoch %d: outputs that large say nothing any more", lost[0].TrainLoss, lost[0].Epoch)
}

func (s *session) finishEpoch() error {
	if err := s.trainer.FinishEpoch(); err != nil {
		return err
	}
	if err := s.keep(); err != nil {
		return err
	}
	if time.Since(s.saved) >= max(saveEvery, savingShare*s.saving) {
		if err := s.save(); err != nil {
			return err
		}
	}
	return s.callbacks.call(onEpoch, &s.trainer.progress)
}

// Writing files must not take a notable part of a training: at least saveEvery,
// and savingShare times what the last checkpoint took, lie between two of them.
const (
	saveEvery   = time.Second
	savingShare = 20
)

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

// save writes the last good moment to the disk.
func (s *session) save() error {
	if s.dir == "" {
		return nil
	}
	started := time.Now()
	best := s.good.training.BestEpoch
	if err := s.dir.save(s.good, &s.trainer.history, best == 0 || best != s.bestSaved); err != nil {
		return err
	}
	s.haveSaved(started)
	return nil
}

func (s *session) haveSaved(started time.Time) {
	s.saved, s.bestSaved = time.Now(), s.good.training.BestEpoch
	s.saving = s.saved.Sub(started)
}

// finish gives the model its best weights and measures it.
func (s *session) finish(parts datasets.Parts) (*Run, error) {
	t := s.trainer
	wall := t.clock.seconds()
	if err := t.model.SetWeights(s.good.bestWeights()); err != nil {
		return nil, err
	}
	m, err := t.metrics(parts)
	if err != nil {
		return nil, err
	}
	m.WallSeconds = wall
	if s.before.metrics != nil && t.times.Count() == 0 {
		m.StepMicroseconds, m.WallSeconds = s.before.metrics.StepMicroseconds, s.before.metrics.WallSeconds
	}
	if s.dir != "" {
		if err := sealedjson.Write(s.dir.file(MetricsFile), m); err != nil {
			return nil, err
		}
	}
	return &Run{Predictor: t.predictor, Dir: string(s.dir), Config: t.config, History: &t.history, Metrics: m}, nil
}
