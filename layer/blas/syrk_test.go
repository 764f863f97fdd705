package blas_test

import (
	"math"
	"math/rand/v2"
	"testing"

	affineblas "github.com/affine-go/affine/layer/blas"
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"
	"pgregory.net/rapid"
)

type syrkOf[T float] func(ul blas.Uplo, tA blas.Transpose, n, k int, alpha T, a []T, lda int, beta T, c []T, ldc int)

func TestSyrkIsATriangleOfTheProduct(t *testing.T) {
	t.Run("float32", func(t *testing.T) { testSyrk(t, affineblas.Implementation{}.Ssyrk, 0x1p-24) })
	t.Run("float64", func(t *testing.T) { testSyrk(t, affineblas.Implementation{}.Dsyrk, 0x1p-53) })
}

func testSyrk[T float](t *testing.T, syrk syrkOf[T], epsilon float64) {
	rapid.Check(t, func(t *rapid.T) {
		n, k := rapid.IntRange(1, 200).Draw(t, "n"), rapid.IntRange(1, 40).Draw(t, "k")
		ul := rapid.SampledFrom([]blas.Uplo{blas.Lower, blas.Upper}).Draw(t, "ul")
		tA := rapid.SampledFrom(transposes).Draw(t, "tA")
		alpha := rapid.SampledFrom([]T{0, 1, -0.3}).Draw(t, "alpha")
		beta := rapid.SampledFrom([]T{0, 1, 0.7}).Draw(t, "beta")
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		// A and C are the first factor and the result of a product.
		p := newProduct(rng, tA, blas.NoTrans, n, n, k, alpha, beta, rapid.IntRange(0, 3).Draw(t, "longer"))
		a, c, before := p.a, p.c, append([]T(nil), p.c...)
		if beta == 0 {
			for i := range c {
				c[i] = T(math.NaN())
			}
		}
		nan := append([]T(nil), c...)
		syrk(ul, tA, n, k, alpha, a, p.lda, beta, c, p.ldc)
		for i, got := range c {
			row, col := i/p.ldc, i%p.ldc
			if col >= n || ul == blas.Lower && col > row || ul == blas.Upper && col < row {
				if !sameBits(c[i:i+1], nan[i:i+1]) {
					t.Fatalf("element (%d, %d), which is not of the triangle, was written", row, col)
				}
				continue
			}
			var sum, size float64
			for l := range k {
				x, y := row*p.lda+l, col*p.lda+l
				if tA != blas.NoTrans {
					x, y = l*p.lda+row, l*p.lda+col
				}
				term := float64(alpha) * float64(a[x]) * float64(a[y])
				sum, size = sum+term, size+math.Abs(term)
			}
			if beta != 0 {
				sum += float64(beta) * float64(before[i])
				size += math.Abs(float64(beta) * float64(before[i]))
			}
			if bound := float64(2*k+8) * epsilon * size; !(math.Abs(float64(got)-sum) <= bound) {
				t.Fatalf("element (%d, %d) is %v, want %v within %.1e", row, col, got, sum, bound)
			}
		}
	})
}

func TestSyrkPanicsAsGonumsDoes(t *testing.T) {
	type call struct {
		ul       blas.Uplo
		tA       blas.Transpose
		n, k     int
		a        []float64
		lda, ldc int
		c        []float64
	}
	for name, change := range map[string]func(*call){
		"nothing":    func(*call) {},
		"no rows":    func(c *call) { c.n = 0 },
		"no terms":   func(c *call) { c.k = 0 },
		"bad ul":     func(c *call) { c.ul = 'X' },
		"bad tA":     func(c *call) { c.tA = 'X' },
		"n negative": func(c *call) { c.n = -1 },
		"k negative": func(c *call) { c.k = -1 },
		"short lda":  func(c *call) { c.lda = 5 },
		"short ldc":  func(c *call) { c.ldc = 5 },
		"short a":    func(c *call) { c.a = c.a[:len(c.a)-1] },
		"short c":    func(c *call) { c.c = c.c[:len(c.c)-1] },
		"nil":        func(c *call) { c.a, c.c = nil, nil },
	} {
		for _, tA := range transposes {
			by := func(syrk syrkOf[float64]) func() {
				return func() {
					c := call{blas.Lower, tA, 20, 20, make([]float64, 400), 20, 20, make([]float64, 400)}
					change(&c)
					syrk(c.ul, c.tA, c.n, c.k, 1, c.a, c.lda, 0, c.c, c.ldc)
				}
			}
			samePanic(t, name, by(gonum.Implementation{}.Dsyrk), by(affineblas.Implementation{}.Dsyrk))
		}
	}
}
