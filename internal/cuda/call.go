//go:build gpu

package cuda

import (
	"fmt"
	"math"
	"runtime"
	"unsafe"

	"github.com/affine-go/affine/internal/cuda/driver"
	"gorgonia.org/cu"

	"github.com/affine-go/affine/internal/kernel"
)

// threads is the number of threads in a block of every kernel.
const threads = 256

// call collects the work of one call of a kernel method: copies of operands
// that lie in host memory, launches, copies of results back. There is one per
// device, guarded by its mutex.
type call struct {
	d    *Device
	work []driver.Work
	back []driver.Work // copies back to host memory, after the work
	host bool          // operands lie in host memory: the call must wait
	pins runtime.Pinner
	err  error // of the first that failed
}

// begin locks the device for one call, until end or abandon.
func (d *Device) begin() (*call, error) {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return nil, errClosed
	}
	c := &d.call
	c.work, c.back, c.host, c.err = c.work[:0], c.back[:0], false, nil
	d.space.used = 0
	return c, nil
}

func (c *call) abandon() {
	c.pins.Unpin()
	c.d.mu.Unlock()
}

// end hands the work to the device and waits for it; within a step it adds the
// work to the step and does not wait.
func (c *call) end() error {
	defer c.abandon()
	return c.endLocked()
}

// endLocked is end, with the device still locked afterwards.
func (c *call) endLocked() error {
	if c.err != nil {
		return c.err
	}
	d := c.d
	if d.steps.active {
		d.steps.work = append(d.steps.work, c.work...)
		if !c.host {
			return nil
		}
		d.steps.work = append(d.steps.work, c.back...)
		return d.steps.flush(d)
	}
	c.work = append(c.work, c.back...)
	return d.queue.Submit(c.work, true)
}

// nothing ends a call that has nothing to do, or that could not begin.
func (c *call) nothing(err error) error {
	if err != nil {
		return err
	}
	return c.end()
}

func (c *call) fail(err error) {
	if c.err == nil {
		c.err = err
	}
}

// launch adds a kernel with a grid of x·y blocks.
func (c *call) launch(k entry, t typed, x, y int, args ...uint64) {
	if c.err != nil {
		return
	}
	f := c.d.lib.known(k, t)
	if f == (cu.Function{}) {
		leave := c.d.enter()
		var err error
		f, err = c.d.lib.function(c.d.cubins, k, t)
		leave()
		if err != nil {
			c.fail(err)
			return
		}
	}
	if x > math.MaxInt32 {
		c.fail(fmt.Errorf("kernel %s: %d blocks are too many", k.name, x))
		return
	}
	w := driver.Work{Kind: driver.Launch, Function: uint64(handle(f)), GridX: uint64(x), GridY: uint64(y), Block: threads}
	copy(w.Args[:], args)
	c.work = append(c.work, w)
}

func (c *call) clear(addr uint64, bytes int) {
	w := driver.Work{Kind: driver.Clear}
	w.Args[0], w.Args[1] = addr, uint64(bytes)
	c.work = append(c.work, w)
}

// collected returns the work that f adds, and leaves it out of the call.
func (c *call) collected(f func()) []driver.Work {
	work := c.work
	c.work = nil
	f()
	work, c.work = c.work, work
	return work
}

// copyIn adds a copy of host memory to the device.
func (c *call) copyIn(to uint64, from unsafe.Pointer, bytes int) {
	c.host = true
	c.pins.Pin(from)
	c.copy(to, uint64(uintptr(from)), bytes)
}

func (c *call) copy(to, from uint64, bytes int) {
	w := driver.Work{Kind: driver.Copy}
	w.Args[0], w.Args[1], w.Args[2] = to, from, uint64(bytes)
	c.work = append(c.work, w)
}

// place is where a matrix lies on the device.
type place struct {
	addr   uint64
	stride uint64
}

// input returns where the device finds m: where it is, in managed memory, or in
// a copy.
func input[T kernel.Float](c *call, m kernel.Matrix[T]) place {
	if p, ok := resident(c, m); ok {
		return p
	}
	return stage(c, m, true, false)
}

// output returns where the device may write m.
func output[T kernel.Float](c *call, m kernel.Matrix[T]) place {
	if p, ok := resident(c, m); ok {
		return p
	}
	return stage(c, m, false, true)
}

// inout returns where the device may read and write m.
func inout[T kernel.Float](c *call, m kernel.Matrix[T]) place {
	if p, ok := resident(c, m); ok {
		return p
	}
	return stage(c, m, true, true)
}

// resident reports where m lies if that is managed memory, or nowhere.
func resident[T kernel.Float](c *call, m kernel.Matrix[T]) (place, bool) {
	if !m.Given() || m.Extent() == 0 {
		return place{stride: uint64(m.Stride)}, true
	}
	addr := addressOf(m.Data)
	_, ok := c.d.pool.chunkOf(addr)
	return place{uint64(addr), uint64(m.Stride)}, ok
}

// stage makes room for m in the workspace, without the gaps between its rows.
func stage[T kernel.Float](c *call, m kernel.Matrix[T], in, out bool) place {
	c.host = true
	size := sizeOf[T]()
	p := place{c.room(m.Rows * m.Cols * size), uint64(m.Cols)}
	host := unsafe.Pointer(unsafe.SliceData(m.Data))
	c.pins.Pin(host)
	hostStride, width := uint64(m.Stride*size), uint64(m.Cols*size)
	if m.Rows == 1 {
		hostStride = width
	}
	move := func(toHost bool) driver.Work {
		to, from := p.addr, uint64(uintptr(host))
		toStride, fromStride := width, hostStride
		if toHost {
			to, from, toStride, fromStride = from, to, fromStride, toStride
		}
		w := driver.Work{Kind: driver.CopyRows}
		if hostStride == width {
			w.Kind = driver.Copy
			w.Args[0], w.Args[1], w.Args[2] = to, from, width*uint64(m.Rows)
			return w
		}
		w.Args = [driver.MaxArgs]uint64{to, toStride, from, fromStride, width, uint64(m.Rows)}
		if toHost {
			w.Args[6] = 1
		}
		return w
	}
	if in {
		c.work = append(c.work, move(false))
	}
	if out {
		c.back = append(c.back, move(true))
	}
	return p
}

// room returns an address in the workspace that is the call's until it ends.
func (c *call) room(bytes int) uint64 {
	addr, err := c.d.space.room(c, bytes)
	if err != nil {
		c.fail(err)
	}
	return addr
}

func float(v float64) uint64 { return math.Float64bits(v) }

func whether(v bool) uint64 {
	if v {
		return 1
	}
	return 0
}

// known returns the function if it has been loaded.
func (l *library) known(k entry, t typed) cu.Function {
	if l.functions[t] == nil {
		return cu.Function{}
	}
	return l.functions[t][k.id]
}

// blocks is the number of blocks for n elements: enough to fill the card a few
// times over, where each thread then takes several elements.
func (d *Device) blocks(n int) int {
	return max(1, min((n+threads-1)/threads, 16*d.processors))
}
