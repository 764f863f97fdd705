package export

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"text/template"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/layer"
	"github.com/affine-go/affine/train"
	"github.com/nlpodyssey/safetensors"
	"gorgonia.org/tensor"
)

// Torch returns the predictor's weights as the state dict of a PyTorch
// nn.Sequential in safetensors, and a Python file that rebuilds the model with
// its scaling and, for one that was trained on a table, the encoding of the
// table's columns: it takes raw columns by name, such as those of a pandas
// DataFrame. The Python file looks for the weights under the name weights in its
// own folder.
//
// The tensors are called "0.weight" [out, in], "0.bias" [out], "2.weight", …:
// activations take the places between. The metadata says what the columns mean
// and how they are scaled, so that [Import] brings the whole predictor back.
func Torch(p *train.Predictor, weights string) (state, script []byte, err error) {
	if state, err = stateDict(p); err != nil {
		return nil, nil, fmt.Errorf("export torch: %w", err)
	}
	if script, err = torchScript(p, weights); err != nil {
		return nil, nil, fmt.Errorf("export torch: %w", err)
	}
	return state, script, nil
}

func stateDict(p *train.Predictor) ([]byte, error) {
	layers, err := layersOf(p)
	if err != nil {
		return nil, err
	}
	metadata, err := p.Metadata()
	if err != nil {
		return nil, err
	}
	kind, element := safetensors.F32, 4
	if p.Spec().Dtype == tensor.Float64 {
		kind, element = safetensors.F64, 8
	}
	views := map[string]safetensors.TensorView{}
	add := func(name string, v []float64, shape ...uint64) error {
		raw := make([]byte, 0, element*len(v))
		for _, x := range v {
			if element == 8 {
				raw = binary.LittleEndian.AppendUint64(raw, math.Float64bits(x))
			} else {
				raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(float32(x)))
			}
		}
		view, err := safetensors.NewTensorView(kind, shape, raw)
		views[name] = view
		return err
	}
	for i, l := range layers {
		place := places(layers, i)
		if err := add(fmt.Sprintf("%d.weight", place), transposed(l.w, l.in, l.out), uint64(l.out), uint64(l.in)); err != nil {
			return nil, err
		}
		if err := add(fmt.Sprintf("%d.bias", place), l.b, uint64(l.out)); err != nil {
			return nil, err
		}
	}
	return safetensors.Serialize(views, map[string]string{metadataName: string(metadata), "format": "pt"})
}

// metadataName is where Torch puts what [train.Predictor.Metadata] returns.
const metadataName = "affine.model"

// places returns the index of layer i in the nn.Sequential.
func places(layers []dense, i int) int {
	place := 0
	for _, l := range layers[:i] {
		place++
		if l.act != layer.Identity {
			place++
		}
	}
	return place
}

// transposed returns the transpose of w, rows×cols.
func transposed(w []float64, rows, cols int) []float64 {
	t := make([]float64, len(w))
	for i := range rows {
		for j := range cols {
			t[j*rows+i] = w[i*cols+j]
		}
	}
	return t
}

var torchTemplate = template.Must(template.New("torch").Parse(`"""A multi-layer perceptron trained by affine, in PyTorch, with its {{if .Encoded}}columns and {{end}}scaling.

    from {{.Module}} import net, predict
{{- if .Encoded}}
    predict(table)  # raw columns by name: a pandas DataFrame or {name: cells}
{{- end}}
    predict(rows)  # rows [n, {{.Inputs}}], columns as in features
"""

{{if .Dates}}import datetime
{{end}}import json
import pathlib
{{- if .Dates}}
import re
{{- end}}

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn

weights = pathlib.Path(__file__).with_name({{.Weights}})
with safe_open(weights, "pt") as f:
    meta = json.loads(f.metadata()["affine.model"])
features, classes = meta["schema"]["features"], meta["schema"].get("classes")

net = nn.Sequential(
{{- range .Modules}}
    {{.}},
{{- end}}
).to(torch.{{.Dtype}})
net.load_state_dict(load_file(weights))


{{if .Encoded -}}
def encode(table):
    """Features [n, {{.Inputs}}] of raw columns; a cell that is {{.Missing}} or None is missing."""
    out = []
    for c in meta["schema"]["encoding"]["columns"]:
        cells = [text(v) for v in table[c["name"]]]
{{- if .Refuse}}
        if None in cells:
            raise ValueError(f"column {c['name']}: missing value in row {cells.index(None)}, want none")
{{- end}}
        values = [c["fill"] if v is None else number(c, v) for v in cells]
{{- if .Categories}}
        if c["kind"] == "categorical":
            n = len(c["categories"]) + c.get("other", False)
            out += [[float(v == k) for v in values] for k in range(n)]
        else:
            out.append(values)
{{- else}}
        out.append(values)
{{- end}}
        if c.get("indicator"):
            out.append([float(v is None) for v in cells])
    return torch.tensor(out, dtype=torch.float64).T


def text(v):
    v = "" if v is None or str(v) in ("<NA>", "NaT") else str(v).strip()
    return None if v.lower() in ("", "?", "na", "n/a", "nan", "null") else v


def number(c, v):
{{- if .Categories}}
    if c["kind"] == "categorical":  # 1.0 stands for 1
        names = c["categories"]
        same = [k for k, name in enumerate(names) if name == v] or [k for k, name in enumerate(names) if as_float(name) == as_float(v)]
        return same[0] if same else len(names)
{{- end}}
{{- if .Booleans}}
    if c["kind"] == "boolean":
        words = ("false", "no", "f", "n", "0", "0.0", "true", "yes", "t", "y", "1", "1.0")
        return float(words.index(v.lower()) > 5)
{{- end}}
{{- if .Dates}}
    if c["kind"] == "date":  # days since 1970-01-01
        v = re.sub(r"^(\d\d)\.(\d\d)\.(\d{4})", r"\3-\2-\1", v.replace("/", "-"))
        at = datetime.datetime.fromisoformat(v)
        return at.replace(tzinfo=at.tzinfo or datetime.timezone.utc).timestamp() / 86400
{{- end}}
    return float(v)

{{if .Categories}}
def as_float(v):
    try:
        return float(v)
    except ValueError:
        return float("nan")

{{end}}
{{end -}}
def scale(s):
    return [torch.tensor(s[k], dtype=torch.float64) for k in ("offset", "scale")]


def predict(rows):
    """{{.Doc}}"""
    offset, width = scale(meta["features"])
{{- if .Encoded}}
    x = encode(rows) if hasattr(rows, "keys") else torch.as_tensor(rows, dtype=torch.float64)
    x = (x - offset) / width
{{- else}}
    x = (torch.as_tensor(rows, dtype=torch.float64) - offset) / width
{{- end}}
    with torch.inference_mode():
        out = net(x.to(torch.{{.Dtype}})).to(torch.float64)
{{- if .Regression}}
    offset, width = scale(meta["targets"])
    return out * width + offset
{{- else}}
    return torch.softmax(out, dim=1)
{{- end}}
`))

func torchScript(p *train.Predictor, weights string) ([]byte, error) {
	spec := p.Spec()
	regression := p.Schema.Task == datasets.Regression
	doc := "Class probabilities [n, classes] of rows as the dataset has them."
	if regression {
		doc = "Predicted values [n, 1] of rows as the dataset has them."
	}
	layers, err := layersOf(p)
	if err != nil {
		return nil, err
	}
	var modules []string
	for _, l := range layers {
		modules = append(modules, fmt.Sprintf("nn.Linear(%d, %d)", l.in, l.out))
		if l.act == layer.Identity {
			continue
		}
		modules = append(modules, torchModule(l.act))
	}
	columns, err := columnsOf(p)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = torchTemplate.Execute(&b, map[string]any{
		"Encoded": columns != nil, "Refuse": columns.refuse(), "Missing": `empty, ?, NA, N/A, NaN, null`,
		"Categories": columns.has(datasets.Categorical), "Booleans": columns.has(datasets.Boolean), "Dates": columns.has(datasets.Date),
		"Module": strings.TrimSuffix(weights, ".safetensors"), "Weights": fmt.Sprintf("%q", weights), "Inputs": spec.Inputs,
		"Modules": modules, "Dtype": spec.Dtype.String(), "Doc": doc, "Regression": regression,
	})
	return b.Bytes(), err
}

// torchModule returns the module of PyTorch that computes an activation.
func torchModule(act layer.Activation) string {
	spec := act.Spec()
	var parameters []string
	for _, p := range spec.Parameters() {
		parameters = append(parameters, fmt.Sprint(*p))
	}
	return "nn." + spec.Kind.Info().Module + "(" + strings.Join(parameters, ", ") + ")"
}
