package device

import (
	"fmt"
	"runtime"

	"github.com/affine-go/affine/internal/cpu"
)

// processor is the Device that computes on the processor. It has no state: one
// value serves the whole program.
type processor struct{}

func (processor) Name() string              { return "cpu" }
func (processor) Float32() Kernels[float32] { return cpuKernels[float32]{} }
func (processor) Float64() Kernels[float64] { return cpuKernels[float64]{} }
func (processor) Sync() error               { return nil }
func (processor) Close() error              { return nil }

// Description gives the instruction set and the threads, and why the set that
// the environment asked for is not the one in use.
func (processor) Description() string {
	set, threads := cpu.Features()
	text := fmt.Sprintf("%s/%s processor, %s kernels, threads: %d", runtime.GOOS, runtime.GOARCH, set, threads)
	if err := cpu.ForceError(); err != nil {
		text += " (" + err.Error() + ")"
	}
	return text
}

// KeepAwake keeps a helper thread awake while calls follow each other within a
// millisecond.
func (processor) KeepAwake() { cpu.KeepAwake() }

// Warning tells of an AFFINE_CPU that could not be obeyed.
func (processor) Warning() error { return cpu.ForceError() }

func (processor) PeakFLOPS32(threads int) float64 { return cpu.PeakFLOPS32(threads) }
func (processor) PeakFLOPS64(threads int) float64 { return cpu.PeakFLOPS64(threads) }

// cpuKernels checks the arguments and hands them to package cpu.
type cpuKernels[T Float] struct{}

func (cpuKernels[T]) Alloc(n int) ([]T, error) {
	if err := checkAlloc(n); err != nil {
		return nil, err
	}
	return cpu.Alloc[T](n), nil
}

// Free leaves the memory to the garbage collector.
func (cpuKernels[T]) Free([]T) {}

func (cpuKernels[T]) Linear(y, z, x, w Matrix[T], b []T, act Activation) error {
	if err := checkLinear(y, z, x, w, b, act); err != nil {
		return err
	}
	cpu.Linear(cpu.Matrix[T](y), cpu.Matrix[T](z), cpu.Matrix[T](x), cpu.Matrix[T](w), b, cpuAct(act))
	return nil
}

func (cpuKernels[T]) LinearBackward(dx, dw Matrix[T], db []T, x, w, dy, a Matrix[T], act Activation) error {
	if err := checkLinearBackward(dx, dw, db, x, w, dy, a, act); err != nil {
		return err
	}
	cpu.LinearBackward(cpu.Matrix[T](dx), cpu.Matrix[T](dw), db,
		cpu.Matrix[T](x), cpu.Matrix[T](w), cpu.Matrix[T](dy), cpu.Matrix[T](a), cpuAct(act))
	return nil
}

func (cpuKernels[T]) Activate(y, z []T, act Activation) error {
	if err := checkActivate(y, z, act); err != nil {
		return err
	}
	cpu.Activate(y, z, cpuAct(act))
	return nil
}

func (cpuKernels[T]) ActivationBackward(dz, dy, a []T, act Activation, order int) error {
	if err := checkActivationBackward(dz, dy, a, act, order); err != nil {
		return err
	}
	cpu.ActivationBackward(dz, dy, a, cpuAct(act), order)
	return nil
}

func (cpuKernels[T]) SoftmaxCrossEntropy(logits, targets Matrix[T]) (T, error) {
	if err := checkSoftmaxCrossEntropy(logits, targets); err != nil {
		return 0, err
	}
	return cpu.SoftmaxCrossEntropy(cpu.Matrix[T](logits), cpu.Matrix[T](targets)), nil
}

func (cpuKernels[T]) SoftmaxCrossEntropyBackward(dlogits, logits, targets Matrix[T], scale T) error {
	if err := checkSoftmaxCrossEntropyBackward(dlogits, logits, targets); err != nil {
		return err
	}
	cpu.SoftmaxCrossEntropyBackward(cpu.Matrix[T](dlogits), cpu.Matrix[T](logits), cpu.Matrix[T](targets), scale)
	return nil
}

func (cpuKernels[T]) MSE(pred, target []T) (T, error) {
	if err := checkMean("mse", "pred", pred, target); err != nil {
		return 0, err
	}
	return cpu.MSE(pred, target), nil
}

func (cpuKernels[T]) MSEBackward(dpred, pred, target []T, scale T) error {
	if err := checkMeanBackward("mse backward", "pred", dpred, pred, target); err != nil {
		return err
	}
	cpu.MSEBackward(dpred, pred, target, scale)
	return nil
}

func (cpuKernels[T]) BinaryCrossEntropy(logits, targets []T) (T, error) {
	if err := checkMean("binary cross-entropy", "logits", logits, targets); err != nil {
		return 0, err
	}
	return cpu.BinaryCrossEntropy(logits, targets), nil
}

func (cpuKernels[T]) BinaryCrossEntropyBackward(dlogits, logits, targets []T, scale T) error {
	if err := checkMeanBackward("binary cross-entropy backward", "logits", dlogits, logits, targets); err != nil {
		return err
	}
	cpu.BinaryCrossEntropyBackward(dlogits, logits, targets, scale)
	return nil
}

func (cpuKernels[T]) Softmax(y, z Matrix[T]) error {
	if err := checkSoftmax(y, z); err != nil {
		return err
	}
	cpu.Softmax(cpu.Matrix[T](y), cpu.Matrix[T](z))
	return nil
}

func (cpuKernels[T]) BroadcastRows(y Matrix[T], v []T) error {
	if err := checkBroadcastRows(y, v); err != nil {
		return err
	}
	cpu.BroadcastRows(cpu.Matrix[T](y), v)
	return nil
}

func (cpuKernels[T]) GatherRows(dst, src Matrix[T], index []int) error {
	if err := checkGatherRows(dst, src, index); err != nil {
		return err
	}
	cpu.GatherRows(cpu.Matrix[T](dst), cpu.Matrix[T](src), index)
	return nil
}

func (cpuKernels[T]) SumOfSquares(x []T) (float64, error) { return cpu.SumOfSquares(x), nil }

func (cpuKernels[T]) Scale(x []T, s T) error {
	cpu.Scale(x, s)
	return nil
}

func (cpuKernels[T]) Clamp(x []T, limit T) error {
	if err := checkClamp(limit); err != nil {
		return err
	}
	cpu.Clamp(x, limit)
	return nil
}

func (cpuKernels[T]) SGD(w, g, momentum []T, s SGDStep) error {
	if err := checkSGD(w, g, momentum, s); err != nil {
		return err
	}
	cpu.SGD(w, g, momentum, cpu.SGDStep(s))
	return nil
}

func (cpuKernels[T]) Adam(w, g, m, v []T, s AdamStep) error {
	if err := checkAdam(w, g, m, v, s); err != nil {
		return err
	}
	cpu.Adam(w, g, m, v, cpu.AdamStep(s))
	return nil
}

func (cpuKernels[T]) RMSprop(w, g, square, momentum, mean []T, s RMSpropStep) error {
	if err := checkRMSprop(w, g, square, momentum, mean, s); err != nil {
		return err
	}
	cpu.RMSprop(w, g, square, momentum, mean, cpu.RMSpropStep(s))
	return nil
}

func (cpuKernels[T]) Adagrad(w, g, sum []T, s AdagradStep) error {
	if err := checkAdagrad(w, g, sum, s); err != nil {
		return err
	}
	cpu.Adagrad(w, g, sum, cpu.AdagradStep(s))
	return nil
}

func cpuAct(act Activation) cpu.Activation {
	return cpu.Activation{Kind: cpu.ActivationKind(act.Kind), Alpha: act.Alpha}
}
