package examples

import (
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Autoencoder squeezes its input with sigmoids, without biases but in the
// middle, and lets the solver divide the gradient by the batch size.
func Autoencoder(stage Stage, dt tensor.Dtype, steps int) ([]float64, error) {
	const size = 16
	g := gorgonia.NewGraph()
	x := input(g, dt, "x", size, 30)
	w1, w2, w3 := weight(g, dt, "w1", 1, 30, 16), weight(g, dt, "w2", 2, 16, 16), weight(g, dt, "w3", 3, 16, 30)
	b := weight(g, dt, "b", 4, 16)
	learnables := gorgonia.Nodes{w1, w2, w3, b}

	h := gorgonia.Must(gorgonia.Sigmoid(gorgonia.Must(gorgonia.Mul(x, w1))))
	h = gorgonia.Must(gorgonia.Sigmoid(gorgonia.Must(gorgonia.BroadcastAdd(gorgonia.Must(gorgonia.Mul(h, w2)), b, nil, []byte{0}))))
	out := gorgonia.Must(gorgonia.Sigmoid(gorgonia.Must(gorgonia.Mul(h, w3))))
	// The sum of squares, which the solver makes a mean over the batch.
	cost := gorgonia.Must(gorgonia.Sum(gorgonia.Must(gorgonia.Square(gorgonia.Must(gorgonia.Sub(out, x))))))
	if _, err := gorgonia.Grad(cost, learnables...); err != nil {
		return nil, err
	}
	machine, err := stage.Machine(g, learnables...)
	if err != nil {
		return nil, err
	}
	solver := gorgonia.NewVanillaSolver(gorgonia.WithLearnRate(0.05), gorgonia.WithBatchSize(size), gorgonia.WithClip(5))
	feed := feeder(size, map[*gorgonia.Node]*tensor.Dense{x: wave(dt, 5, 1, 64, 30)})
	return loop(stage, machine, solver, learnables, steps, feed, func() gorgonia.Value { return cost.Value() })
}
