package elementwise

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/affine-go/affine/internal/cpu/arch/archtest"
	"github.com/affine-go/affine/internal/kernel"
)

// smooth lists the activations that are not exact, with the largest error of
// the kernels in units of the last place, ulps + |z|·tail. GELU and SiLU are 0
// where their size is less than floor times the smallest normal number.
var smooth = []struct {
	kind              kernel.ActivationKind
	f                 func(z float64) float64
	exact             func(z float64) *big.Float
	ulps, tail, floor float64
}{
	{kernel.Tanh, math.Tanh, bigTanh, 2, 0, 0},
	{kernel.Sigmoid, func(z float64) float64 { return 1 / (1 + math.Exp(-z)) }, bigSigmoid, 2, 0, 0},
	{kernel.GELU, func(z float64) float64 { return z * 0.5 * math.Erfc(-z/math.Sqrt2) },
		func(z float64) *big.Float { return blank().Mul(exact(z), bigCDF(z)) }, 6, 0.25, 15},
	{kernel.SiLU, func(z float64) float64 { return z / (1 + math.Exp(-z)) },
		func(z float64) *big.Float { return blank().Mul(exact(z), bigSigmoid(z)) }, 3, 0, 720},
	{kernel.Softplus, softplusOf, bigSoftplus, 3, 0, 0},
}

// softplusOf is log(1 + e^z).
func softplusOf(z float64) float64 { return math.Max(z, 0) + math.Log1p(math.Exp(-math.Abs(z))) }

// plain is an activation of the kind, Softplus with beta 1 and no threshold.
func plain(kind kernel.ActivationKind) kernel.Activation {
	return kernel.Activation{Kind: kind, Beta: 1, Threshold: math.Inf(1)}
}

// TestActivationsOverAllOfFloat32 takes every 1021st float32 that is not NaN
// or infinite.
func TestActivationsOverAllOfFloat32(t *testing.T) {
	var zs []float32
	for bits := uint64(0); bits < 1<<32; bits += 1021 {
		if z := math.Float32frombits(uint32(bits)); z-z == 0 {
			zs = append(zs, z)
		}
	}
	for _, test := range smooth {
		want := make([]float64, len(zs))
		for i, z := range zs {
			want[i] = test.f(float64(z))
		}
		t.Run(test.kind.String(), func(t *testing.T) {
			archtest.EachSet(t, func(t *testing.T) {
				y := make([]float32, len(zs))
				Activate(y, zs, plain(test.kind))
				for i := range y {
					d := math.Abs(float64(y[i])-want[i]) - test.floor*archtest.SmallestNormal[float32]()
					e, bound := d/archtest.ULP[float32](want[i]), test.ulps+test.tail*math.Abs(float64(zs[i]))
					if !(e <= bound) && want[i] != float64(y[i]) {
						t.Fatalf("z = %g: got %g, want %g, off by %.2f ulp, more than %.2f", zs[i], y[i], want[i], e, bound)
					}
				}
			})
		})
	}
}

func TestActivationsInFloat64(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var zs []float64
	for range 2000 {
		zs = append(zs, 3*rng.NormFloat64(), 80*(rng.Float64()-0.5), math.Ldexp(rng.Float64()-0.5, -rng.IntN(60)))
	}
	for i := range 100 {
		zs = append(zs, -750+7.5*float64(i))
	}
	for _, test := range smooth {
		want := make([]*big.Float, len(zs))
		for i, z := range zs {
			want[i] = test.exact(z)
		}
		t.Run(test.kind.String(), func(t *testing.T) {
			archtest.EachSet(t, func(t *testing.T) {
				y := make([]float64, len(zs))
				Activate(y, zs, plain(test.kind))
				for i, z := range zs {
					nearest, _ := want[i].Float64()
					if least := test.floor * archtest.SmallestNormal[float64](); math.Abs(nearest) <= least {
						if !(math.Abs(y[i]-nearest) <= least) {
							t.Fatalf("z = %g: got %g, want %g", z, y[i], nearest)
						}
						continue
					}
					e, bound := bigError(y[i], want[i]), test.ulps+test.tail*math.Abs(z)
					if !(e <= bound) {
						t.Fatalf("z = %g: got %g, want %g, off by %.2f ulp, more than %.2f", z, y[i], want[i], e, bound)
					}
				}
			})
		})
	}
}

// activation is one of the kind, with parameters as good as any.
func activation(kind kernel.ActivationKind) kernel.Activation {
	return kernel.Activation{Kind: kind, Alpha: 0.1, Beta: 1.5, Threshold: 2}
}

func TestActivationsAtTheLimits(t *testing.T) {
	t.Run("float32", testLimits[float32])
	t.Run("float64", testLimits[float64])
}

func testLimits[T kernel.Float](t *testing.T) {
	inf, nan, tiny := T(math.Inf(1)), T(math.NaN()), T(archtest.SmallestNormal[T]()*archtest.Epsilon[T]())
	big, minus := T(math.MaxFloat32), T(math.Copysign(0, -1))
	zs := []T{inf, -inf, nan, 0, minus, tiny, -tiny, big, -big}
	want := map[kernel.ActivationKind][]T{
		kernel.Identity:  zs,
		kernel.ReLU:      {inf, 0, nan, 0, minus, tiny, 0, big, 0},
		kernel.LeakyReLU: {inf, -inf, nan, 0, minus, tiny, minus, big, T(0.25) * -big},
		kernel.Tanh:      {1, -1, nan, 0, minus, tiny, -tiny, 1, -1},
		kernel.Sigmoid:   {1, 0, nan, 0.5, 0.5, 0.5, 0.5, 1, 0},
		kernel.GELU:      {inf, nan, nan, 0, minus, 0, 0, big, 0},
		kernel.SiLU:      {inf, nan, nan, 0, minus, 0, 0, big, 0},
		kernel.Softplus:  {inf, 0, nan, T(math.Ln2), T(math.Ln2), T(math.Ln2), T(math.Ln2), big, 0},
	}
	archtest.EachSet(t, func(t *testing.T) {
		for kind := range want {
			y := make([]T, len(zs))
			Activate(y, zs, kernel.Activation{Kind: kind, Alpha: 0.25, Beta: 1, Threshold: 20})
			for i, got := range y {
				w := want[kind][i]
				// Halves of the smallest numbers may round either way.
				if d := math.Abs(float64(got - w)); got != w && !(d <= float64(tiny)) && !(got != got && w != w) {
					t.Errorf("%v(%g) = %g, want %g", kind, zs[i], got, w)
				}
				if zs[i] == 0 && math.Signbit(float64(got)) != math.Signbit(float64(w)) {
					t.Errorf("%v(%g) = %g, want %g: the sign of zero", kind, zs[i], got, w)
				}
			}
		}
	})
}

// derivatives are D(a) and D'(a) in the quantity that the kernels take.
func derivatives(act kernel.Activation, a float64) (first, second float64) {
	cdf, pdf := 0.5*math.Erfc(-a/math.Sqrt2), math.Exp(-a*a/2)/math.Sqrt(2*math.Pi)
	s, c := 1/(1+math.Exp(-a)), 1/(1+math.Exp(a))
	switch act.Kind {
	case kernel.ReLU:
		if a > 0 {
			return 1, 0
		}
		return 0, 0
	case kernel.LeakyReLU:
		if a > 0 {
			return 1, 0
		}
		return act.Alpha, 0
	case kernel.Tanh:
		return 1 - a*a, -2 * a
	case kernel.Sigmoid:
		return a * (1 - a), 1 - 2*a
	case kernel.GELU:
		return cdf + a*pdf, pdf * (2 - a*a)
	case kernel.SiLU:
		return s + a*s*c, s * c * (2 + a*(c-s))
	case kernel.Softplus:
		if x := act.Beta * a; x <= act.Threshold {
			s := 1 / (1 + math.Exp(-x))
			return s, act.Beta * s * (1 - s)
		}
	}
	return 1, 0
}

func TestActivationDerivatives(t *testing.T) {
	t.Run("float32", testDerivatives[float32])
	t.Run("float64", testDerivatives[float64])
}

func testDerivatives[T kernel.Float](t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	archtest.EachSet(t, func(t *testing.T) {
		for _, kind := range kernel.Activations() {
			var a, dy []T
			for range 5000 {
				x := 4 * rng.NormFloat64()
				switch kind {
				case kernel.Tanh:
					x = math.Tanh(x)
				case kernel.Sigmoid:
					x = 1 / (1 + math.Exp(-x))
				}
				a, dy = append(a, T(x)), append(dy, T(rng.NormFloat64()))
			}
			for order := 1; order <= 2; order++ {
				dz, act := make([]T, len(a)), kernel.Activation{Kind: kind, Alpha: 0.125, Beta: 1.5, Threshold: 4}
				ActivationBackward(dz, dy, a, act, order)
				for i := range dz {
					want, second := derivatives(act, float64(a[i]))
					if order == 2 {
						want = second
					}
					// D is at most 2 in size, dy is exact.
					bound := 4 * archtest.Epsilon[T]() * math.Abs(float64(dy[i]))
					if d := math.Abs(float64(dz[i]) - float64(dy[i])*want); !(d <= bound) {
						t.Fatalf("%v, order %d, a = %g, dy = %g: got %g, want %g, off by more than %g",
							kind, order, a[i], dy[i], dz[i], float64(dy[i])*want, bound)
					}
				}
			}
		}
	})
}

func TestActivationDerivativesAtTheLimits(t *testing.T) {
	t.Run("float32", testDerivativeLimits[float32])
	t.Run("float64", testDerivativeLimits[float64])
}

func testDerivativeLimits[T kernel.Float](t *testing.T) {
	inf, nan := T(math.Inf(1)), T(math.NaN())
	a := []T{inf, -inf, nan, 300, -300, 0}
	dy := []T{3, 3, 3, 3, 3, 3}
	want := map[kernel.ActivationKind][2][]T{
		kernel.ReLU:      {{3, 0, 3, 3, 0, 0}, {0, 0, 0, 0, 0, 0}},
		kernel.LeakyReLU: {{3, 1.5, 1.5, 3, 1.5, 1.5}, {0, 0, 0, 0, 0, 0}},
		kernel.GELU:      {{nan, nan, nan, 3, 0, 1.5}, {nan, nan, nan, 0, 0, T(6 / math.Sqrt(2*math.Pi))}},
		kernel.SiLU:      {{nan, nan, nan, 3, 0, 1.5}, {nan, nan, nan, 0, 0, 1.5}},
		kernel.Softplus:  {{3, 0, nan, 3, 0, 1.5}, {0, 0, nan, 0, 0, 1.5}},
	}
	archtest.EachSet(t, func(t *testing.T) {
		for kind, orders := range want {
			for order, w := range orders {
				dz := make([]T, len(a))
				ActivationBackward(dz, dy, a, kernel.Activation{Kind: kind, Alpha: 0.5, Beta: 2, Threshold: 20}, order+1)
				for i := range dz {
					if d := math.Abs(float64(dz[i] - w[i])); !(d <= 4*archtest.Epsilon[T]()) && !(dz[i] != dz[i] && w[i] != w[i]) {
						t.Errorf("%v, order %d, a = %g: got %g, want %g", kind, order+1, a[i], dz[i], w[i])
					}
				}
			}
		}
	})
}

func ExampleActivate() {
	z := []float64{-1, 0, 2}
	Activate(z, z, kernel.Activation{Kind: kernel.LeakyReLU, Alpha: 0.1})
	fmt.Println(z)
	// Output: [-0.1 0 2]
}
