package gemm

// A split cuts a length into pieces whose sizes differ by at most step.
type split struct {
	pieces, size int // size is that of the first pieces
	big          int // pieces after these are step shorter
	step, length int
}

// splitEvenly cuts length into the fewest pieces of at most limit, in multiples
// of step but for the last.
func splitEvenly(length, limit, step int) split {
	if length == 0 {
		return split{step: step}
	}
	pieces := (length + limit - 1) / limit
	units := (length + step - 1) / step
	size := (units + pieces - 1) / pieces
	return split{pieces: pieces, size: size * step, big: units - pieces*(size-1), step: step, length: length}
}

// start returns where piece i begins.
func (s split) start(i int) int {
	return min(i*s.size-max(i-s.big, 0)*s.step, s.length)
}

// bounds returns where piece i begins and ends.
func (s split) bounds(i int) (lo, hi int) { return s.start(i), s.start(i + 1) }
