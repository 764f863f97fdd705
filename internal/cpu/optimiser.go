package cpu

// SGDStep holds the scalars of one step of stochastic gradient descent.
type SGDStep struct {
	LR, Momentum, Dampening, WeightDecay float64
	Nesterov, First, ZeroGrad            bool
}

// AdamStep holds the scalars of one step of Adam or, when Decoupled, AdamW.
// Step counts from 1.
type AdamStep struct {
	LR, Beta1, Beta2, Eps, WeightDecay float64
	Step                               int
	Decoupled, ZeroGrad                bool
}

// RMSpropStep holds the scalars of one step of RMSprop.
type RMSpropStep struct {
	LR, Alpha, Eps, WeightDecay, Momentum float64
	Centered, ZeroGrad                    bool
}

// AdagradStep holds the scalars of one step of Adagrad, counted from 1.
type AdagradStep struct {
	LR, LRDecay, WeightDecay, Eps float64
	Step                          int
	ZeroGrad                      bool
}

// SGD updates w from g and, with momentum, the moment m: g += WeightDecay·w;
// m = μ·m + (1−Dampening)·g, or m = g in the First step; g = g + μ·m under
// Nesterov, else m; w −= LR·g. Without momentum m is nil.
func SGD[T Float](w, g, m []T, s SGDStep) {
	if len(w) <= updateGrain {
		sgd(w, g, m, s)
		return
	}
	u := newUpdate(w, g, m, nil, nil)
	u.rule, u.sgd = sgdRule, s
	u.do()
}

// Adam updates w and the moments m and v from g: g += WeightDecay·w, or, when
// Decoupled, w −= LR·WeightDecay·w; m = β₁m + (1−β₁)g; v = β₂v + (1−β₂)g²;
// w −= LR/(1−β₁ᵗ) · m / (√v/√(1−β₂ᵗ) + Eps).
func Adam[T Float](w, g, m, v []T, s AdamStep) {
	if len(w) <= updateGrain {
		adam(w, g, m, v, s)
		return
	}
	u := newUpdate(w, g, m, v, nil)
	u.rule, u.adam = adamRule, s
	u.do()
}

// RMSprop updates w and the moments from g: g += WeightDecay·w;
// v = αv + (1−α)g²; v' = v, or, when Centered, mean = α·mean + (1−α)g and
// v' = v − mean²; with momentum μ > 0: b = μb + g/(√v' + Eps), w −= LR·b; else
// w −= LR·g/(√v' + Eps). Moments that are not used are nil.
func RMSprop[T Float](w, g, v, b, mean []T, s RMSpropStep) {
	if len(w) <= updateGrain {
		rmsprop(w, g, v, b, mean, s)
		return
	}
	u := newUpdate(w, g, v, b, mean)
	u.rule, u.rmsprop = rmspropRule, s
	u.do()
}

// Adagrad updates w and the sum of squares from g: g += WeightDecay·w;
// sum += g²; w −= LR/(1 + (Step−1)·LRDecay) · g/(√sum + Eps).
func Adagrad[T Float](w, g, sum []T, s AdagradStep) {
	if len(w) <= updateGrain {
		adagrad(w, g, sum, s)
		return
	}
	u := newUpdate(w, g, sum, nil, nil)
	u.rule, u.adagrad = adagradRule, s
	u.do()
}
