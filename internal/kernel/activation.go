package kernel

import "fmt"

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
}

var activations = [ActivationKinds]ActivationInfo{
	Identity:  {"identity", "z", "1", "0", SavedY, true, 1},
	ReLU:      {"relu", "max(z, 0)", "1 if y > 0, else 0", "0", SavedY, true, 1},
	LeakyReLU: {"leakyrelu", "z, or αz if z < 0", "1 if y > 0, else α", "0", SavedY, true, 1},
	Tanh:      {"tanh", "tanh z", "1 − y²", "−2y", SavedY, false, 4},
	Sigmoid:   {"sigmoid", "σ(z) = 1/(1+e⁻ᶻ)", "y(1−y)", "1 − 2y", SavedY, false, 4},
	GELU:      {"gelu", "z·Φ(z), the exact form with erf", "Φ(z) + z·φ(z)", "φ(z)(2 − z²)", SavedZ, false, 8},
	SiLU:      {"silu", "z·σ(z)", "σ(z)(1 + z(1−σ(z)))", "σ(z)σ(−z)(2 − z·tanh(z/2))", SavedZ, false, 4},
	Softplus:  {"softplus", "log(1+e^βz)/β, or z if βz > threshold", "σ(βz), or 1 if βz > threshold", "β·σ(βz)σ(−βz), or 0 if βz > threshold", SavedZ, false, 8},
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
