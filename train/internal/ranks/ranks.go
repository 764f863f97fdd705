// Package ranks lets several processes train one model: they find out whether
// they agree, share rows, and add up gradients in an order that depends on none
// of this.
package ranks

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"unsafe"
)

// Group is all the processes of a job, each of which has a rank. All call the
// same methods in the same order.
type Group interface {
	// Rank returns the number of this process, from 0 on, Size that of all.
	Rank() int
	Size() int
	// Sum32 and Sum64 replace x, equally long everywhere, by its sum over all
	// processes: of ranks 0 and 1, 2 and 3 and so on, then of these sums.
	Sum32(x []float32) error
	Sum64(x []float64) error
	// Broadcast returns the data that one rank gave.
	Broadcast(from int, data []byte) ([]byte, error)
}

// Alone is the group of a process that has no others.
type Alone struct{}

func (Alone) Rank() int                                    { return 0 }
func (Alone) Size() int                                    { return 1 }
func (Alone) Sum32([]float32) error                        { return nil }
func (Alone) Sum64([]float64) error                        { return nil }
func (Alone) Broadcast(_ int, data []byte) ([]byte, error) { return data, nil }

// Agree returns an error in all processes if there is one in any: the process's
// own, or that of the lowest rank that has one.
func Agree(g Group, mine error) error {
	if g.Size() == 1 {
		return mine
	}
	text := ""
	if mine != nil {
		text = mine.Error()
	}
	var first error
	for rank := range g.Size() {
		got, err := g.Broadcast(rank, []byte(text))
		if err != nil {
			return errors.Join(mine, err)
		}
		if len(got) > 0 && first == nil {
			first = fmt.Errorf("rank %d: %s", rank, got)
		}
	}
	if mine != nil {
		return mine
	}
	return first
}

// A Fact is something that must be the same in all processes.
type Fact struct{ Name, Value string }

// Same returns an error that names the first fact, and the lowest rank, whose
// value is not that of rank 0. All processes list the same names.
func Same(g Group, facts []Fact) error {
	mine, err := json.Marshal(facts)
	if err != nil {
		return err
	}
	text, err := g.Broadcast(0, mine)
	if err != nil {
		return err
	}
	var want []Fact
	if err := json.Unmarshal(text, &want); err != nil {
		return err
	}
	var different error
	for _, f := range slices.Concat(facts, want) { // either may have one that the other lacks
		if a, b := valueOf(facts, f.Name), valueOf(want, f.Name); a != b {
			different = fmt.Errorf("%s is %s, rank 0 has %s; all ranks must have the same", f.Name, a, b)
			break
		}
	}
	return Agree(g, different)
}

func valueOf(facts []Fact, name string) string {
	for _, f := range facts {
		if f.Name == name {
			return f.Value
		}
	}
	return "none"
}

// Share returns the range of n rows that this process takes.
func Share(g Group, n int) (lo, hi int) {
	return n * g.Rank() / g.Size(), n * (g.Rank() + 1) / g.Size()
}

// Gather returns the numbers of all processes one after the other.
func Gather(g Group, mine []float64) ([]float64, error) {
	if g.Size() == 1 {
		return mine, nil
	}
	var all []float64
	for rank := range g.Size() {
		got, err := g.Broadcast(rank, bytesOf(mine))
		if err != nil {
			return nil, err
		}
		if len(got) > 0 {
			all = append(all, unsafe.Slice((*float64)(unsafe.Pointer(&got[0])), len(got)/8)...)
		}
	}
	return all, nil
}

// bytesOf returns the memory of x: the processes are of one architecture.
func bytesOf(x []float64) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), 8*len(x))
}
