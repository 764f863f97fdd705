package datasets

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/affine-go/affine/datasets/internal/csvscan"
	"github.com/klauspost/compress/zstd"
)

// mostMemory is what reading a hostile file may take in all, garbage included.
const mostMemory = 256 << 20

// cheaply calls read, which must not take more memory than that.
func cheaply(t *testing.T, name string, read func() error) error {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := read()
	runtime.ReadMemStats(&after)
	if taken := after.TotalAlloc - before.TotalAlloc; taken > mostMemory {
		t.Errorf("%s: took %d MiB, want at most %d", name, taken>>20, mostMemory>>20)
	}
	return err
}

// refused calls read, which must fail with an error that says want, cheaply.
func refused(t *testing.T, name, want string, read func() error) {
	t.Helper()
	if err := cheaply(t, name, read); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%s: error %v, want %q", name, err, want)
	}
}

// repeated writes a pattern of bytes again and again, size bytes in all.
func repeated(w io.Writer, start, pattern string, size int) error {
	if _, err := io.WriteString(w, start); err != nil {
		return err
	}
	part := []byte(strings.Repeat(pattern, 1<<20/len(pattern)))
	for ; size > 0; size -= len(part) {
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return nil
}

func packedBy(t *testing.T, format, start, pattern string, size int) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	var err error
	if format == "gzip" {
		w = gzip.NewWriter(&b)
	} else {
		w, err = zstd.NewWriter(&b)
	}
	if err == nil {
		err = repeated(w, start, pattern, size)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestBombsAreRefused(t *testing.T) {
	const size = 48 << 20
	bomb := csvscan.ErrBomb.Error()
	for _, format := range []string{"gzip", "zstd"} {
		rows := packedBy(t, format, "a,b\n", "0,0\n", size)
		refused(t, format+" of rows", bomb, func() error {
			_, err := ReadCSV(bytes.NewReader(rows), "bomb.csv", Options{})
			return err
		})
		schema := &Schema{Task: Regression, Features: []string{"a"}, TargetName: "b"}
		refused(t, format+" of rows for a model", bomb, func() error {
			return ScanCSV(bytes.NewReader(rows), "bomb.csv", Options{Schema: schema}, func(*CSVBatch) error { return nil })
		})
		blank := packedBy(t, format, "", "\x00", size)
		refused(t, format+" of zeros", bomb, func() error {
			_, err := ReadCSV(bytes.NewReader(blank), "bomb.csv", Options{})
			return err
		})
		header := string(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32([]byte{0, 0, 8, 3}, size/16), 4), 4))
		images := packedBy(t, format, header, "\x00", size)
		refused(t, format+" of images", bomb, func() error {
			_, err := readIDX(bytes.NewReader(images), int64(len(images)), 3)
			return err
		})
	}

	array := string(npy(1, fmt.Sprintf("{'descr': '|u1', 'fortran_order': False, 'shape': (%d, 1), }", size)))
	var archive bytes.Buffer
	z := zip.NewWriter(&archive)
	f, err := z.Create("x.npy")
	if err == nil {
		err = repeated(f, array, "\x00", size)
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	refused(t, "zip", bomb, func() error {
		_, err := readZip(archive.Bytes(), Options{})
		return err
	})
}

// Sizes that a header claims take no memory.
func TestClaimedSizesTakeNoMemory(t *testing.T) {
	claims := npy(1, "{'descr': '<f8', 'fortran_order': False, 'shape': (100000000, 10), }", 1, 2, 3, 4, 5, 6, 7, 8)
	refused(t, "NPY", "data end after 8 of the 8000000000 bytes", func() error {
		_, err := readZip(zipped(t, map[string][]byte{"x": claims, "y": claims}), Options{})
		return err
	})
	// The directory of an archive may claim other sizes than there are.
	for name, change := range map[string]func(directory []byte){
		"compressed":   func(d []byte) { binary.LittleEndian.PutUint32(d[20:], 1<<30) },
		"uncompressed": func(d []byte) { binary.LittleEndian.PutUint32(d[24:], 1<<30) },
		"both": func(d []byte) {
			binary.LittleEndian.PutUint32(d[20:], 1<<30)
			binary.LittleEndian.PutUint32(d[24:], 1<<30)
		},
	} {
		file := zipped(t, map[string][]byte{"x": claims})
		change(file[bytes.LastIndex(file, []byte("PK\x01\x02")):])
		refused(t, "zip, "+name, "array x: ", func() error {
			_, err := readZip(file, Options{})
			return err
		})
	}
	images := idx([]byte{1, 2, 3}, 1<<30, 28, 28)
	refused(t, "IDX", "data end at byte 19", func() error {
		_, err := readIDX(bytes.NewReader(images), int64(len(images)), 3)
		return err
	})
	packed := gzipped(t, images)
	refused(t, "gzip of IDX", "data end at byte 19", func() error {
		_, err := readIDX(bytes.NewReader(packed), int64(len(packed)), 3)
		return err
	})
}

// What does not end, or waits for a writer, is not opened.
func TestPipesAndDevicesAreRefused(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	paths := map[string]string{os.DevNull: "is a device", dir: "is a directory"}
	if err := exec.Command("mkfifo", pipe).Run(); err == nil {
		paths[pipe] = "is a pipe"
		link := filepath.Join(dir, "link")
		if err := os.Symlink(pipe, link); err != nil {
			t.Fatal(err)
		}
		paths[link] = "is a pipe"
	}
	for path, want := range paths {
		for _, kind := range []string{"csv:", "npz:"} {
			if _, err := Open(kind+path, Options{}); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s%s: error %v, want %q", kind, path, err, want)
			}
		}
		if _, err := SourceOf(path); path != dir && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: error %v, want %q", path, err, want)
		}
	}
}

// Wide headers and long labels take memory, and so time, in proportion to their
// size alone.
func TestWideHeadersAndLongLabels(t *testing.T) {
	const columns = 40_000
	var text strings.Builder
	for i := range columns {
		fmt.Fprintf(&text, "column%d,", i)
	}
	text.WriteString("y\n" + strings.Repeat(strings.Repeat("1,", columns)+"2.5\n", 3))
	var d *Dataset
	err := cheaply(t, "wide header", func() (err error) {
		d, err = readText(text.String(), Options{})
		return err
	})
	if err != nil || d.Inputs() != columns {
		t.Fatalf("wide header: %v", err)
	}
	parts, err := Parts{Train: d}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	schema := parts.Train.Schema()
	if back, err := readText(text.String(), Options{Schema: &schema}); err != nil || !sameData(back, d) {
		t.Errorf("wide header for a model: %v", err)
	}

	text.Reset()
	text.WriteString("x,y\n")
	label := strings.Repeat("long ", 200)
	for i := range 8_000 {
		fmt.Fprintf(&text, "%d,%s%d\n", i, label, i%2000)
	}
	d, err = readText(text.String(), Options{})
	if err != nil || len(d.Classes) != 2000 {
		t.Fatalf("long labels: %v", err)
	}
	schema = d.Schema()
	if back, err := readText(text.String(), Options{Schema: &schema}); err != nil || !sameData(back, d) {
		t.Errorf("long labels for a model: %v", err)
	}
	refused(t, "longer labels", "want a class name of at most 4 KiB", func() error {
		_, err := readText("x,y\n1,a\n2,"+strings.Repeat("b", 1<<20)+"\n", Options{})
		return err
	})
	refused(t, "too many classes", "want at most 10000 classes", func() error {
		text := "x,y\n"
		var b strings.Builder
		b.WriteString(text)
		for i := range 30_000 {
			fmt.Fprintf(&b, "%d,name %d\n", i, i)
		}
		_, err := readText(b.String(), Options{})
		return err
	})
}

func FuzzReadNPZ(f *testing.F) {
	f.Add(zipped(f, map[string][]byte{"x": floats("(2, 2)", 1, 2, 3, 4), "y": floats("(2,)", 0, 1)}))
	f.Add(zipped(f, map[string][]byte{"x_train": bytesArray("(1, 2, 2)", 1, 2, 3, 4), "y_train": bytesArray("(1,)", 1)}))
	f.Fuzz(func(t *testing.T, file []byte) {
		for _, opts := range []Options{{}, {Schema: &Schema{Task: Regression, Features: []string{"x1", "x2"}, TargetName: "y"}}} {
			if d, err := ReadNPZ(bytes.NewReader(file), int64(len(file)), "f", opts); err == nil {
				if err := d.Check(); err != nil {
					t.Error(err)
				}
			}
		}
	})
}

// Whatever a table and the options for its columns hold, the result is a dataset
// that can be encoded, and that a model reads back, or an error of one line.
func FuzzCSVColumns(f *testing.F) {
	f.Add([]byte(people), "age", "city", "joined", "impute", "", "", "")
	f.Add([]byte("a;b\n1,5;x\n2,5;NA\n"), "", "", "", "drop", ";", ",", "latin-1")
	f.Add([]byte("\xff\xfea\x00,\x00b\x00\n\x001\x00,\x002\x00"), "", "1", "", "error", "", "", "")
	f.Fuzz(func(t *testing.T, text []byte, numeric, categorical, dates, missing, separator, point, charset string) {
		list := func(name string) []string {
			if name == "" {
				return nil
			}
			return []string{name}
		}
		o := CSVOptions{
			Numeric: list(numeric), Categorical: list(categorical), Dates: list(dates),
			Missing: Missing(missing), Separator: separator, DecimalPoint: point, Charset: charset,
		}
		d, err := ReadCSV(bytes.NewReader(text), "f", Options{CSV: o})
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Errorf("error %q, want one line that can be printed", err)
			}
			return
		}
		if err := d.Check(); err != nil {
			t.Fatal(err)
		}
		parts, err := Parts{Train: d}.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if err := parts.Train.Check(); err != nil {
			t.Fatal(err)
		}
		schema := parts.Train.Schema()
		o.Numeric, o.Categorical, o.Dates = nil, nil, nil
		back, err := ReadCSV(bytes.NewReader(text), "f", Options{Schema: &schema, CSV: o})
		if err == nil && d.Table.Missing != DropMissing && !sameData(back, parts.Train) {
			t.Errorf("trained on %v %v, read %v %v", parts.Train.X, parts.Train.Y, back.X, back.Y)
		}
	})
}
