//go:build gpu

package device

import (
	"fmt"

	"github.com/affine-go/affine/internal/cuda"
)

// card is a CUDA card.
type card struct{ *cuda.Device }

var (
	_ Stepper         = (*card)(nil)
	_ PrecisionSetter = (*card)(nil)
	_ Inspector       = (*card)(nil)
)

func (c *card) Name() string              { return fmt.Sprintf("cuda:%d", c.Number()) }
func (c *card) Float32() Kernels[float32] { return cudaKernels[float32]{c.Device} }
func (c *card) Float64() Kernels[float64] { return cudaKernels[float64]{c.Device} }

func (c *card) Sync() error  { return c.wrap("sync", c.Device.Sync()) }
func (c *card) Close() error { return c.wrap("close", c.Device.Close()) }

func (c *card) Losses(dst []float64) ([]float64, error) {
	dst, err := c.Device.Losses(dst)
	return dst, c.wrap("losses", err)
}

func (c *card) wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %s: %w", c.Name(), what, err)
}

func (c *card) SetMatmulPrecision(name string) error {
	if name != "highest" && name != "high" {
		return fmt.Errorf("matmul precision is %q, want highest or high", name)
	}
	c.SetTF32(name == "high")
	return nil
}

func (c *card) Details() ([]Detail, error) {
	info, err := c.Info()
	if err != nil {
		return nil, c.wrap("details", err)
	}
	gib := func(bytes int64) float64 { return float64(bytes) / (1 << 30) }
	return []Detail{
		{"memory", fmt.Sprintf("%.1f of %.1f GiB free", gib(info.FreeBytes), gib(info.TotalBytes))},
		{"driver", "up to " + info.Driver},
		{"cublasLt", info.CublasLt},
	}, nil
}

// cudaKernels checks the arguments and hands them to package cuda.
type cudaKernels[T Float] struct{ d *cuda.Device }

func cudaAct(act Activation) cuda.Activation {
	return cuda.Activation{Kind: cuda.ActivationKind(act.Kind), Alpha: act.Alpha}
}

func (k cudaKernels[T]) Alloc(n int) ([]T, error) {
	if err := checkAlloc(n); err != nil {
		return nil, err
	}
	return cuda.Alloc[T](k.d, n)
}

func (k cudaKernels[T]) Free(data []T) { cuda.Free(k.d, data) }

func (k cudaKernels[T]) Linear(y, z, x, w Matrix[T], b []T, act Activation) error {
	if err := checkLinear(y, z, x, w, b, act); err != nil {
		return err
	}
	return inKernel("linear", cuda.Linear(k.d, cuda.Matrix[T](y), cuda.Matrix[T](z), cuda.Matrix[T](x), cuda.Matrix[T](w), b, cudaAct(act)))
}

func (k cudaKernels[T]) LinearBackward(dx, dw Matrix[T], db []T, x, w, dy, a Matrix[T], act Activation) error {
	if err := checkLinearBackward(dx, dw, db, x, w, dy, a, act); err != nil {
		return err
	}
	return inKernel("linear backward", cuda.LinearBackward(k.d, cuda.Matrix[T](dx), cuda.Matrix[T](dw), db,
		cuda.Matrix[T](x), cuda.Matrix[T](w), cuda.Matrix[T](dy), cuda.Matrix[T](a), cudaAct(act)))
}

func (k cudaKernels[T]) Activate(y, z []T, act Activation) error {
	if err := checkActivate(y, z, act); err != nil {
		return err
	}
	return inKernel("activate", cuda.Activate(k.d, y, z, cudaAct(act)))
}

func (k cudaKernels[T]) ActivationBackward(dz, dy, a []T, act Activation, order int) error {
	if err := checkActivationBackward(dz, dy, a, act, order); err != nil {
		return err
	}
	return inKernel("activation backward", cuda.ActivationBackward(k.d, dz, dy, a, cudaAct(act), order))
}

func (k cudaKernels[T]) SoftmaxCrossEntropy(logits, targets Matrix[T]) (T, error) {
	if err := checkSoftmaxCrossEntropy(logits, targets); err != nil {
		return 0, err
	}
	l, err := cuda.SoftmaxCrossEntropy(k.d, cuda.Matrix[T](logits), cuda.Matrix[T](targets))
	return l, inKernel("softmax cross-entropy", err)
}

func (k cudaKernels[T]) SoftmaxCrossEntropyBackward(dlogits, logits, targets Matrix[T], scale T) error {
	if err := checkSoftmaxCrossEntropyBackward(dlogits, logits, targets); err != nil {
		return err
	}
	return inKernel("softmax cross-entropy backward", cuda.SoftmaxCrossEntropyBackward(k.d,
		cuda.Matrix[T](dlogits), cuda.Matrix[T](logits), cuda.Matrix[T](targets), scale))
}

func (k cudaKernels[T]) MSE(pred, target []T) (T, error) {
	if err := checkMean("mse", "pred", pred, target); err != nil {
		return 0, err
	}
	l, err := cuda.MSE(k.d, pred, target)
	return l, inKernel("mse", err)
}

func (k cudaKernels[T]) MSEBackward(dpred, pred, target []T, scale T) error {
	if err := checkMeanBackward("mse backward", "pred", dpred, pred, target); err != nil {
		return err
	}
	return inKernel("mse backward", cuda.MSEBackward(k.d, dpred, pred, target, scale))
}

func (k cudaKernels[T]) BinaryCrossEntropy(logits, targets []T) (T, error) {
	if err := checkMean("binary cross-entropy", "logits", logits, targets); err != nil {
		return 0, err
	}
	l, err := cuda.BinaryCrossEntropy(k.d, logits, targets)
	return l, inKernel("binary cross-entropy", err)
}

func (k cudaKernels[T]) BinaryCrossEntropyBackward(dlogits, logits, targets []T, scale T) error {
	if err := checkMeanBackward("binary cross-entropy backward", "logits", dlogits, logits, targets); err != nil {
		return err
	}
	return inKernel("binary cross-entropy backward", cuda.BinaryCrossEntropyBackward(k.d, dlogits, logits, targets, scale))
}

func (k cudaKernels[T]) Softmax(y, z Matrix[T]) error {
	if err := checkSoftmax(y, z); err != nil {
		return err
	}
	return inKernel("softmax", cuda.Softmax(k.d, cuda.Matrix[T](y), cuda.Matrix[T](z)))
}

func (k cudaKernels[T]) BroadcastRows(y Matrix[T], v []T) error {
	if err := checkBroadcastRows(y, v); err != nil {
		return err
	}
	return inKernel("broadcast rows", cuda.BroadcastRows(k.d, cuda.Matrix[T](y), v))
}

func (k cudaKernels[T]) GatherRows(dst, src Matrix[T], index []int) error {
	if err := checkGatherRows(dst, src, index); err != nil {
		return err
	}
	return inKernel("gather rows", cuda.GatherRows(k.d, cuda.Matrix[T](dst), cuda.Matrix[T](src), index))
}

func (k cudaKernels[T]) SumOfSquares(x []T) (float64, error) {
	sum, err := cuda.SumOfSquares(k.d, x)
	return sum, inKernel("sum of squares", err)
}

func (k cudaKernels[T]) Scale(x []T, s T) error { return inKernel("scale", cuda.Scale(k.d, x, s)) }

func (k cudaKernels[T]) Clamp(x []T, limit T) error {
	if err := checkClamp(limit); err != nil {
		return err
	}
	return inKernel("clamp", cuda.Clamp(k.d, x, limit))
}

func (k cudaKernels[T]) SGD(w, g, momentum []T, s SGDStep) error {
	if err := checkSGD(w, g, momentum, s); err != nil {
		return err
	}
	return inKernel("sgd", cuda.SGD(k.d, w, g, momentum, cuda.SGDStep(s)))
}

func (k cudaKernels[T]) Adam(w, g, m, v []T, s AdamStep) error {
	if err := checkAdam(w, g, m, v, s); err != nil {
		return err
	}
	return inKernel("adam", cuda.Adam(k.d, w, g, m, v, cuda.AdamStep(s)))
}

func (k cudaKernels[T]) RMSprop(w, g, square, momentum, mean []T, s RMSpropStep) error {
	if err := checkRMSprop(w, g, square, momentum, mean, s); err != nil {
		return err
	}
	return inKernel("rmsprop", cuda.RMSprop(k.d, w, g, square, momentum, mean, cuda.RMSpropStep(s)))
}

func (k cudaKernels[T]) Adagrad(w, g, sum []T, s AdagradStep) error {
	if err := checkAdagrad(w, g, sum, s); err != nil {
		return err
	}
	return inKernel("adagrad", cuda.Adagrad(k.d, w, g, sum, cuda.AdagradStep(s)))
}

// inKernel puts the kernel's name before an error of the card.
func inKernel(kernel string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", kernel, err)
}
