//go:build linux && (amd64 || arm64) && !nompi

package mpi

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"unsafe"

	"github.com/ebitengine/purego"
)

// shared is an MPI library that was opened at run time. Open MPI and MPICH have
// the same functions, but handles are addresses in the one and numbers in the
// other.
type shared struct {
	text        string // its version
	world       uintptr
	byteType    uintptr
	ignored     uintptr // MPI_STATUS_IGNORE
	initThread  uintptr
	commRank    uintptr
	commSize    uintptr
	sendrecv    uintptr
	bcast       uintptr
	errorString uintptr
	finalize    uintptr
	abortAll    uintptr
}

// settings are what a Go program needs of the libraries, some of which read them
// as they are loaded, unless the environment says otherwise: faults are Go's to
// handle, memory that Go gives back to the system must not stay known to a
// network card, and a rank that waits leaves the processor to those that compute.
var settings = map[string]string{
	"OMPI_MCA_opal_signal":         "",
	"OMPI_MCA_mpi_leave_pinned":    "0",
	"OMPI_MCA_mpi_yield_when_idle": "1",
	"UCX_ERROR_SIGNALS":            "",
	"UCX_MEM_EVENTS":               "no",
}

// load opens the first of the libraries that is there.
func (l *launch) load() (library, error) {
	for name, value := range settings {
		if _, ok := os.LookupEnv(name); !ok {
			os.Setenv(name, value)
		}
	}
	var first error
	for _, name := range l.libraries {
		// Open MPI's plugins look for its symbols among the global ones.
		handle, err := purego.Dlopen(name, purego.RTLD_NOW|purego.RTLD_GLOBAL)
		if err == nil {
			lib, err := newShared(handle)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			return lib, nil
		}
		if first == nil || !strings.Contains(err.Error(), "No such file") {
			first = err
		}
	}
	return nil, fmt.Errorf("%s started this process (%s is set), but no MPI library can be opened, tried %s: %v; install one, such as Debian's openmpi-bin, or name its folder in LD_LIBRARY_PATH",
		l.name, l.variable, strings.Join(l.libraries, ", "), first)
}

func newShared(handle uintptr) (*shared, error) {
	s := &shared{}
	var version uintptr
	for _, f := range []struct {
		name string
		to   *uintptr
	}{
		{"MPI_Get_library_version", &version}, {"MPI_Init_thread", &s.initThread}, {"MPI_Comm_rank", &s.commRank},
		{"MPI_Comm_size", &s.commSize}, {"MPI_Sendrecv", &s.sendrecv}, {"MPI_Bcast", &s.bcast},
		{"MPI_Error_string", &s.errorString}, {"MPI_Finalize", &s.finalize}, {"MPI_Abort", &s.abortAll},
	} {
		var err error
		if *f.to, err = purego.Dlsym(handle, f.name); err != nil {
			return nil, err
		}
	}
	text := make([]byte, 1<<14) // MPI_MAX_LIBRARY_VERSION_STRING is 256 in the one, 8192 in the other
	var n int32
	s.call(version, uintptr(unsafe.Pointer(&text[0])), uintptr(unsafe.Pointer(&n)))
	runtime.KeepAlive(text)
	s.text = strings.TrimRight(string(text[:max(n, 0)]), "\x00")
	switch {
	case strings.HasPrefix(s.text, "Open MPI"):
		for _, h := range []struct {
			name string
			to   *uintptr
		}{{"ompi_mpi_comm_world", &s.world}, {"ompi_mpi_byte", &s.byteType}} {
			var err error
			if *h.to, err = purego.Dlsym(handle, h.name); err != nil {
				return nil, err
			}
		}
	case strings.Contains(s.text, "MPICH"), strings.Contains(s.text, "Intel(R) MPI"), strings.Contains(s.text, "MVAPICH"):
		s.world, s.byteType, s.ignored = 0x44000000, 0x4c00010d, 1 // of MPICH's mpi.h
	default:
		return nil, fmt.Errorf("it is %q, want Open MPI or a relative of MPICH", brief(s.text))
	}
	return s, nil
}

func (s *shared) version() string { return s.text }

// call calls a function of MPI and turns what it returns into an error.
//
//go:uintptrescapes
func (s *shared) call(f uintptr, args ...uintptr) error {
	code, _, _ := purego.SyscallN(f, args...)
	if int32(code) == 0 {
		return nil
	}
	text := make([]byte, 1<<12)
	var n int32
	if r, _, _ := purego.SyscallN(s.errorString, code, uintptr(unsafe.Pointer(&text[0])), uintptr(unsafe.Pointer(&n))); int32(r) == 0 && n > 0 {
		return errors.New(strings.TrimRight(string(text[:n]), "\x00"))
	}
	return fmt.Errorf("error %d", int32(code))
}

func (s *shared) start() (rank, size int, err error) {
	const funneled = 1 // MPI_THREAD_FUNNELED in both: only this thread calls MPI
	var provided, r, n int32
	if err := s.call(s.initThread, 0, 0, funneled, uintptr(unsafe.Pointer(&provided))); err != nil {
		return 0, 0, err
	}
	if provided < funneled {
		return 0, 0, errors.New("the library was built for programs of one thread")
	}
	if err := s.call(s.commRank, s.world, uintptr(unsafe.Pointer(&r))); err != nil {
		return 0, 0, err
	}
	if err := s.call(s.commSize, s.world, uintptr(unsafe.Pointer(&n))); err != nil {
		return 0, 0, err
	}
	return int(r), int(n), nil
}

func (s *shared) exchange(send unsafe.Pointer, n int, receive unsafe.Pointer, m int, with int) error {
	return s.call(s.sendrecv, uintptr(send), uintptr(n), s.byteType, uintptr(with), 0,
		uintptr(receive), uintptr(m), s.byteType, uintptr(with), 0, s.world, s.ignored)
}

func (s *shared) broadcast(data unsafe.Pointer, n int, from int) error {
	return s.call(s.bcast, uintptr(data), uintptr(n), s.byteType, uintptr(from), s.world)
}

func (s *shared) finish() error { return s.call(s.finalize) }

func (s *shared) abort(code int) { s.call(s.abortAll, s.world, uintptr(code)) }
