package export

import (
	"encoding/json"
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

// columns are how a model takes the columns of a table: the JSON form of
// [datasets.Encoding]. nil stands for a model that takes features as they are.
type columns struct {
	Missing datasets.Missing `json:"missing"`
	Columns []column         `json:"columns"`
}

type column struct {
	Name       string        `json:"name"`
	Kind       datasets.Kind `json:"kind"`
	Fill       float64       `json:"fill"`
	Indicator  bool          `json:"indicator"`
	Categories []string      `json:"categories"`
	Other      bool          `json:"other"`
}

func columnsOf(p *train.Predictor) (*columns, error) {
	if p.Schema.Encoding == nil {
		return nil, nil
	}
	text, err := json.Marshal(p.Schema.Encoding)
	if err != nil {
		return nil, err
	}
	var c columns
	return &c, json.Unmarshal(text, &c)
}

// refuse reports whether a missing value is an error.
func (c *columns) refuse() bool { return c != nil && c.Missing == datasets.RefuseMissing }

// has reports whether there is a column of a kind.
func (c *columns) has(kind datasets.Kind) bool {
	if c == nil {
		return false
	}
	for _, column := range c.Columns {
		if column.Kind == kind {
			return true
		}
	}
	return false
}
