package train

import (
	"fmt"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/internal/values"
	"github.com/affine-go/affine/layer"
	"github.com/affine-go/affine/train/vm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// graph is a model's graph for one number of rows, with its machine. The
// values of its inputs are filled in place before a run.
type graph struct {
	exprs   *gorgonia.ExprGraph
	x       *tensor.Dense // features [rows, inputs]
	targets *tensor.Dense // [rows, outputs]
	output  *gorgonia.Node
	params  *vm.Params
	vm      gorgonia.VM
	ran     bool // all memory that a run needs has been allocated
}

// trainingGraph returns the graph whose output is the mean loss of a batch and
// whose params are the weights with their gradients.
func (m *Model) trainingGraph(rows int) (*graph, error) {
	if g := m.training[rows]; g != nil {
		return g, nil
	}
	g, err := m.newTrainingGraph(rows)
	if err != nil {
		return nil, fmt.Errorf("training graph for %d rows: %w", rows, err)
	}
	m.training[rows] = g
	return g, nil
}

func (m *Model) newTrainingGraph(rows int) (*graph, error) {
	g, learnables, grads, err := m.lossGraph(rows)
	if err != nil {
		return nil, err
	}
	if g.params, err = vm.NewParams(learnables, grads); err != nil {
		return nil, err
	}
	if m.spec.Impl == Builtin {
		// A TapeMachine may give the memory of a built-in op's result to a later op.
		if g.output, err = vm.Copy(g.output); err != nil {
			return nil, err
		}
	}
	return g, m.startMachine(g, g.params.Gradients()...)
}

// lossGraph builds the layers, the loss and its gradients by the learnables.
func (m *Model) lossGraph(rows int) (g *graph, learnables, grads gorgonia.Nodes, err error) {
	if rows < 1 {
		return nil, nil, nil, fmt.Errorf("want at least 1 row")
	}
	if g, learnables, err = m.forward(rows); err != nil {
		return nil, nil, nil, err
	}
	var targets *gorgonia.Node
	if g.targets, targets, err = m.input(g.exprs, "targets", rows, m.spec.Outputs); err != nil {
		return nil, nil, nil, err
	}
	if g.output, err = m.loss(g.output, targets); err != nil {
		return nil, nil, nil, err
	}
	grads, err = gorgonia.Grad(g.output, learnables...)
	return g, learnables, grads, err
}

// forward builds the layers on the shared weights.
func (m *Model) forward(rows int) (*graph, gorgonia.Nodes, error) {
	g := &graph{exprs: gorgonia.NewGraph()}
	x, node, err := m.input(g.exprs, "features", rows, m.spec.Inputs)
	if err != nil {
		return nil, nil, err
	}
	g.x, g.output = x, node
	var learnables gorgonia.Nodes
	for i := 0; i < len(m.weights); i += 2 {
		w, b := m.bind(g.exprs, i), m.bind(g.exprs, i+1)
		learnables = append(learnables, w, b)
		var opts []layer.Option
		if i+2 < len(m.weights) {
			opts = append(opts, layer.WithActivation(m.spec.Activation))
		}
		apply := layer.Builtin
		if m.spec.Impl != Builtin {
			apply = layer.Apply
			opts = append(opts, layer.WithDevice(m.spec.Device))
			if i == 0 {
				opts = append(opts, layer.WithoutInputGrad())
			}
		}
		if g.output, err = apply(g.output, w, b, opts...); err != nil {
			return nil, nil, err
		}
	}
	return g, learnables, nil
}

// bind adds a node for learnable i whose value is the model's own tensor.
func (m *Model) bind(g *gorgonia.ExprGraph, i int) *gorgonia.Node {
	w := m.weights[i]
	return gorgonia.NewTensor(g, w.Dtype(), w.Dims(), gorgonia.WithShape(w.Shape()...),
		gorgonia.WithName(m.names[i]), gorgonia.WithValue(w))
}

// input adds a matrix whose value lies in the device's memory.
func (m *Model) input(g *gorgonia.ExprGraph, name string, rows, cols int) (*tensor.Dense, *gorgonia.Node, error) {
	var backing any
	var err error
	if m.spec.Dtype == tensor.Float32 {
		backing, err = m.spec.Device.Float32().Alloc(rows * cols)
	} else {
		backing, err = m.spec.Device.Float64().Alloc(rows * cols)
	}
	if err != nil {
		return nil, nil, err
	}
	t := tensor.New(tensor.WithShape(rows, cols), tensor.WithBacking(backing))
	return t, gorgonia.NewMatrix(g, m.spec.Dtype, gorgonia.WithShape(rows, cols),
		gorgonia.WithName(name), gorgonia.WithValue(t)), nil
}

func (m *Model) loss(output, targets *gorgonia.Node) (*gorgonia.Node, error) {
	onDevice := layer.WithDevice(m.spec.Device)
	switch {
	case m.spec.Task == datasets.Classification && m.spec.Impl == Builtin:
		return layer.BuiltinSoftmaxCrossEntropy(output, targets)
	case m.spec.Task == datasets.Classification:
		return layer.SoftmaxCrossEntropy(output, targets, onDevice)
	case m.spec.Impl == Builtin:
		return layer.BuiltinMSE(output, targets)
	default:
		return layer.MSE(output, targets, onDevice)
	}
}

func (m *Model) startMachine(g *graph, outputs ...*gorgonia.Node) (err error) {
	if m.spec.Machine == TapeMachine {
		g.vm = gorgonia.NewTapeMachine(g.exprs)
		return nil
	}
	g.vm, err = vm.New(g.exprs, vm.WithOutputs(g.output), vm.WithOutputs(outputs...))
	return err
}

// run computes the outputs; output.Value and the gradients hold them until the
// next run.
func (g *graph) run() error {
	g.vm.Reset()
	if err := g.vm.RunAll(); err != nil {
		return err
	}
	g.ran = true
	return nil
}

// scalar returns the number that v holds.
func scalar(v gorgonia.Value) (float64, error) {
	if v != nil && v.Dtype() == tensor.Float32 {
		x, err := values.Elements[float32](v)
		if err != nil || len(x) != 1 {
			return 0, fmt.Errorf("loss is %v of shape %v, want a scalar", v.Dtype(), v.Shape())
		}
		return float64(x[0]), nil
	}
	x, err := values.Elements[float64](v)
	if err != nil || len(x) != 1 {
		return 0, fmt.Errorf("loss is a %T, want a scalar", v)
	}
	return x[0], nil
}
