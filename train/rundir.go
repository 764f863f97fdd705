package train

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/affine-go/affine/internal/atomicfile"
)

// The files of a run directory.
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
type runDir string

func (d runDir) file(name string) string { return filepath.Join(string(d), name) }

// holdsRun reports whether there is a run in the directory.
func (d runDir) holdsRun() bool {
	_, err := os.Stat(d.file(ConfigFile))
	return err == nil
}

// checkFree refuses a path that is there already, unless it is an empty
// directory or, with force, any directory.
func (d runDir) checkFree(force bool) error {
	entries, err := os.ReadDir(string(d))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case len(entries) > 0 && !force && d.holdsRun():
		return fmt.Errorf("%s holds a run: %w", d, ErrRunExists)
	case len(entries) > 0 && !force:
		return fmt.Errorf("%s is not empty: %w", d, ErrRunExists)
	}
	return nil
}

// ErrRunExists is wrapped by the error for a run directory that is in use.
var ErrRunExists = errors.New("resume it, overwrite it, or choose another directory")

// create makes the directory, takes away what an earlier run left, and writes
// the config.
func (d runDir) create(c *Config) error {
	if err := os.MkdirAll(string(d), 0o755); err != nil {
		return err
	}
	for _, name := range runFiles {
		if err := os.Remove(d.file(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return d.writeJSON(ConfigFile, c)
}

// reopen takes the metrics of the last session of a run that goes on, which are
// nil if that did not come to an end, and writes the config.
func (d runDir) reopen(c *Config) (*Metrics, error) {
	m, err := ReadMetrics(d.file(MetricsFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if writing := d.writeJSON(ConfigFile, c); writing != nil {
		return nil, writing
	}
	if m == nil {
		return nil, nil
	}
	return m, os.Remove(d.file(MetricsFile))
}

func (d runDir) writeJSON(name string, v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("write %s: %w", d.file(name), err)
	}
	return atomicfile.WriteFile(d.file(name), b.Bytes())
}

// save writes model, history and checkpoint. The checkpoint comes last, so that
// the others are never older than it.
func (d runDir) save(c *checkpoint, p *Predictor, h *History) error {
	if d == "" {
		return nil
	}
	weights := c.best
	if weights == nil {
		weights = c.weights
	}
	if err := p.save(d.file(ModelFile), weights); err != nil {
		return err
	}
	lines, err := h.MarshalCSV()
	if err != nil {
		return err
	}
	if err := atomicfile.WriteFile(d.file(HistoryFile), lines); err != nil {
		return err
	}
	return c.write(d.file(CheckpointFile))
}

// load reads what save wrote. Without a checkpoint it returns nil if the run
// had not finished an epoch, as after a crash in its first moments.
func (d runDir) load() (*checkpoint, *History, error) {
	c, err := readCheckpoint(d.file(CheckpointFile))
	if errors.Is(err, fs.ErrNotExist) {
		h, reading := ReadHistory(d.file(HistoryFile))
		if reading == nil && len(h.Epochs) > 0 {
			return nil, nil, fmt.Errorf("%w, but %d epochs are done; start anew by overwriting the run", err, len(h.Epochs))
		}
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	h, err := ReadHistory(d.file(HistoryFile))
	return c, h, err
}
