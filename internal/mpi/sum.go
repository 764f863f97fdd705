package mpi

import (
	"fmt"
	"unsafe"

	"github.com/affine-go/affine/internal/values"
)

// smallSum is the most bytes that processes exchange as a whole: in half the
// rounds, but with more data in each, than if each process summed a part.
const smallSum = 32 << 10

// Sum replaces x, equally long everywhere, by the sum over all processes: the
// same bits in each of them. The order is that of a tree, ranks 0 and 1, 2 and 3
// and so on, then the sums of these. The number of processes must be a power of
// two.
//
// Large x are summed by recursive halving and then gathered by recursive
// doubling (R. Rabenseifner, "Optimization of Collective Reduction Operations",
// 2004), nearest ranks first.
func Sum[T float32 | float64](w *World, x []T) error {
	if w.size&(w.size-1) != 0 {
		return fmt.Errorf("MPI: got %d processes to sum over, want a power of two", w.size)
	}
	if w.size == 1 || len(x) == 0 {
		return nil
	}
	if bytes := len(x) * int(unsafe.Sizeof(x[0])); len(w.scratch) < bytes {
		w.scratch = make([]byte, bytes)
	}
	s := sum[T]{w, unsafe.Slice((*T)(unsafe.Pointer(&w.scratch[0])), len(x))}
	return w.call("to sum", func() error {
		if len(x)*int(unsafe.Sizeof(x[0])) <= smallSum {
			return s.whole(x)
		}
		return s.parts(x, 1)
	})
}

type sum[T float32 | float64] struct {
	*World
	received []T
}

// whole exchanges all of x in every round.
func (s sum[T]) whole(x []T) error {
	for distance := 1; distance < s.size; distance *= 2 {
		other := s.received[:len(x)]
		if err := exchange(s.World, x, other, s.rank^distance); err != nil {
			return err
		}
		values.Add(x, other)
	}
	return nil
}

// parts sums over the groups of 2·distance ranks: one half of x here, the other
// half in the rank that is distance away, each of them with its own group of
// the next size; then the two exchange their halves.
func (s sum[T]) parts(x []T, distance int) error {
	if distance == s.size {
		return nil
	}
	with := s.rank ^ distance
	mine, theirs := x[:len(x)/2], x[len(x)/2:]
	if s.rank&distance != 0 {
		mine, theirs = theirs, mine
	}
	other := s.received[:len(mine)]
	if err := exchange(s.World, theirs, other, with); err != nil {
		return err
	}
	values.Add(mine, other)
	if err := s.parts(mine, 2*distance); err != nil {
		return err
	}
	return exchange(s.World, mine, theirs, with)
}

// exchange sends a slice to a rank and receives another one from it.
func exchange[T float32 | float64](w *World, send, receive []T, with int) error {
	out, in := bytesOf(send), bytesOf(receive)
	for len(out) > 0 || len(in) > 0 {
		n, m := min(len(out), maxMessage), min(len(in), maxMessage)
		if err := w.library.exchange(unsafe.Pointer(unsafe.SliceData(out)), n, unsafe.Pointer(unsafe.SliceData(in)), m, with); err != nil {
			return err
		}
		out, in = out[n:], in[m:]
	}
	return nil
}

func bytesOf[T float32 | float64](x []T) []byte {
	var zero T
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), len(x)*int(unsafe.Sizeof(zero)))
}
