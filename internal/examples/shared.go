package examples

import (
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// SharedWeights trains with one machine and predicts with another, whose graph
// has another batch size and nodes with the same values. The losses of training
// and what is predicted go into the result.
func SharedWeights(stage Stage, dt tensor.Dtype, steps int) ([]float64, error) {
	const size, rows = 16, 5
	w1, b1 := wave(dt, 1, 0.3, 10, 24), wave(dt, 2, 0.3, 24)
	w2, b2 := wave(dt, 3, 0.3, 24, 3), wave(dt, 4, 0.3, 3)
	build := func(rows int) (g *gorgonia.ExprGraph, x, out *gorgonia.Node, learnables gorgonia.Nodes) {
		g = gorgonia.NewGraph()
		x = input(g, dt, "x", rows, 10)
		for _, v := range []struct {
			name string
			of   *tensor.Dense
		}{{"w1", w1}, {"b1", b1}, {"w2", w2}, {"b2", b2}} {
			learnables = append(learnables, gorgonia.NewTensor(g, dt, v.of.Dims(), gorgonia.WithShape(v.of.Shape()...), gorgonia.WithName(v.name), gorgonia.WithValue(v.of)))
		}
		h := gorgonia.Must(gorgonia.BroadcastAdd(gorgonia.Must(gorgonia.Mul(x, learnables[0])), learnables[1], nil, []byte{0}))
		out = gorgonia.Must(gorgonia.BroadcastAdd(gorgonia.Must(gorgonia.Mul(gorgonia.Must(gorgonia.Sigmoid(h)), learnables[2])), learnables[3], nil, []byte{0}))
		return g, x, out, learnables
	}
	g, x, out, learnables := build(size)
	y := input(g, dt, "y", size, 3)
	cost := gorgonia.Must(gorgonia.Mean(gorgonia.Must(gorgonia.Square(gorgonia.Must(gorgonia.Sub(out, y))))))
	if _, err := gorgonia.Grad(cost, learnables...); err != nil {
		return nil, err
	}
	machine, err := stage.Machine(g, learnables...)
	if err != nil {
		return nil, err
	}
	predictGraph, predictX, predicted, _ := build(rows)
	sum := gorgonia.Must(gorgonia.Sum(predicted))
	predictor, err := stage.Evaluation(predictGraph)
	if err != nil {
		return nil, err
	}
	defer predictor.Close()
	if err := gorgonia.Let(predictX, wave(dt, 9, 1, rows, 10)); err != nil {
		return nil, err
	}
	solver := gorgonia.NewAdamSolver(gorgonia.WithLearnRate(0.01), gorgonia.WithBeta1(0.8))
	feed := feeder(size, map[*gorgonia.Node]*tensor.Dense{x: wave(dt, 7, 1, 64, 10), y: wave(dt, 8, 1, 64, 3)})
	losses, err := loop(stage, machine, solver, learnables, steps, feed, func() gorgonia.Value { return cost.Value() })
	if err != nil {
		return nil, err
	}
	if err := predictor.RunAll(); err != nil {
		return nil, err
	}
	last, err := number(sum.Value())
	return append(losses, last), err
}
