package elementwise

import (
	"fmt"
	"testing"

	"github.com/affine-go/affine/internal/cpu/arch"
	"github.com/affine-go/affine/internal/kernel"
)

// BenchmarkUpdate times one step of each optimizer on the learnables of a
// small and of a large network. Bytes are those read and written.
func BenchmarkUpdate(b *testing.B) {
	b.Run("float32", benchmarkUpdate[float32])
	b.Run("float64", benchmarkUpdate[float64])
}

func benchmarkUpdate[T kernel.Float](b *testing.B) {
	for _, n := range []int{354, 4096, 535_000} {
		w, g, m, v := arch.Alloc[T](n), arch.Alloc[T](n), arch.Alloc[T](n), arch.Alloc[T](n)
		for i := range w {
			w[i], g[i] = T(i%17), T(i%13)-6
		}
		for _, set := range arch.Available() {
			defer arch.Use(set)()
			run := func(name string, streams int, step func()) {
				b.Run(fmt.Sprintf("%s/%d/%s", name, n, set), func(b *testing.B) {
					b.SetBytes(int64(2 * streams * n * arch.Size[T]()))
					for b.Loop() {
						step()
					}
				})
			}
			run("sgd", 2, func() { Update(w, g, kernel.Moments[T]{}, &kernel.Update{Rule: kernel.SGD, LR: 1e-9, ZeroGrad: true}) })
			run("momentum", 3, func() {
				Update(w, g, kernel.Moments[T]{m}, &kernel.Update{Rule: kernel.SGD, LR: 1e-9, Momentum: 0.9, ZeroGrad: true})
			})
			run("adam", 4, func() {
				Update(w, g, kernel.Moments[T]{m, v}, &kernel.Update{Rule: kernel.Adam, LR: 1e-9, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, Step: 1, ZeroGrad: true})
			})
			run("rmsprop", 3, func() {
				Update(w, g, kernel.Moments[T]{v}, &kernel.Update{Rule: kernel.RMSprop, LR: 1e-9, Alpha: 0.99, Eps: 1e-8, ZeroGrad: true})
			})
			run("adagrad", 3, func() {
				Update(w, g, kernel.Moments[T]{v}, &kernel.Update{Rule: kernel.Adagrad, LR: 1e-9, Eps: 1e-8, Step: 1, ZeroGrad: true})
			})
		}
	}
}
