package elementwise

import (
	"math"
	"testing"
	"unsafe"

	"pgregory.net/rapid"

	"github.com/affine-go/affine/internal/cpu/arch"
	"github.com/affine-go/affine/internal/cpu/arch/archtest"
	"github.com/affine-go/affine/internal/kernel"
)

func TestScale(t *testing.T) {
	archtest.EachSet(t, func(t *testing.T) {
		x := []float64{0, 1, -2, math.Inf(1), 1e308, math.NaN()}
		Scale(x, -0.5)
		for i, want := range []float64{0, -0.5, 1, math.Inf(-1), -5e307} {
			if x[i] != want {
				t.Errorf("element %d: got %v, want %v", i, x[i], want)
			}
		}
		if x[5] == x[5] {
			t.Errorf("NaN became %v", x[5])
		}
	})
}

func TestClamp(t *testing.T) {
	archtest.EachSet(t, func(t *testing.T) {
		x := []float32{0, 1, -2, float32(math.Inf(1)), float32(math.Inf(-1)), 1.5, -1.5, float32(math.NaN())}
		Clamp(x, 1.5)
		for i, want := range []float32{0, 1, -1.5, 1.5, -1.5, 1.5, -1.5} {
			if x[i] != want {
				t.Errorf("element %d: got %v, want %v", i, x[i], want)
			}
		}
		if x[7] == x[7] {
			t.Errorf("NaN became %v", x[7])
		}
	})
}

func TestRowsAreCopied(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(0, 20)
		rows, cols, sources, gap := size.Draw(t, "rows"), size.Draw(t, "cols"), 1+size.Draw(t, "sources"), rapid.IntRange(0, 3).Draw(t, "gap")
		matrix := func(rows int) (kernel.Matrix[float32], archtest.Guarded[float32]) {
			g := archtest.NewGuarded[float32](rows*(cols+gap), 0)
			return kernel.Matrix[float32]{Data: g.Data, Rows: rows, Cols: cols, Stride: cols + gap}, g
		}
		src, _ := matrix(sources)
		for i := range sources {
			for j := range cols {
				src.Row(i)[j] = float32(100*i + j)
			}
		}
		index := rapid.SliceOfN(rapid.IntRange(0, sources-1), rows, rows).Draw(t, "index")
		gathered, g1 := matrix(rows)
		GatherRows(gathered, src, index)
		broadcast, g2 := matrix(rows)
		BroadcastRows(broadcast, src.Row(0))
		for i := range rows {
			if !archtest.EqualBits(gathered.Row(i), src.Row(index[i])) {
				t.Fatalf("row %d is %v, want row %d, %v", i, gathered.Row(i), index[i], src.Row(index[i]))
			}
			if !archtest.EqualBits(broadcast.Row(i), src.Row(0)) {
				t.Fatalf("row %d is %v, want %v", i, broadcast.Row(i), src.Row(0))
			}
		}
		if !g1.Intact() || !g2.Intact() || !gapsIntact(gathered) || !gapsIntact(broadcast) {
			t.Fatal("written beside the rows")
		}
	})
}

func TestAllocStartsOnACacheLine(t *testing.T) {
	for n := range 200 {
		a, b := arch.Alloc[float32](n), arch.Alloc[float64](n)
		if len(a) != n || cap(a) != n || len(b) != n || cap(b) != n {
			t.Fatalf("%d elements asked for, got %d and %d", n, len(a), len(b))
		}
		if n > 0 && (uintptr(unsafe.Pointer(&a[0]))%arch.CacheLine != 0 || uintptr(unsafe.Pointer(&b[0]))%arch.CacheLine != 0) {
			t.Fatalf("%d elements start at %p and %p", n, &a[0], &b[0])
		}
		for i := range n {
			if a[i] != 0 || b[i] != 0 {
				t.Fatalf("element %d is not zero", i)
			}
		}
	}
}
