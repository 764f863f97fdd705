package arch

import (
	"unsafe"

	"github.com/affine-go/affine/internal/kernel"
)

// CacheLine is the line size of the processors that the kernels are made for,
// and the width of an AVX-512 register: loads from aligned data never straddle
// two lines.
const CacheLine = 64

// Size returns the bytes of an element.
func Size[T kernel.Float]() int {
	var zero T
	return int(unsafe.Sizeof(zero))
}

// Alloc returns n zeroed elements that start on a cache line.
func Alloc[T kernel.Float](n int) []T {
	pad := CacheLine / Size[T]()
	data := make([]T, n+pad-1)
	first := 0
	if rest := int(uintptr(unsafe.Pointer(unsafe.SliceData(data))) % CacheLine); rest != 0 {
		first = (CacheLine - rest) / Size[T]()
	}
	return data[first : first+n : first+n]
}
