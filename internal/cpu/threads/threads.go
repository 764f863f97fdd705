// Package threads spreads the work of one call over the processor's cores.
//
// [Run] cuts a task into ranges that the caller and its helpers take one after
// the other. The helpers are goroutines that stay: they look for work for
// [spinTime] after a job before they sleep, since waking one takes longer than
// many a layer. The environment variable AFFINE_SPIN=off lets them, and whoever
// waits for them, sleep at once, as they do by themselves if the process has
// one processor only: then nobody could do the work that they look for.
package threads

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// A Task is work that can be cut into ranges of [0, n). Run must compute the
// same whatever the ranges are and in whatever order they come; then results do
// not depend on the number of threads.
type Task interface{ Run(lo, hi int) }

// Run calls t.Run on ranges that together cover [0, n) once, each at most grain
// long, on up to GOMAXPROCS threads at a time. It returns when all have been
// done. With n ≤ grain, or one thread, it is a plain call t.Run(0, n). It may be
// called from any goroutine and from within a task. It allocates nothing.
func Run(n, grain int, t Task) {
	if n <= 0 {
		return
	}
	grain = max(grain, 1)
	if n <= grain {
		t.Run(0, n)
		return
	}
	threads := min(runtime.GOMAXPROCS(0), (n+grain-1)/grain)
	if threads <= 1 {
		t.Run(0, n)
		return
	}
	j := jobs.Get().(*job)
	j.task, j.n, j.grain = t, n, grain
	j.next.Store(0)
	offered := offer(j, threads-1)
	for lo, hi, ok := j.take(); ok; lo, hi, ok = j.take() {
		t.Run(lo, hi)
	}
	j.wait(offered)
	j.task = nil
	jobs.Put(j)
}

// Each is [Run] for a function. It escapes: a caller that must not allocate
// keeps a Task.
func Each(n, grain int, f func(lo, hi int)) { Run(n, grain, rangeFunc(f)) }

type rangeFunc func(lo, hi int)

func (f rangeFunc) Run(lo, hi int) { f(lo, hi) }

// A job is one call of Run. The caller and the helpers that join it take ranges
// by advancing next; open counts the helpers that have joined, or may still
// join.
type job struct {
	task     Task
	n, grain int
	next     atomic.Int64
	open     atomic.Int32
	finished chan struct{}
}

// waiting is added to job.open by a caller that blocks on job.finished.
const waiting = 1 << 30

var jobs = sync.Pool{New: func() any { return &job{finished: make(chan struct{}, 1)} }}

// take returns the next range; ok is false if none is left.
func (j *job) take() (lo, hi int, ok bool) {
	hi = int(j.next.Add(int64(j.grain)))
	lo = hi - j.grain
	return lo, min(hi, j.n), lo < j.n
}

// wait withdraws the job from helpers that have not begun and waits for those
// that have.
func (j *job) wait(offered int) {
	if offered == 0 {
		return
	}
	for _, h := range *helpers.Load() {
		if h.slot.CompareAndSwap(j, nil) {
			j.open.Add(-1)
		}
	}
	for s := (spin{}); s.again(); {
		if j.open.Load() == 0 {
			return
		}
	}
	if j.open.Add(waiting) != waiting {
		<-j.finished
	}
	j.open.Store(0)
}

// leave is called by a helper that found no more ranges to take.
func (j *job) leave() {
	if j.open.Add(-1) == waiting {
		j.finished <- struct{}{}
	}
}
