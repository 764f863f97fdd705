//go:build gpu

package cuda

import (
	"compress/gzip"
	"embed"
	"fmt"
	"io"
	"unsafe"

	"github.com/affine-go/affine/internal/cuda/driver"
	"gorgonia.org/cu"

	"github.com/affine-go/affine/internal/kernel"
)

// images are the kernels: PTX, which every driver compiles for the card that it
// finds, and machine code for some cards, which saves that time. Files are gzipped
// cubins, made by kernels/cubins.sh.
//
//go:embed kernels/*.ptx kernels/cubins
var images embed.FS

// cubinsFor returns which machine code a card of this compute capability runs:
// that of the same major and an equal or smaller minor. Empty for none.
func cubinsFor(major, minor int) string {
	for _, has := range []struct{ major, minor int }{{8, 0}, {9, 0}, {10, 0}} {
		if has.major == major && has.minor <= minor {
			return fmt.Sprintf("sm_%d%d", has.major, has.minor)
		}
	}
	return ""
}

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
	kActivate           = entryPoint("elementwise", "activate")
	kActivationBackward = entryPoint("elementwise", "activation_backward")
	kChainRows          = entryPoint("elementwise", "chain_rows")
	kSoftmax            = entryPoint("elementwise", "softmax")
	kBroadcastRows      = entryPoint("elementwise", "broadcast_rows")
	kGatherRows         = entryPoint("elementwise", "gather_rows")
	kRoundRows          = entryPoint("elementwise", "round_rows")
	kScale              = entryPoint("elementwise", "scale")
	kClamp              = entryPoint("elementwise", "clamp")
	kStepBegin          = entryPoint("elementwise", "step_begin")
	kBiasGrad           = entryPoint("elementwise", "bias_grad")
	kCrossEntropy       = entryPoint("loss", "cross_entropy")
	kSquaredError       = entryPoint("loss", "squared_error")
	kLogisticLoss       = entryPoint("loss", "logistic_loss")
	kSumOfSquares       = entryPoint("loss", "sum_of_squares")
	kFinishRows         = entryPoint("elementwise", "finish_rows")
	kSmallStep          = entryPoint("small_step", "small_step")
	kProducts           = map[tile]entry{
		small: entryPoint("products_small", "products_small"), medium: entryPoint("products_medium", "products_medium"),
		large: entryPoint("products_large", "product_large"),
	}
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
	compiled  int // modules that the driver compiled from PTX
	functions [3][]cu.Function
	entries   map[uint64]typedEntry // by the driver's handle
}

type typedEntry struct {
	entry
	typed
}

// entryOf returns which kernel a launch is of.
func (l *library) entryOf(function uint64) (entry, typed, bool) {
	e, ok := l.entries[function]
	return e.entry, e.typed, ok
}

// function returns the entry point, loading its module where that is new. The
// device's context must be current.
func (l *library) function(cubins string, k entry, t typed) (cu.Function, error) {
	if l.functions[t] == nil {
		l.functions[t] = make([]cu.Function, kernelCount)
	}
	if f := l.functions[t][k.id]; f != (cu.Function{}) {
		return f, nil
	}
	m, loaded := l.modules[k.module]
	if !loaded {
		var err error
		if m, err = l.load(cubins, k.module); err != nil {
			return cu.Function{}, fmt.Errorf("load kernels %s: %w", k.module, err)
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
	if l.entries == nil {
		l.entries = map[uint64]typedEntry{}
	}
	l.entries[uint64(handle(f))] = typedEntry{k, t}
	return f, nil
}

// load loads a module from machine code if there is some that the driver takes,
// and from PTX otherwise.
func (l *library) load(cubins, module string) (m cu.Module, err error) {
	var loaded uintptr
	if image := cubin(cubins, module); image != nil {
		if loaded, err = driver.Load(image); err == nil {
			return moduleOf(loaded), nil
		}
	}
	text, err := images.ReadFile("kernels/" + module + ".ptx")
	if err != nil {
		return m, err
	}
	l.compiled++
	loaded, err = driver.Load(append(text, 0))
	return moduleOf(loaded), err
}

// cubin returns a module's machine code, or nil if there is none for the card.
func cubin(cubins, module string) []byte {
	packed, err := images.Open("kernels/cubins/" + module + "." + cubins + ".gz")
	if err != nil {
		return nil
	}
	defer packed.Close()
	r, err := gzip.NewReader(packed)
	if err != nil {
		return nil
	}
	image, err := io.ReadAll(r)
	if err != nil {
		return nil
	}
	return image
}

// moduleOf turns the driver's handle into cu's, which is a struct of just that.
func moduleOf(handle uintptr) cu.Module { return *(*cu.Module)(unsafe.Pointer(&handle)) }

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
