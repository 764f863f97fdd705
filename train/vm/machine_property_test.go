package vm_test

import (
	"math"
	"testing"

	"github.com/affine-go/affine/internal/nettest"
	"github.com/affine-go/affine/train/vm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"
)

func TestMachineComputesEveryNodeOfAnyGraphAsDefined(t *testing.T) {
	ran := 0
	rapid.Check(t, func(rt *rapid.T) {
		r := drawGraph(rt, true)
		nodes := r.graph.AllNodes()
		want := make([]gorgonia.Value, len(nodes))
		var undefined error
		for i, n := range nodes {
			var err error
			if want[i], err = evaluate(r.graph, n); err != nil {
				undefined = err
			}
		}
		m, err := vm.New(r.graph)
		nettest.Must(rt, err)
		for run := range 2 {
			if err := m.RunAll(); undefined != nil {
				if err == nil {
					rt.Fatalf("run %d: no error, by definition there is: %v", run, undefined)
				}
				return
			} else if err != nil {
				rt.Fatalf("run %d: %v", run, err)
			}
			for i, n := range nodes {
				if !nettest.SameNumbers(n.Value(), want[i]) {
					rt.Fatalf("run %d: %v is\n%v, want\n%v", run, n, n.Value(), want[i])
				}
				if !n.Value().Shape().Eq(n.Shape()) {
					rt.Fatalf("run %d: %v has a value of shape %v, want %v", run, n, n.Value().Shape(), n.Shape())
				}
			}
		}
		ran++
	})
	if ran == 0 {
		t.Error("no graph could be run")
	}
}

func TestMachineAndTapeMachineComputeTheSameValuesAndGradients(t *testing.T) {
	ran := 0
	rapid.Check(t, func(rt *rapid.T) {
		r := drawGraph(rt, false)
		outputs, ok := r.differentiate()
		if !ok {
			return
		}
		m, err := vm.New(r.graph, vm.WithOutputs(outputs...))
		nettest.Must(rt, err)
		whole, err := vm.New(r.graph)
		nettest.Must(rt, err)
		if whole.RunAll() != nil {
			return
		}
		nettest.Must(rt, m.RunAll())
		got := nettest.ValuesOf(rt, outputs)
		tape := gorgonia.NewTapeMachine(r.graph)
		nettest.Must(rt, tape.RunAll())
		for i, n := range outputs {
			if !nettest.SameNumbers(got[i], n.Value()) {
				rt.Fatalf("%v is\n%v, in a TapeMachine\n%v", n, got[i], n.Value())
			}
		}
		ran++
	})
	if ran == 0 {
		t.Error("no graph could be run")
	}
}

func TestMachineAndLispMachineComputeTheSameValues(t *testing.T) {
	ran := 0
	rapid.Check(t, func(rt *rapid.T) {
		r := drawGraph(rt, true)
		m, err := vm.New(r.graph)
		nettest.Must(rt, err)
		if m.RunAll() != nil {
			return
		}
		nodes := r.graph.AllNodes()
		got := nettest.ValuesOf(rt, nodes)
		nettest.Must(rt, gorgonia.NewLispMachine(r.graph, gorgonia.ExecuteFwdOnly()).RunAll())
		for i, n := range nodes {
			if !nettest.SameNumbers(got[i], n.Value()) {
				rt.Fatalf("%v is\n%v, in a LispMachine\n%v", n, got[i], n.Value())
			}
		}
		// The nodes hold dual values now.
		nettest.Must(rt, m.RunAll())
		for i, n := range nodes {
			if !nettest.SameNumbers(got[i], n.Value()) {
				rt.Fatalf("after a LispMachine %v is\n%v, before\n%v", n, n.Value(), got[i])
			}
		}
		ran++
	})
	if ran == 0 {
		t.Error("no graph could be run")
	}
}

// Large tensors are computed by our own loops and kernels, in any op.
func TestMachineComputesLargeNodesOfAnyGraphAsDefined(t *testing.T) {
	ran := 0
	rapid.Check(t, func(rt *rapid.T) {
		r := drawGraphOf(rt, true, 7, 40)
		nodes := r.graph.AllNodes()
		want := make([]gorgonia.Value, len(nodes))
		for i, n := range nodes {
			var err error
			if want[i], err = evaluate(r.graph, n); err != nil {
				return
			}
		}
		m, err := vm.New(r.graph)
		nettest.Must(rt, err)
		for run := range 2 {
			if err := m.RunAll(); err != nil {
				rt.Fatalf("run %d: %v", run, err)
			}
			for i, n := range nodes {
				got, want := nettest.Numbers(n.Value()), nettest.Numbers(want[i])
				if len(got) != len(want) {
					rt.Fatalf("run %d: %v has %d elements, want %d", run, n, len(got), len(want))
				}
				norm := 0.0
				for _, x := range want {
					norm = max(norm, math.Abs(x))
				}
				tolerance := 1e-9
				if r.dtype == tensor.Float32 {
					tolerance = 1e-3 // of what may have cancelled on the way
				}
				for j, x := range want {
					same := got[j] == x || math.IsNaN(got[j]) && math.IsNaN(x)
					if !same && !(math.Abs(got[j]-x) <= tolerance*max(norm, 1)) && !math.IsInf(norm, 0) && !math.IsNaN(norm) {
						rt.Fatalf("run %d: element %d of %v is %v, want %v", run, j, n, got[j], x)
					}
				}
			}
		}
		ran++
	})
	if ran == 0 {
		t.Error("no graph could be run")
	}
}
