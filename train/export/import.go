package export

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/layer"
	"github.com/affine-go/affine/train"
	"github.com/nlpodyssey/safetensors"
	"gorgonia.org/tensor"
)

// ImportOptions say what a state dict does not. The metadata that [Torch] writes
// stand for what is not set, then the defaults.
type ImportOptions struct {
	Activation string        // between the layers, as layer.ParseActivation takes it; default "relu"
	Task       datasets.Task // default: regression for one output, else classification
	Features   []string      // default: x1, x2, …
	Classes    []string      // default: 0, 1, …
	Device     string        // as device.Open takes it; default "cpu"
}

// Import returns a predictor with the weights of a PyTorch nn.Sequential of
// Linear layers with one activation between them, from its state dict in
// safetensors. Names end in ".weight" [out, in] and ".bias" [out]; what stands
// before orders the layers, numbers by their value ("2.weight" before
// "10.weight"). A missing bias is 0. Without metadata, features are not scaled.
func Import(state []byte, o ImportOptions) (*train.Predictor, error) {
	p, err := importState(state, o)
	if err != nil {
		return nil, fmt.Errorf("import: %w", err)
	}
	return p, nil
}

func importState(state []byte, o ImportOptions) (*train.Predictor, error) {
	if len(state) < 8 || binary.LittleEndian.Uint64(state) > uint64(len(state)-8) {
		return nil, errors.New("not a safetensors file: the header does not fit into it")
	}
	_, metadata, err := safetensors.ReadMetadata(state)
	if err != nil {
		return nil, fmt.Errorf("not a safetensors file: %w", err)
	}
	all, err := safetensors.Deserialize(state)
	if err != nil {
		return nil, fmt.Errorf("not a safetensors file: %w", err)
	}
	layers, dtype, err := linearLayers(all.Tensors())
	if err != nil {
		return nil, err
	}
	widths := []int{layers[0].in}
	for _, l := range layers {
		widths = append(widths, l.out)
	}
	var known train.Metadata
	if text, ok := metadata.Metadata()[metadataName]; ok {
		if known, err = train.ParseMetadata([]byte(text)); err != nil {
			return nil, fmt.Errorf("metadata %q: %w", metadataName, err)
		}
	}
	if err := o.complete(&known, widths); err != nil {
		return nil, err
	}
	known.Widths, known.Dtype = widths, dtype.String()
	weights := map[string]*tensor.Dense{}
	for i, l := range layers {
		weights[fmt.Sprintf("linear%d.weight", i+1)] = dense64(dtype, transposed(l.w, l.out, l.in), l.in, l.out)
		weights[fmt.Sprintf("linear%d.bias", i+1)] = dense64(dtype, l.b, l.out)
	}
	return known.Predictor(weights, train.LoadOnDevice(o.Device))
}

// complete writes the options, and the defaults, into what is known.
func (o *ImportOptions) complete(known *train.Metadata, widths []int) error {
	in, out := widths[0], widths[len(widths)-1]
	if o.Device == "" {
		o.Device = "cpu"
	}
	if o.Activation != "" {
		known.Activation = o.Activation
	}
	if known.Activation == "" {
		known.Activation = layer.ReLU.String()
	}
	if o.Task != datasets.AutoTask {
		known.Task = o.Task
	}
	if known.Task == datasets.AutoTask {
		known.Task = datasets.Classification
		if out == 1 {
			known.Task = datasets.Regression
		}
	}
	known.Schema.Task = known.Task
	if o.Features != nil {
		known.Schema.Features = o.Features
	}
	if known.Schema.Features == nil {
		for i := range in {
			known.Schema.Features = append(known.Schema.Features, "x"+strconv.Itoa(i+1))
		}
	}
	if known.Schema.TargetName == "" {
		known.Schema.TargetName = "y"
	}
	if known.Task == datasets.Classification {
		if o.Classes != nil {
			known.Schema.Classes = o.Classes
		}
		if known.Schema.Classes == nil {
			for i := range out {
				known.Schema.Classes = append(known.Schema.Classes, strconv.Itoa(i))
			}
		}
	}
	var err error
	if known.Features == nil {
		if known.Features, err = datasets.FitScaler(datasets.NoScaling, make([]float64, in), in); err != nil {
			return err
		}
	}
	if known.Targets == nil && known.Task == datasets.Regression {
		known.Targets, err = datasets.FitScaler(datasets.NoScaling, make([]float64, out), out)
	}
	return err
}

// linearLayers orders the layers of a state dict. Their weights stay [out, in].
func linearLayers(tensors []safetensors.NamedTensorView) ([]dense, tensor.Dtype, error) {
	var dtype tensor.Dtype
	byName := map[string]*dense{}
	var names []string
	at := func(name string) *dense {
		if byName[name] == nil {
			byName[name] = &dense{}
			names = append(names, name)
		}
		return byName[name]
	}
	for _, t := range tensors {
		v, of, err := elements(t.TensorView)
		if err != nil {
			return nil, dtype, fmt.Errorf("tensor %q: %w", t.Name, err)
		}
		if dtype.Type == nil {
			dtype = of
		}
		if of != dtype {
			return nil, dtype, fmt.Errorf("tensor %q is %v, the others are %v", t.Name, of, dtype)
		}
		shape := t.TensorView.Shape()
		if name, ok := strings.CutSuffix("."+t.Name, ".weight"); ok && len(shape) == 2 {
			l := at(name)
			l.w, l.out, l.in = v, int(shape[0]), int(shape[1])
		} else if name, ok := strings.CutSuffix("."+t.Name, ".bias"); ok && len(shape) == 1 {
			at(name).b = v
		} else {
			return nil, dtype, fmt.Errorf("tensor %q of shape %v is neither the weight [out, in] nor the bias [out] of a Linear layer", t.Name, shape)
		}
	}
	if len(names) == 0 {
		return nil, dtype, errors.New("there are no tensors, want the weights of Linear layers")
	}
	slices.SortFunc(names, naturally)
	layers := make([]dense, len(names))
	for i, name := range names {
		l := byName[name]
		switch {
		case l.w == nil:
			return nil, dtype, fmt.Errorf("%q has a bias but no weight", name[min(1, len(name)):])
		case l.b == nil:
			l.b = make([]float64, l.out)
		case len(l.b) != l.out:
			return nil, dtype, fmt.Errorf("%q: the bias has %d elements, the weight %d rows", name[min(1, len(name)):], len(l.b), l.out)
		}
		if i > 0 && layers[i-1].out != l.in {
			return nil, dtype, fmt.Errorf("%q takes %d inputs, the layer before gives %d", name[min(1, len(name)):], l.in, layers[i-1].out)
		}
		layers[i] = *l
	}
	return layers, dtype, nil
}

// naturally compares names so that numbers within them count by their value.
func naturally(a, b string) int {
	for a != "" && b != "" {
		m, n := digits(a), digits(b)
		if m > 0 && n > 0 {
			x, y := strings.TrimLeft(a[:m], "0"), strings.TrimLeft(b[:n], "0")
			if len(x) != len(y) {
				return len(x) - len(y)
			}
			if c := strings.Compare(x, y); c != 0 {
				return c
			}
			a, b = a[m:], b[n:]
			continue
		}
		if a[0] != b[0] {
			return int(a[0]) - int(b[0])
		}
		a, b = a[1:], b[1:]
	}
	return len(a) - len(b)
}

// digits returns the length of the number that s begins with.
func digits(s string) int { return len(s) - len(strings.TrimLeft(s, "0123456789")) }

// elements returns the numbers of a tensor.
func elements(v safetensors.TensorView) ([]float64, tensor.Dtype, error) {
	b := v.Data()
	switch v.DType() {
	case safetensors.F32:
		out := make([]float64, len(b)/4)
		for i := range out {
			out[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:])))
		}
		return out, tensor.Float32, nil
	case safetensors.F64:
		out := make([]float64, len(b)/8)
		for i := range out {
			out[i] = math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:]))
		}
		return out, tensor.Float64, nil
	}
	return nil, tensor.Dtype{}, fmt.Errorf("dtype is %v, want F32 or F64", v.DType())
}

// dense64 returns numbers as a tensor of dtype.
func dense64(dtype tensor.Dtype, v []float64, shape ...int) *tensor.Dense {
	if dtype == tensor.Float64 {
		return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(v))
	}
	narrow := make([]float32, len(v))
	for i, x := range v {
		narrow[i] = float32(x)
	}
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(narrow))
}
