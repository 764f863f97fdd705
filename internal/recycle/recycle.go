// Package recycle gives the memory of results back to new results, once the
// garbage collector has found that nobody refers to it any more: neither the
// tensor nor any view of its elements.
//
// It is for the machines of Gorgonia, which compute every result into fresh
// memory, run after run. To clear that memory, and to collect the garbage of a
// few runs soon again, would take as long as the products of a batch.
//
// The contract: a [Slice] is the caller's as long as the caller, or anybody,
// refers to any element of it. What stands in a fresh one is not specified, and
// it must be written whole. Pieces below 16 KiB are not recycled, and no more
// than 64 MiB are looked after, in use or not; what is more goes the usual way.
// What nobody asked for in ten seconds is left to the garbage collector.
//
// The environment variable AFFINE_RECYCLE=off turns it off, and so does
// GOGC=off at the start of the program, since nothing would come back then.
package recycle

import (
	"math"
	"os"
	"runtime"
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

const (
	// recycledBytes is from which size on memory is recycled.
	recycledBytes = 16 << 10
	// recyclerLimit is the most bytes that the recycler looks after, be they in
	// use or not. What is more goes the usual way.
	recyclerLimit = 64 << 20
	// recyclerAge is for how long at least memory is kept that nobody asks for.
	recyclerAge = 10 * time.Second
)

// results recycles the memory of what ops return.
var results = recycler{classes: map[int]*sizeClass{}, age: recyclerAge, off: switchedOff()}

// switchedOff reads the switch, and whether the garbage collector is off: then
// nothing would ever come back.
func switchedOff() bool {
	gogc := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	metrics.Read(gogc)
	collectorOff := gogc[0].Value.Kind() == metrics.KindUint64 && gogc[0].Value.Uint64() == math.MaxUint64
	return os.Getenv("AFFINE_RECYCLE") == "off" || collectorOff
}

type recycler struct {
	off     bool
	mu      sync.Mutex
	classes map[int]*sizeClass // by bytes
	bytes   int                // looked after
	watched bool               // collected is called after each collection
	age     time.Duration
	trimmed time.Time // when memory was last given away

	poisoned atomic.Bool
}

// A sizeClass is memory of one size.
type sizeClass struct {
	free  []*byte
	spare int // of free, not needed since the recycler was trimmed
	inUse int
	// takeBack is the finalizer of memory in use.
	takeBack func(*byte)
}

// Slice returns n elements. What stands there is not specified.
func Slice[T float32 | float64](n int) []T {
	var zero T
	bytes := n * int(unsafe.Sizeof(zero))
	var s []T
	if p := results.take(bytes); p != nil {
		s = unsafe.Slice((*T)(unsafe.Pointer(p)), n)
	} else {
		s = make([]T, n)
	}
	if results.poisoned.Load() {
		poison((*byte)(unsafe.Pointer(unsafe.SliceData(s))), bytes)
	}
	return s
}

// Poison lets every slice that [Slice] returns hold NaN, and memory that comes
// back too, until restore is called. It is for tests: results that are not
// written whole, or read when nobody refers to them any more, cannot stay
// unnoticed.
func Poison() (restore func()) {
	results.poisoned.Store(true)
	return func() { results.poisoned.Store(false) }
}

// poison sets all bits, which is NaN in every type of floating-point numbers.
func poison(p *byte, bytes int) {
	memory := unsafe.Slice(p, bytes)
	for i := range memory {
		memory[i] = 0xff
	}
}

// State is what a recycler looks after.
type State struct {
	Bytes       int // of all pieces
	Free, InUse int // pieces
}

// Now returns the state of the recycler behind Slice.
func Now() State { return results.state() }

func (r *recycler) state() (s State) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s.Bytes = r.bytes
	for _, class := range r.classes {
		s.Free += len(class.free)
		s.InUse += class.inUse
	}
	return s
}

// take returns memory, or nil if it is not worth recycling or too much.
func (r *recycler) take(bytes int) *byte {
	if bytes < recycledBytes || r.off {
		return nil
	}
	class, p := r.reserve(bytes)
	if class == nil {
		return nil
	}
	if p == nil {
		p = unsafe.SliceData(make([]byte, bytes))
	}
	runtime.SetFinalizer(p, class.takeBack)
	return p
}

// reserve counts memory in, and returns some if there is any free. The class is
// nil if it would be too much.
func (r *recycler) reserve(bytes int) (class *sizeClass, p *byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	class = r.classes[bytes]
	switch {
	case class != nil && len(class.free) > 0:
		last := len(class.free) - 1
		p = class.free[last]
		class.free[last] = nil // or it would never be found unused
		class.free = class.free[:last]
		class.spare = min(class.spare, last)
	case r.bytes+bytes > recyclerLimit:
		return nil, nil
	default:
		r.bytes += bytes
		if class == nil {
			class = &sizeClass{}
			class.takeBack = func(p *byte) {
				if r.poisoned.Load() {
					poison(p, bytes)
				}
				r.takeBack(class, p)
			}
			r.classes[bytes] = class
		}
	}
	class.inUse++
	if !r.watched {
		r.watched = true
		r.trimmed = time.Now()
		runtime.SetFinalizer(new(collection), r.collected)
	}
	return class, p
}

func (r *recycler) takeBack(class *sizeClass, p *byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	class.inUse--
	class.free = append(class.free, p)
}

// A collection is garbage that tells of the garbage collector's work.
type collection struct{ _ [16]byte }

// collected is called after each collection. Now and then it leaves to the
// garbage collector what was not needed since it last did so.
func (r *recycler) collected(c *collection) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := time.Now(); now.Sub(r.trimmed) >= r.age {
		r.trimmed = now
		r.trim()
	}
	r.watched = len(r.classes) > 0
	if r.watched {
		runtime.SetFinalizer(c, r.collected)
	}
}

func (r *recycler) trim() {
	for bytes, class := range r.classes {
		keep := len(class.free) - class.spare
		clear(class.free[keep:])
		class.free = class.free[:keep]
		r.bytes -= class.spare * bytes
		class.spare = keep
		if keep+class.inUse == 0 {
			delete(r.classes, bytes)
		}
	}
}
