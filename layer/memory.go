package layer

import (
	"github.com/affine-go/affine/layer/device"
	"gorgonia.org/gorgonia"
)

// collected stands in the place of an earlier result where the new one is to
// lie in memory that the garbage collector looks after.
//
// A device's own memory lives until it is freed or the device closes. That suits
// weights and what a machine keeps from run to run. But nobody can tell when the
// last view of the result of a plain Do is gone: those lie in Go's memory, and
// a device copies them as it needs to.
var collected gorgonia.Value = new(struct{ gorgonia.Value })

// newElements returns room for n elements, in Go's memory where prev is
// collected and in the device's otherwise. What stands there is not specified.
func newElements[T device.Float](dev device.Device, prev gorgonia.Value, n int) ([]T, error) {
	if prev == collected {
		return newResult[T](n), nil
	}
	return device.For[T](dev).Alloc(n)
}
