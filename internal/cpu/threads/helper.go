package threads

import (
	"sync"
	"sync/atomic"
)

// A helper is a goroutine that takes part in one job at a time. Its slot holds
// the job on offer, or one of the sentinels; nil means that it looks for work.
type helper struct {
	slot atomic.Pointer[job]
	wake chan struct{}
	_    [48]byte // slots of two helpers never share a cache line
}

var (
	busy   = new(job) // slot of a helper that has taken a job
	parked = new(job) // slot of a helper that sleeps on wake
)

var (
	helpers   atomic.Pointer[[]*helper]
	growMutex sync.Mutex
)

func init() { helpers.Store(new([]*helper)) }

// offer puts the job into the slots of up to n helpers that are free and
// returns how many.
func offer(j *job, n int) int {
	all := *helpers.Load()
	if len(all) < n {
		all = grow(n)
	}
	offered := 0
	for _, h := range all[:n] {
		j.open.Add(1)
		switch {
		case h.slot.CompareAndSwap(nil, j):
			offered++
		case h.slot.CompareAndSwap(parked, j):
			h.wake <- struct{}{}
			offered++
		default:
			j.open.Add(-1)
		}
	}
	return offered
}

// grow starts helpers until there are n.
func grow(n int) []*helper {
	growMutex.Lock()
	defer growMutex.Unlock()
	all := append([]*helper(nil), *helpers.Load()...)
	for len(all) < n {
		h := &helper{wake: make(chan struct{}, 1)}
		all = append(all, h)
		go h.loop()
	}
	helpers.Store(&all)
	return all
}

func (h *helper) loop() {
	for {
		j := h.next()
		for lo, hi, ok := j.take(); ok; lo, hi, ok = j.take() {
			j.task.Run(lo, hi)
		}
		h.slot.Store(nil)
		j.leave()
	}
}

// next returns the job that the helper has taken.
func (h *helper) next() *job {
	for {
		for s := (spin{}); ; {
			if j := h.slot.Load(); j != nil && h.slot.CompareAndSwap(j, busy) {
				return j
			}
			if !s.again() {
				break
			}
		}
		if !kept() && h.slot.CompareAndSwap(nil, parked) {
			<-h.wake
		}
	}
}
