package datasets

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// ndarray is an array of numbers as it stands in a file.
type ndarray struct {
	shape       []int
	dtype       dtype
	columnMajor bool
	raw         []byte
}

// dtype is the type of an array's elements: its kind and size in bytes.
type dtype struct {
	kind  byte // f, i, u or b, as NumPy writes them
	size  int
	order binary.ByteOrder
}

var uint8Type = dtype{kind: 'u', size: 1, order: binary.LittleEndian}

var dtypeName = regexp.MustCompile(`^([<>|=])([fiub])([1248])$`)

// parseDtype reads a name such as <f4.
func parseDtype(name string) (dtype, error) {
	m := dtypeName.FindStringSubmatch(name)
	if m == nil || m[2] == "f" && m[3] < "4" || m[2] == "b" && m[3] != "1" {
		return dtype{}, fmt.Errorf("dtype %q, want float32, float64, an integer type or bool", name)
	}
	t := dtype{kind: m[2][0], size: int(m[3][0] - '0'), order: binary.LittleEndian}
	switch m[1] {
	case ">":
		t.order = binary.BigEndian
	case "=":
		t.order = binary.NativeEndian
	}
	return t, nil
}

func (t dtype) isByte() bool { return t.kind == 'u' && t.size == 1 }

// len returns the number of elements.
func (a *ndarray) len() int { return len(a.raw) / a.dtype.size }

// appendTo appends the elements to dst in row-major order.
func (a *ndarray) appendTo(dst []float64) []float64 {
	if a.columnMajor {
		return append(dst, rowMajor(a.dtype.append(nil, a.raw), a.shape)...)
	}
	return a.dtype.append(dst, a.raw)
}

// append appends the elements to dst. Integers beyond ±2⁵³ are rounded.
func (t dtype) append(dst []float64, raw []byte) []float64 {
	for ; len(raw) > 0; raw = raw[t.size:] {
		var bits uint64
		switch t.size {
		case 1:
			bits = uint64(raw[0])
		case 2:
			bits = uint64(t.order.Uint16(raw))
		case 4:
			bits = uint64(t.order.Uint32(raw))
		case 8:
			bits = t.order.Uint64(raw)
		}
		switch {
		case t.kind == 'f' && t.size == 4:
			dst = append(dst, float64(math.Float32frombits(uint32(bits))))
		case t.kind == 'f':
			dst = append(dst, math.Float64frombits(bits))
		case t.kind == 'i':
			unused := 64 - 8*t.size
			dst = append(dst, float64(int64(bits<<unused)>>unused))
		default:
			dst = append(dst, float64(bits))
		}
	}
	return dst
}

// rowMajor returns the values of a column-major (Fortran order) array in
// row-major order.
func rowMajor(values []float64, shape []int) []float64 {
	out := make([]float64, len(values))
	index := make([]int, len(shape))
	for i := range out {
		from, stride := 0, 1
		for k, n := range shape {
			from += index[k] * stride
			stride *= n
		}
		out[i] = values[from]
		for k := len(index) - 1; k >= 0; k-- {
			if index[k]++; index[k] < shape[k] {
				break
			}
			index[k] = 0
		}
	}
	return out
}

// The fields of the dictionary in an NPY header, as numpy.lib.format defines
// it. A structured type has a list for descr, which does not match.
var (
	npyDescr   = regexp.MustCompile(`'descr'\s*:\s*'([^']*)'`)
	npyFortran = regexp.MustCompile(`'fortran_order'\s*:\s*(True|False)`)
	npyShape   = regexp.MustCompile(`'shape'\s*:\s*\(([0-9,\s]*)\)`)
)

// maxArrayBytes bounds the size that a header may claim, so that no arithmetic
// on sizes overflows.
const maxArrayBytes = math.MaxInt / 2

// maxNPYHeader is the longest header; NumPy refuses more than 10,000 bytes too.
const maxNPYHeader = 10_000

// readNPY reads an array in NumPy's NPY format, version 1, 2 or 3, which takes
// size bytes. Memory is taken only for what the size allows.
//
// github.com/sbinet/npyio v0.9.0 reads the format too, but takes memory for what
// a header claims (a file of 100 bytes may claim any shape), gives zeros for the
// rest of an array that ends between two elements, and cannot tell images from
// rows, as it reads into vectors and matrices alone.
func readNPY(r io.Reader, size int64) (*ndarray, error) {
	s, err := scanNPY(r, size)
	if err != nil {
		return nil, err
	}
	return s.all()
}

// arrayScanner reads an array in parts.
type arrayScanner struct {
	ndarray // without its elements
	r       io.Reader
	want    int // bytes of the elements
	got     int
}

// scanNPY reads an array's header, see readNPY.
func scanNPY(r io.Reader, size int64) (*arrayScanner, error) {
	counted := &countingReader{r: r}
	header, err := npyHeader(counted, size)
	if err != nil {
		return nil, err
	}
	descr, order, shape := npyDescr.FindStringSubmatch(header), npyFortran.FindStringSubmatch(header), npyShape.FindStringSubmatch(header)
	if descr == nil || order == nil || shape == nil {
		return nil, fmt.Errorf("header %s, want a plain dtype, an order and a shape", quote(strings.TrimSpace(header)))
	}
	t, err := parseDtype(descr[1])
	if err != nil {
		return nil, err
	}
	a := &arrayScanner{ndarray: ndarray{dtype: t, columnMajor: order[1] == "True"}, r: r}
	count := 1
	for field := range strings.SplitSeq(shape[1], ",") {
		if field = strings.TrimSpace(field); field == "" {
			continue // Python writes (3,) for one dimension
		}
		n, err := strconv.Atoi(field)
		if err != nil || n > 0 && count > maxArrayBytes/t.size/n {
			return nil, fmt.Errorf("shape (%s) is not one of an array in memory", shape[1])
		}
		a.shape, count = append(a.shape, n), count*n
	}
	a.want = count * t.size
	switch left := size - counted.n; {
	case left < int64(a.want):
		return nil, fmt.Errorf("data end after %d of the %d bytes of shape %v", left, a.want, a.shape)
	case left > int64(a.want):
		return nil, fmt.Errorf("data do not end after the %d bytes of shape %v", a.want, a.shape)
	}
	return a, nil
}

// all reads the whole array.
func (s *arrayScanner) all() (*ndarray, error) {
	s.raw = make([]byte, s.want)
	if err := s.fill(s.raw); err != nil {
		return nil, err
	}
	return &s.ndarray, nil
}

// rows returns the next n rows of an array that has so many left, which is not
// column-major. They are valid until the next call.
func (s *arrayScanner) rows(n int) (*ndarray, error) {
	part := s.ndarray
	part.shape = append([]int{n}, s.shape[1:]...)
	size := n * (s.want / s.shape[0])
	if cap(s.raw) < size {
		s.raw = make([]byte, size)
	}
	part.raw = s.raw[:size]
	return &part, s.fill(part.raw)
}

// fill reads the next elements, and makes sure that nothing follows the last
// ones.
func (s *arrayScanner) fill(raw []byte) error {
	n, err := io.ReadFull(s.r, raw)
	s.got += n
	switch {
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF):
		return fmt.Errorf("data, after %d of %d bytes: %w", s.got, s.want, err)
	case err != nil && len(raw) > 0:
		return fmt.Errorf("data end after %d of the %d bytes of shape %v", s.got, s.want, s.shape)
	case s.got < s.want:
		return nil
	}
	var more [1]byte // reads the checksum too
	if _, err := io.ReadFull(s.r, more[:]); err == nil {
		return fmt.Errorf("data do not end after the %d bytes of shape %v", s.want, s.shape)
	} else if !errors.Is(err, io.EOF) {
		return fmt.Errorf("data, after %d of %d bytes: %w", s.got, s.want, err)
	}
	return nil
}

// countingReader counts what is read.
type countingReader struct {
	r io.Reader
	n int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// npyHeader reads up to the end of the header and returns its dictionary.
func npyHeader(r io.Reader, size int64) (string, error) {
	const magic = "\x93NUMPY"
	var start [len(magic) + 2]byte
	if _, err := io.ReadFull(r, start[:]); err != nil {
		return "", fmt.Errorf("no NPY header: %w", err)
	}
	if string(start[:len(magic)]) != magic {
		return "", fmt.Errorf("starts with %q, want %q", start[:len(magic)], magic)
	}
	var length int64
	switch version := start[len(magic)]; version {
	case 1:
		var n uint16
		if err := binary.Read(r, binary.LittleEndian, &n); err != nil {
			return "", fmt.Errorf("header ends early: %w", err)
		}
		length = int64(n)
	case 2, 3:
		var n uint32
		if err := binary.Read(r, binary.LittleEndian, &n); err != nil {
			return "", fmt.Errorf("header ends early: %w", err)
		}
		length = int64(n)
	default:
		return "", fmt.Errorf("NPY version %d, want 1, 2 or 3", version)
	}
	if length > min(size, maxNPYHeader) {
		return "", fmt.Errorf("header of %d bytes in %d, want at most %d", length, size, maxNPYHeader)
	}
	var header bytes.Buffer
	if n, err := io.CopyN(&header, r, length); err != nil {
		return "", fmt.Errorf("header ends after %d of %d bytes: %w", n, length, err)
	}
	return header.String(), nil
}
