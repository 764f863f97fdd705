package elementwise

import (
	"math"
	"math/big"

	"github.com/affine-go/affine/internal/cpu/arch/archtest"
)

// References in 160 bits, for what math computes no better than the kernels.

const referenceBits = 160

func exact(x float64) *big.Float { return new(big.Float).SetPrec(referenceBits).SetFloat64(x) }

func blank() *big.Float { return new(big.Float).SetPrec(referenceBits) }

func decimal(s string) *big.Float {
	x, ok := blank().SetString(s)
	if !ok {
		panic(s)
	}
	return x
}

var (
	bigLn2 = decimal("0.69314718055994530941723212145817656807550013436025525412068000949339")
	bigPi  = decimal("3.14159265358979323846264338327950288419716939937510582097494459230781")
)

// bigExp is e^x, from the series of e^(r/256) with x = n·ln 2 + r.
func bigExp(x *big.Float) *big.Float {
	xf, _ := x.Float64()
	n := math.Round(xf / math.Ln2)
	r := blank().Sub(x, blank().Mul(exact(n), bigLn2))
	r.SetMantExp(r, -8)
	sum, term := exact(1), exact(1)
	for k := 1; k < 18; k++ {
		term.Mul(term, r)
		term.Quo(term, exact(float64(k)))
		sum.Add(sum, term)
	}
	for range 8 {
		sum.Mul(sum, sum)
	}
	return sum.SetMantExp(sum, int(n))
}

// bigSigmoid is 1/(1 + e^−z).
func bigSigmoid(z float64) *big.Float {
	e := bigExp(exact(-z))
	return e.Quo(exact(1), e.Add(e, exact(1)))
}

// bigTanh is (e^2z − 1)/(e^2z + 1).
func bigTanh(z float64) *big.Float {
	e := bigExp(exact(2 * z))
	return blank().Quo(blank().Sub(e, exact(1)), blank().Add(e, exact(1)))
}

// bigSoftplus is log(1 + x) for x = e^z: x − x²/2 + x³/3 if x is tiny, else a
// step of Newton's method from what math computes.
func bigSoftplus(z float64) *big.Float {
	x := bigExp(exact(z))
	if z < -40 {
		square := blank().Mul(x, x)
		cube := blank().Mul(square, x)
		sum := blank().Sub(x, square.Quo(square, exact(2)))
		return sum.Add(sum, cube.Quo(cube, exact(3)))
	}
	y := exact(softplusOf(z))
	e := bigExp(y)
	d := blank().Sub(x.Add(x, exact(1)), e)
	return blank().Add(y, d.Quo(d, e))
}

// bigPDF is the density of the standard normal distribution.
func bigPDF(z float64) *big.Float {
	square := blank().Mul(exact(z), exact(z))
	e := bigExp(square.Mul(square, exact(-0.5)))
	return e.Quo(e, blank().Sqrt(blank().Mul(exact(2), bigPi)))
}

// bigCDF is Φ(z): by the series ½ + φ(z)·Σ z^(2k+1)/(1·3·…·(2k+1)) near zero,
// and beyond by the continued fraction Φ(−a) = φ(a)/(a + 1/(a + 2/(a + …))).
func bigCDF(z float64) *big.Float {
	a := exact(math.Abs(z))
	tail := bigPDF(z)
	if math.Abs(z) < 5 {
		sum, term := blank().Set(a), blank().Set(a)
		square := blank().Mul(a, a)
		for k := 1; k < 120; k++ {
			term.Mul(term, square)
			term.Quo(term, exact(float64(2*k+1)))
			sum.Add(sum, term)
		}
		tail.Sub(exact(0.5), tail.Mul(tail, sum))
	} else {
		fraction := blank().Set(a)
		for k := 250; k >= 1; k-- {
			fraction.Add(a, fraction.Quo(exact(float64(k)), fraction))
		}
		tail.Quo(tail, fraction)
	}
	if z > 0 {
		tail.Sub(exact(1), tail)
	}
	return tail
}

// bigError returns |got − want| in units of the last place of want.
func bigError(got float64, want *big.Float) float64 {
	nearest, _ := want.Float64()
	d, _ := blank().Sub(exact(got), want).Float64()
	return math.Abs(d) / archtest.ULP[float64](nearest)
}
