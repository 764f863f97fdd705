// Package nettest holds what the tests of several rooms share: small networks,
// values and checks.
package nettest

import (
	"fmt"
	"hash"
	"hash/fnv"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/chewxy/hm"

	"github.com/affine-go/affine/layer"
	"github.com/affine-go/affine/layer/device"
	"github.com/affine-go/affine/train/optim"
	"github.com/affine-go/affine/train/vm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Must ends the test at an error that it is not about.
func Must(t interface{ Fatal(...any) }, err error) {
	if t, ok := t.(testing.TB); ok {
		t.Helper()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Processor opens the processor.
func Processor(t interface{ Fatal(...any) }) device.Device {
	d, err := device.Open("cpu")
	Must(t, err)
	return d
}

// Devices opens every device that there is: the processor, and a CUDA card
// if the program is built for one and has one.
func Devices(t testing.TB) []device.Device {
	t.Helper()
	list := []device.Device{Processor(t)}
	if cuda, err := device.Open("cuda"); err == nil {
		list = append(list, cuda)
	}
	return list
}

// Waves returns a tensor of numbers in [−1, 1] that seed determines.
func Waves(dt tensor.Dtype, seed float64, shape ...int) *tensor.Dense {
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

// Numbers returns the elements of v in row-major order.
func Numbers(v gorgonia.Value) []float64 {
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

// SameNumbers reports whether a and b hold the same numbers. NaN is the same
// as NaN, and −0 as 0.
func SameNumbers(a, b gorgonia.Value) bool {
	x, y := Numbers(a), Numbers(b)
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

// ValuesOf returns copies of the values of nodes.
func ValuesOf(t interface{ Fatal(...any) }, nodes gorgonia.Nodes) []gorgonia.Value {
	out := make([]gorgonia.Value, len(nodes))
	for i, n := range nodes {
		v, err := gorgonia.CloneValue(n.Value())
		Must(t, err)
		out[i] = v
	}
	return out
}

// opOf is a unary op of type a → a made of a function; bufferedopOf passes on
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

// Apply adds a node that computes do. With buffered, the op is a BufferedOp.
func Apply(t testing.TB, name string, buffered bool, x *gorgonia.Node, do func(prev, in gorgonia.Value) (gorgonia.Value, error)) *gorgonia.Node {
	t.Helper()
	var op gorgonia.Op = &opOf{name, do}
	if buffered {
		op = &bufferedOpOf{opOf{name, do}}
	}
	n, err := gorgonia.ApplyOp(op, x)
	Must(t, err)
	return n
}

// AddOne writes in + 1 to prev, or to a new tensor.
func AddOne(prev, in gorgonia.Value) (gorgonia.Value, error) {
	out, ok := prev.(*tensor.Dense)
	if !ok {
		out = tensor.New(tensor.WithShape(in.Shape()...), tensor.Of(tensor.Float64))
	}
	for i, x := range in.(*tensor.Dense).Float64s() {
		out.Float64s()[i] = x + 1
	}
	return out, nil
}

// Keep returns prev, or a copy of its argument: an op without work.
func Keep(prev, in gorgonia.Value) (gorgonia.Value, error) {
	if prev != nil {
		return prev, nil
	}
	return gorgonia.CloneValue(in)
}

// Network is a classifier of this module's layers with its gradients.
type Network struct {
	Graph      *gorgonia.ExprGraph
	X, Targets *gorgonia.Node
	Learnables gorgonia.Nodes
	Loss       *gorgonia.Node
	Grads      gorgonia.Nodes
}

// NewNetwork builds a network of the given widths, with inputs and weights
// that are the same at every call.
func NewNetwork(t testing.TB, dt tensor.Dtype, batch int, dims ...int) *Network {
	t.Helper()
	n := &Network{Graph: gorgonia.NewGraph()}
	last := dims[len(dims)-1]
	n.X = gorgonia.NewMatrix(n.Graph, dt, gorgonia.WithShape(batch, dims[0]),
		gorgonia.WithName("x"), gorgonia.WithValue(Waves(dt, 1, batch, dims[0])))
	targets := tensor.New(tensor.WithShape(batch, last), tensor.Of(dt))
	for i := range batch {
		if dt == tensor.Float32 {
			targets.Float32s()[i*last+i%last] = 1
		} else {
			targets.Float64s()[i*last+i%last] = 1
		}
	}
	n.Targets = gorgonia.NewMatrix(n.Graph, dt, gorgonia.WithShape(batch, last),
		gorgonia.WithName("targets"), gorgonia.WithValue(targets))
	h := n.X
	for i, out := range dims[1:] {
		opts := []layer.Option{layer.WithDtype(dt), layer.WithSeed(1)}
		if i+2 < len(dims) {
			opts = append(opts, layer.WithActivation(layer.Tanh))
		}
		if i == 0 {
			opts = append(opts, layer.WithoutInputGrad())
		}
		l, err := layer.NewLinear(n.Graph, dims[i], out, opts...)
		Must(t, err)
		h, err = l.Fwd(h)
		Must(t, err)
		n.Learnables = append(n.Learnables, l.Learnables()...)
	}
	var err error
	n.Loss, err = layer.SoftmaxCrossEntropy(h, n.Targets)
	Must(t, err)
	return n
}

// Differentiate adds the gradient nodes.
func (n *Network) Differentiate(t testing.TB) *Network {
	t.Helper()
	var err error
	n.Grads, err = gorgonia.Grad(n.Loss, n.Learnables...)
	Must(t, err)
	return n
}

// Machine returns a Machine for loss and gradients, and the Params to step.
func (n *Network) Machine(t testing.TB) (*vm.Machine, *vm.Params) {
	t.Helper()
	params, err := vm.NewParams(n.Learnables, n.Grads)
	Must(t, err)
	m, err := vm.New(n.Graph, vm.WithOutputs(n.Loss), vm.WithOutputs(params.Gradients()...))
	Must(t, err)
	return m, params
}

// Fails checks that err is one line that holds every one of the words.
func Fails(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", words)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("error %q does not say %q", err, word)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("error %q has more than one line", err)
	}
}

func NewSGD(t *testing.T) *optim.Optimizer {
	t.Helper()
	o, err := optim.NewSGD(optim.WithLR(0.1))
	Must(t, err)
	return o
}

// Steps runs machine and solver alternately and returns the losses.
func Steps(t *testing.T, count int, vm gorgonia.VM, solver gorgonia.Solver, model []gorgonia.ValueGrad, loss *gorgonia.Node) []float64 {
	t.Helper()
	var losses []float64
	for range count {
		Must(t, vm.RunAll())
		losses = append(losses, Numbers(loss.Value())[0])
		Must(t, solver.Step(model))
		vm.Reset()
	}
	return losses
}

// Long reports whether tests that take long are to be run: AFFINE_TEST_LONG is
// set and not 0.
func Long() bool {
	v := os.Getenv("AFFINE_TEST_LONG")
	return v != "" && v != "0"
}
