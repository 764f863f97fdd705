package vm_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/affine-go/affine/internal/nettest"
	"github.com/affine-go/affine/layer"
	"github.com/affine-go/affine/train/vm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

func matrix(g *gorgonia.ExprGraph, name string, rows, cols int) *gorgonia.Node {
	return gorgonia.NewMatrix(g, tensor.Float64, gorgonia.WithShape(rows, cols), gorgonia.WithName(name))
}

func letMatrix(t testing.TB, n *gorgonia.Node, seed float64) {
	t.Helper()
	nettest.Must(t, gorgonia.Let(n, nettest.Waves(n.Dtype(), seed, n.Shape()...)))
}

func TestNewMachineSaysWhatItCannotRun(t *testing.T) {
	g, other := gorgonia.NewGraph(), gorgonia.NewGraph()
	x := matrix(g, "x", 2, 2)
	foreign := matrix(other, "elsewhere", 2, 2)
	withRead := gorgonia.NewGraph()
	gorgonia.Read(gorgonia.Must(gorgonia.Neg(matrix(withRead, "x", 2, 2))), nil)
	for _, c := range []struct {
		name    string
		graph   *gorgonia.ExprGraph
		outputs gorgonia.Nodes
		says    []string
	}{
		{"no graph", nil, nil, []string{"empty"}},
		{"empty graph", gorgonia.NewGraph(), nil, []string{"empty"}},
		{"nil output", g, gorgonia.Nodes{x, nil}, []string{"output 1", "nil"}},
		{"output of another graph", g, gorgonia.Nodes{foreign}, []string{"output 0", "elsewhere", "not a node"}},
		{"Read into nothing", withRead, nil, []string{"read", "nil"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := vm.New(c.graph, vm.WithOutputs(c.outputs...))
			nettest.Fails(t, err, c.says...)
		})
	}
	t.Run("nil option", func(t *testing.T) {
		_, err := vm.New(g, nil)
		nettest.Fails(t, err, "option 0", "nil")
	})
}

func TestMachineRefusesInputsThatDoNotFitTheirNodes(t *testing.T) {
	for _, c := range []struct {
		name string
		bind func(x *gorgonia.Node)
		says []string
	}{
		{"no value", func(*gorgonia.Node) {}, []string{`"x"`, "no value"}},
		{"another batch size", func(x *gorgonia.Node) {
			gorgonia.WithValue(nettest.Waves(tensor.Float64, 1, 5, 3))(x)
		}, []string{`"x"`, "(5, 3)", "(4, 3)"}},
		{"value reshaped in place", func(x *gorgonia.Node) {
			v := nettest.Waves(tensor.Float64, 1, 4, 3)
			nettest.Must(t, gorgonia.Let(x, v))
			nettest.Must(t, v.Reshape(3, 4))
		}, []string{`"x"`, "(3, 4)", "(4, 3)"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := gorgonia.NewGraph()
			x := matrix(g, "x", 4, 3)
			m, err := vm.New(g, vm.WithOutputs(gorgonia.Must(gorgonia.Tanh(x))))
			nettest.Must(t, err)
			c.bind(x)
			nettest.Fails(t, m.RunAll(), c.says...)
			letMatrix(t, x, 1)
			nettest.Must(t, m.RunAll())
		})
	}
	t.Run("another dtype", func(t *testing.T) {
		g := gorgonia.NewGraph()
		x := gorgonia.NewScalar(g, tensor.Float64, gorgonia.WithName("x"))
		m, err := vm.New(g, vm.WithOutputs(gorgonia.Must(gorgonia.Square(x))))
		nettest.Must(t, err)
		nettest.Must(t, gorgonia.Let(x, float32(1)))
		nettest.Fails(t, m.RunAll(), `"x"`, "float32", "float64")
	})
}

func TestMachineComputesOnlyWhatTheOutputsNeed(t *testing.T) {
	g := gorgonia.NewGraph()
	x := matrix(g, "x", 2, 2)
	letMatrix(t, x, 1)
	var ran []string
	counted := func(name string, in *gorgonia.Node) *gorgonia.Node {
		return nettest.Apply(t, name, true, in, func(prev, in gorgonia.Value) (gorgonia.Value, error) {
			ran = append(ran, name)
			return nettest.Keep(prev, in)
		})
	}
	a := counted("a", x)
	b := counted("b", a)
	counted("c", b)
	counted("d", matrix(g, "without value", 2, 2))
	m, err := vm.New(g, vm.WithOutputs(b))
	nettest.Must(t, err)
	nettest.Must(t, m.RunAll())
	if got := strings.Join(ran, ""); got != "ab" {
		t.Errorf("ran %q, want a and b in that order", got)
	}
}

func TestInputsMayBeOutputs(t *testing.T) {
	g := gorgonia.NewGraph()
	x := matrix(g, "x", 2, 2)
	m, err := vm.New(g, vm.WithOutputs(x, x))
	nettest.Must(t, err)
	nettest.Fails(t, m.RunAll(), "no value")
	letMatrix(t, x, 1)
	nettest.Must(t, m.RunAll())
}

func TestMachineReadsItsInputsAnewInEveryRun(t *testing.T) {
	g := gorgonia.NewGraph()
	x := matrix(g, "x", 2, 2)
	y := nettest.Apply(t, "x + 1", true, x, nettest.AddOne)
	m, err := vm.New(g, vm.WithOutputs(y))
	nettest.Must(t, err)
	for seed := range 3 {
		letMatrix(t, x, float64(seed))
		nettest.Must(t, m.RunAll())
		want, _ := nettest.AddOne(nil, x.Value())
		if !nettest.SameNumbers(y.Value(), want) {
			t.Errorf("run %d: got %v, want %v", seed, y.Value(), want)
		}
	}
}

func TestMachineKeepsTheValuesOfBufferedOps(t *testing.T) {
	g := gorgonia.NewGraph()
	x := matrix(g, "x", 2, 2)
	letMatrix(t, x, 1)
	kept, fresh := nettest.Apply(t, "buffered", true, x, nettest.AddOne), nettest.Apply(t, "plain", false, x, nettest.AddOne)
	m, err := vm.New(g)
	nettest.Must(t, err)
	nettest.Must(t, m.RunAll())
	firstKept, firstFresh := kept.Value(), fresh.Value()
	m.Reset()
	nettest.Must(t, m.RunAll())
	if kept.Value() != firstKept {
		t.Error("the buffered op got a new value")
	}
	if fresh.Value() == firstFresh {
		t.Error("the op without DoInto kept its value")
	}
}

func TestAnOutputCanBeFedBackAsAnInput(t *testing.T) {
	for _, buffered := range []bool{true, false} {
		g := gorgonia.NewGraph()
		x := matrix(g, "x", 2, 2)
		nettest.Must(t, gorgonia.Let(x, tensor.New(tensor.WithShape(2, 2), tensor.Of(tensor.Float64))))
		// x is read again after y has been written.
		y := nettest.Apply(t, "x + 1", buffered, x, nettest.AddOne)
		sum := gorgonia.Must(gorgonia.Add(x, y))
		m, err := vm.New(g, vm.WithOutputs(sum))
		nettest.Must(t, err)
		for run := range 4 {
			nettest.Must(t, m.RunAll())
			if got, want := nettest.Numbers(sum.Value())[0], float64(2*run+1); got != want {
				t.Errorf("run %d: x + y is %v, want %v", run, got, want)
			}
			fed := y.Value().(*tensor.Dense)
			if run == 2 { // a view of the kept memory, not the value itself
				fed = fed.ShallowClone()
			}
			nettest.Must(t, gorgonia.Let(x, fed))
		}
	}
}

func TestMachineRebindsNodesThatSomeoneElseBound(t *testing.T) {
	g := gorgonia.NewGraph()
	x := matrix(g, "x", 2, 2)
	letMatrix(t, x, 1)
	y := nettest.Apply(t, "x + 1", true, x, nettest.AddOne)
	m, err := vm.New(g)
	nettest.Must(t, err)
	nettest.Must(t, m.RunAll())
	want := nettest.Numbers(y.Value())[0]
	nettest.Must(t, gorgonia.UnsafeLet(y, tensor.New(tensor.WithShape(2, 2), tensor.Of(tensor.Float64))))
	nettest.Must(t, m.RunAll())
	if got := nettest.Numbers(y.Value())[0]; got != want {
		t.Errorf("y is %v, want %v", got, want)
	}
}

func TestNodesGetTheirValuesInTheirOwnShape(t *testing.T) {
	for name, returned := range map[string]gorgonia.Value{
		"more dimensions": nettest.Waves(tensor.Float64, 1, 1, 2, 3),
		"fewer":           nettest.Waves(tensor.Float64, 1, 6),
	} {
		t.Run(name, func(t *testing.T) {
			g := gorgonia.NewGraph()
			x := matrix(g, "x", 2, 3)
			letMatrix(t, x, 1)
			y := nettest.Apply(t, "y", false, x, func(_, _ gorgonia.Value) (gorgonia.Value, error) { return returned, nil })
			m, err := vm.New(g)
			nettest.Must(t, err)
			nettest.Must(t, m.RunAll())
			if !y.Value().Shape().Eq(y.Shape()) || !nettest.SameNumbers(y.Value(), returned) {
				t.Errorf("node of shape %v has value\n%v, want the elements of\n%v", y.Shape(), y.Value(), returned)
			}
		})
	}
	t.Run("scalar for one element", func(t *testing.T) {
		g := gorgonia.NewGraph()
		x := matrix(g, "x", 1, 1)
		letMatrix(t, x, 1)
		y := nettest.Apply(t, "y", false, x, func(_, _ gorgonia.Value) (gorgonia.Value, error) { return gorgonia.NewF64(7), nil })
		m, err := vm.New(g)
		nettest.Must(t, err)
		nettest.Must(t, m.RunAll())
		if got, ok := y.Value().(*tensor.Dense); !ok || !got.Shape().Eq(tensor.Shape{1, 1}) || nettest.Numbers(got)[0] != 7 {
			t.Errorf("value is %v, want a (1, 1) matrix of 7", y.Value())
		}
	})
}

func TestErrorsNameTheNode(t *testing.T) {
	broken := errors.New("out of order")
	for _, c := range []struct {
		name string
		do   func(prev, in gorgonia.Value) (gorgonia.Value, error)
		says string
	}{
		{"error", func(_, _ gorgonia.Value) (gorgonia.Value, error) { return nil, broken }, "out of order"},
		{"panic", func(_, _ gorgonia.Value) (gorgonia.Value, error) { panic("boom") }, "boom"},
		{"no value", func(_, _ gorgonia.Value) (gorgonia.Value, error) { return nil, nil }, "no value"},
		{"wrong shape", func(_, _ gorgonia.Value) (gorgonia.Value, error) {
			return nettest.Waves(tensor.Float64, 1, 7), nil
		}, "(7)"},
		{"wrong dtype", func(_, _ gorgonia.Value) (gorgonia.Value, error) {
			return nettest.Waves(tensor.Float32, 1, 2, 2), nil
		}, "float32"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := gorgonia.NewGraph()
			x := matrix(g, "x", 2, 2)
			letMatrix(t, x, 1)
			nettest.Apply(t, "faulty", false, x, c.do)
			m, err := vm.New(g)
			nettest.Must(t, err)
			nettest.Fails(t, m.RunAll(), "faulty", c.says)
		})
	}
}

func TestErrorsOfOpsCanBeUnwrapped(t *testing.T) {
	broken := errors.New("out of order")
	g := gorgonia.NewGraph()
	x := matrix(g, "x", 2, 2)
	letMatrix(t, x, 1)
	nettest.Apply(t, "faulty", false, x, func(_, _ gorgonia.Value) (gorgonia.Value, error) { return nil, broken })
	m, err := vm.New(g)
	nettest.Must(t, err)
	if err := m.RunAll(); !errors.Is(err, broken) {
		t.Errorf("%v does not wrap the op's error", err)
	}
}

func TestClosedMachineDoesNotRun(t *testing.T) {
	g := gorgonia.NewGraph()
	x := matrix(g, "x", 2, 2)
	letMatrix(t, x, 1)
	y := nettest.Apply(t, "x + 1", true, x, nettest.AddOne)
	m, err := vm.New(g)
	nettest.Must(t, err)
	nettest.Must(t, m.RunAll())
	nettest.Must(t, m.Close())
	nettest.Must(t, m.Close())
	m.Reset()
	nettest.Fails(t, m.RunAll(), "closed")
	if y.Value() == nil {
		t.Error("Close unbound the output")
	}
}

// TestEvaluationLetsDropoutThrough: in training the masks are those that any
// other machine draws.
func TestEvaluationLetsDropoutThrough(t *testing.T) {
	g := gorgonia.NewGraph()
	x := matrix(g, "x", 6, 5)
	letMatrix(t, x, 1)
	y, err := layer.Dropout(x, 0.5, layer.NewMasks(4))
	if err != nil {
		t.Fatal(err)
	}
	run := func(m gorgonia.VM, err error) []float64 {
		t.Helper()
		if err == nil {
			err = m.RunAll()
		}
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		return slices.Clone(y.Value().Data().([]float64))
	}
	got, want := run(vm.New(g)), run(gorgonia.NewTapeMachine(g), nil)
	if !slices.Equal(got, want) || slices.Equal(got, x.Value().Data().([]float64)) {
		t.Errorf("got %v, want %v, with zeros", got, want)
	}
	if got := run(vm.New(g, vm.WithEvalMode())); !slices.Equal(got, x.Value().Data().([]float64)) {
		t.Errorf("in evaluation mode got %v, want %v", got, x.Value())
	}
}
