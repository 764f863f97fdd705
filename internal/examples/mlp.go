package examples

import (
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// classifier is a model as most programs have it: a struct of nodes, with the
// prediction read to a variable.
type classifier struct {
	g      *gorgonia.ExprGraph
	w1, b1 *gorgonia.Node
	w2, b2 *gorgonia.Node
	w3     *gorgonia.Node

	out     *gorgonia.Node
	predVal gorgonia.Value
}

func newClassifier(g *gorgonia.ExprGraph, dt tensor.Dtype) *classifier {
	return &classifier{
		g:  g,
		w1: weight(g, dt, "w1", 1, 20, 32), b1: weight(g, dt, "b1", 2, 32),
		w2: weight(g, dt, "w2", 3, 32, 24), b2: weight(g, dt, "b2", 4, 24),
		w3: weight(g, dt, "w3", 5, 24, 5),
	}
}

func (m *classifier) learnables() gorgonia.Nodes {
	return gorgonia.Nodes{m.w1, m.b1, m.w2, m.b2, m.w3}
}

func (m *classifier) fwd(x *gorgonia.Node) (err error) {
	h := x
	for _, l := range []struct{ w, b *gorgonia.Node }{{m.w1, m.b1}, {m.w2, m.b2}} {
		if h, err = gorgonia.Mul(h, l.w); err != nil {
			return err
		}
		if h, err = gorgonia.BroadcastAdd(h, l.b, nil, []byte{0}); err != nil {
			return err
		}
		if h, err = gorgonia.Rectify(h); err != nil {
			return err
		}
	}
	if h, err = gorgonia.Mul(h, m.w3); err != nil {
		return err
	}
	if m.out, err = gorgonia.SoftMax(h); err != nil {
		return err
	}
	gorgonia.Read(m.out, &m.predVal)
	return nil
}

// MLP is a classifier with ReLU, cross entropy written as Log of SoftMax, and
// the loss and the prediction read to variables.
func MLP(stage Stage, dt tensor.Dtype, steps int) ([]float64, error) {
	const size = 16
	g := gorgonia.NewGraph()
	x, y := input(g, dt, "x", size, 20), input(g, dt, "y", size, 5)
	m := newClassifier(g, dt)
	if err := m.fwd(x); err != nil {
		return nil, err
	}
	losses := gorgonia.Must(gorgonia.HadamardProd(gorgonia.Must(gorgonia.Log(m.out)), y))
	cost := gorgonia.Must(gorgonia.Neg(gorgonia.Must(gorgonia.Mean(losses))))
	var costVal gorgonia.Value
	gorgonia.Read(cost, &costVal)
	if _, err := gorgonia.Grad(cost, m.learnables()...); err != nil {
		return nil, err
	}
	machine, err := stage.Machine(g, m.learnables()...)
	if err != nil {
		return nil, err
	}
	solver := gorgonia.NewAdamSolver(gorgonia.WithLearnRate(0.01))
	feed := feeder(size, map[*gorgonia.Node]*tensor.Dense{x: wave(dt, 6, 1, 64, 20), y: labels(dt, 64, 5)})
	return loop(stage, machine, solver, m.learnables(), steps, feed, func() gorgonia.Value { return costVal })
}
