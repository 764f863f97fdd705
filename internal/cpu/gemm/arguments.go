package gemm

import "github.com/affine-go/affine/internal/kernel"

// The arguments of the assembly, one struct for each kind of kernel, with the
// Go loop that the kernel must equal. The generator reads the offsets of the
// fields from these declarations.

// A tile holds the arguments of a micro-kernel, which computes rows × columns
// of C = A·B as one or more tiles on top of each other, keeping each in
// registers until all k products have been added up.
//
// Every kernel is made for a number of rows and of vectors (columns = vectors
// × lanes) and must equal this loop, with all steps in bytes:
//
//	for range tiles {
//		for i := range rows {
//			for j := range columns {
//				sum := bias[j] // or 0
//				for p := range k {
//					sum += A(i·rowStep + p·colStep) * B(p·bStep + j)
//					pack(p·columns + j) = B(p·bStep + j) // packing kernels
//				}
//				if add {
//					sum += C(i·cStep + j)
//				}
//				Z(i·zStep + j) = sum // if z is not nil
//				C(i·cStep + j) = act(sum)
//			}
//		}
//		A, C, Z = A + tileStep, C + rows·cStep, Z + rows·zStep
//	}
//
// Columns of the last vector that mask leaves out are neither read nor
// written, in B, bias, C and Z alike. Only B may be read there where whole
// says so, which is faster: a load with a mask takes a slot of the arithmetic
// units. a, c, z, tiles and prefetch are left where the work ended.
type tile[T kernel.Float] struct {
	a        *T
	rowStep  int
	colStep  int
	tileStep int
	k        int

	b     *T
	bStep int
	bias  *T
	whole int // k, or 0: the last vector of B has no lanes that must not be read

	pack *T // where the packing kernels copy B to

	c     *T
	cStep int
	z     *T
	zStep int

	tiles int
	add   int // 0 or 1
	act   int // one of the tile constants below

	// What the next call will need is asked for while this one computes: two
	// cache lines in each turn of the loop over k, prefetchStep apart, and
	// from prefetchTile further in the next tile.
	prefetch     *T
	prefetchStep int
	prefetchTile int

	mask  mask // lanes of the last vector
	alpha T

	// The assembly keeps its place here. These are no pointers, so that the
	// collector does not follow them past the end of the data.
	//lint:ignore U1000 read and written by the assembly
	aNow, cNow, zNow, prefetchNow uintptr
	//lint:ignore U1000 read and written by the assembly
	enough int // prefetching of C
}

// Values of tile.act: what a kernel can apply to the sums it holds.
const (
	tileIdentity = iota
	tileReLU
	tileLeakyReLU
)

// A pack holds the arguments of a packing kernel, which copies a strip of a
// matrix into the order in which the micro-kernels read it. Steps are in bytes.
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
// where lanes outside load are zero and not read, and lanes outside save are not
// written: the first mask is that of a single vector, or of the first of two, the
// second that of the last of several. packColumns transposes, and must equal
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
type pack[T kernel.Float] struct {
	dst     *T
	dstStep int
	src     *T
	srcStep int
	n       int
	vectors int // 1 or 2, or up to 4 for NEON; any number for sumRows
	strips  int
	dstNext int
	srcNext int
	load    [2]mask
	save    [2]mask
	rows    [16]*T
}

// A dots holds the arguments of a kernel for the gradients of few rows, which
// must equal, but for the order in which terms are added,
//
//	for i := range 2 {
//		for j := range 4 {
//			for p := range (vectors − 1) * lanes + lanes in mask {
//				sums[4*i+j] += a[i](p) * b[j](p) // sums start at 0
//			}
//		}
//	}
//
// vectors is positive.
type dots[T kernel.Float] struct {
	a       [2]*T
	b       [4]*T
	vectors int
	mask    mask
	sums    [8]T
}

// An outer holds the arguments of a kernel for sums of few terms, which computes
// some whole rows of C. It is made for a number of rows and must equal, with
// steps in bytes and columns = (vectors − 1) · lanes + lanes in mask,
//
//	for i := range rows {
//		for j := range columns {
//			sum := C(i·cStep + j) // or 0, without add
//			for p := range k {
//				sum += A(i·rowStep + p·colStep) * B(p·bStep + j)
//			}
//			C(i·cStep + j) = sum
//		}
//	}
//
// k and vectors are positive.
type outer[T kernel.Float] struct {
	a       *T
	rowStep int
	colStep int
	b       *T
	bStep   int
	c       *T
	cStep   int
	k       int
	vectors int
	mask    mask
	add     int // 0 or 1
}

// A mask selects the first lanes of a vector: bits of the first word for
// AVX-512, signs of the elements for AVX2, and their number for NEON.
type mask [4]uint64

// rows holds the arguments of a kernel that goes over part of a matrix, row by
// row. Steps are in bytes. The generator of the kernels reads the offsets from
// this declaration. With columns = (vectors − 1) · lanes + rest, the kernels
// must equal
//
//	for i := range n {
//		for j := range columns {
//			dst(i·dstStep + j) = act(src(i·srcStep + j)) // apply
//			dst(i·dstStep + j) = src(i·srcStep + j) * act'(saved(i·savedStep + j)) // derive
//		}
//	}
//
// derive fills up the last vector of dst with zeros. n and vectors are
// positive.
type rows[T kernel.Float] struct {
	dst       *T
	dstStep   int
	src       *T
	srcStep   int
	saved     *T // what act' is written in
	savedStep int
	n         int
	vectors   int
	rest      int // elements of the last vector
	alpha     T   // slope of kernel.LeakyReLU
}
