package cpu

// A pack holds the arguments of a packing kernel, which copies a strip of a
// matrix into the order in which the tile kernels read it. Steps are in bytes.
// The generator of the kernels reads the offsets from this declaration.
//
// packRows keeps the order of the elements and must equal
//
//	for i := range n {
//		for s := range strips {
//			for j := range vectors * lanes {
//				dst(i·dstStep + s·dstNext + j) = src(i·srcStep + s·srcNext + j)
//			}
//		}
//	}
//
// where lanes outside load are zero and not read, and lanes outside save are
// not written. packColumns transposes, and must equal
//
//	for i := range n {
//		for j := range lanes {
//			dst(i·dstStep + j) = rows[j](i)
//		}
//	}
//
// where lanes outside save[0] are not written. n is at least 16 bytes' worth
// of elements.
//
// sumRows adds up rows, and must equal
//
//	for j := range (vectors − 1) * lanes + lanes in load[0] {
//		for i := range n {
//			dst(j) += src(i·srcStep + j)
//		}
//	}
type pack[T Float] struct {
	dst     *T
	dstStep int
	src     *T
	srcStep int
	n       int
	vectors int // 1 or 2; any number for sumRows
	strips  int
	dstNext int
	srcNext int
	load    [2]mask
	save    [2]mask
	rows    [16]*T
}

// A mask selects the first lanes of a vector: bits of the first word for
// AVX-512, signs of the elements for AVX2.
type mask [4]uint64
