package blas_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	affineblas "github.com/affine-go/affine/layer/blas"
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"
)

// BenchmarkGemm compares this package with gonum's BLAS:
//
//	go test ./layer/blas -run - -bench Gemm
func BenchmarkGemm(b *testing.B) {
	for _, size := range []int{4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048} {
		b.Run(fmt.Sprintf("float32/%d", size), func(b *testing.B) {
			n := size
			x, y, z := normal[float32](n*n), normal[float32](n*n), normal[float32](n*n)
			compare(b, 2*float64(n)*float64(n)*float64(n), func(i blas.Float32) func() {
				return func() { i.Sgemm(blas.NoTrans, blas.NoTrans, n, n, n, 1, x, n, y, n, 0, z, n) }
			})
		})
		b.Run(fmt.Sprintf("float64/%d", size), func(b *testing.B) {
			n := size
			x, y, z := normal[float64](n*n), normal[float64](n*n), normal[float64](n*n)
			compare(b, 2*float64(n)*float64(n)*float64(n), func(i blas.Float64) func() {
				return func() { i.Dgemm(blas.NoTrans, blas.NoTrans, n, n, n, 1, x, n, y, n, 0, z, n) }
			})
		})
	}
}

func BenchmarkLevel2(b *testing.B) {
	for _, n := range []int{4, 16, 64, 256, 1024, 4096} {
		a, x, y := normal[float32](n*n), normal[float32](n), normal[float32](n)
		flop := 2 * float64(n) * float64(n)
		for _, t := range []blas.Transpose{blas.NoTrans, blas.Trans} {
			b.Run(fmt.Sprintf("gemv%c/%d", t, n), func(b *testing.B) {
				compare(b, flop, func(i blas.Float32) func() {
					return func() { i.Sgemv(t, n, n, 1, a, n, x, 1, 0, y, 1) }
				})
			})
		}
		b.Run(fmt.Sprintf("ger/%d", n), func(b *testing.B) {
			compare(b, flop, func(i blas.Float32) func() {
				return func() { i.Sger(n, n, 1e-9, x, 1, y, 1, a, n) }
			})
		})
	}
}

func BenchmarkSyrk(b *testing.B) {
	for _, n := range []int{4, 8, 16, 64, 256, 1024} {
		for _, t := range []blas.Transpose{blas.NoTrans, blas.Trans} {
			b.Run(fmt.Sprintf("%c/%d", t, n), func(b *testing.B) {
				a, c := normal[float64](n*n), normal[float64](n*n)
				compare(b, float64(n)*float64(n)*float64(n), func(i blas.Float64) func() {
					return func() { i.Dsyrk(blas.Lower, t, n, n, 1, a, n, 0, c, n) }
				})
			})
		}
	}
}

// compare runs a benchmark with both implementations and reports GFLOP/s.
func compare[I any](b *testing.B, flop float64, call func(I) func()) {
	for _, impl := range []struct {
		name string
		any
	}{{"affine", affineblas.Implementation{}}, {"gonum", gonum.Implementation{}}} {
		b.Run(impl.name, func(b *testing.B) {
			f := call(impl.any.(I))
			for b.Loop() {
				f()
			}
			b.ReportMetric(flop*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
		})
	}
}

// normal returns n numbers of mean 0 and standard deviation 1.
func normal[T float](n int) []T {
	rng := rand.New(rand.NewPCG(uint64(n), 1))
	s := make([]T, n)
	for i := range s {
		s[i] = T(rng.NormFloat64())
	}
	return s
}
