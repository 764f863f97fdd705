package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/train"
	"github.com/affine-go/affine/train/optim"
)

// The settings of a run as flags. Those that are nil were not given: the
// dataset's own defaults stand for them.

type dataFlags struct {
	Dataset     *string  `group:"data" placeholder:"SOURCE" help:"A built-in dataset, csv:FILE, npz:FILE or idx:DIR (default: ${default_dataset})."`
	N           *int     `group:"data" name:"n" placeholder:"ROWS" help:"Rows of a generated dataset."`
	Noise       *float64 `group:"data" placeholder:"X" help:"Noise of a generated dataset."`
	Target      *string  `group:"data" placeholder:"COLUMN" help:"Target column of a CSV file, name or number (default: the last)."`
	Task        *string  `group:"data" placeholder:"NAME" help:"What the targets of a file are: auto, classification or regression."`
	columnFlags `embed:"" group:"data"`

	Validation *float64 `group:"data" placeholder:"FRACTION" help:"Part of the rows for validation (default: ${default_validation})."`
	Test       *float64 `group:"data" placeholder:"FRACTION" help:"Part of the rows for the test (default: ${default_test})."`
	Scaling    *string  `group:"data" placeholder:"NAME" help:"Of the features: none, standard or min-max."`
	Seed       *uint64  `group:"data" placeholder:"N" help:"Seed of rows, split, weights and shuffling (default: ${default_seed})."`
}

type modelFlags struct {
	From            *string  `group:"model" placeholder:"RUN" help:"Run directory or model file whose weights and scaling to start from."`
	Hidden          *string  `group:"model" placeholder:"64,64" help:"Widths of the hidden layers, or none."`
	Activation      *string  `group:"model" placeholder:"NAME" help:"${activations}."`
	Dropout         *float64 `group:"model" placeholder:"P" help:"Probability that an output of a hidden layer is zeroed in a training step."`
	Init            *string  `group:"model" placeholder:"NAME" help:"Of the weights: ${initializers}."`
	BiasInit        *string  `group:"model" placeholder:"NAME" help:"Of the biases: the same names."`
	Dtype           *string  `group:"model" placeholder:"NAME" help:"float32 or float64."`
	Device          *string  `group:"model" placeholder:"NAME" help:"auto, cpu, cuda or cuda:N."`
	MatmulPrecision *string  `group:"model" placeholder:"NAME" help:"Of large float32 products on a CUDA card: highest, high (TF32) or medium (bfloat16)."`
	Machine         *string  `group:"model" placeholder:"NAME" help:"What runs the graph: ours, or tape for Gorgonia's TapeMachine."`
}

type trainingFlags struct {
	Optimizer    *string  `group:"training" placeholder:"NAME" help:"${optimizers}."`
	LR           *float64 `group:"training" name:"lr" placeholder:"X" help:"Highest learning rate."`
	Momentum     *float64 `group:"training" placeholder:"X" help:"Of sgd and rmsprop."`
	Nesterov     *bool    `group:"training" help:"Nesterov's momentum for sgd."`
	AMSGrad      *bool    `group:"training" name:"amsgrad" help:"Adam and adamw divide by the root of the largest second moment."`
	WeightDecay  *float64 `group:"training" placeholder:"X" help:"Weight decay."`
	Schedule     *string  `group:"training" placeholder:"NAME" help:"Of the learning rate: ${schedules}."`
	Warmup       *float64 `group:"training" placeholder:"EPOCHS" help:"Epochs in which the rate rises to the schedule's start."`
	ClipNorm     *float64 `group:"training" placeholder:"X" help:"Limit of the norm of all gradients together."`
	ClipValue    *float64 `group:"training" placeholder:"X" help:"Limit of each element of a gradient."`
	Epochs       *int     `group:"training" placeholder:"N" help:"Times that every row is trained on."`
	Batch        *int     `group:"training" placeholder:"ROWS" help:"Rows of a step."`
	Microbatches *int     `group:"training" placeholder:"N" help:"Parts, a power of two, that a batch is cut into; under mpirun the ranks share them (default: 1)."`
	Patience     *int     `group:"training" placeholder:"EPOCHS" help:"Stop early after so many epochs that were not better (default: never)."`
	MinDelta     *float64 `group:"training" placeholder:"X" help:"How much better counts as better."`
	ClassWeights *string  `group:"training" placeholder:"balanced|a=1,b=5" help:"Weights of the classes in the loss."`
	Monitor      *string  `group:"training" placeholder:"NAME" help:"What better means: ${monitors}."`
}

// set overwrites a setting with a flag that was given.
func set[T any](setting *T, flag *T) {
	if flag != nil {
		*setting = *flag
	}
}

// config returns the settings of the run: those of the run to resume, or the
// dataset's defaults, with the flags that were given.
func (c *fitCommand) config() (train.Config, error) {
	if c.Resume {
		config, err := c.resumed()
		if err != nil {
			return config, fmt.Errorf("resume %s: %w", c.Out, err)
		}
		return config, c.apply(&config)
	}
	settings, err := c.readConfig()
	if err != nil {
		return train.Config{}, err
	}
	var named train.Config
	if err := named.Merge(settings); err != nil {
		return named, usagef("--config %s: %w", *c.Config, err)
	}
	source := cmp.Or(named.Dataset, datasets.DefaultName)
	set(&source, c.Dataset)
	d, err := c.open(source, &named)
	if err != nil {
		return train.Config{}, err
	}
	c.opened = d
	config := train.DefaultConfig(source, d)
	config.Seed = defaultSeed
	if c.From != nil {
		p, err := train.LoadPredictor(*c.From)
		if err != nil {
			return config, err
		}
		spec := p.Spec()
		config.From, config.Hidden, config.Activation, config.Dtype = *c.From, spec.Hidden, spec.Activation.String(), spec.Dtype.String()
	}
	if err := config.Merge(settings); err != nil {
		return config, usagef("--config %s: %w", *c.Config, err)
	}
	config.Dataset = source
	return config, c.apply(&config)
}

// resumed returns the settings of the run to resume, which rank 0 reads for all.
func (c *fitCommand) resumed() (train.Config, error) {
	text, err := c.terminal.job.FromFirst(func() ([]byte, error) {
		config, err := train.ReadRunConfig(c.Out)
		if err != nil {
			return nil, err
		}
		return json.Marshal(config)
	})
	var config train.Config
	if err == nil {
		err = config.Merge(text)
	}
	return config, err
}

// readConfig returns the text of --config, or nothing.
func (c *fitCommand) readConfig() ([]byte, error) {
	if c.Config == nil {
		return nil, nil
	}
	text, err := os.ReadFile(*c.Config)
	if err != nil {
		return nil, fmt.Errorf("--config: %w", err)
	}
	return text, nil
}

// open returns the dataset of a file, on which default settings depend, nil for
// a built-in one.
func (c *fitCommand) open(source string, named *train.Config) (*datasets.Dataset, error) {
	if _, err := datasets.Describe(source); err == nil {
		return nil, nil
	}
	opts := named.DataOptions()
	c.columnFlags.apply(&opts.CSV)
	set(&opts.Target, c.Target)
	if c.Task != nil {
		task, err := parseTask(*c.Task)
		if err != nil {
			return nil, err
		}
		opts.Task = task
	}
	return openWithProgress(c.terminal, source, opts)
}

// apply writes the flags that were given into a run's settings.
func (c *fitCommand) apply(config *train.Config) error {
	for _, name := range []struct {
		flag    string
		setting *string
		value   *string
		valid   []string
	}{
		{"--init", &config.Init, c.Init, train.InitNames()},
		{"--bias-init", &config.BiasInit, c.BiasInit, train.InitNames()},
		{"--dtype", &config.Dtype, c.Dtype, dtypeNames},
		{"--impl", &config.Impl, c.Impl, []string{train.Fused, train.Builtin}},
		{"--machine", &config.Machine, c.Machine, []string{train.OurMachine, train.TapeMachine}},
		{"--optimizer", &config.Optimizer, c.Optimizer, optim.Names()},
		{"--schedule", &config.Schedule, c.Schedule, optim.ScheduleNames()},
		{"--monitor", &config.Monitor, c.Monitor, train.Monitors()},
	} {
		if name.value != nil {
			if err := oneOf(name.flag, *name.value, name.valid); err != nil {
				return err
			}
			*name.setting = *name.value
		}
	}
	if err := checkRows(c.N); err != nil {
		return err
	}
	if c.Hidden != nil {
		widths, err := parseWidths(*c.Hidden)
		if err != nil {
			return err
		}
		config.Hidden = widths
	}
	if c.Activation != nil {
		a, err := parseActivation(*c.Activation)
		if err != nil {
			return err
		}
		config.Activation = a.String()
	}
	if c.Task != nil {
		task, err := parseTask(*c.Task)
		if err != nil {
			return err
		}
		config.Task = task
	}
	if c.Scaling != nil {
		scalings := []string{string(datasets.NoScaling), string(datasets.Standard), string(datasets.MinMax)}
		if err := oneOf("--scaling", *c.Scaling, scalings); err != nil {
			return err
		}
		config.Scaling = datasets.Scaling(*c.Scaling)
	}
	if c.Device != nil {
		if err := checkDeviceName(*c.Device); err != nil {
			return err
		}
		config.Device = *c.Device
	}
	if c.MatmulPrecision != nil {
		if err := oneOf("--matmul-precision", *c.MatmulPrecision, train.MatmulPrecisions()); err != nil {
			return err
		}
		config.MatmulPrecision = *c.MatmulPrecision
	}
	set(&config.Dataset, c.Dataset)
	set(&config.Rows, c.N)
	if c.Noise != nil {
		config.Noise = c.Noise
	}
	set(&config.Target, c.Target)
	c.columnFlags.apply(&config.CSV)
	set(&config.Fractions.Validation, c.Validation)
	set(&config.Fractions.Test, c.Test)
	set(&config.Seed, c.Seed)
	set(&config.Dropout, c.Dropout)
	set(&config.LR, c.LR)
	set(&config.Momentum, c.Momentum)
	set(&config.Nesterov, c.Nesterov)
	set(&config.AMSGrad, c.AMSGrad)
	set(&config.WeightDecay, c.WeightDecay)
	set(&config.WarmupEpochs, c.Warmup)
	set(&config.ClipNorm, c.ClipNorm)
	set(&config.ClipValue, c.ClipValue)
	set(&config.Epochs, c.Epochs)
	set(&config.Batch, c.Batch)
	if n := c.Microbatches; n != nil && *n != max(config.Microbatches, 1) {
		if *n < 1 {
			return usagef("--microbatches %d: want a power of two", *n)
		}
		config.Microbatches = *n
	}
	set(&config.Patience, c.Patience)
	set(&config.MinDelta, c.MinDelta)
	set(&config.ClassWeights, c.ClassWeights)
	if config.Fractions.Validation == 0 && c.Monitor == nil {
		config.Monitor = train.MonitorTrainLoss // there is nothing else to go by
	}
	if err := config.Validate(); err != nil {
		return &usageError{err}
	}
	return nil
}
