package compare

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/affine-go/affine/layer"
	"github.com/affine-go/affine/train/bench"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// parts are the results of a linear layer that are compared.
var parts = [...]string{"Y", "dX", "dW", "db"}

// Errors holds the largest error of each result against float64, relative to
// the largest element of that result.
type Errors struct {
	Y  float64 `json:"y"`
	DX float64 `json:"dx"`
	DW float64 `json:"dw"`
	DB float64 `json:"db"`
}

// OpRow compares forward and all gradients at one shape in float32.
type OpRow struct {
	Batch        int     `json:"batch"`
	In           int     `json:"in"`
	Out          int     `json:"out"`
	FusedNs      float64 `json:"fused_ns_per_op"`
	BuiltinNs    float64 `json:"builtin_ns_per_op"`
	Speedup      float64 `json:"speedup"`
	FusedError   Errors  `json:"fused_error"`
	BuiltinError Errors  `json:"builtin_error"`
}

// OpShapes is the grid that [Ops] is usually run on: batch, in, out.
func OpShapes() [][3]int {
	return [][3]int{
		{1, 64, 64}, {32, 2, 16}, {32, 16, 16}, {64, 64, 64}, {128, 10, 256}, {128, 256, 10},
		{100, 300, 200}, {128, 784, 512}, {256, 1024, 1024},
	}
}

// Ops compares the fused op with the built-in ops, Y = X·W + b in float32
// through a TapeMachine: the time of forward and gradients, and the errors
// against the built-in ops in float64 on the same numbers.
func Ops(ctx context.Context, shapes [][3]int, o bench.Options, progress func(shape string)) ([]OpRow, error) {
	var cases []bench.Case
	for _, s := range shapes {
		for _, impl := range []string{"fused", "builtin"} {
			cases = append(cases, bench.Case{Op: bench.Linear, Dtype: "float32", Batch: s[0], In: s[1], Out: s[2], Impl: impl, Device: o.Device.Name()})
		}
	}
	report, err := bench.Run(ctx, cases, o, progress)
	if err != nil {
		return nil, fmt.Errorf("compare: %w", err)
	}
	rows := make([]OpRow, len(shapes))
	for i, s := range shapes {
		fused, builtin := report.Cases[2*i].NsPerOp, report.Cases[2*i+1].NsPerOp
		rows[i] = OpRow{Batch: s[0], In: s[1], Out: s[2], FusedNs: fused, BuiltinNs: builtin, Speedup: builtin / fused}
		if err := rows[i].measureErrors(layer.WithDevice(o.Device)); err != nil {
			return nil, fmt.Errorf("compare: %d×%d×%d: %w", s[0], s[1], s[2], err)
		}
	}
	return rows, nil
}

func (r *OpRow) measureErrors(onDevice layer.Option) error {
	exact, err := r.results(tensor.Float64, layer.Builtin)
	if err != nil {
		return err
	}
	for _, side := range []struct {
		apply  func(x, w, b *gorgonia.Node, opts ...layer.Option) (*gorgonia.Node, error)
		opts   []layer.Option
		errors *Errors
	}{{layer.Apply, []layer.Option{onDevice}, &r.FusedError}, {layer.Builtin, nil, &r.BuiltinError}} {
		got, err := r.results(tensor.Float32, side.apply, side.opts...)
		if err != nil {
			return err
		}
		for i, into := range []*float64{&side.errors.Y, &side.errors.DX, &side.errors.DW, &side.errors.DB} {
			*into = relativeError(got[i], exact[i])
		}
	}
	return nil
}

// results returns Y, dX, dW and db for inputs that are float32 numbers in
// either dtype.
func (r *OpRow) results(dt tensor.Dtype, apply func(x, w, b *gorgonia.Node, opts ...layer.Option) (*gorgonia.Node, error), opts ...layer.Option) ([len(parts)][]float64, error) {
	var results [len(parts)][]float64
	g := gorgonia.NewGraph()
	rng := rand.New(rand.NewPCG(1, 0))
	input := func(name string, shape ...int) *gorgonia.Node {
		single := make([]float32, tensor.Shape(shape).TotalSize())
		double := make([]float64, len(single))
		for i := range single {
			single[i] = float32(rng.NormFloat64())
			double[i] = float64(single[i])
		}
		var backing any = double
		if dt == tensor.Float32 {
			backing = single
		}
		return gorgonia.NewTensor(g, dt, len(shape), gorgonia.WithName(name), gorgonia.WithShape(shape...),
			gorgonia.WithValue(tensor.New(tensor.WithShape(shape...), tensor.WithBacking(backing))))
	}
	x, w, b := input("X", r.Batch, r.In), input("W", r.In, r.Out), input("b", r.Out)
	dy := input("dY", r.Batch, r.Out)
	y, err := apply(x, w, b, opts...)
	if err != nil {
		return results, err
	}
	grads, err := gorgonia.Backpropagate(gorgonia.Nodes{y}, gorgonia.Nodes{dy}, gorgonia.Nodes{x, w, b})
	if err != nil {
		return results, err
	}
	// Read copies a value before the tape gives its memory to another node.
	var values [len(parts)]gorgonia.Value
	for i, n := range append(gorgonia.Nodes{y}, grads...) {
		gorgonia.Read(n, &values[i])
	}
	m := gorgonia.NewTapeMachine(g)
	defer m.Close()
	if err := m.RunAll(); err != nil {
		return results, err
	}
	for i, v := range values {
		switch data := v.Data().(type) {
		case []float64:
			results[i] = data
		case []float32:
			for _, x := range data {
				results[i] = append(results[i], float64(x))
			}
		case float64:
			results[i] = []float64{data}
		case float32:
			results[i] = []float64{float64(data)}
		default:
			return results, fmt.Errorf("%s is a %T, want float32 or float64", parts[i], data)
		}
	}
	return results, nil
}

// relativeError is max |got − want| / max |want|.
func relativeError(got, want []float64) float64 {
	difference, scale := 0.0, 0.0
	for i, w := range want {
		difference = max(difference, math.Abs(got[i]-w))
		scale = max(scale, math.Abs(w))
	}
	if scale == 0 {
		return difference
	}
	return difference / scale
}
