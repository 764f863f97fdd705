package gemm

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/affine-go/affine/internal/cpu/arch/archtest"
	"github.com/affine-go/affine/internal/kernel"
	"pgregory.net/rapid"
)

// C = alpha·op(A)·op(B) + beta·C, to the rounding of each product and sum, on
// every instruction set, with factors as they lie and packed.
func TestGemmIsTheSumOfProducts(t *testing.T) {
	archtest.EachSet(t, func(t *testing.T) {
		everyPath(t, func(t *testing.T) {
			t.Run("float32", func(t *testing.T) { testGemm[float32](t, 0x1p-24) })
			t.Run("float64", func(t *testing.T) { testGemm[float64](t, 0x1p-53) })
		})
	})
}

func testGemm[T kernel.Float](t *testing.T, epsilon float64) {
	rapid.Check(t, func(rt *rapid.T) {
		size := rapid.OneOf(rapid.IntRange(1, 40), rapid.SampledFrom([]int{64, 129, 260, 530}))
		m, n := size.Draw(rt, "m"), size.Draw(rt, "n")
		depth := rapid.OneOf(rapid.IntRange(1, 40), rapid.SampledFrom([]int{64, 255, 300})).Draw(rt, "depth")
		for m*n*depth > 1<<20 {
			m, n = (m+1)/2, (n+1)/2
		}
		transA, transB := rapid.Bool().Draw(rt, "transA"), rapid.Bool().Draw(rt, "transB")
		alpha := rapid.SampledFrom([]T{1, -1, 0.3, 0}).Draw(rt, "alpha")
		beta := rapid.SampledFrom([]T{0, 1, -0.7}).Draw(rt, "beta")
		stride := func(cols int) int { return cols + rapid.IntRange(0, 3).Draw(rt, "gap") }
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1))
		matrix := func(rows, cols int, transposed bool) kernel.Matrix[T] {
			if transposed {
				rows, cols = cols, rows
			}
			return random[T](r, rows, cols, stride(cols))
		}
		a, b := matrix(m, depth, transA), matrix(depth, n, transB)
		c, before := newFramed[T](m, n, stride(n)), random[T](r, m, n, n)
		if beta == 0 {
			for i := range before.Data {
				before.Data[i] = T(math.NaN())
			}
		}
		for i := range m {
			copy(c.Row(i), before.Row(i))
		}
		Gemm(transA, transB, alpha, a, b, beta, c.Matrix)
		if err := c.intact(); err != nil {
			rt.Fatal(err)
		}
		at := func(x kernel.Matrix[T], i, j int, transposed bool) float64 {
			if transposed {
				i, j = j, i
			}
			return float64(x.Row(i)[j])
		}
		for i := range m {
			for j := range n {
				var sum, size float64
				for l := range depth {
					term := float64(alpha) * at(a, i, l, transA) * at(b, l, j, transB)
					sum, size = sum+term, size+math.Abs(term)
				}
				if beta != 0 {
					term := float64(beta) * float64(before.Row(i)[j])
					sum, size = sum+term, size+math.Abs(term)
				}
				got := float64(c.Row(i)[j])
				if bound := float64(2*depth+8) * epsilon * size; !(math.Abs(got-sum) <= bound) {
					rt.Fatalf("C(%d, %d) is %v, want %v within %.1e", i, j, got, sum, bound)
				}
			}
		}
	})
}

// OnMicroKernel has f called before each micro-kernel, until back is called.
func OnMicroKernel(f func()) (back func()) {
	back32, back64 := onMicroKernel(kernelsOf[float32](), f), onMicroKernel(kernelsOf[float64](), f)
	return func() { back32(); back64() }
}

func onMicroKernel[T kernel.Float](k *kernels[T], f func()) (back func()) {
	tiles, packing := k.tiles, k.packing
	observe := func(kernels []func(*tile[T])) (observed []func(*tile[T])) {
		for _, micro := range kernels {
			if micro == nil {
				observed = append(observed, nil)
				continue
			}
			observed = append(observed, func(t *tile[T]) { f(); micro(t) })
		}
		return observed
	}
	k.packing, k.tiles = observe(packing), nil
	for _, column := range tiles {
		k.tiles = append(k.tiles, observe(column))
	}
	return func() { k.tiles, k.packing = tiles, packing }
}
