package device

import (
	"fmt"
	"math"
	"testing"
)

// TestOptimizers takes ten steps of each optimizer with all its switches on
// and off, beside the formulas in float64.
func TestOptimizers(t *testing.T) { onDevices(t, testOptimizers[float32], testOptimizers[float64]) }

func testOptimizers[T Float](t *testing.T, s suite[T]) {
	for _, n := range []int{0, 1, 37, 20_000} {
		for switches := range 16 {
			a, b, zero, maximize := switches&1 != 0, switches&2 != 0, switches&4 != 0, switches&8 != 0
			decay := 0.0
			if a {
				decay = 0.01
			}
			momentum := 0.0
			if b {
				momentum = 0.9
			}
			s.train(t, fmt.Sprintf("sgd, n %d, %04b", n, switches), n, zero, maximize,
				func(w, g []T, m Moments[T], step int) error {
					return s.Update(w, g, m, &Update{Rule: SGD, LR: 0.1, Momentum: momentum, Dampening: 0.1, WeightDecay: decay, Nesterov: a, Step: step, Maximize: maximize, ZeroGrad: zero})
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
			s.train(t, fmt.Sprintf("adam, n %d, %04b", n, switches), n, zero, maximize,
				func(w, g []T, m Moments[T], step int) error {
					return s.Update(w, g, m, &Update{Rule: Adam, LR: 0.01, Beta1: 0.9, Beta2: 0.99, Eps: 1e-8, WeightDecay: decay, Step: step, Decoupled: b, AMSGrad: a, Maximize: maximize, ZeroGrad: zero})
				},
				func(w, g float64, m []float64, step int) float64 {
					if b {
						w -= 0.01 * decay * w
					} else {
						g += decay * w
					}
					m[0] = 0.9*m[0] + 0.1*g
					m[1] = 0.99*m[1] + 0.01*g*g
					v := m[1]
					if a {
						m[2] = math.Max(m[2], v)
						v = m[2]
					}
					c1, c2 := 1-math.Pow(0.9, float64(step)), 1-math.Pow(0.99, float64(step))
					return w - 0.01/c1*m[0]/(math.Sqrt(v)/math.Sqrt(c2)+1e-8)
				})
			for _, inRoot := range []bool{false, true} {
				s.train(t, fmt.Sprintf("rmsprop, n %d, %04b, ε in root %v", n, switches, inRoot), n, zero, maximize,
					func(w, g []T, m Moments[T], step int) error {
						return s.Update(w, g, m, &Update{Rule: RMSprop, LR: 0.01, Alpha: 0.9, Eps: 1e-8, WeightDecay: decay, Momentum: momentum, Centered: a, EpsInRoot: inRoot, Maximize: maximize, ZeroGrad: zero})
					},
					func(w, g float64, m []float64, _ int) float64 {
						g += decay * w
						m[0] = 0.9*m[0] + 0.1*g*g
						v := m[0]
						if a {
							m[2] = 0.9*m[2] + 0.1*g
							v -= m[2] * m[2]
						}
						root := math.Sqrt(v) + 1e-8
						if inRoot {
							root = math.Sqrt(v + 1e-8)
						}
						m[1] = momentum*m[1] + g/root
						return w - 0.01*m[1]
					})
			}
			s.train(t, fmt.Sprintf("adagrad, n %d, %04b", n, switches), n, zero, maximize,
				func(w, g []T, m Moments[T], step int) error {
					return s.Update(w, g, m, &Update{Rule: Adagrad, LR: 0.1, LRDecay: momentum, WeightDecay: decay, Eps: 1e-10, Step: step, Maximize: maximize, ZeroGrad: zero})
				},
				func(w, g float64, m []float64, step int) float64 {
					g += decay * w
					m[0] += g * g
					return w - 0.1/(1+float64(step-1)*momentum)*g/(math.Sqrt(m[0])+1e-10)
				})
			s.train(t, fmt.Sprintf("lion, n %d, %04b", n, switches), n, zero, maximize,
				func(w, g []T, m Moments[T], step int) error {
					return s.Update(w, g, m, &Update{Rule: Lion, LR: 0.01, Beta1: 0.875, Beta2: 0.96875, WeightDecay: decay, Maximize: maximize, ZeroGrad: zero})
				},
				func(w, g float64, m []float64, _ int) float64 {
					update := 0.875*m[0] + 0.125*g
					m[0] = 0.96875*m[0] + 0.03125*g
					return w - 0.01*(math.Copysign(1, update)+decay*w)
				})
		}
	}
}

// train compares update with reference, which has three moments for each
// weight, over ten steps with random gradients.
func (s suite[T]) train(t *testing.T, name string, n int, zero, maximize bool,
	update func(w, g []T, m Moments[T], step int) error,
	reference func(w, g float64, m []float64, step int) float64) {
	t.Helper()
	w, g := s.vector(t, n), s.vector(t, n)
	var moments Moments[T]
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
			d := float64(g[i])
			if maximize {
				d = -d
			}
			want[i] = reference(want[i], d, m[i][:], step)
		}
		before := append([]T(nil), g...)
		if zero {
			clear(before)
		}
		s.done(t, update(w, g, moments, step))
		for i := range g {
			if g[i] != before[i] {
				t.Fatalf("%s, step %d left gradient %d %v, want %v", name, step, i, g[i], before[i])
			}
		}
	}
	s.checkVector(t, name, w, func(j int) (float64, float64) { return want[j], 200 * (1 + math.Abs(want[j])) })
}
