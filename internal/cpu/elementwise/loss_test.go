package elementwise

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/affine-go/affine/internal/cpu/arch"
	"github.com/affine-go/affine/internal/cpu/arch/archtest"
	"github.com/affine-go/affine/internal/kernel"
)

// randomMatrix is rows×cols of normal numbers with the given deviation,
// between guard words, with gap elements between the rows.
func randomMatrix[T kernel.Float](rng *rand.Rand, rows, cols, gap int, deviation float64) (kernel.Matrix[T], archtest.Guarded[T]) {
	g := archtest.NewGuarded[T](rows*(cols+gap), rng.IntN(16))
	m := kernel.Matrix[T]{Data: g.Data, Rows: rows, Cols: cols, Stride: cols + gap}
	for i := range rows {
		for j := range cols {
			m.Row(i)[j] = T(deviation * rng.NormFloat64())
		}
	}
	return m, g
}

// gapsIntact reports whether the elements between the rows are as they were.
func gapsIntact[T kernel.Float](m kernel.Matrix[T]) bool {
	for i := range m.Rows {
		for j := m.Cols; j < m.Stride; j++ {
			if !archtest.SameBits(m.Data[i*m.Stride+j], archtest.Guard[T]()) {
				return false
			}
		}
	}
	return true
}

// softmaxReference returns the probabilities and the logarithm of each.
func softmaxReference[T kernel.Float](z []T) (p, log []float64) {
	top := math.Inf(-1)
	for _, v := range z {
		top = math.Max(top, float64(v))
	}
	var sum float64
	for _, v := range z {
		sum += math.Exp(float64(v) - top)
	}
	for _, v := range z {
		log = append(log, float64(v)-top-math.Log(sum))
		p = append(p, math.Exp(float64(v)-top)/sum)
	}
	return p, log
}

// near reports whether got is want, rounded once, after an error of some
// units in float64.
func near[T kernel.Float](got T, want, slack float64) bool {
	return math.Abs(float64(got)-want) <= 0.501*archtest.ULP[T](want)+slack
}

func TestSoftmaxAndCrossEntropy(t *testing.T) {
	t.Run("float32", testCrossEntropy[float32])
	t.Run("float64", testCrossEntropy[float64])
}

func testCrossEntropy[T kernel.Float](t *testing.T) {
	const scale = 3
	archtest.EachSet(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(1, 2))
		for _, rows := range []int{1, 2, 7, 32, 33, 128} {
			for _, cols := range []int{1, 2, 3, 4, 5, 7, 8, 9, 10, 15, 16, 17, 24, 31, 100} {
				gap := rng.IntN(3)
				logits, _ := randomMatrix[T](rng, rows, cols, gap, 5)
				targets, _ := randomMatrix[T](rng, rows, cols, gap, 1)
				d, dGuard := randomMatrix[T](rng, rows, cols, gap, math.NaN())
				y, yGuard := randomMatrix[T](rng, rows, cols, gap, math.NaN())
				for i := range rows {
					for j, v := range targets.Row(i) {
						if v < 0 { // about half of the targets are zero
							targets.Row(i)[j] = 0
						}
					}
				}
				before := append(append([]T(nil), logits.Data...), targets.Data...)
				loss := SoftmaxCrossEntropy(logits, targets)
				SoftmaxCrossEntropyBackward(d, logits, targets, scale)
				Softmax(y, logits)
				if !archtest.EqualBits(before, append(append([]T(nil), logits.Data...), targets.Data...)) {
					t.Fatalf("%d×%d: inputs were written", rows, cols)
				}
				if !dGuard.Intact() || !yGuard.Intact() || !gapsIntact(d) || !gapsIntact(y) {
					t.Fatalf("%d×%d: written beside the outputs", rows, cols)
				}
				var want, size float64
				for i := range rows {
					p, log := softmaxReference(logits.Row(i))
					var weight float64
					for j, v := range targets.Row(i) {
						weight += float64(v)
						want -= float64(v) * log[j] / float64(rows)
						size += math.Abs(float64(v) * log[j])
					}
					for j, v := range targets.Row(i) {
						gradient := scale / float64(rows) * (p[j]*weight - float64(v))
						if !near(d.Row(i)[j], gradient, 1e-14*(weight+1)) {
							t.Fatalf("%d×%d, gradient (%d,%d): got %v, want %v", rows, cols, i, j, d.Row(i)[j], gradient)
						}
						if !near(y.Row(i)[j], p[j], 1e-14*p[j]) {
							t.Fatalf("%d×%d, softmax (%d,%d): got %v, want %v", rows, cols, i, j, y.Row(i)[j], p[j])
						}
					}
				}
				if !near(loss, want, 1e-14*(1+size)) {
					t.Fatalf("%d×%d: loss %v, want %v", rows, cols, loss, want)
				}
				Softmax(logits, logits)
				for i := range rows {
					if !archtest.EqualBits(logits.Row(i), y.Row(i)) {
						t.Fatalf("%d×%d: softmax in place gives %v, want %v", rows, cols, logits.Row(i), y.Row(i))
					}
				}
			}
		}
	})
}

func TestCrossEntropyOfExtremeLogits(t *testing.T) {
	t.Run("float32", testExtremeLogits[float32])
	t.Run("float64", testExtremeLogits[float64])
}

func testExtremeLogits[T kernel.Float](t *testing.T) {
	inf, nan := T(math.Inf(1)), T(math.NaN())
	tests := []struct {
		logits, targets []T
		loss            float64
		gradient        []float64
	}{
		{[]T{1e4, -1e4}, []T{1, 0}, 0, []float64{0, 0}},
		{[]T{1e4, -1e4}, []T{0, 1}, 2e4, []float64{1, -1}},
		{[]T{-1e4, -1e4}, []T{0.5, 0.5}, math.Ln2, []float64{0, 0}},
		{[]T{0, 0, 0}, []T{2, 0, 0}, 2 * math.Log(3), []float64{2./3 - 2, 2. / 3, 2. / 3}},
		// A class that is impossible and not wanted costs nothing.
		{[]T{0, -inf, 0}, []T{1, 0, 0}, math.Ln2, []float64{-0.5, 0, 0.5}},
		{[]T{0, -inf}, []T{0, 1}, math.Inf(1), []float64{1, -1}},
		{[]T{0, nan, 0}, []T{1, 0, 0}, math.NaN(), []float64{math.NaN(), math.NaN(), math.NaN()}},
		{[]T{inf, 0}, []T{1, 0}, math.NaN(), []float64{math.NaN(), math.NaN()}},
	}
	alike := func(got T, want float64) bool {
		return float64(got) == want || got != got && want != want || near(got, want, 1e-15)
	}
	archtest.EachSet(t, func(t *testing.T) {
		for _, test := range tests {
			n := len(test.logits)
			z, p := kernel.Matrix[T]{Data: test.logits, Rows: 1, Cols: n, Stride: n}, kernel.Matrix[T]{Data: test.targets, Rows: 1, Cols: n, Stride: n}
			d := kernel.Matrix[T]{Data: make([]T, n), Rows: 1, Cols: n, Stride: n}
			if loss := SoftmaxCrossEntropy(z, p); !alike(loss, test.loss) {
				t.Errorf("logits %v, targets %v: loss %v, want %v", test.logits, test.targets, loss, test.loss)
			}
			SoftmaxCrossEntropyBackward(d, z, p, 1)
			for j, got := range d.Data {
				if !alike(got, test.gradient[j]) {
					t.Errorf("logits %v, targets %v: gradient %v, want %v", test.logits, test.targets, d.Data, test.gradient)
					break
				}
			}
		}
	})
}

func TestMeanLosses(t *testing.T) {
	t.Run("float32", testMeanLosses[float32])
	t.Run("float64", testMeanLosses[float64])
}

func testMeanLosses[T kernel.Float](t *testing.T) {
	const scale = 3
	archtest.EachSet(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(3, 4))
		for _, n := range []int{1, 2, 3, 7, 8, 9, 31, 32, 33, 64, 100, 1000, chunk + 1, 2*chunk + 17} {
			a, _ := randomMatrix[T](rng, 1, n, 0, 4)
			b, _ := randomMatrix[T](rng, 1, n, 0, 1)
			dMSE, dBCE := archtest.NewGuarded[T](n, rng.IntN(16)), archtest.NewGuarded[T](n, rng.IntN(16))
			z, p := a.Data, b.Data
			z[0], p[0] = 1e4, 1
			z[n-1], p[n-1] = -1e4, 1
			MSEBackward(dMSE.Data, z, p, scale)
			BinaryCrossEntropyBackward(dBCE.Data, z, p, scale)
			if !dMSE.Intact() || !dBCE.Intact() {
				t.Fatalf("n = %d: written beside the gradient", n)
			}
			var mse, bce, squares float64
			for i := range n {
				x, y := float64(z[i]), float64(p[i])
				mse += (x - y) * (x - y) / float64(n)
				bce += (math.Max(x, 0) - x*y + math.Log1p(math.Exp(-math.Abs(x)))) / float64(n)
				squares += x * x
				if want := scale * 2 * (x - y) / float64(n); !(math.Abs(float64(dMSE.Data[i])-want) <= 2*archtest.ULP[T](want)) {
					t.Fatalf("n = %d: MSE gradient of %g, %g is %g, want %g", n, x, y, dMSE.Data[i], want)
				}
				if want := scale * (1/(1+math.Exp(-x)) - y) / float64(n); !near(dBCE.Data[i], want, 1e-14/float64(n)*(1+math.Abs(y))) {
					t.Fatalf("n = %d: BCE gradient of %g, %g is %g, want %g", n, x, y, dBCE.Data[i], want)
				}
			}
			for _, test := range []struct {
				name      string
				got       T
				want      float64
				precision float64
			}{
				{"MSE", MSE(z, p), mse, 1e-13 * mse},
				{"BCE", BinaryCrossEntropy(z, p), bce, 1e-12 * 1e4},
			} {
				if !near(test.got, test.want, test.precision) {
					t.Fatalf("n = %d: %s = %v, want %v", n, test.name, test.got, test.want)
				}
			}
			if got := SumOfSquares(z); !(math.Abs(got-squares) <= 1e-13*squares) {
				t.Fatalf("n = %d: sum of squares %v, want %v", n, got, squares)
			}
		}
	})
}

func TestSumsOfNothingAreZero(t *testing.T) {
	archtest.EachSet(t, func(t *testing.T) {
		if got := SumOfSquares([]float32{}); got != 0 {
			t.Errorf("sum of squares of nothing is %v", got)
		}
	})
}

func TestSmallLossesAllocateNothing(t *testing.T) {
	archtest.EachSet(t, func(t *testing.T) {
		z, p := kernel.Matrix[float32]{Data: make([]float32, 1280), Rows: 128, Cols: 10, Stride: 10}, kernel.Matrix[float32]{Data: make([]float32, 1280), Rows: 128, Cols: 10, Stride: 10}
		d := kernel.Matrix[float32]{Data: make([]float32, 1280), Rows: 128, Cols: 10, Stride: 10}
		for name, f := range map[string]func(){
			"cross-entropy":          func() { SoftmaxCrossEntropy(z, p) },
			"cross-entropy backward": func() { SoftmaxCrossEntropyBackward(d, z, p, 1) },
			"softmax":                func() { Softmax(d, z) },
			"mse":                    func() { MSE(z.Data, p.Data); MSEBackward(d.Data, z.Data, p.Data, 1) },
			"bce":                    func() { BinaryCrossEntropy(z.Data, p.Data); BinaryCrossEntropyBackward(d.Data, z.Data, p.Data, 1) },
			"sum of squares":         func() { SumOfSquares(z.Data) },
		} {
			if n := testing.AllocsPerRun(20, f); n != 0 {
				t.Errorf("%s: %v allocations, want none", name, n)
			}
		}
	})
}

func BenchmarkLoss(b *testing.B) {
	b.Run("float32", benchmarkLoss[float32])
	b.Run("float64", benchmarkLoss[float64])
}

func benchmarkLoss[T kernel.Float](b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, shape := range [][2]int{{32, 2}, {128, 10}, {128, 1000}} {
		rows, cols := shape[0], shape[1]
		z, _ := randomMatrix[T](rng, rows, cols, 0, 3)
		p, _ := randomMatrix[T](rng, rows, cols, 0, 1)
		d, _ := randomMatrix[T](rng, rows, cols, 0, 1)
		for _, set := range arch.Available() {
			defer arch.Use(set)()
			for _, loss := range []struct {
				name string
				f    func()
			}{
				{"xent", func() { SoftmaxCrossEntropy(z, p) }},
				{"xent-backward", func() { SoftmaxCrossEntropyBackward(d, z, p, 1) }},
				{"mse", func() { MSE(z.Data, p.Data) }},
				{"mse-backward", func() { MSEBackward(d.Data, z.Data, p.Data, 1) }},
				{"bce", func() { BinaryCrossEntropy(z.Data, p.Data) }},
				{"bce-backward", func() { BinaryCrossEntropyBackward(d.Data, z.Data, p.Data, 1) }},
				{"sumsq", func() { SumOfSquares(z.Data) }},
			} {
				b.Run(fmt.Sprintf("%s/%dx%d/%s", loss.name, rows, cols, set), func(b *testing.B) {
					for b.Loop() {
						loss.f()
					}
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*rows*cols), "ns/element")
				})
			}
		}
	}
}
