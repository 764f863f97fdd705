package train_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/affine-go/affine/train"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// fails checks that err is one line that holds every one of the words.
func fails(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", words)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("error %q does not say %q", err, word)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("error %q has more than one line", err)
	}
}

func matrix(g *gorgonia.ExprGraph, name string, rows, cols int) *gorgonia.Node {
	return gorgonia.NewMatrix(g, tensor.Float64, gorgonia.WithShape(rows, cols), gorgonia.WithName(name))
}

func letMatrix(t testing.TB, n *gorgonia.Node, seed float64) {
	t.Helper()
	must(t, gorgonia.Let(n, waves(n.Dtype(), seed, n.Shape()...)))
}

func TestNewMachineSaysWhatItCannotRun(t *testing.T) {
	g, other := gorgonia.NewGraph(), gorgonia.NewGraph()
	x, y := matrix(g, "x", 2, 2), matrix(g, "y", 2, 2)
	foreign := matrix(other, "elsewhere", 2, 2)
	withRead := gorgonia.NewGraph()
	var into gorgonia.Value
	gorgonia.Read(gorgonia.Must(gorgonia.Neg(matrix(withRead, "x", 2, 2))), &into)
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
		{"Read", withRead, nil, []string{"read", "TapeMachine"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := train.NewMachine(c.graph, train.WithOutputs(c.outputs...))
			fails(t, err, c.says...)
		})
	}
	t.Run("nil option", func(t *testing.T) {
		_, err := train.NewMachine(g, nil)
		fails(t, err, "option 0", "nil")
	})
	t.Run("Set", func(t *testing.T) {
		gorgonia.Set(x, y)
		_, err := train.NewMachine(g, train.WithOutputs(x))
		fails(t, err, "x", "y", "TapeMachine")
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
			gorgonia.WithValue(waves(tensor.Float64, 1, 5, 3))(x)
		}, []string{`"x"`, "(5, 3)", "(4, 3)"}},
		{"value reshaped in place", func(x *gorgonia.Node) {
			v := waves(tensor.Float64, 1, 4, 3)
			must(t, gorgonia.Let(x, v))
			must(t, v.Reshape(3, 4))
		}, []string{`"x"`, "(3, 4)", "(4, 3)"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := gorgonia.NewGraph()
			x := matrix(g, "x", 4, 3)
			m, err := train.NewMachine(g, train.WithOutputs(gorgonia.Must(gorgonia.Tanh(x))))
			must(t, err)
			c.bind(x)
			fails(t, m.RunAll(), c.says...)
			letMatrix(t, x, 1)
			must(t, m.RunAll())
		})
	}
	t.Run("another dtype", func(t *testing.T) {
		g := gorgonia.NewGraph()
		x := gorgonia.NewScalar(g, tensor.Float64, gorgonia.WithName("x"))
		m, err := train.NewMachine(g, train.WithOutputs(gorgonia.Must(gorgonia.Square(x))))
		must(t, err)
		must(t, gorgonia.Let(x, float32(1)))
		fails(t, m.RunAll(), `"x"`, "float32", "float64")
	})
}

func TestMachineComputesOnlyWhatTheOutputsNeed(t *testing.T) {
	g := gorgonia.NewGraph()
	x := matrix(g, "x", 2, 2)
	letMatrix(t, x, 1)
	var ran []string
	counted := func(name string, in *gorgonia.Node) *gorgonia.Node {
		return apply(t, name, true, in, func(prev, in gorgonia.Value) (gorgonia.Value, error) {
			ran = append(ran, name)
			return keep(prev, in)
		})
	}
	a := counted("a", x)
	b := counted("b", a)
	counted("c", b)
	counted("d", matrix(g, "without value", 2, 2))
	m, err := train.NewMachine(g, train.WithOutputs(b))
	must(t, err)
	must(t, m.RunAll())
	if got := strings.Join(ran, ""); got != "ab" {
		t.Errorf("ran %q, want a and b in that order", got)
	}
}

func TestInputsMayBeOutputs(t *testing.T) {
	g := gorgonia.NewGraph()
	x := matrix(g, "x", 2, 2)
	m, err := train.NewMachine(g, train.WithOutputs(x, x))
	must(t, err)
	fails(t, m.RunAll(), "no value")
	letMatrix(t, x, 1)
	must(t, m.RunAll())
}

func TestMachineReadsItsInputsAnewInEveryRun(t *testing.T) {
	g := gorgonia.NewGraph()
	x := matrix(g, "x", 2, 2)
	y := apply(t, "x + 1", true, x, addOne)
	m, err := train.NewMachine(g, train.WithOutputs(y))
	must(t, err)
	for seed := range 3 {
		letMatrix(t, x, float64(seed))
		must(t, m.RunAll())
		want, _ := addOne(nil, x.Value())
		if !sameNumbers(y.Value(), want) {
			t.Errorf("run %d: got %v, want %v", seed, y.Value(), want)
		}
	}
}

func TestMachineKeepsTheValuesOfBufferedOps(t *testing.T) {
	g := gorgonia.NewGraph()
	x := matrix(g, "x", 2, 2)
	letMatrix(t, x, 1)
	kept, fresh := apply(t, "buffered", true, x, addOne), apply(t, "plain", false, x, addOne)
	m, err := train.NewMachine(g)
	must(t, err)
	must(t, m.RunAll())
	firstKept, firstFresh := kept.Value(), fresh.Value()
	m.Reset()
	must(t, m.RunAll())
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
		must(t, gorgonia.Let(x, tensor.New(tensor.WithShape(2, 2), tensor.Of(tensor.Float64))))
		// x is read again after y has been written.
		y := apply(t, "x + 1", buffered, x, addOne)
		sum := gorgonia.Must(gorgonia.Add(x, y))
		m, err := train.NewMachine(g, train.WithOutputs(sum))
		must(t, err)
		for run := range 4 {
			must(t, m.RunAll())
			if got, want := numbers(sum.Value())[0], float64(2*run+1); got != want {
				t.Errorf("run %d: x + y is %v, want %v", run, got, want)
			}
			fed := y.Value().(*tensor.Dense)
			if run == 2 { // a view of the kept memory, not the value itself
				fed = fed.ShallowClone()
			}
			must(t, gorgonia.Let(x, fed))
		}
	}
}

func TestMachineRebindsNodesThatSomeoneElseBound(t *testing.T) {
	g := gorgonia.NewGraph()
	x := matrix(g, "x", 2, 2)
	letMatrix(t, x, 1)
	y := apply(t, "x + 1", true, x, addOne)
	m, err := train.NewMachine(g)
	must(t, err)
	must(t, m.RunAll())
	want := numbers(y.Value())[0]
	must(t, gorgonia.UnsafeLet(y, tensor.New(tensor.WithShape(2, 2), tensor.Of(tensor.Float64))))
	must(t, m.RunAll())
	if got := numbers(y.Value())[0]; got != want {
		t.Errorf("y is %v, want %v", got, want)
	}
}

func TestNodesGetTheirValuesInTheirOwnShape(t *testing.T) {
	for name, returned := range map[string]gorgonia.Value{
		"more dimensions": waves(tensor.Float64, 1, 1, 2, 3),
		"fewer":           waves(tensor.Float64, 1, 6),
	} {
		t.Run(name, func(t *testing.T) {
			g := gorgonia.NewGraph()
			x := matrix(g, "x", 2, 3)
			letMatrix(t, x, 1)
			y := apply(t, "y", false, x, func(_, _ gorgonia.Value) (gorgonia.Value, error) { return returned, nil })
			m, err := train.NewMachine(g)
			must(t, err)
			must(t, m.RunAll())
			if !y.Value().Shape().Eq(y.Shape()) || !sameNumbers(y.Value(), returned) {
				t.Errorf("node of shape %v has value\n%v, want the elements of\n%v", y.Shape(), y.Value(), returned)
			}
		})
	}
	t.Run("scalar for one element", func(t *testing.T) {
		g := gorgonia.NewGraph()
		x := matrix(g, "x", 1, 1)
		letMatrix(t, x, 1)
		y := apply(t, "y", false, x, func(_, _ gorgonia.Value) (gorgonia.Value, error) { return gorgonia.NewF64(7), nil })
		m, err := train.NewMachine(g)
		must(t, err)
		must(t, m.RunAll())
		if got, ok := y.Value().(*tensor.Dense); !ok || !got.Shape().Eq(tensor.Shape{1, 1}) || numbers(got)[0] != 7 {
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
			return waves(tensor.Float64, 1, 7), nil
		}, "(7)"},
		{"wrong dtype", func(_, _ gorgonia.Value) (gorgonia.Value, error) {
			return waves(tensor.Float32, 1, 2, 2), nil
		}, "float32"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := gorgonia.NewGraph()
			x := matrix(g, "x", 2, 2)
			letMatrix(t, x, 1)
			apply(t, "faulty", false, x, c.do)
			m, err := train.NewMachine(g)
			must(t, err)
			fails(t, m.RunAll(), "faulty", c.says)
		})
	}
}

func TestErrorsOfOpsCanBeUnwrapped(t *testing.T) {
	broken := errors.New("out of order")
	g := gorgonia.NewGraph()
	x := matrix(g, "x", 2, 2)
	letMatrix(t, x, 1)
	apply(t, "faulty", false, x, func(_, _ gorgonia.Value) (gorgonia.Value, error) { return nil, broken })
	m, err := train.NewMachine(g)
	must(t, err)
	if err := m.RunAll(); !errors.Is(err, broken) {
		t.Errorf("%v does not wrap the op's error", err)
	}
}

func TestClosedMachineDoesNotRun(t *testing.T) {
	g := gorgonia.NewGraph()
	x := matrix(g, "x", 2, 2)
	letMatrix(t, x, 1)
	y := apply(t, "x + 1", true, x, addOne)
	m, err := train.NewMachine(g)
	must(t, err)
	must(t, m.RunAll())
	must(t, m.Close())
	must(t, m.Close())
	m.Reset()
	fails(t, m.RunAll(), "closed")
	if y.Value() == nil {
		t.Error("Close unbound the output")
	}
}
