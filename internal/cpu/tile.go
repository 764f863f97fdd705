package cpu

// A tile holds the arguments of a tile kernel, which computes rows × columns
// of C = A·B as one or more tiles on top of each other, keeping each in
// registers until all k products have been added up. The generator of the
// kernels reads the offsets from this declaration.
//
// Every kernel is made for a number of rows and of vectors (columns = vectors
// × lanes) and must equal this loop, where all steps are in bytes:
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
//				Z(i·zStep + j) = sum // where z is not nil
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
type tile[T Float] struct {
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
	// collector does not follow them where they end: behind the data.
	aNow, cNow, zNow, prefetchNow uintptr
	enough                        int // prefetching of C
}

// Values of tile.act: what a kernel can apply to the sums it holds.
const (
	tileIdentity = iota
	tileReLU
	tileLeakyReLU
)
