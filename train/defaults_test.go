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
