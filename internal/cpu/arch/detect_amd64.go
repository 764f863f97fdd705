//go:build !purego

package arch

import "golang.org/x/sys/cpu"

// detect asks CPUID, and XGETBV for whether the operating system saves the
// wide registers.
func detect() []Set {
	x := &cpu.X86
	switch {
	case !x.HasAVX2 || !x.HasFMA:
		return nil
	case !x.HasAVX512F || !x.HasAVX512BW || !x.HasAVX512DQ || !x.HasAVX512VL:
		return []Set{AVX2}
	}
	return []Set{AVX2, AVX512}
}
