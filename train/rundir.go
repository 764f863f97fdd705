package train

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/affine-go/affine/internal/atomicfile"
	"github.com/affine-go/affine/internal/sealedjson"
	"github.com/affine-go/affine/internal/tensorfile"
	"github.com/gofrs/flock"
)

// The files of a run directory. Each is replaced as a whole and carries a
// checksum of its content.
const (
	ConfigFile     = "config.json"       // Config
	HistoryFile    = "history.csv"       // History
	MetricsFile    = "metrics.json"      // Metrics, written when the run ends
	ModelFile      = "model.safetensors" // the best epoch's weights, see Predictor.Save
	CheckpointFile = "last.safetensors"  // everything needed to resume
)

var runFiles = []string{ConfigFile, HistoryFile, MetricsFile, ModelFile, CheckpointFile}

// RunFiles returns the names of the files that a run is made of.
func RunFiles() []string { return slices.Clone(runFiles) }

// runDir is the directory that a run is kept in; "" keeps nothing.
//
// The checkpoint is the run: all that a resumed training needs is in that one
// file. A run begins when its first checkpoint is there, and whatever else is
// missing, or is left of a run that it takes the place of, is written anew when
// it is resumed.
type runDir string

func (d runDir) file(name string) string { return filepath.Join(string(d), name) }

func (d runDir) has(name string) bool {
	_, err := os.Lstat(d.file(name))
	return err == nil
}

// holdsRun reports whether there is a run in the directory.
func (d runDir) holdsRun() bool { return d.has(ConfigFile) || d.has(CheckpointFile) }

// ErrRunInUse is wrapped by the error for a run directory in which another
// training, of this process or another one, is going on.
var ErrRunInUse = errors.New("another training is going on in it; wait for its end, or choose another directory")

// lockFile is what is locked if a directory cannot be.
const lockFile = ".lock"

// lock takes the directory for this training alone. The operating system gives
// it back when the process ends, however that ends.
func (d runDir) lock() (unlock func(), err error) {
	info, err := os.Stat(string(d))
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%s is a file, want a directory", d)
	}
	l := flock.New(string(d), flock.SetFlag(os.O_RDONLY))
	if runtime.GOOS == "windows" {
		l = flock.New(d.file(lockFile))
	}
	switch ok, err := l.TryLock(); {
	case err != nil:
		return nil, fmt.Errorf("lock %s: %w", d, err)
	case !ok:
		return nil, fmt.Errorf("%s: %w", d, ErrRunInUse)
	}
	return func() {
		l.Unlock()
		if runtime.GOOS == "windows" {
			os.Remove(d.file(lockFile)) // fails, as it should, once somebody else has it
		}
	}, nil
}

// ErrRunExists is wrapped by the error for a directory that holds something.
var ErrRunExists = errors.New("resume it, overwrite it, or choose another directory")

// checkFree refuses a directory that is not empty, unless force allows it.
func (d runDir) checkFree(force bool) error {
	entries, err := os.ReadDir(string(d))
	if err != nil {
		return err
	}
	entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return e.Name() == lockFile })
	switch {
	case len(entries) == 0 || force:
		return nil
	case d.holdsRun():
		return fmt.Errorf("%s holds a run: %w", d, ErrRunExists)
	}
	return fmt.Errorf("%s is not empty: %w", d, ErrRunExists)
}

// begin writes the first checkpoint of a session. With replace there may be
// another run in the directory: the new checkpoint takes its place first, and
// until then nothing of it is lost. While the other files change there is no
// config.json, so that nobody takes files of two runs for one.
func (d runDir) begin(c *checkpoint, h *History, replace bool) error {
	var (
		config     = func() error { return sealedjson.Write(d.file(ConfigFile), c.config) }
		noConfig   = func() error { return d.remove(ConfigFile) }
		noMetrics  = func() error { return d.remove(MetricsFile) }
		model      = func() error { return c.writeModel(d.file(ModelFile)) }
		history    = func() error { return atomicfile.WriteFile(d.file(HistoryFile), h.MarshalCSV()) }
		checkpoint = func() error { return c.write(d.file(CheckpointFile)) }
	)
	steps := []func() error{config, model, history, checkpoint, noMetrics}
	if replace {
		steps = []func() error{checkpoint, noConfig, noMetrics, model, history, config}
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// save writes a later checkpoint, and the model if its weights are others than
// those on disk. The checkpoint comes last, so that the others are never older
// than it.
func (d runDir) save(c *checkpoint, h *History, model bool) error {
	if model {
		if err := c.writeModel(d.file(ModelFile)); err != nil {
			return err
		}
	}
	if err := atomicfile.WriteFile(d.file(HistoryFile), h.MarshalCSV()); err != nil {
		return err
	}
	return c.write(d.file(CheckpointFile))
}

func (d runDir) remove(name string) error {
	if err := os.Remove(d.file(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// savedRun is what is on disk of a run that goes on.
type savedRun struct {
	config     Config
	checkpoint *checkpoint   // nil if the training was ended before the first one
	times      []EpochRecord // for the wall times of the checkpoint's epochs
	metrics    *Metrics      // of the session before; nil if that did not come to an end
}

// load reads what a training goes on from.
func (d runDir) load() (*savedRun, error) {
	if !d.holdsRun() {
		return nil, fmt.Errorf("there is no run in %s: %s is missing", d, ConfigFile)
	}
	r := &savedRun{}
	c, sealed, err := readConfig(d.file(ConfigFile))
	noConfig := errors.Is(err, fs.ErrNotExist)
	if err != nil && !noConfig {
		return nil, d.damaged(ConfigFile, err)
	}
	r.checkpoint, err = readCheckpoint(d.file(CheckpointFile))
	switch {
	case err == nil && noConfig:
		r.config = r.checkpoint.config
	case err == nil:
		if r.config, err = d.settings(r.checkpoint.config, c, sealed); err != nil {
			return nil, err
		}
	case errors.Is(err, fs.ErrNotExist) && !noConfig:
		r.config = c
	default:
		return nil, d.damaged(CheckpointFile, err)
	}
	h, err := ReadHistory(d.file(HistoryFile))
	switch {
	case err == nil && r.checkpoint == nil && len(h.Epochs) > 0:
		return nil, fmt.Errorf("%s is missing, but %d epochs are done; start anew by overwriting the run", d.file(CheckpointFile), len(h.Epochs))
	case err == nil:
		r.times = h.Epochs
	case !errors.Is(err, fs.ErrNotExist):
		return nil, d.damaged(HistoryFile, err)
	}
	m, err := ReadMetrics(d.file(MetricsFile))
	switch {
	case err == nil && r.checkpoint != nil && m.Steps == r.checkpoint.training.Step && m.Epochs == r.checkpoint.training.Epochs:
		r.metrics = m // and not those of a run that this one took the place of
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, d.damaged(MetricsFile, err)
	}
	return r, nil
}

// settings returns the settings of a run by those of its checkpoint and those
// in config.json. Those of the checkpoint hold: an intact config.json with
// others is left of a run whose place was being taken. Only the number of epochs
// may be newer there.
func (d runDir) settings(checkpoint, config Config, sealed bool) (Config, error) {
	different, err := differencesButEpochs(checkpoint, config)
	switch {
	case err != nil:
		return Config{}, err
	case len(different) == 0:
		return config, nil
	case !sealed:
		return Config{}, fmt.Errorf("%s: %s, by %s; remove it, or put that back", d.file(ConfigFile), different[0], CheckpointFile)
	}
	return checkpoint, nil
}

// damaged adds to the error for a file which whole files are left, and what can
// be done with them.
func (d runDir) damaged(name string, err error) error {
	return fmt.Errorf("%w; %s", err, d.whatIsLeft(name))
}

func (d runDir) whatIsLeft(name string) string {
	if name != CheckpointFile {
		if c, err := readCheckpoint(d.file(CheckpointFile)); err == nil {
			return fmt.Sprintf("%s is whole (step %d, %d epochs done): remove %s and resume the run, which writes it anew",
				CheckpointFile, c.training.Step, c.training.Epochs, name)
		}
	}
	if name != ModelFile {
		if p, err := LoadPredictor(d.file(ModelFile)); err == nil {
			p.Close()
			return fmt.Sprintf("%s is whole: it predicts with the best weights so far; to train, start anew by overwriting the run", ModelFile)
		}
	}
	return "no whole checkpoint is left: start anew by overwriting the run"
}

// ReadRunConfig returns the settings of the run in a directory, as [Resume]
// wants them.
func ReadRunConfig(dir string) (Config, error) {
	r, err := runDir(dir).load()
	if err != nil {
		return Config{}, err
	}
	return r.config, nil
}

// Run is a run that has ended or stopped: the model with the weights of its
// best epoch, and what is known of the training.
type Run struct {
	*Predictor
	Dir     string // "" if it was not kept
	Config  Config
	History *History
	Metrics *Metrics // nil if the run did not come to its end
}

// LoadRun reads a run directory, also while a training is going on there.
// Metrics are nil if the run is unfinished; everything else must be there and
// whole: an error names the file that is not, and says which are. Options change
// where and how the model computes; without them it does as it was trained.
func LoadRun(dir string, opts ...LoadOption) (*Run, error) {
	d := runDir(dir)
	r, err := d.loadRun(opts)
	if err != nil {
		return nil, fmt.Errorf("load run: %w", err)
	}
	return r, nil
}

func (d runDir) loadRun(opts []LoadOption) (*Run, error) {
	if info, err := os.Stat(string(d)); err != nil {
		return nil, err
	} else if !info.IsDir() {
		return nil, fmt.Errorf("%s is a file, want a run directory", string(d))
	}
	c, err := ReadConfig(d.file(ConfigFile))
	if err != nil {
		return nil, d.damaged(ConfigFile, err)
	}
	r := &Run{Dir: string(d), Config: c}
	if r.History, err = ReadHistory(d.file(HistoryFile)); err != nil {
		return nil, d.damaged(HistoryFile, err)
	}
	if r.Metrics, err = ReadMetrics(d.file(MetricsFile)); errors.Is(err, os.ErrNotExist) {
		r.Metrics = nil
	} else if err != nil {
		return nil, d.damaged(MetricsFile, err)
	}
	s, err := newLoadSettings(append([]LoadOption{LoadOnDevice(c.Device), LoadAs(c.Impl, c.Machine)}, opts...))
	if err != nil {
		return nil, err
	}
	f, err := tensorfile.Read(d.file(ModelFile), tensorfile.Options{Check: checkModel})
	if err != nil {
		return nil, d.damaged(ModelFile, err)
	}
	if r.Predictor, err = load(f, s); err != nil {
		return nil, fmt.Errorf("%s: %w", d.file(ModelFile), err)
	}
	return r, nil
}
