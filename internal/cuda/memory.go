//go:build gpu

package cuda

import (
	"errors"
	"fmt"
	"math/bits"
	"os"
	"runtime"
	"slices"
	"sort"
	"time"
	"unsafe"

	"github.com/affine-go/affine/internal/cuda/driver"
	"gorgonia.org/cu"

	"github.com/affine-go/affine/internal/kernel"
)

const (
	// granule is the alignment of every allocation, that of cuMemAlloc.
	granule = 256
	// Smaller allocations share chunks of chunkBytes, larger ones have their own.
	largeBytes = 1 << 20
	chunkBytes = 8 << 20
	// From this much managed memory on, the garbage collector is asked for what
	// it can give back before the memory grows further.
	collectBytes = 256 << 20
)

// pooling is off where AFFINE_CUDA_POOL is 0: every allocation is then one of
// the driver's, so that a memory checker knows where it ends.
var pooling = os.Getenv("AFFINE_CUDA_POOL") != "0"

// pool hands out managed memory, which the host reads under the same address,
// and keeps what comes back for the next to ask.
type pool struct {
	chunks    []chunk // by address
	free      map[int][]uintptr
	used      map[uintptr]int // size of each allocation that is out
	rest      chunk           // of the newest shared chunk
	total     int
	collectAt int
}

type chunk struct {
	addr  uintptr
	bytes int
}

func newPool() pool {
	return pool{free: map[int][]uintptr{}, used: map[uintptr]int{}, collectAt: collectBytes}
}

// sizeClass rounds up to one of eight sizes between powers of two, so that
// memory of nearly the same size can be used again.
func sizeClass(bytes int) int {
	step := granule
	if bytes > 8*granule {
		step = 1 << (bits.Len(uint(bytes-1)) - 4)
	}
	return (bytes + step - 1) / step * step
}

// chunkOf returns the chunk that addr lies in.
func (p *pool) chunkOf(addr uintptr) (chunk, bool) {
	i := sort.Search(len(p.chunks), func(i int) bool { return p.chunks[i].addr > addr })
	if i == 0 {
		return chunk{}, false
	}
	c := p.chunks[i-1]
	return c, addr < c.addr+uintptr(c.bytes)
}

// take returns memory of at least bytes bytes that is free already.
func (p *pool) take(bytes int) (uintptr, bool) {
	class := sizeClass(bytes)
	if f := p.free[class]; len(f) > 0 {
		addr := f[len(f)-1]
		p.free[class] = f[:len(f)-1]
		p.used[addr] = class
		return addr, true
	}
	if class < largeBytes && class <= p.rest.bytes {
		addr := p.rest.addr
		p.rest = chunk{addr + uintptr(class), p.rest.bytes - class}
		p.used[addr] = class
		return addr, true
	}
	return 0, false
}

// grow asks the driver for memory that take can then hand out. The device's
// context must be current.
func (p *pool) grow(bytes int, dev cu.Device) error {
	size := sizeClass(bytes)
	shared := pooling && size < largeBytes
	if shared {
		size = chunkBytes
	}
	// A program that uses more managed memory than the card has free is slowed
	// down beyond use, and with it others on the card.
	if free, _, err := cu.MemInfo(); err != nil {
		return explained(err)
	} else if int64(size) > free {
		return driver.OutOfMemory
	}
	ptr, err := cu.MemAllocManaged(int64(size), cu.AttachGlobal)
	if err != nil {
		return explained(err)
	}
	// Advice only; not every card takes it.
	_ = ptr.MemAdvise(int64(size), cu.SetPreferredLocation, dev)
	c := chunk{uintptr(ptr), size}
	i := sort.Search(len(p.chunks), func(i int) bool { return p.chunks[i].addr > c.addr })
	p.chunks = slices.Insert(p.chunks, i, c)
	p.total += size
	if shared {
		p.rest = c
	} else {
		p.free[size] = append(p.free[size], c.addr)
	}
	return nil
}

// give takes back what take handed out.
func (p *pool) give(addr uintptr) bool {
	class, ok := p.used[addr]
	if ok {
		delete(p.used, addr)
		p.free[class] = append(p.free[class], addr)
	}
	return ok
}

// trim returns large allocations that nobody uses to the driver.
func (p *pool) trim() error {
	for class, addrs := range p.free {
		if pooling && class < largeBytes {
			continue
		}
		for _, addr := range addrs {
			if err := cu.MemFree(cu.DevicePtr(addr)); err != nil {
				return err
			}
			p.chunks = slices.DeleteFunc(p.chunks, func(c chunk) bool { return c.addr == addr })
			p.total -= class
		}
		delete(p.free, class)
	}
	return nil
}

// release returns everything to the driver.
func (p *pool) release() error {
	var first error
	for _, c := range p.chunks {
		if err := cu.MemFree(cu.DevicePtr(c.addr)); err != nil && first == nil {
			first = err
		}
	}
	*p = newPool()
	return first
}

// pointer turns an address of the driver's into a pointer.
func pointer(addr uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&addr)) }

func addressOf[T kernel.Float](data []T) uintptr {
	return uintptr(unsafe.Pointer(unsafe.SliceData(data)))
}

func sizeOf[T kernel.Float]() int {
	var zero T
	return int(unsafe.Sizeof(zero))
}

// Alloc returns n zeroed elements in managed memory.
func (k Kernels[T]) Alloc(n int) ([]T, error) {
	d := k.device
	if n == 0 {
		return []T{}, nil
	}
	bytes := n * sizeOf[T]()
	addr, err := d.allocate(bytes)
	if err != nil {
		return nil, fmt.Errorf("allocate %d bytes on %s: %w", bytes, d.name(), err)
	}
	return unsafe.Slice((*T)(pointer(addr)), n), nil
}

// Free takes memory back that Alloc returned, and ignores any other.
func (k Kernels[T]) Free(data []T) {
	d := k.device
	if cap(data) == 0 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pool.give(addressOf(data))
}

func (d *Device) allocate(bytes int) (uintptr, error) {
	addr, err := d.tryAllocate(bytes, true)
	if err == nil || !isOutOfMemory(err) {
		return addr, err
	}
	collect()
	return d.tryAllocate(bytes, false)
}

// collect lets the garbage collector find tensors that hold managed memory, and
// their cleanups run.
func collect() {
	runtime.GC()
	time.Sleep(2 * time.Millisecond)
}

func (d *Device) tryAllocate(bytes int, mayCollect bool) (uintptr, error) {
	c, err := d.begin()
	if err != nil {
		return 0, err
	}
	addr, ok := d.pool.take(bytes)
	if !ok && mayCollect && d.pool.total+bytes > d.pool.collectAt {
		d.mu.Unlock()
		collect()
		d.mu.Lock()
		if addr, ok = d.pool.take(bytes); !ok {
			d.pool.collectAt = 2 * (d.pool.total + bytes)
		}
	}
	if !ok {
		leave := d.enter()
		err := d.pool.grow(bytes, d.dev)
		if isOutOfMemory(err) {
			// Steps that are under way may use what is about to be freed.
			if err = errors.Join(d.queue.Submit(nil, true), d.pool.trim()); err == nil {
				err = d.pool.grow(bytes, d.dev)
			}
		}
		leave()
		if err != nil {
			c.abandon()
			return 0, err
		}
		addr, _ = d.pool.take(bytes)
	}
	c.clear(uint64(addr), bytes)
	c.host = true // the host may write to it at once
	return addr, c.end()
}
