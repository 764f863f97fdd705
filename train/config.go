package train

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/layer"
	"github.com/affine-go/affine/layer/device"
	"github.com/affine-go/affine/train/optim"
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
	Init       string `json:"init"`       // of the weights, one of InitNames
	BiasInit   string `json:"bias_init"`  // of the biases, one of InitNames

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

	Epochs int    `json:"epochs"`
	Batch  int    `json:"batch"`
	Seed   uint64 `json:"seed"` // of rows, split, weights and shuffling

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
	case c.Epochs < 1:
		return fmt.Errorf("epochs is %d, want at least 1", c.Epochs)
	case c.Batch < 1:
		return fmt.Errorf("batch is %d, want at least 1", c.Batch)
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
		Seed: c.Seed, Dtype: tensor.Float32, Impl: c.Impl, Machine: c.Machine,
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
