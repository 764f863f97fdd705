package optim_test

import (
	"testing"

	"github.com/affine-go/affine/internal/nettest"
	"github.com/affine-go/affine/train/optim"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// BenchmarkAdam is one step of the 535,818 float32 learnables of a classifier
// 784-512-256-10.
func BenchmarkAdam(b *testing.B) {
	learnables := func() []gorgonia.ValueGrad {
		var list []*learnable
		for _, shape := range [][]int{{784, 512}, {512}, {512, 256}, {256}, {256, 10}, {10}} {
			list = append(list, newLearnable("w", tensor.Float32, shape...))
		}
		return model(list...)
	}
	ours, err := optim.NewAdam()
	nettest.Must(b, err)
	for _, c := range []struct {
		name   string
		solver gorgonia.Solver
	}{{"affine", ours}, {"Gorgonia", gorgonia.NewAdamSolver()}} {
		b.Run(c.name, func(b *testing.B) {
			list := learnables()
			b.ReportAllocs()
			for b.Loop() {
				nettest.Must(b, c.solver.Step(list))
			}
		})
	}
}
