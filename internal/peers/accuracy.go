package main

import (
	"fmt"
	"io"
	"math"

	"github.com/affine-go/affine/layer/device"
)

// accuracyCases are rows × in × out of layers whose float32 results are compared
// with float64: Y and dX add up in and out terms, dW and db rows.
var accuracyCases = [][3]int{
	{64, 64, 64}, {128, 784, 512}, {1024, 1024, 1024},
	{24, 1024, 40}, {24, 65536, 40}, {1024, 24, 40}, {65536, 24, 40},
}

// deviation is how far float32 results are from those in float64, in units of the
// last place of the largest of them.
type deviation struct {
	RMS float64 `json:"rms"`
	Max float64 `json:"max"`
}

// accuracy writes a Markdown table of the errors of affine and, if there is one,
// PyTorch.
func accuracy(w io.Writer, torch *pytorch) error {
	fmt.Fprintln(w, "| rows×in×out | result | terms | affine, rms (max) | PyTorch, rms (max) |")
	fmt.Fprintln(w, "|---|---|---:|---:|---:|")
	for _, c := range accuracyCases {
		ours, err := deviations(c)
		if err != nil {
			return err
		}
		var theirs map[string]deviation
		if torch != nil {
			if err := torch.ask(map[string]any{"peer": "accuracy", "threads": 1, "accuracy": c}, &theirs); err != nil {
				return err
			}
		}
		for _, result := range []struct {
			name  string
			terms int
		}{{"Y", c[1]}, {"dX", c[2]}, {"dW", c[0]}, {"db", c[0]}} {
			cell := func(of map[string]deviation) string {
				d, ok := of[result.name]
				if !ok {
					return "–"
				}
				return fmt.Sprintf("%.2f (%.1f)", d.RMS, d.Max)
			}
			fmt.Fprintf(w, "| %d×%d×%d | %s | %d | %s | %s |\n", c[0], c[1], c[2], result.name, result.terms, cell(ours), cell(theirs))
		}
	}
	return nil
}

// deviations computes a layer and its gradients on the CPU in both types.
func deviations(c [3]int) (map[string]deviation, error) {
	d, err := device.Open("cpu")
	if err != nil {
		return nil, err
	}
	rows, in, out := c[0], c[1], c[2]
	x, w, dy := values(seedX, rows*in, 1), values(seedW, in*out, 1), values(seedDY, rows*out, 1)
	single, err := layerOf(d.Float32(), c, x, w, dy)
	if err != nil {
		return nil, err
	}
	double, err := layerOf(d.Float64(), c, widened(x), widened(w), widened(dy))
	if err != nil {
		return nil, err
	}
	found := map[string]deviation{}
	for name, got := range single {
		found[name] = deviationOf(widened(got), double[name])
	}
	return found, nil
}

// layerOf returns Y = X·W, dX, dW and db.
func layerOf[T device.Float](k device.Kernels[T], c [3]int, x, w, dy []T) (map[string][]T, error) {
	rows, in, out := c[0], c[1], c[2]
	y, dx, dw, db := make([]T, rows*out), make([]T, rows*in), make([]T, in*out), make([]T, out)
	mx, mw, mdy := device.MatrixOf(x, rows, in), device.MatrixOf(w, in, out), device.MatrixOf(dy, rows, out)
	none := device.Matrix[T]{}
	if err := k.Linear(device.MatrixOf(y, rows, out), none, mx, mw, nil, device.Activation{}); err != nil {
		return nil, err
	}
	err := k.LinearBackward(device.MatrixOf(dx, rows, in), device.MatrixOf(dw, in, out), db, mx, mw, mdy, none, device.Activation{})
	return map[string][]T{"Y": y, "dX": dx, "dW": dw, "db": db}, err
}

func widened(v []float32) []float64 {
	wide := make([]float64, len(v))
	for i, x := range v {
		wide[i] = float64(x)
	}
	return wide
}

// deviationOf is in units of the last place, of float32, of the largest number
// wanted.
func deviationOf(got, want []float64) deviation {
	largest, squares, worst := 0.0, 0.0, 0.0
	for i, v := range want {
		largest = max(largest, math.Abs(v))
		e := math.Abs(got[i] - v)
		squares += e * e
		worst = max(worst, e)
	}
	_, exponent := math.Frexp(largest)
	unit := math.Ldexp(1, exponent-24)
	return deviation{RMS: math.Sqrt(squares/float64(len(want))) / unit, Max: worst / unit}
}
