package kernel

import (
	"fmt"
	"math"
	"sync"
)

// Rule is the formula by which an optimizer updates weights.
type Rule uint8

// The rules. Their formulas are those of torch.optim (version 2), evaluated in
// its order: the scalars in float64, each rounded once to the element type, then
// the elements. w are the weights, g is their gradient or, under Maximize, −g.
const (
	// SGD is stochastic gradient descent: g += WeightDecay·w; with momentum
	// μ ≠ 0: m = μ·m + (1−Dampening)·g (m = g in step 1), g = g + μ·m under
	// Nesterov, else m; w −= LR·g.
	SGD Rule = iota
	// Adam is Adam or, when Decoupled, AdamW: g += WeightDecay·w (Adam) or
	// w −= LR·WeightDecay·w (AdamW); m = β₁m + (1−β₁)g; v = β₂v + (1−β₂)g²;
	// v' = v or, under AMSGrad, v' = vmax = max(vmax, v);
	// w −= LR/(1−β₁ᵗ) · m / (√v'/√(1−β₂ᵗ) + Eps) in step t.
	Adam
	// RMSprop is g += WeightDecay·w; v = αv + (1−α)g²; Centered:
	// mean = α·mean + (1−α)g and v' = v − mean², else v' = v; root = √v' + Eps
	// or, with EpsInRoot, √(v' + Eps), as Gorgonia has it; with momentum μ > 0:
	// b = μb + g/root, w −= LR·b; else w −= LR·g/root.
	RMSprop
	// Adagrad is g += WeightDecay·w; s += g²;
	// w −= LR/(1 + (t−1)·LRDecay) · g/(√s + Eps) in step t.
	Adagrad
	// Lion (Chen et al., "Symbolic discovery of optimization algorithms", 2023)
	// is w −= LR·WeightDecay·w; w −= LR·sign(β₁m + (1−β₁)g);
	// m = β₂m + (1−β₂)g. sign(0) is 0.
	Lion
)

// Update is one step of an optimizer. What its rule does not have is left zero.
type Update struct {
	Rule                     Rule
	LR, WeightDecay          float64
	Momentum, Dampening      float64
	Beta1, Beta2, Alpha, Eps float64
	LRDecay                  float64
	Step                     int // counted from 1
	Nesterov, Centered       bool
	AMSGrad, Decoupled       bool
	EpsInRoot                bool
	Maximize                 bool
	ZeroGrad                 bool // the gradient is zero afterwards
}

// Moments are what an optimizer keeps for each weight, in the order of
// [Rule.Moments]; nil for those that it does not use.
type Moments[T Float] [3][]T

// Scalars are the numbers that a rule computes with. Those that a step may change
// stand apart, since a card reads them from memory.
type Scalars struct {
	Changing  [3]float64
	Constant  [4]float64
	Constants int // how many of these the rule has
}

// rule is what is known of a rule.
type rule struct {
	name    string
	counts  bool // its formula has the step in it
	moments [3]string
	uses    func(u *Update) [3]bool // of the moments; nil for all that have a name
	scalars func(u *Update) Scalars
}

var rules = [...]rule{
	SGD: {
		name: "sgd", moments: [3]string{"momentum_buffer"},
		uses: func(u *Update) [3]bool { return [3]bool{u.Momentum != 0} },
		// The learning rate; μ, 1−dampening, λ.
		scalars: func(u *Update) Scalars {
			return Scalars{[3]float64{u.LR}, [4]float64{u.Momentum, 1 - u.Dampening, u.WeightDecay}, 3}
		},
	},
	Adam: {
		name: "adam", counts: true, moments: [3]string{"exp_avg", "exp_avg_sq", "max_exp_avg_sq"},
		uses: func(u *Update) [3]bool { return [3]bool{true, true, u.AMSGrad} },
		// LR/(1−β₁ᵗ), √(1−β₂ᵗ), 1−LR·λ for AdamW or else 1; β₁, β₂, ε, λ.
		scalars: func(u *Update) Scalars {
			decay, keep := u.WeightDecay, 1.0
			if u.Decoupled {
				decay, keep = 0, 1-u.LR*u.WeightDecay
			}
			first, second := corrections.of(u.Beta1, u.Beta2, u.Step)
			return Scalars{[3]float64{u.LR / first, math.Sqrt(second), keep},
				[4]float64{u.Beta1, u.Beta2, u.Eps, decay}, 4}
		},
	},
	RMSprop: {
		name: "rmsprop", moments: [3]string{"square_avg", "momentum_buffer", "grad_avg"},
		uses: func(u *Update) [3]bool { return [3]bool{true, u.Momentum > 0, u.Centered} },
		// The learning rate; α, ε, λ, μ.
		scalars: func(u *Update) Scalars {
			return Scalars{[3]float64{u.LR}, [4]float64{u.Alpha, u.Eps, u.WeightDecay, u.Momentum}, 4}
		},
	},
	Adagrad: {
		name: "adagrad", counts: true, moments: [3]string{"sum"},
		// LR/(1+(t−1)·η); λ, ε.
		scalars: func(u *Update) Scalars {
			return Scalars{[3]float64{u.LR / (1 + float64(u.Step-1)*u.LRDecay)}, [4]float64{u.WeightDecay, u.Eps}, 2}
		},
	},
	Lion: {
		name: "lion", moments: [3]string{"exp_avg"},
		// The learning rate, 1−LR·λ; β₁, β₂.
		scalars: func(u *Update) Scalars {
			return Scalars{[3]float64{u.LR, 1 - u.LR*u.WeightDecay}, [4]float64{u.Beta1, u.Beta2}, 2}
		},
	},
}

// Rules returns all rules.
func Rules() []Rule {
	all := make([]Rule, len(rules))
	for i := range all {
		all[i] = Rule(i)
	}
	return all
}

// Known reports whether r is one of the rules.
func (r Rule) Known() bool { return int(r) < len(rules) }

// String returns the rule's name.
func (r Rule) String() string {
	if !r.Known() {
		return fmt.Sprintf("rule %d", uint8(r))
	}
	return rules[r].name
}

// Counts reports whether the formula has the step in it.
func (r Rule) Counts() bool { return rules[r].counts }

// Moments returns PyTorch's names of what the rule may keep for each weight.
func (r Rule) Moments() *[3]string { return &rules[r].moments }

// Uses tells which of the rule's moments the update uses.
func (u *Update) Uses() [3]bool {
	r := &rules[u.Rule]
	if r.uses == nil {
		return [3]bool{r.moments[0] != "", r.moments[1] != "", r.moments[2] != ""}
	}
	return r.uses(u)
}

// Scalars returns the numbers that the rule computes with.
func (u *Update) Scalars() Scalars { return rules[u.Rule].scalars(u) }

// corrections are Adam's 1−β₁ᵗ and 1−β₂ᵗ, kept from one call to the next: all
// learnables of a step have the same, and two powers take 90 ns, as long as the
// update of 64 weights.
var corrections correction

type correction struct {
	mutex         sync.Mutex
	beta1, beta2  float64
	step          int
	first, second float64
}

func (c *correction) of(beta1, beta2 float64, step int) (first, second float64) {
	if !c.mutex.TryLock() {
		return 1 - math.Pow(beta1, float64(step)), 1 - math.Pow(beta2, float64(step))
	}
	defer c.mutex.Unlock()
	if c.step != step || c.beta1 != beta1 || c.beta2 != beta2 || c.first == 0 {
		c.beta1, c.beta2, c.step = beta1, beta2, step
		c.first, c.second = 1-math.Pow(beta1, float64(step)), 1-math.Pow(beta2, float64(step))
	}
	return c.first, c.second
}
