package train_test

import (
	"testing"

	"github.com/affine-go/affine/train"
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
		m, err := train.NewMachine(r.graph)
		must(rt, err)
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
				if !sameNumbers(n.Value(), want[i]) {
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
		m, err := train.NewMachine(r.graph, train.WithOutputs(outputs...))
		must(rt, err)
		whole, err := train.NewMachine(r.graph)
		must(rt, err)
		if whole.RunAll() != nil {
			return
		}
		must(rt, m.RunAll())
		got := valuesOf(rt, outputs)
		tape := gorgonia.NewTapeMachine(r.graph)
		must(rt, tape.RunAll())
		for i, n := range outputs {
			if !sameNumbers(got[i], n.Value()) {
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
		m, err := train.NewMachine(r.graph)
		must(rt, err)
		if m.RunAll() != nil {
			return
		}
		nodes := r.graph.AllNodes()
		got := valuesOf(rt, nodes)
		must(rt, gorgonia.NewLispMachine(r.graph, gorgonia.ExecuteFwdOnly()).RunAll())
		for i, n := range nodes {
			if !sameNumbers(got[i], n.Value()) {
				rt.Fatalf("%v is\n%v, in a LispMachine\n%v", n, got[i], n.Value())
			}
		}
		// The nodes hold dual values now.
		must(rt, m.RunAll())
		for i, n := range nodes {
			if !sameNumbers(got[i], n.Value()) {
				rt.Fatalf("after a LispMachine %v is\n%v, before\n%v", n, n.Value(), got[i])
			}
		}
		ran++
	})
	if ran == 0 {
		t.Error("no graph could be run")
	}
}
