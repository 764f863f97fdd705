package main

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/affine-go/affine/layer"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// gradientCase is a graph whose gradients are checked.
type gradientCase struct {
	op, activation string
	// build returns a scalar cost and the inputs to differentiate it by.
	build func(in *inputs, opts ...layer.Option) (*gorgonia.Node, gorgonia.Nodes, error)
}

// gradientCases lists the linear op with each activation, with and without a
// bias, for a batch of one and of two leading dimensions, and the losses.
func gradientCases(activations []layer.Activation) []gradientCase {
	var cases []gradientCase
	for _, act := range activations {
		cases = append(cases,
			gradientCase{"linear", act.String(), linearCase(act, true, 4, 3)},
			gradientCase{"linear, no bias", act.String(), linearCase(act, false, 4, 3)},
			gradientCase{"linear, 3 dimensions", act.String(), linearCase(act, true, 2, 3, 3)})
	}
	return append(cases,
		gradientCase{"softmax cross-entropy", "", lossCase(layer.SoftmaxCrossEntropy, (*inputs).distribution)},
		gradientCase{"binary cross-entropy", "", lossCase(layer.BinaryCrossEntropy, (*inputs).probability)},
		gradientCase{"mean squared error", "", lossCase(layer.MSE, (*inputs).normal)})
}

const gradcheckOutputs = 3

// linearCase is Σ V ⊙ act(X·W + b) for X of the given shape and constant V.
func linearCase(act layer.Activation, bias bool, shape ...int) func(*inputs, ...layer.Option) (*gorgonia.Node, gorgonia.Nodes, error) {
	return func(in *inputs, opts ...layer.Option) (*gorgonia.Node, gorgonia.Nodes, error) {
		wrt := in.linear(bias, shape...)
		var b *gorgonia.Node
		if bias {
			b = wrt[2]
		}
		y, err := layer.Apply(wrt[0], wrt[1], b, append(opts, layer.WithActivation(act))...)
		if err != nil {
			return nil, nil, err
		}
		cost, err := in.weighted(y)
		return cost, wrt, err
	}
}

// lossCase is a loss of predictions and targets, differentiated by both.
func lossCase(loss func(pred, target *gorgonia.Node, opts ...layer.Option) (*gorgonia.Node, error),
	targets func(in *inputs, row, column int) float64) func(*inputs, ...layer.Option) (*gorgonia.Node, gorgonia.Nodes, error) {
	return func(in *inputs, opts ...layer.Option) (*gorgonia.Node, gorgonia.Nodes, error) {
		pred := in.node("prediction", (*inputs).normal, 4, gradcheckOutputs)
		target := in.node("target", targets, 4, gradcheckOutputs)
		cost, err := loss(pred, target, opts...)
		return cost, gorgonia.Nodes{pred, target}, err
	}
}

// inputs draws the values of one graph.
type inputs struct {
	g     *gorgonia.ExprGraph
	dtype tensor.Dtype
	rng   *rand.Rand
	names int
}

func newInputs(seed uint64, dtype tensor.Dtype) *inputs {
	const stream = 7 // any number: no other generator of the program uses it
	return &inputs{g: gorgonia.NewGraph(), dtype: dtype, rng: rand.New(rand.NewPCG(seed, stream))}
}

func (in *inputs) normal(int, int) float64 { return in.rng.NormFloat64() }

func (in *inputs) probability(int, int) float64 { return in.rng.Float64() }

// distribution gives rows that sum to 1: (1, 2, 3)/6 turned by the row's number.
func (in *inputs) distribution(row, column int) float64 {
	return float64((row+column)%gradcheckOutputs+1) / (gradcheckOutputs * (gradcheckOutputs + 1) / 2)
}

// node adds an input with values drawn for each row and column.
func (in *inputs) node(name string, draw func(in *inputs, row, column int) float64, shape ...int) *gorgonia.Node {
	columns := shape[len(shape)-1]
	values := make([]float64, tensor.Shape(shape).TotalSize())
	for i := range values {
		values[i] = draw(in, i/columns, i%columns)
	}
	return in.with(name, values, shape...)
}

func (in *inputs) with(name string, values []float64, shape ...int) *gorgonia.Node {
	var backing any = values
	if in.dtype == tensor.Float32 {
		rounded := make([]float32, len(values))
		for i, v := range values {
			rounded[i] = float32(v)
		}
		backing = rounded
	}
	return gorgonia.NewTensor(in.g, in.dtype, len(shape), gorgonia.WithShape(shape...), gorgonia.WithName(name),
		gorgonia.WithValue(tensor.New(tensor.WithShape(shape...), tensor.WithBacking(backing))))
}

// awayFromKinks is how far every element of X·W + b stays from 0, where ReLU
// has no derivative: several times what one step of a finite difference in
// float32 moves it.
const awayFromKinks = 0.05

// linear adds X, W and, where wanted, b.
func (in *inputs) linear(bias bool, shape ...int) gorgonia.Nodes {
	k := shape[len(shape)-1]
	rows := tensor.Shape(shape).TotalSize() / k
	draw := func(n int) []float64 {
		values := make([]float64, n)
		for i := range values {
			values[i] = in.rng.NormFloat64()
		}
		return values
	}
	for {
		x, w, b := draw(rows*k), draw(k*gradcheckOutputs), make([]float64, gradcheckOutputs)
		if bias {
			b = draw(gradcheckOutputs)
		}
		if nearestToZero(x, w, b, k) < awayFromKinks {
			continue
		}
		nodes := gorgonia.Nodes{in.with("X", x, shape...), in.with("W", w, k, gradcheckOutputs)}
		if bias {
			nodes = append(nodes, in.with("b", b, gradcheckOutputs))
		}
		return nodes
	}
}

// nearestToZero returns the least |x·W + b| of all rows and columns.
func nearestToZero(x, w, b []float64, k int) float64 {
	least := math.Inf(1)
	for row := 0; row < len(x); row += k {
		for j, z := range b {
			for i := range k {
				z += x[row+i] * w[i*len(b)+j]
			}
			least = min(least, math.Abs(z))
		}
	}
	return least
}

// weighted is Σ V ⊙ n with constant V, so that every element counts differently.
func (in *inputs) weighted(n *gorgonia.Node) (*gorgonia.Node, error) {
	in.names++
	v := in.node(fmt.Sprintf("V%d", in.names), (*inputs).normal, n.Shape()...)
	product, err := gorgonia.HadamardProd(v, n)
	if err != nil {
		return nil, err
	}
	return gorgonia.Sum(product)
}
