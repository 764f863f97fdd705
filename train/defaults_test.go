package train_test

import (
	"testing"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/internal/nettest"
	"github.com/affine-go/affine/train"
)

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
			c := train.DefaultConfig(name, info.Defaults)
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
