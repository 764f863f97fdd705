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
	if err := opts.forNPZ(name); err != nil {
		return nil, err
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

// forNPZ refuses options that archives do not have.
func (o *Options) forNPZ(name string) error {
	if err := o.forFile(name); err != nil {
		return err
	}
	if err := o.onlyCSV(name); err != nil {
		return err
	}
	if o.Target != "" {
		return usagef("%s: a target column can be chosen for CSV files only, an NPZ file's targets are y", name)
	}
	return nil
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
	if err := opts.forIDX(dir); err != nil {
		return nil, err
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

// forIDX refuses options that files of images do not have.
func (o *Options) forIDX(path string) error {
	if err := o.forFile(path); err != nil {
		return err
	}
	if err := o.onlyCSV(path); err != nil {
		return err
	}
	if o.Target != "" || o.Task == Regression {
		return usagef("%s: target and task cannot be chosen for IDX files, their labels are classes", path)
	}
	return nil
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

// idxFiles finds the images and labels of one part; "" if there is none.
func idxFiles(dir, part string) (images, labels string, err error) {
	images = findIDX(dir, part, "images", 3)
	labels = findIDX(dir, part, "labels", 1)
	switch {
	case images == "" && labels != "":
		err = fmt.Errorf("%s: no file %s to go with %s", dir, quoteList(idxNames(part, "images", 3), "or"), filepath.Base(labels))
	case images != "" && labels == "":
		err = fmt.Errorf("%s: no file %s to go with %s", dir, quoteList(idxNames(part, "labels", 1), "or"), filepath.Base(images))
	case images == "" && part == "train":
		err = fmt.Errorf("%s: no file %s", dir, quoteList(idxNames("train", "images", 3), "or"))
	}
	return images, labels, err
}

// openIDXPart reads the images and labels of one part; nil if there is none.
func openIDXPart(dir, part string) (*arrays, error) {
	images, labels, err := idxFiles(dir, part)
	if err != nil || images == "" {
		return nil, err
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
	s, err := scanIDX(r, size, dims)
	if err != nil {
		return nil, err
	}
	header, want := 4+4*dims, s.want
	all := int64(header) + int64(want)
	data, err := io.ReadAll(io.LimitReader(s.r, int64(want)+1))
	switch end := header + len(data); {
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return nil, fmt.Errorf("at byte %d: %w", end, err)
	case len(data) < want:
		return nil, fmt.Errorf("data end at byte %d, want %d bytes for %s", end, all, sizes(s.shape))
	case err != nil:
		return nil, fmt.Errorf("gzip stream ends after the data, at byte %d, without its checksum", end)
	case len(data) > want:
		return nil, fmt.Errorf("more data than the %d bytes for %s", all, sizes(s.shape))
	}
	s.raw = data
	return &s.ndarray, nil
}

// scanIDX reads the header of what readIDX reads.
func scanIDX(r io.Reader, size int64, dims int) (*arrayScanner, error) {
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
	a := &arrayScanner{ndarray: ndarray{dtype: uint8Type}, r: content}
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
	a.want = want
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

// ScanArrays reads an NPZ or IDX file for a model, [Options] Schema, and calls
// each with its rows, some at a time and in their order, those of a test part
// last: it takes the same memory for a file of any length. Only an array in
// Fortran's order is read whole. What else it does stands at [OpenNPZ] and
// [OpenIDX]; source is as [Open] takes it.
func ScanArrays(source string, opts Options, each func(*Dataset) error) error {
	kind, path, _ := strings.Cut(source, ":")
	if opts.Schema == nil {
		return usagef("%s: no schema, want that of the model to read for", source)
	}
	var parts []*scannedPart
	defer func() {
		for _, p := range parts {
			p.close()
		}
	}()
	var err error
	switch kind {
	case "npz":
		parts, err = scanNPZ(path, opts)
	case "idx":
		parts, err = scanIDXParts(path, opts)
		opts.Task = Classification
	default:
		return usagef("%s: want npz:FILE or idx:DIR", source)
	}
	if err != nil {
		return err
	}
	for _, p := range parts {
		if err := p.scan(filepath.Base(path), kind, opts, each); err != nil {
			return err
		}
	}
	return nil
}

// scannedPart is a part of a dataset that is read some rows at a time.
type scannedPart struct {
	xName, yName string // for errors
	x, y         *arrayScanner
	files        []io.Closer
}

func (p *scannedPart) close() {
	for _, f := range p.files {
		f.Close()
	}
}

// Most rows and numbers that are handed on at a time: 8 MB of float64.
const (
	scannedRows    = 4096
	scannedNumbers = 1 << 20
)

// scan hands on the rows of the part.
func (p *scannedPart) scan(name, kind string, opts Options, each func(*Dataset) error) error {
	rows := 0
	if len(p.x.shape) > 0 {
		rows = p.x.shape[0]
	}
	if p.y != nil && (len(p.y.shape) == 0 || p.y.shape[0] != rows || p.y.want != rows*p.y.dtype.size) {
		return fmt.Errorf("%s: %s has shape %v, want [%d], one target for each row of %s", name, p.yName, p.y.shape, rows, p.xName)
	}
	step := rows
	if rows > 0 && !p.x.columnMajor {
		step = min(scannedRows, max(1, scannedNumbers/max(1, p.x.want/p.x.dtype.size/rows)), rows)
	}
	for from := 0; from < max(rows, 1); from += max(step, 1) { // an empty part is refused
		to := min(from+step, rows)
		d, err := p.batch(name, to-from, opts)
		if err == nil && kind == "idx" {
			d.TargetName = "label"
		}
		if err == nil {
			err = each(d)
		}
		if err != nil && rows > step {
			err = fmt.Errorf("rows %d to %d: %w", from, to-1, err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// batch reads the next rows.
func (p *scannedPart) batch(name string, rows int, opts Options) (*Dataset, error) {
	next := func(s *arrayScanner, what string) (*ndarray, error) {
		var a *ndarray
		var err error
		if s.columnMajor || len(s.shape) < 1 || s.shape[0] == 0 {
			a, err = s.all()
		} else {
			a, err = s.rows(rows)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", name, what, err)
		}
		return a, nil
	}
	x, err := next(p.x, p.xName)
	if err != nil {
		return nil, err
	}
	a := &arrays{xName: p.xName, yName: p.yName}
	if err := a.setX(x); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if p.y != nil {
		y, err := next(p.y, p.yName)
		if err == nil {
			err = a.setY(y)
		}
		if err != nil {
			return nil, err
		}
	}
	d, err := fromArrays(name, a, nil, opts)
	if err != nil {
		return nil, err
	}
	return opts.conform(d)
}

// scanNPZ finds the parts of an archive, see OpenNPZ.
func scanNPZ(path string, opts Options) (parts []*scannedPart, err error) {
	if err := opts.forNPZ(path); err != nil {
		return nil, err
	}
	f, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	all := &scannedPart{files: []io.Closer{f}} // closed with the first part, after all
	parts = []*scannedPart{all}
	info, err := f.Stat()
	if err != nil {
		return parts, err
	}
	archive, err := zip.NewReader(f, info.Size())
	if err != nil {
		return parts, fmt.Errorf("%s: not a whole NPZ file (%d bytes): %w", path, info.Size(), err)
	}
	z := npzFile{archive: archive, size: info.Size()}
	names := [][2]string{{"x", "y"}, {"x_test", "y_test"}}
	if z.find("x") == nil {
		if names[0] = [2]string{"x_train", "y_train"}; z.find("x_train") == nil {
			return parts, fmt.Errorf("%s: no array x or x_train: there are %s", path, quoteList(z.names(), "and"))
		}
	}
	for i, n := range names {
		if z.find(n[0]) == nil {
			break
		}
		p := all
		if i > 0 {
			p = &scannedPart{}
			parts = append(parts, p)
		}
		p.xName, p.yName = n[0], n[1]
		if p.x, err = p.open(&z, n[0]); err == nil && z.find(n[1]) != nil {
			p.y, err = p.open(&z, n[1])
		}
		if err != nil {
			return parts, fmt.Errorf("%s: %w", path, err)
		}
	}
	return parts, nil
}

// open begins to read an array of an archive.
func (p *scannedPart) open(z *npzFile, name string) (*arrayScanner, error) {
	f := z.find(name)
	if err := z.checkSize(f); err != nil {
		return nil, fmt.Errorf("array %s: %w", name, err)
	}
	r, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("array %s: %w", name, err)
	}
	p.files = append(p.files, r)
	s, err := scanNPY(r, int64(f.UncompressedSize64))
	if err != nil {
		return nil, fmt.Errorf("array %s: %w", name, err)
	}
	return s, nil
}

// scanIDXParts finds the parts of a directory or of a file of images, see OpenIDX.
func scanIDXParts(path string, opts Options) (parts []*scannedPart, err error) {
	if err := opts.forIDX(path); err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err // it names the operation and the path
	case info.Mode().IsRegular():
		p := &scannedPart{xName: filepath.Base(path)}
		p.x, err = p.openIDX(path, 3)
		return []*scannedPart{p}, err
	case !info.IsDir():
		return nil, fmt.Errorf("%s: not a directory, want one with MNIST's files", path)
	}
	for _, part := range []string{"train", "t10k"} {
		images, labels, err := idxFiles(path, part)
		if err != nil || images == "" {
			return parts, err
		}
		p := &scannedPart{xName: filepath.Base(images), yName: filepath.Base(labels)}
		parts = append(parts, p)
		if p.x, err = p.openIDX(images, 3); err == nil {
			p.y, err = p.openIDX(labels, 1)
		}
		if err != nil {
			return parts, err
		}
	}
	return parts, nil
}

// openIDX begins to read a file.
func (p *scannedPart) openIDX(path string, dims int) (*arrayScanner, error) {
	f, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	p.files = append(p.files, f)
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	s, err := scanIDX(f, info.Size(), dims)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}
