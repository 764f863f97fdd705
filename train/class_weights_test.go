package train_test

import (
	"math"
	"testing"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/internal/nettest"
	"github.com/affine-go/affine/train"
)

// Weights that repeat rows make the training that repeated rows make: in one
// batch of all rows, the sums are the same.
func TestAWeightOfTwoIsARowTwice(t *testing.T) {
	c := smallConfig(t, "moons")
	c.Dtype, c.Optimizer, c.Schedule, c.LR, c.Epochs, c.Scaling = "float64", "sgd", "constant", 0.3, 5, datasets.NoScaling
	c.Fractions, c.Monitor, c.Patience = datasets.Fractions{}, train.MonitorTrainLoss, 0
	parts, err := c.Load()
	nettest.Must(t, err)
	d := parts.Train
	var rows []int
	for i, y := range d.Y {
		rows = append(rows, i)
		if y == 1 {
			rows = append(rows, i)
		}
	}
	weighted, repeated := c, c
	weighted.Batch, weighted.ClassWeights = d.Len(), d.Classes[1]+"=2"
	repeated.Batch = len(rows)
	// The mean is over rows: the learning rate makes up for their number.
	weighted.LR *= float64(d.Len()) / float64(len(rows))
	a, err := train.NewTrainer(weighted, parts)
	nettest.Must(t, err)
	b, err := train.NewTrainer(repeated, datasets.Parts{Train: d.Subset(rows)})
	nettest.Must(t, err)
	for _, tr := range []*train.Trainer{a, b} {
		for !tr.Finished() {
			_, err := tr.Step()
			nettest.Must(t, err)
			if tr.EpochDone() {
				nettest.Must(t, tr.FinishEpoch())
			}
		}
	}
	for name, w := range a.Model().Weights() {
		for i, v := range nettest.Numbers(w) {
			want := nettest.Numbers(b.Model().Weights()[name])[i]
			// The step is lr·(n_a/n_b)·(1/n_a)·Σ on one side, lr·(1/n_b)·Σ on the other.
			if !(math.Abs(v-want) <= 1e-12*max(1, math.Abs(want))) {
				t.Fatalf("%s[%d] is %v, with rows repeated %v", name, i, v, want)
			}
		}
	}
}

func TestClassWeightsThatCannotBe(t *testing.T) {
	c := smallConfig(t, "moons")
	parts, err := c.Load()
	nettest.Must(t, err)
	for text, words := range map[string][]string{
		"heavy":              {`"heavy"`, "balanced or CLASS=WEIGHT"},
		"nobody=2":           {`no class "nobody"`},
		"upper=-1":           {`"-1"`, "at least 0"},
		"upper=many":         {`"many"`},
		"upper=1,lower=+Inf": {"finite"},
		"balanced,upper=":    {`"balanced"`},
	} {
		c.ClassWeights = text
		_, err := train.NewTrainer(c, parts)
		nettest.Fails(t, err, append(words, "class weights: ")...)
	}
	c = smallConfig(t, "sine")
	c.ClassWeights = "balanced"
	parts, err = c.Load()
	nettest.Must(t, err)
	_, err = train.NewTrainer(c, parts)
	nettest.Fails(t, err, "class weights", "classification")
}

// Every monitor picks an epoch, and the one that it says is the best.
func TestEveryMonitorOfAClassification(t *testing.T) {
	for _, monitor := range train.Monitors() {
		for _, dataset := range []string{"moons", "sine"} {
			c := smallConfig(t, dataset)
			c.Monitor, c.Patience = monitor, 2
			parts, err := c.Load()
			nettest.Must(t, err)
			tr, err := train.NewTrainer(c, parts)
			if err != nil {
				nettest.Fails(t, err, monitor, "want one of")
				continue
			}
			for !tr.Finished() {
				_, err := tr.Step()
				nettest.Must(t, err)
				if tr.EpochDone() {
					nettest.Must(t, tr.FinishEpoch())
				}
			}
			if tr.Progress().BestEpoch < 1 {
				t.Errorf("%s, %s: no best epoch", dataset, monitor)
			}
		}
	}
}
