package bench

import (
	"fmt"
	"math/rand/v2"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/layer"
	"github.com/affine-go/affine/layer/device"
	"github.com/affine-go/affine/train"
	"github.com/affine-go/affine/train/optim"
	"github.com/affine-go/affine/train/vm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// linear is Y = X·W + b and its gradients on a TapeMachine.
type linear struct{ vm gorgonia.VM }

func newLinear(c Case, dev device.Device) (*linear, error) {
	g := gorgonia.NewGraph()
	rng := rand.New(rand.NewPCG(1, 0))
	x := input(g, c.Dtype, rng, "x", c.Batch, c.In)
	w := input(g, c.Dtype, rng, "w", c.In, c.Out)
	b := input(g, c.Dtype, rng, "b", c.Out)
	dy := input(g, c.Dtype, rng, "dy", c.Batch, c.Out)
	apply, opts := layer.Builtin, []layer.Option(nil)
	if c.Impl == "fused" {
		apply, opts = layer.Apply, []layer.Option{layer.WithDevice(dev)}
	}
	y, err := apply(x, w, b, opts...)
	if err != nil {
		return nil, err
	}
	if _, err := gorgonia.Backpropagate(gorgonia.Nodes{y}, gorgonia.Nodes{dy}, gorgonia.Nodes{x, w, b}); err != nil {
		return nil, err
	}
	return &linear{gorgonia.NewTapeMachine(g)}, nil
}

func (l *linear) run() error {
	defer l.vm.Reset()
	return l.vm.RunAll()
}

func (l *linear) close() error { return l.vm.Close() }

// direct is the same work as two calls to the device.
type direct[T device.Float] struct {
	dev                 device.Device
	k                   device.Kernels[T]
	x, w, y, dy, dx, dw device.Matrix[T]
	b, db               []T
}

func newDirect[T device.Float](c Case, dev device.Device) (*direct[T], error) {
	d := &direct[T]{dev: dev, k: device.For[T](dev)}
	rng := rand.New(rand.NewPCG(1, 0))
	var err error
	matrix := func(rows, cols int) device.Matrix[T] {
		data, allocErr := d.k.Alloc(rows * cols)
		if err == nil {
			err = allocErr
		}
		for i := range data {
			data[i] = T(rng.NormFloat64())
		}
		return device.MatrixOf(data, rows, cols)
	}
	d.x, d.w, d.b = matrix(c.Batch, c.In), matrix(c.In, c.Out), matrix(1, c.Out).Data
	d.y, d.dy = matrix(c.Batch, c.Out), matrix(c.Batch, c.Out)
	d.dx, d.dw, d.db = matrix(c.Batch, c.In), matrix(c.In, c.Out), matrix(1, c.Out).Data
	return d, err
}

func (d *direct[T]) run() error {
	var none device.Matrix[T]
	if err := d.k.Linear(d.y, none, d.x, d.w, d.b, device.Activation{}); err != nil {
		return err
	}
	if err := d.k.LinearBackward(d.dx, d.dw, d.db, d.x, d.w, d.dy, none, device.Activation{}); err != nil {
		return err
	}
	return d.dev.Sync()
}

func (d *direct[T]) close() error {
	for _, data := range [][]T{d.x.Data, d.w.Data, d.b, d.y.Data, d.dy.Data, d.dx.Data, d.dw.Data, d.db} {
		d.k.Free(data)
	}
	return nil
}

// mlp is a training step.
type mlp struct {
	vm     gorgonia.VM
	solver gorgonia.Solver
	params []gorgonia.ValueGrad
}

func newMLP(c Case, dev device.Device) (*mlp, error) {
	g := gorgonia.NewGraph()
	rng := rand.New(rand.NewPCG(1, 0))
	h := input(g, c.Dtype, rng, "x", c.Batch, c.Dims[0])
	targets := oneHot(g, c.Dtype, rng, c.Batch, c.Dims[len(c.Dims)-1])
	var learnables gorgonia.Nodes
	for i, out := range c.Dims[1:] {
		opts := []layer.Option{layer.WithDtype(dtypeOf(c.Dtype)), layer.WithInit(layer.HeUniform), layer.WithDevice(dev)}
		if i == 0 {
			opts = append(opts, layer.WithoutInputGrad())
		}
		act := layer.WithActivation(layer.Identity)
		if i < len(c.Dims)-2 {
			act = layer.WithActivation(layer.ReLU)
		}
		l, err := layer.NewLinear(g, c.Dims[i], out, append(opts, act)...)
		if err != nil {
			return nil, err
		}
		if c.Impl == "fused" {
			h, err = l.Fwd(h)
		} else {
			h, err = layer.Builtin(h, l.Weight(), l.Bias(), act)
		}
		if err != nil {
			return nil, err
		}
		learnables = append(learnables, l.Learnables()...)
	}
	if c.Impl == "fused" {
		return fusedStep(g, h, targets, learnables, dev)
	}
	return builtinStep(g, h, targets, learnables)
}

func fusedStep(g *gorgonia.ExprGraph, logits, targets *gorgonia.Node, learnables gorgonia.Nodes, dev device.Device) (*mlp, error) {
	loss, err := layer.SoftmaxCrossEntropy(logits, targets, layer.WithDevice(dev))
	if err != nil {
		return nil, err
	}
	grads, err := gorgonia.Grad(loss, learnables...)
	if err != nil {
		return nil, err
	}
	params, err := vm.NewParams(learnables, grads)
	if err != nil {
		return nil, err
	}
	vm, err := vm.New(g, vm.WithOutputs(loss), vm.WithOutputs(params.Gradients()...))
	if err != nil {
		return nil, err
	}
	adam, err := optim.NewAdam(optim.WithDevice(dev))
	if err != nil {
		return nil, err
	}
	return &mlp{vm, adam, params.ValueGrads()}, nil
}

func builtinStep(g *gorgonia.ExprGraph, logits, targets *gorgonia.Node, learnables gorgonia.Nodes) (*mlp, error) {
	loss, err := layer.BuiltinSoftmaxCrossEntropy(logits, targets)
	if err != nil {
		return nil, err
	}
	if _, err := gorgonia.Grad(loss, learnables...); err != nil {
		return nil, err
	}
	vm := gorgonia.NewTapeMachine(g, gorgonia.BindDualValues(learnables...))
	return &mlp{vm, gorgonia.NewAdamSolver(), gorgonia.NodesToValueGrads(learnables)}, nil
}

func (m *mlp) run() error {
	defer m.vm.Reset()
	if err := m.vm.RunAll(); err != nil {
		return err
	}
	return m.solver.Step(m.params)
}

func (m *mlp) close() error { return m.vm.Close() }

// predict is rows through a predictor.
type predict struct {
	predictor *train.Predictor
	rows, out []float64
}

func newPredict(c Case, dev device.Device) (*predict, error) {
	last := len(c.Dims) - 1
	m, err := train.NewModel(train.Spec{
		Task: datasets.Classification, Inputs: c.Dims[0], Hidden: c.Dims[1:last], Outputs: c.Dims[last],
		Activation: layer.ReLU, Init: layer.HeUniform, BiasInit: layer.Zeros, Seed: 1, Dtype: dtypeOf(c.Dtype), Device: dev,
	})
	if err != nil {
		return nil, err
	}
	schema := datasets.Schema{Task: datasets.Classification}
	for i := range c.Dims[0] {
		schema.Features = append(schema.Features, fmt.Sprint("x", i+1))
	}
	for i := range c.Dims[last] {
		schema.Classes = append(schema.Classes, fmt.Sprint("class", i+1))
	}
	rng := rand.New(rand.NewPCG(1, 0))
	rows := make([]float64, c.Batch*c.Dims[0])
	for i := range rows {
		rows[i] = rng.NormFloat64()
	}
	scaler, err := datasets.FitScaler(datasets.NoScaling, rows, c.Dims[0])
	if err != nil {
		return nil, err
	}
	p, err := train.NewPredictor(m, schema, scaler, nil)
	return &predict{p, rows, make([]float64, c.Batch*c.Dims[last])}, err
}

func (p *predict) run() error { return p.predictor.PredictInto(p.out, p.rows) }

func (p *predict) close() error { return nil }

func dtypeOf(name string) tensor.Dtype {
	if name == "float64" {
		return tensor.Float64
	}
	return tensor.Float32
}

// input adds an input node with normally distributed values.
func input(g *gorgonia.ExprGraph, dtype string, rng *rand.Rand, name string, shape ...int) *gorgonia.Node {
	values := make([]float64, tensor.Shape(shape).TotalSize())
	for i := range values {
		values[i] = rng.NormFloat64()
	}
	return node(g, dtype, name, values, shape)
}

// oneHot adds targets with one class a row.
func oneHot(g *gorgonia.ExprGraph, dtype string, rng *rand.Rand, rows, classes int) *gorgonia.Node {
	values := make([]float64, rows*classes)
	for i := range rows {
		values[i*classes+rng.IntN(classes)] = 1
	}
	return node(g, dtype, "targets", values, []int{rows, classes})
}

func node(g *gorgonia.ExprGraph, dtype, name string, values []float64, shape []int) *gorgonia.Node {
	var backing any = values
	if dtype == "float32" {
		rounded := make([]float32, len(values))
		for i, v := range values {
			rounded[i] = float32(v)
		}
		backing = rounded
	}
	t := tensor.New(tensor.WithShape(shape...), tensor.WithBacking(backing))
	return gorgonia.NewTensor(g, t.Dtype(), len(shape), gorgonia.WithShape(shape...), gorgonia.WithName(name), gorgonia.WithValue(t))
}
