//go:build gpu

package cuda

import (
	"embed"
	"fmt"

	"gorgonia.org/cu"
)

//go:embed kernels/*.ptx
var ptx embed.FS

// kernel names an entry point, without the suffix for the element type.
type kernel struct {
	module string
	name   string
	id     int
}

var kernelCount int

func entry(module, name string) kernel {
	kernelCount++
	return kernel{module, name, kernelCount - 1}
}

var (
	kActivate             = entry("elementwise", "activate")
	kActivationBackward   = entry("elementwise", "activation_backward")
	kChainRows            = entry("elementwise", "chain_rows")
	kSoftmax              = entry("elementwise", "softmax")
	kBroadcastRows        = entry("elementwise", "broadcast_rows")
	kGatherRows           = entry("elementwise", "gather_rows")
	kScale                = entry("elementwise", "scale")
	kClamp                = entry("elementwise", "clamp")
	kStepBegin            = entry("elementwise", "step_begin")
	kCombine              = entry("linear_small", "combine")
	kBiasGrad             = entry("linear_small", "bias_grad")
	kCrossEntropy         = entry("loss", "cross_entropy")
	kCrossEntropyBackward = entry("loss", "cross_entropy_backward")
	kSquaredError         = entry("loss", "squared_error")
	kSquaredErrorBackward = entry("loss", "squared_error_backward")
	kLogisticLoss         = entry("loss", "logistic_loss")
	kLogisticLossBackward = entry("loss", "logistic_loss_backward")
	kSumOfSquares         = entry("loss", "sum_of_squares")
	kSGD                  = entry("optimizer", "sgd")
	kAdam                 = entry("optimizer", "adam")
	kRMSprop              = entry("optimizer", "rmsprop")
	kAdagrad              = entry("optimizer", "adagrad")
	kFinishRows           = entry("linear_small", "finish_rows")
	productKernels        = productEntries()
)

// typed is a kernel for an element type.
type typed int

const (
	f32 typed = iota
	f64
	untyped
)

func typeOf[T Float]() typed {
	var zero T
	if _, ok := any(zero).(float32); ok {
		return f32
	}
	return f64
}

// library holds the modules and functions that have been used so far: the
// driver compiles a module when it is loaded.
type library struct {
	modules   map[string]cu.Module
	functions [3][]cu.Function
}

// function returns the entry point, loading its module where that is new. The
// device's context must be current.
func (l *library) function(k kernel, t typed) (cu.Function, error) {
	if l.functions[t] == nil {
		l.functions[t] = make([]cu.Function, kernelCount)
	}
	if f := l.functions[t][k.id]; f != (cu.Function{}) {
		return f, nil
	}
	m, loaded := l.modules[k.module]
	if !loaded {
		text, err := ptx.ReadFile("kernels/" + k.module + ".ptx")
		if err != nil {
			return cu.Function{}, err
		}
		if m, err = cu.LoadData(string(text)); err != nil {
			return cu.Function{}, fmt.Errorf("load kernels %s: %w", k.module, explained(err))
		}
		if l.modules == nil {
			l.modules = map[string]cu.Module{}
		}
		l.modules[k.module] = m
	}
	name := k.name + [...]string{"_f32", "_f64", ""}[t]
	f, err := m.Function(name)
	if err != nil {
		return cu.Function{}, fmt.Errorf("kernel %s: %w", name, explained(err))
	}
	l.functions[t][k.id] = f
	return f, nil
}

// unload releases the modules. The device's context must be current.
func (l *library) unload() error {
	var first error
	for _, m := range l.modules {
		if err := m.Unload(); err != nil && first == nil {
			first = err
		}
	}
	*l = library{}
	return first
}
