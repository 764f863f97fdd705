package layer

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/affine-go/affine/layer/device"
	"gorgonia.org/gorgonia"
)

// Activation is the function act in Y = act(X·W + b), one of [Identity],
// [ReLU], [LeakyReLU], [Tanh], [Sigmoid], [GELU], [SiLU] and [Softplus]. The
// zero value is Identity.
type Activation struct{ spec device.Activation }

// The activation functions, named as in PyTorch.
var (
	Identity = Activation{device.Activation{Kind: device.Identity}} // y = z
	ReLU     = Activation{device.Activation{Kind: device.ReLU}}     // y = max(z, 0)
	Tanh     = Activation{device.Activation{Kind: device.Tanh}}     // y = tanh z
	Sigmoid  = Activation{device.Activation{Kind: device.Sigmoid}}  // y = 1/(1 + e⁻ᶻ)
	GELU     = Activation{device.Activation{Kind: device.GELU}}     // y = z·Φ(z), exact (Hendrycks & Gimpel 2016)
	SiLU     = Activation{device.Activation{Kind: device.SiLU}}     // y = z·σ(z) (Elfwing et al. 2018)
)

// LeakyReLU is y = z for z > 0 and αz otherwise (Maas et al. 2013). PyTorch's
// default α is 0.01. A negative, infinite or NaN α is refused by the
// constructors that are given the activation.
func LeakyReLU(alpha float64) Activation {
	return Activation{device.Activation{Kind: device.LeakyReLU, Alpha: alpha}}
}

// Softplus is y = log(1 + e^βz)/β, and y = z for βz above the threshold; there
// the two are equal up to rounding (PyTorch's defaults are 1 and 20). β is finite
// and not 0, the threshold finite.
func Softplus(beta, threshold float64) Activation {
	return Activation{device.Activation{Kind: device.Softplus, Beta: beta, Threshold: threshold}}
}

// ActivationNames lists the names that [ParseActivation] takes.
func ActivationNames() []string {
	var names []string
	for _, kind := range device.Activations() {
		names = append(names, kind.String())
	}
	return names
}

// ParseActivation returns the activation of the given name, as String prints
// it: "relu", "gelu", "leakyrelu" (α = 0.01), "leakyrelu(0.2)", "softplus" (β = 1,
// threshold 20), "softplus(2,10)".
func ParseActivation(name string) (Activation, error) {
	word, arguments, hasArguments := strings.Cut(strings.ToLower(name), "(")
	for _, kind := range device.Activations() {
		if word != kind.String() {
			continue
		}
		a := Activation{device.Activation{Kind: kind}}
		parameters, info := a.spec.Parameters(), kind.Info()
		if len(parameters) == 0 && hasArguments {
			return Activation{}, fmt.Errorf("activation %q: %s takes no argument", name, word)
		}
		for i, p := range parameters {
			*p = info.Defaults[i]
		}
		if !hasArguments {
			return a, nil
		}
		given, closed := strings.CutSuffix(arguments, ")")
		numbers := strings.Split(given, ",")
		if !closed || len(numbers) != len(parameters) {
			return Activation{}, fmt.Errorf("activation %q: want %s", name, info.Parameters)
		}
		for i, p := range parameters {
			v, err := strconv.ParseFloat(strings.TrimSpace(numbers[i]), 64)
			if err != nil {
				return Activation{}, fmt.Errorf("activation %q: want %s", name, info.Parameters)
			}
			*p = v
		}
		return a, a.spec.Check()
	}
	return Activation{}, fmt.Errorf("unknown activation %q, want one of %s", name, strings.Join(ActivationNames(), ", "))
}

// Spec returns what a device takes for the activation.
func (a Activation) Spec() device.Activation { return a.spec }

// String returns the name that [ParseActivation] takes.
func (a Activation) String() string {
	parameters := a.spec.Parameters()
	if len(parameters) == 0 {
		return a.spec.Kind.String()
	}
	var numbers []string
	for _, p := range parameters {
		numbers = append(numbers, strconv.FormatFloat(*p, 'g', -1, 64))
	}
	return a.spec.Kind.String() + "(" + strings.Join(numbers, ",") + ")"
}

// activation is act(z) made of Gorgonia's ops, for [Builtin].
func (e *expression) activation(z *gorgonia.Node, act Activation) *gorgonia.Node {
	switch act.spec.Kind {
	case device.ReLU:
		return e.Binary(gorgonia.HadamardProd, z, e.positive(z))
	case device.LeakyReLU:
		// z ⊙ (α + (1−α)·[z > 0])
		slope := e.Shifted(e.Scaled(e.positive(z), 1-act.spec.Alpha), act.spec.Alpha)
		return e.Binary(gorgonia.HadamardProd, z, slope)
	case device.Tanh:
		return e.Unary(gorgonia.Tanh, z)
	case device.Sigmoid:
		return e.Unary(gorgonia.Sigmoid, z)
	case device.GELU:
		return e.Binary(gorgonia.HadamardProd, z, e.normalCDF(z))
	case device.SiLU:
		return e.Binary(gorgonia.HadamardProd, z, e.Unary(gorgonia.Sigmoid, z))
	case device.Softplus:
		return e.softplus(z, act.spec.Beta, act.spec.Threshold)
	}
	return z
}

// softplus is log(1 + e^βz)/β, or z if βz > threshold. The logarithm is taken as
// max(u, 0) + log(1 + e^−|u|), which does not overflow.
func (e *expression) softplus(z *gorgonia.Node, beta, threshold float64) *gorgonia.Node {
	u := e.Scaled(z, beta)
	tail := e.Unary(gorgonia.Log1p, e.Unary(gorgonia.Exp, e.Scaled(e.Unary(gorgonia.Abs, u), -1)))
	curve := e.Scaled(e.Binary(gorgonia.Add, e.activation(u, ReLU), tail), 1/beta)
	linear := e.Binary(func(u, threshold *gorgonia.Node) (*gorgonia.Node, error) {
		return gorgonia.Gt(u, threshold, true)
	}, u, e.Constant(threshold))
	// curve + [u > threshold]·(z − curve)
	return e.Binary(gorgonia.Add, curve, e.Binary(gorgonia.HadamardProd, linear, e.Binary(gorgonia.Sub, z, curve)))
}

// timesThirdDerivative is product ⊙ D″(saved) for the D of [activationBackwardOp]'s
// order 1. It is made of Gorgonia's ops, so that derivatives of any order
// follow; few programs come here, and no kernel is needed.
func (e *expression) timesThirdDerivative(act Activation, product, saved *gorgonia.Node) *gorgonia.Node {
	times := func(a, b *gorgonia.Node) *gorgonia.Node { return e.Binary(gorgonia.HadamardProd, a, b) }
	plus := func(a, b *gorgonia.Node) *gorgonia.Node { return e.Binary(gorgonia.Add, a, b) }
	switch act.spec.Kind {
	case device.Tanh, device.Sigmoid: // D = 1 − y², D = y − y²
		return e.Scaled(product, -2)
	case device.GELU: // D = Φ(z) + z·φ(z), D″ = (z³ − 4z)·φ(z)
		density := e.Scaled(e.Unary(gorgonia.Exp, e.Scaled(e.Unary(gorgonia.Square, saved), -0.5)), 1/math.Sqrt(2*math.Pi))
		return times(product, times(plus(e.Unary(gorgonia.Cube, saved), e.Scaled(saved, -4)), density))
	case device.SiLU: // D = s + z·s', D″ = 3s″ + z·s‴ for s = σ(z)
		s := e.Unary(gorgonia.Sigmoid, saved)
		s1 := times(s, e.Shifted(e.Scaled(s, -1), 1))
		slope := e.Shifted(e.Scaled(s, -2), 1)
		s2 := times(s1, slope)
		s3 := plus(times(s2, slope), e.Scaled(times(s1, s1), -2))
		return times(product, plus(e.Scaled(s2, 3), times(saved, s3)))
	case device.Softplus: // D = s, D″ = β²·s(1 − s)(1 − 2s) for s = σ(βz), 0 beyond the threshold
		beta, u := act.spec.Beta, e.Scaled(saved, act.spec.Beta)
		s := e.Unary(gorgonia.Sigmoid, u)
		s2 := times(times(s, e.Shifted(e.Scaled(s, -1), 1)), e.Shifted(e.Scaled(s, -2), 1))
		curved := e.Binary(func(u, threshold *gorgonia.Node) (*gorgonia.Node, error) {
			return gorgonia.Lte(u, threshold, true)
		}, u, e.Constant(act.spec.Threshold))
		return times(product, e.Scaled(times(s2, curved), beta*beta))
	}
	return e.Do(nil, fmt.Errorf("third derivatives of %v are not available, only first and second", act))
}
