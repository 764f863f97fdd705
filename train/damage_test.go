package train_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
