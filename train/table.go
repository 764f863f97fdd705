package train

import (
	"fmt"

	"github.com/affine-go/affine/internal/values"
	"github.com/affine-go/affine/layer/device"
	"gorgonia.org/tensor"
)

// table is a matrix in a device's memory, one row per sample, from which
// batches are gathered without leaving the device.
type table interface {
	// gather copies the rows in index to the first rows of dst.
	gather(dst *tensor.Dense, index []int) error
}

type tableOf[T device.Float] struct {
	kernels device.Kernels[T]
	rows    device.Matrix[T]
}

// newTable rounds rows×cols values to dtype in the device's memory.
func newTable(d device.Device, dtype tensor.Dtype, values []float64, rows, cols int) (table, error) {
	if dtype == tensor.Float32 {
		return newTableOf[float32](d, values, rows, cols)
	}
	return newTableOf[float64](d, values, rows, cols)
}

func newTableOf[T device.Float](d device.Device, values []float64, rows, cols int) (table, error) {
	if len(values) != rows*cols {
		return nil, fmt.Errorf("got %d values, want %d rows of %d", len(values), rows, cols)
	}
	k := device.For[T](d)
	data, err := k.Alloc(len(values))
	if err != nil {
		return nil, err
	}
	host := make([]T, len(values))
	for i, v := range values {
		host[i] = T(v)
	}
	// Copied by the device: its pages are then where the batches are gathered.
	if err := k.Activate(data, host, device.Activation{}); err != nil {
		return nil, err
	}
	return &tableOf[T]{k, device.MatrixOf(data, rows, cols)}, nil
}

func (t *tableOf[T]) gather(dst *tensor.Dense, index []int) error {
	d, err := values.Elements[T](dst)
	if err != nil {
		return err
	}
	return t.kernels.GatherRows(device.MatrixOf(d[:len(index)*t.rows.Cols], len(index), t.rows.Cols), t.rows, index)
}
