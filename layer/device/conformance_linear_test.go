package device

import (
	"fmt"
	"math"
	"sync"
	"testing"
)

// linearShapes are n, in, out. Each kernel writes all of its output even where
// a sum has no terms.
var linearShapes = [][3]int{{0, 3, 4}, {3, 0, 4}, {3, 4, 0}, {1, 1, 1}, {2, 3, 1}, {1, 5, 9}, {7, 5, 3}, {33, 17, 65}, {100, 130, 70}}

func TestLinear(t *testing.T) { onDevices(t, testLinear[float32], testLinear[float64]) }

func testLinear[T Float](t *testing.T, s suite[T]) {
	for _, shape := range linearShapes {
		n, in, out := shape[0], shape[1], shape[2]
		for _, act := range activations {
			for variant := range 16 {
				biased, stored, gap, transposed := variant&1 != 0, variant&2 != 0, variant&4/4*3, variant&8 != 0
				name := fmt.Sprintf("n %d, in %d, out %d, %v, bias %v, W transposed %v", n, in, out, act.Kind, biased, transposed)
				x, w, y := s.matrix(t, n, in, gap), s.matrix(t, in, out, gap), s.empty(t, n, out, gap)
				if transposed {
					w = s.transposed(t, w, gap)
				}
				var b []T
				if biased {
					b = s.vector(t, out)
				}
				var z Matrix[T]
				if stored {
					z = s.empty(t, n, out, gap)
				}
				same := unchanged(x.Data, w.Data, b)
				s.done(t, s.Linear(y, z, x, w, b, act))
				same(t)
				product := func(i, j int) (sum, bound float64) {
					if b != nil {
						sum = float64(b[j])
					}
					bound = math.Abs(sum)
					for k := range in {
						term := at(x, i, k) * at(w, k, j)
						sum, bound = sum+term, bound+math.Abs(term)
					}
					return sum, bound * float64(in+2)
				}
				s.check(t, name+": Z", z, product)
				s.check(t, name+": Y", y, func(i, j int) (float64, float64) {
					sum, bound := product(i, j)
					return apply(act, sum), 1.2*bound + 4*(1+math.Abs(sum))
				})
			}
		}
	}
}

func TestLinearBackward(t *testing.T) {
	onDevices(t, testLinearBackward[float32], testLinearBackward[float64])
}

func testLinearBackward[T Float](t *testing.T, s suite[T]) {
	for _, shape := range linearShapes {
		n, in, out := shape[0], shape[1], shape[2]
		for _, act := range activations {
			for variant := range 16 {
				wanted, transposed, gap := variant%8, variant/8 != 0, variant%3
				name := fmt.Sprintf("n %d, in %d, out %d, %v, gradients %03b, W transposed %v", n, in, out, act.Kind, wanted, transposed)
				x, w, dy := s.matrix(t, n, in, gap), s.matrix(t, in, out, gap), s.matrix(t, n, out, gap)
				if transposed {
					w = s.transposed(t, w, gap)
				}
				a := s.matrix(t, n, out, gap)
				if act.Kind == Identity && wanted&1 != 0 {
					a = Matrix[T]{}
				}
				var dx, dw Matrix[T]
				var db []T
				if wanted&1 != 0 {
					dx = s.empty(t, n, in, gap)
				}
				if wanted&2 != 0 {
					dw = s.empty(t, in, out, gap)
					if transposed {
						dw = s.transposed(t, dw, gap)
					}
				}
				if wanted&4 != 0 {
					db = s.empty(t, 1, out, 0).Data
				}
				// What is not read may be missing.
				readX, readW := x, w
				if !dw.Given() {
					readX = Matrix[T]{}
				}
				if !dx.Given() {
					readW = Matrix[T]{}
				}
				same := unchanged(x.Data, w.Data, dy.Data, a.Data)
				s.done(t, s.LinearBackward(dx, dw, db, readX, readW, dy, a, act))
				same(t)
				// dZ, and what may be lost of it: D is computed to some 8
				// units of 1 + a².
				dz, loss := make([]float64, n*out), make([]float64, n*out)
				for i := range n {
					for j := range out {
						var q float64
						if a.Given() {
							q = at(a, i, j)
						}
						dz[i*out+j] = at(dy, i, j) * derivative(act, q, 1)
						loss[i*out+j] = 8 * math.Abs(at(dy, i, j)) * (1 + q*q)
					}
				}
				// sum is Σ factor·dZ, with dZ at the place that term returns.
				sum := func(terms int, term func(k int) (factor float64, place int)) (total, bound float64) {
					for k := range terms {
						factor, at := term(k)
						total += factor * dz[at]
						bound += math.Abs(factor) * (math.Abs(dz[at])*float64(terms+2) + loss[at])
					}
					return total, bound
				}
				s.check(t, name+": dX", dx, func(i, j int) (float64, float64) {
					return sum(out, func(k int) (float64, int) { return at(w, j, k), i*out + k })
				})
				s.check(t, name+": dW", dw, func(i, j int) (float64, float64) {
					return sum(n, func(k int) (float64, int) { return at(x, k, i), k*out + j })
				})
				s.checkVector(t, name+": db", db, func(j int) (float64, float64) {
					return sum(n, func(k int) (float64, int) { return 1, k*out + j })
				})
			}
		}
	}
}

// Column blocks of one matrix lie between each other without sharing elements.
func TestLinearBetweenColumnsOfOneMatrix(t *testing.T) {
	onDevices(t, testColumnBlocks[float32], testColumnBlocks[float64])
}

func testColumnBlocks[T Float](t *testing.T, s suite[T]) {
	const n, in, out = 6, 4, 3
	all, w := s.matrix(t, n, in+out, 0), s.matrix(t, in, out, 0)
	x := Matrix[T]{Data: all.Data, Rows: n, Cols: in, Stride: in + out}
	y := Matrix[T]{Data: all.Data[in:], Rows: n, Cols: out, Stride: in + out}
	before := append([]T(nil), all.Data...)
	s.done(t, s.Linear(y, Matrix[T]{}, x, w, nil, Activation{}))
	for i := range n {
		for j := range in + out {
			want, bound := float64(before[i*(in+out)+j]), 0.0
			if j >= in {
				want = 0
				for k := range in {
					term := at(x, i, k) * at(w, k, j-in)
					want, bound = want+term, bound+8*math.Abs(term)
				}
			}
			if d := math.Abs(at(all, i, j) - want); !(d <= bound*s.epsilon) {
				t.Fatalf("(%d, %d): got %v, want %v", i, j, at(all, i, j), want)
			}
		}
	}
}

func TestKernelsMayRunAtTheSameTime(t *testing.T) {
	onDevices(t, testConcurrency[float32], testConcurrency[float64])
}

// testConcurrency gives eight goroutines the same inputs and expects the same
// bits from all.
func testConcurrency[T Float](t *testing.T, s suite[T]) {
	const n, in, out, routines = 64, 96, 80, 8
	x, w, dy := s.matrix(t, n, in, 0), s.matrix(t, in, out, 0), s.matrix(t, n, out, 0)
	b := s.vector(t, out)
	results := make([][]T, routines)
	errs := make([]error, routines)
	var group sync.WaitGroup
	for r := range routines {
		y, dw := s.empty(t, n, out, 0), s.empty(t, in, out, 0)
		group.Add(1)
		go func() {
			defer group.Done()
			for range 10 {
				if err := s.Linear(y, Matrix[T]{}, x, w, b, Activation{Kind: Tanh}); err != nil {
					errs[r] = err
				}
				if err := s.LinearBackward(Matrix[T]{}, dw, nil, x, w, dy, y, Activation{Kind: Tanh}); err != nil {
					errs[r] = err
				}
			}
			if err := s.device.Sync(); err != nil {
				errs[r] = err
			}
			results[r] = append(append([]T(nil), y.Data...), dw.Data...)
		}()
	}
	group.Wait()
	for r := range routines {
		if errs[r] != nil {
			t.Fatal(errs[r])
		}
		for i := range results[r] {
			if results[r][i] != results[0][i] {
				t.Fatalf("goroutine %d, element %d: got %v, another got %v", r, i, results[r][i], results[0][i])
			}
		}
	}
}
