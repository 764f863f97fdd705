package train

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"

	"github.com/affine-go/affine/internal/values"

	"github.com/affine-go/affine/internal/atomicfile"
	"github.com/nlpodyssey/safetensors"
	"gorgonia.org/tensor"
)

// tensorFile is the content of a safetensors file: named tensors of float32 or
// float64 and a map of texts. https://huggingface.co/docs/safetensors
type tensorFile struct {
	tensors map[string]*tensor.Dense
	texts   map[string]string
}

// write replaces the file at path as a whole. The bytes depend on the content
// alone: the library writes tensors and texts in the order of their names.
func (f *tensorFile) write(path string) error {
	views := make(map[string]safetensors.TensorView, len(f.tensors))
	for name, t := range f.tensors {
		v, err := tensorView(t)
		if err != nil {
			return fmt.Errorf("write %s: %s: %w", path, name, err)
		}
		views[name] = v
	}
	data, err := safetensors.Serialize(views, f.texts)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return atomicfile.WriteFile(path, data)
}

func tensorView(t *tensor.Dense) (safetensors.TensorView, error) {
	shape := make([]uint64, t.Dims())
	for i, n := range t.Shape() {
		shape[i] = uint64(n)
	}
	if t.Dtype() == tensor.Float32 {
		data, err := values.Elements[float32](t)
		if err != nil {
			return safetensors.TensorView{}, err
		}
		b := make([]byte, 0, 4*len(data))
		for _, x := range data {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
		}
		return safetensors.NewTensorView(safetensors.F32, shape, b)
	}
	data, err := values.Elements[float64](t)
	if err != nil {
		return safetensors.TensorView{}, err
	}
	b := make([]byte, 0, 8*len(data))
	for _, x := range data {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
	}
	return safetensors.NewTensorView(safetensors.F64, shape, b)
}

// readTensorFile reads the file at path. An error says what of it cannot be.
func readTensorFile(path string) (*tensorFile, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	f, err := parseTensorFile(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

// lengthSize is the size of the header's length, which a safetensors file
// starts with.
const lengthSize = 8

func parseTensorFile(data []byte) (*tensorFile, error) {
	if len(data) == 0 {
		return nil, errors.New("file is empty, want safetensors")
	}
	if len(data) < lengthSize {
		return nil, fmt.Errorf("file ends at byte %d, within the %d bytes of the header's length", len(data), lengthSize)
	}
	header := binary.LittleEndian.Uint64(data)
	if have := uint64(len(data) - lengthSize); header > have {
		return nil, fmt.Errorf("the first %d bytes say that the header has %d bytes, but %d follow: truncated, or not safetensors", lengthSize, header, have)
	}
	_, metadata, err := safetensors.ReadMetadata(data)
	if err != nil {
		return nil, fmt.Errorf("header of %d bytes at byte %d: %w", header, lengthSize, err)
	}
	all, err := safetensors.Deserialize(data)
	if err != nil {
		return nil, fmt.Errorf("header of %d bytes at byte %d: %w", header, lengthSize, err)
	}
	f := &tensorFile{tensors: make(map[string]*tensor.Dense, all.Len()), texts: metadata.Metadata()}
	for _, v := range all.Tensors() {
		if f.tensors[v.Name], err = denseOf(v.TensorView); err != nil {
			return nil, fmt.Errorf("tensor %q: %w", v.Name, err)
		}
	}
	return f, nil
}

func denseOf(v safetensors.TensorView) (*tensor.Dense, error) {
	if len(v.Shape()) == 0 || v.DataLen() == 0 {
		return nil, fmt.Errorf("shape is %v, want at least one dimension and one element", v.Shape())
	}
	shape := make([]int, len(v.Shape()))
	for i, n := range v.Shape() {
		shape[i] = int(n)
	}
	b := v.Data()
	switch v.DType() {
	case safetensors.F32:
		data := make([]float32, len(b)/4)
		for i := range data {
			data[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
		}
		return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(data)), nil
	case safetensors.F64:
		data := make([]float64, len(b)/8)
		for i := range data {
			data[i] = math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:]))
		}
		return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(data)), nil
	}
	return nil, fmt.Errorf("dtype is %v, want F32 or F64", v.DType())
}
