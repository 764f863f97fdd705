package train

import (
	"slices"
	"time"
)

// clock measures the time of a training over several sessions.
type clock struct {
	start  time.Time
	before float64 // seconds of earlier sessions
}

func (c *clock) seconds() float64 { return c.before + time.Since(c.start).Seconds() }

// stepTimes keeps the durations of the last steps, in room that does not grow.
type stepTimes struct {
	last  [4096]time.Duration
	count int
}

func (t *stepTimes) add(d time.Duration) {
	t.last[t.count%len(t.last)] = d
	t.count++
}

// median returns the median in microseconds, 0 where there was no step.
func (t *stepTimes) median() float64 {
	n := min(t.count, len(t.last))
	if n == 0 {
		return 0
	}
	sorted := slices.Clone(t.last[:n])
	slices.Sort(sorted)
	middle := sorted[n/2]
	if n%2 == 0 {
		middle = (middle + sorted[n/2-1]) / 2
	}
	return float64(middle.Nanoseconds()) / 1000
}
