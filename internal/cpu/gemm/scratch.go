package gemm

import (
	"sync"
	"unsafe"

	"github.com/affine-go/affine/internal/cpu/arch"
	"github.com/affine-go/affine/internal/kernel"
)

// A pool keeps what calls need, so that a call in steady state allocates
// nothing.
type pool[T kernel.Float] struct{ scratch, calls sync.Pool }

// scratch is what one thread needs while it works on a part of a call.
type scratch[T kernel.Float] struct {
	pool *pool[T]

	tile     tile[T]
	pack     pack[T]
	rows     rows[T]
	dots     dots[T]
	outer    outer[T]
	job      job[T]
	prefetch [2]prefetch[T] // of the next panel of B, and what dZ is made with

	packedA []T // of the call and range of rows that held tells
	packedB []T // panels of B
	panel   []T // one of them
	dz      []T // rows of dZ, all of a small one
	sums    []T // of a block of rows or terms
	rowsOfA []T // of an A whose terms lie in columns

	heldSerial uint64
	heldRange  int
}

var (
	pool32 = newPool[float32]()
	pool64 = newPool[float64]()
)

func newPool[T kernel.Float]() *pool[T] {
	p := new(pool[T])
	p.scratch.New = func() any { return &scratch[T]{pool: p, panel: arch.Alloc[T](kc * panelColumns)} }
	p.calls.New = func() any { return new(call[T]) }
	return p
}

// panelColumns is at least the width of any panel.
const panelColumns = 32

func poolOf[T kernel.Float]() *pool[T] {
	if size[T]() == 4 {
		return (*pool[T])(unsafe.Pointer(pool32))
	}
	return (*pool[T])(unsafe.Pointer(pool64))
}

func takeScratch[T kernel.Float]() *scratch[T] { return poolOf[T]().scratch.Get().(*scratch[T]) }

func (s *scratch[T]) giveBack() { s.pool.scratch.Put(s) }

// grow returns n elements of the buffer, which is made larger if it has to be.
func grow[T kernel.Float](buffer *[]T, n int) []T {
	if len(*buffer) < n {
		*buffer = arch.Alloc[T](n)
	}
	return (*buffer)[:n]
}

// size returns the bytes of an element.
func size[T kernel.Float]() int {
	var zero T
	return int(unsafe.Sizeof(zero))
}

// pointer returns the address of element i, or nil beyond the end of a slice:
// nothing is read there then.
func pointer[T kernel.Float](s []T, i int) *T {
	if i >= len(s) {
		return nil
	}
	return &s[i]
}
