package datasets

import "slices"

// Defaults are settings to start training a multilayer perceptron from. The
// names are those of the trainer's activations, optimisers and schedules.
type Defaults struct {
	Hidden      []int   `json:"hidden"` // widths of the hidden layers, none for a linear model
	Activation  string  `json:"activation"`
	Optimizer   string  `json:"optimizer"`
	LR          float64 `json:"lr"`
	Schedule    string  `json:"schedule"` // constant, step, cosine or one-cycle
	WeightDecay float64 `json:"weight_decay"`
	Epochs      int     `json:"epochs"`
	Batch       int     `json:"batch"`
	Scaling     Scaling `json:"scaling"` // of the features
}

func (s Defaults) clone() Defaults {
	s.Hidden = slices.Clone(s.Hidden)
	return s
}

// defaultsFor returns settings for a dataset about which nothing is known but
// its shape: fewer epochs and larger batches the more rows there are.
func defaultsFor(d *Dataset) Defaults {
	s := Defaults{
		Hidden: []int{64, 64}, Activation: "relu",
		Optimizer: "adam", LR: 0.003, Schedule: "cosine",
		Epochs: 100, Batch: 32, Scaling: Standard,
	}
	if d.ImageShape != [2]int{} {
		s.Hidden, s.Scaling, s.LR = []int{256, 128}, NoScaling, 0.001
	}
	switch n := d.Len(); {
	case n > 20_000:
		s.Epochs, s.Batch = 10, 128
	case n > 2_000:
		s.Epochs, s.Batch = 30, 64
	}
	return s
}
