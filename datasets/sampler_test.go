package datasets

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

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
