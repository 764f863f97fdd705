package train

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/internal/values"
	"github.com/affine-go/affine/layer"
	"github.com/affine-go/affine/layer/device"
	"github.com/affine-go/affine/train/internal/network"
	"github.com/affine-go/affine/train/vm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// The ways to build a model and the machines to run it.
const (
	Fused       = "fused"   // layers of package layer
	Builtin     = "builtin" // the same functions of Gorgonia's built-in ops
	OurMachine  = "ours"    // Machine
	TapeMachine = "tape"    // gorgonia.NewTapeMachine
)

// Spec describes a multi-layer perceptron: for each hidden width a linear
// layer with the activation, then a linear layer of Outputs columns without
// one. In classification these are logits and the loss is the softmax
// cross-entropy, for two classes too; in regression they are the values and
// the loss is the mean squared error.
type Spec struct {
	Task            datasets.Task
	Inputs, Outputs int
	Hidden          []int
	Activation      layer.Activation
	Dropout         float64       // while it is trained: the probability that an output of a hidden layer is 0
	Init            layer.Init    // of the weights
	BiasInit        layer.Init    // of the biases
	Seed            uint64        // of both, and of the masks of Dropout
	Dtype           tensor.Dtype  // the zero value stands for float32
	Device          device.Device // nil stands for the processor
	Impl            string        // Fused (the default) or Builtin
	Machine         string        // OurMachine (the default) or TapeMachine
}

// Model is a multi-layer perceptron with one set of weights and as many
// training graphs as it has met batch sizes, which all share them. Any number
// of goroutines may call Forward at once, but none while another one trains the
// model or calls SetWeights; a [Predictor] of its own is for that.
type Model struct {
	spec     Spec
	names    []string        // "linear1.weight", "linear1.bias", "linear2.weight", …
	weights  []*tensor.Dense // in the device's memory, bound in every graph
	training map[graphKey]*graph
	masks    *layer.Masks    // of the dropouts in all of them
	network  network.Network // the same weights without a graph
}

// NewModel returns a model with weights drawn as the specification says.
func NewModel(spec Spec) (*Model, error) {
	m, err := newModel(spec)
	if err != nil {
		return nil, fmt.Errorf("new model: %w", err)
	}
	return m, nil
}

func newModel(spec Spec) (*Model, error) {
	if err := spec.complete(); err != nil {
		return nil, err
	}
	m := &Model{spec: spec, training: map[graphKey]*graph{}, masks: layer.NewMasks(spec.Seed)}
	g := gorgonia.NewGraph()
	widths := spec.widths()
	for i, out := range widths[1:] {
		l, err := layer.NewLinear(g, widths[i], out, layer.WithName(fmt.Sprintf("linear%d", i+1)),
			layer.WithInit(spec.Init), layer.WithBiasInit(spec.BiasInit), layer.WithSeed(spec.Seed),
			layer.WithDtype(spec.Dtype), layer.WithDevice(spec.Device))
		if err != nil {
			return nil, err
		}
		for _, n := range l.Learnables() {
			m.names = append(m.names, n.Name())
			m.weights = append(m.weights, n.Value().(*tensor.Dense))
		}
	}
	var err error
	m.network, err = network.New(network.Layers{Device: m.spec.Device, Widths: m.spec.widths(), Hidden: m.spec.Activation}, m.weights)
	return m, err
}

// clone returns a model of its own with the weights of this moment.
func (m *Model) clone() (*Model, error) {
	weights, err := m.copyWeights()
	if err != nil {
		return nil, err
	}
	c, err := newModel(m.spec)
	if err != nil {
		return nil, err
	}
	return c, c.SetWeights(weights)
}

// Forward returns the model's outputs, logits or values [rows, outputs], for
// x [rows, inputs], row after row; any number of rows. The bits of a row do not
// depend on the rows that come with it.
func (m *Model) Forward(x []float64) ([]float64, error) {
	if in := m.spec.Inputs; len(x)%in != 0 {
		return nil, fmt.Errorf("forward: got %d values, want rows of %d", len(x), in)
	}
	y := make([]float64, len(x)/m.spec.Inputs*m.spec.Outputs)
	if err := m.network.Forward(y, x, nil); err != nil {
		return nil, fmt.Errorf("forward: %w", err)
	}
	return y, nil
}

// complete fills in defaults and refuses what cannot be built.
func (s *Spec) complete() error {
	if s.Task != datasets.Classification && s.Task != datasets.Regression {
		return fmt.Errorf("task is %v, want %v or %v", s.Task, datasets.Classification, datasets.Regression)
	}
	if s.Inputs < 1 {
		return fmt.Errorf("got %d inputs, want at least 1", s.Inputs)
	}
	switch {
	case s.Task == datasets.Classification && s.Outputs < 2:
		return fmt.Errorf("got %d classes, want at least 2", s.Outputs)
	case s.Outputs < 1:
		return fmt.Errorf("got %d outputs, want at least 1", s.Outputs)
	}
	for i, width := range s.Hidden {
		if width < 1 {
			return fmt.Errorf("hidden layer %d has width %d, want at least 1", i+1, width)
		}
	}
	if n := parametersOf(s.widths()); n > maxParameters {
		return fmt.Errorf("widths %v make %.3g parameters, want at most %d", s.widths(), n, maxParameters)
	}
	if !(s.Dropout >= 0 && s.Dropout < 1) {
		return fmt.Errorf("dropout is %v, want at least 0 and less than 1", s.Dropout)
	}
	if s.Dtype.Type == nil {
		s.Dtype = tensor.Float32
	}
	if s.Dtype != tensor.Float32 && s.Dtype != tensor.Float64 {
		return fmt.Errorf("dtype is %v, want float32 or float64", s.Dtype)
	}
	if s.Impl == "" {
		s.Impl = Fused
	}
	if s.Impl != Fused && s.Impl != Builtin {
		return fmt.Errorf("impl is %q, want %q or %q", s.Impl, Fused, Builtin)
	}
	if s.Machine == "" {
		s.Machine = OurMachine
	}
	if s.Machine != OurMachine && s.Machine != TapeMachine {
		return fmt.Errorf("machine is %q, want %q or %q", s.Machine, OurMachine, TapeMachine)
	}
	if s.Device == nil {
		d, err := device.Open("cpu")
		if err != nil {
			return err
		}
		s.Device = d
	}
	if s.Dropout > 0 && s.Device.Name() != "cpu" {
		return fmt.Errorf("dropout computes on the processor only, not on %s; want device cpu", s.Device.Name())
	}
	if s.Impl == Builtin && s.Device.Name() != "cpu" {
		return fmt.Errorf("built-in ops compute on the processor only, not on %s", s.Device.Name())
	}
	return nil
}

// widths returns the columns of the input and of each layer's output.
func (s *Spec) widths() []int {
	return append(append([]int{s.Inputs}, s.Hidden...), s.Outputs)
}

// maxParameters bounds a model to what memory can hold: 4 GiB of float32, and
// as much again for the gradients and for each moment of the optimizer.
const maxParameters = 1 << 30

// parametersOf returns the number of weights and biases as a float64, which
// widths of any size cannot overflow.
func parametersOf(widths []int) float64 {
	n := 0.0
	for i, out := range widths[1:] {
		n += (float64(widths[i]) + 1) * float64(out)
	}
	return n
}

// Spec returns what the model was built from, with defaults filled in.
func (m *Model) Spec() Spec { return m.spec }

// Parameters returns the number of weights and biases.
func (m *Model) Parameters() int {
	n := 0
	for _, w := range m.weights {
		n += w.Size()
	}
	return n
}

// Layer describes a linear layer of a model.
type Layer struct {
	Name       string `json:"name"`       // "linear1": what its learnables are called
	Inputs     int    `json:"inputs"`     // rows of the weight
	Outputs    int    `json:"outputs"`    // columns of the weight, length of the bias
	Activation string `json:"activation"` // "identity" for the last layer
	Parameters int    `json:"parameters"`
	// FLOP is how many multiplications and additions the forward pass takes for
	// a row, without the activation: 2·Inputs·Outputs, the bias included.
	FLOP int `json:"flop_per_row"`
}

// Layers describes the layers, from the input to the output.
func (m *Model) Layers() []Layer {
	var layers []Layer
	widths := m.spec.widths()
	for i, out := range widths[1:] {
		in, act := widths[i], m.spec.Activation
		if i+2 == len(widths) {
			act = layer.Identity
		}
		name, _ := strings.CutSuffix(m.names[2*i], ".weight")
		layers = append(layers, Layer{Name: name, Inputs: in, Outputs: out, Activation: act.String(), Parameters: (in + 1) * out, FLOP: 2 * in * out})
	}
	return layers
}

// Weights returns the learnables by name: "linear1.weight" [in, out] and
// "linear1.bias" [out] for the first layer, and so on. They are the model's
// own tensors, not copies.
func (m *Model) Weights() map[string]*tensor.Dense {
	byName := make(map[string]*tensor.Dense, len(m.names))
	for i, name := range m.names {
		byName[name] = m.weights[i]
	}
	return byName
}

// SetWeights copies values into the learnables, which must all be there under
// the names of Weights, with the same shapes and dtype, and no others.
func (m *Model) SetWeights(values map[string]*tensor.Dense) error {
	for i, name := range m.names {
		v := values[name]
		if v == nil {
			return fmt.Errorf("set weights: %q is missing", name)
		}
		if w := m.weights[i]; !slices.Equal(v.Shape(), w.Shape()) || v.Dtype() != w.Dtype() {
			return fmt.Errorf("set weights: %q is %v of shape %v, want %v of shape %v", name, v.Dtype(), v.Shape(), w.Dtype(), w.Shape())
		}
	}
	if len(values) > len(m.names) {
		known := m.Weights()
		for _, name := range slices.Sorted(maps.Keys(values)) {
			if known[name] == nil {
				return fmt.Errorf("set weights: %q is none of the model's, want %s", name, strings.Join(m.names, ", "))
			}
		}
	}
	if err := m.spec.Device.Sync(); err != nil {
		return fmt.Errorf("set weights: %w", err)
	}
	for i, name := range m.names {
		if err := tensor.Copy(m.weights[i], values[name]); err != nil {
			return fmt.Errorf("set weights: %q: %w", name, err)
		}
	}
	return nil
}

// TrainingGraph builds the graph of layers, loss and gradients for batches of
// the given number of rows, for those who want to count or draw its nodes. The
// graph that the model trains with has, besides these, copies of built-in ops'
// results that a TapeMachine would overwrite.
func (m *Model) TrainingGraph(rows int) (*gorgonia.ExprGraph, error) {
	g, _, _, err := m.lossGraph(graphKey{rows: rows})
	if err != nil {
		return nil, fmt.Errorf("training graph for %d rows: %w", rows, err)
	}
	return g.exprs, nil
}

// String describes the model: "2-16-16-2 relu, classification, 354 parameters, float32, fused on cpu".
func (m *Model) String() string {
	widths := make([]string, 0, len(m.spec.Hidden)+2)
	for _, w := range m.spec.widths() {
		widths = append(widths, fmt.Sprint(w))
	}
	layers := strings.Join(widths, "-")
	if len(m.spec.Hidden) > 0 {
		layers += " " + m.spec.Activation.String()
	}
	return fmt.Sprintf("%s, %v, %d parameters, %v, %s on %s", layers, m.spec.Task, m.Parameters(),
		m.spec.Dtype, m.spec.Impl, m.spec.Device.Name())
}

// finite reports whether all weights are finite numbers.
func (m *Model) finite() (bool, error) {
	for i, w := range m.weights {
		sum, err := m.sumOfSquares(w)
		if err != nil {
			return false, fmt.Errorf("%s: %w", m.names[i], err)
		}
		if !finite(sum) {
			return false, nil
		}
	}
	return true, nil
}

// sumOfSquares is finite if all elements are. The sum is one of float64,
// which squares of float32 cannot overflow; weights in float64 do from 1e154 on,
// if nothing is left to be trained either.
func (m *Model) sumOfSquares(w *tensor.Dense) (float64, error) {
	if m.spec.Dtype == tensor.Float32 {
		return m.spec.Device.Float32().SumOfSquares(w.Float32s())
	}
	return m.spec.Device.Float64().SumOfSquares(w.Float64s())
}

// copyWeights returns copies of all weights in host memory.
func (m *Model) copyWeights() (map[string]*tensor.Dense, error) {
	copies := make(map[string]*tensor.Dense, len(m.weights))
	for i, w := range m.weights {
		var backing any
		var err error
		if m.spec.Dtype == tensor.Float32 {
			backing, err = device.ToHost(m.spec.Device, w.Float32s())
		} else {
			backing, err = device.ToHost(m.spec.Device, w.Float64s())
		}
		if err != nil {
			return nil, fmt.Errorf("copy %s: %w", m.names[i], err)
		}
		copies[m.names[i]] = tensor.New(tensor.WithShape(w.Shape().Clone()...), tensor.WithBacking(backing))
	}
	return copies, nil
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// graph is a model's graph for one number of rows, with its machine. The
// values of its inputs are filled in place before a run.
type graph struct {
	exprs   *gorgonia.ExprGraph
	x       *tensor.Dense // features [rows, inputs]
	targets *tensor.Dense // [rows, outputs]
	output  *gorgonia.Node
	weight  *gorgonia.Node // what the mean loss is multiplied by, nil for 1
	params  *vm.Params
	vm      gorgonia.VM
	ran     bool // all memory that a run needs has been allocated
}

// graphKey is what the training graphs of a model differ in.
type graphKey struct {
	rows     int
	weighted bool
}

// trainingGraph returns the graph whose output is the mean loss of a batch and
// whose params are the weights with their gradients. A weighted one multiplies
// the loss by a number.
func (m *Model) trainingGraph(key graphKey) (*graph, error) {
	if g := m.training[key]; g != nil {
		return g, nil
	}
	g, err := m.newTrainingGraph(key)
	if err != nil {
		return nil, fmt.Errorf("training graph for %d rows: %w", key.rows, err)
	}
	m.training[key] = g
	return g, nil
}

func (m *Model) newTrainingGraph(key graphKey) (*graph, error) {
	g, learnables, grads, err := m.lossGraph(key)
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
func (m *Model) lossGraph(key graphKey) (g *graph, learnables, grads gorgonia.Nodes, err error) {
	rows := key.rows
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
	if key.weighted {
		g.weight = gorgonia.NewScalar(g.exprs, m.spec.Dtype, gorgonia.WithName("weight"))
		if g.output, err = gorgonia.Mul(g.output, g.weight); err != nil {
			return nil, nil, nil, err
		}
	}
	grads, err = gorgonia.Grad(g.output, learnables...)
	return g, learnables, grads, err
}

// forward builds the layers on the shared weights, as they are trained.
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
		if m.spec.Dropout > 0 && i+2 < len(m.weights) {
			name := layer.WithName(fmt.Sprintf("dropout%d", i/2+1))
			if g.output, err = layer.Dropout(g.output, m.spec.Dropout, m.masks, name, layer.WithDevice(m.spec.Device)); err != nil {
				return nil, nil, err
			}
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
