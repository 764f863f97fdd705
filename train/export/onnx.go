package export

import (
	"fmt"
	"math"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/layer"
	"github.com/affine-go/affine/layer/device"
	"github.com/affine-go/affine/train"
	"gorgonia.org/tensor"
)

// Names of the inputs and outputs of an exported graph.
const (
	ONNXInput         = "features"      // float32 [rows, features], as the dataset has them; of a table, its columns of numbers
	ONNXCategories    = "categories"    // string [rows, columns], the categorical columns of a table
	ONNXProbabilities = "probabilities" // [rows, classes], for classification
	ONNXClass         = "class"         // int64 [rows], the most probable class's index
	ONNXValue         = "value"         // [rows, 1], for regression
)

// The versions of ONNX's operators that graphs are written in: texts can be
// compared from 19 on.
const (
	onnxOpset     = 17
	onnxTextOpset = 19
)

// ONNX returns a model file of the Open Neural Network Exchange (opset 17) that
// computes what [train.Predictor.Predict] does: scaling in float64, the layers in
// the model's dtype, then softmax, or the inverse of the targets' scaling. The
// number of rows is dynamic. The names of features and classes stand in the
// metadata under "features" and "classes", as JSON.
//
// A model that was trained on a table takes its raw columns, named in the
// metadata under the names of the inputs: numbers (NaN for a missing one, 0 and 1
// for a boolean, days since 1970-01-01 for a date) and, if there are categorical
// ones, texts ("" for a missing one; opset 19). Where the training refused
// missing values, they make the outputs NaN, and a missing text is a category
// that is not known.
func ONNX(p *train.Predictor) ([]byte, error) {
	layers, err := layersOf(p)
	if err != nil {
		return nil, fmt.Errorf("export onnx: %w", err)
	}
	g := &onnxGraph{element: onnxFloat, opset: onnxOpset}
	if p.Spec().Dtype == tensor.Float64 {
		g.element = onnxDouble
	}
	names, err := g.encode(p)
	if err != nil {
		return nil, fmt.Errorf("export onnx: %w", err)
	}
	offset, scale := scaling(p.Features)
	g.binary("Sub", g.constant("offset", onnxDouble, offset, len(offset)))
	g.binary("Div", g.constant("scale", onnxDouble, scale, len(scale)))
	g.cast(g.element)
	for i, l := range layers {
		w := g.constant(fmt.Sprintf("linear%d.weight", i+1), g.element, l.w, l.in, l.out)
		b := g.constant(fmt.Sprintf("linear%d.bias", i+1), g.element, l.b, l.out)
		g.value = g.node("Gemm", []string{g.value, w, b})
		if err := g.activation(l.act); err != nil {
			return nil, fmt.Errorf("export onnx: %w", err)
		}
	}
	if p.Schema.Task == datasets.Regression {
		g.cast(onnxDouble)
		offset, scale := scaling(p.Targets)
		g.binary("Mul", g.constant("target_scale", onnxDouble, scale, len(scale)))
		g.binary("Add", g.constant("target_offset", onnxDouble, offset, len(offset)))
		g.cast(g.element)
		g.output(ONNXValue, g.element, 1)
	} else {
		logits := g.value
		g.value = g.node("ArgMax", []string{logits}, onnxInt("axis", 1), onnxInt("keepdims", 0))
		g.output(ONNXClass, onnxInt64)
		g.value = g.node("Softmax", []string{logits}, onnxInt("axis", 1))
		g.output(ONNXProbabilities, g.element, len(p.Schema.Classes))
	}
	return g.model(p, names)
}

// encode makes value the features of the model, from inputs that it adds, and
// returns the names of the columns of each input.
func (g *onnxGraph) encode(p *train.Predictor) (names map[string][]string, err error) {
	c, err := columnsOf(p)
	if err != nil {
		return nil, err
	}
	if c == nil {
		g.value = ONNXInput
		g.inputs = append(g.inputs, onnxValue(ONNXInput, onnxFloat, len(p.Schema.Features)))
		g.cast(onnxDouble)
		return map[string][]string{ONNXInput: p.Schema.Features}, nil
	}
	names = map[string][]string{}
	var numeric, categorical []column
	for _, column := range c.Columns {
		if column.Kind == datasets.Categorical {
			categorical = append(categorical, column)
			names[ONNXCategories] = append(names[ONNXCategories], column.Name)
		} else {
			numeric = append(numeric, column)
			names[ONNXInput] = append(names[ONNXInput], column.Name)
		}
	}
	// All that can become a feature, side by side, and the place there of the
	// features of each column.
	var parts []string
	wide := 0
	add := func(part string, columns int) (first int) {
		parts = append(parts, part)
		wide += columns
		return wide - columns
	}
	places := map[string][]float64{}
	asDouble := func(bools string) string { return g.node("Cast", []string{bools}, onnxInt("to", onnxDouble)) }
	if n := len(numeric); n > 0 {
		g.inputs = append(g.inputs, onnxValue(ONNXInput, onnxFloat, n))
		x := asDouble(ONNXInput)
		missing := g.node("IsNaN", []string{x})
		if !c.refuse() {
			fills := make([]float64, n)
			for i, column := range numeric {
				fills[i] = column.Fill
			}
			x = g.node("Where", []string{missing, g.constant("fill", onnxDouble, fills, n), x})
		}
		values, indicators := add(x, n), add(asDouble(missing), n)
		for i, column := range numeric {
			places[column.Name] = append(places[column.Name], float64(values+i))
			if column.Indicator {
				places[column.Name] = append(places[column.Name], float64(indicators+i))
			}
		}
	}
	if n := len(categorical); n > 0 {
		g.opset = onnxTextOpset
		g.inputs = append(g.inputs, onnxValue(ONNXCategories, onnxString, n))
		x := ONNXCategories
		missing := g.node("Equal", []string{x, g.texts("missing", []string{""}, 1)})
		if !c.refuse() {
			fills := make([]string, n)
			for i, column := range categorical {
				fills[i] = column.Categories[int(column.Fill)]
			}
			x = g.node("Where", []string{missing, g.texts("fill_categories", fills, n), x})
		}
		indicators := add(asDouble(missing), n)
		for i, column := range categorical {
			cell := g.node("Gather", []string{x, g.constant(fmt.Sprintf("column_%d", i), onnxInt64, []float64{float64(i)}, 1)}, onnxInt("axis", 1))
			k := len(column.Categories)
			hot := asDouble(g.node("Equal", []string{cell, g.texts(fmt.Sprintf("categories_%d", i), column.Categories, 1, k)}))
			first := add(hot, k)
			for j := range k {
				places[column.Name] = append(places[column.Name], float64(first+j))
			}
			if column.Other {
				known := g.node("ReduceSum", []string{hot, g.constant(fmt.Sprintf("axis_%d", i), onnxInt64, []float64{1}, 1)})
				other := add(g.node("Sub", []string{g.constant(fmt.Sprintf("one_%d", i), onnxDouble, []float64{1}), known}), 1)
				places[column.Name] = append(places[column.Name], float64(other))
			}
			if column.Indicator {
				places[column.Name] = append(places[column.Name], float64(indicators+i))
			}
		}
	}
	var order []float64
	for _, column := range c.Columns {
		order = append(order, places[column.Name]...)
	}
	all := g.node("Concat", parts, onnxInt("axis", 1))
	g.value = g.node("Gather", []string{all, g.constant("order", onnxInt64, order, len(order))}, onnxInt("axis", 1))
	return names, nil
}

// activation adds the nodes of y = act(value).
func (g *onnxGraph) activation(act layer.Activation) error {
	z := g.value
	switch spec := act.Spec(); spec.Kind {
	case device.Identity:
	case device.ReLU:
		g.value = g.node("Relu", []string{z})
	case device.LeakyReLU:
		g.value = g.node("LeakyRelu", []string{z}, onnxReal("alpha", spec.Alpha))
	case device.Tanh:
		g.value = g.node("Tanh", []string{z})
	case device.Sigmoid:
		g.value = g.node("Sigmoid", []string{z})
	case device.SiLU:
		g.value = g.node("Sigmoid", []string{z})
		g.binary("Mul", z)
	case device.GELU: // z·(1 + erf(z/√2))/2; the runtimes know erf for float32 only
		g.binary("Mul", g.scalar(math.Sqrt2/2))
		g.cast(onnxFloat)
		g.value = g.node("Erf", []string{g.value})
		g.cast(g.element)
		g.binary("Add", g.scalar(1))
		g.binary("Mul", g.scalar(0.5))
		g.binary("Mul", z)
	case device.Softplus: // z if βz > threshold, else (max(βz, 0) + log(1 + e^−|βz|))/β
		g.binary("Mul", g.scalar(spec.Beta))
		u := g.value
		positive := g.node("Relu", []string{u})
		beyond := g.node("Greater", []string{u, g.scalar(spec.Threshold)})
		g.value = g.node("Exp", []string{g.node("Neg", []string{g.node("Abs", []string{u})})})
		g.binary("Add", g.scalar(1))
		g.value = g.node("Log", []string{g.value})
		g.binary("Add", positive)
		g.binary("Div", g.scalar(spec.Beta))
		g.value = g.node("Where", []string{beyond, z, g.value})
	default:
		return fmt.Errorf("activation %v has no form in ONNX here", act)
	}
	return nil
}
