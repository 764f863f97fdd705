package datasets

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/affine-go/affine/datasets/internal/csvscan"
)

// OpenIDX reads a directory with the files of MNIST (Y. LeCun, C. Cortes and C.
// J. C. Burges), or of a dataset that comes as MNIST does:
//
//	train-images-idx3-ubyte  train-labels-idx1-ubyte
//	t10k-images-idx3-ubyte   t10k-labels-idx1-ubyte   (optional)
//
// The last hyphen may be a dot (train-images.idx3-ubyte), .gz may follow, and
// each file may be compressed with gzip. The t10k files become the dataset's
// predefined test part.
//
// An IDX file starts with a big-endian magic number, 0x00000803 for bytes in
// three dimensions and 0x00000801 for bytes in one, and one big-endian 32-bit
// size per dimension; then come the bytes. Pixels are divided by 255. Class
// names are the labels, in order.
//
// With [Options] Schema dir may also be one file of images, whose labels are not
// known.
func OpenIDX(dir string, opts Options) (*Dataset, error) {
	if err := opts.forFile(dir); err != nil {
		return nil, err
	}
	if err := opts.onlyCSV(dir); err != nil {
		return nil, err
	}
	if opts.Target != "" || opts.Task == Regression {
		return nil, usagef("%s: target and task cannot be chosen for IDX files, their labels are classes", dir)
	}
	opts.Task = Classification
	if info, err := os.Stat(dir); err != nil {
		return nil, err // it names the operation and the path
	} else if info.Mode().IsRegular() && opts.Schema != nil {
		return openImages(dir, opts)
	} else if !info.IsDir() {
		return nil, fmt.Errorf("%s: not a directory, want one with MNIST's files", dir)
	}
	train, err := openIDXPart(dir, "train")
	if err != nil {
		return nil, err
	}
	if train == nil {
		return nil, fmt.Errorf("%s: no file %s", dir, quoteList(idxNames("train", "images", 3), "or"))
	}
	test, err := openIDXPart(dir, "t10k")
	if err != nil {
		return nil, err
	}
	d, err := fromArrays(dir, train, test, opts)
	if err == nil {
		d, err = opts.conform(d)
	}
	if err != nil {
		return nil, err
	}
	d.Name, d.TargetName = filepath.Base(dir), "label"
	return d, nil
}

// openImages reads one file of images without labels, for a model.
func openImages(path string, opts Options) (*Dataset, error) {
	x, err := openIDXFile(path, 3)
	if err != nil {
		return nil, err
	}
	a := &arrays{xName: filepath.Base(path)}
	if err := a.setX(x); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	d, err := fromArrays(path, a, nil, opts)
	if err == nil {
		d, err = opts.conform(d)
	}
	if err != nil {
		return nil, err
	}
	d.Name, d.TargetName = filepath.Base(path), "label"
	return d, nil
}

// openIDXPart reads the images and labels of one part; nil if there is none.
func openIDXPart(dir, part string) (*arrays, error) {
	images := findIDX(dir, part, "images", 3)
	labels := findIDX(dir, part, "labels", 1)
	switch {
	case images == "" && labels == "":
		return nil, nil
	case labels == "":
		return nil, fmt.Errorf("%s: no file %s to go with %s", dir, quoteList(idxNames(part, "labels", 1), "or"), filepath.Base(images))
	case images == "":
		return nil, fmt.Errorf("%s: no file %s to go with %s", dir, quoteList(idxNames(part, "images", 3), "or"), filepath.Base(labels))
	}
	x, err := openIDXFile(images, 3)
	if err != nil {
		return nil, err
	}
	y, err := openIDXFile(labels, 1)
	if err != nil {
		return nil, err
	}
	a := &arrays{xName: filepath.Base(images), yName: filepath.Base(labels)}
	if err = a.setX(x); err == nil {
		err = a.setY(y)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	return a, nil
}

// idxNames returns the spellings of a file's name.
func idxNames(part, what string, dims int) []string {
	var names []string
	for _, hyphen := range []string{"-", "."} {
		name := fmt.Sprintf("%s-%s%sidx%d-ubyte", part, what, hyphen, dims)
		names = append(names, name, name+".gz")
	}
	return names
}

func findIDX(dir, part, what string, dims int) string {
	for _, name := range idxNames(part, what, dims) {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path
		}
	}
	return ""
}

func openIDXFile(path string, dims int) (*ndarray, error) {
	f, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	a, err := readIDX(f, info.Size(), dims)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return a, nil
}

// idxImages is the magic number of a file of images.
const idxImages = 0x00000803

// readIDX reads unsigned bytes in dims dimensions, plain or packed, of a file of
// the given size. Memory is taken only for data that are there.
func readIDX(r io.Reader, size int64, dims int) (*ndarray, error) {
	content, err := csvscan.Unpack(r)
	if err != nil {
		return nil, err
	}
	_, packed := content.(csvscan.Packed)
	header := make([]byte, 4+4*dims)
	if n, err := io.ReadFull(content, header); err != nil {
		return nil, fmt.Errorf("header ends at byte %d, want %d bytes: %w", n, len(header), noEOF(err))
	}
	wantMagic := uint32(0x0800 + dims) // 0x08: unsigned bytes
	if magic := binary.BigEndian.Uint32(header); magic != wantMagic {
		return nil, fmt.Errorf("magic number is %#08x, want %#08x", magic, wantMagic)
	}
	a := &ndarray{dtype: uint8Type}
	want := 1
	for k := range dims {
		n := binary.BigEndian.Uint32(header[4+4*k:])
		if want > 0 && uint64(n) > uint64(maxArrayBytes/want) {
			return nil, fmt.Errorf("sizes in the header, % x, are not those of an array in memory", header[4:])
		}
		a.shape, want = append(a.shape, int(n)), want*int(n)
	}
	all := int64(len(header)) + int64(want)
	if !packed && size < all {
		return nil, fmt.Errorf("data end at byte %d, want %d bytes for %s", size, all, sizes(a.shape))
	}
	data, err := io.ReadAll(io.LimitReader(content, int64(want)+1))
	switch end := len(header) + len(data); {
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return nil, fmt.Errorf("at byte %d: %w", end, err)
	case len(data) < want:
		return nil, fmt.Errorf("data end at byte %d, want %d bytes for %s", end, all, sizes(a.shape))
	case err != nil:
		return nil, fmt.Errorf("gzip stream ends after the data, at byte %d, without its checksum", end)
	case len(data) > want:
		return nil, fmt.Errorf("more data than the %d bytes for %s", all, sizes(a.shape))
	}
	a.raw = data
	return a, nil
}

// sizes writes 60000×28×28.
func sizes(shape []int) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(shape), " ", "×"), "[]")
}

// noEOF turns the end of a file into the unexpected end that it is.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
