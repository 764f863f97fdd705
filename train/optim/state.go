package optim

import (
	"fmt"
	"slices"
	"strconv"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// OptimizerState is all that an optimiser needs, beside weights and settings,
// to go on exactly where it stopped.
type State struct {
	Name         string  // of the optimiser, such as "adam"
	Step         int     // steps taken
	LearningRate float64 // of the next step
	// Moments holds tensors of the learnables' shapes, shape (1) for scalars,
	// under "<learnable>.<moment>". The learnable is called by its name or,
	// where names are missing or not unique, by its position: "W1.exp_avg" or
	// "2.exp_avg". The moments have PyTorch's names. Empty before the first step.
	Moments map[string]*tensor.Dense
}

// State returns a copy of the state. It fails only if the device does.
func (o *Optimizer) State() (State, error) {
	state := State{Name: o.kind.name, Step: o.step, LearningRate: o.settings.lr, Moments: map[string]*tensor.Dense{}}
	names := o.kind.moments(&o.settings)
	for i, key := range keys(o.slots) {
		moments, err := o.slots[i].save()
		if err != nil {
			return State{}, fmt.Errorf("%s state: %w", o.kind.name, err)
		}
		for j, m := range moments {
			state.Moments[key+"."+names[j]] = m
		}
	}
	return state, nil
}

// LoadState continues from a state that State returned, for the same learnables
// in the same order. It fails, and changes nothing, when the state is of
// another kind of optimiser, or lacks a moment, has one too many, or has one
// of another shape or dtype than the learnable.
func (o *Optimizer) LoadState(state State, model []gorgonia.ValueGrad) error {
	if err := o.loadState(state, model); err != nil {
		return fmt.Errorf("load %s state: %w", o.kind.name, err)
	}
	return nil
}

func (o *Optimizer) loadState(state State, model []gorgonia.ValueGrad) error {
	if state.Name != o.kind.name {
		return fmt.Errorf("the state is of %q", state.Name)
	}
	if state.Step < 0 {
		return fmt.Errorf("the state has step %d, want at least 0", state.Step)
	}
	slots, err := o.newSlots(model)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	if state.Step > 0 {
		names := o.kind.moments(&o.settings)
		for i, key := range keys(slots) {
			moments := make([]*tensor.Dense, len(names))
			for j, name := range names {
				full := key + "." + name
				known[full] = true
				if moments[j] = state.Moments[full]; moments[j] == nil {
					return fmt.Errorf("the state has no %q", full)
				}
			}
			if err := slots[i].load(moments); err != nil {
				return fmt.Errorf("moments of %q: %w", key, err)
			}
		}
	}
	for key := range state.Moments {
		if !known[key] {
			return fmt.Errorf("the state of step %d has %q, which belongs to none of the learnables", state.Step, key)
		}
	}
	o.slots, o.step, o.settings.lr = slots, state.Step, state.LearningRate
	return nil
}

// keys returns what each learnable is called in a state.
func keys(slots []slot) []string {
	names := make([]string, len(slots))
	for i, s := range slots {
		names[i] = s.name()
	}
	unique := slices.Compact(slices.Sorted(slices.Values(names)))
	if len(unique) < len(names) || slices.Contains(names, "") {
		for i := range names {
			names[i] = strconv.Itoa(i)
		}
	}
	return names
}
