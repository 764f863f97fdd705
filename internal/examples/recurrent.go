package examples

import (
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Recurrent unrolls a cell h ← tanh(x·Wx + h·Wh + b) three times with the same
// weights.
func Recurrent(stage Stage, dt tensor.Dtype, steps int) ([]float64, error) {
	const size, length, width = 8, 3, 24
	g := gorgonia.NewGraph()
	y := input(g, dt, "y", size, 4)
	wx, wh, b := weight(g, dt, "wx", 1, 10, width), weight(g, dt, "wh", 2, width, width), weight(g, dt, "b", 3, width)
	wo := weight(g, dt, "wo", 4, width, 4)
	learnables := gorgonia.Nodes{wx, wh, b, wo}

	h := input(g, dt, "h0", size, width)
	data := map[*gorgonia.Node]*tensor.Dense{y: labels(dt, 32, 4), h: tensor.New(tensor.WithShape(32, width), tensor.Of(dt))}
	for t := range length {
		x := input(g, dt, string(rune('a'+t)), size, 10)
		data[x] = wave(dt, 5+float64(t), 1, 32, 10)
		sum := gorgonia.Must(gorgonia.Add(gorgonia.Must(gorgonia.Mul(x, wx)), gorgonia.Must(gorgonia.Mul(h, wh))))
		h = gorgonia.Must(gorgonia.Tanh(gorgonia.Must(gorgonia.BroadcastAdd(sum, b, nil, []byte{0}))))
	}
	out := gorgonia.Must(gorgonia.Mul(h, wo))
	cost := gorgonia.Must(gorgonia.Mean(gorgonia.Must(gorgonia.Square(gorgonia.Must(gorgonia.Sub(out, y))))))
	if _, err := gorgonia.Grad(cost, learnables...); err != nil {
		return nil, err
	}
	machine, err := stage.Machine(g, learnables...)
	if err != nil {
		return nil, err
	}
	solver := gorgonia.NewVanillaSolver(gorgonia.WithLearnRate(0.1), gorgonia.WithL1Reg(1e-4))
	return loop(stage, machine, solver, learnables, steps, feeder(size, data), func() gorgonia.Value { return cost.Value() })
}
