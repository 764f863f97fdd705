package datasets

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

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
