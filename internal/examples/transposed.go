package examples

import (
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// TransposedWeights keeps its weights as [out, in], as PyTorch does, and
// transposes them in the graph.
func TransposedWeights(stage Stage, dt tensor.Dtype, steps int) ([]float64, error) {
	const size = 16
	g := gorgonia.NewGraph()
	x, y := input(g, dt, "x", size, 12), input(g, dt, "y", size, 4)
	w1, b1 := weight(g, dt, "w1", 1, 28, 12), weight(g, dt, "b1", 2, 28)
	w2, b2 := weight(g, dt, "w2", 3, 4, 28), weight(g, dt, "b2", 4, 4)
	learnables := gorgonia.Nodes{w1, b1, w2, b2}

	linear := func(x, w, b *gorgonia.Node) *gorgonia.Node {
		xw := gorgonia.Must(gorgonia.Mul(x, gorgonia.Must(gorgonia.Transpose(w, 1, 0))))
		return gorgonia.Must(gorgonia.BroadcastAdd(xw, b, nil, []byte{0}))
	}
	h := gorgonia.Must(gorgonia.Tanh(linear(x, w1, b1)))
	out := gorgonia.Must(gorgonia.Sigmoid(linear(h, w2, b2)))
	cost := gorgonia.Must(gorgonia.Mean(gorgonia.Must(gorgonia.Square(gorgonia.Must(gorgonia.Sub(out, y))))))
	if _, err := gorgonia.Grad(cost, learnables...); err != nil {
		return nil, err
	}
	machine, err := stage.Machine(g, learnables...)
	if err != nil {
		return nil, err
	}
	solver := gorgonia.NewMomentum(gorgonia.WithLearnRate(0.1), gorgonia.WithMomentum(0.9))
	feed := feeder(size, map[*gorgonia.Node]*tensor.Dense{x: wave(dt, 5, 1, 64, 12), y: labels(dt, 64, 4)})
	return loop(stage, machine, solver, learnables, steps, feed, func() gorgonia.Value { return cost.Value() })
}
