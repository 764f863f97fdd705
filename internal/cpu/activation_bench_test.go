package cpu

import (
	"fmt"
	"testing"
)

func BenchmarkActivate(b *testing.B) {
	b.Run("float32", benchmarkActivate[float32])
	b.Run("float64", benchmarkActivate[float64])
}

func benchmarkActivate[T Float](b *testing.B) {
	defer active.Store(active.Load())
	for _, n := range []int{32, 4096} {
		z, y := make([]T, n), make([]T, n)
		for i := range z {
			z[i] = T(i%97)/20 - 2
		}
		for v := generic; v <= best; v++ {
			active.Store(uint32(v))
			for kind, name := range []string{ReLU: "relu", LeakyReLU: "leaky", Tanh: "tanh", Sigmoid: "sigmoid", GELU: "gelu", SiLU: "silu"} {
				if name == "" {
					continue
				}
				act := Activation{Kind: ActivationKind(kind), Alpha: 0.01}
				b.Run(fmt.Sprintf("%s/%d/%s", name, n, v), func(b *testing.B) {
					for b.Loop() {
						Activate(y, z, act)
					}
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/element")
				})
			}
		}
	}
}
