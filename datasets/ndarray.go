package datasets

import (
	"encoding/binary"
	"fmt"
	"math"
	"regexp"
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
