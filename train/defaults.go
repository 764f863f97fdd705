package train

import (
	"slices"

	"github.com/affine-go/affine/datasets"
)

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
