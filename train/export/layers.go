package export

import (
	"fmt"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/layer"
	"github.com/affine-go/affine/train"
	"gorgonia.org/tensor"
)

// dense is one layer, y = act(x·W + b).
type dense struct {
	in, out int
	w       []float64 // [in, out], row after row
	b       []float64 // [out]
	act     layer.Activation
}

// layersOf returns the layers of a predictor, the last one without an
// activation.
func layersOf(p *train.Predictor) ([]dense, error) {
	weights, err := p.Weights()
	if err != nil {
		return nil, err
	}
	spec := p.Spec()
	widths := append(append([]int{spec.Inputs}, spec.Hidden...), spec.Outputs)
	layers := make([]dense, len(widths)-1)
	for i := range layers {
		l := dense{in: widths[i], out: widths[i+1], act: spec.Activation}
		if i == len(layers)-1 {
			l.act = layer.Identity
		}
		l.w = numbers(weights[fmt.Sprintf("linear%d.weight", i+1)])
		l.b = numbers(weights[fmt.Sprintf("linear%d.bias", i+1)])
		layers[i] = l
	}
	return layers, nil
}

// numbers returns the elements of t, to which float64 is wide enough.
func numbers(t *tensor.Dense) []float64 {
	if t.Dtype() == tensor.Float64 {
		return t.Float64s()
	}
	wide := make([]float64, t.Size())
	for i, v := range t.Float32s() {
		wide[i] = float64(v)
	}
	return wide
}

// scaling returns offset and scale of each column: (x − offset)/scale.
func scaling(s *datasets.Scaler) (offset, scale []float64) {
	if s == nil {
		return nil, nil
	}
	return s.Offset(), s.Scale()
}
