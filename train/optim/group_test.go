package optim_test

import (
	"strings"
	"testing"

	"github.com/affine-go/affine/internal/nettest"
	"github.com/affine-go/affine/train/optim"
	"gorgonia.org/tensor"
)

func isBias(name string) bool { return strings.HasSuffix(name, "bias") }

// A learnable of a group moves as if it had an optimizer of its own.
func TestAGroupIsUpdatedByItsOwnOptions(t *testing.T) {
	group := []optim.Option{optim.WithLR(0.03), optim.WithWeightDecay(0.2), optim.WithBetas(0.5, 0.9), optim.WithAMSGrad()}
	whole, err := optim.NewAdam(optim.WithGroup(isBias, group...), optim.WithLR(0.01), optim.WithEps(1e-4))
	nettest.Must(t, err)
	rest, err := optim.NewAdam(optim.WithLR(0.01), optim.WithEps(1e-4))
	nettest.Must(t, err)
	alone, err := optim.NewAdam(append(group, optim.WithEps(1e-4))...)
	nettest.Must(t, err)

	weight, bias := newLearnable("l.weight", tensor.Float64, 2, 3), newLearnable("l.bias", tensor.Float64, 3)
	otherWeight, otherBias := copyOf(t, weight), copyOf(t, bias)
	for step := range 10 {
		if step == 5 { // the group's rate follows in proportion
			whole.SetLR(0.02)
			rest.SetLR(0.02)
			alone.SetLR(0.06)
		}
		for _, l := range []*learnable{weight, bias, otherWeight, otherBias} {
			l.grad = nettest.Waves(tensor.Float64, float64(step), l.value.Shape()...)
		}
		nettest.Must(t, whole.Step(model(weight, bias)))
		nettest.Must(t, rest.Step(model(otherWeight)))
		nettest.Must(t, alone.Step(model(otherBias)))
	}
	if d, where := difference([]*learnable{weight, bias}, []*learnable{otherWeight, otherBias}); !(d <= 1e-15) {
		t.Error(where)
	}
	if got, want := whole.String(), "adam(lr=0.02, betas=(0.9, 0.999), eps=0.0001, weight_decay=0, groups=1)"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestGroupsResumeExactly(t *testing.T) {
	make := func() *optim.Optimizer {
		o, err := optim.NewSGD(optim.WithGroup(isBias, optim.WithLR(0.2), optim.WithMomentum(0.9)))
		nettest.Must(t, err)
		return o
	}
	weight, bias := newLearnable("weight", tensor.Float64, 2, 3), newLearnable("bias", tensor.Float64, 3)
	first := make()
	walk(t, first, 0, 3, weight, bias)
	state, err := first.State()
	nettest.Must(t, err)
	if n := len(state.Moments); n != 1 || state.Moments["bias.momentum_buffer"] == nil {
		t.Errorf("the state has %d moments, want that of the bias alone", n)
	}
	weight2, bias2 := copyOf(t, weight), copyOf(t, bias)
	second := make()
	nettest.Must(t, second.LoadState(state, model(weight2, bias2)))
	walk(t, first, 3, 6, weight, bias)
	walk(t, second, 3, 6, weight2, bias2)
	if d, where := difference([]*learnable{weight2, bias2}, []*learnable{weight, bias}); d != 0 {
		t.Error(where)
	}
}

func TestTheFirstGroupThatMatchesCounts(t *testing.T) {
	all := func(string) bool { return true }
	for name, want := range map[string]float64{"bias": 2, "weight": 3} {
		l := &learnable{name: name, value: valueOf(tensor.Float64, []float64{0}, tensor.Shape{1}), grad: valueOf(tensor.Float64, []float64{-1}, tensor.Shape{1})}
		fresh, err := optim.NewSGD(optim.WithLR(1), optim.WithGroup(isBias, optim.WithLR(2)), optim.WithGroup(all, optim.WithLR(3)))
		nettest.Must(t, err)
		nettest.Must(t, fresh.Step(model(l)))
		if got := nettest.Numbers(l.value)[0]; got != want {
			t.Errorf("%s moved by %v, want %v", name, got, want)
		}
	}
}

func TestGroupsThatCannotBeAreErrors(t *testing.T) {
	for _, c := range []struct {
		opts []optim.Option
		says []string
	}{
		{[]optim.Option{optim.WithGroup(nil)}, []string{"function that selects"}},
		{[]optim.Option{optim.WithGroup(isBias, optim.WithLR(-1))}, []string{"group 1", "lr", "-1"}},
		{[]optim.Option{optim.WithGroup(isBias, optim.WithMomentum(0.9))}, []string{"group 1", "no momentum"}},
		{[]optim.Option{optim.WithGroup(isBias), optim.WithGroup(isBias, optim.WithGroup(isBias))}, []string{"group 2", "cannot have groups"}},
		{[]optim.Option{optim.WithLR(0), optim.WithGroup(isBias, optim.WithLR(1))}, []string{"group 1", "lr", "which is 0"}},
		{[]optim.Option{optim.WithGroup(isBias, optim.WithDevice(nettest.Devices(t)[0]))}, []string{"another device"}},
	} {
		_, err := optim.NewAdam(c.opts...)
		nettest.Fails(t, err, append(c.says, "new adam")...)
	}
}
