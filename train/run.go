package train

import (
	"errors"
	"fmt"
	"os"
)

// Run is a run that has ended or stopped: the model with the weights of its
// best epoch, and what is known of the training.
type Run struct {
	*Predictor
	Dir     string // "" if it was not kept
	Config  Config
	History *History
	Metrics *Metrics // nil if the run did not come to its end
}

// LoadRun reads a run directory. Metrics are nil where the run is unfinished;
// everything else must be there and whole. Options change where and how the
// model computes; without them it does as it was trained.
func LoadRun(dir string, opts ...LoadOption) (*Run, error) {
	d := runDir(dir)
	r, err := d.loadRun(opts)
	if err != nil {
		return nil, fmt.Errorf("load run: %w", err)
	}
	return r, nil
}

func (d runDir) loadRun(opts []LoadOption) (*Run, error) {
	if _, err := os.Stat(string(d)); err != nil {
		return nil, err
	}
	c, err := ReadConfig(d.file(ConfigFile))
	if err != nil {
		return nil, err
	}
	r := &Run{Dir: string(d), Config: c}
	if r.History, err = ReadHistory(d.file(HistoryFile)); err != nil {
		return nil, err
	}
	if r.Metrics, err = ReadMetrics(d.file(MetricsFile)); errors.Is(err, os.ErrNotExist) {
		r.Metrics = nil
	} else if err != nil {
		return nil, err
	}
	opts = append([]LoadOption{LoadOnDevice(c.Device), LoadAs(c.Impl, c.Machine)}, opts...)
	r.Predictor, err = loadPredictor(d.file(ModelFile), opts)
	return r, err
}
