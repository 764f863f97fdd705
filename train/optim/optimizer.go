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
// [NewRMSprop], [NewAdagrad] and [NewLion], and [FromGorgonia] for the formulas
// of Gorgonia's solvers.
//
// It works on learnables of float32 and float64, tensors and scalars, however
// their gradients came about: by package vm, by a TapeMachine with
// BindDualValues or by a LispMachine. Step zeroes the gradients, as Gorgonia's
// solvers do. An Optimizer must not be used by two goroutines at once.
type Optimizer struct {
	kind     *kind
	settings settings
	groups   []group
	device   device.Device
	lr       float64
	steps    int
	slots    []slot
}

// A kind is one of the formulas.
type kind struct {
	name     string
	defaults settings // with the rule of its updates
	takes    []string // the options that it has besides those of every kind
	check    func(*settings) error
	// Of Gorgonia's solvers: what takes the place of a step by the rule. A
	// learnable may then be listed more than once, and the learning rate may be
	// below 0.
	gorgonia *gorgoniaFormula
}

// moments returns PyTorch's names of what the kind keeps for each weight, "" in
// the place of what it does not use.
func (k *kind) moments(s *settings) [3]string {
	if k.gorgonia != nil {
		return k.gorgonia.moments
	}
	names := *s.Rule.Moments()
	for i, used := range s.Uses() {
		if !used {
			names[i] = ""
		}
	}
	return names
}

// kinds are the optimizers that have a name.
var kinds = []*kind{&sgd, &adam, &adamW, &rmsprop, &adagrad, &lion}

// Names returns the names that New takes.
func Names() []string {
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = k.name
	}
	return names
}

// New returns the optimizer of that name: "sgd", "adam", "adamw", "rmsprop",
// "adagrad" or "lion". What is not set by an option has PyTorch's default. An
// option that the optimizer does not have, or a value out of range, is an
// error.
func New(name string, opts ...Option) (*Optimizer, error) {
	for _, k := range kinds {
		if k.name == name {
			return newOptimizer(k, opts)
		}
	}
	return nil, fmt.Errorf("new optimizer: unknown name %q, want one of %s", name, strings.Join(Names(), ", "))
}

func newOptimizer(k *kind, opts []Option) (*Optimizer, error) {
	o := &Optimizer{kind: k, settings: k.defaults}
	if err := o.configure(opts); err != nil {
		return nil, fmt.Errorf("new %s: %w", k.name, err)
	}
	return o, nil
}

func (o *Optimizer) configure(opts []Option) (err error) {
	if err := o.settings.apply(o.kind, opts); err != nil {
		return err
	}
	o.lr = o.settings.LR
	for i, g := range o.settings.groups {
		if err := o.addGroup(g); err != nil {
			return fmt.Errorf("group %d: %w", i+1, err)
		}
	}
	if o.device = o.settings.device; o.device == nil {
		o.device, err = device.Open("cpu")
	}
	return err
}

// Name returns the name that New takes or, for an optimizer made by
// FromGorgonia, one like "gorgonia-adam".
func (o *Optimizer) Name() string { return o.kind.name }

// String returns the name and the settings. Maximize, AMSGrad and groups are
// left out if they are not in use.
func (o *Optimizer) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s(lr=%v", o.kind.name, o.lr)
	for _, name := range slices.Concat(o.kind.takes, lastOptions) {
		value := o.settings.text(name)
		if value == "false" && slices.Contains(silentOptions, name) || value == "" {
			continue
		}
		fmt.Fprintf(&b, ", %s=%s", name, value)
	}
	return b.String() + ")"
}

// LR returns the learning rate of the next step.
func (o *Optimizer) LR() float64 { return o.lr }

// SetLR changes the learning rate for the steps to come; that of a group with
// one of its own changes in proportion. Step refuses a rate that is negative or
// not finite.
func (o *Optimizer) SetLR(lr float64) { o.lr = lr }

// Steps returns the number of steps taken.
func (o *Optimizer) Steps() int { return o.steps }

// Step updates the weights of model from their gradients and zeroes those. The
// first step fixes how many learnables there are, in which order, and their
// shapes; later ones must be the same, though a learnable may have got another
// value of its shape. Weights and gradients must be contiguous in row-major
// order, and no two gradients may share memory. When Step returns an error of
// its own, no weight has been changed.
//
// Layers that share a weight are no special case: Gorgonia's gradient of a node
// is the sum over its uses, and the node is listed once.
func (o *Optimizer) Step(model []gorgonia.ValueGrad) error {
	if err := o.prepare(model); err != nil {
		return fmt.Errorf("%s step: %w", o.kind.name, err)
	}
	o.steps++
	for i, s := range o.slots {
		if err := s.update(o.lr, o.steps); err != nil {
			return fmt.Errorf("%s step: learnable %d (%s): %w", o.kind.name, i, s.label(), err)
		}
	}
	return nil
}

// prepare finds the memory of every weight and gradient.
func (o *Optimizer) prepare(model []gorgonia.ValueGrad) error {
	if math.IsNaN(o.lr) || math.IsInf(o.lr, 0) || o.lr < 0 && o.kind.gorgonia == nil {
		return fmt.Errorf("learning rate is %v, want a finite number of at least 0", o.lr)
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
	if name != o.slots[i].name() || o.kind.gorgonia == nil {
		for j, s := range o.slots {
			if s.value() == v {
				return fmt.Errorf("learnable %d (%s) was at position %d in the steps before", i, name, j)
			}
		}
	}
	if name != o.slots[i].name() {
		return fmt.Errorf("learnable %d is %q, in the steps before it was %q", i, name, o.slots[i].name())
	}
	return nil
}

// checkApart refuses gradients that share memory: the first update would zero
// what the second one needs. A learnable that is listed twice is the exception,
// if the kind allows it.
func (o *Optimizer) checkApart() error {
	for i, a := range o.slots {
		startA, endA := a.gradient()
		for j, b := range o.slots[:i] {
			if o.kind.gorgonia != nil && a.value() == b.value() {
				continue
			}
			if startB, endB := b.gradient(); startA < endB && startB < endA {
				return fmt.Errorf("learnables %d (%s) and %d (%s) share the memory of their gradients; pair them with vm.NewParams", j, b.label(), i, a.label())
			}
		}
	}
	return nil
}

var _ gorgonia.Solver = (*Optimizer)(nil)
