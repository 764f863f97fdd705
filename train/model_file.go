package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/layer"
	"github.com/affine-go/affine/layer/device"
	"github.com/affine-go/affine/train/optim"
	"gorgonia.org/tensor"
)

// modelText is the name of the text in a safetensors file that holds a
// modelHeader.
const modelText = "affine.model"

// modelHeader is what a model file holds beside the weights.
type modelHeader struct {
	Task       datasets.Task    `json:"task"`
	Widths     []int            `json:"widths"` // of the input and of each layer's output
	Activation string           `json:"activation"`
	Dtype      string           `json:"dtype"`
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
	return p.save(path, weights)
}

// save writes other weights than the model's own.
func (p *Predictor) save(path string, weights map[string]*tensor.Dense) error {
	header, err := p.header()
	if err != nil {
		return fmt.Errorf("save %s: %w", path, err)
	}
	f := tensorFile{tensors: weights, texts: map[string]string{modelText: header}}
	return f.write(path)
}

func (p *Predictor) header() (string, error) {
	spec := p.model.spec
	text, err := json.Marshal(modelHeader{
		Task: spec.Task, Widths: spec.widths(), Activation: spec.Activation.String(), Dtype: spec.Dtype.String(),
		Schema: p.Schema, Features: p.Features, Targets: p.Targets,
	})
	return string(text), err
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
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, ModelFile)
	}
	f, err := readTensorFile(path)
	if err != nil {
		return nil, err
	}
	p, err := f.load(s)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

// ReadPredictor is [LoadPredictor] for a model file's bytes, such as those that
// go:embed put into a program.
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
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	f, err := parseTensorFile(data)
	if err != nil {
		return nil, err
	}
	return f.load(s)
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

// load opens the device and builds what the file holds.
func (f *tensorFile) load(s *loadSettings) (*Predictor, error) {
	d, err := device.Open(s.device)
	if err != nil {
		return nil, err
	}
	p, err := f.predictor(Spec{Device: d, Impl: s.impl, Machine: s.machine})
	if err != nil {
		d.Close()
	}
	return p, err
}

// predictor builds what the file holds.
func (f *tensorFile) predictor(spec Spec) (*Predictor, error) {
	text, ok := f.texts[modelText]
	if !ok {
		return nil, fmt.Errorf("metadata has no %q: not a model of this program", modelText)
	}
	var h modelHeader
	if err := decodeStrictly([]byte(text), &h); err != nil {
		return nil, fmt.Errorf("metadata %q: %w", modelText, err)
	}
	if err := h.check(); err != nil {
		return nil, fmt.Errorf("metadata %q: %w", modelText, err)
	}
	if err := h.describe(&spec, f.tensors); err != nil {
		return nil, fmt.Errorf("metadata %q: %w", modelText, err)
	}
	m, err := NewModel(spec)
	if err != nil {
		return nil, err
	}
	if err := m.SetWeights(f.tensors); err != nil {
		return nil, err
	}
	if ok, err := m.finite(); err != nil {
		return nil, err
	} else if !ok {
		return nil, fmt.Errorf("weights: %w", optim.ErrNotFinite)
	}
	return &Predictor{model: m, Schema: h.Schema, Features: h.Features, Targets: h.Targets}, nil
}

// check refuses a header whose parts contradict each other.
func (h *modelHeader) check() error {
	if len(h.Widths) < 2 {
		return fmt.Errorf("widths are %v, want those of the input and of at least one layer", h.Widths)
	}
	outputs := 1
	if h.Task == datasets.Classification {
		outputs = len(h.Schema.Classes)
	}
	switch in, out := h.Widths[0], h.Widths[len(h.Widths)-1]; {
	case h.Task != h.Schema.Task:
		return fmt.Errorf("task is %v, the schema's %v", h.Task, h.Schema.Task)
	case in != len(h.Schema.Features):
		return fmt.Errorf("the model has %d inputs, the schema %d features", in, len(h.Schema.Features))
	case out != outputs:
		return fmt.Errorf("the model has %d outputs, want %d for the schema's targets", out, outputs)
	case h.Features == nil || h.Features.Columns() != in:
		return fmt.Errorf("want a scaler of %d features", in)
	case (h.Targets != nil) != (h.Task == datasets.Regression) || h.Targets != nil && h.Targets.Columns() != 1:
		return errors.New("want a scaler of one target for regression and none for classification")
	}
	return nil
}

// describe completes the specification of the model that the header describes.
// The tensors must be there before memory is asked for: widths alone may be
// anything.
func (h *modelHeader) describe(spec *Spec, tensors map[string]*tensor.Dense) error {
	for i, out := range h.Widths[1:] {
		name := fmt.Sprintf("linear%d.weight", i+1)
		w := tensors[name]
		if w == nil {
			return fmt.Errorf("tensor %q is missing", name)
		}
		if want := []int{h.Widths[i], out}; !slices.Equal(w.Shape(), want) {
			return fmt.Errorf("tensor %q has shape %v, want %v", name, w.Shape(), want)
		}
	}
	act, err := layer.ParseActivation(h.Activation)
	if err != nil {
		return err
	}
	switch h.Dtype {
	case tensor.Float32.String():
		spec.Dtype = tensor.Float32
	case tensor.Float64.String():
		spec.Dtype = tensor.Float64
	default:
		return fmt.Errorf("dtype is %q, want float32 or float64", h.Dtype)
	}
	last := len(h.Widths) - 1
	spec.Task, spec.Activation = h.Task, act
	spec.Inputs, spec.Hidden, spec.Outputs = h.Widths[0], h.Widths[1:last], h.Widths[last]
	return nil
}
