package examples

import (
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// ConvNet is two convolutions with pooling and a fully connected end.
func ConvNet(stage Stage, dt tensor.Dtype, steps int) ([]float64, error) {
	const size = 4
	g := gorgonia.NewGraph()
	x, y := input(g, dt, "x", size, 1, 12, 12), input(g, dt, "y", size, 5)
	k1, k2 := weight(g, dt, "k1", 1, 4, 1, 3, 3), weight(g, dt, "k2", 2, 6, 4, 3, 3)
	w3, w4 := weight(g, dt, "w3", 3, 6*3*3, 20), weight(g, dt, "w4", 4, 20, 5)
	learnables := gorgonia.Nodes{k1, k2, w3, w4}

	block := func(x, k *gorgonia.Node) *gorgonia.Node {
		c := gorgonia.Must(gorgonia.Rectify(gorgonia.Must(gorgonia.Conv2d(x, k, tensor.Shape{3, 3}, []int{1, 1}, []int{1, 1}, []int{1, 1}))))
		return gorgonia.Must(gorgonia.MaxPool2D(c, tensor.Shape{2, 2}, []int{0, 0}, []int{2, 2}))
	}
	h := block(block(x, k1), k2)
	h = gorgonia.Must(gorgonia.Reshape(h, tensor.Shape{size, 6 * 3 * 3}))
	h = gorgonia.Must(gorgonia.Rectify(gorgonia.Must(gorgonia.Mul(h, w3))))
	out := gorgonia.Must(gorgonia.SoftMax(gorgonia.Must(gorgonia.Mul(h, w4))))
	cost := gorgonia.Must(gorgonia.Mean(gorgonia.Must(gorgonia.Square(gorgonia.Must(gorgonia.Sub(out, y))))))
	if _, err := gorgonia.Grad(cost, learnables...); err != nil {
		return nil, err
	}
	machine, err := stage.Machine(g, learnables...)
	if err != nil {
		return nil, err
	}
	solver := gorgonia.NewRMSPropSolver(gorgonia.WithLearnRate(0.001))
	feed := feeder(size, map[*gorgonia.Node]*tensor.Dense{x: wave(dt, 5, 1, 16, 1, 12, 12), y: labels(dt, 16, 5)})
	return loop(stage, machine, solver, learnables, steps, feed, func() gorgonia.Value { return cost.Value() })
}
