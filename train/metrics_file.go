package train

import (
	"runtime"
	"runtime/debug"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/internal/sealedjson"
	"github.com/affine-go/affine/layer/device"
)

// Why a training ended.
const (
	ReasonCompleted     = "completed"             // all epochs are done
	ReasonEarlyStopping = "early stopping"        // patience ran out
	ReasonNotFinite     = "not finite"            // a loss or weights became infinite or NaN
	ReasonDiverged      = "diverged"              // a loss was finite, but none any more: see LargestLoss
	ReasonInterrupted   = "interrupted"           // the context was cancelled
	ReasonCallback      = "stopped by a callback" // Progress.Stop was called
)

// Metrics sums a run up. Its JSON is the run directory's metrics.json. Losses
// and scores are those of the best epoch's weights; they are nil for a part
// without rows and if they are not finite.
type Metrics struct {
	Dataset string        `json:"dataset"`
	Task    datasets.Task `json:"task"`
	Impl    string        `json:"impl"`
	Machine string        `json:"machine"`
	Device  string        `json:"device"`
	Dtype   string        `json:"dtype"`
	Seed    uint64        `json:"seed"`

	Epochs     int `json:"epochs"` // finished
	BestEpoch  int `json:"best_epoch"`
	Steps      int `json:"steps"`
	Parameters int `json:"parameters"`

	Layers []Layer `json:"layers,omitempty"` // of the model

	TrainLoss     *float64 `json:"train_loss"`
	ValLoss       *float64 `json:"val_loss"`
	TestLoss      *float64 `json:"test_loss"`
	TrainAccuracy *float64 `json:"train_accuracy,omitempty"`
	ValAccuracy   *float64 `json:"val_accuracy,omitempty"`
	TestAccuracy  *float64 `json:"test_accuracy,omitempty"`
	TrainR2       *float64 `json:"train_r2,omitempty"`
	ValR2         *float64 `json:"val_r2,omitempty"`
	TestR2        *float64 `json:"test_r2,omitempty"`
	TestRMSE      *float64 `json:"test_rmse,omitempty"` // on the scale of the targets
	TestMAE       *float64 `json:"test_mae,omitempty"`
	// The fields of ClassScores, for classification.
	TestBalancedAccuracy *float64 `json:"test_balanced_accuracy,omitempty"`
	TestF1               *float64 `json:"test_f1,omitempty"`
	TestROCAUC           *float64 `json:"test_roc_auc,omitempty"`
	TestLogLoss          *float64 `json:"test_log_loss,omitempty"`
	TestCalibrationError *float64 `json:"test_calibration_error,omitempty"`
	TestMajority         *float64 `json:"test_majority,omitempty"`
	// TestConfusion has a row for each actual class.
	TestConfusion Confusion `json:"test_confusion,omitempty"`

	StepMicroseconds float64 `json:"step_us_median"` // of the last 4,096 steps of the last session
	WallSeconds      float64 `json:"wall_s"`         // of training, over all sessions
	StoppingReason   string  `json:"stopping_reason"`
	StoppingDetail   string  `json:"stopping_detail"`

	Environment *Environment `json:"environment,omitempty"` // of the last session
}

// metrics evaluates the predictor on all parts.
func (t *Trainer) metrics(parts datasets.Parts) (*Metrics, error) {
	spec, p := t.model.spec, &t.progress
	environment := CurrentEnvironment(spec.Device)
	m := &Metrics{
		Dataset: t.config.Dataset, Task: spec.Task, Impl: spec.Impl, Machine: spec.Machine, Device: spec.Device.Name(),
		Dtype: spec.Dtype.String(), Seed: t.config.Seed, Epochs: len(t.history.Epochs), BestEpoch: p.BestEpoch,
		Steps: p.Step, Parameters: t.model.Parameters(), Layers: t.model.Layers(), StepMicroseconds: t.times.Median(), WallSeconds: t.clock.seconds(),
		StoppingReason: p.StoppingReason, StoppingDetail: p.Detail, Environment: &environment,
	}
	for _, part := range []struct {
		rows               *datasets.Dataset
		loss, accuracy, r2 **float64
	}{
		{parts.Train, &m.TrainLoss, &m.TrainAccuracy, &m.TrainR2},
		{parts.Validation, &m.ValLoss, &m.ValAccuracy, &m.ValR2},
		{parts.Test, &m.TestLoss, &m.TestAccuracy, &m.TestR2},
	} {
		if part.rows == nil || part.rows.Len() == 0 {
			continue
		}
		e, err := t.predictor.evaluateBy(t.forward, part.rows)
		if err != nil {
			return nil, err
		}
		*part.loss = known(e.Loss)
		if spec.Task == datasets.Classification {
			*part.accuracy = known(e.Accuracy)
		} else {
			*part.r2 = known(e.R2)
		}
		if part.rows == parts.Test {
			m.TestConfusion = e.Confusion
			if spec.Task == datasets.Regression {
				m.TestRMSE, m.TestMAE = known(e.RMSE), known(e.MAE)
			} else {
				m.TestBalancedAccuracy, m.TestF1, m.TestROCAUC = known(e.Scores.BalancedAccuracy), known(e.Scores.F1), known(e.Scores.ROCAUC)
				m.TestLogLoss, m.TestCalibrationError, m.TestMajority = known(e.Scores.LogLoss), known(e.Scores.CalibrationError), known(e.Scores.Majority)
			}
		}
	}
	return m, nil
}

func known(x float64) *float64 {
	if !finite(x) {
		return nil
	}
	return &x
}

// Environment is where a training ran: what its times and its last digits
// depend on besides the settings.
type Environment struct {
	OS      string `json:"os"`
	Arch    string `json:"arch"`
	Go      string `json:"go"`
	CPUs    int    `json:"cpus"`    // logical processors
	Threads int    `json:"threads"` // GOMAXPROCS
	Device  string `json:"device"`  // as it describes itself
	// Modules holds the versions of the modules that compute, by their paths;
	// it is empty in a program that was built without them.
	Modules map[string]string `json:"modules,omitempty"`
}

// computing are the modules whose versions change results or times.
var computing = map[string]bool{
	"github.com/affine-go/affine": true, "gorgonia.org/gorgonia": true, "gorgonia.org/tensor": true,
	"gorgonia.org/cu": true, "gonum.org/v1/gonum": true,
}

// CurrentEnvironment describes this process and a device that it computes on.
func CurrentEnvironment(d device.Device) Environment {
	e := Environment{
		OS: runtime.GOOS, Arch: runtime.GOARCH, Go: runtime.Version(), CPUs: runtime.NumCPU(), Threads: runtime.GOMAXPROCS(0),
		Device: d.Description(), Modules: map[string]string{},
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range append(info.Deps, &info.Main) {
			if computing[m.Path] {
				e.Modules[m.Path] = m.Version
			}
		}
	}
	return e
}

// ReadMetrics reads a metrics.json, as [ReadConfig] does a config.json.
func ReadMetrics(path string) (*Metrics, error) {
	m := new(Metrics)
	if _, err := sealedjson.Read(path, m); err != nil {
		return nil, err
	}
	return m, nil
}
