// Package examples holds small Gorgonia programs in the styles that public
// programs are written in. Each is run in four stages by the package's test: as
// it is, with our machine in the place of Gorgonia's, with our BLAS and with our
// solver. Only those lines differ, and the losses must not.
package examples

import (
	"fmt"
	"math"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// A Stage is the lines that differ.
type Stage struct {
	Name string
	// Machine makes the machine of a program.
	Machine func(g *gorgonia.ExprGraph, learnables ...*gorgonia.Node) (gorgonia.VM, error)
	// Evaluation makes a machine without gradients, in evaluation mode.
	Evaluation func(g *gorgonia.ExprGraph) (gorgonia.VM, error)
	// Solver takes the solver that a program has made.
	Solver func(gorgonia.Solver) (gorgonia.Solver, error)
}

// A Program trains for a number of steps and returns the loss of each.
type Program func(stage Stage, dt tensor.Dtype, steps int) ([]float64, error)

// Programs lists the examples by name.
var Programs = map[string]Program{
	"mlp with structs and Read":            MLP,
	"autoencoder with solver's batch size": Autoencoder,
	"biases of shape (1, out)":             RowBiases,
	"transposed weights":                   TransposedWeights,
	"convolutional net":                    ConvNet,
	"dropout":                              Dropout,
	"batch norm":                           BatchNorm,
	"recurrent cell":                       Recurrent,
	"two machines sharing weights":         SharedWeights,
	"lisp machine":                         Lisp,
}

// wave returns a tensor of numbers in [−scale, scale] that seed determines.
func wave(dt tensor.Dtype, seed, scale float64, shape ...int) *tensor.Dense {
	t := tensor.New(tensor.WithShape(shape...), tensor.Of(dt))
	for i := range tensor.Shape(shape).TotalSize() {
		x := scale * math.Sin(seed+12.9898*float64(i+1)*math.Sin(seed+float64(i%97)))
		if dt == tensor.Float32 {
			t.Float32s()[i] = float32(x)
		} else {
			t.Float64s()[i] = x
		}
	}
	return t
}

// labels returns one-hot rows.
func labels(dt tensor.Dtype, rows, classes int) *tensor.Dense {
	t := tensor.New(tensor.WithShape(rows, classes), tensor.Of(dt))
	for i := range rows {
		if dt == tensor.Float32 {
			t.Float32s()[i*classes+(i*i+i/3)%classes] = 1
		} else {
			t.Float64s()[i*classes+(i*i+i/3)%classes] = 1
		}
	}
	return t
}

// weight is a learnable with its first value.
func weight(g *gorgonia.ExprGraph, dt tensor.Dtype, name string, seed float64, shape ...int) *gorgonia.Node {
	scale := 1 / math.Sqrt(float64(shape[0]))
	return gorgonia.NewTensor(g, dt, len(shape), gorgonia.WithShape(shape...), gorgonia.WithName(name), gorgonia.WithValue(wave(dt, seed, scale, shape...)))
}

func input(g *gorgonia.ExprGraph, dt tensor.Dtype, name string, shape ...int) *gorgonia.Node {
	return gorgonia.NewTensor(g, dt, len(shape), gorgonia.WithShape(shape...), gorgonia.WithName(name))
}

// batch returns rows of a dataset, as a view.
func batch(of *tensor.Dense, step, size int) (tensor.View, error) {
	batches := of.Shape()[0] / size
	start := step % batches * size
	return of.Slice(gorgonia.S(start, start+size))
}

// number returns the only element of a value.
func number(v gorgonia.Value) (float64, error) {
	switch x := v.Data().(type) {
	case float64:
		return x, nil
	case float32:
		return float64(x), nil
	case []float64:
		if len(x) == 1 {
			return x[0], nil
		}
	case []float32:
		if len(x) == 1 {
			return float64(x[0]), nil
		}
	}
	return 0, fmt.Errorf("value is %v, want one number", v)
}

// loop trains: it gives the inputs their batches, runs the machine, reads the
// loss and takes a step.
func loop(stage Stage, machine gorgonia.VM, solver gorgonia.Solver, learnables gorgonia.Nodes, steps int, feed func(step int) error, loss func() gorgonia.Value) (losses []float64, err error) {
	if solver, err = stage.Solver(solver); err != nil {
		return nil, err
	}
	defer machine.Close()
	for step := range steps {
		if err := feed(step); err != nil {
			return nil, err
		}
		if err := machine.RunAll(); err != nil {
			return nil, err
		}
		x, err := number(loss())
		if err != nil {
			return nil, err
		}
		losses = append(losses, x)
		if err := solver.Step(gorgonia.NodesToValueGrads(learnables)); err != nil {
			return nil, err
		}
		machine.Reset()
	}
	return losses, nil
}

// feeder gives nodes the rows of their datasets.
func feeder(size int, of map[*gorgonia.Node]*tensor.Dense) func(step int) error {
	return func(step int) error {
		for n, data := range of {
			rows, err := batch(data, step, size)
			if err != nil {
				return err
			}
			if err := gorgonia.Let(n, rows); err != nil {
				return err
			}
		}
		return nil
	}
}
