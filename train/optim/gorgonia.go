package optim

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"gorgonia.org/gorgonia"
)

// FromGorgonia returns an optimizer with the settings and formulas of a solver
// made with Gorgonia's constructor and options, so that a program changes one
// line and keeps its numbers:
//
//	solver, err := optim.FromGorgonia(gorgonia.NewRMSPropSolver(gorgonia.WithLearnRate(0.01)))
//
// It takes VanillaSolver, Momentum, AdaGradSolver, RMSPropSolver and AdamSolver
// and computes them in one pass over the weights, or a few if the gradient is
// clipped or regularized; it can be saved and loaded. The solver itself is only
// read, once: later changes of it are not seen, see [Optimizer.SetLR]. It must
// not have taken a step yet, since its moments stay with it.
//
// What differs from PyTorch's formulas, in order, where g is the gradient, l1
// and l2 those of WithL1Reg and WithL2Reg, and g ← clamp(g) limits g to the
// range of WithClip:
//
//	VanillaSolver  g ← clamp((g + l1·sign w + l2·w)/batch)   w ← w − lr·g
//	AdamSolver     g as above, then Adam
//	Momentum       g ← clamp((g + l1·sign c + l2·c)/batch)   c ← μ·c − lr·g   w ← w + c
//	RMSPropSolver  v ← ρ·v + (1 − ρ)·g²   w ← w − lr·clamp(g)/√(v + ε) − l2·w
//	AdaGradSolver  s ← s + g²             w ← w − lr·g/√(s + ε)
//
// These are Gorgonia's, with all that is odd about them: Momentum regularizes
// its velocity c instead of the weights; for a learnable that is a scalar it
// regularizes the weight and forgets c after each step, as AdaGradSolver forgets
// s; RMSPropSolver does not clip the gradient of a scalar, and scalars take 1 for
// the sign of 0; AdaGradSolver ignores WithLearnRate, WithEps, WithClip and
// WithL2Reg, so that lr is 0.001 and ε is 1e-8. A learnable that is listed twice is updated twice,
// with moments of its own for each place and no gradient left for the second.
//
// AdamW, which never changes the weights, and BarzilaiBorweinSolver, which fails
// on float32, are refused; the error names what to take.
func FromGorgonia(solver gorgonia.Solver) (*Optimizer, error) {
	o, err := fromGorgonia(solver)
	if err != nil {
		return nil, fmt.Errorf("optimizer from Gorgonia's: %w", err)
	}
	return o, nil
}

func fromGorgonia(solver gorgonia.Solver) (*Optimizer, error) {
	if o, ok := solver.(*Optimizer); ok && o != nil {
		return o, nil
	}
	if v := reflect.ValueOf(solver); !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
		return nil, errors.New("solver is nil")
	}
	var k *kind
	var layout string
	switch solver.(type) {
	case *gorgonia.VanillaSolver:
		k, layout = &gorgoniaVanilla, "eta clip l1reg l2reg batch useClip useL1Reg useL2Reg"
	case *gorgonia.Momentum:
		k, layout = &gorgoniaMomentum, "eta momentum clip l1reg l2reg batch useClip useL1Reg useL2Reg cache"
	case *gorgonia.AdaGradSolver:
		k, layout = &gorgoniaAdaGrad, "eta eps l1Reg l2reg clip useL2Reg useClip cache"
	case *gorgonia.RMSPropSolver:
		k, layout = &gorgoniaRMSProp, "decay eps l2reg clip eta useClip useL2Reg cache"
	case *gorgonia.AdamSolver:
		k, layout = &gorgoniaAdam, "eta eps beta1 beta2 clip l1reg l2reg batch useClip useL1Reg useL2Reg iter cache"
	case *gorgonia.AdamW:
		return nil, errors.New("gorgonia.AdamW never changes the weights, since it multiplies a copy of them; take optim.NewAdamW")
	case *gorgonia.BarzilaiBorweinSolver:
		return nil, errors.New("gorgonia.BarzilaiBorweinSolver fails on float32, and its step is not one learnable's alone; take it as it is for float64, else optim.NewSGD")
	default:
		return nil, fmt.Errorf("solver is a %T, want one of Gorgonia's", solver)
	}
	f := fieldsOf(solver)
	if err := f.check(strings.Fields(layout)); err != nil {
		return nil, err
	}
	if f.stepped() {
		return nil, fmt.Errorf("the %T has taken steps already, and its moments would be lost; wrap it before its first step", solver)
	}
	o := &Optimizer{kind: k, settings: k.defaults}
	o.settings.readGorgonia(f)
	if k == &gorgoniaAdaGrad {
		if g := &o.settings.gorgonia; g.clips || g.l2 != 0 {
			return nil, errors.New("gorgonia.AdaGradSolver clips or regularizes, to which Gorgonia v0.9.18 cannot set it")
		}
		o.settings.initialAccumulator = o.settings.Eps
	}
	return o, o.configure(nil)
}

// gorgoniaSettings are those that only Gorgonia's solvers have. batch is at
// least 1; l1 and l2 are 0 if they are not in use.
type gorgoniaSettings struct {
	batch, clip, l1, l2 float64
	clips               bool
}

// text returns the value of a setting, or "" if it is not in use.
func (s *gorgoniaSettings) text(name string) string {
	switch {
	case name == "batch_size" && s.batch != 1:
		return fmt.Sprint(s.batch)
	case name == "clip" && s.clips:
		return fmt.Sprint(s.clip)
	case name == "l1" && s.l1 != 0:
		return fmt.Sprint(s.l1)
	case name == "l2" && s.l2 != 0:
		return fmt.Sprint(s.l2)
	}
	return ""
}

// readGorgonia takes over what a solver's fields say.
func (s *settings) readGorgonia(f fields) {
	g := &s.gorgonia
	s.LR, s.Eps, s.Momentum = f.number("eta"), f.number("eps"), f.number("momentum")
	s.Alpha, s.Beta1, s.Beta2 = f.number("decay"), f.number("beta1"), f.number("beta2")
	g.batch = max(f.number("batch"), 1)
	g.clip, g.clips = f.number("clip"), f.is("useClip")
	if f.is("useL1Reg") {
		g.l1 = f.number("l1reg")
	}
	if f.is("useL2Reg") {
		g.l2 = f.number("l2reg")
	}
}

// fields are those of a solver's struct. They are not exported, but reflection
// reads what they hold.
type fields struct{ reflect.Value }

func fieldsOf(solver gorgonia.Solver) fields { return fields{reflect.ValueOf(solver).Elem()} }

// check fails unless the fields are exactly those known: one more may mean a
// formula that is not known.
func (f fields) check(known []string) error {
	t := f.Type()
	unknown := func(why string) error {
		return fmt.Errorf("%v has an unknown layout (%s): the one of Gorgonia v0.9.18 is known, with fields %s", t, why, strings.Join(known, ", "))
	}
	if t.Kind() != reflect.Struct {
		return unknown("it is a " + t.Kind().String())
	}
	for i := range t.NumField() {
		name, kind := t.Field(i).Name, t.Field(i).Type.Kind()
		want := reflect.Float64
		switch {
		case strings.HasPrefix(name, "use"):
			want = reflect.Bool
		case name == "cache":
			want = reflect.Slice
		case name == "iter":
			want = reflect.Int
		}
		if !slices.Contains(known, name) || kind != want {
			return unknown(fmt.Sprintf("field %s %v", name, t.Field(i).Type))
		}
	}
	if t.NumField() != len(known) {
		return unknown(fmt.Sprintf("%d fields", t.NumField()))
	}
	return nil
}

// number returns a number, or 0 if there is no such field.
func (f fields) number(name string) float64 {
	if v := f.FieldByName(name); v.IsValid() {
		return v.Float()
	}
	return 0
}

func (f fields) is(name string) bool {
	v := f.FieldByName(name)
	return v.IsValid() && v.Bool()
}

func (f fields) stepped() bool {
	cache, iter := f.FieldByName("cache"), f.FieldByName("iter")
	return cache.IsValid() && !cache.IsNil() || iter.IsValid() && iter.Int() != 0
}
