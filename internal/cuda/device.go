//go:build gpu

package cuda

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"runtime"
	"sync"
	"unsafe"

	"github.com/affine-go/affine/internal/cuda/driver"
	"gorgonia.org/cu"
)

// Device is one card: its primary context, one stream on which everything
// happens in order, the memory and the kernels. It is safe for concurrent use.
type Device struct {
	number      int
	description string
	processors  int // multiprocessors
	sharedMost  int // bytes of shared memory that a block may have

	mu        sync.Mutex
	closed    bool
	dev       cu.Device
	ctx       cu.CUContext
	stream    cu.Stream
	queue     driver.Queue
	lib       library
	pool      pool
	call      call
	space     workspace
	lt        *driver.Lt
	noLt      error // why there is no cublasLt
	ltPlans   map[driver.LtKey]*driver.LtPlan
	byLt      map[backwardKey]bool // whether cublasLt is faster
	precision precision
	fuses     bool // whole steps of small models into one kernel; see small_step.go
	warned    bool // of large products without cublasLt
	cubins    string
	steps     steps
	// results is pinned host memory that the kernels with one number as their
	// result write it to.
	results []float64
	// words is pinned host memory for what the kernel of an optimizer reads.
	words []int64
}

var errClosed = errors.New("device is closed")

// Count returns the number of cards, or why there are none.
func Count() (int, error) {
	if err := driver.Open(); err != nil {
		return 0, err
	}
	n, err := cu.NumDevices()
	return n, explained(err)
}

// Open opens card number, counted from 0.
func Open(number int) (*Device, error) {
	n, err := Count()
	if err != nil {
		return nil, err
	}
	if number >= n {
		return nil, fmt.Errorf("there is no card %d, want one of the %d cards, counted from 0", number, n)
	}
	d := &Device{number: number, fuses: os.Getenv("AFFINE_CUDA_FUSE") != "0", pool: newPool()}
	d.call.d = d
	if err := d.open(); err != nil {
		d.Close()
		return nil, explained(err)
	}
	return d, nil
}

func (d *Device) open() (err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if d.dev, err = cu.GetDevice(d.number); err != nil {
		return err
	}
	major, minor, err := d.capability()
	if err != nil {
		return err
	}
	if major < 7 {
		return fmt.Errorf("the card has compute capability %d.%d, want at least 7.0", major, minor)
	}
	if d.processors, err = d.dev.Attribute(cu.MultiprocessorCount); err != nil {
		return err
	}
	const sharedMemoryPerBlockOptin = cu.DeviceAttribute(97)
	if d.sharedMost, err = d.dev.Attribute(sharedMemoryPerBlockOptin); err != nil {
		return err
	}
	if managed, err := d.dev.Attribute(cu.ManagedMemory); err != nil || managed == 0 {
		return errors.Join(errors.New("the card has no managed memory"), err)
	}
	// The host reads results while later work runs. A card that cannot have that,
	// as under Windows and its Linux subsystem, faults.
	if concurrent, err := d.dev.Attribute(cu.ConcurrentManagedAccess); err != nil || concurrent == 0 {
		return errors.Join(errors.New("host and card cannot use managed memory at the same time, "+
			"as under Windows and WSL; want Linux and a card that can"), err)
	}
	d.cubins = cubinsFor(major, minor)
	name, err := d.dev.Name()
	if err != nil {
		return err
	}
	d.description = fmt.Sprintf("%s, compute capability %d.%d, %d multiprocessors", name, major, minor, d.processors)
	ctx, err := d.dev.RetainPrimaryCtx()
	if err != nil {
		return err
	}
	d.ctx = ctx
	if err := cu.SetCurrentContext(ctx); err != nil {
		return err
	}
	if d.stream, err = cu.MakeStream(cu.NonBlocking); err != nil {
		return err
	}
	d.queue = driver.Queue{Context: handle(d.ctx), Stream: handle(d.stream)}
	if d.results, err = pinned[float64](resultSlots); err != nil {
		return err
	}
	if d.words, err = pinned[int64](updateHead + updateWords); err != nil {
		return err
	}
	if err := d.space.start(d.queue); err != nil {
		return err
	}
	d.lt, d.noLt = driver.OpenLt()
	return nil
}

func (d *Device) capability() (major, minor int, err error) {
	if major, err = d.dev.Attribute(cu.ComputeCapabilityMajor); err == nil {
		minor, err = d.dev.Attribute(cu.ComputeCapabilityMinor)
	}
	return
}

// handle returns the driver's handle in a value of cu's, all of which are
// structs of just that.
func handle[H cu.CUContext | cu.Stream | cu.Function](h H) uintptr {
	return *(*uintptr)(unsafe.Pointer(&h))
}

// pinned returns n elements of pinned host memory that kernels can reach.
func pinned[E any](n int) ([]E, error) {
	var zero E
	p, err := driver.HostAlloc(n * int(unsafe.Sizeof(zero)))
	if err != nil {
		return nil, err
	}
	s := unsafe.Slice((*E)(p), n)
	clear(s)
	return s, nil
}

func unpin[E any](s []E) error {
	if s == nil {
		return nil
	}
	return driver.HostFree(unsafe.Pointer(unsafe.SliceData(s)))
}

// enter makes the device's context current for calls of cu, until leave is called.
func (d *Device) enter() (leave func()) {
	runtime.LockOSThread()
	// What fails here fails again, and is reported, in the calls that follow.
	_ = cu.SetCurrentContext(d.ctx)
	return runtime.UnlockOSThread
}

func (d *Device) name() string { return fmt.Sprintf("cuda:%d", d.number) }

// Number is the number that Open was given.
func (d *Device) Number() int { return d.number }

// Description names the card and tells its compute capability.
func (d *Device) Description() string { return d.description }

// Sync waits for all work handed to the device.
func (d *Device) Sync() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return errClosed
	}
	if err := d.steps.flush(d); err != nil {
		return err
	}
	return d.queue.Submit(nil, true)
}

// Close waits for all work and releases what the device holds. Memory that it
// handed out must not be touched any more. Closing twice is an error.
func (d *Device) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return errClosed
	}
	d.closed = true
	if d.ctx == (cu.CUContext{}) {
		return nil
	}
	leave := d.enter()
	defer leave()
	var first error
	keep := func(what string, err error) {
		if err != nil && first == nil {
			first = fmt.Errorf("%s: %w", what, explained(err))
		}
	}
	if d.stream != (cu.Stream{}) {
		keep("wait", d.queue.Submit(nil, true))
	}
	keep("release graphs", d.steps.release())
	d.lt.Close()
	keep("release memory", d.pool.release())
	keep("release workspace", d.space.release())
	keep("release pinned memory", errors.Join(unpin(d.results), unpin(d.words)))
	keep("unload kernels", d.lib.unload())
	if d.stream != (cu.Stream{}) {
		keep("destroy stream", d.stream.Destroy())
	}
	keep("release context", d.dev.ReleasePrimaryCtx())
	return first
}

// Info is what a person may want to know of a card besides its description.
type Info struct {
	FreeBytes, TotalBytes int64
	Driver                string // the newest CUDA that the driver supports
	CublasLt              string // the library in use, or "none" and why
	Kernels               string // how the kernels come to the card
}

// Info tells what was found.
func (d *Device) Info() (Info, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return Info{}, errClosed
	}
	leave := d.enter()
	defer leave()
	free, total, err := cu.MemInfo()
	if err != nil {
		return Info{}, explained(err)
	}
	v := cu.Version()
	lt := d.lt.String()
	if d.noLt != nil {
		lt += ": " + d.noLt.Error()
	}
	kernels := "compiled for it by the driver"
	if d.cubins != "" && d.lib.compiled == 0 {
		kernels = "as machine code for " + d.cubins
	}
	return Info{
		FreeBytes: free, TotalBytes: total, Driver: fmt.Sprintf("CUDA %d.%d", v/1000, v%1000/10), CublasLt: lt, Kernels: kernels,
	}, nil
}

// precision is what the factors of large float32 products are rounded to.
type precision int

const (
	precisionHighest precision = iota // not at all
	precisionHigh                     // TF32: 10 bits of mantissa
	precisionMedium                   // bfloat16: 7 bits of mantissa
)

// SetMatmulPrecision takes PyTorch's names: highest, high or medium. The latter
// two take cublasLt.
func (d *Device) SetMatmulPrecision(name string) error {
	p, known := map[string]precision{"highest": precisionHighest, "high": precisionHigh, "medium": precisionMedium}[name]
	if !known {
		return fmt.Errorf("matmul precision is %q, want highest, high or medium", name)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if p != precisionHighest && !d.lt.Available() {
		return fmt.Errorf("matmul precision %s needs cublasLt, and there is none: %w", name, d.noLt)
	}
	d.precision = p
	return nil
}

func isOutOfMemory(err error) bool { return errors.Is(err, driver.OutOfMemory) }

// explained turns an error of cu's, which is a number with a name, into one
// with the driver's own words.
func explained(err error) error {
	if code := reflect.ValueOf(err); code.Kind() == reflect.Int {
		return driver.Error(code.Int())
	}
	return err
}
