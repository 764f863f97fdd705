package kernel

// Dropout says which elements a dropout sets to zero: each with the probability
// P in [0, 1), the others are divided by 1 − P.
//
// The mask is a function of these numbers and of an element's place alone, so
// that it is the same on every device, on any number of threads, and in the
// backward pass, which draws it again instead of keeping it. Element (i, j) is
// zero if the upper or, for even j, the lower half of
//
//	mix(s + (⌊j/2⌋+1)·γ),  s = mix(mix(mix(Stream) + Step) + FirstRow + i)
//
// is below P·2³², rounded. mix and γ are those of SplitMix64 (Steele, Lea and
// Flood, "Fast splittable pseudorandom number generators", 2014).
type Dropout struct {
	P        float64
	Stream   uint64 // of the op: its name and the seed
	Step     uint64
	FirstRow uint64 // in its batch, of the first row
}

// Row returns the state from which the mask of row i is drawn.
func (d Dropout) Row(i int) uint64 { return mix(mix(mix(d.Stream)+d.Step) + d.FirstRow + uint64(i)) }

// Pair draws 32 bits for each of columns 2k and 2k+1 of a row, the first in the
// lower half.
func (Dropout) Pair(row uint64, k int) uint64 { return mix(row + uint64(k+1)*0x9e3779b97f4a7c15) }

// Below returns the number below which 32 bits set an element to zero.
func (d Dropout) Below() uint64 { return uint64(d.P*(1<<32) + 0.5) }

func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
