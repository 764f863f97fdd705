package layer

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"

	"github.com/affine-go/affine/layer/device"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Linear is a layer that owns its weight [in, out], or [out, in] if it is made
// WithTransposedWeight, and bias [out].
type Linear struct {
	in, out int
	w, b    *gorgonia.Node
	o       options
}

// maxWeights bounds a layer to what memory can hold: 4 GiB of float32.
const maxWeights = 1 << 30

// NewLinear adds a weight and a bias, drawn by the initialisers, to g. Without
// options it is PyTorch's Linear: float32, with bias, no activation, both
// drawn from U(1/√in). All options of a layer are for it. in and out are at least 1,
// in·out at most 2³⁰; two layers of one name are an error.
func NewLinear(g *gorgonia.ExprGraph, in, out int, opts ...Option) (*Linear, error) {
	o, err := collect(opts, linearOptions)
	if err != nil {
		return nil, fmt.Errorf("layer.NewLinear: %w", err)
	}
	if g == nil {
		return nil, fmt.Errorf("layer.NewLinear: graph is nil")
	}
	if in < 1 || out < 1 {
		return nil, fmt.Errorf("layer.NewLinear: in is %d and out %d, want both at least 1", in, out)
	}
	if in > maxWeights/out {
		return nil, fmt.Errorf("layer.NewLinear: in is %d and out %d, want at most %d weights", in, out, maxWeights)
	}
	if o.name, err = freeName(g, o.name); err != nil {
		return nil, fmt.Errorf("layer.NewLinear: %w", err)
	}
	l := &Linear{in: in, out: out, o: o}
	form := layout{weight: inOut}
	if o.transposed {
		form.weight = outIn
	}
	if l.w, err = l.learnable(g, "weight", o.init, form.weightShape(in, out)...); err != nil {
		return nil, fmt.Errorf("layer.NewLinear: %w", err)
	}
	if o.bias {
		if l.b, err = l.learnable(g, "bias", o.biasInit, out); err != nil {
			return nil, fmt.Errorf("layer.NewLinear: %w", err)
		}
	}
	return l, nil
}

// freeName returns name, or the next free "linearN" if it is empty. A name
// that has learnables in g already is refused: Gorgonia would take two of the
// same name and shape for one.
func freeName(g *gorgonia.ExprGraph, name string) (string, error) {
	taken := func() bool { return len(g.ByName(name+".weight"))+len(g.ByName(name+".bias")) > 0 }
	if name != "" {
		if taken() {
			return "", fmt.Errorf("the graph has learnables of a layer named %q already, want another name", name)
		}
		return name, nil
	}
	for i := 1; ; i++ {
		name = fmt.Sprintf("linear%d", i)
		if !taken() {
			return name, nil
		}
	}
}

// learnable adds an input node with drawn values in the device's memory.
func (l *Linear) learnable(g *gorgonia.ExprGraph, part string, init Init, shape ...int) (*gorgonia.Node, error) {
	name := l.o.name + "." + part
	values := init.Values(tensor.Shape(shape).TotalSize(), l.in, l.out, l.o.seed, name)
	var t *tensor.Dense
	var err error
	if l.o.dtype == tensor.Float32 {
		t, err = denseFrom[float32](l.o.dev, values, shape)
	} else {
		t, err = denseFrom[float64](l.o.dev, values, shape)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return gorgonia.NewTensor(g, l.o.dtype, len(shape), gorgonia.WithShape(shape...),
		gorgonia.WithName(name), gorgonia.WithValue(t)), nil
}

// denseFrom rounds values to T in fresh device memory.
func denseFrom[T device.Float](dev device.Device, values []float64, shape []int) (*tensor.Dense, error) {
	t, m, err := roomFor[T](dev, nil, shape, -1)
	if err != nil {
		return nil, err
	}
	for i, v := range values {
		m.Data[i] = T(v)
	}
	return t, nil
}

// Fwd adds the node act(X·W + b) for X [..., in]; see [Apply]. It may be called
// for several inputs, which then share the weights.
func (l *Linear) Fwd(x *gorgonia.Node) (*gorgonia.Node, error) {
	o := l.o
	o.name = "" // several outputs of one layer are different nodes
	y, err := apply(x, l.w, l.b, o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", l.o.name, err)
	}
	return y, nil
}

// Weight returns the node of W, [in, out] or [out, in].
func (l *Linear) Weight() *gorgonia.Node { return l.w }

// Bias returns the node of b [out], nil for a layer without bias.
func (l *Linear) Bias() *gorgonia.Node { return l.b }

// Learnables returns the weight and the bias, if there is one.
func (l *Linear) Learnables() gorgonia.Nodes {
	if l.b == nil {
		return gorgonia.Nodes{l.w}
	}
	return gorgonia.Nodes{l.w, l.b}
}

// String describes the layer: "linear1: Linear(in=2, out=3, bias=true, activation=relu, dtype=float32, device=cpu)".
func (l *Linear) String() string {
	return fmt.Sprintf("%s: Linear(in=%d, out=%d, bias=%t, activation=%v, dtype=%v, device=%s)",
		l.o.name, l.in, l.out, l.b != nil, l.o.act, l.o.dtype, l.o.dev.Name())
}

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
