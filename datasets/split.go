package datasets

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// Fractions are the parts of the rows that are kept from training.
type Fractions struct {
	Validation float64 `json:"validation"`
	Test       float64 `json:"test"`
}

// DefaultFractions leave 60 % of the rows for training.
var DefaultFractions = Fractions{Validation: 0.2, Test: 0.2}

// Parts are the three parts of a dataset. A part whose fraction is 0 has no
// rows.
type Parts struct {
	Train, Validation, Test *Dataset
}

// Split divides the rows of d at random into three parts. Of n rows,
//
//	test:        round(n·f.Test), at least 1
//	validation:  round(n·f.Validation), at least 1
//	train:       the rest, at least 1
//
// where a fraction of 0 gives no rows. For classification the parts are
// stratified: the number of rows of a class in each part differs by less than
// two from the part's share of that class. Then rows are swapped, one for each
// class that is still missing from a part, so that every class with at least
// as many rows as there are parts is in all of them; this needs parts with at
// least as many rows as there are classes.
//
// If d has a predefined test part (TestFrom), that is the test part, f.Test is
// not used, and n is the number of rows before it.
//
// The rows of a part are copies, in d's order. The same dataset, fractions and
// seed give the same parts.
func Split(d *Dataset, f Fractions, seed uint64) (Parts, error) {
	if err := d.Check(); err != nil {
		return Parts{}, fmt.Errorf("split: %w", err)
	}
	if d.Y == nil {
		return Parts{}, fmt.Errorf("split: dataset %q has no targets", d.Name)
	}
	n := d.Len()
	if d.TestFrom > 0 {
		n, f.Test = d.TestFrom, 0
	}
	if !(f.Validation >= 0 && f.Test >= 0 && f.Validation+f.Test < 1) {
		return Parts{}, usagef("split: validation %v and test %v, want fractions ≥ 0 with a sum below 1", f.Validation, f.Test)
	}
	s := splitter{n: n, part: make([]int, n), size: [3]int{validation: count(n, f.Validation), test: count(n, f.Test)}}
	s.size[train] = n - s.size[validation] - s.size[test]
	if s.size[train] < 1 {
		return Parts{}, fmt.Errorf("split: %d rows of dataset %q are too few for train, validation %v and test %v", n, d.Name, f.Validation, f.Test)
	}
	s.class, s.classes = make([]int, n), 1
	if d.Task == Classification {
		s.classes = len(d.Classes)
		for i := range s.class {
			s.class[i] = int(d.Y[i])
		}
	}
	s.divide(seed)
	parts := Parts{
		Train:      d.Subset(s.rows(train)),
		Validation: d.Subset(s.rows(validation)),
		Test:       d.Subset(s.rows(test)),
	}
	if d.TestFrom > 0 {
		parts.Test = d.Subset(numbers(d.TestFrom, d.Len()))
	}
	return parts, nil
}

// count returns the number of rows of a part.
func count(n int, fraction float64) int {
	if fraction == 0 {
		return 0
	}
	return max(1, int(math.Round(fraction*float64(n))))
}

// numbers returns from, from + 1, … to − 1.
func numbers(from, to int) []int {
	all := make([]int, to-from)
	for i := range all {
		all[i] = from + i
	}
	return all
}

// The three parts, as splitter numbers them.
const (
	train = iota
	validation
	test
)

// splitter decides the part of each of n rows.
type splitter struct {
	n       int
	class   []int // of each row
	classes int
	size    [3]int // of each part
	part    []int  // of each row
}

// divide draws the parts by systematic sampling. The rows, shuffled, are put in
// order of their classes. Of m rows in a line, taking row i where ⌊(i+1)·k/m⌋
// is larger than ⌊i·k/m⌋ takes k of them, evenly spread: the number taken from
// any run of r rows, such as a class, is r·k/m rounded up or down. So the test
// part is taken from all rows, then the validation part from the rest.
func (s *splitter) divide(seed uint64) {
	line := newRand(seed, splitStream).Perm(s.n)
	slices.SortStableFunc(line, func(a, b int) int { return cmp.Compare(s.class[a], s.class[b]) })
	for _, part := range []int{test, validation} {
		k, m := s.size[part], len(line)
		rest := line[:0]
		for i, row := range line {
			if (i+1)*k/m > i*k/m {
				s.part[row] = part
			} else {
				rest = append(rest, row)
			}
		}
		line = rest
	}
	s.spread()
}

// spread gives each class that is large enough a row in every part. Where a
// class has none, the part's fullest class swaps a row for one of it: there is
// a class with two rows in the part, since the part has as many rows as there
// are classes, and the missing class has two rows in another part, since it has
// as many rows as there are parts.
func (s *splitter) spread() {
	parts := 0
	for _, size := range s.size {
		if size == 0 {
			continue
		}
		parts++
		if size < s.classes {
			return
		}
	}
	rows := make([][3][]int, s.classes)
	for row, part := range s.part {
		of := &rows[s.class[row]][part]
		*of = append(*of, row)
	}
	for c := range rows {
		if len(rows[c][train])+len(rows[c][validation])+len(rows[c][test]) < parts {
			continue
		}
		for part, size := range s.size {
			if size == 0 || len(rows[c][part]) > 0 {
				continue
			}
			from, donor := 0, 0
			for p := range s.size {
				if len(rows[c][p]) > len(rows[c][from]) {
					from = p
				}
			}
			for o := range rows {
				if len(rows[o][part]) > len(rows[donor][part]) {
					donor = o
				}
			}
			s.move(&rows[c], from, part)
			s.move(&rows[donor], part, from)
		}
	}
}

// move takes the last of a class's rows in one part to another.
func (s *splitter) move(rows *[3][]int, from, to int) {
	last := len(rows[from]) - 1
	row := rows[from][last]
	rows[from] = rows[from][:last]
	rows[to] = append(rows[to], row)
	s.part[row] = to
}

// rows returns the rows of a part, in order.
func (s *splitter) rows(part int) []int {
	rows := make([]int, 0, s.size[part])
	for row, p := range s.part {
		if p == part {
			rows = append(rows, row)
		}
	}
	return rows
}

// Folds cuts d into k parts of nearly equal size and returns, for each of them, a
// split that tests on it and trains on the others, of which the fraction
// validation is held out: k-fold cross-validation. In a classification every
// class is spread over all folds. The same dataset, k and seed give the same
// folds.
func Folds(d *Dataset, k int, validation float64, seed uint64) ([]Parts, error) {
	n := d.Len()
	if k < 2 || k > n {
		return nil, usagef("folds: %d of %d rows, want 2 to %d", k, n, n)
	}
	if d.TestFrom > 0 && d.TestFrom < n {
		return nil, usagef("folds: dataset %q has test rows of its own", d.Name)
	}
	order := rand.New(rand.NewPCG(seed, 0)).Perm(n)
	if d.Task == Classification {
		slices.SortStableFunc(order, func(a, b int) int { return int(d.Y[a]) - int(d.Y[b]) })
	}
	folds := make([]Parts, k)
	for f := range folds {
		var test, rest []int
		for i, row := range order {
			if i%k == f {
				test = append(test, row)
			} else {
				rest = append(rest, row)
			}
		}
		slices.Sort(test)
		slices.Sort(rest)
		parts, err := Split(d.Subset(rest), Fractions{Validation: validation}, seed)
		if err != nil {
			return nil, err
		}
		parts.Test = d.Subset(test)
		folds[f] = parts
	}
	return folds, nil
}
