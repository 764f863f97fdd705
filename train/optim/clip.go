package optim

import (
	"errors"
	"fmt"
	"math"

	"github.com/affine-go/affine/internal/values"
	"github.com/affine-go/affine/layer/device"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// ErrNotFinite is wrapped by errors that report an infinite number or NaN.
var ErrNotFinite = errors.New("not finite")

// ClipByValue limits every element of every gradient to [−limit, limit] in
// place, as torch.nn.utils.clip_grad_value_ does.
func ClipByValue(d device.Device, model []gorgonia.ValueGrad, limit float64) error {
	if !(limit >= 0) {
		return fmt.Errorf("clip by value: limit is %v, want at least 0", limit)
	}
	for i, vg := range model {
		err := onGradient(d, vg,
			func(k device.Kernels[float32], g []float32) error { return k.Clamp(g, float32(limit)) },
			func(k device.Kernels[float64], g []float64) error { return k.Clamp(g, limit) })
		if err != nil {
			return fmt.Errorf("clip by value: gradient %d (%s): %w", i, labelOf(nameOf(vg)), err)
		}
	}
	return nil
}

// ClipByNorm scales all gradients together, in place, so that the Euclidean
// norm of all their elements is at most maxNorm, and returns the norm that it
// was before. As torch.nn.utils.clip_grad_norm_ it multiplies by
// maxNorm/(norm + 1e-6) if that is below 1. A norm that is not finite is
// returned with an error that wraps ErrNotFinite; the gradients are then
// untouched.
func ClipByNorm(d device.Device, model []gorgonia.ValueGrad, maxNorm float64) (norm float64, err error) {
	if !(maxNorm >= 0) {
		return 0, fmt.Errorf("clip by norm: maximum is %v, want at least 0", maxNorm)
	}
	sum := 0.0
	for i, vg := range model {
		err := onGradient(d, vg,
			func(k device.Kernels[float32], g []float32) error {
				s, err := k.SumOfSquares(g)
				sum += s
				return err
			},
			func(k device.Kernels[float64], g []float64) error {
				s, err := k.SumOfSquares(g)
				sum += s
				return err
			})
		if err != nil {
			return 0, fmt.Errorf("clip by norm: gradient %d (%s): %w", i, labelOf(nameOf(vg)), err)
		}
	}
	norm = math.Sqrt(sum)
	if math.IsNaN(norm) || math.IsInf(norm, 0) {
		return norm, fmt.Errorf("clip by norm: norm of the gradients is %v: %w", norm, ErrNotFinite)
	}
	factor := maxNorm / (norm + 1e-6)
	if factor >= 1 {
		return norm, nil
	}
	for i, vg := range model {
		err := onGradient(d, vg,
			func(k device.Kernels[float32], g []float32) error { return k.Scale(g, float32(factor)) },
			func(k device.Kernels[float64], g []float64) error { return k.Scale(g, factor) })
		if err != nil {
			return norm, fmt.Errorf("clip by norm: gradient %d (%s): %w", i, labelOf(nameOf(vg)), err)
		}
	}
	return norm, nil
}

// onGradient calls the function of the gradient's dtype with its memory.
func onGradient(d device.Device, vg gorgonia.ValueGrad,
	single func(device.Kernels[float32], []float32) error,
	double func(device.Kernels[float64], []float64) error) error {
	if d == nil {
		return errors.New("device is nil")
	}
	if vg == nil {
		return errors.New("is nil")
	}
	grad, err := vg.Grad()
	if err != nil {
		return err
	}
	if grad != nil && grad.Dtype() == tensor.Float32 {
		g, err := values.Elements[float32](grad)
		if err != nil {
			return err
		}
		return single(d.Float32(), g)
	}
	g, err := values.Elements[float64](grad)
	if err != nil {
		return err
	}
	return double(d.Float64(), g)
}
