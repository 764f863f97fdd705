package vm_test

import (
	"testing"

	"github.com/affine-go/affine/internal/nettest"
	"github.com/affine-go/affine/train/vm"
	"gorgonia.org/gorgonia"
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
