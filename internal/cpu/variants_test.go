package cpu

import (
	"math"
	"testing"
)

// eachVariant runs the test with every variant that the processor has.
func eachVariant(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	defer active.Store(active.Load())
	for v := generic; v <= best; v++ {
		active.Store(uint32(v))
		t.Run(v.String(), f)
	}
}

// guard is what lies on both sides of a guarded slice: NaN of a pattern that
// no computation makes.
const guardWords = 20

func guard[T Float]() T { return T(math.Float32frombits(0x7fc12345)) }

// A guarded slice lies between guard words, at any alignment. Its elements are
// NaN at first.
type guarded[T Float] struct{ all, data []T }

func newGuarded[T Float](n, shift int) guarded[T] {
	all := Alloc[T](n + 2*guardWords + shift)
	for i := range all {
		all[i] = guard[T]()
	}
	first := guardWords + shift
	return guarded[T]{all, all[first : first+n : first+n]}
}

// intact reports whether nothing was written beside the slice.
func (g guarded[T]) intact() bool {
	first := len(g.all) - guardWords - len(g.data)
	for i, v := range g.all {
		if (i < first || i >= first+len(g.data)) && !sameBits(v, guard[T]()) {
			return false
		}
	}
	return true
}

// sameBits tells also NaNs and zeros apart.
func sameBits[T Float](a, b T) bool {
	return math.Float64bits(float64(a)) == math.Float64bits(float64(b))
}

// equalBits reports whether two slices hold the same bits.
func equalBits[T Float](a, b []T) bool {
	for i := range a {
		if !sameBits(a[i], b[i]) {
			return false
		}
	}
	return len(a) == len(b)
}

// epsilon is the distance from 1 to the next number.
func epsilon[T Float]() float64 {
	if size[T]() == 4 {
		return 0x1p-23
	}
	return 0x1p-52
}

// smallestNormal is the smallest number with full precision.
func smallestNormal[T Float]() float64 {
	if size[T]() == 4 {
		return 0x1p-126
	}
	return 0x1p-1022
}

// ulp is the distance of numbers near x, at least that of the smallest ones.
func ulp[T Float](x float64) float64 {
	_, exponent := math.Frexp(x)
	return math.Max(math.Ldexp(epsilon[T](), exponent-1), epsilon[T]()*smallestNormal[T]())
}
