package optim

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/affine-go/affine/layer/device"
	"gorgonia.org/gorgonia"
)

// Optimizer is a gorgonia.Solver that updates weights in place, in one pass
// over weights, gradient and moments on its device. Formulas and defaults are
// those of torch.optim (PyTorch 2); see [NewSGD], [NewAdam], [NewAdamW],
// [NewRMSprop] and [NewAdagrad].
//
// It works on learnables of float32 and float64, tensors and scalars, however
// their gradients came about: by package vm, by a TapeMachine with
// BindDualValues or by a LispMachine. Step zeroes the gradients, as Gorgonia's
// solvers do. An Optimizer must not be used by two goroutines at once.
type Optimizer struct {
	kind     *optimizerKind
	settings optimizerSettings
	step     int
	slots    []slot
}

// optimizerKind is one of the formulas.
type optimizerKind struct {
	name     string
	defaults optimizerSettings
	takes    []string // the options that it has beside lr and device
	check    func(*optimizerSettings) error
	moments  func(*optimizerSettings) []string // PyTorch's names
	float32  func(*optimizerSettings) update[float32]
	float64  func(*optimizerSettings) update[float64]
}

// update changes one learnable in its step-th step, counted from 1.
type update[T device.Float] func(k device.Kernels[T], w, g []T, moments [][]T, step int) error

var optimizerKinds = []*optimizerKind{&sgd, &adam, &adamW, &rmsprop, &adagrad}

// OptimizerNames returns the names that NewOptimizer takes.
func Names() []string {
	names := make([]string, len(optimizerKinds))
	for i, k := range optimizerKinds {
		names[i] = k.name
	}
	return names
}

// NewOptimizer returns the optimiser of that name: "sgd", "adam", "adamw",
// "rmsprop" or "adagrad". What is not set by an option has PyTorch's default.
// An option that the optimiser does not have, or a value out of range, is an
// error.
func New(name string, opts ...Option) (*Optimizer, error) {
	for _, k := range optimizerKinds {
		if k.name == name {
			return newOptimizer(k, opts)
		}
	}
	return nil, fmt.Errorf("new optimizer: unknown name %q, want one of %s", name, strings.Join(Names(), ", "))
}

func newOptimizer(k *optimizerKind, opts []Option) (*Optimizer, error) {
	o := &Optimizer{kind: k, settings: k.defaults}
	for _, opt := range opts {
		if !slices.Contains(generalOptions, opt.name) && !slices.Contains(k.takes, opt.name) {
			return nil, fmt.Errorf("new %s: there is no %s, want %s", k.name, opt.name, strings.Join(slices.Concat(generalOptions, k.takes), ", "))
		}
		if err := opt.set(&o.settings); err != nil {
			return nil, fmt.Errorf("new %s: %w", k.name, err)
		}
	}
	if k.check != nil {
		if err := k.check(&o.settings); err != nil {
			return nil, fmt.Errorf("new %s: %w", k.name, err)
		}
	}
	if o.settings.device == nil {
		d, err := device.Open("cpu")
		if err != nil {
			return nil, fmt.Errorf("new %s: %w", k.name, err)
		}
		o.settings.device = d
	}
	return o, nil
}

// Name returns the name that NewOptimizer takes.
func (o *Optimizer) Name() string { return o.kind.name }

// String returns the name and all settings.
func (o *Optimizer) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s(lr=%v", o.kind.name, o.settings.lr)
	for _, name := range o.kind.takes {
		fmt.Fprintf(&b, ", %s=%s", name, o.settings.text(name))
	}
	return b.String() + ")"
}

// LearningRate returns the learning rate of the next step.
func (o *Optimizer) LearningRate() float64 { return o.settings.lr }

// SetLearningRate changes the learning rate for the steps to come. Step
// refuses a rate that is negative or not finite.
func (o *Optimizer) SetLearningRate(lr float64) { o.settings.lr = lr }

// Steps returns the number of steps taken.
func (o *Optimizer) Steps() int { return o.step }

// Step updates the weights of model from their gradients and zeroes those. The
// first step fixes how many learnables there are, in which order, and their
// shapes; later ones must be the same, though a learnable may have got another
// value of its shape. Weights and gradients must be contiguous in row-major
// order, and no two gradients may share memory. When Step returns an error of
// its own, no weight has been changed.
func (o *Optimizer) Step(model []gorgonia.ValueGrad) error {
	if err := o.prepare(model); err != nil {
		return fmt.Errorf("%s step: %w", o.kind.name, err)
	}
	o.step++
	for i, s := range o.slots {
		if err := s.update(o.step); err != nil {
			return fmt.Errorf("%s step: learnable %d (%s): %w", o.kind.name, i, s.label(), err)
		}
	}
	return nil
}

// prepare finds the memory of every weight and gradient.
func (o *Optimizer) prepare(model []gorgonia.ValueGrad) error {
	if lr := o.settings.lr; !(lr >= 0) || math.IsInf(lr, 0) {
		return fmt.Errorf("learning rate is %v, want a finite number of at least 0", lr)
	}
	if o.slots == nil {
		slots, err := o.newSlots(model)
		if err != nil {
			return err
		}
		o.slots = slots
	}
	if len(model) != len(o.slots) {
		return fmt.Errorf("got %d learnables, want the %d of the steps before", len(model), len(o.slots))
	}
	moved := false
	for i, vg := range model {
		if vg == nil {
			return fmt.Errorf("learnable %d is nil", i)
		}
		v := vg.Value()
		if v != o.slots[i].value() {
			if err := o.replace(i, vg, v); err != nil {
				return err
			}
		}
		g, err := vg.Grad()
		if err != nil {
			return fmt.Errorf("learnable %d (%s): %w", i, o.slots[i].label(), err)
		}
		m, err := o.slots[i].read(v, g)
		if err != nil {
			return fmt.Errorf("learnable %d (%s): %w", i, o.slots[i].label(), err)
		}
		moved = moved || m
	}
	if moved {
		return o.checkApart()
	}
	return nil
}

// replace takes v as the new value of learnable i, unless it is one of the
// others: moments belong to a learnable, not to a position.
func (o *Optimizer) replace(i int, vg gorgonia.ValueGrad, v gorgonia.Value) error {
	if v == nil {
		return fmt.Errorf("learnable %d (%s) has no value", i, o.slots[i].label())
	}
	name := nameOf(vg)
	for j, s := range o.slots {
		if s.value() == v {
			return fmt.Errorf("learnable %d (%s) was at position %d in the steps before", i, name, j)
		}
	}
	if name != o.slots[i].name() {
		return fmt.Errorf("learnable %d is %q, in the steps before it was %q", i, name, o.slots[i].name())
	}
	return nil
}

// checkApart refuses gradients that share memory: the first update would zero
// what the second one needs.
func (o *Optimizer) checkApart() error {
	for i, a := range o.slots {
		startA, endA := a.gradient()
		for j, b := range o.slots[:i] {
			if startB, endB := b.gradient(); startA < endB && startB < endA {
				return fmt.Errorf("learnables %d (%s) and %d (%s) share the memory of their gradients; pair them with vm.NewParams", j, b.label(), i, a.label())
			}
		}
	}
	return nil
}

var _ gorgonia.Solver = (*Optimizer)(nil)
