package kernel

// The scalars of one step of each optimizer. The formulas are those of
// torch.optim (version 2) and are evaluated in its order: the scalars in
// float64, each rounded once to the element type, then the elements. Under
// Maximize g stands for −g throughout; with ZeroGrad set, g is zero afterwards.

// SGDStep is a step of stochastic gradient descent: g += WeightDecay·w; with
// momentum μ ≠ 0: m = μ·m + (1−Dampening)·g (m = g in the First step),
// g = g + μ·m under Nesterov, else m; w −= LR·g.
type SGDStep struct {
	LR, Momentum, Dampening, WeightDecay float64
	Nesterov, First, Maximize, ZeroGrad  bool
}

// AdamStep is a step of Adam or, when Decoupled, AdamW, counted from 1:
// g += WeightDecay·w (Adam) or w −= LR·WeightDecay·w (AdamW);
// m = β₁m + (1−β₁)g; v = β₂v + (1−β₂)g²; v' = v or, under AMSGrad,
// v' = vmax = max(vmax, v); w −= LR/(1−β₁ᵗ) · m / (√v'/√(1−β₂ᵗ) + Eps).
type AdamStep struct {
	LR, Beta1, Beta2, Eps, WeightDecay     float64
	Step                                   int
	Decoupled, AMSGrad, Maximize, ZeroGrad bool
}

// RMSpropStep is a step of RMSprop: g += WeightDecay·w; v = αv + (1−α)g²;
// Centered: mean = α·mean + (1−α)g and v' = v − mean², else v' = v;
// root = √v' + Eps or, with EpsInRoot, √(v' + Eps), as Gorgonia has it;
// with momentum μ > 0: b = μb + g/root, w −= LR·b; else w −= LR·g/root.
// Unused moments are nil.
type RMSpropStep struct {
	LR, Alpha, Eps, WeightDecay, Momentum   float64
	Centered, EpsInRoot, Maximize, ZeroGrad bool
}

// AdagradStep is a step of Adagrad, counted from 1: g += WeightDecay·w; s += g²;
// w −= LR/(1 + (Step−1)·LRDecay) · g/(√s + Eps).
type AdagradStep struct {
	LR, LRDecay, WeightDecay, Eps float64
	Step                          int
	Maximize, ZeroGrad            bool
}

// LionStep is a step of Lion (Chen et al., "Symbolic discovery of optimization
// algorithms", 2023): w −= LR·WeightDecay·w; w −= LR·sign(β₁m + (1−β₁)g);
// m = β₂m + (1−β₂)g. sign(0) is 0.
type LionStep struct {
	LR, Beta1, Beta2, WeightDecay float64
	Maximize, ZeroGrad            bool
}
