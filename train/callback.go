package train

import (
	"cmp"
	"fmt"
	"slices"
)

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
