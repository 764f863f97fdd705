package train_test

import (
	"fmt"
	"hash"
	"hash/fnv"
	"math"
	"testing"

	"github.com/chewxy/hm"

	"github.com/affine-go/affine/layer"
	"github.com/affine-go/affine/layer/device"
	"github.com/affine-go/affine/train"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// must ends the test at an error that it is not about.
func must(t interface{ Fatal(...any) }, err error) {
	if t, ok := t.(testing.TB); ok {
		t.Helper()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// processor opens the processor.
func processor(t interface{ Fatal(...any) }) device.Device {
	d, err := device.Open("cpu")
	must(t, err)
	return d
}

// devices opens every device that there is: the processor, and a CUDA card
// where the program is built for one and has one.
func devices(t testing.TB) []device.Device {
	t.Helper()
	list := []device.Device{processor(t)}
	if cuda, err := device.Open("cuda"); err == nil {
		list = append(list, cuda)
	}
	return list
}

// waves returns a tensor of numbers in [−1, 1] that seed determines.
func waves(dt tensor.Dtype, seed float64, shape ...int) *tensor.Dense {
	t := tensor.New(tensor.WithShape(shape...), tensor.Of(dt))
	for i := range tensor.Shape(shape).TotalSize() {
		x := math.Sin(seed + 1.7*float64(i))
		if dt == tensor.Float32 {
			t.Float32s()[i] = float32(x)
		} else {
			t.Float64s()[i] = x
		}
	}
	return t
}

// numbers returns the elements of v in row-major order.
func numbers(v gorgonia.Value) []float64 {
	if t, ok := v.(*tensor.Dense); ok && t.IsMaterializable() {
		v = t.Materialize().(*tensor.Dense)
	}
	switch data := v.Data().(type) {
	case float64:
		return []float64{data}
	case float32:
		return []float64{float64(data)}
	case []float64:
		return data
	case []float32:
		out := make([]float64, len(data))
		for i, x := range data {
			out[i] = float64(x)
		}
		return out
	}
	return nil
}

// sameNumbers reports whether a and b hold the same numbers. NaN is the same
// as NaN, and −0 as 0.
func sameNumbers(a, b gorgonia.Value) bool {
	x, y := numbers(a), numbers(b)
	if len(x) != len(y) {
		return false
	}
	for i := range x {
		if x[i] != y[i] && !(x[i] != x[i] && y[i] != y[i]) {
			return false
		}
	}
	return true
}

// valuesOf returns copies of the values of nodes.
func valuesOf(t interface{ Fatal(...any) }, nodes gorgonia.Nodes) []gorgonia.Value {
	out := make([]gorgonia.Value, len(nodes))
	for i, n := range nodes {
		v, err := gorgonia.CloneValue(n.Value())
		must(t, err)
		out[i] = v
	}
	return out
}

// opOf is a unary op of type a → a made of a function; bufferedOpOf passes on
// the value that the machine kept.
type opOf struct {
	name string
	do   func(prev, in gorgonia.Value) (gorgonia.Value, error)
}

type bufferedOpOf struct{ opOf }

func (op *opOf) Arity() int            { return 1 }
func (op *opOf) ReturnsPtr() bool      { return false }
func (op *opOf) CallsExtern() bool     { return false }
func (op *opOf) OverwritesInput() int  { return -1 }
func (op *opOf) String() string        { return op.name }
func (op *opOf) WriteHash(h hash.Hash) { fmt.Fprint(h, op.name) }

func (op *opOf) Hashcode() uint32 {
	h := fnv.New32a()
	op.WriteHash(h)
	return h.Sum32()
}

func (op *opOf) Type() hm.Type {
	a := hm.TypeVariable('a')
	return hm.NewFnType(a, a)
}

func (op *opOf) InferShape(in ...gorgonia.DimSizer) (tensor.Shape, error) {
	return in[0].(tensor.Shape).Clone(), nil
}

func (op *opOf) Do(in ...gorgonia.Value) (gorgonia.Value, error) { return op.do(nil, in[0]) }

func (op *bufferedOpOf) DoInto(prev gorgonia.Value, in ...gorgonia.Value) (gorgonia.Value, error) {
	return op.do(prev, in[0])
}

// apply adds a node that computes do. With buffered, the op is a BufferedOp.
func apply(t testing.TB, name string, buffered bool, x *gorgonia.Node, do func(prev, in gorgonia.Value) (gorgonia.Value, error)) *gorgonia.Node {
	t.Helper()
	var op gorgonia.Op = &opOf{name, do}
	if buffered {
		op = &bufferedOpOf{opOf{name, do}}
	}
	n, err := gorgonia.ApplyOp(op, x)
	must(t, err)
	return n
}

// addOne writes in + 1 to prev, or to a new tensor.
func addOne(prev, in gorgonia.Value) (gorgonia.Value, error) {
	out, ok := prev.(*tensor.Dense)
	if !ok {
		out = tensor.New(tensor.WithShape(in.Shape()...), tensor.Of(tensor.Float64))
	}
	for i, x := range in.(*tensor.Dense).Float64s() {
		out.Float64s()[i] = x + 1
	}
	return out, nil
}

// keep returns prev, or a copy of its argument: an op without work.
func keep(prev, in gorgonia.Value) (gorgonia.Value, error) {
	if prev != nil {
		return prev, nil
	}
	return gorgonia.CloneValue(in)
}

// network is a classifier of this module's layers with its gradients.
type network struct {
	graph      *gorgonia.ExprGraph
	x, targets *gorgonia.Node
	learnables gorgonia.Nodes
	loss       *gorgonia.Node
	grads      gorgonia.Nodes
}

// newNetwork builds a network of the given widths, with inputs and weights
// that are the same at every call.
func newNetwork(t testing.TB, dt tensor.Dtype, batch int, dims ...int) *network {
	t.Helper()
	n := &network{graph: gorgonia.NewGraph()}
	last := dims[len(dims)-1]
	n.x = gorgonia.NewMatrix(n.graph, dt, gorgonia.WithShape(batch, dims[0]),
		gorgonia.WithName("x"), gorgonia.WithValue(waves(dt, 1, batch, dims[0])))
	targets := tensor.New(tensor.WithShape(batch, last), tensor.Of(dt))
	for i := range batch {
		if dt == tensor.Float32 {
			targets.Float32s()[i*last+i%last] = 1
		} else {
			targets.Float64s()[i*last+i%last] = 1
		}
	}
	n.targets = gorgonia.NewMatrix(n.graph, dt, gorgonia.WithShape(batch, last),
		gorgonia.WithName("targets"), gorgonia.WithValue(targets))
	h := n.x
	for i, out := range dims[1:] {
		opts := []layer.Option{layer.WithDtype(dt), layer.WithSeed(1)}
		if i+2 < len(dims) {
			opts = append(opts, layer.WithActivation(layer.Tanh))
		}
		if i == 0 {
			opts = append(opts, layer.WithoutInputGrad())
		}
		l, err := layer.NewLinear(n.graph, dims[i], out, opts...)
		must(t, err)
		h, err = l.Fwd(h)
		must(t, err)
		n.learnables = append(n.learnables, l.Learnables()...)
	}
	var err error
	n.loss, err = layer.SoftmaxCrossEntropy(h, n.targets)
	must(t, err)
	return n
}

// differentiate adds the gradient nodes.
func (n *network) differentiate(t testing.TB) *network {
	t.Helper()
	var err error
	n.grads, err = gorgonia.Grad(n.loss, n.learnables...)
	must(t, err)
	return n
}

// machine returns a Machine for loss and gradients, and the Params to step.
func (n *network) machine(t testing.TB) (*train.Machine, *train.Params) {
	t.Helper()
	params, err := train.NewParams(n.learnables, n.grads)
	must(t, err)
	m, err := train.NewMachine(n.graph, train.WithOutputs(n.loss), train.WithOutputs(params.Gradients()...))
	must(t, err)
	return m, params
}
