package elementwise

import (
	"fmt"
	"testing"

	"github.com/affine-go/affine/internal/cpu/arch"
	"github.com/affine-go/affine/internal/kernel"
)

func BenchmarkActivate(b *testing.B) {
	b.Run("float32", benchmarkActivate[float32])
	b.Run("float64", benchmarkActivate[float64])
}

func benchmarkActivate[T kernel.Float](b *testing.B) {
	for _, n := range []int{32, 4096} {
		z, y := make([]T, n), make([]T, n)
		for i := range z {
			z[i] = T(i%97)/20 - 2
		}
		for _, set := range arch.Available() {
			defer arch.Use(set)()
			for kind, name := range []string{kernel.ReLU: "relu", kernel.LeakyReLU: "leaky", kernel.Tanh: "tanh", kernel.Sigmoid: "sigmoid", kernel.GELU: "gelu", kernel.SiLU: "silu"} {
				if name == "" {
					continue
				}
				act := kernel.Activation{Kind: kernel.ActivationKind(kind), Alpha: 0.01}
				b.Run(fmt.Sprintf("%s/%d/%s", name, n, set), func(b *testing.B) {
					for b.Loop() {
						Activate(y, z, act)
					}
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/element")
				})
			}
		}
	}
}
