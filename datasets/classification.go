package datasets

import "math"

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
