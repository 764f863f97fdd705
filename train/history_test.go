package train_test

import (
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/internal/nettest"
	"github.com/affine-go/affine/train"
	"pgregory.net/rapid"
)

func TestHistorySurvivesCSV(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.csv")
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.OneOf(rapid.Float64(), rapid.Just(math.NaN()))
		h := train.History{Task: rapid.SampledFrom([]datasets.Task{datasets.Classification, datasets.Regression}).Draw(t, "task")}
		for i := range rapid.IntRange(0, 5).Draw(t, "epochs") {
			h.Epochs = append(h.Epochs, train.EpochRecord{
				Epoch: i + 1, Step: rapid.Int().Draw(t, "step"), LR: number.Draw(t, "lr"), TrainLoss: number.Draw(t, "train"),
				ValLoss: number.Draw(t, "loss"), ValMetric: number.Draw(t, "metric"), Wall: float64(rapid.IntRange(0, 1e9).Draw(t, "wall")) / 1e6,
			})
		}
		nettest.Must(t, os.WriteFile(path, h.MarshalCSV(), 0o644))
		got, err := train.ReadHistory(path)
		nettest.Must(t, err)
		if got.Task != h.Task || fmt.Sprint(got.Epochs) != fmt.Sprint(h.Epochs) {
			t.Fatalf("read %v, want %v", got, h)
		}
	})
}

func TestHistoryHasOneLineForEachEpoch(t *testing.T) {
	h := train.History{Task: datasets.Regression, Epochs: []train.EpochRecord{
		{Epoch: 1, Step: 3, LR: 0.01, TrainLoss: 0.5, ValLoss: 0.25, ValMetric: 0.75, Wall: 0.0015},
		{Epoch: 2, Step: 6, LR: 0.005, TrainLoss: 0.4, ValLoss: math.NaN(), ValMetric: math.NaN(), Wall: 2},
	}}
	want := "epoch,step,lr,train_loss,val_loss,val_r2,wall_s,checksum\n"
	for _, line := range []string{"1,3,0.01,0.5,0.25,0.75,0.001500,", "2,6,0.005,0.4,,,2.000000,"} {
		want += line
		want += fmt.Sprintf("%08x\n", crc32.Checksum([]byte(want), crc32.MakeTable(crc32.Castagnoli)))
	}
	if data := h.MarshalCSV(); string(data) != want {
		t.Errorf("history is\n%s\nwant\n%s", data, want)
	}
}

func TestReadHistorySaysWhatIsWrong(t *testing.T) {
	const header = "epoch,step,lr,train_loss,val_loss,val_accuracy,wall_s\n"
	for what, c := range map[string]struct {
		text  string
		words []string
	}{
		"empty":       {"", []string{"empty"}},
		"no history":  {"a,b\n1,2\n", []string{"line 1", "a,b"}},
		"cells":       {header + "1,3,0.1,1,1,1\n", []string{"line 2", "fields"}},
		"epoch":       {header + "one,3,0.1,1,1,1,1\n", []string{"line 2", "column 1", `"one"`, "whole number"}},
		"number":      {header + "1,3,0.1,1,1,1,1\n2,6,0.1,x,1,1,1\n", []string{"line 3", "column 4", `"x"`}},
		"epochs jump": {header + "1,3,0.1,1,1,1,1\n3,6,0.1,1,1,1,1\n", []string{"line 3", "epoch is 3", "want 2"}},
		"no checksum": {strings.TrimSuffix(header, "\n") + ",checksum\n1\n", []string{"line 2", "1 of 8 fields"}},
		"checksum":    {strings.TrimSuffix(header, "\n") + ",checksum\n1,3,0.1,1,1,1,1,00000000\n", []string{"line 2", "damaged"}},
		"long line":   {header + strings.Repeat("1", 5000) + "\n", []string{"line 2", "4096 bytes"}},
		"cut":         {header + "1,3,0.1,1,1,1,1", []string{"line 2", "ends within"}},
		"quote":       {header + "\"1,3\n", []string{"line 2"}},
	} {
		path := filepath.Join(t.TempDir(), "history.csv")
		nettest.Must(t, os.WriteFile(path, []byte(c.text), 0o644))
		_, err := train.ReadHistory(path)
		wantError(t, what, err, append(slices.Clone(c.words), path)...)
	}
}

func TestHistoryOfARunIsOnDisk(t *testing.T) {
	for _, dataset := range []string{"moons", "sine"} {
		dir := t.TempDir()
		r := fit(t, smallConfig(t, dataset), train.InDirectory(dir))
		h, err := train.ReadHistory(filepath.Join(dir, train.HistoryFile))
		nettest.Must(t, err)
		if len(h.Epochs) != 4 || !sameButForTime(h, r.History) || h.MetricName() != r.History.MetricName() {
			t.Errorf("%s: on disk is %v, want %v", dataset, h, r.History)
		}
		if header := strings.SplitN(string(content(t, dir, train.HistoryFile)), "\n", 2)[0]; !strings.HasSuffix(header, "val_"+r.History.MetricName()+",wall_s,checksum") {
			t.Errorf("%s: columns are %s", dataset, header)
		}
	}
}
