package train_test

import (
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/internal/nettest"
	"github.com/affine-go/affine/layer/device"
	"github.com/affine-go/affine/train"
	"pgregory.net/rapid"
)

func column(x ...float64) device.Matrix[float64] { return device.MatrixOf(x, len(x), 1) }

func TestArgmax(t *testing.T) {
	nan := math.NaN()
	// Rows of three in a matrix with a gap between them.
	m := device.Matrix[float64]{Rows: 6, Cols: 3, Stride: 4, Data: []float64{
		1, 2, 3, 9,
		3, 2, 1, 9,
		2, 2, 1, 9,
		nan, -5, -6, 9,
		-5, nan, -4, 9,
		nan, nan, nan,
	}}
	if got, want := train.Argmax(m), []int{2, 0, 0, 1, 2, 0}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestAccuracy(t *testing.T) {
	for _, c := range []struct {
		predicted, actual []int
		want              float64
	}{
		{[]int{1}, []int{1}, 1},
		{[]int{0}, []int{1}, 0},
		{[]int{0, 1, 2, 3}, []int{0, 1, 0, 0}, 0.5},
	} {
		got, err := train.Accuracy(c.predicted, c.actual)
		nettest.Must(t, err)
		if got != c.want {
			t.Errorf("accuracy of %v for %v is %v, want %v", c.predicted, c.actual, got, c.want)
		}
	}
	_, err := train.Accuracy([]int{1}, []int{1, 2})
	nettest.Fails(t, err, "1 predictions", "2 rows")
	_, err = train.Accuracy(nil, nil)
	nettest.Fails(t, err, "no rows")
}

func TestConfusion(t *testing.T) {
	c, err := train.NewConfusion([]int{0, 1, 1, 1, 0}, []int{0, 0, 1, 1, 1}, 3)
	nettest.Must(t, err)
	want := train.Confusion{{1, 1, 0}, {1, 2, 0}, {0, 0, 0}}
	for a := range want {
		if !slices.Equal(c[a], want[a]) {
			t.Errorf("row %d is %v, want %v", a, c[a], want[a])
		}
	}
	if got := c.Accuracy(); got != 0.6 {
		t.Errorf("accuracy is %v, want 0.6", got)
	}
	if r := c.Recall(); r[0] != 0.5 || r[1] != 2.0/3 || !math.IsNaN(r[2]) {
		t.Errorf("recall is %v, want 1/2, 2/3 and NaN", r)
	}
	if p := c.Precision(); p[0] != 0.5 || p[1] != 2.0/3 || !math.IsNaN(p[2]) {
		t.Errorf("precision is %v, want 1/2, 2/3 and NaN", p)
	}
	if got, want := c.String(), "actual      0      1      2\n     0      1      1      0\n     1      1      2      0\n     2      0      0      0"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for _, bad := range [][2]int{{3, 0}, {0, 3}, {-1, 0}, {0, -1}} {
		_, err := train.NewConfusion(bad[:1], bad[1:], 3)
		nettest.Fails(t, err, "row 0", "[0, 3)")
	}
	_, err = train.NewConfusion([]int{0}, nil, 3)
	nettest.Fails(t, err, "1 predictions", "0 rows")
	_, err = train.NewConfusion([]int{0}, []int{0}, -1)
	nettest.Fails(t, err, "row 0")
}

func TestConfusionCountsEveryRowOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		const classes = 4
		n := rapid.IntRange(1, 30).Draw(rt, "rows")
		class := rapid.SliceOfN(rapid.IntRange(0, classes-1), n, n)
		predicted, actual := class.Draw(rt, "predicted"), class.Draw(rt, "actual")
		c, err := train.NewConfusion(predicted, actual, classes)
		nettest.Must(rt, err)
		sum := 0
		for _, row := range c {
			for _, count := range row {
				sum += count
			}
		}
		accuracy, err := train.Accuracy(predicted, actual)
		nettest.Must(rt, err)
		if sum != n || c.Accuracy() != accuracy {
			rt.Fatalf("%v counts %d of %d rows, accuracy %v, want %v", c, sum, n, c.Accuracy(), accuracy)
		}
	})
}

func TestR2(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		name              string
		predicted, target device.Matrix[float64]
		want              float64
	}{
		{"perfect", column(1, 2, 3), column(1, 2, 3), 1},
		{"the mean", column(2, 2, 2), column(1, 2, 3), 0},
		{"worse than the mean", column(3, 2, 1), column(1, 2, 3), -3},
		// scikit-learn's documentation of r2_score
		{"example", column(2.5, 0, 2, 8), column(3, -0.5, 2, 7), 0.9486081370449679},
		{"two columns", device.MatrixOf([]float64{1, 2, 2, 2, 3, 2}, 3, 2), device.MatrixOf([]float64{1, 1, 2, 2, 3, 3}, 3, 2), 0.5},
		{"constant target, exact", column(5, 5), column(5, 5), 1},
		{"constant target, not exact", column(5, 5.1), column(5, 5), 0},
		{"constant target that rounds", column(0.1, 0.1, 0.1), column(0.1, 0.1, 0.1), 1},
		{"one row, exact", column(1), column(1), 1},
		{"one row, not exact", column(2), column(1), 0},
		{"NaN", column(nan, 1), column(1, 2), nan},
		{"NaN for a constant target", column(nan, 1), column(1, 1), nan},
		{"far from zero", column(1e9+1, 1e9+2, 1e9+3), column(1e9+1, 1e9+2, 1e9+4), 1 - 1/(14.0/3)},
	} {
		got, err := train.R2(c.predicted, c.target)
		nettest.Must(t, err)
		if math.Abs(got-c.want) > 1e-9 || math.IsNaN(got) != math.IsNaN(c.want) {
			t.Errorf("%s: R² is %v, want %v", c.name, got, c.want)
		}
	}
}

func TestMAE(t *testing.T) {
	got, err := train.MAE(device.MatrixOf([]float32{1, 2, 3, 4}, 2, 2), device.MatrixOf([]float32{1, 0, 4, 4}, 2, 2))
	nettest.Must(t, err)
	if got != 0.75 {
		t.Errorf("mean absolute error is %v, want 0.75", got)
	}
}

func TestRegressionMetricsWantEqualShapes(t *testing.T) {
	for _, c := range []struct {
		predicted, target device.Matrix[float64]
		says              []string
	}{
		{column(1, 2), column(1), []string{"(2, 1)", "(1, 1)"}},
		{column(1, 2), device.MatrixOf([]float64{1, 2}, 1, 2), []string{"(2, 1)", "(1, 2)"}},
		{column(), column(), []string{"at least one row"}},
		{column(1, 2), device.MatrixOf([]float64{1}, 2, 1), []string{"(2, 1)", "1 elements"}},
	} {
		_, err := train.R2(c.predicted, c.target)
		nettest.Fails(t, err, c.says...)
		_, err = train.MAE(c.predicted, c.target)
		nettest.Fails(t, err, c.says...)
	}
}

// What scikit-learn 1.9.1 computes (balanced_accuracy_score, f1_score and
// roc_auc_score with average "macro", log_loss); the calibration error is numpy's.
func TestClassScoresAreScikitLearns(t *testing.T) {
	for name, c := range map[string]struct {
		p      [][]float64
		actual []int
		want   train.ClassScores
	}{
		"two classes": {
			[][]float64{{0.9, 0.1}, {0.6, 0.4}, {0.3, 0.7}, {0.8, 0.2}, {0.6, 0.4}, {0.45, 0.55}},
			[]int{0, 0, 0, 0, 1, 1},
			train.ClassScores{BalancedAccuracy: 0.625, F1: 0.625, ROCAUC: 0.6875, LogLoss: 0.5929050379489564, CalibrationError: 0.275, Majority: 4. / 6},
		},
		"three classes": {
			[][]float64{{0.7, 0.2, 0.1}, {0.1, 0.8, 0.1}, {0.2, 0.3, 0.5}, {0.6, 0.3, 0.1}, {0.3, 0.4, 0.3}},
			[]int{0, 1, 2, 1, 2},
			train.ClassScores{BalancedAccuracy: 2. / 3, F1: 11. / 18, ROCAUC: 11. / 12, LogLoss: 0.7361822568929519, CalibrationError: 0.4, Majority: 0.4},
		},
	} {
		flat := []float64{}
		for _, row := range c.p {
			flat = append(flat, row...)
		}
		got, err := train.NewClassScores(device.MatrixOf(flat, len(c.p), len(c.p[0])), c.actual)
		nettest.Must(t, err)
		for _, v := range []struct {
			name      string
			got, want float64
		}{
			{"balanced accuracy", got.BalancedAccuracy, c.want.BalancedAccuracy}, {"F1", got.F1, c.want.F1},
			{"ROC AUC", got.ROCAUC, c.want.ROCAUC}, {"log loss", got.LogLoss, c.want.LogLoss},
			{"calibration error", got.CalibrationError, c.want.CalibrationError}, {"majority", got.Majority, c.want.Majority},
		} {
			if !(math.Abs(v.got-v.want) <= 1e-12) {
				t.Errorf("%s: %s is %v, want %v", name, v.name, v.got, v.want)
			}
		}
	}
}

func TestClassScoresOfOneClassAreDefinedWhereTheyCanBe(t *testing.T) {
	got, err := train.NewClassScores(device.MatrixOf([]float64{0.9, 0.1, 0.4, 0.6}, 2, 2), []int{0, 0})
	nettest.Must(t, err)
	if got.BalancedAccuracy != 0.5 || !math.IsNaN(got.ROCAUC) || got.Majority != 1 {
		t.Errorf("got %+v", got)
	}
	_, err = train.NewClassScores(device.MatrixOf([]float64{0.9, 0.1}, 1, 2), []int{2})
	nettest.Fails(t, err, "class scores", "class 2")
}

func TestRMSE(t *testing.T) {
	got, err := train.RMSE(device.MatrixOf([]float64{1, 2, 4}, 3, 1), device.MatrixOf([]float64{1, 4, 0}, 3, 1))
	nettest.Must(t, err)
	if want := math.Sqrt(20. / 3); math.Abs(got-want) > 1e-15 {
		t.Errorf("got %v, want %v", got, want)
	}
	_, err = train.RMSE(device.MatrixOf([]float64{1, 2}, 2, 1), device.MatrixOf([]float64{1}, 1, 1))
	nettest.Fails(t, err, "root mean squared error", "shape")
}

func TestHistorySurvivesCSV(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.csv")
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.OneOf(rapid.Float64(), rapid.Just(math.NaN()))
		h := train.History{Task: rapid.SampledFrom([]datasets.Task{datasets.Classification, datasets.Regression}).Draw(t, "task")}
		for i := range rapid.IntRange(0, 5).Draw(t, "epochs") {
			h.Epochs = append(h.Epochs, train.EpochRecord{
				Epoch: i + 1, Step: rapid.Int().Draw(t, "step"), LR: number.Draw(t, "lr"), TrainLoss: number.Draw(t, "train"),
				TrainMetric: number.Draw(t, "train metric"), ValLoss: number.Draw(t, "loss"), ValMetric: number.Draw(t, "metric"), Wall: float64(rapid.IntRange(0, 1e9).Draw(t, "wall")) / 1e6,
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
		{Epoch: 1, Step: 3, LR: 0.01, TrainLoss: 0.5, TrainMetric: 0.875, ValLoss: 0.25, ValMetric: 0.75, Wall: 0.0015},
		{Epoch: 2, Step: 6, LR: 0.005, TrainLoss: 0.4, TrainMetric: 0.9, ValLoss: math.NaN(), ValMetric: math.NaN(), Wall: 2},
	}}
	want := "epoch,step,lr,train_loss,train_r2,val_loss,val_r2,wall_s,checksum\n"
	for _, line := range []string{"1,3,0.01,0.5,0.875,0.25,0.75,0.001500,", "2,6,0.005,0.4,0.9,,,2.000000,"} {
		want += line
		want += fmt.Sprintf("%08x\n", crc32.Checksum([]byte(want), crc32.MakeTable(crc32.Castagnoli)))
	}
	if data := h.MarshalCSV(); string(data) != want {
		t.Errorf("history is\n%s\nwant\n%s", data, want)
	}
}

// TestHistoriesMayLackTheMetricOfTheTrainingRows, as those written by hand do.
func TestHistoriesMayLackTheMetricOfTheTrainingRows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.csv")
	nettest.Must(t, os.WriteFile(path, []byte("epoch,step,lr,train_loss,val_loss,val_accuracy,wall_s\n1,3,0.1,0.5,0.25,0.75,2\n"), 0o644))
	h, err := train.ReadHistory(path)
	nettest.Must(t, err)
	if r := h.Epochs[0]; !math.IsNaN(r.TrainMetric) || r.TrainLoss != 0.5 || r.ValLoss != 0.25 || r.ValMetric != 0.75 || r.Wall != 2 {
		t.Errorf("got %+v", r)
	}
}

// TestTheTrainingMetricIsThatOfTheTrainingRows: of all of them, or of 2,000.
func TestTheTrainingMetricIsThatOfTheTrainingRows(t *testing.T) {
	for _, dataset := range []string{"moons", "sine"} {
		for _, rows := range []int{400, 5000} {
			c := smallConfig(t, dataset)
			c.Rows, c.ClassWeights = rows, map[string]string{"moons": "balanced"}[dataset]
			c.Dropout = 0.1
			parts, err := c.Load()
			nettest.Must(t, err)
			var metrics []float64
			r := fit(t, c, train.WithParts(parts), train.WithCallbacks(train.Callback{Name: "measure", OnEpoch: func(p *train.Progress) error {
				predictor, err := p.Predictor()
				if err != nil {
					return err
				}
				d := parts.Train
				if n := d.Len(); n > 2000 {
					var some []int
					for i := range 2000 {
						some = append(some, i*n/2000)
					}
					d = d.Subset(some)
				}
				e, err := predictor.Evaluate(d)
				if err == nil && dataset == "moons" {
					metrics = append(metrics, e.Accuracy)
				} else if err == nil {
					metrics = append(metrics, e.R2)
				}
				return err
			}}))
			for i, e := range r.History.Epochs {
				if math.Abs(e.TrainMetric-metrics[i]) > 1e-9 {
					t.Errorf("%s, %d rows, epoch %d: metric is %v, want %v", dataset, rows, e.Epoch, e.TrainMetric, metrics[i])
				}
			}
		}
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

func TestMetricsTellWhereTheRunRan(t *testing.T) {
	dir := t.TempDir()
	fit(t, smallConfig(t, "moons"), train.InDirectory(dir))
	m, err := train.ReadMetrics(filepath.Join(dir, train.MetricsFile))
	nettest.Must(t, err)
	e := m.Environment
	if e == nil {
		t.Fatal("there is no environment")
	}
	if e.OS != runtime.GOOS || e.Arch != runtime.GOARCH || e.Go != runtime.Version() ||
		e.CPUs != runtime.NumCPU() || e.Threads != runtime.GOMAXPROCS(0) || !strings.Contains(e.Device, "kernels") {
		t.Errorf("environment is %+v", e)
	}
}
