package examples

import (
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Lisp trains on a LispMachine, which differentiates as it runs: there is no
// gorgonia.Grad and no machine to change, only BLAS and solver.
func Lisp(stage Stage, dt tensor.Dtype, steps int) ([]float64, error) {
	const size = 16
	g := gorgonia.NewGraph()
	x, y := input(g, dt, "x", size, 10), input(g, dt, "y", size, 3)
	w1, w2 := weight(g, dt, "w1", 1, 10, 24), weight(g, dt, "w2", 2, 24, 3)
	learnables := gorgonia.Nodes{w1, w2}
	h := gorgonia.Must(gorgonia.Tanh(gorgonia.Must(gorgonia.Mul(x, w1))))
	out := gorgonia.Must(gorgonia.Mul(h, w2))
	cost := gorgonia.Must(gorgonia.Mean(gorgonia.Must(gorgonia.Square(gorgonia.Must(gorgonia.Sub(out, y))))))
	solver, err := stage.Solver(gorgonia.NewVanillaSolver(gorgonia.WithLearnRate(0.1)))
	if err != nil {
		return nil, err
	}
	feed := feeder(size, map[*gorgonia.Node]*tensor.Dense{x: wave(dt, 3, 1, 64, 10), y: wave(dt, 4, 1, 64, 3)})
	var losses []float64
	for step := range steps {
		if err := feed(step); err != nil {
			return nil, err
		}
		machine := gorgonia.NewLispMachine(g) // a LispMachine runs once
		if err := machine.RunAll(); err != nil {
			return nil, err
		}
		loss, err := number(cost.Value())
		if err != nil {
			return nil, err
		}
		losses = append(losses, loss)
		if err := solver.Step(gorgonia.NodesToValueGrads(learnables)); err != nil {
			return nil, err
		}
		if err := machine.Close(); err != nil {
			return nil, err
		}
	}
	return losses, nil
}
