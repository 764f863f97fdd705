package examples

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Dropout has dropout of probability 0, which draws its masks all the same but
// leaves the losses comparable, and a machine that evaluates.
func Dropout(stage Stage, dt tensor.Dtype, steps int) ([]float64, error) {
	const size = 16
	g := gorgonia.NewGraph()
	x, y := input(g, dt, "x", size, 10), input(g, dt, "y", size, 2)
	w1, w2 := weight(g, dt, "w1", 1, 10, 32), weight(g, dt, "w2", 2, 32, 2)
	learnables := gorgonia.Nodes{w1, w2}

	h := gorgonia.Must(gorgonia.Rectify(gorgonia.Must(gorgonia.Mul(x, w1))))
	h = gorgonia.Must(gorgonia.Dropout(h, 0))
	out := gorgonia.Must(gorgonia.Mul(h, w2))
	cost := gorgonia.Must(gorgonia.Mean(gorgonia.Must(gorgonia.Square(gorgonia.Must(gorgonia.Sub(out, y))))))
	evaluation, err := stage.Evaluation(g)
	if err != nil {
		return nil, err
	}
	defer evaluation.Close()
	if _, err := gorgonia.Grad(cost, learnables...); err != nil {
		return nil, err
	}
	machine, err := stage.Machine(g, learnables...)
	if err != nil {
		return nil, err
	}
	solver := gorgonia.NewAdamSolver(gorgonia.WithLearnRate(0.01), gorgonia.WithBatchSize(2), gorgonia.WithL2Reg(1e-3))
	feed := feeder(size, map[*gorgonia.Node]*tensor.Dense{x: wave(dt, 3, 1, 64, 10), y: labels(dt, 64, 2)})
	losses, err := loop(stage, machine, solver, learnables, steps, feed, func() gorgonia.Value { return cost.Value() })
	if err != nil {
		return nil, err
	}
	if err := evaluation.RunAll(); err != nil {
		return nil, fmt.Errorf("evaluation: %w", err)
	}
	last, err := number(cost.Value())
	return append(losses, last), err
}

// BatchNorm normalises after a linear layer.
func BatchNorm(stage Stage, dt tensor.Dtype, steps int) ([]float64, error) {
	const size = 16
	g := gorgonia.NewGraph()
	x, y := input(g, dt, "x", size, 10), input(g, dt, "y", size, 3)
	w1, w2 := weight(g, dt, "w1", 1, 10, 20), weight(g, dt, "w2", 2, 20, 3)
	scale, bias := weight(g, dt, "scale", 3, size, 20), weight(g, dt, "bias", 4, size, 20)
	learnables := gorgonia.Nodes{w1, w2, scale, bias}

	h := gorgonia.Must(gorgonia.Mul(x, w1))
	h, _, _, _, err := gorgonia.BatchNorm(h, scale, bias, 0.9, 1e-5)
	if err != nil {
		return nil, err
	}
	out := gorgonia.Must(gorgonia.Mul(gorgonia.Must(gorgonia.Tanh(h)), w2))
	cost := gorgonia.Must(gorgonia.Mean(gorgonia.Must(gorgonia.Square(gorgonia.Must(gorgonia.Sub(out, y))))))
	if _, err := gorgonia.Grad(cost, learnables...); err != nil {
		return nil, err
	}
	machine, err := stage.Machine(g, learnables...)
	if err != nil {
		return nil, err
	}
	solver := gorgonia.NewAdaGradSolver(gorgonia.WithLearnRate(0.01))
	feed := feeder(size, map[*gorgonia.Node]*tensor.Dense{x: wave(dt, 5, 1, 64, 10), y: wave(dt, 6, 1, 64, 3)})
	return loop(stage, machine, solver, learnables, steps, feed, func() gorgonia.Value { return cost.Value() })
}
