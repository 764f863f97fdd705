package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/internal/sealedjson"
	"github.com/affine-go/affine/internal/tensorfile"
	"github.com/affine-go/affine/layer"
	"github.com/affine-go/affine/layer/device"
	"github.com/affine-go/affine/train/optim"
	"gorgonia.org/tensor"
)

// modelText is the name of the text in a safetensors file that holds its
// Metadata.
const modelText = "affine.model"

// Metadata is what a model file holds besides the weights.
type Metadata struct {
	Task       datasets.Task    `json:"task"`
	Widths     []int            `json:"widths"`     // of the input and of each layer's output
	Activation string           `json:"activation"` // as layer.ParseActivation takes it
	Dtype      string           `json:"dtype"`      // "float32" or "float64"
	Schema     datasets.Schema  `json:"schema"`
	Features   *datasets.Scaler `json:"features"`
	Targets    *datasets.Scaler `json:"targets,omitempty"`
}

// Save writes the predictor to a safetensors file, which [LoadPredictor] reads.
//
// Weights are called "linear1.weight" [in, out], "linear1.bias" [out], and so
// on; the layer computes Y = X·W + b. PyTorch's nn.Linear keeps the transpose
// [out, in] of the weight. What else is needed for predictions stands as JSON
// in the metadata. The bytes depend on nothing but the model.
func (p *Predictor) Save(path string) error {
	weights, err := p.model.copyWeights()
	if err != nil {
		return fmt.Errorf("save %s: %w", path, err)
	}
	header, err := p.Metadata()
	if err != nil {
		return fmt.Errorf("save %s: %w", path, err)
	}
	f := tensorfile.File{Tensors: weights, Texts: map[string]string{modelText: string(header)}}
	return f.Write(path)
}

// Metadata returns what a model file says of the predictor besides its weights,
// as JSON: the bytes depend on nothing but the model.
func (p *Predictor) Metadata() ([]byte, error) {
	spec := p.model.spec
	return json.Marshal(Metadata{
		Task: spec.Task, Widths: spec.widths(), Activation: spec.Activation.String(), Dtype: spec.Dtype.String(),
		Schema: p.Schema, Features: p.Features, Targets: p.Targets,
	})
}

// ParseMetadata reads what [Predictor.Metadata] returned.
func ParseMetadata(text []byte) (Metadata, error) {
	var m Metadata
	return m, sealedjson.Decode(text, &m)
}

// LoadOption changes how a saved model is loaded.
type LoadOption func(*loadSettings)

type loadSettings struct {
	device        string
	impl, machine string
}

// LoadOnDevice computes on the device of that name, see device.Open.
func LoadOnDevice(name string) LoadOption { return func(s *loadSettings) { s.device = name } }

// LoadAs builds the model as impl, Fused or Builtin, for OurMachine or
// TapeMachine.
func LoadAs(impl, machine string) LoadOption {
	return func(s *loadSettings) { s.impl, s.machine = impl, machine }
}

// LoadPredictor reads the model in a run directory, or the model file of that
// name, which [Predictor.Save] wrote. Without options it computes on the CPU. An
// error says in one line what is wrong with the file.
func LoadPredictor(path string, opts ...LoadOption) (*Predictor, error) {
	p, err := loadPredictor(path, opts)
	if err != nil {
		return nil, fmt.Errorf("load predictor: %w", err)
	}
	return p, nil
}

func loadPredictor(path string, opts []LoadOption) (*Predictor, error) {
	s, err := newLoadSettings(opts)
	if err != nil {
		return nil, err
	}
	f, err := readModel(path)
	if err != nil {
		return nil, err
	}
	p, err := load(f, s)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

// readModel reads the model in a run directory, or the model file of that name.
func readModel(path string) (*tensorfile.File, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, ModelFile)
	}
	return tensorfile.Read(path, tensorfile.Options{Check: checkModel})
}

// ReadPredictor is [LoadPredictor] for a model file's bytes, such as those that a
// program has embedded.
func ReadPredictor(r io.Reader, opts ...LoadOption) (*Predictor, error) {
	p, err := readPredictor(r, opts)
	if err != nil {
		return nil, fmt.Errorf("read predictor: %w", err)
	}
	return p, nil
}

func readPredictor(r io.Reader, opts []LoadOption) (*Predictor, error) {
	s, err := newLoadSettings(opts)
	if err != nil {
		return nil, err
	}
	f, err := tensorfile.ReadFrom(r, tensorfile.Options{Check: checkModel})
	if err != nil {
		return nil, err
	}
	return load(f, s)
}

func newLoadSettings(opts []LoadOption) (*loadSettings, error) {
	s := &loadSettings{device: "cpu", impl: Fused, machine: OurMachine}
	for i, opt := range opts {
		if opt == nil {
			return nil, fmt.Errorf("option %d is nil", i)
		}
		opt(s)
	}
	return s, nil
}

// load builds what a file holds that checkModel has accepted.
func load(f *tensorfile.File, s *loadSettings) (*Predictor, error) {
	m, err := metadataOf(f.Texts)
	if err != nil {
		return nil, err
	}
	return m.load(f.Tensors, s)
}

// checkModel refuses the header of a file that is not a model's, or whose
// tensors are not those of the model that it describes.
func checkModel(h *tensorfile.Header) error {
	m, err := metadataOf(h.Texts)
	if err != nil {
		return err
	}
	if err := m.matches(h.Shapes); err != nil {
		return fmt.Errorf("metadata %q: %w", modelText, err)
	}
	known := map[string]bool{}
	for i := range m.Widths[1:] {
		weight, bias := layerNames(i)
		known[weight], known[bias] = true, true
	}
	for _, name := range slices.Sorted(maps.Keys(h.Shapes)) {
		if !known[name] {
			return fmt.Errorf("tensor %q is none of the model's", name)
		}
	}
	return nil
}

// metadataOf returns what a file's texts say of its model.
func metadataOf(texts map[string]string) (*Metadata, error) {
	text, ok := texts[modelText]
	if !ok {
		return nil, fmt.Errorf("metadata has no %q: not a model of this program", modelText)
	}
	m, err := ParseMetadata([]byte(text))
	if err == nil {
		err = m.check()
	}
	if err != nil {
		return nil, fmt.Errorf("metadata %q: %w", modelText, err)
	}
	return &m, nil
}

// Predictor builds the predictor that the metadata describe, with weights under
// the names of [Model.Weights].
func (m *Metadata) Predictor(weights map[string]*tensor.Dense, opts ...LoadOption) (*Predictor, error) {
	s, err := newLoadSettings(opts)
	if err == nil {
		err = m.check()
	}
	if err == nil {
		shapes := make(map[string][]int, len(weights))
		for name, w := range weights {
			shapes[name] = w.Shape()
		}
		err = m.matches(shapes)
	}
	if err != nil {
		return nil, err
	}
	return m.load(weights, s)
}

func (m *Metadata) load(weights map[string]*tensor.Dense, s *loadSettings) (*Predictor, error) {
	d, err := device.Open(s.device)
	if err != nil {
		return nil, err
	}
	p, err := m.build(weights, Spec{Device: d, Impl: s.impl, Machine: s.machine})
	if err != nil {
		d.Close()
	}
	return p, err
}

func (m *Metadata) build(weights map[string]*tensor.Dense, spec Spec) (*Predictor, error) {
	if err := m.describe(&spec); err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	model, err := NewModel(spec)
	if err != nil {
		return nil, err
	}
	if err := model.SetWeights(weights); err != nil {
		return nil, err
	}
	if ok, err := model.finite(); err != nil {
		return nil, err
	} else if !ok {
		return nil, fmt.Errorf("weights: %w", optim.ErrNotFinite)
	}
	return &Predictor{model: model, Schema: m.Schema, Features: m.Features, Targets: m.Targets}, nil
}

// check refuses metadata whose parts contradict each other.
func (m *Metadata) check() error {
	if len(m.Widths) < 2 {
		return fmt.Errorf("widths are %v, want those of the input and of at least one layer", m.Widths)
	}
	outputs := 1
	if m.Task == datasets.Classification {
		outputs = len(m.Schema.Classes)
	}
	switch in, out := m.Widths[0], m.Widths[len(m.Widths)-1]; {
	case m.Task != m.Schema.Task:
		return fmt.Errorf("task is %v, the schema's %v", m.Task, m.Schema.Task)
	case in != len(m.Schema.Features):
		return fmt.Errorf("the model has %d inputs, the schema %d features", in, len(m.Schema.Features))
	case m.Schema.Encoding != nil && !slices.Equal(m.Schema.Encoding.Features(), m.Schema.Features):
		return errors.New("the features of the schema are not those that its encoding makes")
	case out != outputs:
		return fmt.Errorf("the model has %d outputs, want %d for the schema's targets", out, outputs)
	case m.Features == nil || m.Features.Columns() != in:
		return fmt.Errorf("want a scaler of %d features", in)
	case (m.Targets != nil) != (m.Task == datasets.Regression) || m.Targets != nil && m.Targets.Columns() != 1:
		return errors.New("want a scaler of one target for regression and none for classification")
	}
	return nil
}

// layerNames returns what the tensors of layer i, counted from 0, are called.
func layerNames(i int) (weight, bias string) {
	return fmt.Sprintf("linear%d.weight", i+1), fmt.Sprintf("linear%d.bias", i+1)
}

// matches looks for the weights that the widths call for: they must be there
// before memory is asked for, since widths alone may be anything.
func (m *Metadata) matches(shapes map[string][]int) error {
	for i, out := range m.Widths[1:] {
		weight, bias := layerNames(i)
		for _, t := range []struct {
			name string
			want []int
		}{{weight, []int{m.Widths[i], out}}, {bias, []int{out}}} {
			shape, ok := shapes[t.name]
			if !ok {
				return fmt.Errorf("tensor %q is missing", t.name)
			}
			if !slices.Equal(shape, t.want) {
				return fmt.Errorf("tensor %q has shape %v, want %v", t.name, tensor.Shape(shape), t.want)
			}
		}
	}
	if n := parametersOf(m.Widths); n > maxParameters {
		return fmt.Errorf("widths %v make %.3g parameters, want at most %d", m.Widths, n, maxParameters)
	}
	return nil
}

// describe completes the specification of the model.
func (m *Metadata) describe(spec *Spec) error {
	act, err := layer.ParseActivation(m.Activation)
	if err != nil {
		return err
	}
	switch m.Dtype {
	case tensor.Float32.String():
		spec.Dtype = tensor.Float32
	case tensor.Float64.String():
		spec.Dtype = tensor.Float64
	default:
		return fmt.Errorf("dtype is %q, want float32 or float64", m.Dtype)
	}
	last := len(m.Widths) - 1
	spec.Task, spec.Activation = m.Task, act
	spec.Inputs, spec.Hidden, spec.Outputs = m.Widths[0], m.Widths[1:last], m.Widths[last]
	return nil
}
