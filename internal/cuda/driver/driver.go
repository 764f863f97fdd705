//go:build gpu

package driver

// #cgo CFLAGS: -I/usr/local/cuda/include -Wno-deprecated-declarations
// #cgo LDFLAGS: -Wl,--as-needed -ldl
// #include "driver.h"
import "C"

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unsafe"
)

// Kinds of Work.
const (
	Launch   = C.AFFINE_LAUNCH    // a kernel
	Copy     = C.AFFINE_COPY      // to, from, bytes
	CopyRows = C.AFFINE_COPY_ROWS // to, its stride, from, its stride, bytes of a row, rows, 1 if to is the host's
	Clear    = C.AFFINE_CLEAR     // to, bytes
	Product  = C.AFFINE_PRODUCT   // by cublasLt: see LtPlan.Work
)

// MaxArgs is the largest number of arguments of a kernel.
const MaxArgs = C.AFFINE_ARGS

// Work is a piece of work for a stream: a kernel with its grid, block and
// arguments, each in a slot of 8 bytes, or a copy. Pointers to Go memory among
// the arguments must be pinned.
type Work struct {
	Kind, Function      uint64
	GridX, GridY, Block uint64
	Shared              uint64 // bytes of dynamic shared memory
	Args                [MaxArgs]uint64
}

// Queue is a stream with the context that it belongs to.
type Queue struct{ Context, Stream uintptr }

// Open loads the driver and initialises it, once. The error says what is missing.
func Open() error {
	switch code := C.affine_open(); code {
	case C.CUDA_SUCCESS:
		return nil
	case -1:
		return errors.New("no NVIDIA driver: libcuda.so.1 cannot be loaded")
	default:
		return fmt.Errorf("the NVIDIA driver does not start: %w", result(C.CUresult(code)))
	}
}

// Error is an error code of the driver.
type Error int

func (e Error) Error() string {
	return fmt.Sprintf("CUDA error %d, %s", int(e), C.GoString(C.affine_error(C.CUresult(e))))
}

// OutOfMemory reports that memory could not be allocated.
const OutOfMemory = Error(C.CUDA_ERROR_OUT_OF_MEMORY)

func result(code C.CUresult) error {
	if code == C.CUDA_SUCCESS {
		return nil
	}
	return Error(code)
}

func (q Queue) context() C.uintptr_t { return C.uintptr_t(q.Context) }
func (q Queue) stream() C.uintptr_t  { return C.uintptr_t(q.Stream) }

func first(work []Work) *C.affine_work {
	return (*C.affine_work)(unsafe.Pointer(unsafe.SliceData(work)))
}

// Submit hands work to the stream and, with wait, waits until all work of the
// stream is done.
func (q Queue) Submit(work []Work, wait bool) error {
	w := C.int(0)
	if wait {
		w = 1
	}
	return result(C.affine_submit(q.context(), q.stream(), first(work), C.int(len(work)), w))
}

// Time returns how many milliseconds work takes on the stream.
func (q Queue) Time(work []Work) (float64, error) {
	var ms C.float
	err := result(C.affine_time(q.context(), q.stream(), first(work), C.int(len(work)), &ms))
	return float64(ms), err
}

// Load loads a module, PTX that ends with a zero byte or a cubin, for the
// current context, and returns its handle. The error has the driver's log.
func Load(image []byte) (uintptr, error) {
	log := make([]byte, 4096)
	var module C.CUmodule
	code := C.affine_load(unsafe.Pointer(unsafe.SliceData(image)), &module, (*C.char)(unsafe.Pointer(&log[0])), C.uint(len(log)))
	if code == C.CUDA_SUCCESS {
		return uintptr(unsafe.Pointer(module)), nil
	}
	said := strings.TrimSpace(string(log[:max(0, bytes.IndexByte(log, 0))]))
	if said == "" {
		return 0, result(code)
	}
	return 0, fmt.Errorf("%w: %s", result(code), strings.Join(strings.Fields(said), " "))
}

// AllowShared lets launches of a function ask for that many bytes of dynamic
// shared memory. The context must be current.
func AllowShared(function uintptr, bytes int) error {
	return result(C.affine_allow_shared(C.uintptr_t(function), C.int(bytes)))
}

// Graph is a captured sequence of work.
type Graph uintptr

// Capture records work as a graph, without running it.
func (q Queue) Capture(work []Work) (Graph, error) {
	var exec C.uintptr_t
	err := result(C.affine_capture(q.context(), q.stream(), first(work), C.int(len(work)), &exec))
	return Graph(exec), err
}

// Replay runs a graph on the stream, without waiting.
func (q Queue) Replay(g Graph) error {
	return result(C.affine_replay(q.context(), q.stream(), C.uintptr_t(g)))
}

// Destroy releases the graph. The context must be current.
func (g Graph) Destroy() error {
	return result(C.affine_destroy(C.uintptr_t(g)))
}

// HostAlloc returns pinned host memory that the device can reach under the same
// address. The context must be current. HostFree gives it back.
func HostAlloc(bytes int) (unsafe.Pointer, error) {
	var p unsafe.Pointer
	err := result(C.affine_host_alloc(&p, C.size_t(bytes)))
	return p, err
}

// HostFree frees what HostAlloc returned.
func HostFree(p unsafe.Pointer) error { return result(C.cuMemFreeHost(p)) }
