// Package timing is the harness of every benchmark of the module: bench,
// compare, the comparison with other libraries and the CUDA benchmark. Subjects
// are timed in many short samples that take turns, so that a machine that slows
// down or is busy elsewhere slows all of them alike, and the median counts.
package timing

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"time"
)

// Options says how long to measure.
type Options struct {
	Samples int           // of each subject, at least 1
	Sample  time.Duration // how long a sample takes at least
	Pause   time.Duration // before each sample, for threads that spin to fall asleep
}

// Check refuses options that measure nothing.
func (o Options) Check() error {
	if o.Samples < 1 || o.Sample <= 0 {
		return fmt.Errorf("%d samples of %v, want at least 1 of more than 0", o.Samples, o.Sample)
	}
	return nil
}

// Subject performs something a number of times and returns how long that took
// and, if it counts them, how many heap objects were allocated meanwhile.
type Subject func(runs int) (elapsed time.Duration, allocs uint64, err error)

// InProcess is the subject that calls run, after a garbage collection: each
// subject pays for the garbage that it makes itself and for nobody else's.
func InProcess(run func() error) Subject {
	return func(runs int) (time.Duration, uint64, error) {
		runtime.GC()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		for range runs {
			if err := run(); err != nil {
				return 0, 0, err
			}
		}
		elapsed := time.Since(start)
		runtime.ReadMemStats(&after)
		return elapsed, after.Mallocs - before.Mallocs, nil
	}
}

// Result is what a subject took.
type Result struct {
	Runs    int       // in a sample
	Samples []float64 // ns a run
	Allocs  float64   // heap objects a run, of the last sample
}

// NsPerRun is the median of the samples.
func (r Result) NsPerRun() float64 { return Median(r.Samples) }

// SubjectError says which subject failed.
type SubjectError struct {
	Index int
	Err   error
}

func (e *SubjectError) Error() string { return e.Err.Error() }
func (e *SubjectError) Unwrap() error { return e.Err }

// Turns calibrates every subject and takes their samples in turn. Each round
// begins with another subject, so that none always follows the same one; after
// each round afterRound is called if it is not nil. The error of a subject is a
// [SubjectError]; on cancellation the context's error is returned.
func Turns(ctx context.Context, subjects []Subject, o Options, afterRound func()) ([]Result, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	results := make([]Result, len(subjects))
	for i, s := range subjects {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		runs, err := calibrate(s, o.Sample)
		if err != nil {
			return nil, &SubjectError{i, err}
		}
		results[i].Runs = runs
	}
	for round := range o.Samples {
		for turn := range subjects {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			i := (round + turn) % len(subjects)
			time.Sleep(o.Pause)
			elapsed, allocs, err := subjects[i](results[i].Runs)
			if err != nil {
				return nil, &SubjectError{i, err}
			}
			runs := float64(results[i].Runs)
			results[i].Samples = append(results[i].Samples, float64(elapsed.Nanoseconds())/runs)
			results[i].Allocs = float64(allocs) / runs
		}
		if afterRound != nil {
			afterRound()
		}
	}
	return results, nil
}

// calibrate warms up and returns how many runs fill a sample.
func calibrate(s Subject, sample time.Duration) (int, error) {
	for runs := 1; ; {
		elapsed, _, err := s(runs)
		if err != nil {
			return 0, err
		}
		goal := float64(runs) * float64(sample) / float64(max(elapsed, 1))
		if elapsed >= sample/2 {
			return max(1, int(math.Ceil(goal))), nil
		}
		// A short time is not to be trusted: go towards the goal in steps.
		runs = max(runs+1, int(min(goal, 8*float64(runs))))
	}
}

// Median returns the middle of the values, the mean of both if there are two;
// NaN if there is no value.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	s := slices.Sorted(slices.Values(values))
	n := len(s)
	return s[(n-1)/2] + (s[n/2]-s[(n-1)/2])/2
}

// Recent keeps the last 4,096 durations that are added to it.
type Recent struct {
	last  [4096]time.Duration
	count int
}

// Add adds a duration.
func (t *Recent) Add(d time.Duration) {
	t.last[t.count%len(t.last)] = d
	t.count++
}

// Count returns how many were added.
func (t *Recent) Count() int { return t.count }

// Median returns the median of those kept in microseconds, 0 if there are none.
func (t *Recent) Median() float64 {
	n := min(t.count, len(t.last))
	if n == 0 {
		return 0
	}
	values := make([]float64, n)
	for i, d := range t.last[:n] {
		values[i] = float64(d.Nanoseconds())
	}
	return Median(values) / 1000
}
