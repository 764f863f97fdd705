package datasets

import (
	"archive/zip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/affine-go/affine/datasets/internal/csvscan"
)

// arrays are the features and targets of one part of a dataset that comes as
// arrays: NPZ or IDX.
type arrays struct {
	xName, yName string // for errors
	rows, cols   int
	image        [2]int
	x            *ndarray
	pixels       bool      // whether x is to be divided by 255
	y            []float64 // nil if there are no targets
}

// setX takes [rows, ...] as the features.
func (a *arrays) setX(x *ndarray) error {
	if len(x.shape) < 2 {
		return fmt.Errorf("%s has shape %v, want [rows, features] or more dimensions", a.xName, x.shape)
	}
	if x.len() == 0 {
		return fmt.Errorf("%s has shape %v, want at least one row and one feature", a.xName, x.shape)
	}
	a.x, a.rows, a.cols = x, x.shape[0], x.len()/x.shape[0]
	a.image = imageShape(x.shape[1:])
	a.pixels = x.dtype.isByte() && len(x.shape) > 2
	return nil
}

// appendX appends the features to dst.
func (a *arrays) appendX(dst []float64) []float64 {
	from := len(dst)
	dst = a.x.appendTo(dst)
	if a.pixels {
		for i := range dst[from:] {
			dst[from+i] /= 255
		}
	}
	return dst
}

// imageShape returns the height and width of an image of one channel, or zero
// where a row's shape is not that of one.
func imageShape(row []int) [2]int {
	switch {
	case len(row) == 2:
		return [2]int{row[0], row[1]}
	case len(row) == 3 && row[2] == 1:
		return [2]int{row[0], row[1]}
	case len(row) == 3 && row[0] == 1:
		return [2]int{row[1], row[2]}
	default:
		return [2]int{}
	}
}

// setY takes [rows] or [rows, 1] as the targets.
func (a *arrays) setY(y *ndarray) error {
	if n := y.len(); n != a.rows || len(y.shape) == 0 || y.shape[0] != n {
		return fmt.Errorf("%s has shape %v, want [%d], one target for each row of %s", a.yName, y.shape, a.rows, a.xName)
	}
	a.y = y.appendTo(nil)
	return nil
}

// fromArrays joins the parts to a dataset; test may be nil.
func fromArrays(name string, train, test *arrays, opts Options) (*Dataset, error) {
	d := &Dataset{Name: name, ImageShape: train.image, Y: train.y, TargetName: "y"}
	if d.ImageShape != [2]int{} {
		d.Features = numbered("pixel", 0, train.cols)
	} else {
		d.Features = numbered("x", 1, train.cols)
	}
	rows := train.rows
	if test != nil {
		rows += test.rows
		switch {
		case test.cols != train.cols || test.image != train.image:
			return nil, fmt.Errorf("%s: %s has rows of shape %v, want %v as in %s", name, test.xName, test.x.shape[1:], train.x.shape[1:], train.xName)
		case (test.y == nil) != (train.y == nil):
			return nil, fmt.Errorf("%s: want both %s and %s, or neither", name, train.yName, test.yName)
		}
		d.TestFrom = train.rows
		d.Y = append(d.Y, test.y...)
	}
	d.X = train.appendX(make([]float64, 0, rows*train.cols))
	if test != nil {
		d.X = test.appendX(d.X)
	}
	if i := slices.IndexFunc(d.Y, func(v float64) bool { return !finite(v) }); i >= 0 {
		part, row := train, i
		if i >= train.rows {
			part, row = test, i-train.rows
		}
		return nil, fmt.Errorf("%s: %s[%d] is %v, want a finite number", name, part.yName, row, d.Y[i])
	}
	d.Task = arraysTask(d.Y, opts)
	if d.Task == Classification {
		d.Classes = classesOfNumbers(d.Y)
	}
	if d.Task == Classification && d.Y == nil {
		d.Classes = slices.Clone(opts.Schema.Classes)
	}
	return d, d.Check()
}

// arraysTask returns the task that is asked for or that the targets suggest.
func arraysTask(y []float64, opts Options) Task {
	switch {
	case opts.Schema != nil:
		return opts.Schema.Task
	case opts.Task != AutoTask:
		return opts.Task
	case numbersAreClasses(y):
		return Classification
	default:
		return Regression
	}
}

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
