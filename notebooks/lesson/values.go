package lesson

import (
	"math/rand/v2"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Normal returns a float64 tensor of the given shape with values drawn from
// N(0, 1): the same ones for the same seed.
func Normal(seed uint64, shape ...int) *tensor.Dense {
	rng := rand.New(rand.NewPCG(seed, 0))
	values := make([]float64, tensor.Shape(shape).TotalSize())
	for i := range values {
		values[i] = rng.NormFloat64()
	}
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(values))
}

// Floats returns a copy of all elements of v, in row-major order.
func Floats(v gorgonia.Value) []float64 {
	var out []float64
	add := func(x any) {
		switch x := x.(type) {
		case float64:
			out = append(out, x)
		case float32:
			out = append(out, float64(x))
		default:
			fail("value holds %T, want float32 or float64", x)
		}
	}
	switch v := v.(type) {
	case *tensor.Dense:
		it := v.Iterator()
		for i, err := it.Start(); err == nil; i, err = it.Next() {
			add(v.Get(i))
		}
	case gorgonia.Scalar:
		add(v.Data())
	default:
		fail("value is a %T, want a tensor or a scalar", v)
	}
	return out
}
