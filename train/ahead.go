package train

import (
	"fmt"
	"time"

	"github.com/affine-go/affine/layer/device"
	"github.com/affine-go/affine/train/optim"
)

// lossEvery is how many steps are taken before their losses are read.
const lossEvery = 64

// ahead lets the device run behind the host: steps are handed to it without
// waiting, and their losses are read together.
type ahead struct {
	stepper device.Stepper // nil where every step is waited for
	rows    []int          // of the steps whose losses have not been read
	started time.Time      // of the first of these
	losses  []float64
}

// on turns it on where the device can take whole steps and the host has nothing
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
		t.times.add(each)
	}
	return nil
}
