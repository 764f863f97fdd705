package train

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/internal/sealedjson"
	"github.com/affine-go/affine/internal/tensorfile"
	"github.com/affine-go/affine/layer"
	"github.com/affine-go/affine/layer/device"
	"github.com/affine-go/affine/train/optim"
	"go.yaml.in/yaml/v3"
	"gorgonia.org/tensor"
)

// Config is everything that defines a run. Its JSON is the run directory's
// config.json. [DefaultConfig] fills it in for a dataset; [Fit] takes it as it
// stands, so that what was recorded is what ran.
type Config struct {
	// Dataset is a source as datasets.Open takes it: a name, csv:FILE,
	// npz:FILE or idx:DIR. Rows, Noise, Target and Task are those of
	// datasets.Options; zero values stand for the source's own.
	Dataset string        `json:"dataset"`
	Rows    int           `json:"rows,omitempty"`
	Noise   *float64      `json:"noise,omitempty"`
	Target  string        `json:"target,omitempty"`
	Task    datasets.Task `json:"task"`
	// CSV says how the columns of a CSV file are to be understood.
	CSV datasets.CSVOptions `json:"csv,omitzero"`
	// Fractions are the parts of the rows that train, validate and test.
	Fractions datasets.Fractions `json:"fractions"`
	// Scaling is how features are scaled. In regression targets are brought
	// to mean 0 and variance 1 for the training.
	Scaling datasets.Scaling `json:"scaling"`

	// From is a run directory or a model file whose weights and scaling the
	// training starts from; Hidden, Activation and Dtype must be that model's.
	From string `json:"from,omitempty"`

	Hidden     []int  `json:"hidden"`     // widths of the hidden layers
	Activation string `json:"activation"` // as layer.ParseActivation takes it
	// Dropout is the probability that an output of a hidden layer is set to 0
	// in a step of the training; the others are divided by 1 − Dropout. Masks
	// are drawn from Seed. What is measured and predicted is without.
	Dropout  float64 `json:"dropout,omitempty"`
	Init     string  `json:"init"`      // of the weights, one of InitNames
	BiasInit string  `json:"bias_init"` // of the biases, one of InitNames

	Impl    string `json:"impl"`    // Fused or Builtin
	Machine string `json:"machine"` // OurMachine or TapeMachine
	Device  string `json:"device"`  // as device.Open takes it
	Dtype   string `json:"dtype"`   // "float32" or "float64"
	// MatmulPrecision is that of large float32 products on a CUDA card,
	// "highest" (if it is empty, too), "high" or "medium", as PyTorch names them.
	MatmulPrecision string `json:"matmul_precision,omitempty"`

	Optimizer string  `json:"optimizer"` // one of OptimizerNames
	LR        float64 `json:"lr"`        // the highest learning rate
	OptimizerConfig

	// ClassWeights multiply the loss of a row by the weight of its class: "",
	// "balanced" or "a=1,b=5". The mean stays one over rows, as with PyTorch's
	// weight for targets that are probabilities. Losses of the training and the
	// validation are weighted, scores are not.
	ClassWeights string `json:"class_weights,omitempty"`

	Schedule     string  `json:"schedule"`      // one of ScheduleNames
	WarmupEpochs float64 `json:"warmup_epochs"` // of a linear rise in front of the schedule
	ClipValue    float64 `json:"clip_value"`    // limit of each element of the gradient, 0 for none
	ClipNorm     float64 `json:"clip_norm"`     // limit of the norm of the gradient, 0 for none

	Epochs int `json:"epochs"`
	Batch  int `json:"batch"`
	// Microbatches, a power of two, is into how many parts each batch is cut,
	// whose gradients are added by pairs: 0 and 1 and so on, then their sums.
	// This order decides the last bits, and it allows as many processes to
	// share a batch, see [WithRanks]. 0 stands for 1.
	Microbatches int    `json:"microbatches,omitempty"`
	Seed         uint64 `json:"seed"` // of rows, split, weights and shuffling

	// Monitor decides which epoch's weights are the best. Training stops early
	// when it has not got better by more than MinDelta for Patience epochs;
	// with Patience 0 it never does.
	Monitor  string  `json:"monitor"` // one of Monitors
	Patience int     `json:"patience"`
	MinDelta float64 `json:"min_delta"`
}

// OptimizerConfig holds the settings that optimizers have besides the learning
// rate, each known to some of them only. Zero values and nil stand for
// PyTorch's defaults, but for WeightDecay, which is taken as it is.
type OptimizerConfig struct {
	WeightDecay        float64     `json:"weight_decay"`
	Momentum           float64     `json:"momentum,omitempty"`
	Dampening          float64     `json:"dampening,omitempty"`
	Nesterov           bool        `json:"nesterov,omitempty"`
	Betas              *[2]float64 `json:"betas,omitempty"`
	Eps                *float64    `json:"eps,omitempty"`
	AMSGrad            bool        `json:"amsgrad,omitempty"`
	Alpha              *float64    `json:"alpha,omitempty"`
	Centered           bool        `json:"centered,omitempty"`
	LRDecay            float64     `json:"lr_decay,omitempty"`
	InitialAccumulator float64     `json:"initial_accumulator,omitempty"`
	Maximize           bool        `json:"maximize,omitempty"`
}

// What Config.Monitor may name. The metric is accuracy or R².
const (
	MonitorValLoss   = "val_loss"
	MonitorValMetric = "val_metric"
	// For classification, see ClassScores.
	MonitorValBalancedAccuracy = "val_balanced_accuracy"
	MonitorValF1               = "val_f1"
	MonitorValROCAUC           = "val_roc_auc"
	// For regression.
	MonitorValMAE    = "val_mae"
	MonitorTrainLoss = "train_loss"
)

// MatmulPrecisions returns what Config.MatmulPrecision may name.
func MatmulPrecisions() []string { return []string{"highest", "high", "medium"} }

// openDevice opens the device and sets the precision of its products, if it
// has a choice.
func (c *Config) openDevice() (device.Device, error) {
	d, err := device.Open(c.Device)
	if err != nil {
		return nil, err
	}
	if p, ok := d.(device.PrecisionSetter); ok && c.MatmulPrecision != "" {
		if err := p.SetMatmulPrecision(c.MatmulPrecision); err != nil {
			d.Close()
			return nil, err
		}
	}
	return d, nil
}

// Monitors returns what Config.Monitor may name.
func Monitors() []string {
	return []string{MonitorValLoss, MonitorValMetric, MonitorValBalancedAccuracy, MonitorValF1, MonitorValROCAUC, MonitorValMAE, MonitorTrainLoss}
}

// monitorsOf returns those that a task has.
func monitorsOf(task datasets.Task) []string {
	if task == datasets.Regression {
		return []string{MonitorValLoss, MonitorValMetric, MonitorValMAE, MonitorTrainLoss}
	}
	return []string{MonitorValLoss, MonitorValMetric, MonitorValBalancedAccuracy, MonitorValF1, MonitorValROCAUC, MonitorTrainLoss}
}

var initializers = []layer.Init{
	layer.FanInUniform, layer.HeUniform, layer.HeNormal, layer.GlorotUniform, layer.GlorotNormal, layer.Zeros,
}

// InitNames returns what Config.Init and Config.BiasInit may name.
func InitNames() []string {
	names := make([]string, len(initializers))
	for i, in := range initializers {
		names[i] = in.String()
	}
	return names
}

// DefaultConfig returns the settings to start from for a source and what it
// gives, with the values of [DefaultsFor].
func DefaultConfig(source string, dataset *datasets.Dataset) Config {
	d := DefaultsFor(source, dataset)
	return Config{
		Dataset: source, Fractions: datasets.DefaultFractions, Scaling: d.Scaling,
		Hidden: d.Hidden, Activation: d.Activation,
		Init: layer.FanInUniform.String(), BiasInit: layer.FanInUniform.String(),
		Impl: Fused, Machine: OurMachine, Device: "auto", Dtype: tensor.Float32.String(),
		Optimizer: d.Optimizer, LR: d.LR, OptimizerConfig: OptimizerConfig{WeightDecay: d.WeightDecay},
		Schedule: d.Schedule, Epochs: d.Epochs, Batch: d.Batch, Monitor: MonitorValLoss,
	}
}

// Validate returns an error that names the first setting that cannot be, what
// it is and what was wanted. Whether the dataset and the device exist shows
// only when they are opened.
func (c *Config) Validate() error {
	if err := c.validate(); err != nil {
		return fmt.Errorf("config: %w", err)
	}
	return nil
}

func (c *Config) validate() error {
	if c.Dataset == "" {
		return fmt.Errorf("dataset is empty, want a name, csv:FILE, npz:FILE or idx:DIR")
	}
	for i, width := range c.Hidden {
		if width < 1 {
			return fmt.Errorf("hidden[%d] is %d, want a width of at least 1", i, width)
		}
	}
	if _, err := layer.ParseActivation(c.Activation); err != nil {
		return fmt.Errorf("activation: %w", err)
	}
	for _, f := range []struct {
		name, value string
		known       []string
	}{
		{"init", c.Init, InitNames()},
		{"bias_init", c.BiasInit, InitNames()},
		{"impl", c.Impl, []string{Fused, Builtin}},
		{"machine", c.Machine, []string{OurMachine, TapeMachine}},
		{"dtype", c.Dtype, []string{tensor.Float32.String(), tensor.Float64.String()}},
		{"optimizer", c.Optimizer, optim.Names()},
		{"schedule", c.Schedule, optim.ScheduleNames()},
		{"monitor", c.Monitor, Monitors()},
	} {
		if !slices.Contains(f.known, f.value) {
			return fmt.Errorf("%s is %q, want one of %s", f.name, f.value, strings.Join(f.known, ", "))
		}
	}
	if p := c.MatmulPrecision; p != "" && !slices.Contains(MatmulPrecisions(), p) {
		return fmt.Errorf("matmul_precision is %q, want one of %s", p, strings.Join(MatmulPrecisions(), ", "))
	}
	for _, f := range []struct {
		name  string
		value float64
	}{
		{"lr", c.LR}, {"warmup_epochs", c.WarmupEpochs}, {"clip_value", c.ClipValue},
		{"clip_norm", c.ClipNorm}, {"min_delta", c.MinDelta},
	} {
		if !(f.value >= 0) || math.IsInf(f.value, 0) {
			return fmt.Errorf("%s is %v, want a finite number of at least 0", f.name, f.value)
		}
	}
	switch {
	case c.LR == 0:
		return fmt.Errorf("lr is 0, want a number above 0")
	case !(c.Dropout >= 0 && c.Dropout < 1):
		return fmt.Errorf("dropout is %v, want at least 0 and less than 1", c.Dropout)
	case c.Epochs < 1:
		return fmt.Errorf("epochs is %d, want at least 1", c.Epochs)
	case c.Batch < 1:
		return fmt.Errorf("batch is %d, want at least 1", c.Batch)
	case c.Microbatches < 0 || c.Microbatches&(c.Microbatches-1) != 0:
		return fmt.Errorf("microbatches is %d, want a power of two", c.Microbatches)
	case c.Microbatches > c.Batch:
		return fmt.Errorf("microbatches is %d, want at most the %d rows of a batch", c.Microbatches, c.Batch)
	case c.WarmupEpochs > float64(c.Epochs):
		return fmt.Errorf("warmup_epochs is %v, want at most the %d epochs", c.WarmupEpochs, c.Epochs)
	case c.Patience < 0:
		return fmt.Errorf("patience is %d, want at least 0", c.Patience)
	}
	_, err := optim.New(c.Optimizer, c.optimizerOptions()...)
	return err
}

// optimizerOptions returns the options that are set.
func (c *Config) optimizerOptions() []optim.Option {
	o := c.OptimizerConfig
	opts := []optim.Option{optim.WithLR(c.LR), optim.WithWeightDecay(o.WeightDecay)}
	add := func(set bool, opt func() optim.Option) {
		if set {
			opts = append(opts, opt())
		}
	}
	add(o.Momentum != 0, func() optim.Option { return optim.WithMomentum(o.Momentum) })
	add(o.Dampening != 0, func() optim.Option { return optim.WithDampening(o.Dampening) })
	add(o.Nesterov, optim.WithNesterov)
	add(o.Betas != nil, func() optim.Option { return optim.WithBetas(o.Betas[0], o.Betas[1]) })
	add(o.Eps != nil, func() optim.Option { return optim.WithEps(*o.Eps) })
	add(o.AMSGrad, optim.WithAMSGrad)
	add(o.Maximize, optim.WithMaximize)
	add(o.Alpha != nil, func() optim.Option { return optim.WithAlpha(*o.Alpha) })
	add(o.Centered, optim.WithCentered)
	add(o.LRDecay != 0, func() optim.Option { return optim.WithLRDecay(o.LRDecay) })
	add(o.InitialAccumulator != 0, func() optim.Option { return optim.WithInitialAccumulator(o.InitialAccumulator) })
	return opts
}

// newSchedule returns the learning rate by step for a run of epochs of the
// given number of steps. The warm-up starts at the rate of one step of it.
func (c *Config) newSchedule(epochSteps int) (optim.Schedule, error) {
	warm := int(math.Round(c.WarmupEpochs * float64(epochSteps)))
	s, err := optim.NewSchedule(c.Schedule, c.LR, max(c.Epochs*epochSteps-warm, 1))
	if err != nil || warm == 0 {
		return s, err
	}
	return optim.WarmupLR{From: 1 / float64(warm), Steps: warm, Then: s}, nil
}

// spec returns the model that the settings describe.
func (c *Config) spec(task datasets.Task, inputs, outputs int) (Spec, error) {
	act, err := layer.ParseActivation(c.Activation)
	if err != nil {
		return Spec{}, err
	}
	s := Spec{
		Task: task, Inputs: inputs, Outputs: outputs, Hidden: slices.Clone(c.Hidden), Activation: act,
		Dropout: c.Dropout, Seed: c.Seed, Dtype: tensor.Float32, Impl: c.Impl, Machine: c.Machine,
	}
	if c.Dtype == tensor.Float64.String() {
		s.Dtype = tensor.Float64
	}
	for _, in := range initializers {
		if in.String() == c.Init {
			s.Init = in
		}
		if in.String() == c.BiasInit {
			s.BiasInit = in
		}
	}
	return s, nil
}

// Defaults are settings to start training a multi-layer perceptron from.
type Defaults struct {
	Hidden      []int            `json:"hidden"` // widths of the hidden layers, none for a linear model
	Activation  string           `json:"activation"`
	Optimizer   string           `json:"optimizer"`
	LR          float64          `json:"lr"`
	Schedule    string           `json:"schedule"`
	WeightDecay float64          `json:"weight_decay"`
	Epochs      int              `json:"epochs"`
	Batch       int              `json:"batch"`
	Scaling     datasets.Scaling `json:"scaling"` // of the features
}

// builtinDefaults belong to the built-in datasets, by name.
var builtinDefaults = map[string]Defaults{
	"moons": {
		Hidden: []int{16, 16}, Activation: "relu", Optimizer: "adam", LR: 0.01,
		Schedule: "constant", Epochs: 100, Batch: 32, Scaling: datasets.Standard,
	},
	"circles": {
		Hidden: []int{16, 16}, Activation: "relu", Optimizer: "adam", LR: 0.01,
		Schedule: "constant", Epochs: 100, Batch: 32, Scaling: datasets.Standard,
	},
	"blobs": {
		Hidden: []int{16}, Activation: "relu", Optimizer: "adam", LR: 0.01,
		Schedule: "constant", Epochs: 50, Batch: 32, Scaling: datasets.Standard,
	},
	"spirals": {
		Hidden: []int{64, 64}, Activation: "relu", Optimizer: "adam", LR: 0.01,
		Schedule: "one-cycle", Epochs: 200, Batch: 32, Scaling: datasets.Standard,
	},
	"xor": {
		Hidden: []int{16}, Activation: "relu", Optimizer: "adam", LR: 0.01,
		Schedule: "constant", Epochs: 100, Batch: 32, Scaling: datasets.Standard,
	},
	"iris": {
		Hidden: []int{16}, Activation: "relu", Optimizer: "adam", LR: 0.01,
		Schedule: "cosine", WeightDecay: 0.01, Epochs: 100, Batch: 16, Scaling: datasets.Standard,
	},
	"glyphs": {
		Hidden: []int{128, 64}, Activation: "relu", Optimizer: "adam", LR: 0.008,
		Schedule: "one-cycle", WeightDecay: 0.001, Epochs: 15, Batch: 32, Scaling: datasets.NoScaling,
	},
	"linear": {
		Hidden: []int{}, Activation: "relu", Optimizer: "adam", LR: 0.05,
		Schedule: "cosine", Epochs: 50, Batch: 32, Scaling: datasets.Standard,
	},
	"sine": {
		Hidden: []int{32, 32}, Activation: "tanh", Optimizer: "adam", LR: 0.01,
		Schedule: "cosine", Epochs: 150, Batch: 32, Scaling: datasets.Standard,
	},
	"friedman1": {
		Hidden: []int{64, 64}, Activation: "tanh", Optimizer: "adam", LR: 0.005,
		Schedule: "cosine", WeightDecay: 0.001, Epochs: 60, Batch: 32, Scaling: datasets.Standard,
	},
}

// smallTable is how many rows are few.
const smallTable = 2_000

// DefaultsFor returns the settings to start from for a source as datasets.Open
// takes it. Those of a built-in dataset are known by its name; for others they
// follow from what the source gives, d: fewer epochs and larger batches the
// more rows there are, one layer and weight decay for few rows, wider layers for
// images. d may be nil for a built-in dataset.
func DefaultsFor(source string, d *datasets.Dataset) Defaults {
	if s, ok := builtinDefaults[source]; ok {
		s.Hidden = slices.Clone(s.Hidden)
		return s
	}
	// Small tables: with these the test score on each of the seven tables of
	// internal/peers/tables.py is within one standard deviation of scikit-learn's,
	// or above it. They were chosen among some ten settings on the same splits.
	s := Defaults{
		Hidden: []int{64}, Activation: "relu",
		Optimizer: "adam", LR: 0.003, Schedule: "cosine", WeightDecay: 0.003,
		Epochs: 100, Batch: 32, Scaling: datasets.Standard,
	}
	if d == nil {
		return s
	}
	if d.ImageShape != [2]int{} {
		s.Hidden, s.Scaling, s.LR, s.WeightDecay = []int{256, 128}, datasets.NoScaling, 0.001, 0
	} else if d.Len() > smallTable {
		s.Hidden, s.WeightDecay = []int{64, 64}, 0
	}
	switch n := d.Len(); {
	case n > 20_000:
		s.Epochs, s.Batch = 10, 128
	case n > smallTable:
		s.Epochs, s.Batch = 30, 64
	}
	return s
}

// ReadConfig reads a file as Config's JSON. A setting that does not exist, a
// value of another type and anything after the settings are errors, as is
// what Validate refuses. The checksum that the config.json of a run has must
// match; who writes or changes a file by hand leaves it out.
func ReadConfig(path string) (Config, error) {
	c, _, err := readConfig(path)
	return c, err
}

func readConfig(path string) (c Config, sealed bool, err error) {
	if sealed, err = sealedjson.Read(path, &c); err != nil {
		return Config{}, false, err
	}
	if err := c.Validate(); err != nil {
		return Config{}, false, fmt.Errorf("%s: %w", path, err)
	}
	return c, sealed, nil
}

// ErrDamaged is wrapped by the error for a file that is not what was written.
// Who changed a JSON file by hand takes the line with the checksum out of it.
var ErrDamaged = tensorfile.ErrDamaged

// Merge overwrites the settings that text names, as JSON or YAML with the names
// of Config's JSON. A name that does not exist or a value of another type is an
// error. A run's config.json names all settings.
func (c *Config) Merge(text []byte) error {
	settings, err := parseSettings(text)
	if err != nil {
		return err
	}
	data, err := json.Marshal(settings)
	if err != nil {
		return err
	}
	return sealedjson.Decode(data, c)
}

// parseSettings reads settings as a map. The checksum of a run's file is no
// setting.
func parseSettings(text []byte) (map[string]any, error) {
	var settings map[string]any
	if err := yaml.Unmarshal(text, &settings); err != nil {
		return nil, errors.New(strings.Join(strings.Fields(strings.TrimPrefix(err.Error(), "yaml: ")), " "))
	}
	delete(settings, "checksum")
	return settings, nil
}

// differences describes the settings in which now differs from those of a run.
func differences(before, now Config) ([]string, error) {
	a, err := settings(before)
	if err != nil {
		return nil, err
	}
	b, err := settings(now)
	if err != nil {
		return nil, err
	}
	for name := range b {
		if _, ok := a[name]; !ok {
			a[name] = nil
		}
	}
	var list []string
	for _, name := range slices.Sorted(maps.Keys(a)) {
		if !bytes.Equal(a[name], b[name]) {
			list = append(list, fmt.Sprintf("%s is %s, the run has %s", name, orUnset(b[name]), orUnset(a[name])))
		}
	}
	return list, nil
}

// differencesButEpochs leaves out the one setting that a resumed run may have
// otherwise.
func differencesButEpochs(before, now Config) ([]string, error) {
	before.Epochs = now.Epochs
	return differences(before, now)
}

func settings(c Config) (map[string]json.RawMessage, error) {
	data, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	var byName map[string]json.RawMessage
	return byName, json.Unmarshal(data, &byName)
}

func orUnset(value json.RawMessage) string {
	if value == nil {
		return "unset"
	}
	return string(value)
}
