package device

import (
	"fmt"
	"math"
	"testing"
)

func TestSoftmaxCrossEntropy(t *testing.T) {
	onDevices(t, testSoftmaxCrossEntropy[float32], testSoftmaxCrossEntropy[float64])
}

func testSoftmaxCrossEntropy[T Float](t *testing.T, s suite[T]) {
	const scale = 2.5
	for _, shape := range [][2]int{{1, 1}, {32, 2}, {5, 3}, {128, 10}, {17, 100}, {3, 1000}} {
		rows, cols := shape[0], shape[1]
		for gap := range 2 {
			name := fmt.Sprintf("%d×%d", rows, cols)
			z, p := s.matrix(t, rows, cols, gap), s.matrix(t, rows, cols, gap)
			d, y := s.empty(t, rows, cols, gap), s.empty(t, rows, cols, gap)
			for i := range rows {
				for j := range cols {
					z.Data[i*z.Stride+j] *= 5
					p.Data[i*p.Stride+j] = max(0, p.Data[i*p.Stride+j])
				}
			}
			same := unchanged(z.Data, p.Data)
			loss, err := s.SoftmaxCrossEntropy(z, p)
			s.done(t, err)
			s.done(t, s.SoftmaxCrossEntropyBackward(d, z, p, scale))
			s.done(t, s.Softmax(y, z))
			same(t)
			// The probabilities, their logarithms, and Σt of each row.
			probability, log, weight := make([]float64, rows*cols), make([]float64, rows*cols), make([]float64, rows)
			for i := range rows {
				top, sum := math.Inf(-1), 0.0
				for j := range cols {
					top = math.Max(top, at(z, i, j))
					weight[i] += at(p, i, j)
				}
				for j := range cols {
					sum += math.Exp(at(z, i, j) - top)
				}
				for j := range cols {
					log[i*cols+j] = at(z, i, j) - top - math.Log(sum)
					probability[i*cols+j] = math.Exp(log[i*cols+j])
				}
			}
			var want, size float64
			for i := range rows {
				for j := range cols {
					term := at(p, i, j) * log[i*cols+j] / float64(rows)
					want, size = want-term, size+math.Abs(term)
				}
			}
			rounding := 8*s.epsilon + float64(rows*cols)*0x1p-53 // of the kernel, and of the sum here
			if d := math.Abs(float64(loss) - want); !(d <= size*rounding) {
				t.Fatalf("%s: loss %v, want %v", name, loss, want)
			}
			s.check(t, name+": softmax", y, func(i, j int) (float64, float64) {
				return probability[i*cols+j], 16
			})
			s.check(t, name+": gradient", d, func(i, j int) (float64, float64) {
				c := scale / float64(rows)
				return c * (probability[i*cols+j]*weight[i] - at(p, i, j)), 16 * c * (weight[i] + at(p, i, j))
			})
			s.done(t, s.Softmax(z, z))
			s.check(t, name+": softmax in place", z, func(i, j int) (float64, float64) { return at(y, i, j), 0 })
		}
	}
}

func TestCrossEntropyOfLargeLogitsIsFinite(t *testing.T) {
	onDevices(t, testLargeLogits[float32], testLargeLogits[float64])
}

func testLargeLogits[T Float](t *testing.T, s suite[T]) {
	z, p, d := s.matrix(t, 2, 2, 0), s.matrix(t, 2, 2, 0), s.empty(t, 2, 2, 0)
	copy(z.Data, []T{1e4, -1e4, 1e4, -1e4})
	copy(p.Data, []T{1, 0, 0, 1})
	loss, err := s.SoftmaxCrossEntropy(z, p)
	s.done(t, err)
	if loss != 1e4 { // the mean of 0 and 2e4
		t.Errorf("loss %v, want 10000", loss)
	}
	s.done(t, s.SoftmaxCrossEntropyBackward(d, z, p, 1))
	for i, want := range []T{0, 0, 0.5, -0.5} {
		if d.Data[i] != want {
			t.Errorf("gradient %v, want 0 0 0.5 -0.5", d.Data)
			break
		}
	}
}

func TestMeanLosses(t *testing.T) { onDevices(t, testMeanLosses[float32], testMeanLosses[float64]) }

func testMeanLosses[T Float](t *testing.T, s suite[T]) {
	const scale = 2.5
	for _, n := range []int{1, 2, 7, 64, 1000, 70_000} {
		z, p := s.vector(t, n), s.vector(t, n)
		dMSE, dBCE := s.empty(t, 1, n, 0).Data, s.empty(t, 1, n, 0).Data
		z[0] = 1e4
		same := unchanged(z, p)
		mse, err := s.MSE(z, p)
		s.done(t, err)
		bce, err := s.BinaryCrossEntropy(z, p)
		s.done(t, err)
		s.done(t, s.MSEBackward(dMSE, z, p, scale))
		s.done(t, s.BinaryCrossEntropyBackward(dBCE, z, p, scale))
		same(t)
		var wantMSE, wantBCE, size float64
		for i := range z {
			x, y := float64(z[i]), float64(p[i])
			wantMSE += (x - y) * (x - y) / float64(n)
			term := math.Max(x, 0) - x*y + math.Log1p(math.Exp(-math.Abs(x)))
			wantBCE += term / float64(n)
			size += math.Abs(term) / float64(n)
		}
		if d := math.Abs(float64(mse) - wantMSE); !(d <= 8*wantMSE*s.epsilon+1e-12*wantMSE) {
			t.Fatalf("MSE of %d: got %v, want %v", n, mse, wantMSE)
		}
		if d := math.Abs(float64(bce) - wantBCE); !(d <= 8*size*s.epsilon+1e-12*size) {
			t.Fatalf("BCE of %d: got %v, want %v", n, bce, wantBCE)
		}
		s.checkVector(t, "MSE gradient", dMSE, func(j int) (float64, float64) {
			x, y := float64(z[j]), float64(p[j])
			return scale * 2 * (x - y) / float64(n), 8 * scale * (math.Abs(x) + math.Abs(y)) / float64(n)
		})
		s.checkVector(t, "BCE gradient", dBCE, func(j int) (float64, float64) {
			x, y := float64(z[j]), float64(p[j])
			return scale * (1/(1+math.Exp(-x)) - y) / float64(n), 8 * scale * (1 + math.Abs(y)) / float64(n)
		})
	}
}
