package cpu

import (
	"sync"
	"unsafe"
)

// A pool keeps what calls need, so that a call in steady state allocates
// nothing.
type pool[T Float] struct{ scratch, forward, backward sync.Pool }

var (
	pool32 = newPool[float32]()
	pool64 = newPool[float64]()
)

func newPool[T Float]() *pool[T] {
	return &pool[T]{
		scratch: sync.Pool{New: func() any {
			return &scratch[T]{panel: Alloc[T](depthBlock * panelColumns)}
		}},
		forward:  sync.Pool{New: func() any { return new(forward[T]) }},
		backward: sync.Pool{New: func() any { return new(backward[T]) }},
	}
}

func poolOf[T Float]() *pool[T] {
	if size[T]() == 4 {
		return (*pool[T])(unsafe.Pointer(pool32))
	}
	return (*pool[T])(unsafe.Pointer(pool64))
}

// panelColumns is the widest panel that any kernel works on.
const panelColumns = 32

// room returns n elements of the buffer, which grows when it has to.
func room[T Float](buffer *[]T, n int) []T {
	if len(*buffer) < n {
		*buffer = Alloc[T](n)
	}
	return (*buffer)[:n]
}

// forget drops the references to the caller's memory.
func (p *product[T]) forget() { *p = product[T]{} }

// limits are amounts of work, in multiply-adds.
var limits = struct {
	// direct: up to here a call reads its operands as they lie, in one thread.
	direct int
	// parallel: from here on a call uses several threads.
	parallel int
}{1 << 18, 1 << 19}

// spread runs a task of n parts, on several threads where the work is worth
// it.
func spread(work, n int, t task) {
	if work < limits.parallel {
		t.run(0, n)
		return
	}
	parallelTask(n, 1, t)
}
