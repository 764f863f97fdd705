package datasets

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// numberedRows returns a dataset whose row i holds the number i, so that a row
// can be told wherever it went. Without classes it is for regression.
func numberedRows(classes []int) *Dataset {
	n := 0
	for _, count := range classes {
		n += count
	}
	d := &Dataset{Name: "rows", Task: Classification, Features: []string{"row"}, Classes: numbered("", 0, len(classes)), X: make([]float64, n), Y: make([]float64, n)}
	row := 0
	for c, count := range classes {
		for range count {
			d.X[row], d.Y[row] = float64(row), float64(c)
			row++
		}
	}
	return d
}

// drawSplit draws a dataset, and fractions with which it can be split.
func drawSplit(t *rapid.T, least int) (*Dataset, Fractions, uint64) {
	d := numberedRows(rapid.SliceOfN(rapid.IntRange(least, 60), 1, 8).Draw(t, "classes"))
	if rapid.Bool().Draw(t, "regression") {
		d.Task, d.Classes = Regression, nil
	}
	fraction := rapid.OneOf(rapid.Just(0.0), rapid.Float64Range(0.01, 0.45))
	f := Fractions{fraction.Draw(t, "validation"), fraction.Draw(t, "test")}
	return d, f, rapid.Uint64().Draw(t, "seed")
}

// Every row is in exactly one part, with its target, in order; and the parts
// have the sizes that the docstring states.
func TestSplitPutsEveryRowInOnePart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, f, seed := drawSplit(t, 3)
		parts, err := Split(d, f, seed)
		if err != nil {
			t.Fatal(err)
		}
		n := float64(d.Len())
		for _, c := range []struct {
			part     *Dataset
			fraction float64
		}{{parts.Validation, f.Validation}, {parts.Test, f.Test}} {
			want := int(math.Max(1, math.Round(c.fraction*n)))
			if c.fraction == 0 {
				want = 0
			}
			if c.part.Len() != want {
				t.Errorf("a fraction %v of %v rows has %d, want %d", c.fraction, n, c.part.Len(), want)
			}
		}
		var all []float64
		for _, part := range []*Dataset{parts.Train, parts.Validation, parts.Test} {
			if !slices.IsSorted(part.X) {
				t.Errorf("rows out of order: %v", part.X)
			}
			for i, row := range part.X {
				if part.Y[i] != d.Y[int(row)] {
					t.Errorf("row %v has target %v, want %v", row, part.Y[i], d.Y[int(row)])
				}
			}
			all = append(all, part.X...)
		}
		slices.Sort(all)
		if !slices.Equal(all, d.X) {
			t.Errorf("got rows %v of %v", all, d.X)
		}
	})
}

// A class's rows in a part differ by less than two from the part's share of
// them, where all shares are large enough that no row has to be swapped.
func TestSplitKeepsTheSharesOfClasses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := numberedRows(rapid.SliceOfN(rapid.IntRange(20, 200), 1, 6).Draw(t, "classes"))
		fraction := rapid.Float64Range(0.1, 0.4)
		f := Fractions{fraction.Draw(t, "validation"), fraction.Draw(t, "test")}
		parts, err := Split(d, f, rapid.Uint64().Draw(t, "seed"))
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range []*Dataset{parts.Train, parts.Validation, parts.Test} {
			for c, got := range part.ClassCounts() {
				share := float64(d.ClassCounts()[c]) * float64(part.Len()) / float64(d.Len())
				if math.Abs(float64(got)-share) >= 2 {
					t.Errorf("class %d has %d rows in a part, want %.2f ± 2", c, got, share)
				}
			}
		}
	})
}

// Every class that has as many rows as there are parts is in all of them, where
// the parts have as many rows as there are classes.
func TestSplitPutsEveryClassInEveryPart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		counts := rapid.SliceOfN(rapid.IntRange(1, 12), 2, 12).Draw(t, "classes")
		counts[0] = rapid.IntRange(100, 400).Draw(t, "largest class")
		d := numberedRows(counts)
		fraction := rapid.Float64Range(0.15, 0.4)
		f := Fractions{fraction.Draw(t, "validation"), fraction.Draw(t, "test")}
		parts, err := Split(d, f, rapid.Uint64().Draw(t, "seed"))
		if err != nil {
			t.Fatal(err)
		}
		for name, part := range map[string]*Dataset{"train": parts.Train, "validation": parts.Validation, "test": parts.Test} {
			if part.Len() < len(counts) {
				t.Fatalf("%d rows for %d classes: the draw is too small for the law", part.Len(), len(counts))
			}
			for c, got := range part.ClassCounts() {
				if counts[c] >= 3 && got == 0 {
					t.Errorf("class %d of %d rows is not in %s", c, counts[c], name)
				}
			}
		}
	})
}

func TestSplitIsSeeded(t *testing.T) {
	d := numberedRows([]int{50, 50, 50})
	split := func(seed uint64) Parts {
		parts, err := Split(d, DefaultFractions, seed)
		if err != nil {
			t.Fatal(err)
		}
		return parts
	}
	a, b, c := split(1), split(1), split(2)
	if !sameData(a.Train, b.Train) || !sameData(a.Validation, b.Validation) || !sameData(a.Test, b.Test) {
		t.Error("seed 1 twice gave different parts")
	}
	if sameData(a.Train, c.Train) || sameData(a.Test, c.Test) {
		t.Error("seeds 1 and 2 gave the same parts")
	}
}

// Over many seeds each row is in the test part as often as any other.
func TestSplitIsFair(t *testing.T) {
	const seeds = 2000
	d := numberedRows([]int{10, 15, 5})
	hits := make([]float64, d.Len())
	for seed := range uint64(seeds) {
		parts, err := Split(d, Fractions{Validation: 0.2, Test: 0.2}, seed)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range parts.Test.X {
			hits[int(row)]++
		}
	}
	const p = 0.2
	for row, n := range hits {
		if math.Abs(n-seeds*p) > 5*math.Sqrt(seeds*p*(1-p)) {
			t.Errorf("row %d was in the test part %v times of %d, want %v", row, n, seeds, seeds*p)
		}
	}
}

func TestSplitKeepsThePredefinedTestPart(t *testing.T) {
	d := numberedRows([]int{60, 60})
	d.TestFrom = 100
	parts, err := Split(d, Fractions{Validation: 0.25, Test: 0.9}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(parts.Test.X, d.X[100:]) || parts.Validation.Len() != 25 || parts.Train.Len() != 75 {
		t.Errorf("got test part %v and parts of %d and %d rows", parts.Test.X, parts.Train.Len(), parts.Validation.Len())
	}
	if slices.Max(parts.Train.X) >= 100 || slices.Max(parts.Validation.X) >= 100 {
		t.Error("a row of the test part is in another")
	}
}

func TestSplitErrors(t *testing.T) {
	unlabelled := numberedRows([]int{5})
	unlabelled.Y = nil
	for _, c := range []struct {
		d     *Dataset
		f     Fractions
		want  string
		usage bool
	}{
		{unlabelled, DefaultFractions, `split: dataset "rows" has no targets`, false},
		{numberedRows([]int{9}), Fractions{0.5, 0.5}, "split: validation 0.5 and test 0.5, want fractions ≥ 0 with a sum below 1", true},
		{numberedRows([]int{9}), Fractions{-0.1, 0.5}, "split: validation -0.1 and test 0.5, want fractions ≥ 0 with a sum below 1", true},
		{numberedRows([]int{9}), Fractions{0.1, math.NaN()}, "split: validation 0.1 and test NaN, want fractions ≥ 0 with a sum below 1", true},
		{numberedRows([]int{2}), DefaultFractions, `split: 2 rows of dataset "rows" are too few for train, validation 0.2 and test 0.2`, false},
	} {
		if _, err := Split(c.d, c.f, 1); err == nil || err.Error() != c.want || errors.Is(err, ErrUsage) != c.usage {
			t.Errorf("error %v, want %s", err, c.want)
		}
	}
}

func TestSplitOfSmallDatasets(t *testing.T) {
	for _, c := range []struct {
		counts []int
		want   string // rows in train, validation, test
	}{
		{[]int{3}, "1 1 1"},
		{[]int{1, 1, 1}, "1 1 1"},
		{[]int{3, 3}, "4 1 1"},
		{[]int{10, 10}, "12 4 4"},
	} {
		parts, err := Split(numberedRows(c.counts), DefaultFractions, 1)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(parts.Train.Len(), parts.Validation.Len(), parts.Test.Len()); got != c.want {
			t.Errorf("classes of %v: parts of %s rows, want %s", c.counts, got, c.want)
		}
	}
}

// Every row is tested on once, and every class is in every fold.
func TestFoldsTestOnEveryRowOnce(t *testing.T) {
	d, err := Open("iris", Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range d.Len() { // a column that tells rows apart
		d.X[i*d.Inputs()] = float64(i)
	}
	folds, err := Folds(d, 7, 0.2, 3)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[float64]int{}
	for f, parts := range folds {
		classes := map[float64]int{}
		tested := map[float64]bool{}
		for i := range parts.Test.Len() {
			seen[parts.Test.Row(i)[0]]++
			tested[parts.Test.Row(i)[0]] = true
			classes[parts.Test.Y[i]]++
		}
		for _, n := range classes {
			if n < 7 || n > 8 {
				t.Errorf("fold %d has %v rows of the classes, want 7 or 8 of each", f, classes)
			}
		}
		if n := parts.Train.Len() + parts.Validation.Len() + parts.Test.Len(); n != 150 || parts.Validation.Len() < 20 {
			t.Errorf("fold %d: %d rows in all, %d for validation", f, n, parts.Validation.Len())
		}
		for i := range parts.Train.Len() {
			if tested[parts.Train.Row(i)[0]] {
				t.Errorf("fold %d trains on row %v, which it tests on", f, parts.Train.Row(i)[0])
			}
		}
	}
	if len(seen) != 150 {
		t.Errorf("%d rows were tested on, want 150", len(seen))
	}
	for _, k := range []int{1, 0, -3, 151} {
		if _, err := Folds(d, k, 0, 1); !errors.Is(err, ErrUsage) {
			t.Errorf("%d folds: %v, want wrong use", k, err)
		}
	}
}

func mustSampler(t interface{ Fatal(...any) }, n, batch int, seed uint64) *Sampler {
	s, err := NewSampler(n, batch, seed)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// epoch returns copies of the batches up to the end of the epoch.
func epoch(s *Sampler) [][]int {
	var batches [][]int
	for rows := s.Next(); rows != nil; rows = s.Next() {
		batches = append(batches, slices.Clone(rows))
	}
	return batches
}

// In every epoch each row comes once, in full batches and one with what is left.
func TestSamplerDealsEveryRowOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, batch := rapid.IntRange(1, 100).Draw(t, "rows"), rapid.IntRange(1, 120).Draw(t, "batch")
		s := mustSampler(t, n, batch, rapid.Uint64().Draw(t, "seed"))
		for e := range 3 {
			if s.Epoch() != e || s.Batch() != 0 {
				t.Fatalf("epoch %d, batch %d; want %d and 0", s.Epoch(), s.Batch(), e)
			}
			batches := epoch(s)
			if len(batches) != s.Batches() {
				t.Fatalf("%d batches, want %d", len(batches), s.Batches())
			}
			for i, rows := range batches {
				want := batch
				if i == len(batches)-1 {
					want = n - i*batch
				}
				if len(rows) != want {
					t.Fatalf("batch %d of %d has %d rows, want %d", i, len(batches), len(rows), want)
				}
			}
			all := slices.Concat(batches...)
			slices.Sort(all)
			if !slices.Equal(all, numbers(0, n)) {
				t.Fatalf("got rows %v", all)
			}
		}
	})
}

// A sampler that is brought to a saved state gives the batches that the saved
// one would have given, from any place of any epoch on.
func TestSamplerResumesExactly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, batch := rapid.IntRange(1, 40).Draw(t, "rows"), rapid.IntRange(1, 50).Draw(t, "batch")
		s := mustSampler(t, n, batch, rapid.Uint64().Draw(t, "seed"))
		for range rapid.IntRange(0, 100).Draw(t, "calls before saving") {
			s.Next()
		}
		state, err := s.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		resumed := mustSampler(t, n, batch, rapid.Uint64().Draw(t, "other seed"))
		for range rapid.IntRange(0, 10).Draw(t, "calls before resuming") {
			resumed.Next()
		}
		if err := resumed.UnmarshalBinary(state); err != nil {
			t.Fatal(err)
		}
		for call := range 100 {
			if s.Epoch() != resumed.Epoch() || s.Batch() != resumed.Batch() {
				t.Fatalf("call %d: epoch %d, batch %d; want %d, %d", call, resumed.Epoch(), resumed.Batch(), s.Epoch(), s.Batch())
			}
			if want, got := s.Next(), resumed.Next(); !slices.Equal(got, want) || (got == nil) != (want == nil) {
				t.Fatalf("call %d: got %v, want %v", call, got, want)
			}
		}
	})
}

func TestSamplerIsSeeded(t *testing.T) {
	batches := func(seed uint64) (first, second string) {
		s := mustSampler(t, 50, 7, seed)
		return fmt.Sprint(epoch(s)), fmt.Sprint(epoch(s))
	}
	a, a2 := batches(1)
	b, _ := batches(1)
	c, _ := batches(2)
	if a != b || a == c || a == a2 {
		t.Errorf("same seed same order: %v; other seed other order: %v; other epoch other order: %v", a == b, a != c, a != a2)
	}
}

func TestSamplerAllocatesNothing(t *testing.T) {
	s := mustSampler(t, 1000, 32, 1)
	if allocs := testing.AllocsPerRun(10, func() {
		for rows := s.Next(); rows != nil; rows = s.Next() {
		}
	}); allocs != 0 {
		t.Errorf("%v allocations an epoch, want none", allocs)
	}
}

func TestSamplerErrors(t *testing.T) {
	for _, c := range []struct {
		n, batch int
		want     string
	}{
		{0, 1, "sampler: 0 rows in batches of 1, want at least 1 of each"},
		{5, 0, "sampler: 5 rows in batches of 0, want at least 1 of each"},
	} {
		if _, err := NewSampler(c.n, c.batch, 1); err == nil || err.Error() != c.want || !errors.Is(err, ErrUsage) {
			t.Errorf("error %v, want %s", err, c.want)
		}
	}
	if rows := new(Sampler).Next(); rows != nil {
		t.Errorf("a sampler of nothing gives %v", rows)
	}
}

func TestSamplerRefusesOtherStates(t *testing.T) {
	state, err := mustSampler(t, 10, 4, 1).MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	changed := func(i int, b byte) []byte {
		c := slices.Clone(state)
		c[i] = b
		return c
	}
	for _, c := range []struct {
		name  string
		s     *Sampler
		state []byte
		want  string
	}{
		{"empty", mustSampler(t, 10, 4, 1), nil, "sampler state: 0 bytes, want 56"},
		{"short", mustSampler(t, 10, 4, 1), state[:20], "sampler state: 20 bytes, want 56"},
		{"magic", mustSampler(t, 10, 4, 1), changed(3, '0'), `sampler state: starts with "smp0", want "smp1"`},
		{"rows", mustSampler(t, 11, 4, 1), state, "sampler state: of 10 rows in batches of 4, want 11 in batches of 4"},
		{"batch", mustSampler(t, 10, 5, 1), state, "sampler state: of 10 rows in batches of 4, want 10 in batches of 5"},
		{"epoch", mustSampler(t, 10, 4, 1), changed(27, 0x80), "sampler state: epoch is 9223372036854775808, want a number of epochs"},
		{"within a batch", mustSampler(t, 10, 4, 1), changed(28, 3), "sampler state: next row is 3, want a batch's start or the end, 10"},
		{"beyond the end", mustSampler(t, 10, 4, 1), changed(28, 12), "sampler state: next row is 12, want a batch's start or the end, 10"},
		{"generator", mustSampler(t, 10, 4, 1), changed(36, 'x'), "sampler state: invalid PCG encoding"},
		{"not made", new(Sampler), state, "sampler state: the sampler was not made by NewSampler"},
	} {
		before := fmt.Sprint(c.s.order)
		err := c.s.UnmarshalBinary(c.state)
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %s", c.name, err, c.want)
		}
		if fmt.Sprint(c.s.order) != before || c.s.Batch() != 0 {
			t.Errorf("%s: the sampler changed", c.name)
		}
	}
}
