package vm_test

import (
	"sync"
	"testing"

	"github.com/affine-go/affine/internal/nettest"
	"gorgonia.org/tensor"
)

// Machines of graphs that share nothing train side by side as they do alone.
// Machines that share weights are in TestGorgonia549GoroutinesShareWeights.
func TestMachinesSideBySideTrainAsAlone(t *testing.T) {
	losses := func() []float64 {
		n := nettest.NewNetwork(t, tensor.Float32, 16, 8, 12, 3).Differentiate(t)
		m, params := n.Machine(t)
		return nettest.Steps(t, 20, m, nettest.NewSGD(t), params.ValueGrads(), n.Loss)
	}
	want := losses()
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for i, loss := range losses() {
				if loss != want[i] {
					t.Errorf("step %d: loss is %v, alone %v", i, loss, want[i])
					return
				}
			}
		})
	}
	wait.Wait()
}
