package cpu

import (
	"unsafe"

	"github.com/affine-go/affine/internal/kernel"
)

// kernels are the innermost loops of the matrix products for one instruction
// set and element type.
type kernels[T Float] struct {
	lanes   int // elements of a vector
	rows    int // rows of the largest tile
	vectors int // its width, in vectors
	// tiles holds the kernels by vectors − 1 and rows − 1. Where a row is
	// shorter than rows, that width is for matrices with few rows alone.
	tiles [][]func(*tile[T])
	// packing holds those of the full width that also copy B, by rows − 1, or
	// nil where there are none.
	packing       []func(*tile[T])
	packRows      func(*pack[T])
	packColumns   func(*pack[T])
	addRowsKernel func(*pack[T])
	// apply and derive hold the kernels over rows by activation; nil if there is
	// none and plain Go does the work.
	apply, derive [kernel.ActivationKinds]func(*rows[T])
	masks         []mask // masks[n] selects the first n lanes
	// peak does so many rounds of peakWork multiply-adds on peakLanes elements.
	peak      func(rounds int)
	peakLanes int
}

// kernelsOf returns the kernels of the instruction set in use.
func kernelsOf[T Float]() *kernels[T] {
	if size[T]() == 4 {
		return (*kernels[T])(unsafe.Pointer(kernels32[current()]))
	}
	return (*kernels[T])(unsafe.Pointer(kernels64[current()]))
}

// size returns the bytes of an element.
func size[T Float]() int {
	var zero T
	return int(unsafe.Sizeof(zero))
}

// Kernels by variant. Those that the build lacks are nil and never current.
var (
	kernels32 = [...]*kernels[float32]{generic: genericKernels[float32](), avx2: avx2Kernels32, avx512: avx512Kernels32}
	kernels64 = [...]*kernels[float64]{generic: genericKernels[float64](), avx2: avx2Kernels64, avx512: avx512Kernels64}
)

// bitMasks returns the masks of AVX-512 for vectors of so many lanes.
func bitMasks(lanes int) []mask {
	m := make([]mask, lanes+1)
	for n := range m {
		m[n][0] = 1<<n - 1
	}
	return m
}
