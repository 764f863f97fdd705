package cpu

import "unsafe"

// cacheLine is the line size of the processors that the kernels are made for,
// and the width of an AVX-512 register: loads from aligned data never straddle
// two lines.
const cacheLine = 64

// Alloc returns n zeroed elements that start on a cache line.
func Alloc[T Float](n int) []T {
	var zero T
	size := int(unsafe.Sizeof(zero))
	pad := cacheLine / size
	data := make([]T, n+pad-1)
	first := 0
	if rest := int(uintptr(unsafe.Pointer(unsafe.SliceData(data))) % cacheLine); rest != 0 {
		first = (cacheLine - rest) / size
	}
	return data[first : first+n : first+n]
}
