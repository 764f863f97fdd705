package train

import (
	"fmt"

	"github.com/affine-go/affine/internal/values"
	"github.com/affine-go/affine/layer/device"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// inferenceRows is the number of rows of the one graph that does all
// inference. Every row is computed at that size, whatever rows come with it.
const inferenceRows = 256

// Forward returns the model's outputs, logits or values [rows, outputs], for
// x [rows, inputs], row after row; any number of rows, in chunks, so that the
// device's memory does not grow with it.
func (m *Model) Forward(x []float64) ([]float64, error) {
	in, out := m.spec.Inputs, m.spec.Outputs
	if len(x)%in != 0 {
		return nil, fmt.Errorf("forward: got %d values, want rows of %d", len(x), in)
	}
	g, err := m.inferenceGraph()
	if err != nil {
		return nil, fmt.Errorf("forward: %w", err)
	}
	rows := len(x) / in
	y := make([]float64, rows*out)
	for first := 0; first < rows; first += inferenceRows {
		last := min(first+inferenceRows, rows)
		if err := m.forwardChunk(g, y[first*out:last*out], x[first*in:last*in]); err != nil {
			return nil, fmt.Errorf("forward: rows %d to %d: %w", first, last-1, err)
		}
	}
	return y, nil
}

func (m *Model) forwardChunk(g *graph, y, x []float64) error {
	if err := m.spec.Device.Sync(); err != nil {
		return err
	}
	if m.spec.Dtype == tensor.Float32 {
		return runOn[float32](m.spec.Device, g, y, x)
	}
	return runOn[float64](m.spec.Device, g, y, x)
}

// runOn computes y from the first rows of the graph's input. The host's and the
// device's work on their shared memory take turns.
func runOn[T device.Float](d device.Device, g *graph, y, x []float64) error {
	in, err := values.Elements[T](g.x)
	if err != nil {
		return err
	}
	for i, v := range x {
		in[i] = T(v)
	}
	if err := g.run(); err != nil {
		return err
	}
	if err := d.Sync(); err != nil {
		return err
	}
	out, err := values.Elements[T](g.output.Value())
	if err != nil {
		return err
	}
	for i := range y {
		y[i] = float64(out[i])
	}
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
