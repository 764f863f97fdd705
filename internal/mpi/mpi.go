// Package mpi lets processes that mpirun, srun or the like started together
// exchange data through the MPI library of the machine, which is opened at run
// time: no C compiler is needed, and nothing is opened unless the environment
// says that a launcher started this process.
//
// MPI itself is used for little: to send to and receive from one other process,
// to broadcast, and to begin and end. [Sum] builds the sum over processes from
// these, because the order in which MPI_Allreduce adds depends on the library,
// the number of processes and the network.
package mpi

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
	"unsafe"
)

// World is all the processes of a job. Its methods are collective: every process
// calls the same ones in the same order. They may be called from any goroutine,
// by one at a time.
type World struct {
	rank, size int
	version    string
	deadline   time.Duration
	expired    func(error) // called from another goroutine while a call hangs

	library library
	calls   chan func() // to the one thread that MPI is called from
	closing sync.Once
	scratch []byte // of Sum
}

// library is what of MPI is called, from one thread. A pointer to nothing may
// be nil.
type library interface {
	start() (rank, size int, err error)
	version() string
	// exchange sends n bytes to a rank and receives m bytes from it at once.
	exchange(send unsafe.Pointer, n int, receive unsafe.Pointer, m int, with int) error
	broadcast(data unsafe.Pointer, n int, from int) error
	finish() error
	abort(code int)
}

// maxMessage bounds the bytes of one message: MPI counts in int32.
const maxMessage = 1 << 30

// DefaultDeadline is how long a process waits for the others in one call.
const DefaultDeadline = 2 * time.Minute

// startDeadline is the least deadline of the start: programs and libraries are
// read from the disks of all machines first.
const startDeadline = time.Minute

// DeadlineVariable is the environment variable that holds another deadline, as
// time.ParseDuration takes it.
const DeadlineVariable = "AFFINE_MPI_DEADLINE"

// Open joins the job of which the launcher started this process as a part. A
// call that takes longer than the deadline calls expired, from a goroutine of
// its own, with an error that says which; since nothing can end such a call, it
// should end the process.
func Open(expired func(error)) (*World, error) {
	w, err := open(expired)
	if err != nil {
		return nil, fmt.Errorf("MPI: %w", err)
	}
	return w, nil
}

func open(expired func(error)) (*World, error) {
	deadline := DefaultDeadline
	if text := os.Getenv(DeadlineVariable); text != "" {
		var err error
		if deadline, err = time.ParseDuration(text); err != nil || deadline <= 0 {
			return nil, fmt.Errorf("%s is %q, want a duration such as 90s or 5m", DeadlineVariable, text)
		}
	}
	l := launcher()
	if l == nil {
		return nil, fmt.Errorf("no launcher started this process; start it by mpirun or srun")
	}
	lib, err := l.load()
	if err != nil {
		return nil, err
	}
	w := newWorld(lib, deadline, expired)
	if err := w.start(); err != nil {
		return nil, err
	}
	if told, err := strconv.Atoi(os.Getenv(l.sizeVariable)); err == nil && told != w.size {
		w.Close()
		return nil, fmt.Errorf("%s started %d processes, but %s sees %d: the launcher is of another MPI than the library", l.name, told, w.version, w.size)
	}
	return w, nil
}

func newWorld(lib library, deadline time.Duration, expired func(error)) *World {
	return &World{library: lib, deadline: deadline, expired: expired, calls: make(chan func())}
}

// start begins MPI on a thread that all further calls are made from: it is
// asked for support of one thread only, which every library has.
func (w *World) start() error {
	go func() {
		// The thread stays until the process ends: after MPI_Finalize, which
		// unloads plugins, its end was seen to crash the process.
		runtime.LockOSThread()
		for f := range w.calls {
			f()
		}
	}()
	w.version = brief(w.library.version())
	return w.callWithin(max(w.deadline, startDeadline), "to start", func() (err error) {
		w.rank, w.size, err = w.library.start()
		return err
	})
}

// brief returns the name and the number at the start of a library's description.
func brief(version string) string {
	version, _, _ = strings.Cut(version, "\n")
	version, _, _ = strings.Cut(version, ",")
	return strings.Join(strings.Fields(version), " ")
}

// call runs f on the thread of MPI, before the deadline.
func (w *World) call(what string, f func() error) error { return w.callWithin(w.deadline, what, f) }

func (w *World) callWithin(deadline time.Duration, what string, f func() error) error {
	late := time.AfterFunc(deadline, func() {
		w.expired(fmt.Errorf("MPI: %s waited more than %v for the others %s: a process or the network is gone, or %s is too short",
			w, deadline, what, DeadlineVariable))
	})
	defer late.Stop()
	done := make(chan error, 1)
	w.calls <- func() { done <- f() }
	if err := <-done; err != nil {
		return fmt.Errorf("MPI: %s, %s: %w", w, what, err)
	}
	return nil
}

// String names the process: "rank 1 of 4".
func (w *World) String() string {
	if w.size == 0 {
		return "a process"
	}
	return fmt.Sprintf("rank %d of %d", w.rank, w.size)
}

// Rank returns the number of this process, from 0 on.
func (w *World) Rank() int { return w.rank }

// Size returns the number of processes.
func (w *World) Size() int { return w.size }

// Version returns the name and version of the library.
func (w *World) Version() string { return w.version }

// Close ends MPI, when all processes have called it.
func (w *World) Close() (err error) {
	w.closing.Do(func() {
		err = w.call("to end", w.library.finish)
	})
	return err
}

// Abort ends the whole job, also if other processes wait for this one. It
// returns if the thread of MPI is busy, or the library does not end this
// process within a second.
func (w *World) Abort(code int) {
	select {
	case w.calls <- func() { w.library.abort(code) }:
	case <-time.After(100 * time.Millisecond):
	}
	time.Sleep(time.Second)
}

// Broadcast returns the data that rank from gave; the others' are ignored.
func (w *World) Broadcast(from int, data []byte) ([]byte, error) {
	if from < 0 || from >= w.size {
		return nil, fmt.Errorf("MPI: broadcast from rank %d of %d", from, w.size)
	}
	if w.size == 1 {
		return data, nil
	}
	err := w.call("to broadcast", func() error {
		length := uint64(len(data))
		if err := w.library.broadcast(unsafe.Pointer(&length), 8, from); err != nil {
			return err
		}
		if w.rank != from {
			data = make([]byte, length)
		}
		for at := 0; at < len(data); at += maxMessage {
			part := data[at:min(at+maxMessage, len(data))]
			if err := w.library.broadcast(unsafe.Pointer(&part[0]), len(part), from); err != nil {
				return err
			}
		}
		return nil
	})
	return data, err
}

// Sum32 is [Sum] for float32.
func (w *World) Sum32(x []float32) error { return Sum(w, x) }

// Sum64 is [Sum] for float64.
func (w *World) Sum64(x []float64) error { return Sum(w, x) }
