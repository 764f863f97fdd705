package kernel

import (
	"fmt"
	"math"
)

// Activation selects act in Y = act(Z), with the parameters that its kind has.
// Kinds without a parameter leave it zero.
type Activation struct {
	Kind      ActivationKind
	Alpha     float64 // of LeakyReLU: the slope for negative Z
	Beta      float64 // of Softplus: its sharpness, not 0
	Threshold float64 // of Softplus: y = z for β·z above it
}

// ActivationKind names an activation function.
type ActivationKind uint8

// The activation functions. [ActivationKind.Info] tells more of each.
const (
	Identity ActivationKind = iota
	ReLU
	LeakyReLU
	Tanh
	Sigmoid
	GELU
	SiLU
	Softplus
	ActivationKinds int = iota // how many there are
)

// Saved is the quantity that a derivative is written in, which the forward pass
// saves and the backward kernels take.
type Saved uint8

// What act' may be written in.
const (
	SavedY Saved = iota // Y = act(Z)
	SavedZ              // Z = X·W + b, if act has no inverse
)

// String returns "Y" or "Z".
func (s Saved) String() string { return [...]string{"Y", "Z"}[s] }

// ActivationInfo is what is known of an activation function. A device may lack
// a kind; it then returns an error and never computes another function.
type ActivationInfo struct {
	Name string // as a command line spells it
	// Formula gives y and act', and by z or y the derivative of act' (the
	// second order of ActivationBackward).
	Formula, Derivative, Second string
	Saved                       Saved
	// InMicroKernel: cheap enough that the micro-kernels of the matrix product
	// apply it to the sums that they hold.
	InMicroKernel bool
	// Cost is roughly how many times as long as ReLU act takes, for memory in a
	// near cache: what one thread takes at a time depends on it.
	Cost int
	// Module is the class of torch.nn that computes it.
	Module string
	// Defaults are PyTorch's of the parameters, in the order of its constructor;
	// Parameters is what errors call them.
	Defaults   []float64
	Parameters string
	takes      []parameter
	check      func(Activation) error
}

// parameter is a field of Activation.
type parameter uint8

const (
	alpha parameter = iota
	beta
	threshold
)

var activations = [ActivationKinds]ActivationInfo{
	Identity: {
		Name: "identity", Module: "Identity", Formula: "z", Derivative: "1", Second: "0",
		Saved: SavedY, InMicroKernel: true, Cost: 1,
	},
	ReLU: {
		Name: "relu", Module: "ReLU", Formula: "max(z, 0)", Derivative: "1 if y > 0, else 0", Second: "0",
		Saved: SavedY, InMicroKernel: true, Cost: 1,
	},
	LeakyReLU: {
		Name: "leakyrelu", Module: "LeakyReLU", Formula: "z, or αz if z < 0", Derivative: "1 if y > 0, else α", Second: "0",
		Saved: SavedY, InMicroKernel: true, Cost: 1,
		Defaults: []float64{0.01}, Parameters: "a slope as in leakyrelu(0.01)", takes: []parameter{alpha},
		// The sign of y is to be that of z, since act' is written in y.
		check: func(a Activation) error {
			if !(a.Alpha >= 0) || math.IsInf(a.Alpha, 1) {
				return fmt.Errorf("leakyrelu: slope is %g, want a finite number ≥ 0", a.Alpha)
			}
			return nil
		},
	},
	Tanh: {
		Name: "tanh", Module: "Tanh", Formula: "tanh z", Derivative: "1 − y²", Second: "−2y",
		Saved: SavedY, Cost: 4,
	},
	Sigmoid: {
		Name: "sigmoid", Module: "Sigmoid", Formula: "σ(z) = 1/(1+e⁻ᶻ)", Derivative: "y(1−y)", Second: "1 − 2y",
		Saved: SavedY, Cost: 4,
	},
	GELU: {
		Name: "gelu", Module: "GELU", Formula: "z·Φ(z), the exact form with erf", Derivative: "Φ(z) + z·φ(z)", Second: "φ(z)(2 − z²)",
		Saved: SavedZ, Cost: 8,
	},
	SiLU: {
		Name: "silu", Module: "SiLU", Formula: "z·σ(z)", Derivative: "σ(z)(1 + z(1−σ(z)))", Second: "σ(z)σ(−z)(2 − z·tanh(z/2))",
		Saved: SavedZ, Cost: 4,
	},
	Softplus: {
		Name: "softplus", Module: "Softplus", Formula: "log(1+e^βz)/β, or z if βz > threshold",
		Derivative: "σ(βz), or 1 if βz > threshold", Second: "β·σ(βz)σ(−βz), or 0 if βz > threshold",
		Saved: SavedZ, Cost: 8,
		Defaults: []float64{1, 20}, Parameters: "β and threshold as in softplus(1,20)", takes: []parameter{beta, threshold},
		check: func(a Activation) error {
			if a.Beta == 0 || !finite(a.Beta) || !finite(a.Threshold) {
				return fmt.Errorf("softplus: β is %g and the threshold %g, want a finite β other than 0 and a finite threshold", a.Beta, a.Threshold)
			}
			return nil
		},
	},
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// Parameters returns where the activation, whose kind must be Known, keeps its
// parameters.
func (a *Activation) Parameters() []*float64 {
	var places []*float64
	for _, p := range activations[a.Kind].takes {
		places = append(places, a.place(p))
	}
	return places
}

func (a *Activation) place(p parameter) *float64 {
	switch p {
	case alpha:
		return &a.Alpha
	case beta:
		return &a.Beta
	}
	return &a.Threshold
}

// Values returns the parameters, and 0 in the place of those that there are not.
func (a Activation) Values() (v [2]float64) {
	for i, p := range activations[a.Kind].takes {
		v[i] = *a.place(p)
	}
	return v
}

// Check refuses a kind that is not Known and parameters that are no use.
func (a Activation) Check() error {
	if !a.Kind.Known() {
		return fmt.Errorf("%v is unknown, want one of %v", a.Kind, Activations())
	}
	if check := activations[a.Kind].check; check != nil {
		return check(a)
	}
	return nil
}

// Activations returns all kinds, Identity first.
func Activations() []ActivationKind {
	all := make([]ActivationKind, ActivationKinds)
	for i := range all {
		all[i] = ActivationKind(i)
	}
	return all
}

// Known reports whether k is one of the kinds above.
func (k ActivationKind) Known() bool { return int(k) < ActivationKinds }

// Info returns what is known of the kind, which must be Known.
func (k ActivationKind) Info() *ActivationInfo { return &activations[k] }

// Saved tells what act' is written in.
func (k ActivationKind) Saved() Saved { return activations[k].Saved }

// String returns the name that a command line takes.
func (k ActivationKind) String() string {
	if !k.Known() {
		return fmt.Sprintf("activation kind %d", uint8(k))
	}
	return activations[k].Name
}
