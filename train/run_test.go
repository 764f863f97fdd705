package train_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/internal/nettest"
	"github.com/affine-go/affine/train"
)

func TestARunDirectoryHoldsTheFilesOfTheRun(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "runs", "first") // made with its parents
	r := fit(t, smallConfig(t, "moons"), train.InDirectory(dir))
	entries, err := os.ReadDir(dir)
	nettest.Must(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	want := []string{"config.json", "history.csv", "last.safetensors", "metrics.json", "model.safetensors"}
	if !slices.Equal(names, want) {
		t.Errorf("files are %v, want %v", names, want)
	}
	var metrics map[string]any
	nettest.Must(t, json.Unmarshal(content(t, dir, train.MetricsFile), &metrics))
	for _, key := range []string{"dataset", "impl", "device", "dtype", "seed", "epochs", "steps", "parameters", "train_loss", "val_loss",
		"test_loss", "test_accuracy", "step_us_median", "wall_s", "stopping_reason"} {
		if metrics[key] == nil {
			t.Errorf("%s lacks %s", train.MetricsFile, key)
		}
	}
	c, err := train.ReadConfig(filepath.Join(dir, train.ConfigFile))
	nettest.Must(t, err)
	if !reflect.DeepEqual(c, r.Config) {
		t.Errorf("config on disk is %+v, want %+v", c, r.Config)
	}
}

func TestADirectoryInUseIsRefused(t *testing.T) {
	c := smallConfig(t, "moons")
	dir := t.TempDir() // there, but empty
	fit(t, c, train.InDirectory(dir))
	before := content(t, dir, train.ModelFile)

	c.Seed++
	_, err := train.Fit(context.Background(), c, train.InDirectory(dir))
	wantError(t, "run", err, dir, "holds a run", "resume", "overwrite")
	if !errors.Is(err, train.ErrRunExists) {
		t.Errorf("%v does not wrap ErrRunExists", err)
	}
	if !bytes.Equal(content(t, dir, train.ModelFile), before) {
		t.Error("the refused run changed the model")
	}
	fit(t, c, train.InDirectory(dir), train.Overwrite())
	if bytes.Equal(content(t, dir, train.ModelFile), before) {
		t.Error("the run that overwrites did not change the model")
	}

	other := t.TempDir()
	nettest.Must(t, os.WriteFile(filepath.Join(other, "thesis.tex"), nil, 0o644))
	_, err = train.Fit(context.Background(), c, train.InDirectory(other))
	wantError(t, "other files", err, other, "not empty")
	fit(t, c, train.InDirectory(other), train.Overwrite())
	if _, err := os.Stat(filepath.Join(other, "thesis.tex")); err != nil {
		t.Error("a file that is none of a run's is gone")
	}
	_, err = train.Fit(context.Background(), c, train.InDirectory(filepath.Join(other, "thesis.tex")), train.Overwrite())
	wantError(t, "a file", err, "thesis.tex")
}

func TestOptionsThatAreNilAreErrors(t *testing.T) {
	_, err := train.Fit(context.Background(), smallConfig(t, "moons"), train.WithCallbacks(), nil)
	wantError(t, "fit", err, "fit: option 1 is nil")
	_, err = train.LoadPredictor("model", nil)
	wantError(t, "load predictor", err, "load predictor: option 0 is nil")
}

func TestBadSettingsLeaveNoDirectory(t *testing.T) {
	for what, change := range map[string]func(*train.Config){
		"setting": func(c *train.Config) { c.Epochs = 0 },
		"dataset": func(c *train.Config) { c.Dataset = "csv:no-such-file.csv"; c.Rows = 0 },
		"device":  func(c *train.Config) { c.Device = "abacus" },
		"scaling": func(c *train.Config) { c.Scaling = "up" },
	} {
		c := smallConfig(t, "moons")
		change(&c)
		dir := filepath.Join(t.TempDir(), "run")
		_, err := train.Fit(context.Background(), c, train.InDirectory(dir))
		wantError(t, what, err, "fit: ")
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: the directory was made: %v", what, err)
		}
	}
}

func TestALoadedRunAnswersAsTheTrainedOne(t *testing.T) {
	for _, dataset := range []string{"iris", "friedman1"} {
		for _, dtype := range []string{"float32", "float64"} {
			c := smallConfig(t, dataset)
			c.Dtype = dtype
			if dataset == "iris" {
				c.Rows = 0
			}
			dir := t.TempDir()
			trained := fit(t, c, train.InDirectory(dir))
			loaded, err := train.LoadRun(dir)
			nettest.Must(t, err)
			defer loaded.Close()
			parts, err := c.Load()
			nettest.Must(t, err)
			want, err := trained.Evaluate(parts.Test)
			nettest.Must(t, err)
			got, err := loaded.Evaluate(parts.Test)
			nettest.Must(t, err)
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s, %s: loaded run gives %+v, want %+v", dataset, dtype, got, want)
			}
			if !reflect.DeepEqual(loaded.Schema, parts.Train.Schema()) || loaded.Spec().Dtype.String() != dtype {
				t.Errorf("%s: schema is %+v and dtype %v", dataset, loaded.Schema, loaded.Spec().Dtype)
			}
			if !reflect.DeepEqual(loaded.Metrics, trained.Metrics) || !reflect.DeepEqual(loaded.Config, trained.Config) {
				t.Errorf("%s: metrics or config differ from the trained run's", dataset)
			}
		}
	}
}

func TestAnUnfinishedRunLoadsWithoutMetrics(t *testing.T) {
	dir := t.TempDir()
	fit(t, smallConfig(t, "moons"), train.InDirectory(dir))
	nettest.Must(t, os.Remove(filepath.Join(dir, train.MetricsFile)))
	r, err := train.LoadRun(dir)
	nettest.Must(t, err)
	if r.Metrics != nil || len(r.History.Epochs) != 4 {
		t.Errorf("metrics are %v and history %v", r.Metrics, r.History)
	}
}

func TestLoadOptionsChooseImplAndMachine(t *testing.T) {
	dir := t.TempDir()
	fit(t, smallConfig(t, "moons"), train.InDirectory(dir))
	r, err := train.LoadRun(dir, train.LoadAs(train.Builtin, train.TapeMachine), train.LoadOnDevice("auto"))
	nettest.Must(t, err)
	if s := r.Spec(); s.Impl != train.Builtin || s.Machine != train.TapeMachine {
		t.Errorf("loaded as %s on %s", s.Impl, s.Machine)
	}
	_, err = train.LoadRun(dir, train.LoadOnDevice("abacus"))
	wantError(t, "device", err, "load", `"abacus"`, "cpu")
}

// Any file that is missing, or is the beginning of what it should be, gives an
// error of one line that names it.
func TestLoadRunNamesTheFileThatIsBroken(t *testing.T) {
	dir := t.TempDir()
	fit(t, smallConfig(t, "moons"), train.InDirectory(dir))
	for _, file := range []string{train.ConfigFile, train.HistoryFile, train.MetricsFile, train.ModelFile} {
		path := filepath.Join(dir, file)
		whole := content(t, dir, file)
		ends := []int{0, 1, len(whole) / 2, len(whole) - 3}
		if file == train.ModelFile {
			ends = make([]int, len(whole))
			for i := range ends {
				ends[i] = i
			}
		}
		for _, n := range ends {
			nettest.Must(t, os.WriteFile(path, whole[:n], 0o644))
			_, err := train.LoadRun(dir)
			wantError(t, file, err, "load run: ", path)
		}
		nettest.Must(t, os.Remove(path))
		if file != train.MetricsFile {
			_, err := train.LoadRun(dir)
			wantError(t, file, err, "load run: ", path)
		}
		nettest.Must(t, os.WriteFile(path, whole, 0o644))
	}
	_, err := train.LoadRun(filepath.Join(dir, "none"))
	wantError(t, "directory", err, "load run: ", "none")
}

func TestARunOfACSVFileKnowsItsColumns(t *testing.T) {
	d, err := datasets.Load("iris", datasets.Options{})
	nettest.Must(t, err)
	path := filepath.Join(t.TempDir(), "flowers.csv")
	f, err := os.Create(path)
	nettest.Must(t, err)
	nettest.Must(t, datasets.WriteCSV(f, d))
	nettest.Must(t, f.Close())

	c := smallConfig(t, "iris")
	c.Dataset, c.Target, c.Rows, c.Epochs = "csv:"+path, "species", 0, 30
	dir := t.TempDir()
	fit(t, c, train.InDirectory(dir))
	r, err := train.LoadRun(dir)
	nettest.Must(t, err)
	if !slices.Equal(r.Schema.Classes, d.Classes) || !slices.Equal(r.Schema.Features, d.Features) || r.Schema.TargetName != "species" {
		t.Errorf("schema is %+v, want that of iris", r.Schema)
	}
	again, err := datasets.Open("csv:"+path, datasets.Options{Schema: &r.Schema})
	nettest.Must(t, err)
	e, err := r.Evaluate(again)
	nettest.Must(t, err)
	if e.Rows != 150 || e.Accuracy < 0.8 {
		t.Errorf("accuracy on %d rows is %v", e.Rows, e.Accuracy)
	}
}
