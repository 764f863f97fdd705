package train

import (
	"testing"
	"time"
)

// ReadCheckpoint reads a checkpoint for tests of what is refused.
func ReadCheckpoint(path string) error {
	_, err := readCheckpoint(path)
	return err
}

func TestMedianOfStepTimes(t *testing.T) {
	var times stepTimes
	if got := times.median(); got != 0 {
		t.Errorf("median of no steps is %v, want 0", got)
	}
	for i, want := range []float64{5, 4, 4, 3.5, 3} { // of 5; 5, 3; 5, 3, 4; …
		times.add([]time.Duration{5, 3, 4, 1, 2}[i] * time.Microsecond)
		if got := times.median(); got != want {
			t.Errorf("median of %d steps is %v µs, want %v", i+1, got, want)
		}
	}
	for range times.last {
		times.add(time.Millisecond)
	}
	if got := times.median(); got != 1000 {
		t.Errorf("median of the last steps is %v µs, want 1000", got)
	}
}
