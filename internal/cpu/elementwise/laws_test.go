package elementwise

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/affine-go/affine/internal/cpu/arch/archtest"
	"github.com/affine-go/affine/internal/kernel"
	"pgregory.net/rapid"
)

// An elementKernel computes element i of the slices that it writes from
// elements i of all its slices, and nothing else.
type elementKernel[T kernel.Float] struct {
	name    string
	slices  int
	written []int // the indices of the slices that it writes
	run     func(s [][]T)
}

// elementKernels lists all kernels of this kind, every optimizer included.
func elementKernels[T kernel.Float]() []elementKernel[T] {
	var all []elementKernel[T]
	add := func(name string, slices int, written []int, run func(s [][]T)) {
		all = append(all, elementKernel[T]{name, slices, written, run})
	}
	for _, kind := range kernel.Activations() {
		act := activation(kind)
		add(kind.String(), 2, []int{0}, func(s [][]T) { Activate(s[0], s[1], act) })
		for order := 1; order <= 2; order++ {
			add(fmt.Sprintf("%v derivative %d", kind, order), 3, []int{0},
				func(s [][]T) { ActivationBackward(s[0], s[1], s[2], act, order) })
		}
	}
	add("scale", 1, []int{0}, func(s [][]T) { Scale(s[0], 0.3) })
	add("clamp", 1, []int{0}, func(s [][]T) { Clamp(s[0], 0.3) })
	// The public functions of these two divide by the length.
	add("mse backward", 3, []int{0}, func(s [][]T) { squaredErrorBackward(s[0], s[1], s[2], 0.3) })
	add("bce backward", 3, []int{0}, func(s [][]T) { logisticLossBackward(s[0], s[1], s[2], 0.3) })
	for _, zero := range []bool{false, true} {
		written := []int{0, 2, 3, 4}
		if zero {
			written = append(written, 1)
		}
		for _, u := range updateCases[T](zero) {
			add(fmt.Sprintf("%s, zero gradient %v", u.name, zero), 5, written, func(s [][]T) { u.step(s, 3) })
		}
	}
	return all
}

func TestElementsAreIndependentOfTheirPlace(t *testing.T) {
	t.Run("float32", testIndependence[float32])
	t.Run("float64", testIndependence[float64])
}

// testIndependence checks, for lengths and alignments of all kinds: elements
// computed together are those computed alone, to the bit; nothing is written
// next to the slices; what is not written stays as it was; and what was in an
// output before does not matter.
func testIndependence[T kernel.Float](t *testing.T) {
	for _, k := range elementKernels[T]() {
		t.Run(k.name, func(t *testing.T) {
			archtest.EachSet(t, func(t *testing.T) {
				rapid.Check(t, func(t *rapid.T) {
					n := rapid.IntRange(0, 80).Draw(t, "n")
					rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
					slices, before := make([]archtest.Guarded[T], k.slices), make([][]T, k.slices)
					whole, alone := make([][]T, k.slices), make([][]T, k.slices)
					for i := range slices {
						slices[i] = archtest.NewGuarded[T](n, rapid.IntRange(0, 15).Draw(t, "shift"))
						for j := range slices[i].Data {
							slices[i].Data[j] = T(math.Abs(3 * rng.NormFloat64()))
						}
						whole[i] = slices[i].Data
						before[i] = append([]T(nil), whole[i]...)
						alone[i] = append([]T(nil), whole[i]...)
					}
					k.run(whole)
					for j := range n {
						one := make([][]T, k.slices)
						for i := range one {
							one[i] = alone[i][j : j+1]
						}
						k.run(one)
					}
					written := map[int]bool{}
					for _, i := range k.written {
						written[i] = true
					}
					for i := range slices {
						if !slices[i].Intact() {
							t.Fatalf("slice %d: written beside it", i)
						}
						if !written[i] && !archtest.EqualBits(whole[i], before[i]) {
							t.Fatalf("slice %d is an input, and was written", i)
						}
						if !archtest.EqualBits(whole[i], alone[i]) {
							t.Fatalf("slice %d: %v together, %v alone", i, whole[i], alone[i])
						}
					}
				})
			})
		})
	}
}

// largeResults computes everything that is split between threads, on sizes
// that are, and returns all results.
func largeResults[T kernel.Float]() [][]T {
	const n = 3*chunk + 1234
	rng := rand.New(rand.NewPCG(5, 6))
	random := func(n int) []T {
		s := make([]T, n)
		for i := range s {
			s[i] = T(rng.Float64())
		}
		return s
	}
	var results [][]T
	for _, k := range elementKernels[T]() {
		s := make([][]T, k.slices)
		for i := range s {
			s[i] = random(n)
		}
		k.run(s)
		for _, i := range k.written {
			results = append(results, s[i])
		}
	}
	p, q, d := random(n), random(n), make([]T, n)
	MSEBackward(d, p, q, 3)
	results = append(results, d)
	d = make([]T, n)
	BinaryCrossEntropyBackward(d, p, q, 3)
	results = append(results, d)
	logits, targets := kernel.Matrix[T]{Data: random(n), Rows: n / 10, Cols: 10, Stride: 10}, kernel.Matrix[T]{Data: random(n), Rows: n / 10, Cols: 10, Stride: 10}
	gradient, probabilities := kernel.Matrix[T]{Data: make([]T, n), Rows: n / 10, Cols: 10, Stride: 10}, kernel.Matrix[T]{Data: make([]T, n), Rows: n / 10, Cols: 10, Stride: 10}
	SoftmaxCrossEntropyBackward(gradient, logits, targets, 3)
	Softmax(probabilities, logits)
	results = append(results, gradient.Data, probabilities.Data,
		[]T{MSE(p, q), BinaryCrossEntropy(p, q), SoftmaxCrossEntropy(logits, targets), T(SumOfSquares(p))})
	return results
}

func TestResultsAreTheSameBitsOnAnyNumberOfThreads(t *testing.T) {
	t.Run("float32", testThreads[float32])
	t.Run("float64", testThreads[float64])
}

func testThreads[T kernel.Float](t *testing.T) {
	archtest.EachSet(t, func(t *testing.T) {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
		want := largeResults[T]()
		for _, threads := range threadCounts() {
			runtime.GOMAXPROCS(threads)
			for i, got := range largeResults[T]() {
				if !archtest.EqualBits(got, want[i]) {
					t.Errorf("GOMAXPROCS=%d: result %d differs from that of one thread", threads, i)
				}
			}
		}
	})
}

func TestActivationsMayWorkInPlace(t *testing.T) {
	archtest.EachSet(t, func(t *testing.T) {
		z := make([]float32, 77)
		for i := range z {
			z[i] = float32(i)/10 - 4
		}
		for _, kind := range kernel.Activations() {
			act := activation(kind)
			y, inPlace := make([]float32, len(z)), append([]float32(nil), z...)
			Activate(y, z, act)
			Activate(inPlace, inPlace, act)
			if !archtest.EqualBits(y, inPlace) {
				t.Errorf("%v in place: %v, want %v", kind, inPlace, y)
			}
			for order := 1; order <= 2; order++ {
				dz, dy := make([]float32, len(z)), append([]float32(nil), y...)
				ActivationBackward(dz, dy, z, act, order)
				ActivationBackward(dy, dy, z, act, order)
				if !archtest.EqualBits(dz, dy) {
					t.Errorf("derivative %d of %v in place: %v, want %v", order, kind, dy, dz)
				}
			}
		}
	})
}

// threadCounts are the GOMAXPROCS that results are compared at.
func threadCounts() []int {
	if archtest.Long() {
		return []int{2, 3, 4, 8, 64}
	}
	return []int{3}
}
