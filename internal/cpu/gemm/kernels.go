package gemm

import (
	"unsafe"

	"github.com/affine-go/affine/internal/cpu/arch"
	"github.com/affine-go/affine/internal/kernel"
)

// kernels are the innermost loops of the matrix products for one instruction set
// and element type. A new instruction set needs one of these for float32 and one
// for float64, entered in the tables below, and a name in package arch.
type kernels[T kernel.Float] struct {
	lanes     int    // elements of a vector
	mr        int    // BLIS's MR: rows of the largest tile
	nrVectors int    // its width, NR, in vectors
	mc        int    // BLIS's MC, or 0 for what most have
	masks     []mask // masks[n] selects the first n lanes

	// tiles holds the micro-kernels by vectors − 1 and rows − 1. If there are
	// fewer than MR rows for a width, that is for matrices with few rows alone.
	tiles [][]func(*tile[T])
	// packing holds those of the full width that also pack B, by rows − 1; nil
	// if there is none.
	packing []func(*tile[T])

	packRows    func(*pack[T])
	packColumns func(*pack[T])
	addUp       func(*pack[T])

	// For products of few rows or terms; nil if there are none. outer computes
	// one row and outer4 four.
	dots          func(*dots[T])
	outer, outer4 func(*outer[T])

	// addProduct computes y += x·B, the rows of B step elements apart; nil but in
	// plain Go.
	addProduct func(y, x, b []T, step int)

	// apply and derive hold the kernels over rows by activation; nil if there is
	// none and package elementwise does the work.
	apply, derive [kernel.ActivationKinds]func(*rows[T])

	// peak does so many rounds of peakWork multiply-adds on peakLanes elements.
	peak      func(rounds int)
	peakLanes int
}

// nr is BLIS's NR: the columns of a panel.
func (k *kernels[T]) nr() int { return k.nrVectors * k.lanes }

// The kernels by instruction set. Those that the build lacks are nil and never
// current.
var (
	kernels32 = [arch.Sets]*kernels[float32]{arch.Generic: genericKernels[float32](), arch.AVX2: avx2Kernels32, arch.AVX512: avx512Kernels32, arch.NEON: neonKernels32}
	kernels64 = [arch.Sets]*kernels[float64]{arch.Generic: genericKernels[float64](), arch.AVX2: avx2Kernels64, arch.AVX512: avx512Kernels64, arch.NEON: neonKernels64}
)

// kernelsOf returns the kernels of the instruction set in use.
func kernelsOf[T kernel.Float]() *kernels[T] {
	if size[T]() == 4 {
		return (*kernels[T])(unsafe.Pointer(kernels32[arch.Current()]))
	}
	return (*kernels[T])(unsafe.Pointer(kernels64[arch.Current()]))
}

// tileActivation returns what the micro-kernels are told to apply.
func tileActivation(k kernel.ActivationKind) int {
	switch k {
	case kernel.ReLU:
		return tileReLU
	case kernel.LeakyReLU:
		return tileLeakyReLU
	}
	return tileIdentity
}

// bitMasks returns the masks of AVX-512 for vectors of so many lanes.
func bitMasks(lanes int) []mask {
	m := make([]mask, lanes+1)
	for n := range m {
		m[n][0] = 1<<n - 1
	}
	return m
}
