package device

// What only some devices can do. Ask with a type assertion.

// Stepper is a device that can run training steps without the host waiting for
// each of them, as CUDA cards can.
//
// Within Step, calls are collected instead of run, and Step hands them over
// together. A step that calls the same kernels on the same memory as one before
// is replayed from a recording; what may differ is the index of GatherRows and
// the learning rates and step counts of the optimizers. Memory of the device
// holds its results only after Sync; it must not be read or written by the host
// before. Operands in other memory, and SumOfSquares, make the step wait and keep
// it from being recorded.
//
// Steps do not nest, and while one is collected all calls on the device must
// come from the goroutine that runs body.
type Stepper interface {
	Device
	// Step runs body. If body fails, its error is returned and what was
	// collected is dropped.
	Step(body func() error) error
	// Losses waits for the steps so far and appends to dst the losses that they
	// computed since Losses was last called, in the order of the calls. Within a
	// step SoftmaxCrossEntropy, MSE and BinaryCrossEntropy return NaN instead.
	Losses(dst []float64) ([]float64, error)
}

// PrecisionSetter is a device that can trade precision for speed in large
// float32 matrix products.
type PrecisionSetter interface {
	// SetMatmulPrecision takes PyTorch's names: "highest" (float32 throughout,
	// the default), "high" (factors rounded to TF32, 10 bits of mantissa) or
	// "medium" (to bfloat16, 7 bits); sums are of float32. It is an error if the
	// device cannot do so.
	SetMatmulPrecision(name string) error
}

// Waker is a device with helpers that sleep when there is nothing to do.
type Waker interface {
	// KeepAwake says that a call is part of a series, made from goroutines that
	// take turns, and that it should not find the helpers asleep.
	KeepAwake()
}

// Warner is a device that may not run the way that the environment asked for.
type Warner interface {
	// Warning says what was asked for and what is used instead; nil if all is well.
	Warning() error
}

// KernelSetter is a device that has several sets of kernels, whose results may
// differ in the last bits.
type KernelSetter interface {
	// KernelSet names the one in use.
	KernelSet() string
}

// Inspector is a device that can tell more about itself than its description.
type Inspector interface {
	Details() ([]Detail, error)
}

// Detail is one line about a device, such as "memory", "76.1 of 79.2 GiB free".
type Detail struct{ Name, Value string }

// Fallback is what the name auto opened if no CUDA card could be, in a
// program that can use one.
type Fallback interface {
	Device
	// Instead says why it is no card.
	Instead() error
}
