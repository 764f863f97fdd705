package device

import (
	"testing"

	"github.com/affine-go/affine/internal/cpu/arch/archtest"
	"github.com/affine-go/affine/internal/reference"
)

// NaN, infinities and subnormal numbers in X, W, b and dY come out as they do in
// PyTorch: every result is of the same class, on every device and instruction
// set.
func TestSpecialValuesAreOfPyTorchsClass(t *testing.T) {
	onDevices(t, testSpecial[float32], testSpecial[float64])
}

func testSpecial[T Float](t *testing.T, s suite[T]) {
	if s.device.Name() == "cpu" {
		archtest.EachSet(t, func(t *testing.T) { checkSpecial(t, s) })
		return
	}
	checkSpecial(t, s)
}

func checkSpecial[T Float](t *testing.T, s suite[T]) {
	cases, err := reference.Cases[T]("special")
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]ActivationKind{"identity": Identity, "relu": ReLU, "leaky_relu": LeakyReLU, "tanh": Tanh,
		"sigmoid": Sigmoid, "gelu": GELU, "silu": SiLU, "softplus": Softplus}
	for _, c := range cases {
		var settings struct {
			Activation             string
			Alpha, Beta, Threshold float64
		}
		if err := c.Decode(&settings); err != nil {
			t.Fatal(err)
		}
		kind, ok := kinds[settings.Activation]
		if !ok {
			t.Fatalf("%s: unknown activation %q", c.Name, settings.Activation)
		}
		act := Activation{Kind: kind, Alpha: settings.Alpha, Beta: settings.Beta, Threshold: settings.Threshold}
		array := func(name string) []T {
			a, err := c.Array(name)
			if err != nil {
				t.Fatal(err)
			}
			return a.Data
		}
		x, w, b, dy := array("X"), array("W"), array("b"), array("dY")
		n, out := len(x), len(w)
		y, z, dx, dw, db := make([]T, n*out), make([]T, n*out), make([]T, n), make([]T, out), make([]T, out)
		my, mz := MatrixOf(y, n, out), MatrixOf(z, n, out)
		s.done(t, s.Linear(my, mz, MatrixOf(x, n, 1), MatrixOf(w, 1, out), b, act))
		saved := my
		if kind.Saved() == SavedZ {
			saved = mz
		}
		s.done(t, s.LinearBackward(MatrixOf(dx, n, 1), MatrixOf(dw, 1, out), db, MatrixOf(x, n, 1), MatrixOf(w, 1, out), MatrixOf(dy, n, out), saved, act))
		for name, got := range map[string][]T{"Y": y, "dX": dx, "dW": dw, "db": db} {
			if err := reference.SameClass(got, array(name)); err != nil {
				t.Errorf("%s, %s: %v", c.Name, name, err)
			}
		}
		// The activation alone, in place.
		s.done(t, s.Activate(z, z, act))
		if err := reference.SameClass(z, array("Y")); err != nil {
			t.Errorf("%s, activation alone: %v", c.Name, err)
		}
	}
}
