// Package archtest helps the tests of the processor's kernels: every
// instruction set in turn, guard words, and distances in units of the last
// place.
package archtest

import (
	"math"
	"os"
	"testing"

	"github.com/affine-go/affine/internal/cpu/arch"
	"github.com/affine-go/affine/internal/kernel"
)

// EachSet runs the test with every instruction set that the processor has.
func EachSet(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	for _, set := range arch.Available() {
		restore := arch.Use(set)
		t.Run(set.String(), f)
		restore()
	}
}

// Long reports whether the tests may take their time, as in CI: it is asked for
// by the environment variable AFFINE_TEST_LONG=1.
func Long() bool { return os.Getenv("AFFINE_TEST_LONG") == "1" }

// GuardWords is how many guard words lie on each side of a guarded slice.
const GuardWords = 20

// Guard is NaN of a pattern that no computation makes.
func Guard[T kernel.Float]() T { return T(math.Float32frombits(0x7fc12345)) }

// A Guarded slice lies between guard words, at any alignment. Its elements are
// NaN at first.
type Guarded[T kernel.Float] struct{ all, Data []T }

// NewGuarded returns n elements, shift of them off the alignment of Alloc.
func NewGuarded[T kernel.Float](n, shift int) Guarded[T] {
	all := arch.Alloc[T](n + 2*GuardWords + shift)
	for i := range all {
		all[i] = Guard[T]()
	}
	first := GuardWords + shift
	return Guarded[T]{all, all[first : first+n : first+n]}
}

// Intact reports whether nothing was written next to the slice.
func (g Guarded[T]) Intact() bool {
	first := len(g.all) - GuardWords - len(g.Data)
	for i, v := range g.all {
		if (i < first || i >= first+len(g.Data)) && !SameBits(v, Guard[T]()) {
			return false
		}
	}
	return true
}

// SameBits tells also NaNs and zeros apart.
func SameBits[T kernel.Float](a, b T) bool {
	return math.Float64bits(float64(a)) == math.Float64bits(float64(b))
}

// EqualBits reports whether two slices hold the same bits.
func EqualBits[T kernel.Float](a, b []T) bool {
	for i := range a {
		if !SameBits(a[i], b[i]) {
			return false
		}
	}
	return len(a) == len(b)
}

// Epsilon is the distance from 1 to the next number.
func Epsilon[T kernel.Float]() float64 {
	if arch.Size[T]() == 4 {
		return 0x1p-23
	}
	return 0x1p-52
}

// SmallestNormal is the smallest number with full precision.
func SmallestNormal[T kernel.Float]() float64 {
	if arch.Size[T]() == 4 {
		return 0x1p-126
	}
	return 0x1p-1022
}

// ULP is the distance of numbers near x, at least that of the smallest ones.
func ULP[T kernel.Float](x float64) float64 {
	_, exponent := math.Frexp(x)
	return math.Max(math.Ldexp(Epsilon[T](), exponent-1), Epsilon[T]()*SmallestNormal[T]())
}
