package layer

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/affine-go/affine/layer/gradcheck"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"
)

func TestApplyAddsOneNode(t *testing.T) {
	for _, act := range activations {
		g := gorgonia.NewGraph()
		rng := generator(1)
		x, w, b := input(g, "x", random(rng, tensor.Float64, 3, 2)), input(g, "w", random(rng, tensor.Float64, 2, 4)), input(g, "b", random(rng, tensor.Float64, 4))
		before := len(g.AllNodes())
		y, err := Apply(x, w, b, WithActivation(act), WithName("out"))
		requireNoError(t, err)
		if got := len(g.AllNodes()) - before; got != 1 {
			t.Errorf("%v: Apply added %d nodes, want 1", act, got)
		}
		if y.Name() != "out" || !y.Shape().Eq(tensor.Shape{3, 4}) || y.Dtype() != tensor.Float64 {
			t.Errorf("%v: got node %q of shape %v and dtype %v", act, y.Name(), y.Shape(), y.Dtype())
		}
	}
}

// TestGradientsPassFiniteDifferences covers every activation, ranks 1 to 4, with
// and without bias.
func TestGradientsPassFiniteDifferences(t *testing.T) {
	for _, act := range activations {
		for _, lead := range [][]int{{}, {3}, {2, 3}, {2, 1, 3}} {
			for _, bias := range []bool{true, false} {
				t.Run(fmt.Sprintf("%v/rank %d/bias %t", act, len(lead)+1, bias), func(t *testing.T) {
					g := gorgonia.NewGraph()
					rng := generator(7)
					x := input(g, "X", random(rng, tensor.Float64, append(append([]int{}, lead...), 4)...))
					wrt := gorgonia.Nodes{x, input(g, "W", random(rng, tensor.Float64, 4, 3))}
					var b *gorgonia.Node
					if bias {
						b = input(g, "b", random(rng, tensor.Float64, 3))
						wrt = append(wrt, b)
					}
					y, err := Apply(x, wrt[1], b, WithActivation(act))
					requireNoError(t, err)
					cost, err := weighted(y, input(g, "dY", random(rng, tensor.Float64, append(append([]int{}, lead...), 3)...)))
					requireNoError(t, err)
					report, err := gradcheck.Check(cost, wrt)
					requireNoError(t, err)
					if !report.OK() {
						t.Error(report)
					}
				})
			}
		}
	}
}

// TestStridedInputsGiveTheContiguousResult runs transposed tensors, slices with
// gaps between rows and column-major tensors against their row-major copies.
func TestStridedInputsGiveTheContiguousResult(t *testing.T) {
	const n, in, out = 5, 4, 3
	for _, dt := range dtypes {
		rng := generator(3)
		contiguous := map[string]*tensor.Dense{}
		strided := map[string]map[string]*tensor.Dense{"transposed": {}, "sliced": {}, "column-major": {}}
		for name, shape := range map[string][2]int{"X": {n, in}, "W": {in, out}, "dY": {n, out}} {
			tr := random(rng, dt, shape[1], shape[0])
			requireNoError(t, tr.T())
			contiguous[name] = tr.Materialize().(*tensor.Dense)
			strided["transposed"][name] = tr

			big := random(rng, dt, shape[0]+2, shape[1]+3)
			view, err := big.Slice(tensor.S(1, 1+shape[0]), tensor.S(2, 2+shape[1]))
			requireNoError(t, err)
			requireNoError(t, tensor.Copy(view, contiguous[name]))
			strided["sliced"][name] = view.(*tensor.Dense)

			columns := tensor.New(tensor.WithShape(shape[:]...), tensor.Of(dt), tensor.AsFortran(nil))
			for i := range shape[0] {
				for j := range shape[1] {
					v, err := contiguous[name].At(i, j)
					requireNoError(t, err)
					requireNoError(t, columns.SetAt(v, i, j))
				}
			}
			strided["column-major"][name] = columns
		}
		b := random(rng, dt, out)
		for _, machine := range []string{"tape", "lisp"} {
			want := linearCase(t, machine, Apply, GELU, contiguous["X"], contiguous["W"], b, contiguous["dY"])
			for kind, in := range strided {
				t.Run(fmt.Sprintf("%v/%s/%s", dt, machine, kind), func(t *testing.T) {
					for _, name := range []string{"X", "W"} {
						x, w := contiguous["X"], contiguous["W"]
						before := fmt.Sprint(in[name].Strides(), in[name].Shape())
						if name == "X" {
							x = in["X"]
						} else {
							w = in["W"]
						}
						// dW and dX have the strides of their input under LispMachine; compare by element.
						got := linearCase(t, machine, Apply, GELU, x, w, b, contiguous["dY"])
						for i, part := range []string{"Y", "dX", "dW", "db"} {
							requireClose(t, name+" "+kind+": "+part, got[i], want[i], tolerance(dt))
						}
						if after := fmt.Sprint(in[name].Strides(), in[name].Shape()); after != before {
							t.Errorf("%s was restrided from %s to %s", name, before, after)
						}
					}
				})
			}
		}
	}
}

func TestInputsAreNeverWritten(t *testing.T) {
	for _, dt := range dtypes {
		for _, act := range activations {
			for _, machine := range []string{"tape", "lisp"} {
				rng := generator(5)
				inputs := []*tensor.Dense{random(rng, dt, 3, 4), random(rng, dt, 4, 2), random(rng, dt, 2), random(rng, dt, 3, 2)}
				before := fmt.Sprint(inputs)
				linearCase(t, machine, Apply, act, inputs[0], inputs[1], inputs[2], inputs[3])
				if after := fmt.Sprint(inputs); after != before {
					t.Errorf("%v %v on the %s machine: inputs changed from %s to %s", dt, act, machine, before, after)
				}
			}
		}
	}
}

// TestMachinesAgreeToTheBit: the tape runs one op for each gradient, LispMachine
// one device call for all of them.
func TestMachinesAgreeToTheBit(t *testing.T) {
	for _, dt := range dtypes {
		for _, act := range activations {
			rng := generator(11)
			x, w, b, dy := random(rng, dt, 6, 5), random(rng, dt, 5, 4), random(rng, dt, 4), random(rng, dt, 6, 4)
			tape := linearCase(t, "tape", Apply, act, x, w, b, dy)
			lisp := linearCase(t, "lisp", Apply, act, x, w, b, dy)
			for i, part := range []string{"Y", "dX", "dW", "db"} {
				requireClose(t, fmt.Sprintf("%v %v %s", dt, act, part), lisp[i], tape[i], 0)
			}
		}
	}
}

func TestReusedBuffersGiveTheSameResultWithoutAllocation(t *testing.T) {
	for _, act := range []Activation{ReLU, GELU} {
		rng := generator(9)
		op := newLinearOp(plain(2), act, true, mustCollect(t).dev)
		op.pre.wanted.Store(true)
		in := []gorgonia.Value{random(rng, tensor.Float32, 8, 4), random(rng, tensor.Float32, 4, 3), random(rng, tensor.Float32, 3)}
		want, err := op.Do(in...)
		requireNoError(t, err)
		prev, err := op.DoInto(nil, in...)
		requireNoError(t, err)
		if prev == want {
			t.Fatalf("%v: two fresh results are one value", act)
		}
		var got gorgonia.Value
		if allocs := testing.AllocsPerRun(100, func() { got, err = op.DoInto(prev, in...) }); allocs > 0 {
			t.Errorf("%v: %v allocations a run, want none", act, allocs)
		}
		requireNoError(t, err)
		if got != prev {
			t.Errorf("%v: the kept value was not used", act)
		}
		requireClose(t, "reused", floats(t, got), floats(t, want), 0)

		smaller := append([]gorgonia.Value{random(rng, tensor.Float32, 5, 4)}, in[1:]...)
		got, err = op.DoInto(prev, smaller...)
		requireNoError(t, err)
		if got == prev || !got.Shape().Eq(tensor.Shape{5, 3}) {
			t.Errorf("%v: result of another batch size has shape %v", act, got.Shape())
		}
	}
}

func mustCollect(t *testing.T, opts ...Option) options {
	t.Helper()
	o, err := collect(opts, linearOptions)
	requireNoError(t, err)
	return o
}

// TestKeptPreactivationsBelongToTheirOutput: an op that ran twice, as it does
// when two machines share a graph, must not mix up the two runs.
func TestKeptPreactivationsBelongToTheirOutput(t *testing.T) {
	rng := generator(13)
	op := newLinearOp(plain(2), SiLU, true, mustCollect(t).dev)
	op.pre.wanted.Store(true)
	w, b := random(rng, tensor.Float64, 4, 3), random(rng, tensor.Float64, 3)
	first := []gorgonia.Value{random(rng, tensor.Float64, 5, 4), w, b}
	second := []gorgonia.Value{random(rng, tensor.Float64, 5, 4), w, b}
	y1, err := op.Do(first...)
	requireNoError(t, err)
	_, err = op.Do(second...)
	requireNoError(t, err)
	z, err := newPreactivationOp(op).Do(append(first, y1)...)
	requireNoError(t, err)
	want, err := newLinearOp(plain(2), Identity, true, op.dev).Do(first...)
	requireNoError(t, err)
	requireClose(t, "Z of the first run", floats(t, z), floats(t, want), 1e-15)
}

func TestOpsWithOtherAttributesAreNotMerged(t *testing.T) {
	dev := mustCollect(t).dev
	var ops []gorgonia.Op
	for _, act := range append(activations, LeakyReLU(0.2)) {
		ops = append(ops, newLinearOp(plain(2), act, true, dev), newLinearOp(plain(2).withoutBias(), act, true, dev),
			newLinearOp(plain(2), act, false, dev), newLinearOp(plain(3), act, true, dev),
			newPreactivationOp(newLinearOp(plain(2), act, true, dev)),
			newActivationBackwardOp(2, act, 1, dev), newActivationBackwardOp(2, act, 2, dev))
	}
	for _, kind := range []lossKind{softmaxCrossEntropy, meanSquaredError, binaryCrossEntropy} {
		ops = append(ops, newLossOp(kind, 2, dev), newLossBackwardOp(kind, 2, dev))
	}
	ops = append(ops, newInputBackwardOp(plain(2), dev), newWeightBackwardOp(plain(2), dev), newBiasBackwardOp(plain(2), dev), newBroadcastRowsOp(plain(2), dev))
	seen := map[uint32]gorgonia.Op{}
	for _, op := range ops {
		if other, ok := seen[op.Hashcode()]; ok {
			t.Errorf("%v and %v have the same hash", op, other)
		}
		seen[op.Hashcode()] = op
	}
}

func TestWithoutInputGradSkipsTheInput(t *testing.T) {
	g := gorgonia.NewGraph()
	rng := generator(19)
	x, w := input(g, "x", random(rng, tensor.Float64, 3, 2)), input(g, "w", random(rng, tensor.Float64, 2, 2))
	y, err := Apply(x, w, nil, WithoutInputGrad())
	requireNoError(t, err)
	cost, err := gorgonia.Sum(y)
	requireNoError(t, err)
	grads, err := gorgonia.Grad(cost, w)
	requireNoError(t, err)
	if len(grads) != 1 {
		t.Fatalf("got %d gradients, want 1", len(grads))
	}
	for _, n := range g.AllNodes() {
		if n.Op() != nil && strings.Contains(n.Op().String(), "InputBackward") {
			t.Errorf("the graph computes the gradient of the input: %v", n)
		}
	}
	if _, err := gorgonia.Grad(cost, x); err == nil {
		t.Error("differentiating by the input that was opted out: no error")
	}
}

func TestWrongNodesAreRefused(t *testing.T) {
	g, other := gorgonia.NewGraph(), gorgonia.NewGraph()
	node := func(g *gorgonia.ExprGraph, dt tensor.Dtype, shape ...int) *gorgonia.Node {
		return gorgonia.NewTensor(g, dt, len(shape), gorgonia.WithShape(shape...), gorgonia.WithName(fmt.Sprint(dt, shape)))
	}
	f64, f32 := tensor.Float64, tensor.Float32
	x, w, b := node(g, f64, 5, 3), node(g, f64, 3, 2), node(g, f64, 2)
	for _, c := range []struct {
		name    string
		x, w, b *gorgonia.Node
		opts    []Option
		want    string
	}{
		{"nil X", nil, w, b, nil, "X is nil"},
		{"nil W", x, nil, b, nil, "W is nil"},
		{"foreign W", x, node(other, f64, 3, 2), b, nil, "W (float64 [3 2] :: Matrix float64) belongs to another graph"},
		{"foreign b", x, w, node(other, f64, 2), nil, "b ("},
		{"mixed dtypes", x, node(g, f32, 3, 2), b, nil, "W has dtype float32, want float64 as X has"},
		{"integer", node(g, tensor.Int, 5, 3), w, b, nil, "X has dtype int, want float32 or float64"},
		{"scalar X", gorgonia.NewScalar(g, f64, gorgonia.WithName("s")), w, b, nil, "X is a scalar"},
		{"inner dimension", x, node(g, f64, 4, 2), b, nil, "the last dimension of X is 3, want 4, the rows of W"},
		{"vector W", x, node(g, f64, 3), b, nil, "W has shape (3), want [in, out]"},
		{"long b", x, w, node(g, f64, 3), nil, "b has shape (3), want (2), one value for each column of W (3, 2)"},
		{"b as a column", x, w, node(g, f64, 2, 1), nil, "b has shape (2, 1), want (2), one value for each column of W (3, 2); reshape b to (1, 2)"},
		{"another b for each row", x, w, node(g, f64, 5, 2), nil, "give no bias and use gorgonia.Add"},
		{"scalar b", x, w, gorgonia.NewScalar(g, f64, gorgonia.WithName("b0")), nil, "b is a scalar, want (out) or (1, out)"},
		{"transposed W", x, node(g, f64, 2, 3), b, nil, "needs WithTransposedWeight"},
		{"needless option", x, w, b, []Option{WithTransposedWeight()}, "needs no WithTransposedWeight"},
		{"vector X and W", node(g, f64, 3), node(g, f64, 3), nil, nil, "reshape X to (1, 3)"},
		{"zero β", x, w, b, []Option{WithActivation(Softplus(0, 20))}, "β is 0"},
		{"negative slope", x, w, b, []Option{WithActivation(LeakyReLU(-1))}, "slope is -1, want a finite number ≥ 0"},
		{"NaN slope", x, w, b, []Option{WithActivation(LeakyReLU(math.NaN()))}, "slope is NaN"},
		{"nil option", x, w, b, []Option{nil}, "option is nil"},
	} {
		for name, build := range map[string]linearBuilder{"layer.Apply: ": Apply, "layer.Builtin: ": Builtin} {
			_, err := build(c.x, c.w, c.b, c.opts...)
			if err == nil || !strings.HasPrefix(err.Error(), name) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s%s: error is %v, want one that says %q", name, c.name, err, c.want)
			}
		}
	}
}

// TestWrongValuesAreRefusedWhenTheyArrive: a value of another shape than its
// node's can only be noticed by the op.
func TestWrongValuesAreRefusedWhenTheyArrive(t *testing.T) {
	op := newLinearOp(plain(2), ReLU, true, mustCollect(t).dev)
	rng := generator(23)
	x, w, b := random(rng, tensor.Float64, 4, 3), random(rng, tensor.Float64, 3, 2), random(rng, tensor.Float64, 2)
	for name, in := range map[string][]gorgonia.Value{
		"too few":        {x, w},
		"no value":       {x, nil, b},
		"inner":          {random(rng, tensor.Float64, 4, 5), w, b},
		"bias":           {x, w, random(rng, tensor.Float64, 3)},
		"mixed dtypes":   {x, random(rng, tensor.Float32, 3, 2), b},
		"bias not dense": {x, w, gorgonia.NewF64(1)},
		"integers":       {tensor.New(tensor.WithShape(4, 3), tensor.Of(tensor.Int)), w, b},
	} {
		if _, err := op.Do(in...); err == nil || !strings.HasPrefix(err.Error(), "linear(relu): ") {
			t.Errorf("%s: error is %v, want one that names the op", name, err)
		}
	}
}

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
