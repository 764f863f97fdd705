package train

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/internal/timing"
	"github.com/affine-go/affine/layer/device"
	"github.com/affine-go/affine/train/internal/ranks"
	"github.com/affine-go/affine/train/optim"
	"gorgonia.org/tensor"
)

// Trainer trains a model step by step. [Fit] drives one from a Config to a run
// directory; a Trainer of one's own is for those who want to do something
// between the steps:
//
//	for !t.Finished() {
//		loss, err := t.Step()
//		…
//		if t.EpochDone() {
//			err = t.FinishEpoch()
//		}
//	}
//
// It must not be used by two goroutines at once.
type Trainer struct {
	config     Config
	predictor  *Predictor
	model      *Model
	optimizer  *optim.Optimizer
	schedule   optim.Schedule
	sampler    *datasets.Sampler
	features   table // of the training part
	targets    table
	trainRows  int
	sample     *part // of the training rows, to measure the metric on
	validation *part // nil without rows

	progress  Progress
	history   History
	lossSum   float64 // over the rows of the epoch under way
	lossRows  int
	best      map[string]*tensor.Dense
	monitored float64 // of the last epoch; lower is better
	score     float64 // of the best epoch
	reference float64 // what patience waits to see beaten
	waited    int
	times     timing.Recent
	clock     clock
	ahead     ahead

	ranks       ranks.Group // the processes that train together
	cut         cut         // nil if batches are neither cut nor shared
	interrupted bool        // this process is to stop
	agreed      struct {    // in the last step, by all processes
		interrupted, stop bool
	}
}

// NewTrainer prepares the training that the settings describe on parts as
// [Config.Load] returns them: scalers fitted on the training part, weights
// drawn, everything in the device's memory.
func NewTrainer(c Config, parts datasets.Parts) (*Trainer, error) {
	t, err := newTrainer(c, parts, ranks.Alone{})
	if err != nil {
		return nil, fmt.Errorf("new trainer: %w", err)
	}
	return t, nil
}

func newTrainer(c Config, parts datasets.Parts, group ranks.Group) (*Trainer, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	parts, err := parts.Encode()
	if err != nil {
		return nil, err
	}
	d, err := c.openDevice()
	if err != nil {
		return nil, err
	}
	t := &Trainer{config: c, clock: clock{start: time.Now()}, ranks: group}
	if err := t.prepare(d, parts); err != nil {
		d.Close()
		return nil, err
	}
	return t, nil
}

func (t *Trainer) prepare(d device.Device, parts datasets.Parts) (err error) {
	if t.predictor, err = newPredictor(&t.config, d, parts.Train); err != nil {
		return err
	}
	t.model = t.predictor.model
	train, err := t.predictor.prepare(parts.Train)
	if err != nil {
		return err
	}
	t.trainRows = train.rows
	spec := t.model.spec
	if t.config.ClassWeights != "" && spec.Task != datasets.Classification {
		return fmt.Errorf("class weights: %q are for classification, the task is %v", t.config.ClassWeights, spec.Task)
	}
	weights, err := parseClassWeights(t.config.ClassWeights, t.predictor.Schema.Classes, train.classes)
	if err != nil {
		return err
	}
	t.sample = train.some(2000)
	train.weigh(weights)
	if known := monitorsOf(spec.Task); !slices.Contains(known, t.config.Monitor) {
		return fmt.Errorf("monitor is %q, want one of %s for %v", t.config.Monitor, strings.Join(known, ", "), spec.Task)
	}
	if t.features, err = newTable(d, spec.Dtype, train.x, train.rows, spec.Inputs); err != nil {
		return err
	}
	if t.targets, err = newTable(d, spec.Dtype, train.targets, train.rows, spec.Outputs); err != nil {
		return err
	}
	if parts.Validation != nil && parts.Validation.Len() > 0 {
		if t.validation, err = t.predictor.prepare(parts.Validation); err != nil {
			return err
		}
		t.validation.weigh(weights)
	} else if t.config.Monitor != MonitorTrainLoss {
		return fmt.Errorf("monitor is %q, but there are no validation rows; want %q", t.config.Monitor, MonitorTrainLoss)
	}
	if t.sampler, err = datasets.NewSampler(train.rows, t.config.Batch, t.config.Seed); err != nil {
		return err
	}
	if t.schedule, err = t.config.newSchedule(t.sampler.Batches()); err != nil {
		return err
	}
	if t.optimizer, err = optim.New(t.config.Optimizer, append(t.config.optimizerOptions(), optim.WithDevice(d))...); err != nil {
		return err
	}
	t.ahead.on(d, &t.config)
	if t.cut, err = newCut(t.model, t.config.Microbatches, t.ranks); err != nil {
		return err
	}
	t.history.Task = spec.Task
	t.progress = Progress{Config: t.config, Model: t.model, Epoch: 1, EpochSteps: t.sampler.Batches(), History: &t.history, trainer: t}
	return nil
}

// newPredictor fits the scalers and draws the weights for a training part.
func newPredictor(c *Config, d device.Device, train *datasets.Dataset) (*Predictor, error) {
	if train == nil || train.Len() == 0 {
		return nil, fmt.Errorf("there are no rows to train on")
	}
	if c.From != "" {
		p, err := startFrom(c, d, train)
		if err != nil {
			return nil, fmt.Errorf("from %s: %w", c.From, err)
		}
		return p, nil
	}
	p := &Predictor{Schema: train.Schema()}
	var err error
	if p.Features, err = datasets.FitScaler(c.Scaling, train.X, train.Inputs()); err != nil {
		return nil, err
	}
	if train.Task == datasets.Regression {
		if p.Targets, err = datasets.FitScaler(datasets.Standard, train.Y, 1); err != nil {
			return nil, err
		}
	}
	spec, err := c.spec(train.Task, train.Inputs(), train.Outputs())
	if err != nil {
		return nil, err
	}
	spec.Device = d
	p.model, err = NewModel(spec)
	return p, err
}

// startFrom returns the model that the settings start from, for a training part.
func startFrom(c *Config, d device.Device, train *datasets.Dataset) (*Predictor, error) {
	f, err := readModel(c.From)
	if err != nil {
		return nil, err
	}
	m, err := metadataOf(f.Texts)
	if err != nil {
		return nil, err
	}
	if m.Schema.Numbered() && len(m.Schema.Features) == train.Inputs() && len(m.Schema.Classes) == len(train.Classes) {
		m.Schema = train.Schema()
	}
	p, err := m.build(f.Tensors, Spec{Device: d, Impl: c.Impl, Machine: c.Machine, Dropout: c.Dropout, Seed: c.Seed})
	if err != nil {
		return nil, err
	}
	spec := &p.model.spec
	if !slices.Equal(spec.Hidden, c.Hidden) || spec.Activation.String() != c.Activation || spec.Dtype.String() != c.Dtype {
		return nil, fmt.Errorf("the model has hidden layers %v, activation %v and dtype %v, the settings say %v, %s and %s",
			spec.Hidden, spec.Activation, spec.Dtype, c.Hidden, c.Activation, c.Dtype)
	}
	return p, p.fits(train)
}

// Model returns the model under training.
func (t *Trainer) Model() *Model { return t.model }

// Predictor returns a predictor with a copy of the weights of this moment, which
// other goroutines may use while the training goes on.
func (t *Trainer) Predictor() (*Predictor, error) {
	p := t.predictor
	return NewPredictor(t.model, p.Schema, p.Features, p.Targets)
}

// Progress tells where the training is. It changes with every step.
func (t *Trainer) Progress() *Progress { return &t.progress }

// Finished reports whether all epochs are done or patience has run out.
func (t *Trainer) Finished() bool {
	return len(t.history.Epochs) >= t.config.Epochs || t.outOfPatience()
}

func (t *Trainer) outOfPatience() bool { return t.config.Patience > 0 && t.waited >= t.config.Patience }

// EpochDone reports whether the last step was the last of its epoch.
func (t *Trainer) EpochDone() bool { return t.sampler.Batch() == t.sampler.Batches() }

// FinishEpoch ends an epoch after its last step: it measures the model on the
// validation part, adds the epoch to the history and remembers the weights if
// they are the best so far. Weights or a validation loss that are not finite
// are an error that wraps [optim.ErrNotFinite]; the epoch is then not finished.
func (t *Trainer) FinishEpoch() error {
	if !t.EpochDone() {
		return fmt.Errorf("finish epoch: %d of its %d steps are done", t.sampler.Batch(), t.sampler.Batches())
	}
	p := &t.progress
	r := EpochRecord{
		Epoch: len(t.history.Epochs) + 1, Step: p.Step, LR: p.LR, TrainLoss: t.lossSum / float64(t.lossRows),
		TrainMetric: math.NaN(), ValLoss: math.NaN(), ValMetric: math.NaN(),
	}
	if err := t.validate(&r); err != nil {
		return fmt.Errorf("epoch %d: %w", r.Epoch, err)
	}
	t.sampler.Next() // takes note of the end and draws the next epoch's order
	t.lossSum, t.lossRows = 0, 0
	r.Wall = t.clock.seconds()
	t.history.Epochs = append(t.history.Epochs, r)
	return t.remember(&r)
}

func (t *Trainer) validate(r *EpochRecord) error {
	if err := t.checkWeights(); err != nil {
		return err
	}
	out, err := t.forward(t.sample.x)
	if err != nil {
		return err
	}
	if _, r.TrainMetric, err = t.predictor.measure(out, t.sample); err != nil {
		return err
	}
	if t.validation == nil {
		return nil
	}
	if out, err = t.forward(t.validation.x); err != nil {
		return err
	}
	if r.ValLoss, r.ValMetric, err = t.predictor.measure(out, t.validation); err != nil {
		return err
	}
	if !finite(r.ValLoss) || !finite(r.ValMetric) {
		return fmt.Errorf("validation loss is %v: %w", r.ValLoss, optim.ErrNotFinite)
	}
	return t.monitor(r, out)
}

// forward is the model's Forward, of which each process takes a share of the
// rows.
func (t *Trainer) forward(x []float64) ([]float64, error) {
	inputs := t.model.spec.Inputs
	lo, hi := ranks.Share(t.ranks, len(x)/inputs)
	out, err := t.model.Forward(x[lo*inputs : hi*inputs])
	if err != nil {
		return nil, err
	}
	return ranks.Gather(t.ranks, out)
}

// monitor finds the score that decides how good the epoch is: lower is better.
// It overwrites out, the model's outputs for the validation rows.
func (t *Trainer) monitor(r *EpochRecord, out []float64) error {
	switch t.config.Monitor {
	case MonitorValLoss:
		t.monitored = r.ValLoss
		return nil
	case MonitorValMetric:
		t.monitored = -r.ValMetric
		return nil
	case MonitorTrainLoss:
		return nil
	}
	if err := t.predictor.answers(out); err != nil {
		return err
	}
	v := t.validation
	answers := device.MatrixOf(out, v.rows, len(out)/v.rows)
	if t.config.Monitor == MonitorValMAE {
		targets := slices.Clone(v.targets)
		if err := t.predictor.answers(targets); err != nil {
			return err
		}
		mae, err := MAE(answers, device.MatrixOf(targets, v.rows, answers.Cols))
		t.monitored = mae
		return err
	}
	s, err := NewClassScores(answers, v.classes)
	if err != nil {
		return err
	}
	t.monitored = -map[string]float64{
		MonitorValBalancedAccuracy: s.BalancedAccuracy, MonitorValF1: s.F1, MonitorValROCAUC: s.ROCAUC,
	}[t.config.Monitor]
	if math.IsNaN(t.monitored) {
		return fmt.Errorf("%s is undefined: the validation rows are of one class", t.config.Monitor)
	}
	return nil
}

// checkWeights returns an error that wraps ErrNotFinite if weights are not.
func (t *Trainer) checkWeights() error {
	ok, err := t.model.finite()
	if err == nil && !ok {
		err = fmt.Errorf("weights: %w", optim.ErrNotFinite)
	}
	return err
}

// remember keeps the weights if the epoch was the best, and counts how long it
// is since one was notably better.
func (t *Trainer) remember(r *EpochRecord) (err error) {
	score := t.monitored
	if t.config.Monitor == MonitorTrainLoss {
		score = r.TrainLoss
	}
	first := t.best == nil
	if first || score < t.reference-t.config.MinDelta {
		t.reference, t.waited = score, 0
	} else {
		t.waited++
	}
	if first || score < t.score {
		t.score, t.progress.BestEpoch = score, r.Epoch
		t.best, err = t.model.copyWeights()
	}
	return err
}

// Callback is a set of functions that a training calls as it goes; those that
// are nil are skipped. An error ends the training with that error.
type Callback struct {
	Name     string // stands in errors
	Priority int    // lower ones are called first, equal ones in the order given

	OnStart func(*Progress) error // before the first step
	OnStep  func(*Progress) error // after each step
	OnEpoch func(*Progress) error // after each epoch, once it is in the history
	OnEnd   func(*Progress) error // after the last step, whatever the reason
}

// Progress is what a training tells its callbacks. It is valid only during the call;
// they must not change it.
type Progress struct {
	Config Config
	Model  *Model // with the weights of the last step

	Epoch      int     // under way or, in OnEpoch and OnEnd, finished last; counted from 1
	Step       int     // steps taken, those before a resume among them
	EpochStep  int     // steps taken in the epoch under way
	EpochSteps int     // steps of an epoch, the last, smaller batch among them
	LR         float64 // of the last step
	Loss       float64 // of the last step's batch
	Rows       int     // trained on since the start or the resume

	History   *History // of the finished epochs
	BestEpoch int      // the epoch in which Config.Monitor was best, 0 for none yet

	StoppingReason string // why the training ended; set for OnEnd
	Detail         string // the reason as a sentence; set for OnEnd

	stop    bool
	trainer *Trainer
}

// Predictor returns a predictor with a copy of the weights of this moment, which
// other goroutines may use while the training goes on.
func (p *Progress) Predictor() (*Predictor, error) { return p.trainer.Predictor() }

// Stop asks the training to end after this step, with [ReasonCallback].
func (p *Progress) Stop() { p.stop = true }

// callbacks are sorted by priority.
type callbacks []Callback

func newCallbacks(list []Callback) callbacks {
	sorted := slices.Clone(list)
	slices.SortStableFunc(sorted, func(a, b Callback) int { return cmp.Compare(a.Priority, b.Priority) })
	return sorted
}

func onStart(c *Callback) func(*Progress) error { return c.OnStart }
func onStep(c *Callback) func(*Progress) error  { return c.OnStep }
func onEpoch(c *Callback) func(*Progress) error { return c.OnEpoch }
func onEnd(c *Callback) func(*Progress) error   { return c.OnEnd }

// call calls one function of every callback, until the first error.
func (cs callbacks) call(which func(*Callback) func(*Progress) error, p *Progress) error {
	for i := range cs {
		f := which(&cs[i])
		if f == nil {
			continue
		}
		if err := f(p); err != nil {
			return fmt.Errorf("callback %q: %w", cs[i].Name, err)
		}
	}
	return nil
}

// BalancedClassWeights is what Config.ClassWeights may say instead of a list: the
// weight of a class is rows/(classes·rows of the class), as in scikit-learn.
const BalancedClassWeights = "balanced"

// parseClassWeights returns the weight of each class. text is "", "balanced" or a
// list such as "a=1,b=5"; a class that the list does not name has the weight 1.
// actual holds the class of each training row.
func parseClassWeights(text string, classes []string, actual []int) ([]float64, error) {
	switch text {
	case "":
		return nil, nil
	case BalancedClassWeights:
		weights := make([]float64, len(classes))
		for _, class := range actual {
			weights[class]++
		}
		for class, n := range weights {
			if n == 0 {
				return nil, fmt.Errorf("class weights: balanced: class %q has no rows to train on", classes[class])
			}
			weights[class] = float64(len(actual)) / (float64(len(classes)) * n)
		}
		return weights, nil
	}
	weights := slices.Repeat([]float64{1}, len(classes))
	for _, entry := range strings.Split(text, ",") {
		at := strings.LastIndexByte(entry, '=')
		if at < 0 {
			return nil, fmt.Errorf("class weights: %q, want %s or CLASS=WEIGHT,…", entry, BalancedClassWeights)
		}
		name, number := strings.TrimSpace(entry[:at]), strings.TrimSpace(entry[at+1:])
		class := slices.Index(classes, name)
		if class < 0 {
			return nil, fmt.Errorf("class weights: there is no class %q, want some of %s", name, strings.Join(classes, ", "))
		}
		w, err := strconv.ParseFloat(number, 64)
		if err != nil || !(w >= 0) || math.IsInf(w, 0) {
			return nil, fmt.Errorf("class weights: the weight of %q is %q, want a finite number of at least 0", name, number)
		}
		weights[class] = w
	}
	return weights, nil
}

// weigh multiplies the one-hot targets of each row by the weight of its class.
// The cross-entropy, and its gradient, are linear in the targets.
func (p *part) weigh(weights []float64) {
	if weights == nil {
		return
	}
	classes := len(weights)
	for i, class := range p.classes {
		p.targets[i*classes+class] *= weights[class]
	}
}

// clock measures the time of a training over several sessions.
type clock struct {
	start  time.Time
	before float64 // seconds of earlier sessions
}

func (c *clock) seconds() float64 { return c.before + time.Since(c.start).Seconds() }
