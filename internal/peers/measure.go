package main

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// peer is one way to compute the cases.
type peer interface {
	// Group is what the table has a column for; a group's fastest variant counts.
	Group() string
	Variant() string
	// Prepare builds the case, runs it, and returns numbers that every peer
	// must agree on.
	Prepare(benchCase) (checks []float64, err error)
	// Time starts over, warms up, and times that many runs.
	Time(runs int) (time.Duration, error)
	// Finish forgets what was prepared.
	Finish() error
}

// settings say how long to measure.
type settings struct {
	rounds int           // samples of each peer
	sample time.Duration // the shortest time of a sample
	pause  time.Duration // before each sample, for threads that spin to fall asleep
}

// result is what one peer needed for one case.
type result struct {
	Group   string    `json:"peer"`
	Variant string    `json:"variant"`
	NsPerOp float64   `json:"ns_per_op"` // the median of the samples
	GFLOPS  float64   `json:"gflops,omitempty"`
	Runs    int       `json:"runs_per_sample"`
	Samples []float64 `json:"samples_ns_per_op"`
}

// measure prepares the case for all peers, checks that they agree with the
// first, and takes their samples in turn, so that a machine that gets slower
// or faster meanwhile does so for all. Each round starts with another peer:
// nobody always follows the same one.
func measure(c benchCase, peers []peer, s settings) ([]result, error) {
	results := make([]result, len(peers))
	var want []float64
	for i, p := range peers {
		fail := func(err error) ([]result, error) {
			return nil, fmt.Errorf("%v: %s, %s: %w", c, p.Group(), p.Variant(), err)
		}
		checks, err := p.Prepare(c)
		if err != nil {
			return fail(err)
		}
		defer p.Finish()
		if i == 0 {
			want = checks
		}
		if err := agree(checks, want); err != nil {
			return fail(fmt.Errorf("does not compute what %s does: %w", peers[0].Group(), err))
		}
		runs, err := calibrate(p, s.sample)
		if err != nil {
			return fail(err)
		}
		results[i] = result{Group: p.Group(), Variant: p.Variant(), Runs: runs}
	}
	for round := range s.rounds {
		for j := range peers {
			i := (round + j) % len(peers)
			time.Sleep(s.pause)
			elapsed, err := peers[i].Time(results[i].Runs)
			if err != nil {
				return nil, fmt.Errorf("%v: %s, %s: %w", c, peers[i].Group(), peers[i].Variant(), err)
			}
			results[i].Samples = append(results[i].Samples, float64(elapsed.Nanoseconds())/float64(results[i].Runs))
		}
	}
	for i := range results {
		results[i].NsPerOp = median(results[i].Samples)
		results[i].GFLOPS = c.flop() / results[i].NsPerOp
	}
	return results, nil
}

// calibrate returns the number of runs that fill a sample.
func calibrate(p peer, sample time.Duration) (int, error) {
	for runs := 1; ; {
		elapsed, err := p.Time(runs)
		if err != nil {
			return 0, err
		}
		if elapsed >= sample {
			return runs, nil
		}
		// Aim a little beyond the goal, but not on the word of a short time.
		goal := 1.2 * float64(runs) * float64(sample) / float64(max(elapsed, 1))
		runs = max(runs+1, int(min(goal, 20*float64(runs))))
	}
}

// agree allows for sums in another order: one part in a thousand.
func agree(got, want []float64) error {
	if len(got) != len(want) {
		return fmt.Errorf("got %d numbers to check, want %d", len(got), len(want))
	}
	for i, v := range want {
		if !(math.Abs(got[i]-v) <= 1e-3*math.Abs(v)) {
			return fmt.Errorf("check %d is %g, want %g", i, got[i], v)
		}
	}
	return nil
}

func median(samples []float64) float64 {
	s := slices.Sorted(slices.Values(samples))
	n := len(s)
	return (s[(n-1)/2] + s[n/2]) / 2
}

// threads writes a number of threads.
func threads(n int) string {
	if n == 1 {
		return "1 thread"
	}
	return fmt.Sprint(n, " threads")
}
