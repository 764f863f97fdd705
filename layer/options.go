package layer

import (
	"fmt"
	"slices"
	"strings"

	"github.com/affine-go/affine/layer/device"
	"gorgonia.org/tensor"
)

// Option changes how a layer or a loss is built. Each function says which
// options it takes; another one is an error, never ignored.
type Option func(*options)

type options struct {
	name         string
	bias         bool
	act          Activation
	init         Init
	biasInit     Init
	seed         uint64
	dtype        tensor.Dtype
	dev          device.Device
	inputGrad    bool
	transposed   bool
	classWeights []float64
	reduction    Reduction

	given []string // the names of the options in use
}

// option makes an Option that is remembered by name.
func option(name string, set func(*options)) Option {
	return func(o *options) {
		o.given = append(o.given, name)
		set(o)
	}
}

// WithName names the node that Apply, Builtin or a loss adds, and the weight and
// bias of a Linear ("name.weight", "name.bias"). Names of learnables must differ
// within a graph; without this option a Linear picks the next free "linear1",
// "linear2", …
func WithName(name string) Option { return option("WithName", func(o *options) { o.name = name }) }

// WithoutBias makes a Linear Y = act(X·W). For Apply, let b be nil.
func WithoutBias() Option { return option("WithoutBias", func(o *options) { o.bias = false }) }

// WithActivation sets act; the default is [Identity].
func WithActivation(act Activation) Option {
	return option("WithActivation", func(o *options) { o.act = act })
}

// WithInit sets how a Linear draws its weight; the default is [FanInUniform].
func WithInit(init Init) Option { return option("WithInit", func(o *options) { o.init = init }) }

// WithBiasInit sets how a Linear draws its bias; the default is [FanInUniform].
func WithBiasInit(init Init) Option {
	return option("WithBiasInit", func(o *options) { o.biasInit = init })
}

// WithSeed seeds the initialisers of a Linear. Weight and bias of layers with
// other names are drawn from independent streams of the same seed, so one
// seed serves a whole model. The default is 0.
func WithSeed(seed uint64) Option { return option("WithSeed", func(o *options) { o.seed = seed }) }

// WithDtype sets the element type of a Linear, tensor.Float32 (the default)
// or tensor.Float64.
func WithDtype(dt tensor.Dtype) Option { return option("WithDtype", func(o *options) { o.dtype = dt }) }

// WithDevice sets where the op computes; the default is the processor.
func WithDevice(dev device.Device) Option {
	return option("WithDevice", func(o *options) { o.dev = dev })
}

// WithoutInputGrad says that nobody wants dX, so that the gradient is not
// computed: for the first layer of a model, whose input is data. Without it,
// TapeMachine computes dX as it does for the built-in ops.
func WithoutInputGrad() Option {
	return option("WithoutInputGrad", func(o *options) { o.inputGrad = false })
}

// WithTransposedWeight says that W is stored as [out, in], as PyTorch does it
// and many Gorgonia programs do. Its gradient has the same shape. Neither is
// copied or transposed: the kernels read W along its rows.
func WithTransposedWeight() Option {
	return option("WithTransposedWeight", func(o *options) { o.transposed = true })
}

// WithClassWeights multiplies the part of each class in SoftmaxCrossEntropy by
// its weight, which is not negative: PyTorch's weight for targets that are
// probabilities. The mean is still over the rows.
func WithClassWeights(weights ...float64) Option {
	return option("WithClassWeights", func(o *options) { o.classWeights = weights })
}

// Reduction says how a loss makes one number of the losses of the rows
// (SoftmaxCrossEntropy) or elements (MSE, BinaryCrossEntropy).
type Reduction uint8

// The reductions, PyTorch's mean, sum and none.
const (
	Mean        Reduction = iota // their mean, the default
	Sum                          // their sum
	NoReduction                  // the losses themselves: [...] of SoftmaxCrossEntropy, else the shape of the prediction
)

// WithReduction sets the reduction of a loss; the default is [Mean]. The losses
// of NoReduction are made of several ops instead of one; a LispMachine does not
// differentiate those of SoftmaxCrossEntropy.
func WithReduction(r Reduction) Option {
	return option("WithReduction", func(o *options) { o.reduction = r })
}

// The options that each function takes.
var (
	applyOptions   = []string{"WithName", "WithActivation", "WithDevice", "WithoutInputGrad", "WithTransposedWeight"}
	builtinOptions = []string{"WithName", "WithActivation", "WithTransposedWeight"}
	linearOptions  = []string{"WithName", "WithActivation", "WithDevice", "WithoutInputGrad", "WithTransposedWeight",
		"WithoutBias", "WithInit", "WithBiasInit", "WithSeed", "WithDtype"}
	lossOptions         = []string{"WithName", "WithDevice", "WithReduction"}
	crossEntropyOptions = append([]string{"WithClassWeights"}, lossOptions...)
)

// instead says what to do in place of an option that a function does not take.
var instead = map[string]string{
	"WithDtype":   ": the dtype is that of the inputs",
	"WithoutBias": ": let b be nil",
}

// collect applies opts to the defaults and checks the result. taken holds the
// names of the options that the calling function takes.
func collect(opts []Option, taken []string) (options, error) {
	o := options{bias: true, init: FanInUniform, biasInit: FanInUniform, dtype: tensor.Float32, inputGrad: true}
	for _, opt := range opts {
		if opt == nil {
			return o, fmt.Errorf("option is nil")
		}
		opt(&o)
	}
	for _, name := range o.given {
		if !slices.Contains(taken, name) {
			return o, fmt.Errorf("option %s does not apply here%s, want only %s", name, instead[name], strings.Join(taken, ", "))
		}
	}
	if o.dev == nil {
		cpu, err := device.Open("cpu")
		if err != nil {
			return o, err
		}
		o.dev = cpu
	}
	if o.dtype != tensor.Float32 && o.dtype != tensor.Float64 {
		return o, fmt.Errorf("dtype is %v, want float32 or float64", o.dtype)
	}
	if o.reduction > NoReduction {
		return o, fmt.Errorf("reduction %d is unknown, want Mean, Sum or NoReduction", o.reduction)
	}
	if !o.bias && slices.Contains(o.given, "WithBiasInit") {
		return o, fmt.Errorf("option WithBiasInit does not apply to a layer WithoutBias")
	}
	return o, o.act.spec.Check()
}
