package layer

import (
	"strings"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// differentiatedLayer is a layer with all its gradients: the nodes in the order
// of their execution, the gradients, and the arguments of a node.
func differentiatedLayer(t *testing.T, act Activation) (order, grads gorgonia.Nodes, arguments func(*gorgonia.Node) gorgonia.Nodes) {
	t.Helper()
	g := gorgonia.NewGraph()
	rng := generator(61)
	l, err := NewLinear(g, 3, 2, WithActivation(act), WithDtype(tensor.Float64))
	requireNoError(t, err)
	x := input(g, "x", random(rng, tensor.Float64, 4, 3))
	y, err := l.Fwd(x)
	requireNoError(t, err)
	cost, err := weighted(y, input(g, "dy", random(rng, tensor.Float64, 4, 2)))
	requireNoError(t, err)
	grads, err = gorgonia.Grad(cost, append(l.Learnables(), x)...)
	requireNoError(t, err)
	rootsFirst, err := gorgonia.Sort(g)
	requireNoError(t, err)
	for i := range rootsFirst {
		order = append(order, rootsFirst[len(rootsFirst)-1-i])
	}
	return order, grads, func(n *gorgonia.Node) (args gorgonia.Nodes) {
		for it := g.From(n.ID()); it.Next(); {
			args = append(args, it.Node().(*gorgonia.Node))
		}
		return args
	}
}

func TestGradientGroupHidesTheActivationGradientUnlessKept(t *testing.T) {
	for _, act := range activations {
		order, grads, arguments := differentiatedLayer(t, act)
		for _, keep := range []bool{false, true} {
			groups := GradientGroups(order, arguments, func(*gorgonia.Node) bool { return keep })
			if len(groups) != 1 || len(groups[0].Outputs) != 3 {
				t.Fatalf("%v: got %d groups, want one of three gradients", act, len(groups))
			}
			for _, n := range groups[0].Outputs {
				if !grads.Contains(n) {
					t.Errorf("%v: %v is none of the gradients", act, n)
				}
			}
			if hidden := groups[0].Hidden != nil; hidden != (act != Identity && !keep) {
				t.Errorf("%v, keep %t: dZ hidden is %t", act, keep, hidden)
			}
		}
	}
}

func TestGradientGroupNeedsItsInputsFirst(t *testing.T) {
	order, _, arguments := differentiatedLayer(t, ReLU)
	reversed := make(gorgonia.Nodes, 0, len(order))
	for i := range order {
		reversed = append(reversed, order[len(order)-1-i])
	}
	if groups := GradientGroups(reversed, arguments, func(*gorgonia.Node) bool { return false }); len(groups) != 0 {
		t.Errorf("got %d groups from nodes in the wrong order, want none", len(groups))
	}
}

func TestGradientGroupRefusesMissingValues(t *testing.T) {
	order, _, arguments := differentiatedLayer(t, ReLU)
	group := GradientGroups(order, arguments, func(*gorgonia.Node) bool { return false })[0]
	out, in := make([]gorgonia.Value, 3), make([]gorgonia.Value, len(group.Inputs))
	refuse := func(want string, err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want one that says %q", err, want)
		}
	}
	refuse("has no value", group.Compute(out, in))
	refuse("room for 1 values", group.Compute(out[:1], in))
	for i := range in {
		in[i] = tensor.New(tensor.WithShape(2, 2), tensor.Of(tensor.Int))
	}
	refuse("dtype is int", group.Compute(out, in))
}
