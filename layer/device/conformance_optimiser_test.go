package device

import (
	"fmt"
	"math"
	"testing"
)

// TestOptimisers takes ten steps of each optimiser with all its switches on
// and off, beside the formulas in float64.
func TestOptimisers(t *testing.T) { onDevices(t, testOptimisers[float32], testOptimisers[float64]) }

func testOptimisers[T Float](t *testing.T, s suite[T]) {
	for _, n := range []int{0, 1, 37, 20_000} {
		for switches := range 8 {
			a, b, zero := switches&1 != 0, switches&2 != 0, switches&4 != 0
			decay := 0.0
			if a {
				decay = 0.01
			}
			momentum := 0.0
			if b {
				momentum = 0.9
			}
			s.train(t, fmt.Sprintf("sgd, n %d, %03b", n, switches), n, zero,
				func(w, g, m, _, _ []T, step int) error {
					return s.SGD(w, g, m, SGDStep{LR: 0.1, Momentum: momentum, Dampening: 0.1, WeightDecay: decay, Nesterov: a, First: step == 1, ZeroGrad: zero})
				},
				func(w, g float64, m []float64, step int) float64 {
					g += decay * w
					if momentum == 0 {
						return w - 0.1*g
					}
					m[0] = momentum*m[0] + 0.9*g
					if step == 1 {
						m[0] = g
					}
					if a {
						return w - 0.1*(g+momentum*m[0])
					}
					return w - 0.1*m[0]
				})
			s.train(t, fmt.Sprintf("adam, n %d, %03b", n, switches), n, zero,
				func(w, g, m, v, _ []T, step int) error {
					return s.Adam(w, g, m, v, AdamStep{LR: 0.01, Beta1: 0.9, Beta2: 0.99, Eps: 1e-8, WeightDecay: decay, Step: step, Decoupled: b, ZeroGrad: zero})
				},
				func(w, g float64, m []float64, step int) float64 {
					if b {
						w -= 0.01 * decay * w
					} else {
						g += decay * w
					}
					m[0] = 0.9*m[0] + 0.1*g
					m[1] = 0.99*m[1] + 0.01*g*g
					c1, c2 := 1-math.Pow(0.9, float64(step)), 1-math.Pow(0.99, float64(step))
					return w - 0.01/c1*m[0]/(math.Sqrt(m[1])/math.Sqrt(c2)+1e-8)
				})
			s.train(t, fmt.Sprintf("rmsprop, n %d, %03b", n, switches), n, zero,
				func(w, g, v, buffer, mean []T, step int) error {
					return s.RMSprop(w, g, v, buffer, mean, RMSpropStep{LR: 0.01, Alpha: 0.9, Eps: 1e-8, WeightDecay: decay, Momentum: momentum, Centered: a, ZeroGrad: zero})
				},
				func(w, g float64, m []float64, _ int) float64 {
					g += decay * w
					m[0] = 0.9*m[0] + 0.1*g*g
					v := m[0]
					if a {
						m[2] = 0.9*m[2] + 0.1*g
						v -= m[2] * m[2]
					}
					m[1] = momentum*m[1] + g/(math.Sqrt(v)+1e-8)
					return w - 0.01*m[1]
				})
			s.train(t, fmt.Sprintf("adagrad, n %d, %03b", n, switches), n, zero,
				func(w, g, sum, _, _ []T, step int) error {
					return s.Adagrad(w, g, sum, AdagradStep{LR: 0.1, LRDecay: momentum, WeightDecay: decay, Eps: 1e-10, Step: step, ZeroGrad: zero})
				},
				func(w, g float64, m []float64, step int) float64 {
					g += decay * w
					m[0] += g * g
					return w - 0.1/(1+float64(step-1)*momentum)*g/(math.Sqrt(m[0])+1e-10)
				})
		}
	}
}

// train compares update with reference, which has three moments for each
// weight, over ten steps with random gradients.
func (s suite[T]) train(t *testing.T, name string, n int, zero bool,
	update func(w, g, a, b, c []T, step int) error,
	reference func(w, g float64, m []float64, step int) float64) {
	t.Helper()
	w, g := s.vector(t, n), s.vector(t, n)
	var moments [3][]T
	for i := range moments {
		m, err := s.Alloc(n)
		s.done(t, err)
		moments[i] = m
	}
	want, m := make([]float64, n), make([][3]float64, n)
	for i := range want {
		want[i] = float64(w[i])
	}
	for step := 1; step <= 10; step++ {
		for i := range g {
			g[i] = T(s.rng.NormFloat64())
			want[i] = reference(want[i], float64(g[i]), m[i][:], step)
		}
		before := append([]T(nil), g...)
		if zero {
			clear(before)
		}
		s.done(t, update(w, g, moments[0], moments[1], moments[2], step))
		for i := range g {
			if g[i] != before[i] {
				t.Fatalf("%s, step %d left gradient %d %v, want %v", name, step, i, g[i], before[i])
			}
		}
	}
	s.checkVector(t, name, w, func(j int) (float64, float64) { return want[j], 200 * (1 + math.Abs(want[j])) })
}
