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

// dropped is the mask of kernel.Dropout's formula, written out.
func dropped(d kernel.Dropout, i, j int) bool {
	mix := func(z uint64) uint64 {
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		return z ^ z>>31
	}
	s := mix(mix(mix(d.Stream)+d.Step) + d.FirstRow + uint64(i))
	bits := mix(s + uint64(j/2+1)*0x9e3779b97f4a7c15)
	if j%2 == 1 {
		bits >>= 32
	}
	return float64(uint32(bits)) < math.Round(d.P*(1<<32))
}

func TestDropoutFollowsItsFormula(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(0, 9)
		rows, cols, gap := size.Draw(t, "rows"), size.Draw(t, "cols"), rapid.IntRange(0, 3).Draw(t, "gap")
		if rapid.Bool().Draw(t, "large") {
			rows, cols = rows+1, cols*(chunk/16+1)
		}
		d := kernel.Dropout{P: rapid.Float64Range(0, 0.999).Draw(t, "p"), Stream: rapid.Uint64().Draw(t, "stream"),
			Step: rapid.Uint64Range(0, 5).Draw(t, "step"), FirstRow: rapid.Uint64Range(0, 5).Draw(t, "first row")}
		x := kernel.MatrixOf(make([]float32, rows*cols), rows, cols)
		for i := range x.Data {
			x.Data[i] = float32(i%7) - 3
		}
		g := archtest.NewGuarded[float32](rows*(cols+gap), 0)
		y := kernel.Matrix[float32]{Data: g.Data, Rows: rows, Cols: cols, Stride: cols + gap}
		Dropout(y, x, d)
		for i := range rows {
			for j := range y.Stride {
				got, want := y.Data[i*y.Stride+j], archtest.Guard[float32]()
				if j < cols {
					factor := float32(1 / (1 - d.P))
					if dropped(d, i, j) {
						factor = 0
					}
					want = x.Data[i*cols+j] * factor
				}
				if !archtest.SameBits(got, want) {
					t.Fatalf("(%d, %d): got %v, want %v", i, j, got, want)
				}
			}
		}
		if !g.Intact() {
			t.Fatal("written outside Y")
		}
		Dropout(x, x, d) // in place
		for i := range rows {
			if !archtest.EqualBits(x.Row(i), y.Row(i)) {
				t.Fatalf("row %d: got %v in place, %v elsewhere", i, x.Row(i), y.Row(i))
			}
		}
	})
}

// TestDropoutDropsAsOftenAsItShould: over many masks, within five standard
// deviations; elements next to each other, rows, steps and streams agree as
// often as independent ones do.
func TestDropoutDropsAsOftenAsItShould(t *testing.T) {
	const rows, cols = 250, 400
	draw := func(d kernel.Dropout) []bool {
		x := kernel.MatrixOf(make([]float64, rows*cols), rows, cols)
		for i := range x.Data {
			x.Data[i] = 1
		}
		Dropout(x, x, d)
		zero := make([]bool, len(x.Data))
		for i, v := range x.Data {
			zero[i] = v == 0
		}
		return zero
	}
	within := func(what string, hits, n int, p float64) {
		t.Helper()
		if sigma := math.Sqrt(p * (1 - p) * float64(n)); math.Abs(float64(hits)-p*float64(n)) > 5*sigma {
			t.Errorf("%s: %d of %d, want about %.0f", what, hits, n, p*float64(n))
		}
	}
	for _, p := range []float64{0.1, 0.5, 0.8} {
		d := kernel.Dropout{P: p, Stream: 1}
		mask := draw(d)
		other := map[string][]bool{"the next element": append(mask[1:len(mask):len(mask)], mask[0]), "the next row": append(mask[cols:len(mask):len(mask)], mask[:cols]...)}
		d.Step = 1
		other["the next step"] = draw(d)
		d.Step, d.Stream = 0, 2
		other["the next stream"] = draw(d)
		zeros := 0
		for _, zero := range mask {
			if zero {
				zeros++
			}
		}
		within("zeros", zeros, len(mask), p)
		for what, o := range other {
			both := 0
			for i := range mask {
				if mask[i] && o[i] {
					both++
				}
			}
			within("zeros together with "+what, both, len(mask), p*p)
		}
	}
}
