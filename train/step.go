package train

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/internal/values"
	"github.com/affine-go/affine/layer/device"
	"github.com/affine-go/affine/train/internal/ranks"
	"github.com/affine-go/affine/train/optim"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Step trains on the next batch and returns its loss before the step. A loss
// or a norm of the gradients that is not finite is an error that wraps
// [ErrNotFinite]; the weights are then what they were.
//
// A CUDA card takes steps without waiting. Losses are then read every few steps
// and at the end of an epoch: Step returns the newest that is known, and an
// error tells of a step some way back.
func (t *Trainer) Step() (float64, error) {
	started := time.Now()
	rows := t.sampler.Next()
	if rows == nil { // the end of an epoch that was not finished
		rows = t.sampler.Next()
	}
	p := &t.progress
	p.Epoch = len(t.history.Epochs) + 1
	var loss float64
	var err error
	if t.cut != nil {
		loss, err = t.stepCut(rows)
	} else {
		var g *graph
		if g, err = t.model.trainingGraph(graphKey{rows: len(rows)}); err != nil {
			return 0, fmt.Errorf("step %d: %w", p.Step+1, err)
		}
		if t.ahead.may(g) {
			return p.Loss, t.stepAhead(g, rows)
		}
		if err := t.readLosses(); err != nil {
			return p.Loss, err
		}
		if err = t.load(g, rows, 0); err == nil {
			err = g.vm.RunAll()
		}
		if err == nil {
			g.ran = true
			loss, err = t.apply(g)
		}
	}
	if err != nil {
		return loss, fmt.Errorf("step %d: %w", p.Step+1, err)
	}
	t.took(rows)
	t.addLoss(loss, len(rows))
	t.times.Add(time.Since(started))
	return loss, nil
}

// took counts a step.
func (t *Trainer) took(rows []int) {
	p := &t.progress
	p.Step++
	p.EpochStep = t.sampler.Batch()
	p.Rows += len(rows)
}

func (t *Trainer) addLoss(loss float64, rows int) {
	t.progress.Loss = loss
	t.lossSum += loss * float64(rows)
	t.lossRows += rows
}

// apply updates the weights by the gradients that a run has computed, and
// returns its loss.
func (t *Trainer) apply(g *graph) (float64, error) {
	loss, err := scalar(g.output.Value())
	if err != nil {
		return 0, err
	}
	return loss, t.updateAt(loss, g.params.ValueGrads())
}

func (t *Trainer) updateAt(loss float64, learnables []gorgonia.ValueGrad) error {
	if !finite(loss) {
		return fmt.Errorf("loss is %v: %w", loss, optim.ErrNotFinite)
	}
	return t.update(learnables)
}

// load makes the graph ready to run on a batch, or on a part of one whose first
// row is that of this number in the batch. Until its next run, the graph then has
// the loss and the gradients.
func (t *Trainer) load(g *graph, rows []int, first int) error {
	if err := t.features.gather(g.x, rows); err != nil {
		return err
	}
	if err := t.targets.gather(g.targets, rows); err != nil {
		return err
	}
	t.model.masks.Set(t.progress.Step, first)
	g.vm.Reset()
	return nil
}

// update takes the optimizer's step.
func (t *Trainer) update(learnables []gorgonia.ValueGrad) error {
	d := t.model.spec.Device
	if t.config.ClipValue > 0 {
		if err := optim.ClipByValue(d, learnables, t.config.ClipValue); err != nil {
			return err
		}
	}
	if t.config.ClipNorm > 0 {
		if _, err := optim.ClipByNorm(d, learnables, t.config.ClipNorm); err != nil {
			return err
		}
	}
	t.progress.LR = t.schedule.At(t.progress.Step)
	t.optimizer.SetLR(t.progress.LR)
	return t.optimizer.Step(learnables)
}

// learnables returns the weights with what holds their gradients after a step
// on a full batch.
func (t *Trainer) learnables() ([]gorgonia.ValueGrad, error) {
	if t.cut != nil {
		return t.cut.learnables(), nil
	}
	g, err := t.model.trainingGraph(graphKey{rows: min(t.config.Batch, t.trainRows)})
	if err != nil {
		return nil, err
	}
	return g.params.ValueGrads(), nil
}

// stepCut takes a step on a batch that is cut into micro-batches.
func (t *Trainer) stepCut(rows []int) (float64, error) {
	loss, err := t.cut.differentiate(t, rows)
	if err != nil {
		return 0, err
	}
	return loss, t.updateAt(loss, t.cut.learnables())
}

// cut computes loss and gradients of batches that are cut into micro-batches,
// with the other processes if there are any. The gradient of a batch is the sum
// of those of its micro-batches' mean losses, each times the part of the rows
// that it has.
type cut interface {
	differentiate(t *Trainer, rows []int) (loss float64, err error)
	learnables() []gorgonia.ValueGrad
}

type cutOf[T device.Float] struct {
	tree   *ranks.Tree[T]
	leaves int
	params []gorgonia.ValueGrad
	parts  [][]T // of a leaf, valid until the next one
}

// Numbers that follow the gradients in the sum.
const (
	lossNumber        = iota
	interruptedNumber // by how many processes that were told to stop
	callbackNumber    // by callbacks that asked for it
	numbers
)

// newCut returns nil if batches are neither cut nor shared.
func newCut(m *Model, microbatches int, g ranks.Group) (cut, error) {
	microbatches = max(microbatches, 1)
	if g.Size() == 1 && microbatches == 1 {
		return nil, nil
	}
	if n := g.Size(); n&(n-1) != 0 {
		return nil, fmt.Errorf("microbatches is %d for %d ranks, want 1, 2, 4, 8 or more ranks, a power of two", microbatches, n)
	} else if microbatches%n != 0 {
		return nil, fmt.Errorf("microbatches is %d for %d ranks, want at least %d, since every rank takes some", microbatches, n, n)
	}
	if name := m.spec.Device.Name(); name != "cpu" {
		return nil, fmt.Errorf("microbatches is %d for %d ranks on %s, want both to be 1, or device cpu: gradients are added on the processor", microbatches, g.Size(), name)
	}
	if m.spec.Dtype == tensor.Float32 {
		return newCutOf[float32](m, microbatches, g)
	}
	return newCutOf[float64](m, microbatches, g)
}

func newCutOf[T device.Float](m *Model, leaves int, g ranks.Group) (cut, error) {
	lengths := make([]int, len(m.weights))
	for i, w := range m.weights {
		lengths[i] = w.Size()
	}
	tree, err := ranks.NewTree(g, leaves, lengths, numbers, device.For[T](m.spec.Device).Alloc)
	if err != nil {
		return nil, err
	}
	c := &cutOf[T]{tree: tree, leaves: leaves, parts: make([][]T, len(m.weights))}
	for i, w := range m.weights {
		grad := tensor.New(tensor.WithShape(w.Shape().Clone()...), tensor.WithBacking(tree.Part(i, w.Size())))
		c.params = append(c.params, &learnable{m.names[i], w, grad})
	}
	return c, nil
}

func (c *cutOf[T]) learnables() []gorgonia.ValueGrad { return c.params }

func (c *cutOf[T]) differentiate(t *Trainer, rows []int) (loss float64, err error) {
	leaf := func(i int) ([][]T, T, error) {
		first, end := len(rows)*i/c.leaves, len(rows)*(i+1)/c.leaves
		if first == end { // of a last batch with fewer rows than leaves
			return nil, 0, nil
		}
		return c.leaf(t, rows[first:end], first, T(end-first)/T(len(rows)))
	}
	err = c.tree.Sum(leaf, func(extra []T) {
		if t.interrupted {
			extra[interruptedNumber] = 1
		}
		if t.progress.stop {
			extra[callbackNumber] = 1
		}
	})
	extra := c.tree.Extra()
	t.agreed.interrupted, t.agreed.stop = extra[interruptedNumber] > 0, extra[callbackNumber] > 0
	return float64(extra[lossNumber]), err
}

// leaf computes loss and gradients of a micro-batch, whose first row is that of
// this number in the batch, times its weight.
func (c *cutOf[T]) leaf(t *Trainer, rows []int, first int, weight T) ([][]T, T, error) {
	g, err := t.model.trainingGraph(graphKey{rows: len(rows), weighted: true})
	if err != nil {
		return nil, 0, err
	}
	if err := gorgonia.Let(g.weight, weight); err != nil {
		return nil, 0, err
	}
	if err := t.load(g, rows, first); err != nil {
		return nil, 0, err
	}
	if err := g.vm.RunAll(); err != nil {
		return nil, 0, err
	}
	loss, err := scalar(g.output.Value())
	if err != nil {
		return nil, 0, err
	}
	for i, p := range g.params.ValueGrads() {
		grad, err := p.Grad()
		if err != nil {
			return nil, 0, err
		}
		if c.parts[i], err = values.Elements[T](grad); err != nil {
			return nil, 0, err
		}
	}
	return c.parts, T(loss), nil
}

// learnable is a weight with the gradient that was summed for it.
type learnable struct {
	name        string
	value, grad *tensor.Dense
}

func (l *learnable) Name() string                  { return l.name }
func (l *learnable) Value() gorgonia.Value         { return l.value }
func (l *learnable) Grad() (gorgonia.Value, error) { return l.grad, nil }

// lossEvery is how many steps are taken before their losses are read.
const lossEvery = 64

// ahead lets the host run ahead of the device: steps are handed to it without
// waiting, and their losses are read together.
type ahead struct {
	stepper device.Stepper // nil if every step is waited for
	rows    []int          // of the steps whose losses have not been read
	started time.Time      // of the first of these
	losses  []float64
}

// on turns it on if the device can take whole steps and the host has nothing
// to do within one: clipping by norm needs a number from the device, and
// built-in ops and Gorgonia's machine compute on the host.
func (a *ahead) on(d device.Device, c *Config) {
	if stepper, ok := d.(device.Stepper); ok && c.ClipNorm == 0 && c.Impl == Fused && c.Machine == OurMachine {
		a.stepper = stepper
	}
}

// may reports whether the next step, on g, can be handed over without waiting.
// The first one of every graph allocates memory and cannot.
func (a *ahead) may(g *graph) bool { return a.stepper != nil && g.ran }

// stepAhead hands a step to the device, and reads the losses if it is time to.
func (t *Trainer) stepAhead(g *graph, rows []int) error {
	a := &t.ahead
	if len(a.rows) == 0 {
		a.started = time.Now()
	}
	err := a.stepper.Step(func() error {
		if err := t.load(g, rows, 0); err != nil {
			return err
		}
		if err := g.vm.RunAll(); err != nil {
			return err
		}
		return t.update(g.params.ValueGrads())
	})
	if err != nil {
		return fmt.Errorf("step %d: %w", t.progress.Step+1, err)
	}
	t.took(rows)
	a.rows = append(a.rows, len(rows))
	if len(a.rows) == lossEvery || t.EpochDone() {
		return t.readLosses()
	}
	return nil
}

// readLosses waits for the steps that were handed over and adds their losses.
// Their time is shared among them.
func (t *Trainer) readLosses() (err error) {
	a := &t.ahead
	if len(a.rows) == 0 {
		return nil
	}
	steps := a.rows
	a.rows = a.rows[:0]
	if a.losses, err = a.stepper.Losses(a.losses[:0]); err != nil {
		return fmt.Errorf("steps to %d: %w", t.progress.Step, err)
	}
	if len(a.losses) != len(steps) {
		return fmt.Errorf("steps to %d: got %d losses of %d steps", t.progress.Step, len(a.losses), len(steps))
	}
	each := time.Since(a.started) / time.Duration(len(steps))
	for i, loss := range a.losses {
		if !finite(loss) {
			return fmt.Errorf("step %d: loss is %v: %w", t.progress.Step-len(steps)+1+i, loss, optim.ErrNotFinite)
		}
		t.addLoss(loss, steps[i])
		t.times.Add(each)
	}
	return nil
}

// table is a matrix in a device's memory, one row per sample, from which
// batches are gathered without leaving the device.
type table interface {
	// gather copies the rows in index to the first rows of dst.
	gather(dst *tensor.Dense, index []int) error
}

type tableOf[T device.Float] struct {
	kernels device.Kernels[T]
	rows    device.Matrix[T]
}

// newTable rounds rows×cols values to dtype in the device's memory.
func newTable(d device.Device, dtype tensor.Dtype, values []float64, rows, cols int) (table, error) {
	if dtype == tensor.Float32 {
		return newTableOf[float32](d, values, rows, cols)
	}
	return newTableOf[float64](d, values, rows, cols)
}

func newTableOf[T device.Float](d device.Device, values []float64, rows, cols int) (table, error) {
	if len(values) != rows*cols {
		return nil, fmt.Errorf("got %d values, want %d rows of %d", len(values), rows, cols)
	}
	k := device.For[T](d)
	data, err := k.Alloc(len(values))
	if err != nil {
		return nil, err
	}
	host := make([]T, len(values))
	for i, v := range values {
		host[i] = T(v)
	}
	// Copied by the device: its pages are then where the batches are gathered.
	if err := k.Activate(data, host, device.Activation{}); err != nil {
		return nil, err
	}
	return &tableOf[T]{k, device.MatrixOf(data, rows, cols)}, nil
}

func (t *tableOf[T]) gather(dst *tensor.Dense, index []int) error {
	d, err := values.Elements[T](dst)
	if err != nil {
		return err
	}
	return t.kernels.GatherRows(device.MatrixOf(d[:len(index)*t.rows.Cols], len(index), t.rows.Cols), t.rows, index)
}

// LRRange is the range of learning rates that [FindLR] tries: Steps rates from
// From to To, each the same factor above the one before. Zero values stand for
// 10⁻⁶, 10 and 200.
type LRRange struct {
	From, To float64
	Steps    int
	OnStep   func(step int) // unless nil, called after each step
}

// LRCurve is how the loss of a training goes while the learning rate grows.
type LRCurve struct {
	Rates    []float64 `json:"rates"`
	Losses   []float64 `json:"losses"`   // of the step's batch, before the step of that rate
	Smoothed []float64 `json:"smoothed"` // moving average of the losses
	// Diverged says that the test ended before the last rate: the loss had
	// become four times the lowest one, or was no number any more.
	Diverged bool `json:"diverged"`
	// Lowest is the rate at which the smoothed loss is lowest, Suggested a tenth
	// of it: there the loss still falls, and fast. Suggested is 0 if the loss
	// never fell by a twentieth.
	Lowest    float64 `json:"lowest"`
	Suggested float64 `json:"suggested"`
}

// LeastLRSteps is the fewest steps of a range test.
const LeastLRSteps = 20

// The moving average weighs a loss by lrMemory for each step that it is old. A
// smoothed loss of lrDiverged times the lowest ends the test; a rate is suggested
// if the lowest is at most lrFallen times the one of the first tenth of the steps.
const (
	lrMemory   = 0.95
	lrDiverged = 4
	lrFallen   = 0.95
)

func (r *LRRange) complete() error {
	r.From, r.To, r.Steps = cmp.Or(r.From, 1e-6), cmp.Or(r.To, 10), cmp.Or(r.Steps, 200)
	switch {
	case !(r.From > 0) || math.IsInf(r.From, 0) || !(r.To > r.From) || math.IsInf(r.To, 0):
		return fmt.Errorf("the range is %v to %v, want two finite rates above 0, the second one greater", r.From, r.To)
	case r.Steps < LeastLRSteps:
		return fmt.Errorf("got %d steps, want at least %d", r.Steps, LeastLRSteps)
	}
	return nil
}

// At returns the rate of step t, counted from 0.
func (r *LRRange) At(t int) float64 {
	return r.From * math.Pow(r.To/r.From, float64(min(max(t, 0), r.Steps-1))/float64(r.Steps-1))
}

// FindLR trains a model that is thrown away, with a learning rate that grows
// from step to step, to show which rates are worth trying: the learning-rate
// range test (Smith 2015, arXiv:1506.01186). Schedule, warm-up and epochs of the
// settings do not matter; parts are as [Config.Load] returns them.
func FindLR(ctx context.Context, c Config, parts datasets.Parts, r LRRange) (*LRCurve, error) {
	curve, err := findLR(ctx, c, parts, r)
	if err != nil {
		return nil, fmt.Errorf("find learning rate: %w", err)
	}
	return curve, nil
}

func findLR(ctx context.Context, c Config, parts datasets.Parts, r LRRange) (*LRCurve, error) {
	if err := r.complete(); err != nil {
		return nil, err
	}
	t, err := newTrainer(c, parts, ranks.Alone{})
	if err != nil {
		return nil, err
	}
	defer t.model.spec.Device.Close()
	t.schedule, t.ahead.stepper = &r, nil // every loss is wanted at once
	curve := &LRCurve{}
	average, lowest := 0.0, math.Inf(1)
	for step := range r.Steps {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		loss, err := t.Step()
		if errors.Is(err, optim.ErrNotFinite) && step > 0 {
			curve.Diverged = true
			break
		}
		if err != nil {
			return nil, err
		}
		// Divided by the sum of the weights so far, as Adam's moments are.
		average = lrMemory*average + (1-lrMemory)*loss
		smoothed := average / (1 - math.Pow(lrMemory, float64(step+1)))
		curve.Rates, curve.Losses, curve.Smoothed = append(curve.Rates, r.At(step)), append(curve.Losses, loss), append(curve.Smoothed, smoothed)
		if smoothed < lowest && step >= r.Steps/10 { // the average of few says little
			lowest, curve.Lowest = smoothed, r.At(step)
		}
		if r.OnStep != nil {
			r.OnStep(step + 1)
		}
		if smoothed > lrDiverged*min(lowest, curve.Smoothed[0]) {
			curve.Diverged = true
			break
		}
	}
	curve.Lowest = cmp.Or(curve.Lowest, curve.Rates[0])
	if first := curve.Smoothed[min(r.Steps/10, len(curve.Smoothed)-1)]; lowest <= lrFallen*first {
		curve.Suggested = curve.Lowest / 10
	}
	return curve, nil
}
