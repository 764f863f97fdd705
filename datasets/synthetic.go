package datasets

import (
	"fmt"
	"math"

	"github.com/affine-go/affine/datasets/internal/glyph"
)

var planeFeatures = []string{"x1", "x2"}

const planeNoise = "standard deviation of the Gaussian noise added to both coordinates"

var moonsInfo = Info{
	Name:         "moons",
	Summary:      "two interleaving half circles in the plane",
	Task:         Classification,
	Features:     planeFeatures,
	TargetName:   "moon",
	Classes:      []string{"upper", "lower"},
	Rows:         1000,
	Noise:        0.1,
	NoiseMeaning: planeNoise,
	Formula:      "upper: (cos t, sin t), lower: (1 − cos t, ½ − sin t), t evenly spaced in [0, π]",
	Source:       "scikit-learn, sklearn.datasets.make_moons",
}

// Moons returns two interleaving half circles, as scikit-learn's
// sklearn.datasets.make_moons defines them. Each class has its own values of t,
// evenly spaced in [0, π], both ends included:
//
//	upper (⌊n/2⌋ rows):  (cos t, sin t)
//	lower (the rest):    (1 − cos t, ½ − sin t)
//
// Both coordinates get Gaussian noise with standard deviation noise; the rows
// come in random order.
func Moons(n int, noise float64, seed uint64) (*Dataset, error) {
	return plane(&moonsInfo, n, noise, seed, moonsPoints)
}

func moonsPoints(d *Dataset) {
	n := d.Len()
	upper := n / 2
	for i := range n {
		p := d.Row(i)
		if i < upper {
			t := linspace(math.Pi, i, upper)
			p[0], p[1] = math.Cos(t), math.Sin(t)
		} else {
			t := linspace(math.Pi, i-upper, n-upper)
			p[0], p[1] = 1-math.Cos(t), 0.5-math.Sin(t)
			d.Y[i] = 1
		}
	}
}

var circlesInfo = Info{
	Name:         "circles",
	Summary:      "a circle inside another, in the plane",
	Task:         Classification,
	Features:     planeFeatures,
	TargetName:   "circle",
	Classes:      []string{"outer", "inner"},
	Rows:         1000,
	Noise:        0.08,
	NoiseMeaning: planeNoise,
	Formula:      "outer: (cos t, sin t), inner: ½·(cos t, sin t), t evenly spaced in [0, 2π)",
	Source:       "scikit-learn, sklearn.datasets.make_circles with factor=0.5",
}

const circlesFactor = 0.5

// Circles returns a circle inside another, as scikit-learn's
// sklearn.datasets.make_circles defines them, with factor ½. Each class has its
// own values of t, evenly spaced in [0, 2π):
//
//	outer (⌊n/2⌋ rows):  (cos t, sin t)
//	inner (the rest):    ½·(cos t, sin t)
//
// Both coordinates get Gaussian noise with standard deviation noise; the rows
// come in random order.
func Circles(n int, noise float64, seed uint64) (*Dataset, error) {
	return plane(&circlesInfo, n, noise, seed, circlesPoints)
}

func circlesPoints(d *Dataset) {
	n := d.Len()
	outer := n / 2
	for i := range n {
		p, k, count, radius := d.Row(i), i, outer, 1.0
		if i >= outer {
			k, count, radius = i-outer, n-outer, circlesFactor
			d.Y[i] = 1
		}
		t := 2 * math.Pi * float64(k) / float64(count)
		p[0], p[1] = radius*math.Cos(t), radius*math.Sin(t)
	}
}

var blobsInfo = Info{
	Name:         "blobs",
	Summary:      "three Gaussian clusters in the plane",
	Task:         Classification,
	Features:     planeFeatures,
	TargetName:   "cluster",
	Classes:      []string{"0", "1", "2"},
	Rows:         600,
	Noise:        1,
	NoiseMeaning: "standard deviation of each cluster in both coordinates",
	Formula:      "centre + noise·N(0, 1), centres (−3, −2), (3, −2), (0, 3)",
	Source:       "scikit-learn, sklearn.datasets.make_blobs with given centers and cluster_std=noise",
}

var blobsCenters = [][2]float64{{-3, -2}, {3, -2}, {0, 3}}

// Blobs returns three Gaussian clusters, as scikit-learn's
// sklearn.datasets.make_blobs defines them for given centers:
//
//	x = center + noise·N(0, 1),  centers (−3, −2), (3, −2), (0, 3)
//
// noise is make_blobs' cluster_std. Where 3 does not divide n, the first
// clusters have one row more. The rows come in random order.
func Blobs(n int, noise float64, seed uint64) (*Dataset, error) {
	return plane(&blobsInfo, n, noise, seed, blobsPoints)
}

func blobsPoints(d *Dataset) {
	for i := range d.Len() {
		c := i % len(blobsCenters)
		copy(d.Row(i), blobsCenters[c][:])
		d.Y[i] = float64(c)
	}
}

var spiralsInfo = Info{
	Name:         "spirals",
	Summary:      "two spirals of three turns wound into each other, in the plane",
	Task:         Classification,
	Features:     planeFeatures,
	TargetName:   "spiral",
	Classes:      []string{"0", "1"},
	Rows:         2000,
	Noise:        0.1,
	NoiseMeaning: planeNoise,
	Formula:      "class 0: (r sin φ, r cos φ), r = 6.5 − 6t, φ = 6π·t, class 1: the same negated, t evenly spaced in [0, 1]",
	Source:       "Lang and Witbrock 1988, Learning to tell two spirals apart",
}

// Spirals returns two spirals wound into each other, after K. J. Lang and M. J.
// Witbrock, "Learning to tell two spirals apart", Proceedings of the 1988
// Connectionist Models Summer School. Their spirals have 97 points each, with
// radius 6.5·(104 − i)/104 and angle i·π/16 for i = 0 … 96. Here t = i/96 takes
// any number of values, evenly spaced in [0, 1], both ends included:
//
//	r = 6.5 − 6t,  φ = 6π·t
//	0 (⌊n/2⌋ rows):  ( r sin φ,  r cos φ)
//	1 (the rest):    (−r sin φ, −r cos φ)
//
// Both coordinates get Gaussian noise with standard deviation noise; the rows
// come in random order. Neighbouring arms are 1 apart.
func Spirals(n int, noise float64, seed uint64) (*Dataset, error) {
	return plane(&spiralsInfo, n, noise, seed, spiralsPoints)
}

func spiralsPoints(d *Dataset) {
	n := d.Len()
	first := n / 2
	for i := range n {
		p, k, count, sign := d.Row(i), i, first, 1.0
		if i >= first {
			k, count, sign = i-first, n-first, -1.0
			d.Y[i] = 1
		}
		t := linspace(1, k, count)
		r, phi := 6.5-6*t, 6*math.Pi*t
		p[0], p[1] = sign*r*math.Sin(phi), sign*r*math.Cos(phi)
	}
}

var xorInfo = Info{
	Name:         "xor",
	Summary:      "exclusive or: clusters at the corners of the unit square",
	Task:         Classification,
	Features:     planeFeatures,
	TargetName:   "x1 xor x2",
	Classes:      []string{"0", "1"},
	Rows:         1000,
	Noise:        0.15,
	NoiseMeaning: planeNoise,
	Formula:      "(a, b) + noise·N(0, 1) for bits a, b; the class is a xor b",
	Source:       "Minsky and Papert 1969, Perceptrons; learnt by Rumelhart, Hinton and Williams 1986",
}

// XOR returns the exclusive or of two bits, the function that no single layer
// can represent (M. Minsky and S. Papert, Perceptrons, 1969) and that
// back-propagation learns (D. E. Rumelhart, G. E. Hinton and R. J. Williams,
// Nature 323, 1986):
//
//	x = (a, b) + noise·N(0, 1),  y = a xor b,  bits a, b
//
// The corners (0, 0), (0, 1), (1, 0), (1, 1) have ⌈n/4⌉ or ⌊n/4⌋ rows each; the
// rows come in random order. Without noise the rows are the truth table.
func XOR(n int, noise float64, seed uint64) (*Dataset, error) {
	return plane(&xorInfo, n, noise, seed, xorPoints)
}

func xorPoints(d *Dataset) {
	for i := range d.Len() {
		a, b := i>>1&1, i&1
		p := d.Row(i)
		p[0], p[1] = float64(a), float64(b)
		d.Y[i] = float64(a ^ b)
	}
}

// plane makes a dataset of points that do not depend on the seed, in an order
// and with noise that do.
func plane(info *Info, n int, noise float64, seed uint64, points func(*Dataset)) (*Dataset, error) {
	d, rng, err := newDataset(info, n, noise, seed)
	if err != nil {
		return nil, err
	}
	points(d)
	d.shuffle(rng)
	addNoise(d.X, noise, rng)
	return d, nil
}

// linspace returns value i of n values evenly spaced in [0, end], both ends
// included; 0 where n is 1.
func linspace(end float64, i, n int) float64 {
	return end * float64(i) / float64(max(n-1, 1))
}

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

var glyphsInfo = Info{
	Name:         "glyphs",
	Summary:      "digits 0 to 9 drawn at 28×28 in six fonts, shifted, turned and scaled",
	Task:         Classification,
	Features:     numbered("pixel", 0, glyph.Side*glyph.Side),
	TargetName:   "digit",
	Classes:      numbered("", 0, 10),
	ImageShape:   [2]int{glyph.Side, glyph.Side},
	Rows:         4000,
	Noise:        0.1,
	NoiseMeaning: "standard deviation of the Gaussian noise added to each pixel",
	Formula:      "ink = coverage of the digit's outline after scaling by 0.8 … 1.1, turning by ±15° and shifting by ±2 pixels; clip(ink + noise·N(0, 1), 0, 1)",
	Source:       "this package; Bigelow & Holmes' Go fonts, golang.org/x/image/font/gofont",
}

// Glyphs returns images of the digits 0 to 9: an image task that needs no
// download. Each row is a 28×28 image, line by line; a pixel is the ink on it,
// from 0 to 1.
//
// A digit's outline comes from one of the Go fonts (regular, bold, italic, bold
// italic, mono, mono bold), drawn uniformly. Its bounding box is scaled to a
// height of 17 pixels and centred; then it is scaled by a factor from [0.8,
// 1.1], turned by an angle from [−15°, 15°] and shifted by up to 2 pixels along
// each axis, all uniform. The pixel's value is
//
//	clip(coverage + noise·N(0, 1), 0, 1)
//
// Each digit has ⌈n/10⌉ or ⌊n/10⌋ rows; the rows come in random order.
func Glyphs(n int, noise float64, seed uint64) (*Dataset, error) {
	d, rng, err := newDataset(&glyphsInfo, n, noise, seed)
	if err != nil {
		return nil, err
	}
	pen, err := glyph.NewPen()
	if err != nil {
		return nil, fmt.Errorf("glyphs: %w", err)
	}
	for i := range n {
		digit := i % len(d.Classes)
		d.Y[i] = float64(digit)
		row := d.Row(i)
		for k, coverage := range pen.Draw(digit, rng) {
			row[k] = float64(coverage) / 255
		}
		addNoise(row, noise, rng)
		for k, v := range row {
			row[k] = min(max(v, 0), 1)
		}
	}
	d.shuffle(rng)
	return d, nil
}
