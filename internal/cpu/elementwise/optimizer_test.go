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

// An updateCase is an optimizer with its settings: on slices w, g and three
// moments, step t counted from 1; and the same in plain float64.
type updateCase[T kernel.Float] struct {
	name      string
	step      func(s [][]T, t int)
	reference func(w, g float64, m []float64, t int) float64
}

func updateCases[T kernel.Float](zeroGrad bool) []updateCase[T] {
	var all []updateCase[T]
	for _, mu := range []float64{0, 0.9} {
		for _, decay := range []float64{0, 0.01} {
			for _, damp := range []float64{0, 0.2} {
				for _, nesterov := range []bool{false, true} {
					s := kernel.Update{Rule: kernel.SGD, LR: 0.05, Momentum: mu, Dampening: damp, WeightDecay: decay, Nesterov: nesterov, ZeroGrad: zeroGrad}
					if mu == 0 && (damp != 0 || nesterov) {
						continue
					}
					all = append(all, updateCase[T]{fmt.Sprintf("sgd momentum %g dampening %g decay %g nesterov %v", mu, damp, decay, nesterov),
						func(x [][]T, t int) {
							s.Step = t
							Update(x[0], x[1], kernel.Moments[T](x[2:]), &s)
						},
						func(w, g float64, m []float64, t int) float64 {
							g += decay * w
							switch {
							case mu == 0:
								return w - s.LR*g
							case t == 1:
								m[0] = g
							default:
								m[0] = mu*m[0] + (1-damp)*g
							}
							if nesterov {
								return w - s.LR*(g+mu*m[0])
							}
							return w - s.LR*m[0]
						}})
				}
			}
		}
	}
	for _, decay := range []float64{0, 0.01} {
		for _, decoupled := range []bool{false, true} {
			s := kernel.Update{Rule: kernel.Adam, LR: 0.01, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, WeightDecay: decay, Decoupled: decoupled, ZeroGrad: zeroGrad}
			adam := func(w, g float64, m []float64, t int) float64 {
				if decoupled {
					w -= s.LR * decay * w
				} else {
					g += decay * w
				}
				m[0] = s.Beta1*m[0] + (1-s.Beta1)*g
				m[1] = s.Beta2*m[1] + (1-s.Beta2)*g*g
				correction1 := 1 - math.Pow(s.Beta1, float64(t))
				correction2 := 1 - math.Pow(s.Beta2, float64(t))
				v := m[1]
				if m[2] >= 0 { // AMSGrad: the largest so far
					v = math.Max(v, m[2])
					m[2] = v
				}
				return w - s.LR/correction1*m[0]/(math.Sqrt(v)/math.Sqrt(correction2)+s.Eps)
			}
			all = append(all, updateCase[T]{fmt.Sprintf("adam decay %g decoupled %v", decay, decoupled),
				func(x [][]T, t int) {
					s.Step = t
					Update(x[0], x[1], kernel.Moments[T]{x[2], x[3]}, &s)
				},
				func(w, g float64, m []float64, t int) float64 {
					m[2] = -1
					return adam(w, g, m, t)
				}})
			all = append(all, updateCase[T]{fmt.Sprintf("adam decay %g decoupled %v amsgrad, maximizing", decay, decoupled),
				func(x [][]T, t int) {
					s := s
					s.Step, s.AMSGrad, s.Maximize = t, true, true
					Update(x[0], x[1], kernel.Moments[T](x[2:]), &s)
				},
				func(w, g float64, m []float64, t int) float64 { return adam(w, -g, m, t) }})
		}
		for _, mu := range []float64{0, 0.9} {
			for _, centered := range []bool{false, true} {
				s := kernel.Update{Rule: kernel.RMSprop, LR: 0.01, Alpha: 0.99, Eps: 1e-8, WeightDecay: decay, Momentum: mu, Centered: centered, ZeroGrad: zeroGrad}
				all = append(all, updateCase[T]{fmt.Sprintf("rmsprop momentum %g decay %g centered %v", mu, decay, centered),
					func(x [][]T, t int) { Update(x[0], x[1], kernel.Moments[T](x[2:]), &s) },
					func(w, g float64, m []float64, t int) float64 {
						g += decay * w
						m[0] = s.Alpha*m[0] + (1-s.Alpha)*g*g
						v := m[0]
						if centered {
							m[2] = s.Alpha*m[2] + (1-s.Alpha)*g
							v -= m[2] * m[2]
						}
						if mu == 0 {
							return w - s.LR*g/(math.Sqrt(v)+s.Eps)
						}
						m[1] = mu*m[1] + g/(math.Sqrt(v)+s.Eps)
						return w - s.LR*m[1]
					}})
			}
		}
		for _, lrDecay := range []float64{0, 0.1} {
			s := kernel.Update{Rule: kernel.Adagrad, LR: 0.05, LRDecay: lrDecay, WeightDecay: decay, Eps: 1e-10, ZeroGrad: zeroGrad}
			all = append(all, updateCase[T]{fmt.Sprintf("adagrad decay %g lr decay %g", decay, lrDecay),
				func(x [][]T, t int) {
					s.Step = t
					Update(x[0], x[1], kernel.Moments[T](x[2:]), &s)
				},
				func(w, g float64, m []float64, t int) float64 {
					g += decay * w
					m[0] += g * g
					return w - s.LR/(1+float64(t-1)*lrDecay)*g/(math.Sqrt(m[0])+s.Eps)
				}})
		}
	}
	for _, maximize := range []bool{false, true} {
		s := kernel.Update{Rule: kernel.Lion, LR: 0.01, Beta1: 0.9, Beta2: 0.99, WeightDecay: 0.1, Maximize: maximize, ZeroGrad: zeroGrad}
		all = append(all, updateCase[T]{fmt.Sprintf("lion maximize %v", maximize),
			func(x [][]T, t int) { Update(x[0], x[1], kernel.Moments[T](x[2:]), &s) },
			func(w, g float64, m []float64, t int) float64 {
				if maximize {
					g = -g
				}
				move := math.Copysign(s.LR, s.Beta1*m[0]+(1-s.Beta1)*g)
				m[0] = s.Beta2*m[0] + (1-s.Beta2)*g
				return w - s.LR*s.WeightDecay*w - move
			}})
	}
	s := kernel.Update{Rule: kernel.RMSprop, LR: 0.01, Alpha: 0.9, Eps: 1e-2, EpsInRoot: true, ZeroGrad: zeroGrad}
	all = append(all, updateCase[T]{"rmsprop, epsilon in the root",
		func(x [][]T, t int) { Update(x[0], x[1], kernel.Moments[T]{x[2]}, &s) },
		func(w, g float64, m []float64, t int) float64 {
			m[0] = s.Alpha*m[0] + (1-s.Alpha)*g*g
			return w - s.LR*g/math.Sqrt(m[0]+s.Eps)
		}})
	return all
}

func TestOptimizersFollowTheirFormulas(t *testing.T) {
	t.Run("float32", func(t *testing.T) { testOptimizers[float32](t, 2e-6) })
	t.Run("float64", func(t *testing.T) { testOptimizers[float64](t, 1e-13) })
}

// testOptimizers trains Σ(w − target)²/2 with some noise for 60 steps and
// compares every weight with the same in plain float64.
func testOptimizers[T kernel.Float](t *testing.T, tolerance float64) {
	const n, steps = 37, 60
	for _, zero := range []bool{false, true} {
		for _, c := range updateCases[T](zero) {
			t.Run(fmt.Sprintf("%s zero gradient %v", c.name, zero), func(t *testing.T) {
				archtest.EachSet(t, func(t *testing.T) {
					rng := rand.New(rand.NewPCG(7, 8))
					x := make([][]T, 5)
					for i := range x {
						x[i] = make([]T, n)
					}
					w, moments := make([]float64, n), make([][3]float64, n)
					for i := range n {
						x[0][i] = T(rng.NormFloat64())
						x[2][i] = 0
						w[i] = float64(x[0][i])
					}
					for step := 1; step <= steps; step++ {
						for i := range n {
							g := T(w[i] - float64(i%5) + 0.1*rng.NormFloat64())
							x[1][i] = g
							w[i] = c.reference(w[i], float64(g), moments[i][:], step)
						}
						before := append([]T(nil), x[1]...)
						if zero {
							clear(before)
						}
						c.step(x, step)
						if !archtest.EqualBits(x[1], before) {
							t.Fatalf("step %d left the gradient %v, want %v", step, x[1], before)
						}
						for i := range n {
							if d := math.Abs(float64(x[0][i]) - w[i]); !(d <= tolerance*float64(step)) {
								t.Fatalf("step %d, weight %d: got %v, want %v", step, i, x[0][i], w[i])
							}
						}
					}
				})
			})
		}
	}
}

func TestSGDIgnoresWhatTheMomentumHeldBeforeTheFirstStep(t *testing.T) {
	archtest.EachSet(t, func(t *testing.T) {
		w, g, m := []float32{1}, []float32{2}, []float32{float32(math.NaN())}
		Update(w, g, kernel.Moments[float32]{m}, &kernel.Update{Rule: kernel.SGD, LR: 0.5, Momentum: 0.9, Dampening: 0.5, Step: 1})
		if w[0] != 0 || m[0] != 2 {
			t.Errorf("w = %v, m = %v, want 0 and 2", w[0], m[0])
		}
	})
}

// Numbers that are not normal count: PyTorch's Adam takes these steps too.
func TestTinyGradientsMoveTheWeights(t *testing.T) {
	archtest.EachSet(t, func(t *testing.T) {
		w, g, m, v := []float32{1}, []float32{1e-20}, []float32{0}, []float32{0}
		Update(w, g, kernel.Moments[float32]{m, v}, &kernel.Update{Rule: kernel.Adam, LR: 0.1, Beta1: 0.9, Beta2: 0.999, Eps: 0, Step: 1})
		if math.Abs(float64(w[0])-0.8997) > 1e-4 {
			t.Errorf("w = %v, want 0.8997", w[0])
		}
		w32, m32 := []float32{0}, []float32{math.SmallestNonzeroFloat32}
		Update(w32, []float32{0}, kernel.Moments[float32]{m32}, &kernel.Update{Rule: kernel.SGD, LR: 1, Momentum: 0.9})
		if w32[0] != -math.SmallestNonzeroFloat32 {
			t.Errorf("the smallest momentum moved the weight by %g", w32[0])
		}
	})
}

func TestStepsAllocateNothing(t *testing.T) {
	archtest.EachSet(t, func(t *testing.T) {
		for _, n := range []int{100, 3 * updateGrain} {
			w, g, m, v := arch.Alloc[float32](n), arch.Alloc[float32](n), arch.Alloc[float32](n), arch.Alloc[float32](n)
			u := &kernel.Update{Rule: kernel.Adam, LR: 0.1, Beta1: 0.9, Beta2: 0.9, Eps: 1e-8, Step: 1}
			allocs := testing.AllocsPerRun(20, func() { Update(w, g, kernel.Moments[float32]{m, v}, u) })
			// A collection may empty the pool of tasks.
			if allocs > 0.2 {
				t.Errorf("%v allocations for %d weights, want none", allocs, n)
			}
		}
	})
}
