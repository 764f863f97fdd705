package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/affine-go/affine/internal/timing"
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
// first, and takes their samples in turn.
func measure(c benchCase, peers []peer, o timing.Options) ([]result, error) {
	fail := func(p peer, err error) ([]result, error) {
		return nil, fmt.Errorf("%v: %s, %s: %w", c, p.Group(), p.Variant(), err)
	}
	var want []float64
	var subjects []timing.Subject
	for i, p := range peers {
		checks, err := p.Prepare(c)
		if err != nil {
			return fail(p, err)
		}
		defer p.Finish()
		if i == 0 {
			want = checks
		}
		if err := agree(checks, want); err != nil {
			return fail(p, fmt.Errorf("does not compute what %s does: %w", peers[0].Group(), err))
		}
		subjects = append(subjects, func(runs int) (time.Duration, uint64, error) {
			elapsed, err := p.Time(runs)
			return elapsed, 0, err
		})
	}
	timed, err := timing.Turns(context.Background(), subjects, o, nil)
	if failed := (*timing.SubjectError)(nil); errors.As(err, &failed) {
		return fail(peers[failed.Index], failed.Err)
	} else if err != nil {
		return nil, err
	}
	results := make([]result, len(peers))
	for i, p := range peers {
		ns := timed[i].NsPerRun()
		results[i] = result{Group: p.Group(), Variant: p.Variant(), NsPerOp: ns, GFLOPS: c.flop() / ns, Runs: timed[i].Runs, Samples: timed[i].Samples}
	}
	return results, nil
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

// threads writes a number of threads.
func threads(n int) string {
	if n == 1 {
		return "1 thread"
	}
	return fmt.Sprint(n, " threads")
}
