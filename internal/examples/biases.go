package examples

import (
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// RowBiases has biases of shape (1, out) that BroadcastAdd repeats, and one of
// shape (batch, out) that Add takes as it is.
func RowBiases(stage Stage, dt tensor.Dtype, steps int) ([]float64, error) {
	const size = 12
	g := gorgonia.NewGraph()
	x, y := input(g, dt, "x", size, 10), input(g, dt, "y", size, 3)
	w1, b1 := weight(g, dt, "w1", 1, 10, 24), weight(g, dt, "b1", 2, 1, 24)
	w2, b2 := weight(g, dt, "w2", 3, 24, 16), weight(g, dt, "b2", 4, size, 16)
	w3, b3 := weight(g, dt, "w3", 5, 16, 3), weight(g, dt, "b3", 6, 1, 3)
	learnables := gorgonia.Nodes{w1, b1, w2, b2, w3, b3}

	h := gorgonia.Must(gorgonia.Tanh(gorgonia.Must(gorgonia.BroadcastAdd(gorgonia.Must(gorgonia.Mul(x, w1)), b1, nil, []byte{0}))))
	h = gorgonia.Must(gorgonia.Rectify(gorgonia.Must(gorgonia.Add(gorgonia.Must(gorgonia.Mul(h, w2)), b2))))
	out := gorgonia.Must(gorgonia.BroadcastAdd(gorgonia.Must(gorgonia.Mul(h, w3)), b3, nil, []byte{0}))
	cost := gorgonia.Must(gorgonia.Mean(gorgonia.Must(gorgonia.Square(gorgonia.Must(gorgonia.Sub(out, y))))))
	if _, err := gorgonia.Grad(cost, learnables...); err != nil {
		return nil, err
	}
	machine, err := stage.Machine(g, learnables...)
	if err != nil {
		return nil, err
	}
	solver := gorgonia.NewRMSPropSolver(gorgonia.WithLearnRate(0.005), gorgonia.WithL2Reg(1e-4))
	feed := feeder(size, map[*gorgonia.Node]*tensor.Dense{x: wave(dt, 7, 1, 48, 10), y: wave(dt, 8, 1, 48, 3)})
	return loop(stage, machine, solver, learnables, steps, feed, func() gorgonia.Value { return cost.Value() })
}
