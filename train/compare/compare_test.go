package compare

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/affine-go/affine/train"
	"github.com/affine-go/affine/train/optim"
)

func config(t *testing.T, dataset string) train.Config {
	t.Helper()
	c := train.DefaultConfig(dataset, nil)
	c.Device = "cpu"
	return c
}

func TestBothImplementationsTrainTheSameModel(t *testing.T) {
	for _, machine := range []string{train.OurMachine, train.TapeMachine} {
		c := config(t, "moons")
		c.Machine, c.Dtype, c.Epochs = machine, "float64", 1000
		r, err := Run(context.Background(), c, 200, nil)
		if err != nil {
			t.Fatal(err)
		}
		if r.Steps != 200 || r.MaxAbsWeightDiff > 1e-10 || r.MaxAbsLossDiff > 1e-10 {
			t.Errorf("%s: after %d steps weights differ by %g and losses by %g, want 200 steps and 1e-10", machine, r.Steps, r.MaxAbsWeightDiff, r.MaxAbsLossDiff)
		}
		if !(r.Fused.FinalLoss < r.Samples[0].Fused) {
			t.Errorf("%s: loss went from %g to %g, want less", machine, r.Samples[0].Fused, r.Fused.FinalLoss)
		}
		if r.Fused.Nodes >= r.Builtin.Nodes || r.Fused.TapeInstructions >= r.Builtin.TapeInstructions || r.Fused.AllocsPerStep >= r.Builtin.AllocsPerStep {
			t.Errorf("%s: fused %+v, built-in %+v, want fewer nodes, instructions and allocations", machine, r.Fused, r.Builtin)
		}
		if *r.Fused.TestScore != *r.Builtin.TestScore {
			t.Errorf("%s: accuracies are %v and %v, want the same", machine, *r.Fused.TestScore, *r.Builtin.TestScore)
		}
	}
}

func TestRegressionIsScoredByR2(t *testing.T) {
	c := config(t, "sine")
	c.Epochs = 3
	r, err := Run(context.Background(), c, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.Metric != "r2" || r.Fused.TestScore == nil {
		t.Errorf("metric is %q with score %v, want r2 with a score", r.Metric, r.Fused.TestScore)
	}
}

func TestResultHasTheFieldsOfTheContract(t *testing.T) {
	c := config(t, "xor")
	calls := 0
	r, err := Run(context.Background(), c, 3, func(step, steps int, _, _ float64) {
		if calls++; step != calls || steps != 3 {
			t.Errorf("call %d told of step %d of %d", calls, step, steps)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var decoded map[string]any
	if err := json.Unmarshal(encoded, &decoded); err != nil {
		t.Fatal(err)
	}
	for _, field := range []string{"max_abs_loss_diff", "max_abs_weight_diff", "speedup", "fused", "builtin", "verdict"} {
		if _, ok := decoded[field]; !ok {
			t.Errorf("lacks %q: %s", field, encoded)
		}
	}
	for _, side := range []string{"fused", "builtin"} {
		for _, field := range []string{"step_us_median", "allocs_per_step", "nodes"} {
			if v, ok := decoded[side].(map[string]any)[field].(float64); !ok || !(v >= 0) {
				t.Errorf("%s lacks %q: %s", side, field, encoded)
			}
		}
	}
}

func TestVerdictTellsRoundingFromADifferentTraining(t *testing.T) {
	r := &Result{Dtype: "float32", Steps: 10, Speedup: 4, Fused: Side{Losses: []float64{0.7}}, MaxAbsLossDiff: 1e-6}
	if v := verdict(r); !strings.HasPrefix(v, "the same training up to rounding") || !strings.Contains(v, "4 times as long with the built-in ops") {
		t.Errorf("verdict is %q", v)
	}
	r.Dtype, r.Speedup = "float64", 0.5
	if v := verdict(r); !strings.HasPrefix(v, "NOT the same training") || !strings.Contains(v, "2 times as long with the fused op") {
		t.Errorf("verdict is %q", v)
	}
}

func TestChosenStepsAreFirstToLast(t *testing.T) {
	for _, steps := range []int{1, 2, 7, 1000} {
		list := chosen(steps)
		if list[0] != 0 || list[len(list)-1] != steps-1 {
			t.Errorf("of %d steps %v were chosen, want the first and the last", steps, list)
		}
	}
}

func TestADivergingTrainingIsAnError(t *testing.T) {
	c := config(t, "linear")
	c.Optimizer, c.LR, c.Epochs = "sgd", 1e30, 20
	if _, err := Run(context.Background(), c, 0, nil); !errors.Is(err, optim.ErrNotFinite) {
		t.Errorf("error is %v, want one that says that the loss is not finite", err)
	}
}

func TestCancellationEndsTheComparison(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Run(ctx, config(t, "moons"), 0, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, want the context's", err)
	}
}
