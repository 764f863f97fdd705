package cpu

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
type rows[T Float] struct {
	dst       *T
	dstStep   int
	src       *T
	srcStep   int
	saved     *T // what act' is written in
	savedStep int
	n         int
	vectors   int
	rest      int // elements of the last vector
	alpha     T   // slope of LeakyReLU
}
