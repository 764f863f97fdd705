package export

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/affine-go/affine/train"
	"google.golang.org/protobuf/encoding/protowire"
)

// The messages of onnx.proto (ONNX 1.12, IR version 8) that a graph of dense
// layers needs, written field by field.

// Element types, TensorProto.DataType.
const (
	onnxFloat  = 1
	onnxInt64  = 7
	onnxString = 8
	onnxDouble = 11
)

// message is an encoded protobuf message.
type message []byte

func (m *message) int(field protowire.Number, v int64) {
	*m = protowire.AppendVarint(protowire.AppendTag(*m, field, protowire.VarintType), uint64(v))
}

func (m *message) float(field protowire.Number, v float32) {
	*m = protowire.AppendFixed32(protowire.AppendTag(*m, field, protowire.Fixed32Type), math.Float32bits(v))
}

func (m *message) bytes(field protowire.Number, v []byte) {
	*m = protowire.AppendBytes(protowire.AppendTag(*m, field, protowire.BytesType), v)
}

func (m *message) text(field protowire.Number, v string) { m.bytes(field, []byte(v)) }

// onnxGraph grows node by node; value is the name of the last result.
type onnxGraph struct {
	element int64 // of the layers
	opset   int64
	value   string
	inputs  []message
	nodes   []message
	tensors []message
	outputs []message
	count   int
}

// node adds a NodeProto and returns the name of its result.
func (g *onnxGraph) node(op string, inputs []string, attributes ...message) string {
	g.count++
	name := fmt.Sprintf("%s_%d", op, g.count)
	var n message
	for _, in := range inputs {
		n.text(1, in)
	}
	n.text(2, name)
	n.text(3, name)
	n.text(4, op)
	for _, a := range attributes {
		n.bytes(5, a)
	}
	g.nodes = append(g.nodes, n)
	return name
}

// binary makes value the result of op on value and other.
func (g *onnxGraph) binary(op, other string) { g.value = g.node(op, []string{g.value, other}) }

// cast converts value.
func (g *onnxGraph) cast(element int64) {
	g.value = g.node("Cast", []string{g.value}, onnxInt("to", element))
}

// onnxInt and onnxReal are AttributeProtos.
func onnxInt(name string, v int64) message {
	var a message
	a.text(1, name)
	a.int(3, v)
	a.int(20, 2) // INT
	return a
}

func onnxReal(name string, v float64) message {
	var a message
	a.text(1, name)
	a.float(2, float32(v))
	a.int(20, 1) // FLOAT
	return a
}

// constant adds a TensorProto and returns its name.
func (g *onnxGraph) constant(name string, element int64, v []float64, shape ...int) string {
	var t message
	for _, n := range shape {
		t.int(1, int64(n))
	}
	t.int(2, element)
	t.text(8, name)
	raw := make([]byte, 0, 8*len(v))
	for _, x := range v {
		switch element {
		case onnxDouble:
			raw = binary.LittleEndian.AppendUint64(raw, math.Float64bits(x))
		case onnxInt64:
			raw = binary.LittleEndian.AppendUint64(raw, uint64(x))
		default:
			raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(float32(x)))
		}
	}
	t.bytes(9, raw)
	g.tensors = append(g.tensors, t)
	return name
}

// texts is constant for texts.
func (g *onnxGraph) texts(name string, v []string, shape ...int) string {
	var t message
	for _, n := range shape {
		t.int(1, int64(n))
	}
	t.int(2, onnxString)
	for _, text := range v {
		t.text(6, text)
	}
	t.text(8, name)
	g.tensors = append(g.tensors, t)
	return name
}

// scalar adds a number of the layers' type.
func (g *onnxGraph) scalar(v float64) string {
	g.count++
	return g.constant(fmt.Sprintf("number_%d", g.count), g.element, []float64{v})
}

// output gives value a name outside, as [rows, columns] or, without columns,
// [rows].
func (g *onnxGraph) output(name string, element int64, columns ...int) {
	var n message
	n.text(1, g.value)
	n.text(2, name)
	n.text(3, name)
	n.text(4, "Identity")
	g.nodes = append(g.nodes, n)
	// The probabilities are what most callers want: they come first.
	g.outputs = slices.Insert(g.outputs, 0, onnxValue(name, element, columns...))
}

// onnxValue is a ValueInfoProto whose first dimension is dynamic.
func onnxValue(name string, element int64, columns ...int) message {
	var rows, shape, kind, typ, value message
	rows.text(2, "rows")
	shape.bytes(1, rows)
	for _, n := range columns {
		var d message
		d.int(1, int64(n))
		shape.bytes(1, d)
	}
	kind.int(1, element)
	kind.bytes(2, shape)
	typ.bytes(1, kind)
	value.text(1, name)
	value.bytes(2, typ)
	return value
}

// model wraps the graph into a ModelProto. names are those of the columns of each
// input.
func (g *onnxGraph) model(p *train.Predictor, names map[string][]string) ([]byte, error) {
	var graph message
	for _, n := range g.nodes {
		graph.bytes(1, n)
	}
	graph.text(2, "affine")
	for _, t := range g.tensors {
		graph.bytes(5, t)
	}
	for _, in := range g.inputs {
		graph.bytes(11, in)
	}
	for _, o := range g.outputs {
		graph.bytes(12, o)
	}
	var opset, model message
	opset.text(1, "")
	opset.int(2, g.opset)
	ir := int64(8)
	if g.opset > 18 {
		ir = 9
	}
	model.int(1, ir) // IR version
	model.text(2, "affine")
	model.bytes(7, graph)
	model.bytes(8, opset)
	for _, property := range []struct {
		name  string
		value any
	}{{ONNXInput, names[ONNXInput]}, {ONNXCategories, names[ONNXCategories]}, {"classes", p.Schema.Classes}, {"target", p.Schema.TargetName}} {
		if names, ok := property.value.([]string); ok && names == nil && property.name == ONNXCategories {
			continue
		}
		text, err := json.Marshal(property.value)
		if err != nil {
			return nil, err
		}
		var entry message
		entry.text(1, property.name)
		entry.text(2, string(text))
		model.bytes(14, entry)
	}
	return model, nil
}
