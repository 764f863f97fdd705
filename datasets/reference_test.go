package datasets

import (
	"archive/zip"
	"math"
	"slices"
	"testing"
)

// reference reads arrays that testdata/make_reference.py wrote.
type reference struct {
	t    *testing.T
	file npzFile
}

func openReference(t *testing.T, name string) reference {
	t.Helper()
	z, err := zip.OpenReader("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { z.Close() })
	return reference{t, npzFile{archive: &z.Reader, size: math.MaxInt64}}
}

func (r reference) array(name string) *ndarray {
	r.t.Helper()
	a, err := r.file.read(name)
	if err != nil {
		r.t.Fatal(err)
	}
	return a
}

// near checks that got is want to within the last digits of float64 numbers of
// size scale.
func near(t *testing.T, what string, got, want []float64, scale float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	for i := range want {
		if !(math.Abs(got[i]-want[i]) <= 1e-14*scale) {
			t.Fatalf("%s: value %d is %v, want %v", what, i, got[i], want[i])
		}
	}
}

// mustLoad loads a built-in dataset.
func mustLoad(t *testing.T, name string, opts Options) *Dataset {
	t.Helper()
	d, err := Load(name, opts)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// sortedRows returns the rows with their targets, in lexicographic order.
func sortedRows(d *Dataset) [][]float64 {
	rows := make([][]float64, d.Len())
	for i := range rows {
		rows[i] = append(slices.Clone(d.Row(i)), d.Y[i])
	}
	slices.SortFunc(rows, slices.Compare[[]float64])
	return rows
}

func sameData(a, b *Dataset) bool { return slices.Equal(a.X, b.X) && slices.Equal(a.Y, b.Y) }
