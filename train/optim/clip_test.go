package optim_test

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/affine-go/affine/internal/nettest"
	"github.com/affine-go/affine/layer/device"
	"github.com/affine-go/affine/train/optim"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"
)

// withGradient returns a learnable whose gradient holds the numbers.
func withGradient(dt tensor.Dtype, gradient ...float64) *learnable {
	g := tensor.New(tensor.WithShape(len(gradient)), tensor.Of(dt))
	for i, x := range gradient {
		if dt == tensor.Float32 {
			g.Float32s()[i] = float32(x)
		} else {
			g.Float64s()[i] = x
		}
	}
	return &learnable{name: "w", value: g.Clone().(*tensor.Dense), grad: g}
}

func TestClipByNorm(t *testing.T) {
	for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
		for _, c := range []struct {
			limit  float64
			factor float64
		}{
			{limit: 100, factor: 1},
			{limit: 20, factor: 1},
			{limit: 13, factor: 13 / (13 + 1e-6)},
			{limit: 6.5, factor: 6.5 / (13 + 1e-6)},
			{limit: 0, factor: 0},
		} {
			t.Run(fmt.Sprint(dt, "/", c.limit), func(t *testing.T) {
				// 3² + 4² + 12² = 13²
				for _, d := range nettest.Devices(t) {
					a, b := withGradient(dt, 3, -4), withGradient(dt, 12)
					a.moveTo(t, d)
					b.moveTo(t, d)
					norm, err := optim.ClipByNorm(d, model(a, b), c.limit)
					nettest.Must(t, err)
					nettest.Must(t, d.Sync())
					if math.Abs(norm-13) > 1e-6 {
						t.Errorf("%s: norm is %v, want 13", d.Name(), norm)
					}
					for i, got := range append(nettest.Numbers(a.grad), nettest.Numbers(b.grad)...) {
						if want := c.factor * []float64{3, -4, 12}[i]; math.Abs(got-want) > 1e-6 {
							t.Errorf("%s: gradient %d is %v, want %v", d.Name(), i, got, want)
						}
					}
				}
			})
		}
	}
}

func TestClippedNormIsAtMostTheLimit(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		numbersOf := rapid.SliceOfN(rapid.Float64Range(-1e3, 1e3), 1, 20)
		a, b := withGradient(tensor.Float64, numbersOf.Draw(rt, "a")...), withGradient(tensor.Float64, numbersOf.Draw(rt, "b")...)
		limit := rapid.Float64Range(1e-3, 1e3).Draw(rt, "limit")
		d := nettest.Processor(rt)
		_, err := optim.ClipByNorm(d, model(a, b), limit)
		nettest.Must(rt, err)
		if norm, err := optim.ClipByNorm(d, model(a, b), math.MaxFloat64); err != nil || norm > limit*(1+1e-12) {
			rt.Fatalf("norm is %v, %v, want at most %v", norm, err, limit)
		}
	})
}

func TestNormsThatAreNotFiniteAreReported(t *testing.T) {
	for _, bad := range []float64{math.NaN(), math.Inf(-1)} {
		a, b := withGradient(tensor.Float32, 3, bad), withGradient(tensor.Float32, 4)
		norm, err := optim.ClipByNorm(nettest.Processor(t), model(a, b), 1)
		if !errors.Is(err, optim.ErrNotFinite) || !math.IsNaN(norm) && !math.IsInf(norm, 1) {
			t.Errorf("gradient with %v: norm is %v, error %v", bad, norm, err)
		}
		if nettest.Numbers(a.grad)[0] != 3 || nettest.Numbers(b.grad)[0] != 4 {
			t.Errorf("gradient with %v: others were changed", bad)
		}
	}
}

func TestClipByValue(t *testing.T) {
	for _, d := range nettest.Devices(t) {
		for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
			a, b := withGradient(dt, -3, -0.5, 0, 0.25), withGradient(dt, 1)
			a.moveTo(t, d)
			b.moveTo(t, d)
			nettest.Must(t, optim.ClipByValue(d, model(a, b), 0.5))
			nettest.Must(t, d.Sync())
			for i, got := range append(nettest.Numbers(a.grad), nettest.Numbers(b.grad)...) {
				if want := []float64{-0.5, -0.5, 0, 0.25, 0.5}[i]; got != want {
					t.Errorf("%s: gradient %d is %v, want %v", d.Name(), i, got, want)
				}
			}
		}
	}
}

func TestClippingSaysWhatIsWrong(t *testing.T) {
	d, good := nettest.Processor(t), withGradient(tensor.Float64, 1)
	for _, c := range []struct {
		name  string
		dev   device.Device
		model []gorgonia.ValueGrad
		limit float64
		says  string
	}{
		{"negative limit", d, model(good), -1, "-1"},
		{"limit NaN", d, model(good), math.NaN(), "NaN"},
		{"no device", nil, model(good), 1, "device is nil"},
		{"no learnable", d, []gorgonia.ValueGrad{good, nil}, 1, "gradient 1 (unnamed): is nil"},
		{"no gradient", d, model(good, &learnable{name: "w", value: good.value}), 1, "gradient 1 (w)"},
		{"integers", d, model(&learnable{name: "w", grad: tensor.New(tensor.WithBacking([]int{1, 2}))}), 1, "int"},
	} {
		t.Run(c.name, func(t *testing.T) {
			nettest.Fails(t, optim.ClipByValue(c.dev, c.model, c.limit), "clip by value", c.says)
			_, err := optim.ClipByNorm(c.dev, c.model, c.limit)
			nettest.Fails(t, err, "clip by norm", c.says)
		})
	}
}

func TestClippingAllocatesNothing(t *testing.T) {
	d, list := nettest.Processor(t), model(newLearnable("W", tensor.Float32, 16, 16), newLearnable("b", tensor.Float64, 16))
	if got := testing.AllocsPerRun(20, func() {
		nettest.Must(t, optim.ClipByValue(d, list, 0.5))
		if _, err := optim.ClipByNorm(d, list, 0.5); err != nil {
			t.Fatal(err)
		}
	}); got != 0 {
		t.Errorf("%v allocations, want none", got)
	}
}
