// Package cpu is the processor as a device: [Kernels] is the way in, to the
// matrix products of a linear layer (package gemm) and to all that takes every
// element by itself (package elementwise: activations, losses, reductions,
// optimizers). Package threads shares the work between cores, package arch
// chooses the instruction set.
//
// Every function takes plain slices and shapes that the caller has checked;
// nothing here knows what a tensor, a graph or a device is. Results are the
// same bits for every value of GOMAXPROCS: work is split between threads by
// output, never inside a sum.
package cpu

import (
	"runtime"

	"github.com/affine-go/affine/internal/cpu/arch"
	"github.com/affine-go/affine/internal/cpu/elementwise"
	"github.com/affine-go/affine/internal/cpu/gemm"
	"github.com/affine-go/affine/internal/cpu/threads"
	"github.com/affine-go/affine/internal/kernel"
)

// Kernels are the processor's [kernel.Kernels]. They have no state and return
// no errors.
type Kernels[T kernel.Float] struct{}

var _ kernel.Kernels[float32] = (*Kernels[float32])(nil)

func (*Kernels[T]) Alloc(n int) ([]T, error) { return arch.Alloc[T](n), nil }

// Free leaves the memory to the garbage collector.
func (*Kernels[T]) Free([]T) {}

func (*Kernels[T]) Linear(y, z, x, w kernel.Matrix[T], b []T, act kernel.Activation) error {
	gemm.Linear(&y, &z, &x, &w, b, act)
	return nil
}

func (*Kernels[T]) LinearBackward(dx, dw kernel.Matrix[T], db []T, x, w, dy, saved kernel.Matrix[T], act kernel.Activation) error {
	gemm.LinearBackward(&dx, &dw, db, &x, &w, &dy, &saved, act)
	return nil
}

func (*Kernels[T]) Activate(y, z []T, act kernel.Activation) error {
	elementwise.Activate(y, z, act)
	return nil
}

func (*Kernels[T]) ActivationBackward(dz, dy, saved []T, act kernel.Activation, order int) error {
	elementwise.ActivationBackward(dz, dy, saved, act, order)
	return nil
}

func (*Kernels[T]) SoftmaxCrossEntropy(logits, targets kernel.Matrix[T]) (T, error) {
	return elementwise.SoftmaxCrossEntropy(logits, targets), nil
}

func (*Kernels[T]) SoftmaxCrossEntropyBackward(dlogits, logits, targets kernel.Matrix[T], scale T) error {
	elementwise.SoftmaxCrossEntropyBackward(dlogits, logits, targets, scale)
	return nil
}

func (*Kernels[T]) MSE(pred, target []T) (T, error) { return elementwise.MSE(pred, target), nil }

func (*Kernels[T]) MSEBackward(dpred, pred, target []T, scale T) error {
	elementwise.MSEBackward(dpred, pred, target, scale)
	return nil
}

func (*Kernels[T]) BinaryCrossEntropy(logits, targets []T) (T, error) {
	return elementwise.BinaryCrossEntropy(logits, targets), nil
}

func (*Kernels[T]) BinaryCrossEntropyBackward(dlogits, logits, targets []T, scale T) error {
	elementwise.BinaryCrossEntropyBackward(dlogits, logits, targets, scale)
	return nil
}

func (*Kernels[T]) Softmax(y, z kernel.Matrix[T]) error {
	elementwise.Softmax(y, z)
	return nil
}

func (*Kernels[T]) Dropout(y, x kernel.Matrix[T], d kernel.Dropout) error {
	elementwise.Dropout(y, x, d)
	return nil
}

func (*Kernels[T]) BroadcastRows(y kernel.Matrix[T], v []T) error {
	elementwise.BroadcastRows(y, v)
	return nil
}

func (*Kernels[T]) GatherRows(dst, src kernel.Matrix[T], index []int) error {
	elementwise.GatherRows(dst, src, index)
	return nil
}

func (*Kernels[T]) SumOfSquares(x []T) (float64, error) { return elementwise.SumOfSquares(x), nil }

func (*Kernels[T]) Scale(x []T, s T) error {
	elementwise.Scale(x, s)
	return nil
}

func (*Kernels[T]) Clamp(x []T, limit T) error {
	elementwise.Clamp(x, limit)
	return nil
}

func (*Kernels[T]) Update(w, g []T, moments kernel.Moments[T], u *kernel.Update) error {
	elementwise.Update(w, g, moments, u)
	return nil
}

// Gemm computes C = alpha·op(A)·op(B) + beta·C, see [gemm.Gemm].
func Gemm[T kernel.Float](transA, transB bool, alpha T, a, b kernel.Matrix[T], beta T, c kernel.Matrix[T]) {
	gemm.Gemm(transA, transB, alpha, a, b, beta, c)
}

// Parallel calls f on ranges of [0, n), on several threads, see [threads.Each].
func Parallel(n, grain int, f func(lo, hi int)) { threads.Each(n, grain, f) }

// KeepAwake keeps a helper thread awake, see [threads.KeepAwake].
func KeepAwake() { threads.KeepAwake() }

// Features returns the instruction set in use ("avx512", "avx2",
// "neon" or "generic")
// and the number of threads that large work is spread over.
func Features() (set string, threads int) { return arch.Current().String(), runtime.GOMAXPROCS(0) }

// ForceError tells why AFFINE_CPU could not be obeyed, see [arch.ForceError].
func ForceError() error { return arch.ForceError() }

// PeakFLOPS32 measures the most operations a second that so many threads do in
// float32, see [gemm.PeakFLOPS].
func PeakFLOPS32(threads int) float64 { return gemm.PeakFLOPS[float32](threads) }

// PeakFLOPS64 is [PeakFLOPS32] for float64.
func PeakFLOPS64(threads int) float64 { return gemm.PeakFLOPS[float64](threads) }
