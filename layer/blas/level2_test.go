package blas_test

import (
	"fmt"
	"math"
	"runtime"
	"testing"

	affineblas "github.com/affine-go/affine/layer/blas"
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"
)

// vectorShapes are too small for threads, and large enough, and larger.
var vectorShapes = [][2]int{{3, 5}, {1, 200000}, {200000, 1}, {401, 333}, {333, 401}, {1030, 517}}

func TestGemvIsGonums(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, shape := range vectorShapes {
		for _, tA := range transposes {
			for _, inc := range [][2]int{{1, 1}, {2, 3}, {-1, 1}, {1, -2}} {
				for _, beta := range []float64{0, 0.7} {
					t.Run(fmt.Sprint(shape, string(tA), inc, beta), func(t *testing.T) {
						testGemv(t, affineblas.Implementation{}.Dgemv, gonum.Implementation{}.Dgemv, tA, shape, inc, beta)
						testGemv(t, affineblas.Implementation{}.Sgemv, gonum.Implementation{}.Sgemv, tA, shape, inc, float32(beta))
					})
				}
			}
		}
	}
}

type gemvOf[T float] func(tA blas.Transpose, m, n int, alpha T, a []T, lda int, x []T, incX int, beta T, y []T, incY int)

func testGemv[T float](t *testing.T, ours, gonums gemvOf[T], tA blas.Transpose, shape, inc [2]int, beta T) {
	m, n, lda := shape[0], shape[1], shape[1]+3
	lenX, lenY := n, m
	if tA != blas.NoTrans {
		lenX, lenY = m, n
	}
	a, x := normal[T]((m-1)*lda+n), normal[T]((lenX-1)*max(inc[0], -inc[0])+1)
	result := func(gemv gemvOf[T]) []T {
		y := normal[T]((lenY-1)*max(inc[1], -inc[1]) + 1)
		if beta == 0 && inc[1] > 0 {
			for i := 0; i < len(y); i += inc[1] {
				y[i] = T(math.NaN())
			}
		}
		gemv(tA, m, n, 0.3, a, lda, x, inc[0], beta, y, inc[1])
		return y
	}
	want := result(gonums)
	for _, threads := range []int{1, 2, 8} {
		runtime.GOMAXPROCS(threads)
		if !sameBits(result(ours), want) {
			t.Errorf("%T: other bits than gonum's with %d threads", beta, threads)
		}
	}
}

func TestGerIsGonums(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, shape := range vectorShapes {
		for _, inc := range [][2]int{{1, 1}, {2, 3}} {
			t.Run(fmt.Sprint(shape, inc), func(t *testing.T) {
				testGer(t, affineblas.Implementation{}.Dger, gonum.Implementation{}.Dger, shape, inc)
				testGer(t, affineblas.Implementation{}.Sger, gonum.Implementation{}.Sger, shape, inc)
			})
		}
	}
}

type gerOf[T float] func(m, n int, alpha T, x []T, incX int, y []T, incY int, a []T, lda int)

func testGer[T float](t *testing.T, ours, gonums gerOf[T], shape, inc [2]int) {
	m, n, lda := shape[0], shape[1], shape[1]+3
	x, y := normal[T]((m-1)*max(inc[0], -inc[0])+1), normal[T]((n-1)*max(inc[1], -inc[1])+1)
	result := func(ger gerOf[T]) []T {
		a := normal[T]((m-1)*lda + n)
		ger(m, n, 0.3, x, inc[0], y, inc[1], a, lda)
		return a
	}
	want := result(gonums)
	for _, threads := range []int{1, 2, 8} {
		runtime.GOMAXPROCS(threads)
		if !sameBits(result(ours), want) {
			t.Errorf("%T: other bits than gonum's with %d threads", x[0], threads)
		}
	}
}

func TestGerTakesVectorsBackwards(t *testing.T) {
	for _, shape := range vectorShapes {
		m, n := shape[0], shape[1]
		x, y := normal[float32](2*m-1), normal[float32](3*n-2)
		for _, inc := range [][2]int{{-2, 3}, {2, -3}, {-2, -3}} {
			a := normal[float32](m * n)
			before := append([]float32(nil), a...)
			affineblas.Implementation{}.Sger(m, n, 2, x, inc[0], y, inc[1], a, n)
			for i := range a {
				row, col := i/n*2, i%n*3
				if inc[0] < 0 {
					row = len(x) - 1 - row
				}
				if inc[1] < 0 {
					col = len(y) - 1 - col
				}
				want := float64(before[i]) + 2*float64(x[row])*float64(y[col])
				if size := math.Abs(float64(before[i])) + math.Abs(2*float64(x[row])*float64(y[col])); !(math.Abs(float64(a[i])-want) <= 0x1p-22*size) {
					t.Fatalf("%v, increments %v: A(%d, %d) is %v, want %v", shape, inc, i/n, i%n, a[i], want)
				}
			}
		}
	}
}

func TestLevel2PanicsAsGonumsDoes(t *testing.T) {
	type call struct {
		tA         blas.Transpose
		m, n, lda  int
		a, x, y    []float64
		incX, incY int
	}
	for name, change := range map[string]func(*call){
		"nothing":    func(*call) {},
		"no rows":    func(c *call) { c.m = 0 },
		"bad tA":     func(c *call) { c.tA = 'X' },
		"m negative": func(c *call) { c.m = -1 },
		"n negative": func(c *call) { c.n = -1 },
		"short lda":  func(c *call) { c.lda = 399 },
		"short a":    func(c *call) { c.a = c.a[1:] },
		"short x":    func(c *call) { c.x = c.x[1:] },
		"short y":    func(c *call) { c.y = c.y[1:] },
		"incX 0":     func(c *call) { c.incX = 0 },
		"incY 0":     func(c *call) { c.incY = 0 },
	} {
		of := func() *call {
			c := &call{blas.NoTrans, 400, 400, 400, make([]float64, 160000), make([]float64, 400), make([]float64, 400), 1, 1}
			change(c)
			return c
		}
		gemv := func(f gemvOf[float64]) func() {
			return func() { c := of(); f(c.tA, c.m, c.n, 1, c.a, c.lda, c.x, c.incX, 0, c.y, c.incY) }
		}
		ger := func(f gerOf[float64]) func() {
			return func() { c := of(); f(c.m, c.n, 1, c.x, c.incX, c.y, c.incY, c.a, c.lda) }
		}
		samePanic(t, "gemv: "+name, gemv(gonum.Implementation{}.Dgemv), gemv(affineblas.Implementation{}.Dgemv))
		samePanic(t, "ger: "+name, ger(gonum.Implementation{}.Dger), ger(affineblas.Implementation{}.Dger))
	}
}
