package cpu

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// parallel calls f on ranges that together cover [0, n) once, each at most
// grain long, on up to GOMAXPROCS threads at a time. It returns when all have
// been done. f must compute the same whatever the ranges are and in whatever
// order they come; then results do not depend on the number of threads.
//
// With n ≤ grain, or one thread, it is a plain call f(0, n). It may be called
// from any goroutine and from within f. The closure escapes: a caller that
// must not allocate tests for small n itself, or uses [parallelTask].
func parallel(n, grain int, f func(lo, hi int)) {
	parallelTask(n, grain, rangeFunc(f))
}

// A task is work that can be cut into ranges, see [parallel].
type task interface{ run(lo, hi int) }

type rangeFunc func(lo, hi int)

func (f rangeFunc) run(lo, hi int) { f(lo, hi) }

// parallelTask is [parallel] for a task that the caller keeps, so that nothing
// is allocated.
func parallelTask(n, grain int, t task) {
	if n <= 0 {
		return
	}
	grain = max(grain, 1)
	if n <= grain {
		t.run(0, n)
		return
	}
	threads := min(runtime.GOMAXPROCS(0), (n+grain-1)/grain)
	if threads <= 1 {
		t.run(0, n)
		return
	}
	j := jobs.Get().(*job)
	j.task, j.n, j.grain = t, n, grain
	j.next.Store(0)
	offered := offer(j, threads-1)
	j.work()
	j.wait(offered)
	j.task = nil
	jobs.Put(j)
}

// A job is one call of parallelTask. The caller and the workers that join it
// take ranges by advancing next; open counts the workers that have joined, or
// may still join.
type job struct {
	task     task
	n, grain int
	next     atomic.Int64
	open     atomic.Int32
	finished chan struct{}
}

// waiting is added to job.open by a caller that blocks on job.finished.
const waiting = 1 << 30

var jobs = sync.Pool{New: func() any { return &job{finished: make(chan struct{}, 1)} }}

func (j *job) work() {
	for {
		hi := int(j.next.Add(int64(j.grain)))
		lo := hi - j.grain
		if lo >= j.n {
			return
		}
		j.task.run(lo, min(hi, j.n))
	}
}

// wait withdraws the job from workers that have not begun and waits for those
// that have.
func (j *job) wait(offered int) {
	if offered == 0 {
		return
	}
	for _, w := range *workers.Load() {
		if w.slot.CompareAndSwap(j, nil) {
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

// leave is called by a worker that found no more ranges to take.
func (j *job) leave() {
	if j.open.Add(-1) == waiting {
		j.finished <- struct{}{}
	}
}

// A worker is a goroutine that helps with one job at a time. Its slot holds
// the job on offer, or one of the sentinels; nil means that it looks for work.
type worker struct {
	slot atomic.Pointer[job]
	wake chan struct{}
	_    [48]byte // slots of two workers never share a cache line
}

var (
	busy   = new(job) // slot of a worker that has taken a job
	parked = new(job) // slot of a worker that sleeps on wake
)

var (
	workers   atomic.Pointer[[]*worker]
	growMutex sync.Mutex
)

func init() { workers.Store(new([]*worker)) }

// offer puts the job into the slots of up to n workers that are free and
// returns how many.
func offer(j *job, n int) int {
	all := *workers.Load()
	if len(all) < n {
		all = grow(n)
	}
	offered := 0
	for _, w := range all[:n] {
		j.open.Add(1)
		switch {
		case w.slot.CompareAndSwap(nil, j):
			offered++
		case w.slot.CompareAndSwap(parked, j):
			w.wake <- struct{}{}
			offered++
		default:
			j.open.Add(-1)
		}
	}
	return offered
}

// grow starts workers until there are n.
func grow(n int) []*worker {
	growMutex.Lock()
	defer growMutex.Unlock()
	all := append([]*worker(nil), *workers.Load()...)
	for len(all) < n {
		w := &worker{wake: make(chan struct{}, 1)}
		all = append(all, w)
		go w.loop()
	}
	workers.Store(&all)
	return all
}

// spinTime is for how long a thread looks for work, or for the end of work,
// before it sleeps. To wake it takes 5 µs and more of the thread that does so,
// and on a virtual machine 100 µs go by until it runs: as long as a layer takes.
// The ops of a model mostly follow each other within less than spinTime.
const spinTime = time.Millisecond

// A spin paces a loop that looks for what another thread does.
type spin struct {
	turns int
	until time.Time
}

const (
	// clockTurns is after how many turns a spin looks at the clock, and lets
	// another thread have the processor if one waits for it: the thread with the
	// work may be that one. It is about a microsecond where PAUSE takes 140
	// cycles.
	clockTurns = 32
	// yieldTurns is after how many turns other goroutines get theirs.
	yieldTurns = 64 * clockTurns
)

// again pauses and reports whether to look once more.
func (s *spin) again() bool {
	pause()
	s.turns++
	if s.turns%clockTurns != 0 {
		return true
	}
	yieldThread()
	now := time.Now()
	if s.turns == clockTurns {
		s.until = now.Add(spinTime)
	}
	if s.turns%yieldTurns == 0 {
		runtime.Gosched()
	}
	return now.Before(s.until)
}

func (w *worker) loop() {
	for {
		j := w.next()
		j.work()
		w.slot.Store(nil)
		j.leave()
	}
}

// next returns the job that the worker has taken.
func (w *worker) next() *job {
	for {
		for s := (spin{}); s.again(); {
			if j := w.slot.Load(); j != nil && w.slot.CompareAndSwap(j, busy) {
				return j
			}
		}
		if !kept() && w.slot.CompareAndSwap(nil, parked) {
			<-w.wake
		}
	}
}

var (
	started  = time.Now()
	lastKeep atomic.Int64 // when KeepAwake was called last, since started
)

// kept tells whether KeepAwake was called within the last spinTime.
func kept() bool {
	return lastKeep.Load() != 0 && time.Since(started)-time.Duration(lastKeep.Load()) < spinTime
}

// KeepAwake is called by whoever calls from one goroutine after the other, as
// Gorgonia's TapeMachine does, whose every run begins and ends with the change
// to another thread. If calls follow each other within spinTime, it keeps one
// worker awake even where the calls themselves are too small for two threads:
// with a processor that sleeps, each change takes it 30 µs longer on a virtual
// machine. The worker makes room for any other thread and goroutine.
func KeepAwake() {
	often := kept()
	lastKeep.Store(int64(time.Since(started)))
	if !often || runtime.GOMAXPROCS(0) < 2 {
		return
	}
	all := *workers.Load()
	if len(all) == 0 {
		all = grow(1)
	}
	if w := all[0]; w.slot.CompareAndSwap(parked, nil) {
		w.wake <- struct{}{}
	}
}
