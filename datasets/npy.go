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

// readNPY reads an array in NumPy's NPY format, version 1, 2 or 3. It trusts no
// size that the header claims: memory grows with the data that are there.
func readNPY(r io.Reader) (*ndarray, error) {
	header, err := npyHeader(r)
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
	a := &ndarray{dtype: t, columnMajor: order[1] == "True"}
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
	want := count * t.size
	raw, err := io.ReadAll(io.LimitReader(r, int64(want)+1))
	switch {
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return nil, fmt.Errorf("data, after %d of %d bytes: %w", len(raw), want, err)
	case err != nil || len(raw) < want:
		return nil, fmt.Errorf("data end after %d of the %d bytes of shape %v", len(raw), want, a.shape)
	case len(raw) > want:
		return nil, fmt.Errorf("data do not end after the %d bytes of shape %v", want, a.shape)
	}
	a.raw = raw
	return a, nil
}

// npyHeader reads up to the end of the header and returns its dictionary.
func npyHeader(r io.Reader) (string, error) {
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
	var header bytes.Buffer
	if n, err := io.CopyN(&header, r, length); err != nil {
		return "", fmt.Errorf("header ends after %d of %d bytes: %w", n, length, err)
	}
	return header.String(), nil
}
