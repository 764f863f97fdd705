package examples

import (
	"fmt"
	"testing"

	"github.com/affine-go/affine/layer"
	affineblas "github.com/affine-go/affine/layer/blas"
	"github.com/affine-go/affine/train/optim"
	"github.com/affine-go/affine/train/vm"
	"gonum.org/v1/gonum/blas/gonum"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// network builds a classifier of the given widths with ReLU and cross entropy,
// in built-in ops or with layer.Apply.
func network(b testing.TB, ours bool, size int, dims ...int) (g *gorgonia.ExprGraph, cost *gorgonia.Node, learnables gorgonia.Nodes) {
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
			var err error
			if h, err = layer.Apply(h, w, bias, opts...); err != nil {
				b.Fatal(err)
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
	return g, cost, learnables
}

// BenchmarkMigration is a training step of float32 classifiers in the stages of
// docs/MIGRATING.md, and of the same model made with layer.Apply.
func BenchmarkMigration(b *testing.B) {
	for _, c := range []struct {
		size int
		dims []int
	}{{32, []int{2, 16, 16, 2}}, {128, []int{784, 512, 256, 10}}} {
		for _, s := range []struct {
			name                   string
			blas, vm, solver, ours bool
		}{
			{name: "as it is"}, {name: "BLAS", blas: true}, {name: "solver", solver: true}, {name: "vm", vm: true},
			{name: "vm and solver", vm: true, solver: true}, {name: "layer.Apply", vm: true, solver: true, ours: true},
		} {
			b.Run(fmt.Sprintf("%dx%v/%s", c.size, c.dims, s.name), func(b *testing.B) {
				if s.blas {
					gorgonia.Use(affineblas.Implementation{})
					defer gorgonia.Use(gonum.Implementation{})
				}
				g, cost, learnables := network(b, s.ours, c.size, c.dims...)
				if _, err := gorgonia.Grad(cost, learnables...); err != nil {
					b.Fatal(err)
				}
				var machine gorgonia.VM
				var err error
				if s.vm {
					machine, err = vm.New(g, vm.BindDualValues(learnables...))
				} else {
					machine = gorgonia.NewTapeMachine(g, gorgonia.BindDualValues(learnables...))
				}
				if err != nil {
					b.Fatal(err)
				}
				var solver gorgonia.Solver = gorgonia.NewAdamSolver()
				if s.solver {
					if solver, err = optim.FromGorgonia(solver); err != nil {
						b.Fatal(err)
					}
				}
				model := gorgonia.NodesToValueGrads(learnables)
				b.ReportAllocs()
				for b.Loop() {
					if err := machine.RunAll(); err != nil {
						b.Fatal(err)
					}
					if err := solver.Step(model); err != nil {
						b.Fatal(err)
					}
					machine.Reset()
				}
			})
		}
	}
}
