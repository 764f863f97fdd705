package examples

import (
	"fmt"
	"math"
	"testing"

	"github.com/affine-go/affine/train/vm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// steps is how long each example trains.
const steps = 50

var asItIs = Stage{
	Name: "as it is",
	Machine: func(g *gorgonia.ExprGraph, learnables ...*gorgonia.Node) (gorgonia.VM, error) {
		return gorgonia.NewTapeMachine(g, gorgonia.BindDualValues(learnables...)), nil
	},
	Evaluation: func(g *gorgonia.ExprGraph) (gorgonia.VM, error) {
		return gorgonia.NewTapeMachine(g, gorgonia.EvalMode()), nil
	},
	Solver: func(s gorgonia.Solver) (gorgonia.Solver, error) { return s, nil },
}

// stages are the other ones, each with how far its losses may be from those of
// the program as it is.
func stages() []Stage {
	ourMachine := asItIs
	ourMachine.Name = "vm"
	ourMachine.Machine = func(g *gorgonia.ExprGraph, learnables ...*gorgonia.Node) (gorgonia.VM, error) {
		return vm.New(g, vm.BindDualValues(learnables...))
	}
	ourMachine.Evaluation = func(g *gorgonia.ExprGraph) (gorgonia.VM, error) {
		return vm.New(g, vm.WithEvalMode())
	}
	return []Stage{ourMachine}
}

func TestLossesAreTheSameInEveryStage(t *testing.T) {
	for name, run := range Programs {
		for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
			t.Run(fmt.Sprint(name, "/", dt), func(t *testing.T) {
				want, err := run(asItIs, dt, steps)
				if err != nil {
					t.Fatal(err)
				}
				if !(want[steps-1] < want[0]) {
					t.Errorf("the loss goes from %v to %v", want[0], want[steps-1])
				}
				tolerance := 1e-12
				if dt == tensor.Float32 {
					tolerance = 1e-5
				}
				for _, stage := range stages() {
					got, err := run(stage, dt, steps)
					if err != nil {
						t.Fatalf("%s: %v", stage.Name, err)
					}
					for i := range want {
						if !(math.Abs(got[i]-want[i]) <= tolerance*math.Abs(want[i])) {
							t.Errorf("%s: loss of step %d is %v, want %v (difference %.3g)", stage.Name, i, got[i], want[i], math.Abs(got[i]-want[i])/math.Abs(want[i]))
							break
						}
					}
				}
			})
		}
	}
}
