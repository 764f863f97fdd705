// Package tensorfile reads and writes safetensors files of float32 and float64
// tensors (https://huggingface.co/docs/safetensors) that carry a checksum of
// their whole content.
package tensorfile

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/affine-go/affine/internal/atomicfile"
	"github.com/affine-go/affine/internal/regularfile"
	"github.com/affine-go/affine/internal/values"
	"github.com/nlpodyssey/safetensors"
	"gorgonia.org/tensor"
)

// File is the content of a file: named tensors of float32 or float64 and named
// texts.
type File struct {
	Tensors map[string]*tensor.Dense
	Texts   map[string]string
}

// ErrDamaged is wrapped by the error for a file whose content is not what was
// written.
var ErrDamaged = errors.New("the content does not match its checksum: the file was changed or damaged")

// checksumText is the name of the text that holds the SHA-256 of the file in
// which its own digits are zeros, as hexadecimal digits.
const checksumText = "affine.checksum"

const checksumDigits = 2 * sha256.Size

// Write replaces the file at path as a whole. The bytes depend on the content
// alone: tensors and texts stand in the order of their names.
func (f *File) Write(path string) error {
	data, err := f.Bytes()
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return atomicfile.WriteFile(path, data)
}

// Bytes returns what [File.Write] writes.
func (f *File) Bytes() ([]byte, error) {
	views := make(map[string]safetensors.TensorView, len(f.Tensors))
	for name, t := range f.Tensors {
		v, err := viewOf(t)
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		views[name] = v
	}
	texts := maps.Clone(f.Texts)
	if texts == nil {
		texts = map[string]string{}
	}
	texts[checksumText] = string(bytes.Repeat([]byte{'0'}, checksumDigits))
	data, err := safetensors.Serialize(views, texts)
	if err != nil {
		return nil, err
	}
	end := lengthSize + binary.LittleEndian.Uint64(data)
	if _, err := checkHeader(data[lengthSize:end]); err != nil {
		return nil, err // it could not be read back
	}
	digits, err := findChecksum(data[lengthSize:end])
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	hex.Encode(digits, sum[:])
	return data, nil
}

func viewOf(t *tensor.Dense) (safetensors.TensorView, error) {
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

// Header tells what a file holds, before memory is taken for it.
type Header struct {
	Shapes map[string][]int
	Texts  map[string]string
}

// Options are what a reader asks of a file.
type Options struct {
	// Check, unless nil, may refuse what the header promises, before memory is
	// taken for the tensors.
	Check func(*Header) error
	// WithoutChecksum takes files that have none, as other programs write them.
	WithoutChecksum bool
}

// Read reads the file at path, which must be a regular one. An error names the
// path and says what of the file cannot be; it wraps [ErrDamaged] if the
// content is not what was written.
func Read(path string, o Options) (*File, error) {
	r, size, err := regularfile.Open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	f, err := read(r, o, size)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

// ReadFrom reads a file's content from r, to its end. It takes no more memory
// than what r has given and the header has promised.
func ReadFrom(r io.Reader, o Options) (*File, error) { return read(r, o, -1) }

const (
	// lengthSize is the size of the header's length, which a file starts with.
	lengthSize = 8
	// maxHeader bounds the header: some 200,000 feature names with their scaling.
	maxHeader = 16 << 20
	// maxEntries bounds the commas of the header outside its texts: a tensor has
	// four or more, so that a header cannot take much more memory than it is long.
	maxEntries = 1 << 17
)

// read reads a file of size bytes, which is unknown if it is negative.
func read(r io.Reader, o Options, size int64) (*File, error) {
	var length [lengthSize]byte
	n, err := io.ReadFull(r, length[:])
	switch {
	case n == 0 && err == io.EOF:
		return nil, errors.New("file is empty, want safetensors")
	case err == io.ErrUnexpectedEOF:
		return nil, fmt.Errorf("file ends at byte %d, within the %d bytes of the header's length", n, lengthSize)
	case err != nil:
		return nil, err
	}
	want := binary.LittleEndian.Uint64(length[:])
	if size >= 0 && want > uint64(size-lengthSize) {
		return nil, fmt.Errorf("the first %d bytes say that the header has %d bytes, but %d follow: truncated, or not safetensors", lengthSize, want, size-lengthSize)
	}
	if want > maxHeader {
		return nil, fmt.Errorf("the first %d bytes say that the header has %d bytes, want at most %d", lengthSize, want, maxHeader)
	}
	header, err := readUpTo(r, int64(want))
	if err != nil {
		return nil, fmt.Errorf("header of %d bytes at byte %d: %w", want, lengthSize, err)
	}
	infos, err := checkHeader(header)
	if err != nil {
		return nil, fmt.Errorf("header of %d bytes at byte %d: %w", want, lengthSize, err)
	}
	if have := size - lengthSize - int64(want); size >= 0 && have != infos.bytes {
		return nil, fmt.Errorf("%d bytes follow the header, want %d: truncated or damaged", have, infos.bytes)
	}
	delete(infos.Texts, checksumText)
	if o.Check != nil {
		if err := o.Check(&infos.Header); err != nil {
			return nil, err
		}
	}
	return infos.readTensors(r, o, length[:], header, size)
}

// readTensors reads the data that follow the header and checks the checksum.
func (infos *layout) readTensors(r io.Reader, o Options, length, header []byte, size int64) (*File, error) {
	sum := sha256.New()
	want, err := sealedHeader(sum, length, header)
	if err != nil && !o.WithoutChecksum {
		return nil, err
	}
	room := 0
	if size >= 0 { // all that was promised is there
		room = math.MaxInt
	}
	f := &File{Tensors: make(map[string]*tensor.Dense, len(infos.order)), Texts: infos.Texts}
	r = io.TeeReader(r, sum)
	for _, name := range infos.order {
		t, err := infos.tensors[name].read(r, room)
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		f.Tensors[name] = t
	}
	if n, err := io.CopyN(io.Discard, r, 1); n > 0 {
		return nil, errors.New("there is something after the last tensor")
	} else if err != io.EOF {
		return nil, err
	}
	if want != "" && hex.EncodeToString(sum.Sum(nil)) != want {
		return nil, ErrDamaged
	}
	return f, nil
}

// sealedHeader begins the checksum of a file with its header, in which the
// checksum's own digits count as zeros, and returns the checksum that stands
// there.
func sealedHeader(sum hash.Hash, length, header []byte) (string, error) {
	digits, err := findChecksum(header)
	if err != nil {
		return "", err
	}
	want := string(digits)
	zeroed := bytes.Clone(header)
	i := bytes.Index(header, []byte(checksumKey)) + len(checksumKey)
	copy(zeroed[i:i+checksumDigits], bytes.Repeat([]byte{'0'}, checksumDigits))
	sum.Write(length)
	sum.Write(zeroed)
	return want, nil
}

// checksumKey stands in front of the digits. It cannot be a part of a text, in
// which quotes have a backslash in front of them.
const checksumKey = `"` + checksumText + `":"`

// findChecksum returns the part of the header that holds the digits.
func findChecksum(header []byte) ([]byte, error) {
	_, after, found := bytes.Cut(header, []byte(checksumKey))
	if !found || len(after) <= checksumDigits || after[checksumDigits] != '"' {
		return nil, fmt.Errorf("metadata has no %q, or it is damaged", checksumText)
	}
	return after[:checksumDigits], nil
}

// layout is a checked header.
type layout struct {
	Header
	tensors map[string]*info
	order   []string // in which the tensors' data follow
	bytes   int64    // of all of them
}

// info describes a tensor.
type info struct {
	double bool // float64
	shape  []int
	size   int // elements
}

// checkHeader parses a header. Its tensors' data must follow each other without
// gaps.
func checkHeader(header []byte) (*layout, error) {
	if len(header) > maxHeader {
		return nil, fmt.Errorf("got %d bytes, want at most %d", len(header), maxHeader)
	}
	if n := entries(header); n > maxEntries {
		return nil, fmt.Errorf("got %d entries, want at most %d", n, maxEntries)
	}
	var m safetensors.Metadata
	if err := json.Unmarshal(header, &m); err != nil {
		return nil, brief(err)
	}
	all := m.Tensors()
	l := &layout{tensors: make(map[string]*info, len(all))}
	l.Texts, l.Shapes = m.Metadata(), make(map[string][]int, len(all))
	l.order = slices.SortedFunc(maps.Keys(all), func(a, b string) int {
		x, y := all[a].DataOffsets, all[b].DataOffsets
		return slices.Compare(x[:], y[:])
	})
	for _, name := range l.order {
		t, err := infoOf(all[name])
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		from, to := all[name].DataOffsets[0], all[name].DataOffsets[1]
		if from != uint64(l.bytes) || to-from != uint64(t.bytes()) {
			return nil, fmt.Errorf("tensor %q of shape %v is at bytes %d to %d, want %d bytes from %d", name, t.shape, from, to, t.bytes(), l.bytes)
		}
		if l.bytes += t.bytes(); l.bytes > math.MaxInt64/2 {
			return nil, fmt.Errorf("tensor %q: too large", name)
		}
		l.tensors[name], l.Shapes[name] = t, t.shape
	}
	return l, nil
}

// entries counts the commas outside of texts.
func entries(header []byte) int {
	n, inText := 0, false
	for i := 0; i < len(header); i++ {
		switch c := header[i]; {
		case c == '"':
			inText = !inText
		case c == '\\' && inText:
			i++
		case c == ',' && !inText:
			n++
		}
	}
	return n
}

const maxDims = 8

// brief shortens an error that quotes what it found.
func brief(err error) error {
	const most = 200
	if text := err.Error(); len(text) > most {
		return errors.New(strings.ToValidUTF8(text[:most], "") + "…")
	}
	return err
}

// maxElements is more than any memory holds; numbers of bytes below it do not
// overflow.
const maxElements = 1 << 48

func infoOf(t *safetensors.TensorInfo) (*info, error) {
	v := &info{size: 1}
	switch t.DType {
	case safetensors.F32:
	case safetensors.F64:
		v.double = true
	default:
		return nil, fmt.Errorf("dtype is %v, want F32 or F64", t.DType)
	}
	if len(t.Shape) > maxDims {
		return nil, fmt.Errorf("shape has %d dimensions, want at most %d", len(t.Shape), maxDims)
	}
	for _, n := range t.Shape {
		if n > maxElements || n > 0 && uint64(v.size) > maxElements/n {
			return nil, fmt.Errorf("shape is %v: too large", t.Shape)
		}
		v.shape = append(v.shape, int(n))
		v.size *= int(n)
	}
	if len(v.shape) == 0 || v.size == 0 {
		return nil, fmt.Errorf("shape is %v, want at least one dimension and one element", t.Shape)
	}
	return v, nil
}

func (v *info) bytes() int64 {
	if v.double {
		return 8 * int64(v.size)
	}
	return 4 * int64(v.size)
}

// chunk is how many bytes are read at a time.
const chunk = 1 << 20

// read reads the elements. Memory is taken at once for as many as there is room
// for, and then as they come: what was promised may not be there.
func (v *info) read(r io.Reader, room int) (*tensor.Dense, error) {
	var backing any
	var err error
	if v.double {
		backing, err = readNumbers(r, v.size, room, 8, func(b []byte) float64 { return math.Float64frombits(binary.LittleEndian.Uint64(b)) })
	} else {
		backing, err = readNumbers(r, v.size, room, 4, func(b []byte) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(b)) })
	}
	if err != nil {
		return nil, err
	}
	return tensor.New(tensor.WithShape(v.shape...), tensor.WithBacking(backing)), nil
}

func readNumbers[T float32 | float64](r io.Reader, n, room, size int, decode func([]byte) T) ([]T, error) {
	data := make([]T, 0, min(n, max(room, chunk)))
	buffer := make([]byte, min(n*size, chunk))
	for len(data) < n {
		b := buffer[:min((n-len(data))*size, len(buffer))]
		if got, err := io.ReadFull(r, b); err != nil {
			return nil, ends(int64(len(data)*size+got), int64(n*size), err)
		}
		data = slices.Grow(data, len(b)/size)
		for i := 0; i < len(b); i += size {
			data = append(data, decode(b[i:]))
		}
	}
	return slices.Clip(data), nil
}

// readUpTo reads n bytes.
func readUpTo(r io.Reader, n int64) ([]byte, error) {
	var b bytes.Buffer
	got, err := io.CopyN(&b, r, n)
	if err != nil {
		return nil, ends(got, n, err)
	}
	return b.Bytes(), nil
}

func ends(got, want int64, err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return fmt.Errorf("file ends after %d of %d bytes", got, want)
	}
	return err
}
