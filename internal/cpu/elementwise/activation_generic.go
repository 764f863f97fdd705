package elementwise

import (
	"fmt"
	"math"

	"github.com/affine-go/affine/internal/kernel"
)

// The plain Go activations compute in float64 and round once. They stand in
// if there is no assembly, and are what the assembly is compared with.
//
// The assembly's largest errors, in units of the last place, over all of float32
// (by steps) and samples of float64: tanh and sigmoid 2, SiLU and Softplus 3, GELU
// 6 + |z|/4. If GELU and SiLU would be less than 15 and 720 times the smallest
// normal number in size, they may be 0. NaN stays NaN, and GELU and SiLU of −∞
// are NaN, as in PyTorch.

func activateGeneric[T kernel.Float](y, z []T, act kernel.Activation) {
	y = y[:len(z)]
	switch act.Kind {
	case kernel.ReLU:
		for i, v := range z {
			y[i] = relu(v)
		}
	case kernel.LeakyReLU:
		alpha := T(act.Alpha)
		for i, v := range z {
			if v < 0 {
				v *= alpha
			}
			y[i] = v
		}
	case kernel.Tanh:
		for i, v := range z {
			y[i] = T(math.Tanh(float64(v)))
		}
	case kernel.Sigmoid:
		for i, v := range z {
			y[i] = T(sigmoid(float64(v)))
		}
	case kernel.GELU:
		for i, v := range z {
			y[i] = T(gelu(float64(v)))
		}
	case kernel.SiLU:
		for i, v := range z {
			y[i] = T(silu(float64(v)))
		}
	case kernel.Softplus:
		for i, v := range z {
			y[i] = T(softplus(float64(v), act))
		}
	case kernel.Identity:
		copy(y, z)
	default:
		panic(fmt.Sprintf("no kernel for %v", act.Kind))
	}
}

func activationBackwardGeneric[T kernel.Float](dz, dy, saved []T, act kernel.Activation, order int) {
	n := len(saved)
	dz, dy = dz[:n], dy[:n]
	alpha := T(act.Alpha)
	if order == 2 {
		switch act.Kind {
		case kernel.Tanh:
			for i, y := range saved {
				dz[i] = dy[i] * (-2 * y)
			}
		case kernel.Sigmoid:
			for i, y := range saved {
				dz[i] = dy[i] * (1 - 2*y)
			}
		case kernel.GELU:
			for i, z := range saved {
				dz[i] = dy[i] * T(geluSecond(float64(z)))
			}
		case kernel.SiLU:
			for i, z := range saved {
				dz[i] = dy[i] * T(siluSecond(float64(z)))
			}
		case kernel.Softplus:
			for i, z := range saved {
				dz[i] = dy[i] * T(softplusSecond(float64(z), act))
			}
		case kernel.Identity, kernel.ReLU, kernel.LeakyReLU: // piecewise linear
			clear(dz)
		default:
			panic(fmt.Sprintf("no kernel for the second derivative of %v", act.Kind))
		}
		return
	}
	switch act.Kind {
	case kernel.ReLU:
		for i, y := range saved {
			d := dy[i]
			if y <= 0 {
				d = 0
			}
			dz[i] = d
		}
	case kernel.LeakyReLU:
		for i, y := range saved {
			d := dy[i]
			if !(y > 0) {
				d *= alpha
			}
			dz[i] = d
		}
	case kernel.Tanh:
		for i, y := range saved {
			dz[i] = dy[i] * (1 - y*y)
		}
	case kernel.Sigmoid:
		for i, y := range saved {
			dz[i] = dy[i] * (y * (1 - y))
		}
	case kernel.GELU:
		for i, z := range saved {
			dz[i] = dy[i] * T(geluFirst(float64(z)))
		}
	case kernel.SiLU:
		for i, z := range saved {
			dz[i] = dy[i] * T(siluFirst(float64(z)))
		}
	case kernel.Softplus:
		for i, z := range saved {
			dz[i] = dy[i] * T(softplusFirst(float64(z), act))
		}
	case kernel.Identity:
		copy(dz, dy)
	default:
		panic(fmt.Sprintf("no kernel for the derivative of %v", act.Kind))
	}
}

// relu is max(v, 0) with NaN kept.
func relu[T kernel.Float](v T) T {
	if v < 0 {
		return 0
	}
	return v
}

// sigmoid is 1/(1+e⁻ᶻ), written so that the exponential never overflows, with
// what the rounding of 1 + e and the division lost added back.
func sigmoid(z float64) float64 {
	e := math.Exp(-math.Abs(z))
	over, under := 1.0, 1+e
	if z < 0 {
		over = e
	}
	y := over / under
	lost := e - (under - 1)
	return y + (math.FMA(-y, under, over)-y*lost)/under
}

// far is a z beyond which e^z and e^(−z²/2) are zero in float64.
const far = 800

// normal returns the distribution function Φ(z) and the density φ(z) of the
// standard normal distribution. Φ(z) = erfc(x)/2 with x = −z/√2, and what x
// lost by rounding is made up for with the derivative: it would be multiplied
// by z².
func normal(z float64) (cdf, pdf float64) {
	const sqrt2Low = -9.667293313452913e-17 // √2 less math.Sqrt2
	z = limit(z, far)
	x := -z / math.Sqrt2
	lost := math.FMA(-x, math.Sqrt2, -z) - x*sqrt2Low
	pdf = math.Exp(-0.5*z*z) / math.Sqrt(2*math.Pi)
	return 0.5*math.Erfc(x) - lost*pdf, pdf
}

// What is ∞·0 below is NaN, as in PyTorch: GELU and SiLU of −∞, and their
// derivatives at ±∞.

// gelu is z·Φ(z).
func gelu(z float64) float64 {
	cdf, _ := normal(z)
	return z * cdf
}

// geluFirst is Φ(z) + z·φ(z).
func geluFirst(z float64) float64 {
	cdf, pdf := normal(z)
	return cdf + z*pdf
}

// geluSecond is φ(z)·(2 − z²).
func geluSecond(z float64) float64 {
	_, pdf := normal(z)
	square := limit(z, far) * limit(z, far)
	return pdf*(2-square) + 0*z
}

// silu is z·σ(z).
func silu(z float64) float64 { return z * sigmoid(z) }

// siluFirst is σ(z)(1 + z(1−σ(z))), with 1 − σ(z) taken as σ(−z).
func siluFirst(z float64) float64 { return sigmoid(z) * (1 + z*sigmoid(-z)) }

// siluSecond is σ(z)σ(−z)(2 + z(1 − 2σ(z))), and 1 − 2σ(z) = −tanh(z/2).
func siluSecond(z float64) float64 {
	return sigmoid(z) * sigmoid(-z) * (2 - z*math.Tanh(z/2))
}

// softplus is log(1 + e^βz)/β, with an exponential that never overflows, or z if
// βz is above the threshold.
func softplus(z float64, act kernel.Activation) float64 {
	x := act.Beta * z
	if x > act.Threshold {
		return z
	}
	return (max(x, 0) + math.Log1p(math.Exp(-math.Abs(x)))) / act.Beta
}

// softplusFirst is σ(βz), or 1 above the threshold.
func softplusFirst(z float64, act kernel.Activation) float64 {
	if x := act.Beta * z; !(x > act.Threshold) {
		return sigmoid(x)
	}
	return 1
}

// softplusSecond is β·σ(βz)σ(−βz), or 0 above the threshold.
func softplusSecond(z float64, act kernel.Activation) float64 {
	if x := act.Beta * z; !(x > act.Threshold) {
		return act.Beta * sigmoid(x) * sigmoid(-x)
	}
	return 0
}

// limit clamps v to [−l, l] and keeps NaN.
func limit[T kernel.Float](v, l T) T {
	if v > l {
		return l
	}
	if v < -l {
		return -l
	}
	return v
}
