package examples

import (
	"fmt"

	"github.com/affine-go/affine/layer"
	affineblas "github.com/affine-go/affine/layer/blas"
	"github.com/affine-go/affine/train/optim"
	"github.com/affine-go/affine/train/vm"
	"gonum.org/v1/gonum/blas/gonum"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// A Change is what docs/MIGRATING.md changes in a program, one or several at a
// time.
type Change struct {
	Name                      string
	blas, vm, solver, rebuilt bool
}

// Changes lists them, nothing changed first and the model made of layer.Apply
// last.
var Changes = []Change{
	{Name: "as it is"}, {Name: "BLAS", blas: true}, {Name: "machine", vm: true}, {Name: "solver", solver: true},
	{Name: "machine and solver", vm: true, solver: true}, {Name: "layer.Apply", vm: true, solver: true, rebuilt: true},
}

// ClassifierStep returns a function that takes one training step of a float32
// classifier of the given widths, with ReLU, cross entropy and Gorgonia's Adam,
// and its loss.
func ClassifierStep(c Change, size int, widths ...int) (step func() error, loss func() (float64, error), err error) {
	g, cost, learnables, err := network(c.rebuilt, size, widths...)
	if err != nil {
		return nil, nil, err
	}
	if _, err := gorgonia.Grad(cost, learnables...); err != nil {
		return nil, nil, err
	}
	var machine gorgonia.VM
	if c.vm {
		machine, err = vm.New(g, vm.BindDualValues(learnables...))
	} else {
		machine = gorgonia.NewTapeMachine(g, gorgonia.BindDualValues(learnables...))
	}
	if err != nil {
		return nil, nil, err
	}
	var solver gorgonia.Solver = gorgonia.NewAdamSolver()
	if c.solver {
		if solver, err = optim.FromGorgonia(solver); err != nil {
			return nil, nil, err
		}
	}
	model := gorgonia.NodesToValueGrads(learnables)
	step = func() error {
		if c.blas {
			gorgonia.Use(affineblas.Implementation{})
			defer gorgonia.Use(gonum.Implementation{})
		}
		if err := machine.RunAll(); err != nil {
			return err
		}
		if err := solver.Step(model); err != nil {
			return err
		}
		machine.Reset()
		return nil
	}
	return step, func() (float64, error) { return number(cost.Value()) }, nil
}

// network builds a classifier of the given widths with ReLU and cross entropy,
// in built-in ops or with layer.Apply.
func network(ours bool, size int, dims ...int) (g *gorgonia.ExprGraph, cost *gorgonia.Node, learnables gorgonia.Nodes, err error) {
	dt := tensor.Float32
	g = gorgonia.NewGraph()
	last := dims[len(dims)-1]
	h := gorgonia.NewMatrix(g, dt, gorgonia.WithShape(size, dims[0]), gorgonia.WithName("x"), gorgonia.WithValue(wave(dt, 1, 1, size, dims[0])))
	y := gorgonia.NewMatrix(g, dt, gorgonia.WithShape(size, last), gorgonia.WithName("y"), gorgonia.WithValue(labels(dt, size, last)))
	for i, out := range dims[1:] {
		w, bias := weight(g, dt, fmt.Sprint("w", i), float64(i), dims[i], out), weight(g, dt, fmt.Sprint("b", i), float64(i), out)
		learnables = append(learnables, w, bias)
		hidden := i+2 < len(dims)
		if ours {
			var opts []layer.Option
			if hidden {
				opts = append(opts, layer.WithActivation(layer.ReLU))
			}
			if i == 0 {
				opts = append(opts, layer.WithoutInputGrad())
			}
			if h, err = layer.Apply(h, w, bias, opts...); err != nil {
				return nil, nil, nil, err
			}
			continue
		}
		h = gorgonia.Must(gorgonia.BroadcastAdd(gorgonia.Must(gorgonia.Mul(h, w)), bias, nil, []byte{0}))
		if hidden {
			h = gorgonia.Must(gorgonia.Rectify(h))
		}
	}
	logSoftmax := gorgonia.Must(gorgonia.Log(gorgonia.Must(gorgonia.SoftMax(h))))
	cost = gorgonia.Must(gorgonia.Neg(gorgonia.Must(gorgonia.Mean(gorgonia.Must(gorgonia.HadamardProd(logSoftmax, y))))))
	return g, cost, learnables, nil
}
