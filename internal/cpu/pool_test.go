package cpu

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// threads runs the test under each GOMAXPROCS.
func threads(t *testing.T, f func(t *testing.T)) {
	before := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(before)
	for _, n := range []int{1, 2, 4} {
		runtime.GOMAXPROCS(n)
		f(t)
	}
}

func TestParallelCoversTheRangeOnce(t *testing.T) {
	threads(t, func(t *testing.T) {
		for _, n := range []int{0, 1, 2, 7, 64, 1000} {
			for _, grain := range []int{1, 3, 64, 5000} {
				count := make([]atomic.Int32, n)
				parallel(n, grain, func(lo, hi int) {
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

func TestParallelNestedAndConcurrent(t *testing.T) {
	threads(t, func(t *testing.T) {
		var sum atomic.Int64
		var callers sync.WaitGroup
		for range 8 {
			callers.Go(func() {
				for range 50 {
					parallel(16, 1, func(lo, hi int) {
						for range hi - lo {
							parallel(8, 1, func(lo, hi int) { sum.Add(int64(hi - lo)) })
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

// Workers sleep after a while without work; they must wake for the next.
func TestParallelAfterAPause(t *testing.T) {
	runtime.GOMAXPROCS(max(2, runtime.GOMAXPROCS(0)))
	for range 20 {
		var sum atomic.Int64
		parallel(100, 1, func(lo, hi int) { sum.Add(int64(hi - lo)) })
		if sum.Load() != 100 {
			t.Fatalf("did %d items of work, want 100", sum.Load())
		}
		time.Sleep(500 * time.Microsecond)
	}
}

type countTask struct{ sum atomic.Int64 }

func (c *countTask) run(lo, hi int) { c.sum.Add(int64(hi - lo)) }

func TestParallelTaskAllocatesNothing(t *testing.T) {
	if underRace {
		t.Skip("the race detector makes sync.Pool forget")
	}
	c := new(countTask)
	parallelTask(100, 1, c)
	if a := testing.AllocsPerRun(100, func() { parallelTask(100, 1, c) }); a >= 1 {
		t.Errorf("%v allocations a call", a)
	}
}

func BenchmarkParallelHandoff(b *testing.B) {
	c := new(countTask)
	for b.Loop() {
		parallelTask(2, 1, c)
	}
}

// A worker that KeepAwake wakes finds work, and sleeps again some time later.
func TestKeepAwakeWakesAWorkerForAWhile(t *testing.T) {
	before := runtime.GOMAXPROCS(max(2, runtime.GOMAXPROCS(0)))
	defer runtime.GOMAXPROCS(before)
	parallel(2, 1, func(lo, hi int) {})
	asleep := func() bool { return (*workers.Load())[0].slot.Load() == parked }
	wait := func(what string, reached func() bool) {
		t.Helper()
		for deadline := time.Now().Add(10 * time.Second); !reached(); {
			if time.Now().After(deadline) {
				t.Fatalf("the worker is not %s after 10 s", what)
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
		parallel(100, 1, func(lo, hi int) { sum.Add(int64(hi - lo)) })
		if sum.Load() != 100 {
			t.Fatalf("did %d items of work, want 100", sum.Load())
		}
	}
}
