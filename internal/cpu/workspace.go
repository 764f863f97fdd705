package cpu

import (
	"sync"
	"unsafe"
)

// A pool keeps what calls need, so that a call in steady state allocates
// nothing.
type pool[T Float] struct{ scratch, calls sync.Pool }

// scratch is what one thread needs while it works on a part of a call.
type scratch[T Float] struct {
	tile  tile[T]
	pack  pack[T]
	rows  rows[T]
	work  workplace[T]
	ahead [2]walk[T] // over the next panel of B, and its gate

	a     []T // packed A: of the call and range of rows that held tells
	b     []T // packed panels of B
	panel []T // one of them
	dz    []T // rows of dZ, all of a small one
	sums  []T // of a block of rows

	heldSerial uint64
	heldRange  int
}

var (
	pool32 = newPool[float32]()
	pool64 = newPool[float64]()
)

func newPool[T Float]() *pool[T] {
	return &pool[T]{
		scratch: sync.Pool{New: func() any {
			return &scratch[T]{panel: Alloc[T](depthBlock * panelColumns)}
		}},
		calls: sync.Pool{New: func() any { return new(call[T]) }},
	}
}

// panelColumns is at least the width of any panel.
const panelColumns = 32

func poolOf[T Float]() *pool[T] {
	if size[T]() == 4 {
		return (*pool[T])(unsafe.Pointer(pool32))
	}
	return (*pool[T])(unsafe.Pointer(pool64))
}

// room returns n elements of the buffer, which grows when it has to.
func room[T Float](buffer *[]T, n int) []T {
	if len(*buffer) < n {
		*buffer = Alloc[T](n)
	}
	return (*buffer)[:n]
}
