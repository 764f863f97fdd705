package report

import (
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/affine-go/affine/internal/format"
	"github.com/affine-go/affine/train/compare"
)

func TestAComparisonTellsBothSides(t *testing.T) {
	c := compared(t, config(t, "moons", 60), 6)
	page, r := comparisonPage(t, c), c.Result
	wantText(t, "the page", page, "2-16-16-2 relu", "6 steps of 32 rows on each side", r.Verdict, "train compare --dataset moons",
		"speed-up "+format.Short(r.Speedup)+"×", "largest difference of a weight "+format.Number(r.MaxAbsWeightDiff), "time of a step (µs), log scale", "step", "a processor")
	for name, want := range map[string][]string{
		"median step":       {format.Microseconds(r.Fused.StepMicroseconds), format.Microseconds(r.Builtin.StepMicroseconds)},
		"graph nodes":       {format.Count(r.Fused.Nodes), format.Count(r.Builtin.Nodes)},
		"tape instructions": {format.Count(r.Fused.TapeInstructions), format.Count(r.Builtin.TapeInstructions)},
		"test accuracy":     {format.Score(r.Fused.TestScore), format.Score(r.Builtin.TestScore)},
	} {
		if got := row(t, page, name); got[0] != want[0] || got[1] != want[1] {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if strings.Contains(page, `class="outcome bad"`) {
		t.Error("trainings that agree stand out as bad")
	}
}

// Two trainings may agree in every bit, which has no logarithm, or differ.
func TestAComparisonOfAnyOutcomeIsShown(t *testing.T) {
	side := func(losses ...float64) compare.Side {
		return compare.Side{Losses: losses, StepSeconds: slices.Repeat([]float64{1e-5}, len(losses))}
	}
	same := &Comparison{Result: &compare.Result{Dataset: "moons", Metric: "accuracy", Steps: 3, Fused: side(0.7, 0.6, 0.5), Builtin: side(0.7, 0.6, 0.5), Verdict: "the same"}}
	page := comparisonPage(t, same)
	wantText(t, "the page", page, "difference of cross-entropy (nats)", "test accuracy – –")
	if bad := regexp.MustCompile(` (?:d|style)="[^"]*(?:NaN|Inf)[^"]*"`).FindString(page); bad != "" {
		t.Errorf("the page has coordinates that are not finite: %s", bad)
	}
	apart := &Comparison{Result: &compare.Result{Dataset: "sine", Metric: "r2", Steps: 1, Fused: side(0.7), Builtin: side(0.9), Verdict: "NOT the same training"}}
	page = comparisonPage(t, apart)
	wantText(t, "the page of one step", page, "mean squared error (target variances)", "test R²")
	if !strings.Contains(page, `class="outcome bad"`) {
		t.Error("trainings that differ do not stand out")
	}
}

func TestThinnedDifferencesKeepTheHighest(t *testing.T) {
	x, y := make([]float64, 1000), make([]float64, 1000)
	for i := range x {
		x[i], y[i] = float64(i), math.Mod(float64(i)*0.37, 1)
	}
	y[613] = 5
	someX, someY := highest(x, y, 100)
	if len(someX) > 100 || len(someX) != len(someY) {
		t.Fatalf("%d x and %d y are left, want at most 100 of each", len(someX), len(someY))
	}
	if i := slices.Index(someY, 5); i < 0 || someX[i] != 613 {
		t.Error("the highest difference is gone or has moved")
	}
	if a, b := highest(x[:3], y[:3], 100); !slices.Equal(a, x[:3]) || !slices.Equal(b, y[:3]) {
		t.Errorf("a few were changed to %v %v", a, b)
	}
}
