package train_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/internal/nettest"
	"github.com/affine-go/affine/train"
)

func TestDefaultsOfEveryDatasetAreValid(t *testing.T) {
	for _, name := range datasets.Names() {
		c := train.DefaultConfig(name, nil)
		if err := c.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestValidateNamesTheSettingThatCannotBe(t *testing.T) {
	for _, c := range []struct {
		change func(*train.Config)
		words  []string
	}{
		{func(c *train.Config) { c.Dataset = "" }, []string{"dataset is empty", "csv:FILE"}},
		{func(c *train.Config) { c.Hidden = []int{4, 0} }, []string{"hidden[1] is 0", "at least 1"}},
		{func(c *train.Config) { c.Activation = "rely" }, []string{"activation", `"rely"`, "relu"}},
		{func(c *train.Config) { c.Activation = "leakyrelu(-1)" }, []string{"activation", "-1"}},
		{func(c *train.Config) { c.Init = "luck" }, []string{"init", `"luck"`, "he-normal", "glorot-uniform"}},
		{func(c *train.Config) { c.BiasInit = "" }, []string{"bias_init", `""`, "zeros"}},
		{func(c *train.Config) { c.Impl = "builtins" }, []string{"impl", `"builtins"`, "fused", "builtin"}},
		{func(c *train.Config) { c.Machine = "lisp" }, []string{"machine", `"lisp"`, "ours", "tape"}},
		{func(c *train.Config) { c.Dtype = "float16" }, []string{"dtype", `"float16"`, "float32", "float64"}},
		{func(c *train.Config) { c.Optimizer = "adma" }, []string{"optimizer", `"adma"`, "adam"}},
		{func(c *train.Config) { c.Schedule = "cosin" }, []string{"schedule", `"cosin"`, "cosine", "one-cycle"}},
		{func(c *train.Config) { c.Monitor = "loss" }, []string{"monitor", `"loss"`, "val_loss"}},
		{func(c *train.Config) { c.LR = 0 }, []string{"lr is 0", "above 0"}},
		{func(c *train.Config) { c.LR = -1 }, []string{"lr is -1", "at least 0"}},
		{func(c *train.Config) { c.LR = math.NaN() }, []string{"lr is NaN", "finite"}},
		{func(c *train.Config) { c.LR = math.Inf(1) }, []string{"lr is +Inf", "finite"}},
		{func(c *train.Config) { c.WarmupEpochs = -1 }, []string{"warmup_epochs is -1"}},
		{func(c *train.Config) { c.WarmupEpochs = 5 }, []string{"warmup_epochs is 5", "4 epochs"}},
		{func(c *train.Config) { c.ClipValue = -1 }, []string{"clip_value is -1"}},
		{func(c *train.Config) { c.ClipNorm = math.NaN() }, []string{"clip_norm is NaN"}},
		{func(c *train.Config) { c.MinDelta = -1 }, []string{"min_delta is -1"}},
		{func(c *train.Config) { c.Epochs = 0 }, []string{"epochs is 0", "at least 1"}},
		{func(c *train.Config) { c.Batch = 0 }, []string{"batch is 0", "at least 1"}},
		{func(c *train.Config) { c.Patience = -1 }, []string{"patience is -1"}},
		{func(c *train.Config) { c.WeightDecay = -1 }, []string{"weight_decay is -1"}},
		{func(c *train.Config) { c.Betas = &[2]float64{0.9, 1} }, []string{"betas", "[0, 1)"}},
		{func(c *train.Config) { c.Momentum = 0.9 }, []string{"adam", "no momentum", "betas"}},
		{func(c *train.Config) { c.Optimizer, c.Nesterov = "sgd", true }, []string{"nesterov", "momentum"}},
	} {
		config := smallConfig(t, "moons")
		c.change(&config)
		wantError(t, c.words[0], config.Validate(), append(c.words, "config: ")...)
	}
}

func TestConfigSurvivesJSON(t *testing.T) {
	noise, eps, alpha := 0.25, 1e-7, 0.5
	c := smallConfig(t, "moons")
	c.Noise, c.Optimizer, c.Momentum, c.Eps, c.Alpha, c.Centered = &noise, "rmsprop", 0.1, &eps, &alpha, true
	c.Seed = math.MaxUint64
	data, err := json.Marshal(c)
	nettest.Must(t, err)
	path := filepath.Join(t.TempDir(), "config.json")
	nettest.Must(t, os.WriteFile(path, data, 0o644))
	got, err := train.ReadConfig(path)
	nettest.Must(t, err)
	if !reflect.DeepEqual(got, c) {
		t.Errorf("read %+v, want %+v", got, c)
	}
}

func TestReadConfigSaysWhatIsWrong(t *testing.T) {
	data, err := json.Marshal(smallConfig(t, "moons"))
	nettest.Must(t, err)
	good := string(data)
	for what, c := range map[string]struct {
		text  string
		words []string
	}{
		"empty":     {"", []string{"empty", "JSON"}},
		"truncated": {good[:40], []string{"byte 40", "before it is complete"}},
		"unknown":   {strings.Replace(good, `"batch"`, `"batches"`, 1), []string{"unknown field", `"batches"`}},
		"type":      {strings.Replace(good, `"batch":16`, `"batch":"16"`, 1), []string{"batch", "string", "int"}},
		"task":      {strings.Replace(good, `"task":"auto"`, `"task":"guess"`, 1), []string{`"guess"`, "classification"}},
		"syntax":    {strings.Replace(good, `"epochs":4`, `"epochs":4,,`, 1), []string{"byte ", "invalid character"}},
		"more":      {good + "{}", []string{"after the JSON"}},
		"value":     {strings.Replace(good, `"epochs":4`, `"epochs":-4`, 1), []string{"epochs is -4"}},
	} {
		path := filepath.Join(t.TempDir(), "config.json")
		nettest.Must(t, os.WriteFile(path, []byte(c.text), 0o644))
		_, err := train.ReadConfig(path)
		wantError(t, what, err, append(c.words, path)...)
	}
	_, err = train.ReadConfig(filepath.Join(t.TempDir(), "none.json"))
	wantError(t, "missing", err, "none.json")
}

func TestLoadReportsUnknownDatasets(t *testing.T) {
	c := smallConfig(t, "moons")
	c.Dataset = "moon"
	_, err := c.Load()
	wantError(t, "moon", err, `"moon"`, `"moons"`)
}

// With a dataset's default settings and seed 1, the test part is learnt at
// least this well: accuracy for classification, R² for regression.
var reached = map[string]float64{
	"moons": 0.97, "circles": 0.97, "blobs": 0.95, "spirals": 0.95, "xor": 0.98, "iris": 0.93, "glyphs": 0.97,
	"linear": 0.99, "sine": 0.98, "friedman1": 0.90,
}

func TestDefaultSettingsLearnEveryDataset(t *testing.T) {
	for _, name := range datasets.Names() {
		t.Run(name, func(t *testing.T) {
			want, ok := reached[name]
			if !ok {
				t.Fatal("nobody has said how well this dataset is to be learnt")
			}
			info, err := datasets.Describe(name)
			nettest.Must(t, err)
			c := train.DefaultConfig(name, nil)
			c.Device, c.Seed = "cpu", 1
			m := fit(t, c).Metrics
			score := m.TestAccuracy
			if info.Task == datasets.Regression {
				score = m.TestR2
			}
			if *score < want {
				t.Errorf("reaches %v, want at least %v", *score, want)
			}
		})
	}
}

// The settings for files follow their size and shape alone.
func TestDefaultsForFiles(t *testing.T) {
	for _, c := range []struct {
		rows, side            int
		epochs, batch, hidden int
		scaling               datasets.Scaling
	}{
		{100, 0, 100, 32, 64, datasets.Standard},
		{2001, 0, 30, 64, 64, datasets.Standard},
		{20_001, 0, 10, 128, 64, datasets.Standard},
		{100, 2, 100, 32, 256, datasets.NoScaling},
	} {
		cols := max(1, c.side*c.side)
		d := train.DefaultsFor("csv:some.csv", &datasets.Dataset{
			Features: make([]string, cols), X: make([]float64, c.rows*cols), ImageShape: [2]int{c.side, c.side},
		})
		if d.Epochs != c.epochs || d.Batch != c.batch || d.Hidden[0] != c.hidden || d.Scaling != c.scaling {
			t.Errorf("%d rows, images of side %d: got %+v, want %+v", c.rows, c.side, d, c)
		}
	}
}

func TestDefaultsOfADatasetAreItsOwn(t *testing.T) {
	for _, name := range datasets.Names() {
		a := train.DefaultsFor(name, nil)
		if len(a.Hidden) > 0 {
			a.Hidden[0] = -1
			if b := train.DefaultsFor(name, nil); b.Hidden[0] == -1 {
				t.Errorf("%s: the widths are shared between calls", name)
			}
		}
	}
}
