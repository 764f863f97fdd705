package layer

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/affine-go/affine/layer/device"
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

// parameters returns where an activation keeps its parameters, in the order in
// which its name lists them, and what errors call them.
func (a *Activation) parameters() (values []*float64, what string) {
	switch a.spec.Kind {
	case device.LeakyReLU:
		return []*float64{&a.spec.Alpha}, "a slope as in leakyrelu(0.01)"
	case device.Softplus:
		return []*float64{&a.spec.Beta, &a.spec.Threshold}, "β and threshold as in softplus(1,20)"
	}
	return nil, ""
}

var defaultParameters = map[device.ActivationKind][]float64{device.LeakyReLU: {0.01}, device.Softplus: {1, 20}}

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
		parameters, want := a.parameters()
		if len(parameters) == 0 && hasArguments {
			return Activation{}, fmt.Errorf("activation %q: %s takes no argument", name, word)
		}
		for i, p := range parameters {
			*p = defaultParameters[kind][i]
		}
		if !hasArguments {
			return a, nil
		}
		given, closed := strings.CutSuffix(arguments, ")")
		numbers := strings.Split(given, ",")
		if !closed || len(numbers) != len(parameters) {
			return Activation{}, fmt.Errorf("activation %q: want %s", name, want)
		}
		for i, p := range parameters {
			v, err := strconv.ParseFloat(strings.TrimSpace(numbers[i]), 64)
			if err != nil {
				return Activation{}, fmt.Errorf("activation %q: want %s", name, want)
			}
			*p = v
		}
		return a, a.check()
	}
	return Activation{}, fmt.Errorf("unknown activation %q, want one of %s", name, strings.Join(ActivationNames(), ", "))
}

// Spec returns what a device takes for the activation.
func (a Activation) Spec() device.Activation { return a.spec }

// String returns the name that [ParseActivation] takes.
func (a Activation) String() string {
	parameters, _ := a.parameters()
	if len(parameters) == 0 {
		return a.spec.Kind.String()
	}
	var numbers []string
	for _, p := range parameters {
		numbers = append(numbers, strconv.FormatFloat(*p, 'g', -1, 64))
	}
	return a.spec.Kind.String() + "(" + strings.Join(numbers, ",") + ")"
}

// check refuses slopes for which y = act(z) cannot be told apart from its
// mirror image, since the sign of y must be the sign of z, and parameters that
// are no numbers.
func (a Activation) check() error {
	if alpha := a.spec.Alpha; !(alpha >= 0) || math.IsInf(alpha, 1) {
		return fmt.Errorf("leakyrelu: slope is %g, want a finite number ≥ 0", alpha)
	}
	if a.spec.Kind != device.Softplus {
		return nil
	}
	if beta, threshold := a.spec.Beta, a.spec.Threshold; beta == 0 || math.IsNaN(beta) || math.IsInf(beta, 0) || math.IsNaN(threshold) || math.IsInf(threshold, 0) {
		return fmt.Errorf("softplus: β is %g and the threshold %g, want a finite β other than 0 and a finite threshold", beta, threshold)
	}
	return nil
}
