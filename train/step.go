package train

import (
	"fmt"
	"time"

	"github.com/affine-go/affine/internal/values"
	"github.com/affine-go/affine/layer/device"
	"github.com/affine-go/affine/train/optim"
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
	g, err := t.model.trainingGraph(len(rows))
	if err != nil {
		return 0, fmt.Errorf("step %d: %w", p.Step+1, err)
	}
	if t.ahead.may(g) {
		if err := t.stepAhead(g, rows); err != nil {
			return p.Loss, err
		}
		return p.Loss, nil
	}
	if err := t.readLosses(); err != nil {
		return p.Loss, err
	}
	loss, err := t.step(g, rows)
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

func (t *Trainer) step(g *graph, rows []int) (float64, error) {
	if err := t.differentiate(g, rows); err != nil {
		return 0, err
	}
	loss, err := scalar(g.output.Value())
	if err != nil {
		return 0, err
	}
	if !finite(loss) {
		return loss, fmt.Errorf("loss is %v: %w", loss, optim.ErrNotFinite)
	}
	return loss, t.update(g)
}

// differentiate computes loss and gradients of a batch.
func (t *Trainer) differentiate(g *graph, rows []int) error {
	if err := t.features.gather(g.x, rows); err != nil {
		return err
	}
	if err := t.targets.gather(g.targets, rows); err != nil {
		return err
	}
	t.model.masks.Set(t.progress.Step, 0)
	return g.run()
}

// update takes the optimizer's step.
func (t *Trainer) update(g *graph) error {
	d := t.model.spec.Device
	if t.config.ClipValue > 0 {
		if err := optim.ClipByValue(d, g.params.ValueGrads(), t.config.ClipValue); err != nil {
			return err
		}
	}
	if t.config.ClipNorm > 0 {
		if _, err := optim.ClipByNorm(d, g.params.ValueGrads(), t.config.ClipNorm); err != nil {
			return err
		}
	}
	t.progress.LR = t.schedule.At(t.progress.Step)
	t.optimizer.SetLR(t.progress.LR)
	return t.optimizer.Step(g.params.ValueGrads())
}

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
		if err := t.differentiate(g, rows); err != nil {
			return err
		}
		return t.update(g)
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
