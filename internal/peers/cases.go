package main

import (
	"fmt"
	"math"
	"strings"
)

// A benchCase is one thing to time, in float32 but for dgemm.
type benchCase struct {
	// Op is "linear", forward and all gradients of Y = X·W + b given dY,
	// "mlp-step", forward, backward and Adam of a ReLU classifier, "predict", its
	// probabilities, or "sgemm" and "dgemm", C = A·B by a BLAS alone.
	Op    string `json:"op"`
	Batch int    `json:"batch"` // 0: 100 products of random shapes
	// Dims are the numbers of features from the input to the output.
	Dims []int `json:"dims"`
}

var benchCases = []benchCase{
	{"linear", 32, []int{2, 16}},
	{"linear", 64, []int{64, 64}},
	{"linear", 128, []int{784, 512}},
	{"linear", 256, []int{1024, 1024}},
	{"linear", 512, []int{2048, 2048}},
	{"mlp-step", 32, []int{2, 16, 16, 2}},
	{"mlp-step", 128, []int{784, 512, 256, 10}},
	{"predict", 1, []int{784, 512, 256, 10}},
	{"predict", 32, []int{784, 512, 256, 10}},
	{"predict", 1024, []int{784, 512, 256, 10}},
	{"predict", 1, []int{2, 16, 16, 2}},
	{"sgemm", 8, []int{8, 8}},
	{"sgemm", 256, []int{256, 256}},
	{"sgemm", 1024, []int{1024, 1024}},
	{"sgemm", 0, nil},
	{"dgemm", 8, []int{8, 8}},
	{"dgemm", 256, []int{256, 256}},
	{"dgemm", 1024, []int{1024, 1024}},
	{"dgemm", 0, nil},
}

func (c benchCase) isGemm() bool { return c.Op == "sgemm" || c.Op == "dgemm" }

func (c benchCase) String() string {
	sizes := strings.Trim(fmt.Sprint(c.Dims), "[]")
	switch {
	case c.isGemm() && c.Batch == 0:
		return c.Op + ", 100 random shapes"
	case c.Op == "linear", c.isGemm():
		return fmt.Sprintf("%s %d×%s", c.Op, c.Batch, strings.ReplaceAll(sizes, " ", "×"))
	}
	return fmt.Sprintf("%s %s, batch %d", c.Op, strings.ReplaceAll(sizes, " ", "-"), c.Batch)
}

// flop returns the floating-point operations of the three matrix products of
// a linear layer, 2·batch·in·out each, or of those of a BLAS, and 0 for anything
// else.
func (c benchCase) flop() (n float64) {
	if c.isGemm() {
		for _, s := range c.shapes() {
			n += 2 * float64(s.m) * float64(s.n) * float64(s.k)
		}
		return n
	}
	if c.Op != "linear" {
		return 0
	}
	return 6 * float64(c.Batch) * float64(c.Dims[0]) * float64(c.Dims[1])
}

// The streams of values, the same in pytorch.py.
const (
	seedX, seedW, seedB, seedDY = 1, 2, 3, 4 // linear
	seedLabels                  = 2          // mlp-step, which has no other W
	seedFirstLayer              = 10         // mlp-step: then 11 for b, 12 for the next W, …
)

// values returns n numbers in [−scale, scale) that look random (a mixed
// counter) and are the same in every language, so that peers can be checked
// against each other.
func values(seed uint32, n int, scale float64) []float32 {
	v := make([]float32, n)
	for i := range v {
		u := (uint32(i) + seed<<24) * 2654435761
		u = (u ^ u>>16) * 0x45d9f3b
		u = (u ^ u>>16) * 0x45d9f3b
		u ^= u >> 16
		v[i] = float32(scale * (float64(u)/(1<<31) - 1))
	}
	return v
}

// weight returns the values of a weight [in, out], of variance 2/in.
func weight(seed uint32, in, out int) []float32 {
	return values(seed, in*out, math.Sqrt(6/float64(in)))
}

// oneHot returns the targets of an mlp-step, one row for each label.
func oneHot(batch, classes int) []float32 {
	targets := make([]float32, batch*classes)
	for i, v := range values(seedLabels, batch, 0.5) {
		targets[i*classes+int((v+0.5)*float32(classes))] = 1
	}
	return targets
}
