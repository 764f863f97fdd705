package kernel

import "math"

// Rule names the formula by which an optimizer updates weights.
type Rule string

// The rules. Their formulas are those of torch.optim (version 2), evaluated in
// its order: the scalars in float64, each rounded once to the element type, then
// the elements. w are the weights, g is their gradient or, under Maximize, −g.
const (
	// SGD is stochastic gradient descent: g += WeightDecay·w; with momentum
	// μ ≠ 0: m = μ·m + (1−Dampening)·g (m = g in step 1), g = g + μ·m under
	// Nesterov, else m; w −= LR·g.
	SGD Rule = "sgd"
	// Adam is Adam or, when Decoupled, AdamW: g += WeightDecay·w (Adam) or
	// w −= LR·WeightDecay·w (AdamW); m = β₁m + (1−β₁)g; v = β₂v + (1−β₂)g²;
	// v' = v or, under AMSGrad, v' = vmax = max(vmax, v);
	// w −= LR/(1−β₁ᵗ) · m / (√v'/√(1−β₂ᵗ) + Eps) in step t.
	Adam Rule = "adam"
	// RMSprop is g += WeightDecay·w; v = αv + (1−α)g²; Centered:
	// mean = α·mean + (1−α)g and v' = v − mean², else v' = v; root = √v' + Eps
	// or, with EpsInRoot, √(v' + Eps), as Gorgonia has it; with momentum μ > 0:
	// b = μb + g/root, w −= LR·b; else w −= LR·g/root.
	RMSprop Rule = "rmsprop"
	// Adagrad is g += WeightDecay·w; s += g²;
	// w −= LR/(1 + (t−1)·LRDecay) · g/(√s + Eps) in step t.
	Adagrad Rule = "adagrad"
	// Lion (Chen et al., "Symbolic discovery of optimization algorithms", 2023)
	// is w −= LR·WeightDecay·w; w −= LR·sign(β₁m + (1−β₁)g);
	// m = β₂m + (1−β₂)g. sign(0) is 0.
	Lion Rule = "lion"
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
// [Update.Moments]; nil for those that it does not use.
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
	name    Rule
	counts  bool // its formula has the step in it
	moments func(u Update) [3]string
	scalars func(u Update) Scalars
}

var rules = []rule{
	{
		name:    SGD,
		moments: func(u Update) [3]string { return [3]string{named("momentum_buffer", u.Momentum != 0)} },
		// The learning rate; μ, 1−dampening, λ.
		scalars: func(u Update) Scalars {
			return Scalars{[3]float64{u.LR}, [4]float64{u.Momentum, 1 - u.Dampening, u.WeightDecay}, 3}
		},
	},
	{
		name:   Adam,
		counts: true,
		moments: func(u Update) [3]string {
			return [3]string{"exp_avg", "exp_avg_sq", named("max_exp_avg_sq", u.AMSGrad)}
		},
		// LR/(1−β₁ᵗ), √(1−β₂ᵗ), 1−LR·λ for AdamW or else 1; β₁, β₂, ε, λ.
		scalars: func(u Update) Scalars {
			t := float64(u.Step)
			decay, keep := u.WeightDecay, 1.0
			if u.Decoupled {
				decay, keep = 0, 1-u.LR*u.WeightDecay
			}
			return Scalars{[3]float64{u.LR / (1 - math.Pow(u.Beta1, t)), math.Sqrt(1 - math.Pow(u.Beta2, t)), keep},
				[4]float64{u.Beta1, u.Beta2, u.Eps, decay}, 4}
		},
	},
	{
		name: RMSprop,
		moments: func(u Update) [3]string {
			return [3]string{"square_avg", named("momentum_buffer", u.Momentum > 0), named("grad_avg", u.Centered)}
		},
		// The learning rate; α, ε, λ, μ.
		scalars: func(u Update) Scalars {
			return Scalars{[3]float64{u.LR}, [4]float64{u.Alpha, u.Eps, u.WeightDecay, u.Momentum}, 4}
		},
	},
	{
		name:    Adagrad,
		counts:  true,
		moments: func(Update) [3]string { return [3]string{"sum"} },
		// LR/(1+(t−1)·η); λ, ε.
		scalars: func(u Update) Scalars {
			return Scalars{[3]float64{u.LR / (1 + float64(u.Step-1)*u.LRDecay)}, [4]float64{u.WeightDecay, u.Eps}, 2}
		},
	},
	{
		name:    Lion,
		moments: func(Update) [3]string { return [3]string{"exp_avg"} },
		// The learning rate, 1−LR·λ; β₁, β₂.
		scalars: func(u Update) Scalars {
			return Scalars{[3]float64{u.LR, 1 - u.LR*u.WeightDecay}, [4]float64{u.Beta1, u.Beta2}, 2}
		},
	},
}

// named returns the name of a moment that is in use.
func named(name string, used bool) string {
	if !used {
		return ""
	}
	return name
}

// Rules returns the names of all rules.
func Rules() []Rule {
	names := make([]Rule, len(rules))
	for i := range rules {
		names[i] = rules[i].name
	}
	return names
}

func (r Rule) find() *rule {
	for i := range rules {
		if rules[i].name == r {
			return &rules[i]
		}
	}
	return nil
}

// Known reports whether r is one of the rules.
func (r Rule) Known() bool { return r.find() != nil }

// Counts reports whether the rule, which must be Known, has the step in its
// formula.
func (r Rule) Counts() bool { return r.find().counts }

// Moments returns PyTorch's names of the moments that the update uses, "" in the
// place of those that it does not. Its rule must be Known.
func (u Update) Moments() [3]string { return u.Rule.find().moments(u) }

// Scalars returns the numbers that the rule, which must be Known, computes with.
func (u Update) Scalars() Scalars { return u.Rule.find().scalars(u) }
