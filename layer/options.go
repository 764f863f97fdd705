package layer

import (
	"fmt"

	"github.com/affine-go/affine/layer/device"
	"gorgonia.org/tensor"
)

// Option changes how [Apply], [NewLinear] and [Builtin] build a layer.
type Option func(*options)

type options struct {
	name      string
	bias      bool
	act       Activation
	init      Init
	biasInit  Init
	seed      uint64
	dtype     tensor.Dtype
	dev       device.Device
	inputGrad bool
}

// WithName names the node that Apply adds, and the weight and bias of a Linear
// ("name.weight", "name.bias"). Names of learnables must differ within a
// graph; without this option a Linear picks the next free "linear1", "linear2", …
func WithName(name string) Option { return func(o *options) { o.name = name } }

// WithoutBias makes a Linear Y = act(X·W).
func WithoutBias() Option { return func(o *options) { o.bias = false } }

// WithActivation sets act; the default is [Identity].
func WithActivation(act Activation) Option { return func(o *options) { o.act = act } }

// WithInit sets how a Linear draws its weight; the default is [FanInUniform].
func WithInit(init Init) Option { return func(o *options) { o.init = init } }

// WithBiasInit sets how a Linear draws its bias; the default is [FanInUniform].
func WithBiasInit(init Init) Option { return func(o *options) { o.biasInit = init } }

// WithSeed seeds the initialisers of a Linear. Weight and bias of layers with
// other names are drawn from independent streams of the same seed, so one
// seed serves a whole model. The default is 0.
func WithSeed(seed uint64) Option { return func(o *options) { o.seed = seed } }

// WithDtype sets the element type of a Linear, tensor.Float32 (the default)
// or tensor.Float64.
func WithDtype(dt tensor.Dtype) Option { return func(o *options) { o.dtype = dt } }

// WithDevice sets where the op computes; the default is the processor.
func WithDevice(dev device.Device) Option { return func(o *options) { o.dev = dev } }

// WithoutInputGrad says that nobody wants dX, so that the gradient is not
// computed: for the first layer of a model, whose input is data. Without it,
// TapeMachine computes dX as it does for the built-in ops.
func WithoutInputGrad() Option { return func(o *options) { o.inputGrad = false } }

// collect applies opts to the defaults and checks the result.
func collect(opts []Option) (options, error) {
	o := options{bias: true, init: FanInUniform, biasInit: FanInUniform, dtype: tensor.Float32, inputGrad: true}
	for _, opt := range opts {
		if opt == nil {
			return o, fmt.Errorf("option is nil")
		}
		opt(&o)
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
	return o, o.act.check()
}
