// Package device is the only door between an op and the hardware.
//
// A [Device] offers, for float32 and for float64, the [Kernels] that the ops,
// losses and optimizers of this module are made of, in plain slices, shapes
// and scalars. The processor and CUDA stand behind the same interface. No
// kernel knows what a graph is, and no op contains a loop over elements.
//
// Results do not depend on GOMAXPROCS: no sum is split by thread.
package device

// Device is one machine to compute on, opened by [Open]. It is safe for
// concurrent use.
type Device interface {
	// Name is what [Open] takes to open this device again: "cpu", "cuda:0".
	Name() string
	// Description tells a person what was found: instruction set and threads,
	// or the product name of the card.
	Description() string
	// Float32 and Float64 return the kernels of each element type.
	Float32() Kernels[float32]
	Float64() Kernels[float64]
	// Sync waits for all work handed to the device and returns the first
	// error that any of it met.
	Sync() error
	// Close waits and releases the device. The processor is never released.
	Close() error
}

// For returns the kernels of d for element type T.
func For[T Float](d Device) Kernels[T] {
	var zero T
	if _, ok := any(zero).(float32); ok {
		return any(d.Float32()).(Kernels[T])
	}
	return any(d.Float64()).(Kernels[T])
}

// PeakMeter is a device that can measure its highest rate of multiplications
// and additions, in operations a second, for the given number of threads: what
// the speed of a product is compared with.
type PeakMeter interface {
	PeakFLOPS32(threads int) float64
	PeakFLOPS64(threads int) float64
}
