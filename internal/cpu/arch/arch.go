// Package arch tells what the processor has: the instruction set that the
// kernels are chosen by, its cache lines, and memory that begins on one.
package arch

import (
	"fmt"
	"os"
	"strings"
	"sync/atomic"
)

// A Set is an instruction set that kernels were written for.
type Set uint32

const (
	Generic Set = iota // plain Go, on any processor
	AVX2               // AVX2 and FMA3, 256-bit vectors
	AVX512             // AVX-512 F, BW, DQ and VL, 512-bit vectors with masks
	NEON               // arm64's Advanced SIMD, 128-bit vectors
	Sets    int = iota // how many there are
)

var names = [Sets]string{Generic: "generic", AVX2: "avx2", AVX512: "avx512", NEON: "neon"}

// String returns the name that AFFINE_CPU takes.
func (s Set) String() string { return names[s] }

// forceVariable names the environment variable that overrides the choice, so
// that every set can be tested on one machine.
const forceVariable = "AFFINE_CPU"

var (
	current  atomic.Uint32
	forceErr error
)

func init() {
	s, err := choose(os.Getenv(forceVariable), Available())
	current.Store(uint32(s))
	forceErr = err
}

// Available returns the sets that the processor, the operating system and this
// build have, the fastest one last.
func Available() []Set { return append([]Set{Generic}, detect()...) }

// choose returns the set that forced names, or the fastest one and an error that
// says why the wish could not be granted.
func choose(forced string, available []Set) (Set, error) {
	best := available[len(available)-1]
	if forced == "" {
		return best, nil
	}
	for _, s := range available {
		if s.String() == forced {
			return s, nil
		}
	}
	for _, name := range names {
		if name == forced {
			return best, fmt.Errorf("%s=%s: this processor or build does not have it, using %s", forceVariable, forced, best)
		}
	}
	return best, fmt.Errorf("%s=%s: unknown instruction set, want one of %s; using %s",
		forceVariable, forced, strings.Join(names[:], ", "), best)
}

// Current returns the set in use: the one that AFFINE_CPU names, or the fastest.
func Current() Set { return Set(current.Load()) }

// Use changes the set in use, which must be Available, until restore is called.
// It is for tests.
func Use(s Set) (restore func()) {
	before := current.Swap(uint32(s))
	return func() { current.Store(before) }
}

// ForceError tells why the set named by AFFINE_CPU is not the one in use: an
// unknown name, or one that the processor lacks. It is nil if the variable is
// unset or was obeyed.
func ForceError() error { return forceErr }
