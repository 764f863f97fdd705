package layer

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/affine-go/affine/layer/device"
)

// Activation is the function act in Y = act(X·W + b), one of [Identity],
// [ReLU], [LeakyReLU], [Tanh], [Sigmoid], [GELU] and [SiLU]. The zero value is
// Identity.
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

var activationNames = [...]string{
	device.Identity: "identity", device.ReLU: "relu", device.LeakyReLU: "leakyrelu", device.Tanh: "tanh",
	device.Sigmoid: "sigmoid", device.GELU: "gelu", device.SiLU: "silu",
}

// ActivationNames lists the names that [ParseActivation] takes.
func ActivationNames() []string { return activationNames[:] }

// ParseActivation returns the activation of the given name, as String prints
// it: "relu", "gelu", "leakyrelu" (α = 0.01), "leakyrelu(0.2)".
func ParseActivation(name string) (Activation, error) {
	word, argument, hasArgument := strings.Cut(strings.ToLower(name), "(")
	for kind, known := range activationNames {
		if word != known {
			continue
		}
		a := Activation{device.Activation{Kind: device.ActivationKind(kind)}}
		if a.spec.Kind != device.LeakyReLU {
			if hasArgument {
				return Activation{}, fmt.Errorf("activation %q: %s takes no argument", name, known)
			}
			return a, nil
		}
		a.spec.Alpha = 0.01
		if hasArgument {
			alpha, err := strconv.ParseFloat(strings.TrimSuffix(argument, ")"), 64)
			if err != nil || !strings.HasSuffix(argument, ")") {
				return Activation{}, fmt.Errorf("activation %q: want a slope as in leakyrelu(0.01)", name)
			}
			a.spec.Alpha = alpha
		}
		return a, a.check()
	}
	return Activation{}, fmt.Errorf("unknown activation %q, want one of %s", name, strings.Join(activationNames[:], ", "))
}

// Spec returns what a device takes for the activation.
func (a Activation) Spec() device.Activation { return a.spec }

// String returns the name that [ParseActivation] takes.
func (a Activation) String() string {
	if a.spec.Kind == device.LeakyReLU {
		return fmt.Sprintf("leakyrelu(%g)", a.spec.Alpha)
	}
	return activationNames[a.spec.Kind]
}

// check refuses slopes for which y = act(z) cannot be told apart from its
// mirror image: the sign of y must be the sign of z.
func (a Activation) check() error {
	if alpha := a.spec.Alpha; !(alpha >= 0) || math.IsInf(alpha, 1) {
		return fmt.Errorf("leakyrelu: slope is %g, want a finite number ≥ 0", alpha)
	}
	return nil
}
