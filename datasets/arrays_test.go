package datasets

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/sbinet/npyio/npz"
	"gonum.org/v1/gonum/mat"
)

// The arrays were written by NumPy, the same matrix in every type and order.
func TestNPYTypesAndOrders(t *testing.T) {
	r := openReference(t, "dtypes.npz")
	matrix := []float64{0, 1, 2, 3, 100, 127}
	read := 0
	for _, name := range r.file.names() {
		a, want, shape := r.array(name), matrix, []int{2, 3}
		switch name {
		case "negative":
			want = []float64{0, -1, -2, -3, -100, -127}
		case "bool":
			want = []float64{0, 0, 0, 1, 1, 1}
		case "fortran3":
			want, shape = make([]float64, 24), []int{2, 3, 4}
			for i := range want {
				want[i] = float64(i)
			}
		}
		if !slices.Equal(a.appendTo(nil), want) || !slices.Equal(a.shape, shape) {
			t.Errorf("%s: got %v of shape %v, want %v of %v", name, a.appendTo(nil), a.shape, want, shape)
		}
		read++
	}
	if read != 24 {
		t.Errorf("read %d arrays, want 24", read)
	}
}

// npy writes an array by hand.
func npy(version byte, header string, data ...byte) []byte {
	b := []byte("\x93NUMPY")
	b = append(b, version, 0)
	if version == 1 {
		b = binary.LittleEndian.AppendUint16(b, uint16(len(header)))
	} else {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(header)))
	}
	return append(append(b, header...), data...)
}

func readNPYBytes(file []byte) (*ndarray, error) {
	return readNPY(bytes.NewReader(file), int64(len(file)))
}

func TestNPYHeaders(t *testing.T) {
	const header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }   \n"
	for version := byte(1); version <= 3; version++ {
		a, err := readNPYBytes(npy(version, header, 0, 0, 0xc0, 0x3f))
		if err != nil || !slices.Equal(a.appendTo(nil), []float64{1.5}) {
			t.Errorf("version %d: %v, %v", version, a, err)
		}
	}
	native := binary.NativeEndian.AppendUint16(nil, 513)
	a, err := readNPYBytes(npy(1, "{'shape': (1,), 'descr': '=u2', 'fortran_order': False}", native...))
	if err != nil || !slices.Equal(a.appendTo(nil), []float64{513}) {
		t.Errorf("native order: %v, %v", a, err)
	}
}

func TestNPYErrors(t *testing.T) {
	form := func(descr, order, shape string) []byte {
		return npy(1, "{'descr': "+descr+", 'fortran_order': "+order+", 'shape': "+shape+", }\n", 1, 2, 3, 4)
	}
	for _, c := range []struct {
		name string
		file []byte
		want string
	}{
		{"empty", nil, "no NPY header: EOF"},
		{"not NPY", []byte("PK\x03\x04 and so on"), `starts with "PK\x03\x04 a", want "\x93NUMPY"`},
		{"version", npy(4, ""), "NPY version 4, want 1, 2 or 3"},
		{"no dictionary", npy(1, "hello"), `header "hello", want a plain dtype, an order and a shape`},
		{"long header", npy(2, "")[:9], "header ends early: unexpected EOF"},
		{"short header", append(npy(1, "")[:8], 200, 0, '{'), "header of 200 bytes in 11, want at most 10000"},
		{"structured", form("[('a', '<f4')]", "False", "(1,)"), `header "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", want a plain dtype, an order and a shape`},
		{"negative", form("'<f4'", "False", "(-1,)"), `header "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", want a plain dtype, an order and a shape`},
		{"text", form("'<U10'", "False", "(1,)"), `dtype "<U10", want float32, float64, an integer type or bool`},
		{"half", form("'<f2'", "False", "(2,)"), `dtype "<f2", want float32, float64, an integer type or bool`},
		{"complex", form("'<c8'", "False", "(1,)"), `dtype "<c8", want float32, float64, an integer type or bool`},
		{"object", form("'|O'", "False", "(1,)"), `dtype "|O", want float32, float64, an integer type or bool`},
		{"too many", form("'<f4'", "False", "(99999999999999999999,)"), "shape (99999999999999999999,) is not one of an array in memory"},
		{"overflow", form("'<f8'", "False", "(4294967296, 4294967296)"), "shape (4294967296, 4294967296) is not one of an array in memory"},
		{"two numbers in one", form("'<f4'", "False", "(1 1,)"), "shape (1 1,) is not one of an array in memory"},
		{"short", form("'<f4'", "False", "(3,)"), "data end after 4 of the 12 bytes of shape [3]"},
		{"huge and short", form("'|u1'", "True", "(1000000000000, 1000)"), "data end after 4 of the 1000000000000000 bytes of shape [1000000000000 1000]"},
		{"long", form("'|u1'", "False", "(3,)"), "data do not end after the 3 bytes of shape [3]"},
	} {
		if _, err := readNPYBytes(c.file); err == nil || err.Error() != c.want {
			t.Errorf("%s: error %v, want %s", c.name, err, c.want)
		}
	}
}

// archive writes arrays as an NPZ file, with npyio.
func archive(t *testing.T, members map[string]any) []byte {
	t.Helper()
	var b bytes.Buffer
	w := npz.NewWriter(&b)
	for name, values := range members {
		if err := w.Write(name+".npy", values); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zipped(t testing.TB, members map[string][]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, content := range members {
		f, err := w.Create(name + ".npy")
		if err == nil {
			_, err = f.Write(content)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// floats writes values as a float64 array of the given shape, as Python writes
// a tuple.
func floats(shape string, values ...float64) []byte {
	var data []byte
	for _, v := range values {
		data = binary.LittleEndian.AppendUint64(data, math.Float64bits(v))
	}
	return npy(1, "{'descr': '<f8', 'fortran_order': False, 'shape': "+shape+", }\n", data...)
}

// bytesArray writes values as a uint8 array.
func bytesArray(shape string, values ...byte) []byte {
	return npy(1, "{'descr': '|u1', 'fortran_order': False, 'shape': "+shape+", }\n", values...)
}

func readZip(content []byte, opts Options) (*Dataset, error) {
	return ReadNPZ(bytes.NewReader(content), int64(len(content)), "t.npz", opts)
}

func TestNPZReadsWhatNpyioWrites(t *testing.T) {
	x := []float64{1, 2, 3, 4, 5, 6, 7, 8}
	d, err := readZip(archive(t, map[string]any{"X": mat.NewDense(4, 2, x), "y": []int64{3, 1, 3, 1}}), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(d.X, x) || !slices.Equal(d.Y, []float64{1, 0, 1, 0}) || !slices.Equal(d.Classes, []string{"1", "3"}) || !slices.Equal(d.Features, []string{"x1", "x2"}) {
		t.Errorf("got %+v", d)
	}
}

func TestNPZImagesWithATestPart(t *testing.T) {
	d, err := Open("npz:testdata/digits.npz", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Check(); err != nil {
		t.Error(err)
	}
	if d.Name != "digits.npz" || d.Len() != 6 || d.TestFrom != 4 || d.ImageShape != [2]int{3, 3} || d.Task != Classification || d.Features[8] != "pixel8" {
		t.Errorf("got %q, %d rows, test part from %d, images %v, %v", d.Name, d.Len(), d.TestFrom, d.ImageShape, d.Task)
	}
	if want := []float64{0, 1, 0, 0, 1, 0, 0, 1, 0}; !slices.Equal(d.Row(5), want) || !slices.Equal(d.Y, []float64{0, 1, 0, 1, 0, 1}) {
		t.Errorf("got row 5 %v, want %v; Y %v", d.Row(5), want, d.Y)
	}
}

func TestNPZShapes(t *testing.T) {
	y := bytesArray("(2,)", 1, 0)
	twelve := []byte{0, 51, 102, 153, 204, 255, 0, 51, 102, 153, 204, 255}
	for _, c := range []struct {
		shape string
		cols  int
		image [2]int
		third float64
	}{
		{"(2, 6)", 6, [2]int{}, 102},
		{"(2, 2, 3)", 6, [2]int{2, 3}, 0.4},
		{"(2, 1, 6)", 6, [2]int{1, 6}, 0.4},
		{"(2, 2, 3, 1)", 6, [2]int{2, 3}, 0.4},
		{"(2, 1, 3, 2)", 6, [2]int{3, 2}, 0.4},
		{"(2, 1, 2, 3)", 6, [2]int{2, 3}, 0.4},
		{"(2, 3, 1, 2)", 6, [2]int{}, 0.4},
		{"(2, 1, 1, 1, 6)", 6, [2]int{}, 0.4},
	} {
		d, err := readZip(zipped(t, map[string][]byte{"x": bytesArray(c.shape, twelve...), "y": y}), Options{Task: Classification})
		if err != nil {
			t.Errorf("%s: %v", c.shape, err)
			continue
		}
		if d.Inputs() != c.cols || d.ImageShape != c.image || d.X[2] != c.third || d.Len() != 2 {
			t.Errorf("%s: %d rows of %d, images %v, third value %v; want 2 of %d, %v, %v", c.shape, d.Len(), d.Inputs(), d.ImageShape, d.X[2], c.cols, c.image, c.third)
		}
	}
}

func TestNPZTaskAndSchema(t *testing.T) {
	x := floats("(4, 1)", 1, 2, 3, 4)
	schema := Schema{Task: Classification, Features: []string{"f"}, TargetName: "y", Classes: []string{"2", "1", "0"}}
	for _, c := range []struct {
		name    string
		y       []byte
		opts    Options
		task    Task
		targets []float64
	}{
		{"whole numbers", floats("(4,)", 2, 1, 2, 1), Options{}, Classification, []float64{1, 0, 1, 0}},
		{"whole numbers as numbers", floats("(4,)", 2, 1, 2, 1), Options{Task: Regression}, Regression, []float64{2, 1, 2, 1}},
		{"fractions", floats("(4,)", 2, 1, 2, 1.5), Options{}, Regression, []float64{2, 1, 2, 1.5}},
		{"a model's classes", floats("(4,)", 2, 1, 2, 1), Options{Schema: &schema}, Classification, []float64{0, 1, 0, 1}},
		{"no targets", nil, Options{Schema: &schema}, Classification, nil},
	} {
		members := map[string][]byte{"x": x}
		if c.y != nil {
			members["y"] = c.y
		}
		d, err := readZip(zipped(t, members), c.opts)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if err := d.Check(); err != nil || d.Task != c.task || !slices.Equal(d.Y, c.targets) || (d.Y == nil) != (c.targets == nil) {
			t.Errorf("%s: got %v, Y %v, %v; want %v, %v", c.name, d.Task, d.Y, err, c.task, c.targets)
		}
	}
}

func TestNPZErrors(t *testing.T) {
	x, y := floats("(2, 1)", 1, 2), floats("(2,)", 1, 2)
	schema := Schema{Task: Classification, Features: []string{"f"}, Classes: []string{"1", "3"}}
	wide := Schema{Task: Regression, Features: []string{"f", "g"}}
	type members = map[string][]byte
	for _, c := range []struct {
		name string
		file []byte
		opts Options
		want string
	}{
		{"empty", nil, Options{}, "not a whole NPZ file (0 bytes): zip: not a valid zip file"},
		{"text", []byte("x,y\n1,2\n"), Options{}, "not a whole NPZ file (8 bytes): zip: not a valid zip file"},
		{"no x", zipped(t, members{"y": y}), Options{}, `no array x or x_train: there are "y"`},
		{"no y", zipped(t, members{"x": x}), Options{}, `no array y: there are "x"`},
		{"not NPY", zipped(t, members{"x": []byte("hello, world")}), Options{}, `array x: starts with "hello,", want "\x93NUMPY"`},
		{"one dimension", zipped(t, members{"x": y, "y": y}), Options{}, "x has shape [2], want [rows, features] or more dimensions"},
		{"no rows", zipped(t, members{"x": floats("(0, 3)"), "y": y}), Options{}, "x has shape [0 3], want at least one row and one feature"},
		{"no features", zipped(t, members{"x": floats("(2, 0)"), "y": y}), Options{}, "x has shape [2 0], want at least one row and one feature"},
		{"other length", zipped(t, members{"x": x, "y": floats("(3,)", 1, 2, 3)}), Options{}, "y has shape [3], want [2], one target for each row of x"},
		{"one-hot", zipped(t, members{"x": x, "y": floats("(2, 2)", 1, 0, 0, 1)}), Options{}, "y has shape [2 2], want [2], one target for each row of x"},
		{"row of targets", zipped(t, members{"x": x, "y": floats("(1, 2)", 1, 0)}), Options{}, "y has shape [1 2], want [2], one target for each row of x"},
		{"scalar", zipped(t, members{"x": floats("(1, 1)", 1), "y": floats("()", 1)}), Options{}, "y has shape [], want [1], one target for each row of x"},
		{"short", zipped(t, members{"x": floats("(2, 2)", 1, 2, 3), "y": y}), Options{}, "array x: data end after 24 of the 32 bytes of shape [2 2]"},
		{"y NaN", zipped(t, members{"x": x, "y": floats("(2,)", 1, math.NaN())}), Options{}, "y[1] is NaN, want a finite number"},
		{"y_test infinite", zipped(t, members{"x": x, "y": y, "x_test": x, "y_test": floats("(2,)", 1, math.Inf(1))}), Options{}, "y_test[1] is +Inf, want a finite number"},
		{"test of other width", zipped(t, members{"x_train": x, "y_train": y, "x_test": floats("(1, 2)", 1, 2), "y_test": floats("(1,)", 1)}), Options{}, "x_test has rows of shape [2], want [1] as in x_train"},
		{"test without targets", zipped(t, members{"x_train": x, "y_train": y, "x_test": x}), Options{}, `no array y_test: there are `},
		{"one part with targets", zipped(t, members{"x_train": x, "y_train": y, "x_test": x}), Options{Schema: &schema}, `want both y_train and y_test, or neither`},
		{"target", zipped(t, members{"x": x, "y": y}), Options{Target: "y"}, "a target column can be chosen for CSV files only, an NPZ file's targets are y"},
		{"noise", zipped(t, members{"x": x, "y": y}), Options{Noise: new(float64)}, "rows and noise can be chosen for built-in datasets only, not for a file"},
		{"unknown class", zipped(t, members{"x": x, "y": y}), Options{Schema: &schema}, `class "2" is not one of the model's 2: "1" and "3"`},
		{"other width", zipped(t, members{"x": x, "y": y}), Options{Schema: &wide}, "1 features, the model wants 2"},
	} {
		_, err := readZip(c.file, c.opts)
		if want := "t.npz: " + c.want; err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: error %v, want %s", c.name, err, want)
		}
	}
	_, err := readZip(zipped(t, members{"x": floats("(2, 1)", 1, math.NaN()), "y": y}), Options{})
	if want := `dataset "t.npz": X[1, 0] (feature "x1") is NaN, want a finite number`; err == nil || err.Error() != want {
		t.Errorf("x NaN: error %v, want %s", err, want)
	}
}

func TestNPZFilesThatCannotBeRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none.npz")
	if _, err := Open("npz:"+path, Options{}); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), path) {
		t.Errorf("no file: error %v, want fs.ErrNotExist with the path", err)
	}
}

// A zip file ends with its directory: any part of it is no zip file.
func TestNPZCutOffAnywhere(t *testing.T) {
	whole, err := os.ReadFile("testdata/digits.npz")
	if err != nil {
		t.Fatal(err)
	}
	for n := range whole {
		if _, err := readZip(whole[:n], Options{}); err == nil || !strings.HasPrefix(err.Error(), "t.npz: not a whole NPZ file") {
			t.Fatalf("%d of %d bytes: error %v", n, len(whole), err)
		}
	}
}

// Whatever byte of an NPZ file is wrong, the result is a dataset or an error.
func TestNPZWithAWrongByte(t *testing.T) {
	whole, err := os.ReadFile("testdata/digits.npz")
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for i := range whole {
		for _, flip := range []byte{0x01, 0x80, 0xff} {
			file := slices.Clone(whole)
			file[i] ^= flip
			d, err := readZip(file, Options{})
			if err != nil {
				refused++
			} else if err := d.Check(); err != nil {
				t.Errorf("byte %d: %v", i, err)
			}
		}
	}
	if refused < len(whole) {
		t.Errorf("%d of %d wrong files refused, want at least a third", refused, 3*len(whole))
	}
}

// An array that breaks off is an error, wherever it does.
func TestNPYCutOffAnywhere(t *testing.T) {
	whole := floats("(2, 3)", 1, 2, 3, 4, 5, 6)
	for n := range whole {
		if a, err := readNPYBytes(whole[:n]); err == nil {
			t.Errorf("%d of %d bytes give %v", n, len(whole), a)
		}
	}
}

func FuzzReadNPY(f *testing.F) {
	f.Add(floats("(2, 1)", 1, 2))
	f.Add(npy(2, "{'descr': '>i2', 'fortran_order': True, 'shape': (1, 2), }", 0, 1, 2, 3))
	f.Fuzz(func(t *testing.T, file []byte) {
		a, err := readNPYBytes(file)
		if err != nil {
			return
		}
		n := 1
		for _, size := range a.shape {
			n *= size
		}
		if n != len(a.appendTo(nil)) {
			t.Errorf("%d values of shape %v", a.len(), a.shape)
		}
	})
}

// idx writes an IDX file of bytes.
func idx(data []byte, shape ...uint32) []byte {
	b := binary.BigEndian.AppendUint32(nil, 0x800+uint32(len(shape)))
	for _, n := range shape {
		b = binary.BigEndian.AppendUint32(b, n)
	}
	return append(b, data...)
}

func gzipped(t testing.TB, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// directory writes files into a new directory.
func directory(t *testing.T, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

var (
	twoImages = idx([]byte{0, 51, 102, 153, 204, 255, 255, 204, 153, 102, 51, 0}, 2, 2, 3)
	twoLabels = idx([]byte{7, 4}, 2)
)

func TestIDXSpellings(t *testing.T) {
	for name, files := range map[string]map[string][]byte{
		"hyphens":               {"train-images-idx3-ubyte": twoImages, "train-labels-idx1-ubyte": twoLabels},
		"dots":                  {"train-images.idx3-ubyte": twoImages, "train-labels.idx1-ubyte": twoLabels},
		"gzip":                  {"train-images-idx3-ubyte.gz": gzipped(t, twoImages), "train-labels.idx1-ubyte.gz": gzipped(t, twoLabels)},
		"gzip without the name": {"train-images-idx3-ubyte": gzipped(t, twoImages), "train-labels-idx1-ubyte": twoLabels},
		"the name without gzip": {"train-images-idx3-ubyte.gz": twoImages, "train-labels-idx1-ubyte.gz": twoLabels},
	} {
		d, err := OpenIDX(directory(t, files), Options{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := d.Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		want := []float64{0, 0.2, 0.4, 0.6, 0.8, 1, 1, 0.8, 0.6, 0.4, 0.2, 0}
		if !slices.Equal(d.X, want) || !slices.Equal(d.Y, []float64{1, 0}) || !slices.Equal(d.Classes, []string{"4", "7"}) || d.ImageShape != [2]int{2, 3} || d.TestFrom != 0 {
			t.Errorf("%s: got %+v", name, d)
		}
	}
}

func TestIDXTestPart(t *testing.T) {
	d, err := Open("idx:testdata/mnist", Options{})
	if err != nil {
		t.Fatal(err)
	}
	npz, err := Open("npz:testdata/digits.npz", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if d.Name != "mnist" || d.TestFrom != 4 || !sameData(d, npz) || d.TargetName != "label" || d.Task != Classification {
		t.Errorf("got %q, test part from %d, target %q, data as in the NPZ file: %v", d.Name, d.TestFrom, d.TargetName, sameData(d, npz))
	}
}

func TestIDXWithSchema(t *testing.T) {
	files := map[string][]byte{"train-images-idx3-ubyte": twoImages, "train-labels-idx1-ubyte": twoLabels}
	schema := Schema{Task: Classification, Features: numbered("pixel", 0, 6), Classes: numbered("", 0, 10)}
	d, err := OpenIDX(directory(t, files), Options{Schema: &schema})
	if err != nil || !slices.Equal(d.Y, []float64{7, 4}) || d.Outputs() != 10 {
		t.Errorf("got %+v, %v", d, err)
	}
	schema.Classes = schema.Classes[:5]
	if _, err := OpenIDX(directory(t, files), Options{Schema: &schema}); err == nil || !strings.Contains(err.Error(), `class "7" is not one of the model's 5: "0", "1", "2", "3" and "4"`) {
		t.Errorf("unknown class: error %v", err)
	}
}

func TestIDXErrors(t *testing.T) {
	const images, labels = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
	type files = map[string][]byte
	for _, c := range []struct {
		name  string
		files files
		opts  Options
		want  string // DIR stands for the directory
	}{
		{"nothing", files{}, Options{}, `DIR: no file "train-images-idx3-ubyte", "train-images-idx3-ubyte.gz", "train-images.idx3-ubyte" or "train-images.idx3-ubyte.gz"`},
		{"no labels", files{images: twoImages}, Options{}, `DIR: no file "train-labels-idx1-ubyte", "train-labels-idx1-ubyte.gz", "train-labels.idx1-ubyte" or "train-labels.idx1-ubyte.gz" to go with train-images-idx3-ubyte`},
		{"no images", files{images: twoImages, labels: twoLabels, "t10k-labels-idx1-ubyte": twoLabels}, Options{}, `DIR: no file "t10k-images-idx3-ubyte", "t10k-images-idx3-ubyte.gz", "t10k-images.idx3-ubyte" or "t10k-images.idx3-ubyte.gz" to go with t10k-labels-idx1-ubyte`},
		{"empty file", files{images: nil, labels: twoLabels}, Options{}, "DIR/train-images-idx3-ubyte: header ends at byte 0, want 16 bytes: unexpected EOF"},
		{"short header", files{images: twoImages[:9], labels: twoLabels}, Options{}, "DIR/train-images-idx3-ubyte: header ends at byte 9, want 16 bytes: unexpected EOF"},
		{"swapped files", files{images: append(slices.Clone(twoLabels), 0, 0, 0, 0, 0, 0), labels: twoImages}, Options{}, "DIR/train-images-idx3-ubyte: magic number is 0x00000801, want 0x00000803"},
		{"text", files{images: []byte("not an IDX file at all"), labels: twoLabels}, Options{}, "DIR/train-images-idx3-ubyte: magic number is 0x6e6f7420, want 0x00000803"},
		{"short data", files{images: twoImages[:20], labels: twoLabels}, Options{}, "DIR/train-images-idx3-ubyte: data end at byte 20, want 28 bytes for 2×2×3"},
		{"short labels", files{images: twoImages, labels: twoLabels[:9]}, Options{}, "DIR/train-labels-idx1-ubyte: data end at byte 9, want 10 bytes for 2"},
		{"long data", files{images: append(slices.Clone(twoImages), 0), labels: twoLabels}, Options{}, "DIR/train-images-idx3-ubyte: more data than the 28 bytes for 2×2×3"},
		{"huge and short", files{images: idx(nil, 1<<31, 1<<20, 1), labels: twoLabels}, Options{}, "DIR/train-images-idx3-ubyte: data end at byte 16, want 2251799813685264 bytes for 2147483648×1048576×1"},
		{"overflow", files{images: idx(nil, 1<<31, 1<<31, 1<<31), labels: twoLabels}, Options{}, "DIR/train-images-idx3-ubyte: sizes in the header, 80 00 00 00 80 00 00 00 80 00 00 00, are not those of an array in memory"},
		{"no images in it", files{images: idx(nil, 0, 2, 3), labels: idx(nil, 0)}, Options{}, "DIR: train-images-idx3-ubyte has shape [0 2 3], want at least one row and one feature"},
		{"other length", files{images: twoImages, labels: idx([]byte{1, 2, 3}, 3)}, Options{}, "DIR: train-labels-idx1-ubyte has shape [3], want [2], one target for each row of train-images-idx3-ubyte"},
		{"cut gzip header", files{images: gzipped(t, twoImages)[:5], labels: twoLabels}, Options{}, "DIR/train-images-idx3-ubyte: gzip header: unexpected EOF"},
		{"cut gzip", files{images: gzipped(t, twoImages)[:30], labels: twoLabels}, Options{}, "DIR/train-images-idx3-ubyte: data end at byte "},
		{"gzip without its checksum", files{images: gzipped(t, twoImages)[:len(gzipped(t, twoImages))-4], labels: twoLabels}, Options{}, "DIR/train-images-idx3-ubyte: gzip stream ends after the data, at byte 28, without its checksum"},
		{"test of other size", files{images: twoImages, labels: twoLabels, "t10k-images-idx3-ubyte": idx([]byte{1, 2}, 1, 1, 2), "t10k-labels-idx1-ubyte": idx([]byte{1}, 1)}, Options{}, "DIR: t10k-images-idx3-ubyte has rows of shape [1 2], want [2 3] as in train-images-idx3-ubyte"},
		{"regression", files{images: twoImages, labels: twoLabels}, Options{Task: Regression}, "DIR: target and task cannot be chosen for IDX files, their labels are classes"},
		{"target", files{images: twoImages, labels: twoLabels}, Options{Target: "1"}, "DIR: target and task cannot be chosen for IDX files, their labels are classes"},
		{"rows", files{images: twoImages, labels: twoLabels}, Options{N: 1}, "DIR: rows and noise can be chosen for built-in datasets only, not for a file"},
	} {
		dir := directory(t, c.files)
		_, err := Open("idx:"+dir, c.opts)
		want := strings.ReplaceAll(strings.ReplaceAll(c.want, "DIR/", dir+string(filepath.Separator)), "DIR", dir)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: error %v, want %s", c.name, err, want)
		}
	}
	file := filepath.Join(directory(t, files{"file": nil}), "file")
	if _, err := Open("idx:"+file, Options{}); err == nil || err.Error() != file+": not a directory, want one with MNIST's files" {
		t.Errorf("a file: error %v", err)
	}
	if _, err := Open("idx:"+file+"s", Options{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nothing: error %v, want fs.ErrNotExist", err)
	}
}

// An IDX file that breaks off, plain or compressed, is an error, wherever it
// does.
func TestIDXCutOffAnywhere(t *testing.T) {
	for name, whole := range map[string][]byte{"plain": twoImages, "gzip": gzipped(t, twoImages)} {
		for n := range whole {
			if a, err := readIDX(bytes.NewReader(whole[:n]), int64(len(whole[:n])), 3); err == nil {
				t.Errorf("%s: %d of %d bytes give %v", name, n, len(whole), a)
			}
		}
	}
}

func FuzzReadIDX(f *testing.F) {
	f.Add(twoImages)
	f.Add(gzipped(f, twoImages))
	f.Fuzz(func(t *testing.T, file []byte) {
		a, err := readIDX(bytes.NewReader(file), int64(len(file)), 3)
		if err == nil && a.len() != a.shape[0]*a.shape[1]*a.shape[2] {
			t.Errorf("%d values of shape %v", a.len(), a.shape)
		}
	})
}

// TestScannedArraysAreThoseThatOpenReads, in several batches and with a test part.
func TestScannedArraysAreThoseThatOpenReads(t *testing.T) {
	const rows = 2*scannedRows + 5
	x, y := make([]float64, 3*rows), make([]float64, rows)
	for i := range x {
		x[i] = float64(i % 1000)
	}
	for i := range y {
		y[i] = float64(i % 4)
	}
	file := zipped(t, map[string][]byte{"x": floats(fmt.Sprintf("(%d, 3)", rows), x...), "y": floats(fmt.Sprintf("(%d,)", rows), y...)})
	path := filepath.Join(directory(t, map[string][]byte{"large.npz": file}), "large.npz")
	for source, batches := range map[string]int{"npz:" + path: 3, "npz:testdata/digits.npz": 2, "idx:testdata/mnist": 2} {
		whole, err := Open(source, Options{})
		if err != nil {
			t.Fatal(err)
		}
		schema := whole.Schema()
		var got Dataset
		err = ScanArrays(source, Options{Schema: &schema}, func(d *Dataset) error {
			batches--
			got.X, got.Y = append(got.X, d.X...), append(got.Y, d.Y...)
			return d.Check()
		})
		if err != nil || batches != 0 || !slices.Equal(got.X, whole.X) || !slices.Equal(got.Y, whole.Y) {
			t.Errorf("%s: error %v, %d batches too few, same features %t, same targets %t", source, err, batches,
				slices.Equal(got.X, whole.X), slices.Equal(got.Y, whole.Y))
		}
	}
	images := directory(t, map[string][]byte{"images": gzipped(t, twoImages[:len(twoImages)-1])})
	schema := Schema{Task: Classification, Features: numbered("pixel", 0, 6), Classes: numbered("", 0, 10)}
	err := ScanArrays("idx:"+filepath.Join(images, "images"), Options{Schema: &schema}, func(*Dataset) error { return nil })
	if err == nil || !strings.Contains(err.Error(), "data end after 11 of the 12 bytes") {
		t.Errorf("a file that is cut off: error %v", err)
	}
}

// Rows that are read some at a time are those of the whole file.
func TestScannedArraysAreThoseOfTheFile(t *testing.T) {
	const rows = 2*scannedRows + 100
	x, y := make([]float64, 3*rows), make([]float64, rows)
	for i := range x {
		x[i] = float64(i % 1009)
	}
	for i := range y {
		y[i] = float64(i % 3)
	}
	shape := fmt.Sprintf("(%d, 3)", rows)
	long := zipped(t, map[string][]byte{"x_train": floats(shape, x...), "y_train": floats(fmt.Sprintf("(%d,)", rows), y...), "x_test": floats("(2, 3)", 1, 2, 3, 4, 5, 6), "y_test": floats("(2,)", 2, 0)})
	columns := npy(1, "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3), }\n", 1, 2, 3, 4, 5, 6)
	dir := directory(t, map[string][]byte{"long.npz": long, "columns.npz": zipped(t, map[string][]byte{"x": columns}), "train-images-idx3-ubyte": twoImages, "train-labels-idx1-ubyte": twoLabels, "images.gz": gzipped(t, twoImages)})
	tabular := Schema{Task: Classification, Features: numbered("x", 1, 3), TargetName: "y", Classes: numbered("", 0, 3)}
	images := Schema{Task: Classification, Features: numbered("pixel", 0, 6), TargetName: "label", Classes: numbered("", 0, 10)}
	for source, schema := range map[string]*Schema{
		"npz:" + filepath.Join(dir, "long.npz"):    &tabular,
		"npz:" + filepath.Join(dir, "columns.npz"): &tabular,
		"idx:" + dir:                             &images,
		"idx:" + filepath.Join(dir, "images.gz"): &images,
	} {
		want, err := Open(source, Options{Schema: schema})
		if err != nil {
			t.Fatal(err)
		}
		got, calls := &Dataset{}, 0
		if err := ScanArrays(source, Options{Schema: schema}, func(d *Dataset) error {
			got.X, got.Y, calls = append(got.X, d.X...), append(got.Y, d.Y...), calls+1
			return d.Check()
		}); err != nil {
			t.Errorf("%s: %v", source, err)
		}
		if !sameData(got, want) || calls != 1+want.Len()/scannedRows+min(want.TestFrom, 1) {
			t.Errorf("%s: %d rows in %d calls, want %d and the same numbers", source, got.Len(), calls, want.Len())
		}
	}
}

func TestScannedArraysAreRefused(t *testing.T) {
	schema := &Schema{Task: Regression, Features: numbered("x", 1, 3), TargetName: "y"}
	stop := errors.New("enough")
	for want, content := range map[string][]byte{
		"no array x or x_train": zipped(t, map[string][]byte{"z": floats("(1,)", 1)}),
		"t.npz":                 zipped(t, map[string][]byte{"x": floats("(0, 3)")}),
		"one target for each":   zipped(t, map[string][]byte{"x": floats("(1, 3)", 1, 2, 3), "y": floats("(2,)", 1, 2)}),
		"the model wants 3":     zipped(t, map[string][]byte{"x": floats("(1, 2)", 1, 2)}),
		"data end after":        zipped(t, map[string][]byte{"x": floats("(2, 3)", 1, 2, 3)}),
		"enough":                zipped(t, map[string][]byte{"x": floats("(1, 3)", 1, 2, 3)}),
	} {
		dir := directory(t, map[string][]byte{"t.npz": content})
		err := ScanArrays("npz:"+filepath.Join(dir, "t.npz"), Options{Schema: schema}, func(*Dataset) error { return stop })
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("error %v, want %q in it", err, want)
		}
	}
	if err := ScanArrays("npz:t.npz", Options{}, nil); err == nil || !strings.Contains(err.Error(), "schema") {
		t.Errorf("no schema: error %v", err)
	}
}

// A file of 120 MB, most of which is never in memory.
func TestScannedArraysTakeTheSameMemoryAtAnyLength(t *testing.T) {
	const rows, cols = 150_000, 100
	path := filepath.Join(t.TempDir(), "t.npz")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	w := zip.NewWriter(file)
	member, err := w.CreateHeader(&zip.FileHeader{Name: "x.npy", Method: zip.Store})
	if err == nil {
		_, err = member.Write(npy(1, fmt.Sprintf("{'descr': '<f8', 'fortran_order': False, 'shape': (%d, %d), }\n", rows, cols)))
	}
	written := 0
	for row := make([]byte, 8*cols); err == nil && written < rows; written++ {
		_, err = member.Write(row)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	var before, during runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	seen, most := 0, uint64(0)
	if err := ScanArrays("npz:"+path, Options{Schema: &Schema{Task: Regression, Features: numbered("x", 1, cols), TargetName: "y"}}, func(d *Dataset) error {
		seen += d.Len()
		runtime.GC()
		runtime.ReadMemStats(&during)
		most = max(most, during.HeapAlloc)
		return nil
	}); err != nil || seen != rows {
		t.Fatalf("%d rows, %v", seen, err)
	}
	if taken := int64(most) - int64(before.HeapAlloc); taken > 24<<20 {
		t.Errorf("took %d MB", taken>>20)
	}
}
