package optim

import (
	"errors"
	"slices"
)

// A groupOption is what WithGroup was given.
type groupOption struct {
	match func(name string) bool
	opts  []Option
}

// A group is a set of learnables with settings of their own.
type group struct {
	match    func(name string) bool
	settings settings
	lrScale  float64 // of its learning rate to the optimizer's
}

// WithGroup gives the learnables whose name match selects other options than
// the rest, as torch.optim's parameter groups do. They start from the
// optimizer's own options, in whatever order those are given. A learnable
// belongs to the first group that matches. Biases without weight decay, with
// twice the learning rate:
//
//	biases := func(name string) bool { return strings.HasSuffix(name, ".bias") }
//	optim.NewAdamW(optim.WithLR(1e-3), optim.WithGroup(biases, optim.WithWeightDecay(0), optim.WithLR(2e-3)))
//
// [Optimizer.SetLR], and so a [Schedule], changes the learning rate of a group
// in proportion to the optimizer's. Unnamed learnables have the name "".
func WithGroup(match func(name string) bool, opts ...Option) Option {
	return Option{"groups", func(s *settings) error {
		if match == nil {
			return errors.New("group has no function that selects its learnables")
		}
		s.groups = append(slices.Clip(s.groups), groupOption{match, opts})
		return nil
	}}
}

func (o *Optimizer) addGroup(g groupOption) error {
	s := o.settings
	s.groups = nil
	if err := s.apply(o.kind, g.opts); err != nil {
		return err
	}
	switch {
	case s.groups != nil:
		return errors.New("a group cannot have groups")
	case s.device != o.settings.device:
		return errors.New("a group cannot have another device")
	}
	scale := 1.0
	if s.LR != o.settings.LR {
		if o.settings.LR == 0 {
			return errors.New("its lr cannot follow that of the optimizer, which is 0")
		}
		scale = s.LR / o.settings.LR
	}
	o.groups = append(o.groups, group{g.match, s, scale})
	return nil
}

// groupOf returns the settings of a learnable and the scale of its learning
// rate.
func (o *Optimizer) groupOf(name string) (*settings, float64) {
	for i := range o.groups {
		if g := &o.groups[i]; g.match(name) {
			return &g.settings, g.lrScale
		}
	}
	return &o.settings, 1
}
