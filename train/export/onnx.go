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
	ONNXInput         = "features"      // float32 [rows, features], as the dataset has them
	ONNXProbabilities = "probabilities" // [rows, classes], for classification
	ONNXClass         = "class"         // int64 [rows], the most probable class's index
	ONNXValue         = "value"         // [rows, 1], for regression
)

// onnxOpset is the version of ONNX's operators that the graph is written in.
const onnxOpset = 17

// ONNX returns a model file of the Open Neural Network Exchange (opset 17) that
// computes what [train.Predictor.Predict] does: scaling in float64, the layers in
// the model's dtype, then softmax, or the inverse of the targets' scaling. The
// number of rows is dynamic. The names of features and classes stand in the
// metadata under "features" and "classes", as JSON.
func ONNX(p *train.Predictor) ([]byte, error) {
	layers, err := layersOf(p)
	if err != nil {
		return nil, fmt.Errorf("export onnx: %w", err)
	}
	g := &onnxGraph{element: onnxFloat, value: ONNXInput}
	if p.Spec().Dtype == tensor.Float64 {
		g.element = onnxDouble
	}
	g.cast(onnxDouble)
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
	return g.model(p)
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
