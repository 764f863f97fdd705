package mpi

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"
)

// wire is a library whose processes are goroutines of this one.
type wire struct {
	rank int
	to   [][]chan []byte // [from][to]
	hang bool
}

func (w *wire) start() (rank, size int, err error) { return w.rank, len(w.to), nil }
func (w *wire) version() string                    { return "Wire 1.0, of this test" }
func (w *wire) finish() error                      { return nil }
func (w *wire) abort(int)                          {}

func (w *wire) exchange(send unsafe.Pointer, n int, receive unsafe.Pointer, m int, with int) error {
	if w.hang {
		select {}
	}
	w.to[w.rank][with] <- append([]byte(nil), unsafe.Slice((*byte)(send), n)...)
	got := <-w.to[with][w.rank]
	if len(got) != m {
		return fmt.Errorf("got %d bytes, want %d", len(got), m)
	}
	copy(unsafe.Slice((*byte)(receive), m), got)
	return nil
}

func (w *wire) broadcast(data unsafe.Pointer, n int, from int) error {
	if w.rank != from {
		copy(unsafe.Slice((*byte)(data), n), <-w.to[from][w.rank])
		return nil
	}
	for to := range w.to {
		if to != from {
			w.to[from][to] <- append([]byte(nil), unsafe.Slice((*byte)(data), n)...)
		}
	}
	return nil
}

// together runs f in as many ranks.
func together(t *testing.T, size int, f func(w *World) error) {
	t.Helper()
	to := make([][]chan []byte, size)
	for i := range to {
		for range size {
			to[i] = append(to[i], make(chan []byte, 1))
		}
	}
	errs := make([]error, size)
	var all sync.WaitGroup
	for rank := range size {
		all.Go(func() {
			w := newWorld(&wire{rank: rank, to: to}, time.Minute, func(err error) { panic(err) })
			if errs[rank] = w.start(); errs[rank] == nil {
				errs[rank] = errors.Join(f(w), w.Close())
			}
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
}

// leaf is what a rank adds: numbers of different sizes, so that the order of a
// sum shows.
func leaf[T float32 | float64](rank, n int) []T {
	r := rand.New(rand.NewPCG(uint64(rank), 1))
	x := make([]T, n)
	for i := range x {
		x[i] = T(r.NormFloat64() * math.Exp(6*r.NormFloat64()))
	}
	return x
}

// tree is the sum that every rank must get.
func tree[T float32 | float64](lo, hi, n int) []T {
	if hi-lo == 1 {
		return leaf[T](lo, n)
	}
	a, b := tree[T](lo, (lo+hi)/2, n), tree[T]((lo+hi)/2, hi, n)
	for i := range a {
		a[i] += b[i]
	}
	return a
}

func checkSum[T float32 | float64](w *World, n int) error {
	x := leaf[T](w.Rank(), n)
	if err := Sum(w, x); err != nil {
		return err
	}
	for i, want := range tree[T](0, w.Size(), n) {
		if x[i] != want {
			return fmt.Errorf("rank %d of %d, %d numbers: number %d is %v, want %v", w.Rank(), w.Size(), n, i, x[i], want)
		}
	}
	return nil
}

var lengths = []int{0, 1, 2, 3, 5, 8, 63, 1000, smallSum / 4, smallSum/4 + 1, 10_003}

func TestSumIsThatOfTheTreeInEveryRank(t *testing.T) {
	for _, size := range []int{1, 2, 4, 8} {
		together(t, size, func(w *World) error {
			for _, n := range lengths {
				if err := errors.Join(checkSum[float32](w, n), checkSum[float64](w, n)); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

func TestSumOverThreeProcessesIsRefused(t *testing.T) {
	together(t, 3, func(w *World) error {
		if err := w.Sum32(make([]float32, 3)); err == nil || !strings.Contains(err.Error(), "want a power of two") {
			return fmt.Errorf("got error %v", err)
		}
		return nil
	})
}

func TestBroadcastGivesTheDataOfOneRankToAll(t *testing.T) {
	together(t, 3, func(w *World) error {
		for from := range 3 {
			for _, want := range []string{"", "x", strings.Repeat("data", 1000)} {
				mine := "of rank " + fmt.Sprint(w.Rank())
				if w.Rank() == from {
					mine = want
				}
				if got, err := w.Broadcast(from, []byte(mine)); err != nil || string(got) != want {
					return fmt.Errorf("rank %d got %.20q from %d, error %v; want %.20q", w.Rank(), got, from, err, want)
				}
			}
		}
		if _, err := w.Broadcast(3, nil); err == nil {
			return errors.New("broadcast from rank 3 of 3 was accepted")
		}
		return nil
	})
}

func TestACallThatHangsExpires(t *testing.T) {
	expired := make(chan error, 1)
	w := newWorld(&wire{to: make([][]chan []byte, 2), hang: true}, 10*time.Millisecond, func(err error) { expired <- err })
	if err := w.start(); err != nil {
		t.Fatal(err)
	}
	go w.Sum32(make([]float32, 1)) // for ever
	err := <-expired
	for _, part := range []string{"rank 0 of 2", "10ms", "to sum", DeadlineVariable} {
		if !strings.Contains(err.Error(), part) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q does not say %q, or not on one line", err, part)
		}
	}
}

func TestWithoutALauncherNothingIsOpened(t *testing.T) {
	for _, l := range launches {
		t.Setenv(l.variable, "")
	}
	if Launched() {
		t.Error("a launcher was found in an environment without one")
	}
	if _, err := Open(nil); err == nil || !strings.Contains(err.Error(), "no launcher") {
		t.Errorf("got error %v", err)
	}
}

func TestALauncherWithoutALibraryIsOneLine(t *testing.T) {
	l := &launch{name: "a launcher", variable: "SOME_RANK", libraries: []string{"libaffine-is-none.so.1"}}
	_, err := l.load()
	if err == nil {
		t.Fatal("a library that does not exist was opened")
	}
	for _, part := range []string{"a launcher", "SOME_RANK", "MPI"} {
		if !strings.Contains(err.Error(), part) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q does not say %q, or not on one line", err, part)
		}
	}
}

func TestADeadlineThatIsNoneIsRefused(t *testing.T) {
	for _, text := range []string{"soon", "-1s", "0s"} {
		t.Setenv(DeadlineVariable, text)
		if _, err := Open(nil); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("deadline %s: got error %v", text, err)
		}
	}
}
