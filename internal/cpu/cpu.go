package cpu

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
)

// variant is an instruction set that the kernels were written for. Higher
// values are faster, and a processor that has one has all below it.
type variant uint32

const (
	generic variant = iota // plain Go
	avx2                   // AVX2 and FMA3, 256-bit vectors
	avx512                 // AVX-512 F, BW, DQ and VL, 512-bit vectors with masks
)

var variantNames = [...]string{generic: "generic", avx2: "avx2", avx512: "avx512"}

func (v variant) String() string { return variantNames[v] }

// forceVariable names the environment variable that overrides the choice, so
// that every variant can be tested on one machine.
const forceVariable = "AFFINE_CPU"

// best is the fastest variant that the processor and the operating system
// support; active is the one in use. active changes after start in tests only.
var (
	best     = detect()
	active   atomic.Uint32
	forceErr error
)

func init() {
	v, err := choose(os.Getenv(forceVariable), best)
	active.Store(uint32(v))
	forceErr = err
}

// choose returns the variant that forced names, or the best one and an error
// that says why the wish could not be granted.
func choose(forced string, best variant) (variant, error) {
	if forced == "" {
		return best, nil
	}
	for v, name := range variantNames {
		if name != forced {
			continue
		}
		if variant(v) > best {
			return best, fmt.Errorf("%s=%s: this processor or build does not have it, using %s", forceVariable, forced, best)
		}
		return variant(v), nil
	}
	return best, fmt.Errorf("%s=%s: unknown instruction set, want one of %s; using %s",
		forceVariable, forced, strings.Join(variantNames[:], ", "), best)
}

// current returns the variant in use.
func current() variant { return variant(active.Load()) }

// Features returns the instruction set in use ("avx512", "avx2" or "generic")
// and the number of threads that large work is spread over.
func Features() (name string, threads int) {
	return current().String(), runtime.GOMAXPROCS(0)
}

// ForceError tells why the instruction set named by the environment variable
// AFFINE_CPU is not the one in use: an unknown name, or one that the processor
// lacks. It is nil when the variable is unset or was obeyed. Kernels fall back
// to the best instruction set that the processor has.
func ForceError() error { return forceErr }
