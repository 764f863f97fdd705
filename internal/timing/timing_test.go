package timing

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// pretend is a subject on a clock of its own: a run takes ns.
func pretend(ns int) Subject {
	return func(runs int) (time.Duration, uint64, error) {
		return time.Duration(ns * runs), uint64(3 * runs), nil
	}
}

func TestMedianIsTheMiddle(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{{[]float64{3}, 3}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 1, 9, 2}, 3}} {
		given := slices.Clone(c.values)
		if got := Median(given); got != c.want || !slices.Equal(given, c.values) {
			t.Errorf("median of %v is %v, want %v and the values as they were", c.values, got, c.want)
		}
	}
	if !math.IsNaN(Median(nil)) {
		t.Error("the median of nothing is a number")
	}
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(-1e300, 1e300), 1, 20).Draw(t, "values")
		m := Median(values)
		below, above := 0, 0
		for _, v := range values {
			if v <= m {
				below++
			}
			if v >= m {
				above++
			}
		}
		if 2*below < len(values) || 2*above < len(values) {
			t.Fatalf("median of %v is %v", values, m)
		}
	})
}

func TestSamplesAreFilledWithRuns(t *testing.T) {
	for _, ns := range []int{1, 7, 1000, 3_000_000, 1 << 30} {
		results, err := Turns(context.Background(), []Subject{pretend(ns)}, Options{Samples: 3, Sample: time.Millisecond}, nil)
		if err != nil {
			t.Fatal(err)
		}
		r := results[0]
		if r.Runs*ns < int(time.Millisecond) || r.Runs > 1 && (r.Runs-1)*ns > int(time.Millisecond) {
			t.Errorf("a run of %d ns: %d runs in a sample of a millisecond", ns, r.Runs)
		}
		if len(r.Samples) != 3 || r.NsPerRun() != float64(ns) || r.Allocs != 3 {
			t.Errorf("a run of %d ns and 3 allocations comes to %+v", ns, r)
		}
	}
}

func TestEachRoundBeginsWithAnotherSubject(t *testing.T) {
	var order []int
	subject := func(i int) Subject {
		calibrated := false
		return func(int) (time.Duration, uint64, error) {
			if calibrated {
				order = append(order, i)
			}
			calibrated = true
			return time.Second, 0, nil
		}
	}
	rounds := 0
	subjects := []Subject{subject(0), subject(1), subject(2)}
	if _, err := Turns(context.Background(), subjects, Options{Samples: 3, Sample: time.Millisecond}, func() { rounds++ }); err != nil {
		t.Fatal(err)
	}
	if want := []int{0, 1, 2, 1, 2, 0, 2, 0, 1}; !slices.Equal(order, want) || rounds != 3 {
		t.Errorf("turns were %v in %d rounds, want %v in 3", order, rounds, want)
	}
}

func TestAFailureNamesItsSubject(t *testing.T) {
	broken := errors.New("out of order")
	_, err := Turns(context.Background(), []Subject{pretend(1000), func(int) (time.Duration, uint64, error) { return 0, 0, broken }},
		Options{Samples: 1, Sample: time.Microsecond}, nil)
	var failed *SubjectError
	if !errors.As(err, &failed) || failed.Index != 1 || !errors.Is(err, broken) {
		t.Errorf("error is %v, want that of subject 1", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Turns(ctx, []Subject{pretend(1)}, Options{Samples: 1, Sample: 1}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, want the context's", err)
	}
	if _, err := Turns(context.Background(), nil, Options{Sample: 1}, nil); err == nil {
		t.Error("no samples are no error")
	}
}

var sink []byte

func TestAllocationsOfThisProcessAreCounted(t *testing.T) {
	s := InProcess(func() error { sink = make([]byte, 1<<16); return nil })
	_, allocs, err := s(100)
	if err != nil || allocs < 100 || allocs > 200 {
		t.Errorf("%d allocations in 100 runs (%v), want about one each", allocs, err)
	}
}

func TestMedianOfRecentTimes(t *testing.T) {
	var times Recent
	if got := times.Median(); got != 0 {
		t.Errorf("median of no times is %v, want 0", got)
	}
	for i, want := range []float64{5, 4, 4, 3.5, 3} { // of 5; 5, 3; 5, 3, 4; …
		times.Add([]time.Duration{5, 3, 4, 1, 2}[i] * time.Microsecond)
		if got := times.Median(); got != want {
			t.Errorf("median of %d times is %v µs, want %v", i+1, got, want)
		}
	}
	for range times.last {
		times.Add(time.Millisecond)
	}
	if got := times.Median(); got != 1000 {
		t.Errorf("median of the last times is %v µs, want 1000", got)
	}
}
