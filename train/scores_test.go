package train_test

import (
	"math"
	"testing"

	"github.com/affine-go/affine/internal/nettest"
	"github.com/affine-go/affine/layer/device"
	"github.com/affine-go/affine/train"
)

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
