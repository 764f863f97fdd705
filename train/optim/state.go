package optim

import (
	"fmt"
	"slices"
	"strconv"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// State is all that an optimizer needs, besides weights and settings, to go on
// exactly where it stopped.
type State struct {
	Name string  // of the optimizer, such as "adam"
	Step int     // steps taken
	LR   float64 // of the next step
	// Moments holds tensors of the learnables' shapes, shape (1) for scalars,
	// under "<learnable>.<moment>". The learnable is called by its name or, if
	// names are missing or not unique, by its position: "W1.exp_avg" or
	// "2.exp_avg". The moments have PyTorch's names. Empty before the first step.
	Moments map[string]*tensor.Dense
}

// State returns a copy of the state. It fails only if the device does.
func (o *Optimizer) State() (State, error) {
	state := State{Name: o.kind.name, Step: o.steps, LR: o.lr, Moments: map[string]*tensor.Dense{}}
	if o.steps == 0 {
		return state, nil // there may be slots all the same, of a state of step 0 that was loaded
	}
	for i, key := range keys(o.slots) {
		moments, err := o.slots[i].save()
		if err != nil {
			return State{}, fmt.Errorf("%s state: %w", o.kind.name, err)
		}
		for name, m := range moments {
			state.Moments[key+"."+name] = m
		}
	}
	return state, nil
}

// LoadState continues from a state that State returned, for the same learnables
// in the same order. It fails, and changes nothing, if the state is of another
// kind of optimizer, or lacks a moment, has one too many, or has one of another
// shape or dtype than the learnable.
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
		for i, key := range keys(slots) {
			moments := map[string]*tensor.Dense{}
			for _, name := range slots[i].momentNames() {
				full := key + "." + name
				known[full] = true
				if moments[name] = state.Moments[full]; moments[name] == nil {
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
	o.slots, o.steps, o.lr = slots, state.Step, state.LR
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
