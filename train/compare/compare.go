// Package compare trains the same model twice, with the fused linear op and
// with Gorgonia's built-in ops, from the same weights on the same batches, and
// tells how far apart the two are and how long each takes. The two sides take
// turns step by step, so that a busy machine slows both alike.
package compare

import (
	"context"
	"fmt"
	"math"
	"runtime/metrics"
	"slices"
	"strings"
	"time"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/internal/format"
	"github.com/affine-go/affine/internal/timing"
	"github.com/affine-go/affine/train"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Side is what one of the two trainings came to.
type Side struct {
	StepMicroseconds float64 `json:"step_us_median"`
	AllocsPerStep    float64 `json:"allocs_per_step"` // median over the steps that were counted
	Nodes            int     `json:"nodes"`           // of the graph of a full batch
	TapeInstructions int     `json:"tape_instructions"`
	FinalLoss        float64 `json:"final_loss"` // of the last batch
	// TestScore is the accuracy or R² of the last weights on the test part.
	TestScore *float64 `json:"test_score"`

	StepSeconds []float64 `json:"-"` // of every step
	Losses      []float64 `json:"-"` // of every step's batch, before the step
}

// Result is the comparison. Its JSON is what `train compare --json` prints.
type Result struct {
	Dataset string `json:"dataset"`
	Model   string `json:"model"`
	Machine string `json:"machine"`
	Dtype   string `json:"dtype"`
	Seed    uint64 `json:"seed"`
	Metric  string `json:"metric"` // what TestScore is: "accuracy" or "r2"
	Steps   int    `json:"steps"`
	Batch   int    `json:"batch"`

	MaxAbsLossDiff   float64 `json:"max_abs_loss_diff"`   // over all steps
	MaxAbsWeightDiff float64 `json:"max_abs_weight_diff"` // over all weights, at the end
	Speedup          float64 `json:"speedup"`             // median step time, built-in over fused
	Fused            Side    `json:"fused"`
	Builtin          Side    `json:"builtin"`
	Verdict          string  `json:"verdict"`

	Samples []Sample `json:"samples"` // losses at chosen steps
}

// Sample is both losses at one step, counted from 1.
type Sample struct {
	Step    int     `json:"step"`
	Fused   float64 `json:"fused"`
	Builtin float64 `json:"builtin"`
	AbsDiff float64 `json:"abs_diff"`
}

// Progress is told of every step that both sides have taken.
type Progress func(step, steps int, fusedLoss, builtinLoss float64)

// side is a training under way.
type side struct {
	Side
	trainer *train.Trainer
	allocs  []float64
}

// Run trains both sides as c says, whose Impl is not looked at. maxSteps, if
// it is above 0, ends the comparison early. A loss that is not finite on
// either side is an error; on cancellation the context's error is returned.
func Run(ctx context.Context, c train.Config, maxSteps int, progress Progress) (*Result, error) {
	r, err := run(ctx, c, maxSteps, progress)
	if err != nil {
		return nil, fmt.Errorf("compare: %w", err)
	}
	return r, nil
}

func run(ctx context.Context, c train.Config, maxSteps int, progress Progress) (*Result, error) {
	parts, err := c.Load()
	if err != nil {
		return nil, err
	}
	fused, err := newSide(c, train.Fused, parts)
	if err != nil {
		return nil, err
	}
	builtin, err := newSide(c, train.Builtin, parts)
	if err != nil {
		return nil, err
	}
	steps := c.Epochs * fused.trainer.Progress().EpochSteps
	if maxSteps > 0 {
		steps = min(steps, maxSteps)
	}
	for step := range steps {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		// Whoever goes second finds the rows in the cache: take turns.
		order := []*side{fused, builtin}
		if step%2 == 1 {
			slices.Reverse(order)
		}
		for _, s := range order {
			if err := s.step(step%countEvery == countEvery-1 || step == steps-1); err != nil {
				return nil, fmt.Errorf("%s: %w", s.trainer.Model().Spec().Impl, err)
			}
		}
		if progress != nil {
			progress(step+1, steps, fused.Losses[step], builtin.Losses[step])
		}
	}
	return conclude(c, parts, steps, fused, builtin)
}

func newSide(c train.Config, impl string, parts datasets.Parts) (*side, error) {
	c.Impl = impl
	c.Patience = 0 // both sides take the same number of steps
	t, err := train.NewTrainer(c, parts)
	if err != nil {
		return nil, err
	}
	s := &side{trainer: t}
	g, err := t.Model().TrainingGraph(min(c.Batch, parts.Train.Len()))
	if err != nil {
		return nil, err
	}
	s.Nodes = len(g.AllNodes())
	program, _, err := gorgonia.Compile(g)
	if err != nil {
		return nil, err
	}
	s.TapeInstructions = instructions(program.String())
	return s, nil
}

// instructions counts those of a tape program by its printed form: Gorgonia
// tells it in no other way.
func instructions(program string) int {
	list, _, _ := strings.Cut(strings.TrimPrefix(program, "Instructions:\n"), "\nArgs:")
	return strings.Count(list, "\n")
}

// countEvery is how often allocations are counted: reading the counter takes
// time that should not stand between all steps.
const countEvery = 8

func (s *side) step(count bool) error {
	var before uint64
	if count {
		before = allocated()
	}
	start := time.Now()
	loss, err := s.trainer.Step()
	if err != nil {
		return err
	}
	s.StepSeconds = append(s.StepSeconds, time.Since(start).Seconds())
	if count {
		s.allocs = append(s.allocs, float64(allocated()-before))
	}
	s.Losses = append(s.Losses, loss)
	if s.trainer.EpochDone() {
		return s.trainer.FinishEpoch()
	}
	return nil
}

// allocated returns the number of heap objects allocated so far.
func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:objects"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

func conclude(c train.Config, parts datasets.Parts, steps int, fused, builtin *side) (*Result, error) {
	r := &Result{
		Dataset: c.Dataset, Model: fused.trainer.Model().String(), Machine: c.Machine, Dtype: c.Dtype, Seed: c.Seed,
		Metric: "accuracy", Steps: steps, Batch: c.Batch,
	}
	if parts.Train.Task == datasets.Regression {
		r.Metric = "r2"
	}
	for _, s := range []*side{fused, builtin} {
		s.StepMicroseconds = 1e6 * timing.Median(s.StepSeconds)
		s.AllocsPerStep = timing.Median(s.allocs)
		s.FinalLoss = s.Losses[steps-1]
		if err := s.score(parts.Test); err != nil {
			return nil, err
		}
	}
	r.Fused, r.Builtin = fused.Side, builtin.Side
	for i := range steps {
		r.MaxAbsLossDiff = max(r.MaxAbsLossDiff, math.Abs(fused.Losses[i]-builtin.Losses[i]))
	}
	for _, i := range chosen(steps) {
		f, b := fused.Losses[i], builtin.Losses[i]
		r.Samples = append(r.Samples, Sample{Step: i + 1, Fused: f, Builtin: b, AbsDiff: math.Abs(f - b)})
	}
	var err error
	if r.MaxAbsWeightDiff, err = weightDiff(fused.trainer.Model(), builtin.trainer.Model()); err != nil {
		return nil, err
	}
	r.Speedup = r.Builtin.StepMicroseconds / r.Fused.StepMicroseconds
	r.Verdict = verdict(r)
	return r, nil
}

func (s *side) score(test *datasets.Dataset) error {
	if test == nil || test.Len() == 0 {
		return nil
	}
	p, err := s.trainer.Predictor()
	if err != nil {
		return err
	}
	e, err := p.Evaluate(test)
	if err != nil {
		return err
	}
	score := e.Accuracy
	if test.Task == datasets.Regression {
		score = e.R2
	}
	s.TestScore = &score
	return nil
}

// weightDiff returns the largest difference of any weight.
func weightDiff(a, b *train.Model) (float64, error) {
	largest := 0.0
	other := b.Weights()
	for name, w := range a.Weights() {
		v := other[name]
		if v == nil || !w.Shape().Eq(v.Shape()) {
			return 0, fmt.Errorf("weight %q is not in both models with the same shape", name)
		}
		largest = max(largest, tensorDiff(w, v))
	}
	return largest, nil
}

func tensorDiff(a, b *tensor.Dense) float64 {
	largest := 0.0
	if a.Dtype() == tensor.Float64 {
		x, y := a.Float64s(), b.Float64s()
		for i := range x {
			largest = max(largest, math.Abs(x[i]-y[i]))
		}
		return largest
	}
	x, y := a.Float32s(), b.Float32s()
	for i := range x {
		largest = max(largest, math.Abs(float64(x[i])-float64(y[i])))
	}
	return largest
}

// chosen returns about ten steps, the first and the last among them, spaced by
// ratio: most happens early.
func chosen(steps int) []int {
	const samples = 10
	var list []int
	for i := range samples {
		step := int(math.Round(math.Pow(float64(steps), float64(i)/(samples-1)))) - 1
		if len(list) == 0 || step > list[len(list)-1] {
			list = append(list, step)
		}
	}
	return list
}

// verdict says in a sentence what the numbers come to. Rounding differs
// between the two sides and grows with the steps; what counts as the same is
// what that can explain.
func verdict(r *Result) string {
	epsilon := 0x1p-52
	if r.Dtype == tensor.Float32.String() {
		epsilon = 0x1p-23
	}
	same := "the same training up to rounding"
	if r.MaxAbsLossDiff > epsilon*1e4*max(1, r.Fused.Losses[0]) {
		same = "NOT the same training: the losses differ by more than rounding explains"
	}
	pace := fmt.Sprintf("a step takes %s times as long with the built-in ops", format.Short(r.Speedup))
	if r.Speedup < 1 {
		pace = fmt.Sprintf("a step takes %s times as long with the fused op", format.Short(1/r.Speedup))
	}
	return fmt.Sprintf("%s (losses differ by at most %s, weights by %s after %s); %s", same,
		format.Difference(r.MaxAbsLossDiff), format.Difference(r.MaxAbsWeightDiff), format.Plural(r.Steps, "step"), pace)
}
