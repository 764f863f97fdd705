package blas_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"

	affineblas "github.com/affine-go/affine/layer/blas"
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"
	"pgregory.net/rapid"
)

// gemmOf is Sgemm or Dgemm.
type gemmOf[T float] func(tA, tB blas.Transpose, m, n, k int, alpha T, a []T, lda int, b []T, ldb int, beta T, c []T, ldc int)

type float interface{ float32 | float64 }

// A product is one call of gemm.
type product[T float] struct {
	tA, tB        blas.Transpose
	m, n, k       int
	alpha, beta   T
	a, b, c       []T
	lda, ldb, ldc int
}

func (p *product[T]) by(gemm gemmOf[T]) {
	gemm(p.tA, p.tB, p.m, p.n, p.k, p.alpha, p.a, p.lda, p.b, p.ldb, p.beta, p.c, p.ldc)
}

var transposes = []blas.Transpose{blas.NoTrans, blas.Trans, blas.ConjTrans}

// newProduct returns a product with rows so many elements longer than need be.
// What lies between rows is NaN, which no sum may see.
func newProduct[T float](rng *rand.Rand, tA, tB blas.Transpose, m, n, k int, alpha, beta T, longer int) *product[T] {
	matrix := func(rows, cols int) ([]T, int) {
		ld := cols + longer
		s := make([]T, (rows-1)*ld+cols)
		for i := range s {
			s[i] = T(math.NaN())
			if i%ld < cols {
				s[i] = T(rng.NormFloat64())
			}
		}
		return s, ld
	}
	p := &product[T]{tA: tA, tB: tB, m: m, n: n, k: k, alpha: alpha, beta: beta}
	if p.a, p.lda = matrix(m, k); tA != blas.NoTrans {
		p.a, p.lda = matrix(k, m)
	}
	if p.b, p.ldb = matrix(k, n); tB != blas.NoTrans {
		p.b, p.ldb = matrix(n, k)
	}
	p.c, p.ldc = matrix(m, n)
	return p
}

// check compares the result of gemm with sums in float64, to the rounding of
// each product and sum, and checks that nothing else was written.
func check[T float](t interface{ Fatalf(string, ...any) }, p *product[T], gemm gemmOf[T]) {
	a, b, before := append([]T(nil), p.a...), append([]T(nil), p.b...), append([]T(nil), p.c...)
	p.by(gemm)
	if !sameBits(a, p.a) || !sameBits(b, p.b) {
		t.Fatalf("a factor was changed")
	}
	epsilon := 0x1p-24
	if _, double := any(p.alpha).(float64); double {
		epsilon = 0x1p-53
	}
	for i, got := range p.c {
		row, col := i/p.ldc, i%p.ldc
		if col >= p.n {
			if !sameBits(p.c[i:i+1], before[i:i+1]) {
				t.Fatalf("what lies between rows %d and %d was written", row, row+1)
			}
			continue
		}
		var sum, size float64
		for l := range p.k {
			x, y := row*p.lda+l, l*p.ldb+col
			if p.tA != blas.NoTrans {
				x = l*p.lda + row
			}
			if p.tB != blas.NoTrans {
				y = col*p.ldb + l
			}
			term := float64(p.a[x]) * float64(p.b[y])
			sum, size = sum+term, size+math.Abs(term)
		}
		sum, size = float64(p.alpha)*sum, math.Abs(float64(p.alpha))*size
		if p.beta != 0 {
			sum += float64(p.beta) * float64(before[i])
			size += math.Abs(float64(p.beta) * float64(before[i]))
		}
		// In float64 the reference's own sums are no better.
		if bound := float64(2*p.k+8) * epsilon * size; !(math.Abs(float64(got)-sum) <= bound) {
			t.Fatalf("element (%d, %d) is %v, want %v within %.1e", row, col, got, sum, bound)
		}
	}
}

func TestGemmIsTheSumOfProducts(t *testing.T) {
	t.Run("float32", func(t *testing.T) { testSums(t, affineblas.Implementation{}.Sgemm) })
	t.Run("float64", func(t *testing.T) { testSums(t, affineblas.Implementation{}.Dgemm) })
}

func testSums[T float](t *testing.T, gemm gemmOf[T]) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) int {
			if rapid.IntRange(0, 9).Draw(t, name+" is large") == 0 {
				return rapid.IntRange(41, 300).Draw(t, name)
			}
			return rapid.IntRange(1, 40).Draw(t, name)
		}
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		check(t, newProduct(rng,
			rapid.SampledFrom(transposes).Draw(t, "tA"), rapid.SampledFrom(transposes).Draw(t, "tB"),
			draw("m"), draw("n"), draw("k"),
			rapid.SampledFrom([]T{0, 1, -1, 0.3}).Draw(t, "alpha"), rapid.SampledFrom([]T{0, 1, -1, 0.7}).Draw(t, "beta"),
			rapid.IntRange(0, 5).Draw(t, "longer")), gemm)
	})
}

// Products with a side of one or two go ways of their own.
func TestThinGemmIsTheSumOfProducts(t *testing.T) {
	t.Run("float32", func(t *testing.T) { testThin(t, affineblas.Implementation{}.Sgemm) })
	t.Run("float64", func(t *testing.T) { testThin(t, affineblas.Implementation{}.Dgemm) })
}

func testThin[T float](t *testing.T, gemm gemmOf[T]) {
	rng := rand.New(rand.NewPCG(5, 6))
	sides := []int{1, 2, 3, 9, 70}
	for _, m := range sides {
		for _, n := range sides {
			for _, k := range sides {
				if min(m, n, k) > 2 {
					continue
				}
				for _, tA := range transposes[:2] {
					for _, tB := range transposes[:2] {
						for i, beta := range []T{0, 1, 0.7} {
							check(t, newProduct(rng, tA, tB, m, n, k, []T{1, -0.3}[(m+i)%2], beta, i), gemm)
						}
					}
				}
			}
		}
	}
}

func TestGemmOfPackedFactorsIsTheSumOfProducts(t *testing.T) {
	t.Run("float32", func(t *testing.T) { testPacked(t, affineblas.Implementation{}.Sgemm) })
	t.Run("float64", func(t *testing.T) { testPacked(t, affineblas.Implementation{}.Dgemm) })
}

// testPacked checks products that are too large to be computed from factors as
// they lie: more than one block of rows, of columns and of terms.
func testPacked[T float](t *testing.T, gemm gemmOf[T]) {
	rng := rand.New(rand.NewPCG(1, 2))
	for i, size := range [][3]int{{211, 215, 300}, {530, 70, 261}, {67, 530, 290}} {
		for _, tA := range transposes[:2] {
			for _, tB := range transposes[:2] {
				alpha, beta := T([]float64{1, -0.3}[i%2]), T([]float64{0.7, 0, 1}[i%3])
				t.Run(fmt.Sprint(size, string(tA), string(tB), alpha, beta), func(t *testing.T) {
					check(t, newProduct(rng, tA, tB, size[0], size[1], size[2], alpha, beta, 3), gemm)
				})
			}
		}
	}
}

func TestGemmDoesNotReadCWhenBetaIsZero(t *testing.T) {
	for _, n := range []int{3, 40, 260} {
		p := newProduct[float32](rand.New(rand.NewPCG(1, 2)), blas.NoTrans, blas.NoTrans, n, n, n, 1, 0, 0)
		for i := range p.c {
			p.c[i] = float32(math.NaN())
		}
		check(t, p, affineblas.Implementation{}.Sgemm)
	}
}

func TestGemmDoesNotReadFactorsWhenAlphaIsZero(t *testing.T) {
	nan := math.NaN()
	c := []float64{1, 2, 3, 4}
	affineblas.Implementation{}.Dgemm(blas.NoTrans, blas.NoTrans, 2, 2, 1, 0, []float64{nan, nan}, 1, []float64{nan, nan}, 2, 0.5, c, 2)
	if want := []float64{0.5, 1, 1.5, 2}; !sameBits(c, want) {
		t.Errorf("got %v, want %v", c, want)
	}
}

// A zero times NaN or infinity is NaN: no term is skipped.
func TestGemmPassesOnWhatIsNotFinite(t *testing.T) {
	for _, n := range []int{3, 40, 260} {
		for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
			p := newProduct[float64](rand.New(rand.NewPCG(1, 2)), blas.NoTrans, blas.NoTrans, n, n, n, 1, 0, 0)
			clear(p.a)
			p.b[n+2] = bad // row 1, column 2
			p.by(affineblas.Implementation{}.Dgemm)
			for i, v := range p.c {
				if nan := i%n == 2; math.IsNaN(v) != nan || !nan && v != 0 {
					t.Fatalf("n = %d, B(1, 2) = %v: C(%d, %d) is %v, want column 2 NaN and the others 0", n, bad, i/n, i%n, v)
				}
			}
		}
	}
}

func TestBitsOfGemmDoNotDependOnThreads(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, size := range [][3]int{{150, 150, 150}, {300, 280, 270}, {2, 3000, 900}} {
		for _, beta := range []float32{0, 0.7} {
			var first []float32
			for _, threads := range []int{1, 2, 8} {
				runtime.GOMAXPROCS(threads)
				p := newProduct[float32](rand.New(rand.NewPCG(3, 4)), blas.NoTrans, blas.Trans, size[0], size[1], size[2], -0.3, beta, 0)
				p.by(affineblas.Implementation{}.Sgemm)
				if first == nil {
					first = p.c
				} else if !sameBits(first, p.c) {
					t.Errorf("%v, beta %v: %d threads give other bits than 1", size, beta, threads)
				}
			}
		}
	}
}

func TestConcurrentCallsOfGemmDoNotDisturbEachOther(t *testing.T) {
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(i), 4))
			for range 4 {
				check(failer{t}, newProduct[float32](rng, blas.Trans, blas.NoTrans, 100+i, 90, 80, -0.3, 0.7, 0), affineblas.Implementation{}.Sgemm)
			}
		})
	}
	group.Wait()
}

// failer fails a test from any goroutine.
type failer struct{ *testing.T }

func (f failer) Fatalf(format string, args ...any) { f.Errorf(format, args...) }

func TestGemmPanicsAsGonumsDoes(t *testing.T) {
	change := map[string]func(p *product[float64]){
		"nothing":      func(*product[float64]) {},
		"no rows":      func(p *product[float64]) { p.m = 0 },
		"no columns":   func(p *product[float64]) { p.n = 0 },
		"no terms":     func(p *product[float64]) { p.k = 0 },
		"bad tA":       func(p *product[float64]) { p.tA = 'X' },
		"bad tB":       func(p *product[float64]) { p.tB = 'X' },
		"m negative":   func(p *product[float64]) { p.m = -1 },
		"n negative":   func(p *product[float64]) { p.n = -1 },
		"k negative":   func(p *product[float64]) { p.k = -1 },
		"short lda":    func(p *product[float64]) { p.lda = 2 },
		"short ldb":    func(p *product[float64]) { p.ldb = 2 },
		"short ldc":    func(p *product[float64]) { p.ldc = 2 },
		"negative lda": func(p *product[float64]) { p.lda = -5 },
		"short a":      func(p *product[float64]) { p.a = p.a[:len(p.a)-1] },
		"short b":      func(p *product[float64]) { p.b = p.b[:len(p.b)-1] },
		"short c":      func(p *product[float64]) { p.c = p.c[:len(p.c)-1] },
		"nil a":        func(p *product[float64]) { p.a = nil },
		"all is bad":   func(p *product[float64]) { *p = product[float64]{} },
		"short lda, and no rows": func(p *product[float64]) {
			p.lda, p.m = 2, 0
		},
	}
	for name, f := range change {
		for _, tA := range transposes {
			for _, tB := range transposes {
				of := func() *product[float64] {
					p := newProduct[float64](rand.New(rand.NewPCG(1, 2)), tA, tB, 7, 8, 9, 1, 0.5, 0)
					f(p)
					return p
				}
				samePanic(t, name, func() { of().by(gonum.Implementation{}.Dgemm) }, func() { of().by(affineblas.Implementation{}.Dgemm) })
			}
		}
	}
}

// samePanic checks that two functions panic with the same value, or both not.
func samePanic(t *testing.T, name string, want, got func()) {
	t.Helper()
	if w, g := recovered(want), recovered(got); w != g {
		t.Errorf("%s: panics with %v, gonum's with %v", name, g, w)
	}
}

func recovered(f func()) (value any) {
	defer func() { value = recover() }()
	f()
	return nil
}

// sameBits tells NaNs and zeros apart.
func sameBits[T float](a, b []T) bool {
	for i := range a {
		if math.Float64bits(float64(a[i])) != math.Float64bits(float64(b[i])) {
			return false
		}
	}
	return len(a) == len(b)
}
