//go:build gpu

package cuda

import (
	"embed"
	"fmt"

	"gorgonia.org/cu"

	"github.com/affine-go/affine/internal/kernel"
)

//go:embed kernels/*.ptx
var ptx embed.FS

// entry names an entry point, without the suffix for the element type.
type entry struct {
	module string
	name   string
	id     int
}

var kernelCount int

func entryPoint(module, name string) entry {
	kernelCount++
	return entry{module, name, kernelCount - 1}
}

var (
	kActivate             = entryPoint("elementwise", "activate")
	kActivationBackward   = entryPoint("elementwise", "activation_backward")
	kChainRows            = entryPoint("elementwise", "chain_rows")
	kSoftmax              = entryPoint("elementwise", "softmax")
	kBroadcastRows        = entryPoint("elementwise", "broadcast_rows")
	kGatherRows           = entryPoint("elementwise", "gather_rows")
	kScale                = entryPoint("elementwise", "scale")
	kClamp                = entryPoint("elementwise", "clamp")
	kStepBegin            = entryPoint("elementwise", "step_begin")
	kCombine              = entryPoint("linear_small", "combine")
	kBiasGrad             = entryPoint("linear_small", "bias_grad")
	kCrossEntropy         = entryPoint("loss", "cross_entropy")
	kCrossEntropyBackward = entryPoint("loss", "cross_entropy_backward")
	kSquaredError         = entryPoint("loss", "squared_error")
	kSquaredErrorBackward = entryPoint("loss", "squared_error_backward")
	kLogisticLoss         = entryPoint("loss", "logistic_loss")
	kLogisticLossBackward = entryPoint("loss", "logistic_loss_backward")
	kSumOfSquares         = entryPoint("loss", "sum_of_squares")
	kSGD                  = entryPoint("optimizer", "sgd")
	kAdam                 = entryPoint("optimizer", "adam")
	kRMSprop              = entryPoint("optimizer", "rmsprop")
	kAdagrad              = entryPoint("optimizer", "adagrad")
	kFinishRows           = entryPoint("linear_small", "finish_rows")
	productKernels        = productEntries()
)

// typed is a kernel for an element type.
type typed int

const (
	f32 typed = iota
	f64
	untyped
)

func typeOf[T kernel.Float]() typed {
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
func (l *library) function(k entry, t typed) (cu.Function, error) {
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
