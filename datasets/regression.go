package datasets

import "math"

const targetNoise = "standard deviation of the Gaussian noise added to the target"

var linearInfo = Info{
	Name:         "linear",
	Summary:      "a plane over three features",
	Task:         Regression,
	Features:     []string{"x1", "x2", "x3"},
	TargetName:   "y",
	Rows:         500,
	Noise:        0.1,
	NoiseMeaning: targetNoise,
	Formula:      "y = 3·x1 − 2·x2 + ½·x3 + 1 + noise·N(0, 1), x uniform in [−1, 1]³",
	Source:       "this package; the model of ordinary least squares",
}

// Linear returns a linear function of three features, the model of ordinary
// least squares; the coefficients are this package's choice:
//
//	y = 3·x₁ − 2·x₂ + ½·x₃ + 1 + noise·N(0, 1),  x uniform in [−1, 1]³
func Linear(n int, noise float64, seed uint64) (*Dataset, error) {
	return function(&linearInfo, n, noise, seed, -1, 1, linearValue)
}

func linearValue(x []float64) float64 { return 3*x[0] - 2*x[1] + 0.5*x[2] + 1 }

var sineInfo = Info{
	Name:         "sine",
	Summary:      "one period of a sine",
	Task:         Regression,
	Features:     []string{"x"},
	TargetName:   "y",
	Rows:         500,
	Noise:        0.05,
	NoiseMeaning: targetNoise,
	Formula:      "y = sin(2πx) + noise·N(0, 1), x uniform in [0, 1]",
	Source:       "Bishop 2006, Pattern Recognition and Machine Learning, section 1.1",
}

// Sine returns one period of a sine, the curve that C. M. Bishop fits in
// Pattern Recognition and Machine Learning (2006), section 1.1:
//
//	y = sin(2πx) + noise·N(0, 1),  x uniform in [0, 1]
func Sine(n int, noise float64, seed uint64) (*Dataset, error) {
	return function(&sineInfo, n, noise, seed, 0, 1, sineValue)
}

func sineValue(x []float64) float64 { return math.Sin(2 * math.Pi * x[0]) }

var friedman1Info = Info{
	Name:         "friedman1",
	Summary:      "Friedman's first function: ten features, five of them without effect",
	Task:         Regression,
	Features:     numbered("x", 1, 10),
	TargetName:   "y",
	Rows:         2000,
	Noise:        1,
	NoiseMeaning: targetNoise,
	Formula:      "y = 10·sin(π·x1·x2) + 20·(x3 − ½)² + 10·x4 + 5·x5 + noise·N(0, 1), x uniform in [0, 1]¹⁰",
	Source:       "Friedman 1991, Annals of Statistics 19; scikit-learn, sklearn.datasets.make_friedman1",
}

// Friedman1 returns the first function of J. H. Friedman, "Multivariate
// adaptive regression splines", Annals of Statistics 19 (1991), with ten
// features as in scikit-learn's sklearn.datasets.make_friedman1. The last five
// have no effect:
//
//	y = 10·sin(π·x₁·x₂) + 20·(x₃ − ½)² + 10·x₄ + 5·x₅ + noise·N(0, 1),  x uniform in [0, 1]¹⁰
func Friedman1(n int, noise float64, seed uint64) (*Dataset, error) {
	return function(&friedman1Info, n, noise, seed, 0, 1, friedman1Value)
}

func friedman1Value(x []float64) float64 {
	curve := x[2] - 0.5
	return 10*math.Sin(math.Pi*x[0]*x[1]) + 20*curve*curve + 10*x[3] + 5*x[4]
}

// function makes a dataset of rows drawn uniformly from [low, high] in every
// feature, with f of the row and noise as the target.
func function(info *Info, n int, noise float64, seed uint64, low, high float64, f func(x []float64) float64) (*Dataset, error) {
	d, rng, err := newDataset(info, n, noise, seed)
	if err != nil {
		return nil, err
	}
	for i := range d.X {
		d.X[i] = low + (high-low)*rng.Float64()
	}
	for i := range d.Y {
		d.Y[i] = f(d.Row(i))
	}
	addNoise(d.Y, noise, rng)
	return d, nil
}
