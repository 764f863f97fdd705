package gemm

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/affine-go/affine/internal/cpu/arch"
	"github.com/affine-go/affine/internal/kernel"
)

// besidePeak times f, which does so many operations on T, and reports its share
// of the multiply-add peak, measured on as many threads right before and after.
func besidePeak[T kernel.Float](b *testing.B, threads int, flops float64, f func()) {
	before := PeakFLOPS[T](threads)
	for b.Loop() {
		f()
	}
	rate := flops * float64(b.N) / b.Elapsed().Seconds()
	peak := max(before, PeakFLOPS[T](threads))
	b.ReportMetric(rate/1e9, "GFLOP/s")
	b.ReportMetric(100*rate/peak, "%peak")
}

// BenchmarkTile runs the largest tile kernel on one tile that stays in L1: what
// a product can reach at most. With zeros the arithmetic takes the least power:
// if the kernel is nearer to the peak then, a limit of power holds it back, and
// else the loads do.
func BenchmarkTile(b *testing.B) {
	b.Run("float32", func(b *testing.B) { benchmarkTile(b, numbers[float32]) })
	b.Run("float64", func(b *testing.B) { benchmarkTile(b, numbers[float64]) })
	b.Run("zeros/float32", func(b *testing.B) { benchmarkTile(b, arch.Alloc[float32]) })
	b.Run("zeros/float64", func(b *testing.B) { benchmarkTile(b, arch.Alloc[float64]) })
}

func benchmarkTile[T kernel.Float](b *testing.B, numbers func(n int) []T) {
	k := kernelsOf[T]()
	// Half of the terms that a block has, so that A and B leave room in L1.
	const depth = kc / 2
	columns := k.nr()
	factor, panel, c := numbers(k.mr*depth), numbers(columns*depth), arch.Alloc[T](k.mr*columns)
	element := size[T]()
	t := &new(scratch[T]).tile
	besidePeak[T](b, 1, 2*float64(k.mr*columns*depth), func() {
		t.a, t.rowStep, t.colStep = &factor[0], element, k.mr*element
		t.b, t.bStep = &panel[0], columns*element
		t.c, t.cStep = &c[0], columns*element
		t.k, t.whole, t.tiles, t.mask = depth, depth, 1, k.masks[k.lanes]
		t.prefetch = t.b
		k.tiles[k.nrVectors-1][k.mr-1](t)
	})
}

// BenchmarkLinear times the products of the sizes that the module is judged by,
// each alone and all together.
func BenchmarkLinear(b *testing.B) {
	b.Run("float32", benchmarkLinear[float32])
	b.Run("float64", benchmarkLinear[float64])
}

func benchmarkLinear[T kernel.Float](b *testing.B) {
	for _, s := range [][3]int{{128, 784, 512}, {512, 512, 512}, {256, 1024, 1024}, {512, 2048, 2048}} {
		batch, in, out := s[0], s[1], s[2]
		matrix := func(rows, cols int) kernel.Matrix[T] {
			return kernel.Matrix[T]{Data: numbers[T](rows * cols), Rows: rows, Cols: cols, Stride: cols}
		}
		x, w, bias := matrix(batch, in), matrix(in, out), numbers[T](out)
		y, dy, dx, dw, db := matrix(batch, out), matrix(batch, out), matrix(batch, in), matrix(in, out), arch.Alloc[T](out)
		var none kernel.Matrix[T]
		forward := func() { linear(y, none, x, w, bias, kernel.Activation{}) }
		products := 2 * float64(batch*in*out)
		for _, part := range []struct {
			name  string
			flops float64
			run   func()
		}{
			{"Y", products, forward},
			{"dX", products, func() { linearBackward(dx, none, nil, none, w, dy, none, kernel.Activation{}) }},
			{"dW", products, func() { linearBackward(none, dw, db, x, none, dy, none, kernel.Activation{}) }},
			{"all", 3 * products, func() { forward(); linearBackward(dx, dw, db, x, w, dy, none, kernel.Activation{}) }},
		} {
			b.Run(fmt.Sprintf("%dx%dx%d/%s", batch, in, out, part.name), func(b *testing.B) {
				besidePeak[T](b, runtime.GOMAXPROCS(0), part.flops, part.run)
			})
		}
	}
}

// numbers returns n of them, of which few are zero.
func numbers[T kernel.Float](n int) []T {
	values := arch.Alloc[T](n)
	for i := range values {
		values[i] = T(i%17) - 8.3
	}
	return values
}
