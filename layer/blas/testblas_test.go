package blas_test

import (
	"math"
	"testing"

	affineblas "github.com/affine-go/affine/layer/blas"
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"
	"gonum.org/v1/gonum/blas/testblas"
)

// gonum's own tests of a BLAS, on this one.

func TestGonumsCasesInFloat64(t *testing.T) {
	testblasSuite(t, func(*testing.T) double { return affineblas.Implementation{} })
}

func TestGonumsCasesInFloat32(t *testing.T) {
	testblasSuite(t, func(t *testing.T) double { return single{t} })
}

// double is what is tested.
type double interface {
	testblas.Dgemmer
	testblas.Dgemver
	testblas.Dgerer
	testblas.Dsyker
}

func testblasSuite(t *testing.T, of func(t *testing.T) double) {
	t.Run("gemm", func(t *testing.T) { testblas.TestDgemm(t, of(t)) })
	t.Run("gemv", func(t *testing.T) { testblas.DgemvTest(t, of(t)) })
	t.Run("ger", func(t *testing.T) { testblas.DgerTest(t, of(t)) })
	t.Run("syrk", func(t *testing.T) { testblas.DsyrkTest(t, of(t)) })
}

// single puts the float32 methods where gonum's tests want the float64 ones,
// whose tolerances are too narrow for them. It compares their result with
// gonum's in float64 itself, and returns that.
type single struct{ t *testing.T }

func (s single) Dgemm(tA, tB blas.Transpose, m, n, k int, alpha float64, a []float64, lda int, b []float64, ldb int, beta float64, c []float64, ldc int) {
	got := to32(c)
	affineblas.Implementation{}.Sgemm(tA, tB, m, n, k, float32(alpha), to32(a), lda, to32(b), ldb, float32(beta), got, ldc)
	size := absolutes(c)
	gonum.Implementation{}.Dgemm(tA, tB, m, n, k, math.Abs(alpha), absolutes(a), lda, absolutes(b), ldb, math.Abs(beta), size, ldc)
	gonum.Implementation{}.Dgemm(tA, tB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
	s.within(got, c, size, k)
}

func (s single) Dgemv(tA blas.Transpose, m, n int, alpha float64, a []float64, lda int, x []float64, incX int, beta float64, y []float64, incY int) {
	got := to32(y)
	affineblas.Implementation{}.Sgemv(tA, m, n, float32(alpha), to32(a), lda, to32(x), incX, float32(beta), got, incY)
	size := absolutes(y)
	gonum.Implementation{}.Dgemv(tA, m, n, math.Abs(alpha), absolutes(a), lda, absolutes(x), incX, math.Abs(beta), size, incY)
	gonum.Implementation{}.Dgemv(tA, m, n, alpha, a, lda, x, incX, beta, y, incY)
	s.within(got, y, size, max(m, n))
}

func (s single) Dger(m, n int, alpha float64, x []float64, incX int, y []float64, incY int, a []float64, lda int) {
	got := to32(a)
	affineblas.Implementation{}.Sger(m, n, float32(alpha), to32(x), incX, to32(y), incY, got, lda)
	size := absolutes(a)
	gonum.Implementation{}.Dger(m, n, math.Abs(alpha), absolutes(x), incX, absolutes(y), incY, size, lda)
	gonum.Implementation{}.Dger(m, n, alpha, x, incX, y, incY, a, lda)
	s.within(got, a, size, 1)
}

func (s single) Dsyrk(ul blas.Uplo, tA blas.Transpose, n, k int, alpha float64, a []float64, lda int, beta float64, c []float64, ldc int) {
	got := to32(c)
	affineblas.Implementation{}.Ssyrk(ul, tA, n, k, float32(alpha), to32(a), lda, float32(beta), got, ldc)
	size := absolutes(c)
	gonum.Implementation{}.Dsyrk(ul, tA, n, k, math.Abs(alpha), absolutes(a), lda, math.Abs(beta), size, ldc)
	gonum.Implementation{}.Dsyrk(ul, tA, n, k, alpha, a, lda, beta, c, ldc)
	s.within(got, c, size, k)
}

// within checks that sums of so many products are right to the rounding of
// each input, product and sum. size is the same sum of absolute values.
func (s single) within(got []float32, want, size []float64, terms int) {
	s.t.Helper()
	for i := range want {
		bound := float64(terms+4) * 0x1p-24 * size[i]
		if d := math.Abs(float64(got[i]) - want[i]); !(d <= bound) && !(math.IsNaN(want[i]) && got[i] != got[i]) {
			s.t.Fatalf("element %d: got %v, want %v, which is more than %.1e away", i, got[i], want[i], bound)
		}
	}
}

func to32(x []float64) []float32 {
	y := make([]float32, len(x))
	for i := range x {
		y[i] = float32(x[i])
	}
	return y
}

func absolutes(x []float64) []float64 {
	y := make([]float64, len(x))
	for i := range x {
		y[i] = math.Abs(x[i])
	}
	return y
}
