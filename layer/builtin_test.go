package layer

import (
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"
)

// linearBuilder is the signature that Apply and Builtin share.
type linearBuilder func(x, w, b *gorgonia.Node, opts ...Option) (*gorgonia.Node, error)

// linearCase runs Y = act(X·W + b) with dY arriving from above and returns Y
// and dX, dW and, with a bias, db.
func linearCase(t tester, machine string, build linearBuilder, act Activation, x, w, b, dy *tensor.Dense) [][]float64 {
	t.Helper()
	inputs, wrt := []*tensor.Dense{x, w, dy}, []int{0, 1}
	if b != nil {
		inputs, wrt = append(inputs, b), append(wrt, 3)
	}
	values, grads := run(t, machine, inputs, wrt, func(n gorgonia.Nodes) (*gorgonia.Node, gorgonia.Nodes, error) {
		var bias *gorgonia.Node
		if b != nil {
			bias = n[3]
		}
		y, err := build(n[0], n[1], bias, WithActivation(act))
		if err != nil {
			return nil, nil, err
		}
		cost, err := weighted(y, n[2])
		return cost, gorgonia.Nodes{y}, err
	})
	return append(values, grads...)
}

func TestFusedOpAgreesWithBuiltinOps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dt := rapid.SampledFrom(dtypes).Draw(t, "dtype")
		act := rapid.SampledFrom(activations).Draw(t, "activation")
		rng := generator(rapid.Uint64().Draw(t, "seed"))
		lead := rapid.SliceOfN(rapid.IntRange(1, 5), 1, 3).Draw(t, "leading dimensions")
		in := rapid.IntRange(1, 6).Draw(t, "in")
		out := rapid.IntRange(1, 6).Draw(t, "out")
		x := random(rng, dt, append(append([]int{}, lead...), in)...)
		dy := random(rng, dt, append(append([]int{}, lead...), out)...)
		w := random(rng, dt, in, out)
		var b *tensor.Dense
		if rapid.Bool().Draw(t, "bias") {
			b = random(rng, dt, out)
		}
		fused := linearCase(t, rapid.SampledFrom([]string{"tape", "lisp"}).Draw(t, "machine"), Apply, act, x, w, b, dy)
		twin := linearCase(t, "tape", Builtin, act, x, w, b, dy)
		for i, name := range []string{"Y", "dX", "dW", "db"}[:len(twin)] {
			requireClose(t, name, fused[i], twin[i], tolerance(dt))
		}
	})
}
