package vm_test

import (
	"bytes"
	"fmt"
	"log"
	"math"
	"strings"
	"testing"

	"github.com/affine-go/affine/internal/nettest"
	"github.com/affine-go/affine/train/vm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// plain is a classifier made of Gorgonia's ops alone.
type plain struct {
	graph      *gorgonia.ExprGraph
	x, y       *gorgonia.Node
	hidden     gorgonia.Nodes // X·W, X·W + b and act(X·W + b)
	logits     *gorgonia.Node
	cost       *gorgonia.Node
	learnables gorgonia.Nodes
	grads      gorgonia.Nodes
}

func newPlain(t testing.TB, dt tensor.Dtype, act func(*gorgonia.Node) (*gorgonia.Node, error)) *plain {
	t.Helper()
	const batch, in, width, out = 8, 6, 16, 3
	p := &plain{graph: gorgonia.NewGraph()}
	input := func(name string, seed float64, shape ...int) *gorgonia.Node {
		return gorgonia.NewTensor(p.graph, dt, len(shape), gorgonia.WithShape(shape...), gorgonia.WithName(name), gorgonia.WithValue(nettest.Waves(dt, seed, shape...)))
	}
	p.x, p.y = input("x", 1, batch, in), input("y", 2, batch, out)
	w1, b1, w2, b2 := input("w1", 3, in, width), input("b1", 4, width), input("w2", 5, width, out), input("b2", 6, 1, out)
	p.learnables = gorgonia.Nodes{w1, b1, w2, b2}
	xw := gorgonia.Must(gorgonia.Mul(p.x, w1))
	z := gorgonia.Must(gorgonia.BroadcastAdd(xw, b1, nil, []byte{0}))
	h, err := act(z)
	nettest.Must(t, err)
	p.hidden = gorgonia.Nodes{xw, z, h}
	p.logits = gorgonia.Must(gorgonia.BroadcastAdd(gorgonia.Must(gorgonia.Mul(h, w2)), b2, nil, []byte{0}))
	p.cost = gorgonia.Must(gorgonia.Mean(gorgonia.Must(gorgonia.Square(gorgonia.Must(gorgonia.Sub(p.logits, p.y))))))
	p.grads, err = gorgonia.Grad(p.cost, p.learnables...)
	nettest.Must(t, err)
	return p
}

// near checks that got is want up to a relative error of the whole.
func near(t testing.TB, what string, got, want gorgonia.Value) {
	t.Helper()
	if got == nil {
		t.Errorf("%s has no value", what)
		return
	}
	tolerance := 1e-12
	if want.Dtype() == tensor.Float32 {
		tolerance = 1e-5
	}
	g, w := nettest.Numbers(got), nettest.Numbers(want)
	if len(g) != len(w) {
		t.Errorf("%s has %d elements, want %d", what, len(g), len(w))
		return
	}
	norm := 0.0
	for _, x := range w {
		norm = max(norm, math.Abs(x))
	}
	for i := range w {
		if !(math.Abs(g[i]-w[i]) <= tolerance*norm) {
			t.Errorf("%s: element %d is %v, want %v", what, i, g[i], w[i])
			return
		}
	}
}

var activations = map[string]func(*gorgonia.Node) (*gorgonia.Node, error){
	"rectify": gorgonia.Rectify, "tanh": gorgonia.Tanh, "sigmoid": gorgonia.Sigmoid, "softplus": gorgonia.Softplus,
	"leaky relu": leaky, "silu": silu, "mish": gorgonia.Mish, "softmax": func(n *gorgonia.Node) (*gorgonia.Node, error) { return gorgonia.SoftMax(n) },
	"log softmax": func(n *gorgonia.Node) (*gorgonia.Node, error) { return gorgonia.LogSoftMax(n, 1) },
	"none":        func(n *gorgonia.Node) (*gorgonia.Node, error) { return n, nil },
}

func leaky(n *gorgonia.Node) (*gorgonia.Node, error) { return gorgonia.LeakyRelu(n, 0.1) }

func silu(n *gorgonia.Node) (*gorgonia.Node, error) {
	s, err := gorgonia.Sigmoid(n)
	if err != nil {
		return nil, err
	}
	return gorgonia.HadamardProd(s, n)
}

func TestFusedValuesAndGradientsAreThoseOfATapeMachine(t *testing.T) {
	for name, act := range activations {
		for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
			for _, c := range []struct {
				name string
				opts func(p *plain) []vm.Option
			}{
				{"dual values", func(p *plain) []vm.Option { return []vm.Option{vm.BindDualValues(p.learnables...)} }},
				{"outputs", func(p *plain) []vm.Option {
					return []vm.Option{vm.WithOutputs(p.cost, p.logits), vm.WithOutputs(p.grads...)}
				}},
				{"outputs within a layer", func(p *plain) []vm.Option {
					return []vm.Option{vm.WithOutputs(p.hidden...), vm.WithOutputs(p.cost, p.logits), vm.WithOutputs(p.grads...)}
				}},
				{"every node", func(*plain) []vm.Option { return nil }},
				{"without fusion", func(*plain) []vm.Option { return []vm.Option{vm.WithoutFusion()} }},
			} {
				t.Run(fmt.Sprint(name, "/", dt, "/", c.name), func(t *testing.T) {
					want, got := newPlain(t, dt, act), newPlain(t, dt, act)
					tape := gorgonia.NewTapeMachine(want.graph, gorgonia.TraceExec())
					nettest.Must(t, tape.RunAll())
					m, err := vm.New(got.graph, c.opts(got)...)
					nettest.Must(t, err)
					for range 2 {
						nettest.Must(t, m.RunAll())
						near(t, "cost", got.cost.Value(), want.cost.Value())
						near(t, "logits", got.logits.Value(), want.logits.Value())
						for i := range got.grads {
							near(t, "gradient of "+got.learnables[i].Name(), got.grads[i].Value(), want.grads[i].Value())
						}
						if c.name != "dual values" && c.name != "outputs" {
							for i, n := range got.hidden {
								near(t, n.Name(), n.Value(), want.hidden[i].Value())
							}
						}
					}
				})
			}
		}
	}
}

func TestExplainSaysWhatWasFused(t *testing.T) {
	p := newPlain(t, tensor.Float64, gorgonia.Rectify)
	m, err := vm.New(p.graph, vm.BindDualValues(p.learnables...))
	nettest.Must(t, err)
	for _, word := range []string{"relu(X·W + b)", "gradients dW, db", "gradients dX, dW, db", "gradient of relu"} {
		if !strings.Contains(m.Explain(), word) {
			t.Errorf("Explain does not say %q:\n%s", word, m.Explain())
		}
	}
	for _, c := range []struct {
		act   func(*gorgonia.Node) (*gorgonia.Node, error)
		words []string
	}{
		{leaky, []string{"leaky relu(X·W + b)", "the gradient of leaky relu"}},
		{silu, []string{"silu(X·W + b)", "gradients dW, db of a linear layer with the gradient of its activation"}},
		{func(n *gorgonia.Node) (*gorgonia.Node, error) { return gorgonia.LogSoftMax(n) }, []string{": the logarithm of softmax", "the gradient of the logarithm"}},
	} {
		p := newPlain(t, tensor.Float32, c.act)
		m, err := vm.New(p.graph, vm.BindDualValues(p.learnables...))
		nettest.Must(t, err)
		for _, words := range c.words {
			if !strings.Contains(m.Explain(), words) {
				t.Errorf("Explain does not say %q:\n%s", words, m.Explain())
			}
		}
	}
	m, err = vm.New(p.graph, vm.WithoutFusion())
	nettest.Must(t, err)
	if text := m.Explain(); strings.Contains(text, ": fused: ") || !strings.Contains(text, "WithoutFusion") {
		t.Errorf("without fusion, Explain says\n%s", text)
	}
	m, err = vm.New(p.graph, vm.WithOutputs(p.cost, p.hidden[0]))
	nettest.Must(t, err)
	if !strings.Contains(m.Explain(), "not fused: ") || !strings.Contains(m.Explain(), p.hidden[0].Name()) {
		t.Errorf("Explain does not say that the product is wanted by itself:\n%s", m.Explain())
	}
}

func TestRectifyAndLeakyReluHaveGorgoniasDerivativeAtZero(t *testing.T) {
	for _, act := range []func(*gorgonia.Node) (*gorgonia.Node, error){gorgonia.Rectify, leaky} {
		testDerivativeAtZero(t, act)
	}
}

func testDerivativeAtZero(t *testing.T, act func(*gorgonia.Node) (*gorgonia.Node, error)) {
	t.Helper()
	build := func() *plain {
		p := newPlain(t, tensor.Float64, act)
		nettest.Must(t, gorgonia.Let(p.x, tensor.New(tensor.WithShape(8, 6), tensor.Of(tensor.Float64)))) // Z is b
		b := nettest.Waves(tensor.Float64, 1, 16)
		for i := range 8 {
			b.Float64s()[2*i] = math.Copysign(0, float64(i%2)-0.5)
		}
		nettest.Must(t, gorgonia.Let(p.learnables[1], b))
		return p
	}
	want, got := build(), build()
	nettest.Must(t, gorgonia.NewTapeMachine(want.graph, gorgonia.TraceExec()).RunAll())
	m, err := vm.New(got.graph, vm.WithOutputs(got.grads...))
	nettest.Must(t, err)
	nettest.Must(t, m.RunAll())
	for i, grad := range got.grads {
		near(t, got.learnables[i].Name(), grad.Value(), want.grads[i].Value())
	}
}

// Loops over many elements are shared by threads.
func TestLargeTensorsHaveTheValuesOfGorgoniasOps(t *testing.T) {
	for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
		g := gorgonia.NewGraph()
		input := func(name string, seed float64) *gorgonia.Node {
			return gorgonia.NewMatrix(g, dt, gorgonia.WithShape(301, 299), gorgonia.WithName(name), gorgonia.WithValue(nettest.Waves(dt, seed, 301, 299)))
		}
		x, y := input("x", 1), input("y", 2)
		c := gorgonia.NewConstant(scalar(dt, 0.75))
		var sum *gorgonia.Node
		for _, n := range []*gorgonia.Node{
			gorgonia.Must(gorgonia.Sub(x, y)), gorgonia.Must(gorgonia.HadamardProd(x, y)),
			gorgonia.Must(gorgonia.Add(x, c)), gorgonia.Must(gorgonia.Add(c, y)), gorgonia.Must(gorgonia.Sub(x, c)), gorgonia.Must(gorgonia.Sub(c, y)),
			gorgonia.Must(gorgonia.HadamardProd(x, c)), gorgonia.Must(gorgonia.HadamardProd(c, y)),
			gorgonia.Must(gorgonia.Neg(x)), gorgonia.Must(gorgonia.Square(y)),
			gorgonia.Must(gorgonia.Rectify(x)), gorgonia.Must(leaky(y)), gorgonia.Must(silu(x)),
			gorgonia.Must(gorgonia.SoftMax(x)), gorgonia.Must(gorgonia.LogSoftMax(y, 1)),
		} {
			if sum == nil {
				sum = n
			} else {
				sum = gorgonia.Must(gorgonia.Add(sum, n))
			}
		}
		_, err := gorgonia.Grad(gorgonia.Must(gorgonia.Mean(gorgonia.Must(gorgonia.Square(sum)))), x, y)
		nettest.Must(t, err)
		values := func(opts ...vm.Option) (list []gorgonia.Value) {
			m, err := vm.New(g, opts...)
			nettest.Must(t, err)
			nettest.Must(t, m.RunAll())
			for _, n := range g.AllNodes() {
				v := n.Value()
				if !n.IsScalar() {
					v, err = gorgonia.CloneValue(v)
					nettest.Must(t, err)
				}
				list = append(list, v)
			}
			return list
		}
		want := values(vm.WithoutFusion())
		for i, v := range values() {
			near(t, g.AllNodes()[i].Name(), v, want[i])
		}
	}
}

func TestDualValuesAddUpUntilASolverZeroesThem(t *testing.T) {
	want, got := newPlain(t, tensor.Float64, gorgonia.Tanh), newPlain(t, tensor.Float64, gorgonia.Tanh)
	tape := gorgonia.NewTapeMachine(want.graph, gorgonia.BindDualValues(want.learnables...))
	m, err := vm.New(got.graph, vm.BindDualValues(got.learnables...))
	nettest.Must(t, err)
	for run := range 6 {
		for _, machine := range []gorgonia.VM{tape, m} {
			nettest.Must(t, machine.RunAll())
			machine.Reset()
		}
		for i := range got.learnables {
			g, err := got.learnables[i].Grad()
			nettest.Must(t, err)
			w, err := want.learnables[i].Grad()
			nettest.Must(t, err)
			near(t, fmt.Sprint("run ", run, ", ", got.learnables[i].Name()), g, w)
		}
		if run == 2 {
			for _, p := range []*plain{want, got} {
				nettest.Must(t, gorgonia.NewVanillaSolver(gorgonia.WithLearnRate(0.1)).Step(gorgonia.NodesToValueGrads(p.learnables)))
			}
		}
	}
}

// Without nodes BindDualValues gives every node of the forward pass a gradient
// and adds to it in every run, as on a TapeMachine.
func TestDualValuesOfAllNodes(t *testing.T) {
	for _, act := range []func(*gorgonia.Node) (*gorgonia.Node, error){gorgonia.Tanh, gorgonia.Rectify, gorgonia.Sigmoid} {
		want, got := newPlain(t, tensor.Float64, act), newPlain(t, tensor.Float64, act)
		tape := gorgonia.NewTapeMachine(want.graph, gorgonia.BindDualValues())
		m, err := vm.New(got.graph, vm.BindDualValues())
		nettest.Must(t, err)
		all := got.graph.AllNodes()
		for run := range 2 {
			for _, machine := range []gorgonia.VM{tape, m} {
				nettest.Must(t, machine.RunAll())
				machine.Reset()
			}
			graded := 0
			for i, n := range want.graph.AllNodes() {
				w, err := n.Grad()
				if err != nil || n.Op() != nil && n.Name() != all[i].Name() {
					continue
				}
				g, err := all[i].Grad()
				nettest.Must(t, err)
				near(t, fmt.Sprint("run ", run, ", gradient of ", n.Name()), g, w)
				if n.Op() != nil {
					graded++
				}
			}
			if graded < 6 {
				t.Errorf("%d computed nodes have a gradient, want those from the first product to the cost", graded)
			}
		}
		if n := len(m.ValueGrads()); n != len(got.learnables) {
			t.Errorf("ValueGrads has %d learnables, want %d", n, len(got.learnables))
		}
	}
}

func TestReadCopiesTheValueToItsVariable(t *testing.T) {
	for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
		want, got := newPlain(t, dt, gorgonia.Rectify), newPlain(t, dt, gorgonia.Rectify)
		var cost, hidden, sum [2]gorgonia.Value
		for i, p := range []*plain{want, got} {
			gorgonia.Read(p.cost, &cost[i])
			gorgonia.Read(p.hidden[0], &hidden[i]) // absorbed, if nobody read it
			gorgonia.Read(p.hidden[2], &sum[i])
		}
		tape := gorgonia.NewTapeMachine(want.graph)
		nettest.Must(t, tape.RunAll())
		m, err := vm.New(got.graph, vm.BindDualValues(got.learnables...))
		nettest.Must(t, err)
		for range 2 {
			nettest.Must(t, m.RunAll())
			near(t, "cost", cost[1], cost[0])
			near(t, "X·W", hidden[1], hidden[0])
			near(t, "act", sum[1], sum[0])
		}
		kept := sum[1]
		if kept == got.hidden[2].Value() {
			t.Error("Read gave away the value itself")
		}
		before, err := gorgonia.CloneValue(kept)
		nettest.Must(t, err)
		letMatrixOf(t, got.x, 9)
		nettest.Must(t, m.RunAll())
		if sum[1] != kept || nettest.SameNumbers(kept, before) {
			t.Error("the second Read did not write to the value of the first")
		}
	}
}

func letMatrixOf(t testing.TB, n *gorgonia.Node, seed float64) {
	t.Helper()
	nettest.Must(t, gorgonia.Let(n, nettest.Waves(n.Dtype(), seed, n.Shape()...)))
}

func TestReadsThatNoOutputNeedsCostNothing(t *testing.T) {
	p := newPlain(t, tensor.Float64, gorgonia.Rectify)
	var unused, used gorgonia.Value
	gorgonia.Read(gorgonia.Must(gorgonia.Exp(p.logits)), &unused)
	gorgonia.Read(p.hidden[2], &used)
	m, err := vm.New(p.graph, vm.WithOutputs(p.cost))
	nettest.Must(t, err)
	nettest.Must(t, m.RunAll())
	if unused != nil {
		t.Error("a Read of a node that no output needs was carried out")
	}
	if used == nil {
		t.Error("a Read of a node that an output needs was not carried out")
	}
}

func TestSetTakesEffectInTheNextRun(t *testing.T) {
	g := gorgonia.NewGraph()
	state := matrix(g, "state", 2, 2)
	letMatrix(t, state, 1)
	next := gorgonia.Must(gorgonia.Add(state, state))
	gorgonia.Set(state, next)
	m, err := vm.New(g)
	nettest.Must(t, err)
	want := nettest.Numbers(state.Value())[0]
	for range 4 {
		nettest.Must(t, m.RunAll())
		want *= 2
		if got := nettest.Numbers(state.Value())[0]; got != want {
			t.Fatalf("state is %v, want %v", got, want)
		}
	}
}

func TestLetAndSetOfTheMachine(t *testing.T) {
	g := gorgonia.NewGraph()
	x, y := matrix(g, "x", 2, 2), matrix(g, "y", 2, 2)
	sum := gorgonia.Must(gorgonia.Add(x, y))
	m, err := vm.New(g)
	nettest.Must(t, err)
	nettest.Must(t, m.Let(x, nettest.Waves(tensor.Float64, 1, 2, 2)))
	nettest.Fails(t, m.Set(y, sum), "node", "no value")
	nettest.Must(t, m.Set(y, x))
	nettest.Must(t, m.RunAll())
	if got, want := nettest.Numbers(sum.Value())[3], 2*nettest.Numbers(x.Value())[3]; got != want {
		t.Errorf("x + x is %v, want %v", got, want)
	}
	nettest.Must(t, m.Set(y, sum)) // a buffer of the machine
	nettest.Must(t, m.RunAll())
	if got, want := nettest.Numbers(sum.Value())[3], 3*nettest.Numbers(x.Value())[3]; got != want {
		t.Errorf("x + 2x is %v, want %v", got, want)
	}
	foreign := matrix(gorgonia.NewGraph(), "elsewhere", 2, 2)
	nettest.Fails(t, m.Let(foreign, 1.0), "let", "elsewhere", "not a node")
	nettest.Fails(t, m.Let(nil, 1.0), "let", "nil")
	nettest.Fails(t, m.Set(x, foreign), "set", "elsewhere")
	nettest.Fails(t, m.Let(x, nettest.Waves(tensor.Float64, 1, 3, 2)), "let", "x")
}

func TestWatchesNameTheNode(t *testing.T) {
	for _, c := range []struct {
		name  string
		opt   vm.Option
		value float64
		says  string
	}{
		{"NaN", vm.WithNaNWatch(), math.NaN(), "NaN"},
		{"Inf", vm.WithInfWatch(), math.Inf(1), "infinite"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPlain(t, tensor.Float64, gorgonia.Tanh)
			m, err := vm.New(p.graph, c.opt, vm.BindDualValues(p.learnables...))
			nettest.Must(t, err)
			nettest.Must(t, m.RunAll())
			p.x.Value().(*tensor.Dense).Float64s()[3] = c.value
			nettest.Fails(t, m.RunAll(), p.hidden[0].Name(), c.says)
		})
	}
}

func TestLoggerGetsWhatIsWatched(t *testing.T) {
	p := newPlain(t, tensor.Float64, gorgonia.Tanh)
	var text bytes.Buffer
	m, err := vm.New(p.graph, vm.WithOutputs(p.cost), vm.WithLogger(log.New(&text, "", 0)), vm.WithWatchlist(p.hidden[1]))
	nettest.Must(t, err)
	nettest.Must(t, m.RunAll())
	if p.hidden[1].Value() == nil {
		t.Error("a watched node has no value")
	}
	if !strings.Contains(text.String(), fmt.Sprintf("%q = ", p.hidden[1].Name())) {
		t.Errorf("the log has no value of the watched node:\n%s", text.String())
	}
	if lines := strings.Count(text.String(), fmt.Sprintf("%q: ", p.cost.Name())); lines != 1 {
		t.Errorf("the log has %d lines about the cost, want 1", lines)
	}
}

func TestForTraining(t *testing.T) {
	for name, act := range activations {
		t.Run(name, func(t *testing.T) {
			want := newPlain(t, tensor.Float64, act)
			tape := gorgonia.NewTapeMachine(want.graph, gorgonia.BindDualValues(want.learnables...))
			got := newPlainWithoutGradients(t, act)
			m, err := vm.ForTraining(got.cost, got.learnables...)
			nettest.Must(t, err)
			ours, theirs := gorgonia.NewAdamSolver(), gorgonia.NewAdamSolver()
			for range 10 {
				nettest.Must(t, m.RunAll())
				nettest.Must(t, tape.RunAll())
				near(t, "cost", got.cost.Value(), want.cost.Value())
				nettest.Must(t, ours.Step(m.ValueGrads()))
				nettest.Must(t, theirs.Step(gorgonia.NodesToValueGrads(want.learnables)))
				tape.Reset()
			}
		})
	}
	p := newPlainWithoutGradients(t, gorgonia.Tanh)
	for _, c := range []struct {
		name       string
		cost       *gorgonia.Node
		learnables gorgonia.Nodes
		says       []string
	}{
		{"no cost", nil, p.learnables, []string{"cost", "nil"}},
		{"no learnables", p.cost, nil, []string{"no learnables"}},
		{"nil learnable", p.cost, gorgonia.Nodes{nil}, []string{"learnable 0", "nil"}},
		{"cost is a matrix", p.logits, p.learnables, []string{"cost", "(8, 3)", "scalar"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := vm.ForTraining(c.cost, c.learnables...)
			nettest.Fails(t, err, append(c.says, "for training")...)
		})
	}
}

func newPlainWithoutGradients(t testing.TB, act func(*gorgonia.Node) (*gorgonia.Node, error)) *plain {
	t.Helper()
	p := newPlain(t, tensor.Float64, act)
	// The same model once more, in a graph without gradients.
	q := &plain{graph: gorgonia.NewGraph()}
	in := func(n *gorgonia.Node) *gorgonia.Node {
		return gorgonia.NewTensor(q.graph, n.Dtype(), n.Dims(), gorgonia.WithShape(n.Shape()...), gorgonia.WithName(n.Name()), gorgonia.WithValue(n.Value()))
	}
	q.x, q.y = in(p.x), in(p.y)
	for _, n := range p.learnables {
		q.learnables = append(q.learnables, in(n))
	}
	h, err := act(gorgonia.Must(gorgonia.BroadcastAdd(gorgonia.Must(gorgonia.Mul(q.x, q.learnables[0])), q.learnables[1], nil, []byte{0})))
	nettest.Must(t, err)
	q.logits = gorgonia.Must(gorgonia.BroadcastAdd(gorgonia.Must(gorgonia.Mul(h, q.learnables[2])), q.learnables[3], nil, []byte{0}))
	q.cost = gorgonia.Must(gorgonia.Mean(gorgonia.Must(gorgonia.Square(gorgonia.Must(gorgonia.Sub(q.logits, q.y))))))
	return q
}
