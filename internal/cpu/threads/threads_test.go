package threads

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/affine-go/affine/internal/cpu/arch/archtest"
)

// onThreads runs the test under each GOMAXPROCS.
func onThreads(t *testing.T, f func(t *testing.T)) {
	before := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(before)
	for _, n := range []int{1, 2, 3, 16, 64} {
		runtime.GOMAXPROCS(n)
		f(t)
	}
}

func TestEachCoversTheRangeOnce(t *testing.T) {
	onThreads(t, func(t *testing.T) {
		for _, n := range []int{0, 1, 2, 7, 64, 1000} {
			for _, grain := range []int{1, 3, 64, 5000} {
				count := make([]atomic.Int32, n)
				Each(n, grain, func(lo, hi int) {
					if hi-lo > grain && hi-lo != n {
						t.Errorf("n=%d grain=%d: range [%d,%d)", n, grain, lo, hi)
					}
					for i := lo; i < hi; i++ {
						count[i].Add(1)
					}
				})
				for i := range count {
					if c := count[i].Load(); c != 1 {
						t.Fatalf("n=%d grain=%d: element %d done %d times", n, grain, i, c)
					}
				}
			}
		}
	})
}

func TestEachNestedAndConcurrent(t *testing.T) {
	onThreads(t, func(t *testing.T) {
		var sum atomic.Int64
		var callers sync.WaitGroup
		for range 8 {
			callers.Go(func() {
				for range 50 {
					Each(16, 1, func(lo, hi int) {
						for range hi - lo {
							Each(8, 1, func(lo, hi int) { sum.Add(int64(hi - lo)) })
						}
					})
				}
			})
		}
		callers.Wait()
		if got, want := sum.Load(), int64(8*50*16*8); got != want {
			t.Fatalf("did %d items of work, want %d", got, want)
		}
	})
}

// Helpers sleep after a while without work; they must wake for the next.
func TestEachAfterAPause(t *testing.T) {
	runtime.GOMAXPROCS(max(2, runtime.GOMAXPROCS(0)))
	for range 20 {
		var sum atomic.Int64
		Each(100, 1, func(lo, hi int) { sum.Add(int64(hi - lo)) })
		if sum.Load() != 100 {
			t.Fatalf("did %d items of work, want 100", sum.Load())
		}
		time.Sleep(500 * time.Microsecond)
	}
}

func TestSpinningIsOffOnDemandAndOnOneProcessor(t *testing.T) {
	for _, test := range []struct {
		setting    string
		processors int
		want       bool
	}{{"", 2, true}, {"on", 2, true}, {"off", 2, false}, {"", 1, false}, {"off", 64, false}} {
		if got := spinWanted(test.setting, test.processors); got != test.want {
			t.Errorf("AFFINE_SPIN=%q on %d processors: %v, want %v", test.setting, test.processors, got, test.want)
		}
	}
}

// Without spinning all of the above holds too: helpers are woken for each job.
func TestEachWithoutSpinning(t *testing.T) {
	Each(2, 1, func(lo, hi int) {}) // starts a helper, which may be looking for work
	time.Sleep(3 * spinTime)
	defer spinning.Store(spinning.Swap(false))
	TestEachCoversTheRangeOnce(t)
	TestEachNestedAndConcurrent(t)
	KeepAwake()
	time.Sleep(3 * spinTime) // they sleep before the switch is turned back
}

type countTask struct{ sum atomic.Int64 }

func (c *countTask) Run(lo, hi int) { c.sum.Add(int64(hi - lo)) }

func TestRunAllocatesNothing(t *testing.T) {
	if archtest.UnderRace {
		t.Skip("the race detector makes sync.Pool forget")
	}
	c := new(countTask)
	Run(100, 1, c)
	if a := testing.AllocsPerRun(100, func() { Run(100, 1, c) }); a >= 1 {
		t.Errorf("%v allocations a call", a)
	}
}

func BenchmarkHandoff(b *testing.B) {
	c := new(countTask)
	for b.Loop() {
		Run(2, 1, c)
	}
}

// A helper that KeepAwake wakes finds work, and sleeps again some time later.
func TestKeepAwakeWakesAHelperForAWhile(t *testing.T) {
	if !spinning.Load() {
		t.Skip("helpers sleep at once")
	}
	before := runtime.GOMAXPROCS(max(2, runtime.GOMAXPROCS(0)))
	defer runtime.GOMAXPROCS(before)
	Each(2, 1, func(lo, hi int) {})
	asleep := func() bool { return (*helpers.Load())[0].slot.Load() == parked }
	wait := func(what string, reached func() bool) {
		t.Helper()
		for deadline := time.Now().Add(10 * time.Second); !reached(); {
			if time.Now().After(deadline) {
				t.Fatalf("the helper is not %s after 10 s", what)
			}
			time.Sleep(50 * time.Microsecond)
		}
	}
	for range 5 {
		wait("asleep", asleep)
		wait("awake", func() bool {
			KeepAwake()
			KeepAwake() // the second within spinTime counts
			return !asleep()
		})
		var sum atomic.Int64
		Each(100, 1, func(lo, hi int) { sum.Add(int64(hi - lo)) })
		if sum.Load() != 100 {
			t.Fatalf("did %d items of work, want 100", sum.Load())
		}
	}
}
