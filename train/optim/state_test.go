package optim_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/affine-go/affine/internal/nettest"
	"github.com/affine-go/affine/train/optim"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// walk takes steps with gradients that depend on the number of the step.
func walk(t *testing.T, o *optim.Optimizer, from, to int, learnables ...*learnable) {
	t.Helper()
	for step := from; step < to; step++ {
		for i, l := range learnables {
			l.grad = nettest.Waves(l.value.Dtype(), float64(step+10*i), l.value.Shape()...)
		}
		nettest.Must(t, o.Step(model(learnables...)))
	}
}

func copyOf(t *testing.T, l *learnable) *learnable {
	t.Helper()
	v, err := gorgonia.CloneValue(l.value)
	nettest.Must(t, err)
	return &learnable{name: l.name, value: v}
}

func TestLoadStateContinuesExactly(t *testing.T) {
	forEveryOptimizer(t, func(t *testing.T, dt tensor.Dtype, make func() *optim.Optimizer) {
		for _, stop := range []int{0, 1, 4} {
			w, b := newLearnable("W", dt, 2, 3), newLearnable("b", dt, 3)
			whole := make()
			walk(t, whole, 0, stop, w, b)
			whole.SetLR(0.03)
			state, err := whole.State()
			nettest.Must(t, err)
			w2, b2 := copyOf(t, w), copyOf(t, b)

			walk(t, whole, stop, 10, w, b)

			resumed := make()
			nettest.Must(t, resumed.LoadState(state, model(w2, b2)))
			if resumed.Steps() != stop || resumed.LR() != 0.03 {
				t.Errorf("resumed at step %d with rate %v, want %d and 0.03", resumed.Steps(), resumed.LR(), stop)
			}
			walk(t, resumed, stop, 10, w2, b2)
			if !nettest.SameNumbers(w.value, w2.value) || !nettest.SameNumbers(b.value, b2.value) {
				t.Errorf("stopped at %d: got\n%v, without the stop\n%v", stop, w2.value, w.value)
			}
		}
	})
}

// A state goes through any number of loads, before the first step too.
func TestALoadedStateCanBeLoadedAgain(t *testing.T) {
	forEveryOptimizer(t, func(t *testing.T, dt tensor.Dtype, make func() *optim.Optimizer) {
		for _, stop := range []int{0, 2} {
			w := newLearnable("W", dt, 2, 3)
			first := make()
			walk(t, first, 0, stop, w)
			for range 2 {
				state, err := first.State()
				nettest.Must(t, err)
				first = make()
				nettest.Must(t, first.LoadState(state, model(w)))
			}
		}
	})
}

func TestScalarsHaveMomentsOfOneElement(t *testing.T) {
	scalar := &learnable{name: "w", value: gorgonia.NewF64(1), grad: gorgonia.NewF64(2)}
	o, err := optim.NewAdam()
	nettest.Must(t, err)
	nettest.Must(t, o.Step(model(scalar)))
	state, err := o.State()
	nettest.Must(t, err)
	if shape := state.Moments["w.exp_avg"].Shape(); !shape.Eq(tensor.Shape{1}) {
		t.Errorf("moment has shape %v, want (1)", shape)
	}
	nettest.Must(t, o.LoadState(state, model(scalar)))
}

func TestStateIsACopy(t *testing.T) {
	l := newLearnable("w", tensor.Float64, 2)
	o, err := optim.NewAdam()
	nettest.Must(t, err)
	walk(t, o, 0, 2, l)
	state, err := o.State()
	nettest.Must(t, err)
	before := state.Moments["w.exp_avg"].Clone().(*tensor.Dense)
	walk(t, o, 2, 4, l)
	if !nettest.SameNumbers(state.Moments["w.exp_avg"], before) || state.Step != 2 {
		t.Error("a later step changed the state")
	}
}

func TestStateNamesItsMoments(t *testing.T) {
	keysOf := func(learnables ...*learnable) []string {
		o, err := optim.NewAdam()
		nettest.Must(t, err)
		walk(t, o, 0, 1, learnables...)
		state, err := o.State()
		nettest.Must(t, err)
		if state.Name != "adam" {
			t.Errorf("state is called %q", state.Name)
		}
		return slices.Sorted(maps.Keys(state.Moments))
	}
	for _, c := range []struct{ a, b string }{{"l.weight", "l.bias"}, {"w", "w"}, {"", "b"}} {
		first, second := c.a, c.b
		if first == second || first == "" {
			first, second = "0", "1"
		}
		want := []string{first + ".exp_avg", first + ".exp_avg_sq", second + ".exp_avg", second + ".exp_avg_sq"}
		slices.Sort(want)
		if got := keysOf(newLearnable(c.a, tensor.Float64, 2, 3), newLearnable(c.b, tensor.Float64, 3)); !slices.Equal(got, want) {
			t.Errorf("moments of learnables %q and %q are %v, want %v", c.a, c.b, got, want)
		}
	}
}

func TestLoadStateRefusesWhatDoesNotFit(t *testing.T) {
	w := newLearnable("w", tensor.Float64, 2, 3)
	o, err := optim.NewAdam()
	nettest.Must(t, err)
	walk(t, o, 0, 2, w)
	for _, c := range []struct {
		name   string
		change func(s *optim.State)
		model  *learnable
		says   []string
	}{
		{"another optimizer", func(s *optim.State) { s.Name = "sgd" }, w, []string{`"sgd"`}},
		{"negative step", func(s *optim.State) { s.Step = -1 }, w, []string{"step -1"}},
		{"missing moment", func(s *optim.State) { delete(s.Moments, "w.exp_avg_sq") }, w, []string{`"w.exp_avg_sq"`}},
		{"surplus moment", func(s *optim.State) { s.Moments["v.exp_avg"] = s.Moments["w.exp_avg"] }, w, []string{`"v.exp_avg"`, "none"}},
		{"moments before the first step", func(s *optim.State) { s.Step = 0 }, w, []string{"step 0", `"w.exp_avg`}},
		{"another name", nil, newLearnable("v", tensor.Float64, 2, 3), []string{`"v.exp_avg"`}},
		{"another shape", nil, newLearnable("w", tensor.Float64, 3, 2), []string{`"w"`, "(2, 3)", "(3, 2)"}},
		{"another dtype", nil, newLearnable("w", tensor.Float32, 2, 3), []string{`"w"`, "float64", "float32"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			state, err := o.State()
			nettest.Must(t, err)
			if c.change != nil {
				c.change(&state)
			}
			fresh, err := optim.NewAdam()
			nettest.Must(t, err)
			nettest.Fails(t, fresh.LoadState(state, model(c.model)), append(c.says, "load adam state")...)
			if fresh.Steps() != 0 {
				t.Error("the refused state was taken")
			}
		})
	}
}
