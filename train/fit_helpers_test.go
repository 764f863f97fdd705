package train_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/internal/nettest"
	"github.com/affine-go/affine/layer/device"
	"github.com/affine-go/affine/train"
)

// smallConfig returns the settings of a training of milliseconds: 65 rows of a
// built-in dataset, 39 of them to train on, in batches of 16 of which the last
// has 7 rows.
func smallConfig(t testing.TB, dataset string) train.Config {
	t.Helper()
	c := train.DefaultConfig(dataset, nil)
	c.Device = "cpu"
	c.Rows, c.Batch, c.Epochs, c.Seed = 65, 16, 4, 7
	c.Hidden = []int{8, 5}
	return c
}

// fit trains and closes the run at the end of the test.
func fit(t testing.TB, c train.Config, opts ...train.FitOption) *train.Run {
	t.Helper()
	r, err := train.Fit(context.Background(), c, opts...)
	nettest.Must(t, err)
	t.Cleanup(func() { r.Close() })
	return r
}

// newTrainer returns a trainer on the parts that the settings load.
func newTrainer(t testing.TB, c train.Config) *train.Trainer {
	t.Helper()
	parts, err := c.Load()
	nettest.Must(t, err)
	tr, err := train.NewTrainer(c, parts)
	nettest.Must(t, err)
	return tr
}

// losses trains for a number of steps and returns the loss of each.
func losses(t testing.TB, tr *train.Trainer, steps int) []float64 {
	t.Helper()
	out := make([]float64, steps)
	for i := range out {
		var err error
		out[i], err = tr.Step()
		nettest.Must(t, err)
	}
	return out
}

// content returns the bytes of a file in a run directory.
func content(t testing.TB, dir, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, file))
	nettest.Must(t, err)
	return data
}

// rowsOf returns the features of a dataset row by row.
func rowsOf(d *datasets.Dataset) [][]float64 {
	rows := make([][]float64, d.Len())
	for i := range rows {
		rows[i] = slices.Clone(d.Row(i))
	}
	return rows
}

// columnOf is one column of numbers.
func columnOf(x []float64) device.Matrix[float64] { return device.MatrixOf(x, len(x), 1) }

// wantError checks that err says all of the words, in one line.
func wantError(t testing.TB, what string, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error, want one that says %q", what, words)
		return
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%s: error %q does not say %q", what, err, w)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("%s: error has more than one line: %q", what, err)
	}
}
