package device_test

import (
	"fmt"
	"log"

	"github.com/affine-go/affine/layer/device"
)

// Kernels take plain slices and shapes; no graph is needed.
func Example() {
	cpu, err := device.Open("cpu")
	if err != nil {
		log.Fatal(err)
	}
	k := device.For[float64](cpu)
	x := device.MatrixOf([]float64{1, 2, 3, 4}, 2, 2)
	w := device.MatrixOf([]float64{1, -1}, 2, 1)
	y := device.MatrixOf(make([]float64, 2), 2, 1)
	err = k.Linear(y, device.Matrix[float64]{}, x, w, []float64{3}, device.Activation{Kind: device.ReLU})
	fmt.Println(y.Data, err)
	// Output: [2 2] <nil>
}
