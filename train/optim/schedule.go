package optim

import (
	"fmt"
	"math"
	"strings"
)

// Schedule gives the learning rate as a function of time alone, so that a
// training that is resumed needs no state of it. Time t counts from 0, in
// steps or in epochs as the caller decides; a schedule's own lengths are in
// the same unit. Negative t counts as 0.
type Schedule interface {
	// At returns the learning rate at time t.
	At(t int) float64
}

// ConstantLR is the rate LR at all times.
type ConstantLR struct{ LR float64 }

// At returns LR.
func (s ConstantLR) At(int) float64 { return s.LR }

// StepLR multiplies the rate by Gamma after every Every steps:
// LR·Gamma^⌊t/Every⌋. It is PyTorch's StepLR. Every below 1 stands for never.
type StepLR struct {
	LR    float64
	Every int
	Gamma float64
}

// At returns the rate at time t.
func (s StepLR) At(t int) float64 {
	if s.Every < 1 {
		return s.LR
	}
	return s.LR * math.Pow(s.Gamma, float64(max(t, 0)/s.Every))
}

// CosineLR goes from LR to Min in Steps steps along half a cosine:
// Min + (LR − Min)·(1 + cos(π·t/Steps))/2. It is PyTorch's CosineAnnealingLR
// (Loshchilov and Hutter, 2016, arXiv:1608.03983, without restarts), but stays
// at Min after Steps, where PyTorch's rises again.
type CosineLR struct {
	LR, Min float64
	Steps   int
}

// At returns the rate at time t.
func (s CosineLR) At(t int) float64 {
	return cosine(s.LR, s.Min, fraction(float64(t), float64(s.Steps)))
}

// OneCycleLR rises from Max/Div to Max in the first Rise·Steps steps and falls
// to Max/(Div·FinalDiv) in the last one, along half a cosine each or, with
// Linear, in straight lines. With ThreePhase it falls to Max/Div first, in as many
// steps as it rose, and on from there. It is PyTorch's OneCycleLR (Smith and
// Topin, 2017, arXiv:1708.07120) without the cycling of the momentum. Fields that
// are 0 have PyTorch's defaults: Rise 0.3, Div 25, FinalDiv 10,000; NoRise stands
// for PyTorch's pct_start of 0. After Steps the rate stays what it is.
type OneCycleLR struct {
	Max                        float64
	Steps                      int
	Rise, Div, FinalDiv        float64
	NoRise, ThreePhase, Linear bool
}

// At returns the rate at time t.
func (s OneCycleLR) At(t int) float64 {
	rise, steps := orDefault(s.Rise, 0.3), float64(s.Steps)
	if s.NoRise {
		rise = 0
	}
	first := s.Max / orDefault(s.Div, 25)
	last := first / orDefault(s.FinalDiv, 1e4)
	// The first step is number 0, so that the rise ends one before Rise·Steps.
	type phase struct{ end, from, to float64 }
	phases := [3]phase{{rise*steps - 1, first, s.Max}, {steps - 1, s.Max, last}}
	count := 2
	if s.ThreePhase {
		phases[1], phases[2] = phase{2*rise*steps - 2, s.Max, first}, phase{steps - 1, first, last}
		count = 3
	}
	between := cosine
	if s.Linear {
		between = linear
	}
	now, start := float64(max(t, 0)), 0.0
	for i, p := range phases[:count] {
		if now <= p.end || i == count-1 {
			return between(p.from, p.to, fraction(now-start, p.end-start))
		}
		start = p.end
	}
	panic("not reached")
}

// WarmupLR puts a linear rise of Steps steps before another schedule: the
// rate is Then.At(0) times From + (1 − From)·t/Steps until Steps, and
// Then.At(t − Steps) after it. It is PyTorch's LinearLR and SequentialLR.
// Without Then the rate is NaN, which optimizers refuse.
type WarmupLR struct {
	From  float64 // factor in the first step, between 0 and 1
	Steps int
	Then  Schedule
}

// At returns the rate at time t.
func (s WarmupLR) At(t int) float64 {
	if s.Then == nil {
		return math.NaN()
	}
	if t = max(t, 0); t >= s.Steps {
		return s.Then.At(t - s.Steps)
	}
	return s.Then.At(0) * linear(s.From, 1, fraction(float64(t), float64(s.Steps)))
}

// ScheduleNames returns the names that NewSchedule takes.
func ScheduleNames() []string { return []string{"constant", "step", "cosine", "one-cycle"} }

// NewSchedule returns a schedule by name for a training of the given number of
// steps (or epochs) with highest rate lr: "constant"; "step", a tenth after
// each third; "cosine", down to 0; "one-cycle", with PyTorch's defaults.
func NewSchedule(name string, lr float64, steps int) (Schedule, error) {
	if steps < 1 {
		return nil, fmt.Errorf("new schedule: got %d steps, want at least 1", steps)
	}
	switch name {
	case "constant":
		return ConstantLR{LR: lr}, nil
	case "step":
		return StepLR{LR: lr, Every: (steps + 2) / 3, Gamma: 0.1}, nil
	case "cosine":
		return CosineLR{LR: lr, Steps: steps}, nil
	case "one-cycle":
		return OneCycleLR{Max: lr, Steps: steps}, nil
	}
	return nil, fmt.Errorf("new schedule: unknown name %q, want one of %s", name, strings.Join(ScheduleNames(), ", "))
}

// fraction returns t/length limited to [0, 1]; a length of 0 or less is over.
func fraction(t, length float64) float64 {
	if length <= 0 {
		return 1
	}
	return min(max(t/length, 0), 1)
}

func linear(from, to, x float64) float64 { return from + (to-from)*x }

func cosine(from, to, x float64) float64 {
	return to + (from-to)*(1+math.Cos(math.Pi*x))/2
}

// orDefault returns x, or the default if x is 0.
func orDefault(x, byDefault float64) float64 {
	if x == 0 {
		return byDefault
	}
	return x
}
