//go:build !purego

package cpu

import "golang.org/x/sys/cpu"

// detect asks CPUID, and XGETBV for whether the operating system saves the
// wide registers.
func detect() variant {
	x := &cpu.X86
	switch {
	case x.HasAVX512F && x.HasAVX512BW && x.HasAVX512DQ && x.HasAVX512VL && x.HasAVX2 && x.HasFMA:
		return avx512
	case x.HasAVX2 && x.HasFMA:
		return avx2
	}
	return generic
}
