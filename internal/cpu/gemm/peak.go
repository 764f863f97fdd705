package gemm

import (
	"sync"
	"time"

	"github.com/affine-go/affine/internal/kernel"
)

// peakWork is the number of multiply-adds on vectors in one round of a peak
// kernel: 14 independent chains, 8 times.
const peakWork = 14 * 8

// PeakFLOPS measures how many floating-point operations a second the processor
// does at most in T, on so many threads, in the instruction set in use: nothing
// but independent fused multiply-adds on full vectors, each of which counts as
// two operations per element. It takes a few milliseconds. Clocks move with load
// and temperature, so measure right before and after what is compared with it.
func PeakFLOPS[T kernel.Float](threads int) float64 {
	k := kernelsOf[T]()
	run := func(rounds int) time.Duration {
		var others sync.WaitGroup
		start := time.Now()
		for range threads - 1 {
			others.Go(func() { k.peak(rounds) })
		}
		k.peak(rounds)
		others.Wait()
		return time.Since(start)
	}
	rounds := 1000
	for run(rounds) < time.Millisecond { // goroutines take microseconds to start
		rounds *= 2
	}
	best := run(rounds)
	for range 3 {
		best = min(best, run(rounds))
	}
	flops := 2 * peakWork * float64(k.peakLanes) * float64(rounds) * float64(threads)
	return flops / best.Seconds()
}
