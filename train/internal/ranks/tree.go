package ranks

import (
	"github.com/affine-go/affine/internal/values"
	"github.com/affine-go/affine/layer/device"
)

// Tree adds up vectors, made of parts, over the leaves of a binary tree: a power
// of two of them, of which each process computes its share. The sum is that of
// leaves 0 and 1, 2 and 3 and so on, then of these sums: the same bits however
// many processes share the leaves.
type Tree[T device.Float] struct {
	group  Group
	leaves int
	starts []int // of the parts
	// levels[0] becomes the sum; levels[i] holds the sum of a right half while
	// those of the left halves around it lie in the levels before.
	levels [][]T
	extra  int // where the numbers begin that follow the parts
}

// alignment is a number of elements: parts begin on cache lines.
const alignment = 16

// NewTree returns a tree for vectors of parts of these lengths, followed by
// extra single numbers. The number of processes must divide that of leaves.
func NewTree[T device.Float](g Group, leaves int, lengths []int, extra int, alloc func(n int) ([]T, error)) (*Tree[T], error) {
	t := &Tree[T]{group: g, leaves: leaves}
	for _, n := range lengths {
		t.starts = append(t.starts, t.extra)
		t.extra += (n + alignment - 1) / alignment * alignment
	}
	for n := leaves / g.Size(); n > 1 || len(t.levels) == 0; n /= 2 {
		level, err := alloc(t.extra + extra)
		if err != nil {
			return nil, err
		}
		t.levels = append(t.levels, level)
	}
	return t, nil
}

// Part returns the first n elements of a part of the sum, which Sum overwrites.
func (t *Tree[T]) Part(i, n int) []T { return t.levels[0][t.starts[i] : t.starts[i]+n : t.starts[i]+n] }

// Extra returns the numbers that follow the parts of the sum.
func (t *Tree[T]) Extra() []T { return t.levels[0][t.extra:] }

// Sum computes the sum over all leaves of all processes. leaf returns the parts
// of a leaf and its first extra number; no parts stand for zeros. They need to
// hold until the next call of leaf only. own may change the extra numbers of
// this process before those of the processes are added.
func (t *Tree[T]) Sum(leaf func(i int) (parts [][]T, number T, err error), own func(extra []T)) error {
	share := t.leaves / t.group.Size()
	first := t.group.Rank() * share
	if err := t.subtree(first, first+share, 0, leaf); err != nil {
		return err
	}
	own(t.Extra())
	if x, ok := any(t.levels[0]).([]float32); ok {
		return t.group.Sum32(x)
	}
	return t.group.Sum64(any(t.levels[0]).([]float64))
}

// subtree computes the sum of leaves [lo, hi) in a level.
func (t *Tree[T]) subtree(lo, hi, level int, leaf func(i int) ([][]T, T, error)) error {
	sum := t.levels[level]
	switch hi - lo {
	case 1:
		parts, number, err := leaf(lo)
		if err != nil {
			return err
		}
		if parts == nil {
			clear(sum)
			return nil
		}
		clear(sum[t.extra:])
		sum[t.extra] = number
		for i, part := range parts {
			copy(sum[t.starts[i]:], part)
		}
		return nil
	case 2: // without a level for the right leaf
		if err := t.subtree(lo, lo+1, level, leaf); err != nil {
			return err
		}
		parts, number, err := leaf(lo + 1)
		if err != nil {
			return err
		}
		if parts == nil { // zeros count, too: −0 + 0 is 0
			for i := range sum[:t.extra] {
				sum[i] += 0
			}
		}
		for i, part := range parts {
			values.Add(sum[t.starts[i]:][:len(part)], part)
		}
		sum[t.extra] += number
		return nil
	}
	middle := (lo + hi) / 2
	if err := t.subtree(lo, middle, level, leaf); err != nil {
		return err
	}
	if err := t.subtree(middle, hi, level+1, leaf); err != nil {
		return err
	}
	values.Add(sum, t.levels[level+1])
	return nil
}
