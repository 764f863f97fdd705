package layer

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
)

// Init draws the first values of a weight [in, out] or a bias [out]. The zero
// value is [Zeros].
type Init struct {
	kind  initKind
	value float64
}

type initKind uint8

const (
	initZeros initKind = iota
	initConstant
	initGlorotUniform
	initGlorotNormal
	initHeUniform
	initHeNormal
	initFanInUniform
)

// The initialisers. fan-in and fan-out are the layer's in and out, for the
// bias too. U(a) is the uniform distribution on [−a, a), N(σ) the normal
// distribution with mean 0 and standard deviation σ.
var (
	Zeros = Init{kind: initZeros}
	Ones  = Constant(1)
	// GlorotUniform is U(√(6/(in+out))) (Glorot & Bengio 2010, eq. 16; "Xavier").
	GlorotUniform = Init{kind: initGlorotUniform}
	// GlorotNormal is N(√(2/(in+out))) (Glorot & Bengio 2010, eq. 12).
	GlorotNormal = Init{kind: initGlorotNormal}
	// HeUniform is U(√(6/in)) (He et al. 2015, eq. 10, as a uniform; "Kaiming").
	HeUniform = Init{kind: initHeUniform}
	// HeNormal is N(√(2/in)) (He et al. 2015, eq. 10).
	HeNormal = Init{kind: initHeNormal}
	// FanInUniform is U(1/√in), the default of PyTorch's Linear for weight and bias.
	FanInUniform = Init{kind: initFanInUniform}
)

// Constant sets every element to value.
func Constant(value float64) Init { return Init{kind: initConstant, value: value} }

// String names the initialiser.
func (in Init) String() string {
	switch in.kind {
	case initConstant:
		return fmt.Sprintf("constant(%g)", in.value)
	case initGlorotUniform:
		return "glorot-uniform"
	case initGlorotNormal:
		return "glorot-normal"
	case initHeUniform:
		return "he-uniform"
	case initHeNormal:
		return "he-normal"
	case initFanInUniform:
		return "fan-in-uniform"
	}
	return "zeros"
}

// Values draws n values for a layer with the given fan-in and fan-out. The
// stream is PCG seeded with seed and the name, so the same seed and name give
// the same values on every machine and for both element types.
func (in Init) Values(n, fanIn, fanOut int, seed uint64, name string) []float64 {
	h := fnv.New64a()
	h.Write([]byte(name))
	rng := rand.New(rand.NewPCG(seed, h.Sum64()))
	// A layer without inputs has no fan-in to scale by; its bias starts at zero.
	scale := func(numerator float64, fan int) float64 {
		if fan == 0 {
			return 0
		}
		return math.Sqrt(numerator / float64(fan))
	}
	draw := func() float64 { return 0 }
	uniform := func(bound float64) func() float64 {
		return func() float64 { return bound * (2*rng.Float64() - 1) }
	}
	normal := func(sigma float64) func() float64 {
		return func() float64 { return sigma * rng.NormFloat64() }
	}
	switch in.kind {
	case initConstant:
		draw = func() float64 { return in.value }
	case initGlorotUniform:
		draw = uniform(scale(6, fanIn+fanOut))
	case initGlorotNormal:
		draw = normal(scale(2, fanIn+fanOut))
	case initHeUniform:
		draw = uniform(scale(6, fanIn))
	case initHeNormal:
		draw = normal(scale(2, fanIn))
	case initFanInUniform:
		draw = uniform(scale(1, fanIn))
	}
	values := make([]float64, n)
	for i := range values {
		values[i] = draw()
	}
	return values
}
