//go:build !purego

package gemm

import "unsafe"

var (
	avx512Kernels32 = &kernels[float32]{
		lanes: 16, mr: 14, nrVectors: 2, tiles: tilesAVX512F32, packing: packingTilesAVX512F32,
		packRows: packRowsAVX512F32, packColumns: packColumnsAVX512F32, addUp: sumRowsAVX512F32, dots: dotsAVX512F32, outer: outer1AVX512F32, outer4: outer4AVX512F32,
		apply: applyAVX512F32, derive: deriveAVX512F32, peak: peakAVX512F32, peakLanes: 16, masks: bitMasks(16),
	}
	avx512Kernels64 = &kernels[float64]{
		lanes: 8, mr: 14, nrVectors: 2, tiles: tilesAVX512F64, packing: packingTilesAVX512F64,
		packRows: packRowsAVX512F64, packColumns: packColumnsAVX512F64, addUp: sumRowsAVX512F64, dots: dotsAVX512F64, outer: outer1AVX512F64, outer4: outer4AVX512F64,
		apply: applyAVX512F64, derive: deriveAVX512F64, peak: peakAVX512F64, peakLanes: 8, masks: bitMasks(8),
	}
	avx2Kernels32 = &kernels[float32]{
		lanes: 8, mr: 6, nrVectors: 2, tiles: tilesAVX2F32, packing: packingTilesAVX2F32,
		packRows: packRowsAVX2F32, packColumns: packColumnsAVX2F32, addUp: sumRowsAVX2F32, dots: dotsAVX2F32, outer: outer1AVX2F32, outer4: outer4AVX2F32,
		apply: applyAVX2F32, derive: deriveAVX2F32, peak: peakAVX2F32, peakLanes: 8, masks: signMasks[int32](8),
	}
	avx2Kernels64 = &kernels[float64]{
		lanes: 4, mr: 6, nrVectors: 2, mc: mcAVX2F64, tiles: tilesAVX2F64, packing: packingTilesAVX2F64,
		packRows: packRowsAVX2F64, packColumns: packColumnsAVX2F64, addUp: sumRowsAVX2F64, dots: dotsAVX2F64, outer: outer1AVX2F64, outer4: outer4AVX2F64,
		apply: applyAVX2F64, derive: deriveAVX2F64, peak: peakAVX2F64, peakLanes: 4, masks: signMasks[int64](4),
	}
)

// What other processors have.
var (
	neonKernels32 *kernels[float32]
	neonKernels64 *kernels[float64]
)

// signMasks returns the masks of AVX2 for 256-bit vectors of elements as wide
// as I.
func signMasks[I int32 | int64](lanes int) []mask {
	m := make([]mask, lanes+1)
	for n := range m {
		element := unsafe.Slice((*I)(unsafe.Pointer(&m[n])), lanes)
		for i := range n {
			element[i] = -1
		}
	}
	return m
}
