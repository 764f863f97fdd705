package vm_test

import (
	"fmt"
	"testing"

	"github.com/affine-go/affine/internal/nettest"
	"github.com/affine-go/affine/train/optim"
	"github.com/affine-go/affine/train/vm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// BenchmarkOverhead runs chains of ops that do nothing, so that all the time
// is the machine's. ns/node is the time per node.
func BenchmarkOverhead(b *testing.B) {
	for _, length := range []int{1, 10, 40} {
		g := gorgonia.NewGraph()
		n := gorgonia.NewMatrix(g, tensor.Float64, gorgonia.WithShape(2, 2),
			gorgonia.WithName("x"), gorgonia.WithValue(nettest.Waves(tensor.Float64, 1, 2, 2)))
		for i := range length {
			n = nettest.Apply(b, fmt.Sprint("nothing ", i), true, n, nettest.Keep)
		}
		m, err := vm.New(g)
		nettest.Must(b, err)
		for _, c := range []struct {
			name string
			vm   gorgonia.VM
		}{{"Machine", m}, {"TapeMachine", gorgonia.NewTapeMachine(g)}} {
			b.Run(fmt.Sprintf("%s/%d", c.name, length), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					nettest.Must(b, c.vm.RunAll())
					c.vm.Reset()
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*length), "ns/node")
			})
		}
	}
}

// BenchmarkStep is a training step, forward, backward and Adam, of float32
// classifiers.
func BenchmarkStep(b *testing.B) {
	for _, c := range []struct {
		batch int
		dims  []int
	}{{32, []int{2, 16, 16, 2}}, {128, []int{784, 512, 256, 10}}} {
		name := fmt.Sprintf("%dx%v", c.batch, c.dims)
		b.Run("Machine/"+name, func(b *testing.B) {
			m, params := nettest.NewNetwork(b, tensor.Float32, c.batch, c.dims...).Differentiate(b).Machine(b)
			optimizer, err := optim.NewAdam()
			nettest.Must(b, err)
			b.ReportAllocs()
			for b.Loop() {
				nettest.Must(b, m.RunAll())
				nettest.Must(b, optimizer.Step(params.ValueGrads()))
			}
		})
		b.Run("TapeMachine/"+name, func(b *testing.B) {
			n := nettest.NewNetwork(b, tensor.Float32, c.batch, c.dims...).Differentiate(b)
			m := gorgonia.NewTapeMachine(n.Graph, gorgonia.BindDualValues(n.Learnables...))
			solver := gorgonia.NewAdamSolver()
			b.ReportAllocs()
			for b.Loop() {
				nettest.Must(b, m.RunAll())
				nettest.Must(b, solver.Step(gorgonia.NodesToValueGrads(n.Learnables)))
				m.Reset()
			}
		})
	}
}
