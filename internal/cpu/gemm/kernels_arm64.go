//go:build !purego

package gemm

var (
	neonKernels32 = &kernels[float32]{
		lanes: 4, mr: 8, nrVectors: 3, tiles: tilesNEONF32, packing: packingTilesNEONF32,
		packRows: packRowsNEONF32, packColumns: packColumnsNEONF32, addUp: sumRowsNEONF32, dots: dotsNEONF32, outer: outer1NEONF32, outer4: outer4NEONF32,
		apply: applyNEONF32, derive: deriveNEONF32, peak: peakNEONF32, peakLanes: 4, masks: countMasks(4),
	}
	neonKernels64 = &kernels[float64]{
		lanes: 2, mr: 8, nrVectors: 3, tiles: tilesNEONF64, packing: packingTilesNEONF64,
		packRows: packRowsNEONF64, packColumns: packColumnsNEONF64, addUp: sumRowsNEONF64, dots: dotsNEONF64, outer: outer1NEONF64, outer4: outer4NEONF64,
		apply: applyNEONF64, derive: deriveNEONF64, peak: peakNEONF64, peakLanes: 2, masks: countMasks(2),
	}
)

// What other processors have.
var (
	avx2Kernels32, avx512Kernels32 *kernels[float32]
	avx2Kernels64, avx512Kernels64 *kernels[float64]
)

// countMasks returns the masks of NEON for vectors of so many lanes.
func countMasks(lanes int) []mask {
	m := make([]mask, lanes+1)
	for n := range m {
		m[n][0] = uint64(n)
	}
	return m
}
