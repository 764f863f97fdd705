// Package network computes what a multi-layer perceptron answers, without a graph.
package network

import (
	"fmt"
	"sync"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/internal/values"
	"github.com/affine-go/affine/layer"
	"github.com/affine-go/affine/layer/device"
	"gorgonia.org/tensor"
)

// Network computes the outputs of a model's layers by calls to the device, one
// after another, without a graph. It only reads the weights: any number of
// goroutines may call it while nobody writes them.
//
// The bits of a row do not depend on the rows that come with it, nor on how
// they are cut into chunks: the device adds the terms of a sum in an order that
// depends on its length alone.
type Network interface {
	// Forward computes y [rows, outputs] from x [rows, inputs], which scaler,
	// if there is one, scales on the way.
	Forward(y, x []float64, scaler *datasets.Scaler) error
}

// networkOf is a Network with elements of type T.
type networkOf[T device.Float] struct {
	device  device.Device
	kernels device.Kernels[T]
	layers  []linear[T]
	widest  int // columns of the widest hidden layer

	mu   sync.Mutex
	idle []*workspace[T]
}

// linear is one layer, Y = act(X·W + b).
type linear[T device.Float] struct {
	w   device.Matrix[T] // [in, out]
	b   []T              // [out]
	act device.Activation
}

// workspace is what one call of Forward computes in. Inputs and outputs lie in
// the host's memory, which a card copies them from and to; what lies between
// never leaves the device.
type workspace[T device.Float] struct {
	scaled []float64
	x, y   []T
	hidden [2][]T
}

const (
	// chunkElements is the most elements of the widest layer that are computed
	// at a time: 1 MiB of float32, which stays in a core's cache between two
	// layers.
	chunkElements = 1 << 18
	// maxIdle is the most workspaces that are kept for later calls.
	maxIdle = 64
)

// Layers describes the layers of a network.
type Layers struct {
	Device device.Device
	Widths []int            // inputs, hidden layers, outputs
	Hidden layer.Activation // of all layers but the last, which has none
}

// New makes a network of the weights W [in, out] and b [out] of each layer, which
// follow each other and are all of one type. It keeps them, not a copy.
func New(l Layers, weights []*tensor.Dense) (Network, error) {
	if weights[0].Dtype() == tensor.Float32 {
		return newNetwork[float32](l, weights)
	}
	return newNetwork[float64](l, weights)
}

func newNetwork[T device.Float](l Layers, weights []*tensor.Dense) (Network, error) {
	n := &networkOf[T]{device: l.Device, kernels: device.For[T](l.Device)}
	for i, out := range l.Widths[1:] {
		w, err := values.Elements[T](weights[2*i])
		if err != nil {
			return nil, err
		}
		b, err := values.Elements[T](weights[2*i+1])
		if err != nil {
			return nil, err
		}
		act := l.Hidden
		if i+2 == len(l.Widths) {
			act = layer.Identity
		} else {
			n.widest = max(n.widest, out)
		}
		n.layers = append(n.layers, linear[T]{device.MatrixOf(w, l.Widths[i], out), b, act.Spec()})
	}
	return n, nil
}

func (n *networkOf[T]) inputs() int  { return n.layers[0].w.Rows }
func (n *networkOf[T]) outputs() int { return n.layers[len(n.layers)-1].w.Cols }

func (n *networkOf[T]) Forward(y, x []float64, scaler *datasets.Scaler) error {
	in, out := n.inputs(), n.outputs()
	rows := len(x) / in
	chunk := min(rows, max(16, chunkElements/max(in, n.widest, out)))
	w, err := n.take(chunk)
	if err != nil {
		return err
	}
	for first := 0; first < rows && err == nil; first += chunk {
		last := min(first+chunk, rows)
		if err = n.rows(w, y[first*out:last*out], x[first*in:last*in], scaler); err != nil {
			err = fmt.Errorf("rows %d to %d: %w", first, last-1, err)
		}
	}
	n.give(w)
	return err
}

// rows computes rows that the workspace has room for.
func (n *networkOf[T]) rows(w *workspace[T], y, x []float64, scaler *datasets.Scaler) error {
	if scaler != nil {
		copy(w.scaled, x)
		x = w.scaled[:len(x)]
		if err := scaler.Transform(x); err != nil {
			return err
		}
	}
	for i, v := range x {
		w.x[i] = T(v)
	}
	rows := len(x) / n.inputs()
	from := device.MatrixOf(w.x[:len(x)], rows, n.inputs())
	for i := range n.layers {
		l := &n.layers[i]
		room := w.hidden[i%2]
		if i == len(n.layers)-1 {
			room = w.y
		}
		to := device.MatrixOf(room[:rows*l.w.Cols], rows, l.w.Cols)
		if err := n.kernels.Linear(to, device.Matrix[T]{}, from, l.w, l.b, l.act); err != nil {
			return fmt.Errorf("layer %d: %w", i+1, err)
		}
		from = to
	}
	if err := n.device.Sync(); err != nil {
		return err
	}
	for i := range y {
		y[i] = float64(w.y[i])
	}
	return nil
}

// take returns a workspace for so many rows that nobody else uses.
func (n *networkOf[T]) take(rows int) (*workspace[T], error) {
	var w *workspace[T]
	n.mu.Lock()
	if last := len(n.idle) - 1; last >= 0 {
		w, n.idle = n.idle[last], n.idle[:last]
	}
	n.mu.Unlock()
	if w == nil {
		w = new(workspace[T])
	}
	if len(w.x) >= rows*n.inputs() {
		return w, nil
	}
	n.free(w)
	w.scaled = make([]float64, rows*n.inputs())
	w.x, w.y = make([]T, rows*n.inputs()), make([]T, rows*n.outputs())
	for i := range w.hidden {
		var err error
		if w.hidden[i], err = n.kernels.Alloc(rows * n.widest); err != nil {
			n.free(w)
			return nil, err
		}
	}
	return w, nil
}

// give keeps a workspace for the next call.
func (n *networkOf[T]) give(w *workspace[T]) {
	n.mu.Lock()
	keep := len(n.idle) < maxIdle
	if keep {
		n.idle = append(n.idle, w)
	}
	n.mu.Unlock()
	if !keep {
		n.free(w)
	}
}

func (n *networkOf[T]) free(w *workspace[T]) {
	for i := range w.hidden {
		n.kernels.Free(w.hidden[i])
		w.hidden[i] = nil
	}
	w.x = nil
}
