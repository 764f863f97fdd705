package gemm

import (
	"math"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/affine-go/affine/internal/cpu/arch/archtest"
	"github.com/affine-go/affine/internal/kernel"
	"pgregory.net/rapid"
)

// A row of Y has the same bits in a batch of any size, on any number of
// threads, whether W is stored transposed or not.
func TestARowDoesNotDependOnItsBatch(t *testing.T) {
	defer func(before int) { limits.sweep = before }(limits.sweep)
	archtest.EachSet(t, func(t *testing.T) {
		t.Run("float32", testInvariance[float32])
		t.Run("float64", testInvariance[float64])
	})
}

func testInvariance[T kernel.Float](t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		sizes := rapid.OneOf(rapid.IntRange(1, 40), rapid.SampledFrom([]int{64, 255, 256, 257, 300, 520}))
		n := rapid.SampledFrom([]int{17, 130, 700}).Draw(rt, "batch")
		in, out := sizes.Draw(rt, "in"), sizes.Draw(rt, "out")
		act := activation(rapid.SampledFrom(kernel.Activations()).Draw(rt, "activation"))
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1))
		x, w, b := random[T](r, n, in, in), random[T](r, in, out, out), random[T](r, 1, out, out).Row(0)
		if rapid.Bool().Draw(rt, "transposed") {
			w = random[T](r, out, in, in)
			w.Rows, w.Cols, w.Transposed = in, out, true
		}
		y, z := kernel.MatrixOf(make([]T, n*out), n, out), kernel.MatrixOf(make([]T, n*out), n, out)
		linear(y, z, x, w, b, act)
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(rapid.SampledFrom([]int{1, 2, 3, 8}).Draw(rt, "threads")))
		for range 4 {
			rows := min(n, rapid.SampledFrom([]int{1, 2, 5, 14, 16, 17, 100, 256, 700}).Draw(rt, "rows"))
			lo := rapid.IntRange(0, n-rows).Draw(rt, "first")
			limits.sweep = rapid.SampledFrom([]int{0, 1 << 21}).Draw(rt, "sweep")
			part := kernel.MatrixOf(make([]T, rows*out), rows, out)
			linear(part, kernel.Matrix[T]{}, x.View(lo, lo+rows, 0, in), w, b, act)
			if !archtest.EqualBits(part.Data, y.Data[lo*out:(lo+rows)*out]) {
				rt.Fatalf("rows %d to %d differ from the same among %d", lo, lo+rows-1, n)
			}
		}
	})
}

// Relative to its size, the error of a long sum grows no faster than the square
// root of its length: the terms of a block, and the sums of the blocks, are
// random walks. One walk over all terms would be 16 times as far off.
func TestLongSumsStayAccurate(t *testing.T) {
	archtest.EachSet(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(5, 8))
		for _, shape := range [][3]int{{24, 40, 65536}, {3, 5, 65536}, {1, 33, 20000}, {70, 130, 8192}} {
			m, n, depth := shape[0], shape[1], shape[2]
			x, dy := random[float32](r, depth, m, m), random[float32](r, depth, n, n)
			dw, db := kernel.MatrixOf(make([]float32, m*n), m, n), make([]float32, n)
			linearBackward(kernel.Matrix[float32]{}, dw, db, x, kernel.Matrix[float32]{}, dy, kernel.Matrix[float32]{}, kernel.Activation{})
			alone := make([]float32, n)
			linearBackward(kernel.Matrix[float32]{}, kernel.Matrix[float32]{}, alone, kernel.Matrix[float32]{}, kernel.Matrix[float32]{}, dy, kernel.Matrix[float32]{}, kernel.Activation{})
			worst := func(name string, got []float32, term func(i, p int) float64) {
				var errors float64
				for i, v := range got {
					var sum float64
					for p := range depth {
						sum += term(i, p)
					}
					errors += (float64(v) - sum) * (float64(v) - sum)
				}
				rms := math.Sqrt(errors / float64(len(got)))
				inBlocks := math.Sqrt(float64(depth) * kc)
				ofBlocks := float64(depth) / math.Sqrt(kc)
				if bound := 0x1p-25 * (inBlocks + ofBlocks); !(rms <= bound) {
					t.Errorf("%s, depth %d: error %.3g, more than %.3g", name, depth, rms, bound)
				}
			}
			worst("dW", dw.Data, func(i, p int) float64 { return float64(x.Data[p*m+i/n]) * float64(dy.Data[p*n+i%n]) })
			worst("db", db, func(i, p int) float64 { return float64(dy.Data[p*n+i]) })
			if !archtest.EqualBits(db, alone) {
				t.Errorf("db alone differs, depth %d", depth)
			}
		}
	})
}
