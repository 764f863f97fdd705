package threads

import (
	"os"
	"runtime"
	"sync/atomic"
	"time"
)

// spinTime is for how long a thread looks for work, or for the end of work,
// before it sleeps. To wake it takes 5 µs and more of the thread that does so,
// and on a virtual machine 100 µs go by until it runs: as long as a layer takes.
// The ops of a model mostly follow each other within less than spinTime.
const spinTime = time.Millisecond

// spinning tells whether to look at all. Tests change it.
var spinning atomic.Bool

func init() { spinning.Store(spinWanted(os.Getenv("AFFINE_SPIN"), runtime.NumCPU())) }

func spinWanted(setting string, processors int) bool { return setting != "off" && processors > 1 }

// A spin paces a loop that looks for what another thread does.
type spin struct {
	turns int
	until time.Time
}

const (
	// clockTurns is after how many turns a spin looks at the clock, and lets
	// another thread have the processor if one waits for it: the thread with the
	// work may be that one. It is about a microsecond if PAUSE takes 140 cycles.
	clockTurns = 32
	// yieldTurns is after how many turns other goroutines get theirs.
	yieldTurns = 64 * clockTurns
)

// again pauses and reports whether to look once more.
func (s *spin) again() bool {
	if !spinning.Load() {
		return false
	}
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
// helper awake even if the calls themselves are too small for two threads: with
// a processor that sleeps, each change takes it 30 µs longer on a virtual
// machine. The helper makes room for any other thread and goroutine.
func KeepAwake() {
	if !spinning.Load() || runtime.GOMAXPROCS(0) < 2 {
		return
	}
	often := kept()
	lastKeep.Store(int64(time.Since(started)))
	if !often {
		return
	}
	all := *helpers.Load()
	if len(all) == 0 {
		all = grow(1)
	}
	if h := all[0]; h.slot.CompareAndSwap(parked, nil) {
		h.wake <- struct{}{}
	}
}
