package examples

import (
	"fmt"
	"math"
	"strings"
	"testing"

	affineblas "github.com/affine-go/affine/layer/blas"
	"github.com/affine-go/affine/train/optim"
	"github.com/affine-go/affine/train/vm"
	"gonum.org/v1/gonum/blas/gonum"
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

// stages are the other ones: one line changed in each, and two in the last.
func stages() []Stage {
	machine := asItIs
	machine.Name = "vm"
	machine.Machine = func(g *gorgonia.ExprGraph, learnables ...*gorgonia.Node) (gorgonia.VM, error) {
		return vm.New(g, vm.BindDualValues(learnables...))
	}
	machine.Evaluation = func(g *gorgonia.ExprGraph) (gorgonia.VM, error) {
		return vm.New(g, vm.WithEvalMode())
	}
	products := asItIs
	products.Name = "BLAS"
	solver := asItIs
	solver.Name = "solver"
	solver.Solver = func(s gorgonia.Solver) (gorgonia.Solver, error) { return optim.FromGorgonia(s) }
	both := machine
	both.Name = "vm and solver"
	both.Solver = solver.Solver
	return []Stage{machine, products, solver, both}
}

func TestLossesAreTheSameInEveryStage(t *testing.T) {
	for name, run := range Programs {
		for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
			want, err := run(asItIs, dt, steps)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if !(want[steps-1] < want[0]) {
				t.Errorf("%s: the loss goes from %v to %v", name, want[0], want[steps-1])
			}
			for _, stage := range stages() {
				t.Run(fmt.Sprint(name, "/", dt, "/", stage.Name), func(t *testing.T) {
					if stage.Name == "BLAS" {
						gorgonia.Use(affineblas.Implementation{})
						defer gorgonia.Use(gonum.Implementation{})
					}
					// A solver computes in another order of rounding, and Adam
					// divides by the root of small squares.
					tolerance := 1e-12
					switch solver := strings.Contains(stage.Name, "solver"); {
					case solver && dt == tensor.Float32:
						tolerance = 1e-4
					case solver:
						tolerance = 1e-10
					case dt == tensor.Float32:
						tolerance = 1e-5
					}
					got, err := run(stage, dt, steps)
					if err != nil {
						t.Fatal(err)
					}
					for i := range want {
						if !(math.Abs(got[i]-want[i]) <= tolerance*math.Abs(want[i])) {
							t.Fatalf("loss of step %d is %v, want %v (difference %.3g)", i, got[i], want[i], math.Abs(got[i]-want[i])/math.Abs(want[i]))
						}
					}
				})
			}
		}
	}
}
