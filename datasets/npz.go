package datasets

import (
	"archive/zip"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/affine-go/affine/datasets/internal/csvscan"
)

// OpenNPZ reads a NumPy archive (numpy.savez, compressed or not). It takes the
// arrays
//
//	x or x_train, y or y_train, and optionally x_test, y_test
//
// in either case of letters; the test arrays become the dataset's predefined
// test part. x is [rows, ...], whose further dimensions
// are flattened to features; y is [rows] or [rows, 1]. The types are float32,
// float64, signed and unsigned integers, and bool, in either byte order.
//
// x of [rows, height, width], with or without a channel dimension of 1, is
// taken for images. Bytes (uint8) in three or more dimensions are taken for
// pixels and divided by 255.
//
// [Options] Task says what y holds. Class names are the numbers, in order.
func OpenNPZ(path string, opts Options) (*Dataset, error) {
	f, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	d, err := ReadNPZ(f, info.Size(), path, opts)
	if err != nil {
		return nil, err
	}
	d.Name = filepath.Base(path)
	return d, nil
}

// ReadNPZ reads what [OpenNPZ] does from a reader of the given size in bytes;
// name stands for the file in errors and is the dataset's name.
func ReadNPZ(r io.ReaderAt, size int64, name string, opts Options) (*Dataset, error) {
	if err := opts.forFile(name); err != nil {
		return nil, err
	}
	if err := opts.onlyCSV(name); err != nil {
		return nil, err
	}
	if opts.Target != "" {
		return nil, usagef("%s: a target column can be chosen for CSV files only, an NPZ file's targets are y", name)
	}
	archive, err := zip.NewReader(r, size)
	if err != nil {
		return nil, fmt.Errorf("%s: not a whole NPZ file (%d bytes): %w", name, size, err)
	}
	z := npzFile{archive: archive, size: size, labelled: opts.Schema == nil}
	train, test, err := z.parts()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	d, err := fromArrays(name, train, test, opts)
	if err != nil {
		return nil, err
	}
	return opts.conform(d)
}

// npzFile finds the arrays in an archive. Targets must be there if labelled.
type npzFile struct {
	archive  *zip.Reader
	size     int64 // in bytes
	labelled bool
}

// parts reads the training part and, if the file has one, the test part.
func (z *npzFile) parts() (train, test *arrays, err error) {
	switch {
	case z.find("x") != nil:
		train, err = z.part("x", "y")
	case z.find("x_train") != nil:
		train, err = z.part("x_train", "y_train")
	default:
		err = fmt.Errorf("no array x or x_train: there are %s", quoteList(z.names(), "and"))
	}
	if err == nil && z.find("x_test") != nil {
		test, err = z.part("x_test", "y_test")
	}
	return train, test, err
}

// part reads the features and targets with the given names.
func (z *npzFile) part(xName, yName string) (*arrays, error) {
	x, err := z.read(xName)
	if err != nil {
		return nil, err
	}
	a := &arrays{xName: xName, yName: yName}
	if err := a.setX(x); err != nil {
		return nil, err
	}
	if z.find(yName) == nil && !z.labelled {
		return a, nil
	}
	y, err := z.read(yName)
	if err != nil {
		return nil, err
	}
	return a, a.setY(y)
}

func (z *npzFile) names() []string {
	names := make([]string, len(z.archive.File))
	for i, f := range z.archive.File {
		names[i] = strings.TrimSuffix(f.Name, ".npy")
	}
	return names
}

func (z *npzFile) find(name string) *zip.File {
	i := slices.IndexFunc(z.names(), func(n string) bool { return strings.EqualFold(n, name) })
	if i < 0 {
		return nil
	}
	return z.archive.File[i]
}

// checkSize refuses a file that claims sizes which cannot be, or which unpacks to
// without measure.
func (z *npzFile) checkSize(f *zip.File) error {
	packed, unpacked := f.CompressedSize64, f.UncompressedSize64
	switch {
	case packed > uint64(z.size):
		return fmt.Errorf("%d bytes are claimed in a file of %d", packed, z.size)
	case f.Method == zip.Store && packed != unpacked:
		return fmt.Errorf("%d bytes stored as %d", unpacked, packed)
	}
	return csvscan.CheckUnpacked(packed, unpacked)
}

func (z *npzFile) read(name string) (*ndarray, error) {
	f := z.find(name)
	if f == nil {
		return nil, fmt.Errorf("no array %s: there are %s", name, quoteList(z.names(), "and"))
	}
	if err := z.checkSize(f); err != nil {
		return nil, fmt.Errorf("array %s: %w", name, err)
	}
	r, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("array %s: %w", name, err)
	}
	defer r.Close()
	a, err := readNPY(r, int64(f.UncompressedSize64))
	if err != nil {
		return nil, fmt.Errorf("array %s: %w", name, err)
	}
	return a, nil
}
