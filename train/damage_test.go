package train_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/affine-go/affine/internal/atomicfile"
	"github.com/affine-go/affine/internal/atomicfile/atomicfiletest"
	"github.com/affine-go/affine/internal/nettest"
	"github.com/affine-go/affine/train"
)

// tinyRun keeps a run of a small model in a directory of its own.
func tinyRun(t testing.TB) (train.Config, string) {
	t.Helper()
	c := smallConfig(t, "sine")
	c.Hidden, c.Epochs = []int{3}, 2
	dir := t.TempDir()
	fit(t, c, train.InDirectory(dir))
	return c, dir
}

// flip inverts a bit of an open file.
func flip(t testing.TB, f *os.File, content []byte, bit int) {
	t.Helper()
	if _, err := f.WriteAt([]byte{content[bit/8] ^ 1<<(bit%8)}, int64(bit/8)); err != nil {
		t.Fatal(err)
	}
}

// Every single bit of every file of a run, one after another, is tried with
// the reader of that file. What is said of the whole run is looked at for some
// of them, in long tests for each.
func TestEveryFlippedBitIsDetected(t *testing.T) {
	_, dir := tinyRun(t)
	load := func(string) error {
		r, err := train.LoadRun(dir)
		if err == nil {
			r.Close()
		}
		return err
	}
	resume := func(string) error { _, err := train.ReadRunConfig(dir); return err }
	flips := 0
	for file, read := range map[string]struct{ file, run func(path string) error }{
		train.ConfigFile:     {func(path string) error { _, err := train.ReadConfig(path); return err }, load},
		train.HistoryFile:    {func(path string) error { _, err := train.ReadHistory(path); return err }, resume},
		train.MetricsFile:    {func(path string) error { _, err := train.ReadMetrics(path); return err }, load},
		train.ModelFile:      {func(path string) error { _, err := train.LoadPredictor(path); return err }, load},
		train.CheckpointFile: {train.ReadCheckpoint, resume},
	} {
		whole := content(t, dir, file)
		path := filepath.Join(dir, file)
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		nettest.Must(t, err)
		defer f.Close()
		left := train.CheckpointFile + " is whole"
		if file == train.CheckpointFile {
			left = train.ModelFile + " is whole"
		}
		check := func(bit int, err error, words string) {
			if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), words) || strings.ContainsAny(err.Error(), "\n\r") {
				t.Fatalf("%s, bit %d of byte %d: got %v, want one line that names the file and says %q", file, bit%8, bit/8, err, words)
			}
		}
		for bit := range 8 * len(whole) {
			flip(t, f, whole, bit)
			flips++
			check(bit, read.file(path), "")
			if bit%97 == 0 || nettest.Long() {
				check(bit, read.run(path), left)
			}
			_, err := f.WriteAt(whole[bit/8:bit/8+1], int64(bit/8))
			nettest.Must(t, err)
		}
	}
	t.Logf("all of %d flipped bits were detected", flips)
	nettest.Must(t, load(""))
	nettest.Must(t, resume(""))
}

// What the error for a damaged file offers is true.
func TestWhatIsLeftOfADamagedRunIsGood(t *testing.T) {
	c, dir := tinyRun(t)
	whole := map[string][]byte{}
	for _, file := range train.RunFiles() {
		whole[file] = content(t, dir, file)
	}
	for _, file := range []string{train.ConfigFile, train.HistoryFile, train.MetricsFile, train.ModelFile} {
		path := filepath.Join(dir, file)
		damaged := append([]byte{}, whole[file]...)
		damaged[len(damaged)/2] ^= 4
		nettest.Must(t, os.WriteFile(path, damaged, 0o644))
		_, err := train.LoadRun(dir)
		wantError(t, file, err, "remove "+file, "resume")
		nettest.Must(t, os.Remove(path))
		settings, err := train.ReadRunConfig(dir)
		nettest.Must(t, err)
		fit(t, settings, train.InDirectory(dir), train.Resume())
		for _, other := range train.RunFiles() {
			if got := content(t, dir, other); string(got) != string(whole[other]) && other != train.MetricsFile && other != train.HistoryFile {
				t.Errorf("%s was damaged: %s is another one after the resume", file, other)
			}
		}
		r, err := train.LoadRun(dir)
		nettest.Must(t, err)
		nettest.Must(t, r.Close())
		for _, other := range train.RunFiles() {
			nettest.Must(t, os.WriteFile(filepath.Join(dir, other), whole[other], 0o644))
		}
	}
	nettest.Must(t, os.WriteFile(filepath.Join(dir, train.CheckpointFile), []byte("gone"), 0o644))
	_, err := train.Fit(context.Background(), c, train.InDirectory(dir), train.Resume())
	wantError(t, "checkpoint", err, train.CheckpointFile, train.ModelFile+" is whole")
	r, err := train.LoadRun(dir)
	nettest.Must(t, err)
	nettest.Must(t, r.Close())
	nettest.Must(t, os.WriteFile(filepath.Join(dir, train.ModelFile), []byte("gone too"), 0o644))
	_, err = train.Fit(context.Background(), c, train.InDirectory(dir), train.Resume())
	wantError(t, "both", err, "no whole checkpoint is left")
}

// A file that was changed on purpose is taken when the checksum is out of it.
func TestFilesWithoutAChecksumAreTaken(t *testing.T) {
	_, dir := tinyRun(t)
	path := filepath.Join(dir, train.ConfigFile)
	text := string(content(t, dir, train.ConfigFile))
	changed := strings.Replace(text, `"seed": 7`, `"seed": 8`, 1)
	nettest.Must(t, os.WriteFile(path, []byte(changed), 0o644))
	if _, err := train.ReadConfig(path); !errors.Is(err, train.ErrDamaged) {
		t.Errorf("changed: got %v, want ErrDamaged", err)
	}
	nettest.Must(t, os.WriteFile(path, []byte(strings.Replace(text, "\n}\n", "\n}", 1)), 0o644))
	if _, err := train.ReadConfig(path); !errors.Is(err, train.ErrDamaged) {
		t.Errorf("reformatted: got %v, want ErrDamaged", err)
	}
	plain := changed[:strings.Index(changed, ",\n  \"checksum\"")] + "\n}\n"
	nettest.Must(t, os.WriteFile(path, []byte(plain), 0o644))
	c, err := train.ReadConfig(path)
	nettest.Must(t, err)
	if c.Seed != 8 {
		t.Errorf("seed is %d, want 8", c.Seed)
	}
	// But a run goes on with its own settings.
	_, err = train.ReadRunConfig(dir)
	wantError(t, "run", err, path, "seed is 8", "the run has 7", "remove it")
}

func TestMain(m *testing.M) {
	atomicfile.Use(atomicfiletest.Unsynced{})
	os.Exit(m.Run())
}

// allocated returns the bytes that f allocates, freed ones among them.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// withText is a safetensors file with a header, and data bytes that are zeros.
func withText(header string, data int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), make([]byte, data)...)
}

// manyTensors is the header of n tensors of one number each.
func manyTensors(n int) string {
	var b strings.Builder
	b.WriteByte('{')
	for i := range n {
		fmt.Fprintf(&b, `"t%d":{"dtype":"F32","shape":[1],"data_offsets":[%d,%d]},`, i, 4*i, 4*i+4)
	}
	return strings.TrimSuffix(b.String(), ",") + "}"
}

// What promises more than is there, or is made to take memory, is refused before
// memory is taken for it.
func TestHostileModelsAreRefusedCheaply(t *testing.T) {
	const most = 256 << 20
	data := savedModel(t, "moons")
	promise := func(widths ...int) []byte {
		return withHeader(data, func(h map[string]any) {
			texts := h["__metadata__"].(map[string]any)
			texts["affine.model"] = withJSON(texts["affine.model"].(string), func(m map[string]any) { m["widths"] = widths })
			for name := range h {
				if name != "__metadata__" {
					delete(h, name)
				}
			}
			offset := 0
			for i, out := range widths[1:] {
				for name, shape := range map[string][]int{"bias": {out}, "weight": {widths[i], out}} {
					size := 4
					for _, n := range shape {
						size *= n
					}
					h[fmt.Sprintf("linear%d.%s", i+1, name)] = map[string]any{"dtype": "F32", "shape": shape, "data_offsets": []int{offset, offset + size}}
					offset += size
				}
			}
		})
	}
	for what, bomb := range map[string][]byte{
		"300,000 tensors":            withText(manyTensors(300_000), 4*300_000),
		"50,000 tensors":             withText(manyTensors(50_000), 4*50_000),
		"header of 2^63 bytes":       append(binary.LittleEndian.AppendUint64(nil, 1<<63), "{}"...),
		"header of 90 MB":            withText(`{"__metadata__":{"a":"`+strings.Repeat("x", 90_000_000)+`"}}`, 0),
		"long text":                  withText(`{"__metadata__":{"a":"`+strings.Repeat("x", 15_000_000)+`"}}`, 0),
		"many texts":                 withText(`{"__metadata__":{"a":"b"`+strings.Repeat(`,"a":"b"`, 1_000_000)+`}}`, 0),
		"a million dimensions":       withText(`{"x":{"dtype":"F32","shape":[1`+strings.Repeat(",1", 1_000_000)+`],"data_offsets":[0,4]}}`, 4),
		"deep":                       withText(strings.Repeat("[", 10_000_000), 0),
		"overflow":                   withText(`{"x":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`, 0),
		"dtype of a megabyte":        withText(`{"x":{"dtype":"`+strings.Repeat("F", 1_000_000)+`","shape":[1],"data_offsets":[0,4]}}`, 4),
		"terabytes of weights":       promise(2, 1<<20, 1<<20, 2),
		"gigabytes that are missing": promise(2, 1<<27, 2),
		"weights of 2^62 elements":   promise(2, 1<<31, 1<<31, 2),
	} {
		path := filepath.Join(t.TempDir(), train.ModelFile)
		nettest.Must(t, os.WriteFile(path, bomb, 0o644))
		for how, read := range map[string]func() error{
			"file":       func() error { _, err := train.LoadPredictor(path); return err },
			"reader":     func() error { _, err := train.ReadPredictor(bytes.NewReader(bomb)); return err },
			"checkpoint": func() error { return train.ReadCheckpoint(path) },
		} {
			var err error
			used := allocated(func() { err = read() })
			if err == nil || strings.ContainsAny(err.Error(), "\n") || len(err.Error()) > 1000 {
				t.Errorf("%s, %s: got %.1200v, want an error of one short line", what, how, err)
			}
			if used > most {
				t.Errorf("%s, %s: took %d MB, want at most %d", what, how, used>>20, most>>20)
			}
		}
	}
}

// What never ends or never begins is not waited for.
func TestFilesOfOtherKindsAreRefused(t *testing.T) {
	dir := t.TempDir()
	special := map[string]string{"directory": dir}
	if runtime.GOOS != "windows" {
		link := filepath.Join(dir, "endless")
		nettest.Must(t, os.Symlink("/dev/zero", link))
		special["link to a device"] = link
		pipe := filepath.Join(dir, "pipe")
		nettest.Must(t, exec.Command("mkfifo", pipe).Run())
		special["pipe"] = pipe
	}
	for what, path := range special {
		for reader, read := range map[string]func(string) error{
			"LoadPredictor": func(path string) error { _, err := train.LoadPredictor(path); return err },
			"ReadConfig":    func(path string) error { _, err := train.ReadConfig(path); return err },
			"ReadMetrics":   func(path string) error { _, err := train.ReadMetrics(path); return err },
			"ReadHistory":   func(path string) error { _, err := train.ReadHistory(path); return err },
			"checkpoint":    train.ReadCheckpoint,
		} {
			if err := read(path); err == nil || !strings.Contains(err.Error(), path) {
				t.Errorf("%s of a %s: got %v, want an error that names it", reader, what, err)
			}
		}
	}
}

// Long files of text are refused without reading them whole.
func TestHostileTextsAreRefusedCheaply(t *testing.T) {
	dir := t.TempDir()
	sparse := func(name string) string {
		path := filepath.Join(dir, name)
		f, err := os.Create(path)
		nettest.Must(t, err)
		nettest.Must(t, f.Truncate(1<<40))
		nettest.Must(t, f.Close())
		return path
	}
	for name, read := range map[string]func(string) error{
		train.ConfigFile:     func(path string) error { _, err := train.ReadConfig(path); return err },
		train.MetricsFile:    func(path string) error { _, err := train.ReadMetrics(path); return err },
		train.HistoryFile:    func(path string) error { _, err := train.ReadHistory(path); return err },
		train.ModelFile:      func(path string) error { _, err := train.LoadPredictor(path); return err },
		train.CheckpointFile: train.ReadCheckpoint,
	} {
		path := sparse(name)
		var err error
		used := allocated(func() { err = read(path) })
		if err == nil || used > 16<<20 {
			t.Errorf("a terabyte of %s: got %v, took %d MB", name, err, used>>20)
		}
	}
}

// Wherever the disk becomes full, what was there is there, and the run can go on
// or begin again.
func TestAFullDiskLosesNoRun(t *testing.T) {
	c := smallConfig(t, "moons")
	c.Hidden, c.Epochs = []int{2}, 1
	whole := t.TempDir()
	meter := &atomicfiletest.Failing{Budget: 1 << 40}
	restore := atomicfile.Use(meter)
	fit(t, c, train.InDirectory(whole))
	restore()
	old := c
	old.Seed++
	step := 211
	if nettest.Long() {
		step = 7 // every byte of a single file is tried in package atomicfile
	}
	for budget := 0; budget < meter.Spent; budget += step {
		for _, replace := range []bool{false, true} {
			dir := t.TempDir()
			opts := []train.FitOption{train.InDirectory(dir)}
			if replace {
				copyRun(t, whole, dir)
				opts = append(opts, train.Overwrite())
			}
			restore := atomicfile.Use(&atomicfiletest.Failing{Budget: budget})
			_, err := train.Fit(context.Background(), old, opts...)
			restore()
			if !errors.Is(err, atomicfiletest.ErrDiskFull) {
				if err == nil {
					continue // it took less than the other run
				}
				t.Fatalf("after %d units: %v", budget, err)
			}
			found, err := train.ReadRunConfig(dir)
			if !replace && err != nil {
				found = old // nothing is there: it begins anew
				fit(t, old, train.InDirectory(dir))
			} else {
				nettest.Must(t, err)
				fit(t, found, train.InDirectory(dir), train.Resume())
			}
			if replace && found.Seed == c.Seed && !bytes.Equal(content(t, dir, train.ModelFile), content(t, whole, train.ModelFile)) {
				t.Fatalf("after %d units: the old run has another model", budget)
			}
			r, err := train.LoadRun(dir)
			nettest.Must(t, err)
			nettest.Must(t, r.Close())
		}
	}
}

// A run saves while the disk has room for n more bytes, for every n: of model,
// history and checkpoint each is the old one or the new one, and none is newer
// than one that is written before it.
func TestASaveThatFailsAtAnyByteLosesNothing(t *testing.T) {
	c := smallConfig(t, "moons")
	c.Hidden, c.Epochs = []int{2}, 1
	older, newer, dir := t.TempDir(), t.TempDir(), t.TempDir()
	fit(t, c, train.InDirectory(older))
	copyRun(t, older, newer)
	c.Epochs = 2
	fit(t, c, train.InDirectory(newer), train.Resume())
	save, err := train.Saver(newer)
	nettest.Must(t, err)
	files := []string{train.ModelFile, train.HistoryFile, train.CheckpointFile} // in the order in which they are written
	before, after := map[string][]byte{}, map[string][]byte{}
	for _, name := range files {
		before[name], after[name] = content(t, older, name), content(t, newer, name)
		if bytes.Equal(before[name], after[name]) {
			t.Fatalf("%s did not change", name)
		}
		nettest.Must(t, os.WriteFile(filepath.Join(dir, name), before[name], 0o644))
	}
	step := 13
	if nettest.Long() {
		step = 1
	}
	for budget := 0; ; budget += step {
		restore := atomicfile.Use(&atomicfiletest.Failing{Budget: budget})
		err := save(dir)
		restore()
		if err != nil && !errors.Is(err, atomicfiletest.ErrDiskFull) {
			t.Fatalf("after %d units: %v", budget, err)
		}
		entries, reading := os.ReadDir(dir)
		nettest.Must(t, reading)
		if len(entries) != len(files) {
			t.Fatalf("after %d units there are %v, want %v", budget, entries, files)
		}
		saved := 0
		for i, name := range files {
			switch got := content(t, dir, name); {
			case bytes.Equal(got, after[name]) && saved == i:
				saved++
				nettest.Must(t, os.WriteFile(filepath.Join(dir, name), before[name], 0o644))
			case !bytes.Equal(got, before[name]):
				t.Fatalf("after %d units %s is neither the old one nor the new one, or newer than the file before it", budget, name)
			}
		}
		if err == nil {
			if size := len(after[train.ModelFile]) + len(after[train.HistoryFile]) + len(after[train.CheckpointFile]); saved != len(files) || budget < size {
				t.Errorf("%d of %d files with %d bytes are saved in %d units", saved, len(files), size, budget)
			}
			return
		}
	}
}

func copyRun(t testing.TB, from, to string) {
	t.Helper()
	for _, file := range train.RunFiles() {
		nettest.Must(t, os.WriteFile(filepath.Join(to, file), content(t, from, file), 0o644))
	}
}

// seeds are files of a run, whole and cut, for fuzzing.
func seeds(f *testing.F, file string) {
	_, dir := tinyRun(f)
	data := content(f, dir, file)
	for _, n := range []int{len(data), len(data) - 1, len(data) / 2, 8, 0} {
		f.Add(data[:n])
	}
}

// readable checks that the error of a reader is one line that is not too long.
func readable(t *testing.T, err error) {
	if err != nil && (strings.ContainsAny(err.Error(), "\n\r") || len(err.Error()) > 4000) {
		t.Fatalf("got %.5000q, want an error of one short line", err)
	}
}

func FuzzReadPredictor(f *testing.F) {
	seeds(f, train.ModelFile)
	f.Fuzz(func(t *testing.T, data []byte) {
		data = sealed(bytes.Clone(data)) // what comes after the checksum is to be reached
		p, err := train.ReadPredictor(bytes.NewReader(data))
		readable(t, err)
		if err != nil {
			return
		}
		_, err = p.Predict([][]float64{make([]float64, len(p.Schema.Features))})
		readable(t, err)
		path := filepath.Join(t.TempDir(), "again")
		nettest.Must(t, p.Save(path))
		_, err = train.LoadPredictor(path)
		nettest.Must(t, err)
	})
}

func FuzzReadCheckpoint(f *testing.F) {
	seeds(f, train.CheckpointFile)
	_, dir := tinyRun(f)
	path := filepath.Join(dir, train.CheckpointFile)
	f.Fuzz(func(t *testing.T, data []byte) {
		nettest.Must(t, os.WriteFile(path, sealed(bytes.Clone(data)), 0o644))
		readable(t, train.ReadCheckpoint(path))
		c, err := train.ReadRunConfig(dir)
		readable(t, err)
		if err == nil {
			readable(t, c.Validate())
		}
	})
}

func FuzzReadHistory(f *testing.F) {
	seeds(f, train.HistoryFile)
	f.Add([]byte("epoch,step,lr,train_loss,val_loss,val_accuracy,wall_s\n1,3,0.1,0.5,,,0.001\n"))
	path := filepath.Join(f.TempDir(), train.HistoryFile)
	f.Fuzz(func(t *testing.T, data []byte) {
		nettest.Must(t, os.WriteFile(path, data, 0o644))
		h, err := train.ReadHistory(path)
		readable(t, err)
		if err != nil {
			return
		}
		nettest.Must(t, os.WriteFile(path, h.MarshalCSV(), 0o644))
		again, err := train.ReadHistory(path)
		nettest.Must(t, err)
		if len(again.Epochs) != len(h.Epochs) {
			t.Fatalf("%d epochs became %d", len(h.Epochs), len(again.Epochs))
		}
	})
}

func FuzzReadConfig(f *testing.F) {
	seeds(f, train.ConfigFile)
	c := smallConfig(f, "moons")
	text, err := json.Marshal(c)
	nettest.Must(f, err)
	f.Add(text)
	path := filepath.Join(f.TempDir(), train.ConfigFile)
	f.Fuzz(func(t *testing.T, data []byte) {
		nettest.Must(t, os.WriteFile(path, data, 0o644))
		c, err := train.ReadConfig(path)
		readable(t, err)
		if err == nil {
			nettest.Must(t, c.Validate())
		}
		var merged train.Config
		readable(t, merged.Merge(data))
	})
}

func FuzzReadMetrics(f *testing.F) {
	seeds(f, train.MetricsFile)
	path := filepath.Join(f.TempDir(), train.MetricsFile)
	f.Fuzz(func(t *testing.T, data []byte) {
		nettest.Must(t, os.WriteFile(path, data, 0o644))
		_, err := train.ReadMetrics(path)
		readable(t, err)
	})
}

func TestAFileIsNoRunDirectory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model.safetensors")
	if err := os.WriteFile(path, []byte("x"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := train.LoadRun(path); err == nil || !strings.Contains(err.Error(), "is a file, want a run directory") {
		t.Errorf("error %v", err)
	}
}
