package vm

import (
	"fmt"
	"slices"

	"github.com/affine-go/affine/internal/cpu"
	"github.com/affine-go/affine/internal/values"
	"github.com/affine-go/affine/layer"
	"github.com/affine-go/affine/layer/device"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// single returns the computation of one node by its own op.
func single(n *gorgonia.Node) computation {
	if op, ok := n.Op().(layer.BufferedOp); ok {
		return &bufferedOp{op}
	}
	return &plainOp{n.Op()}
}

// plainOp runs any op, which returns a fresh value.
type plainOp struct{ op gorgonia.Op }

func (c *plainOp) compute(results, args []gorgonia.Value) (err error) {
	results[0], err = c.op.Do(args...)
	return err
}

func (c *plainOp) keeps() bool { return false }

// bufferedOp runs an op that writes to the value that it returned before.
type bufferedOp struct{ op layer.BufferedOp }

func (c *bufferedOp) compute(results, args []gorgonia.Value) (err error) {
	results[0], err = c.op.DoInto(results[0], args...)
	return err
}

func (c *bufferedOp) keeps() bool { return true }

// layerGradients computes the gradients of a layer of package layer together.
type layerGradients struct{ group *layer.GradientGroup }

func (c *layerGradients) compute(results, args []gorgonia.Value) error {
	return c.group.Compute(results, args)
}

func (c *layerGradients) keeps() bool { return true }

func (c *bufferedOp) device() device.Device {
	if op, ok := c.op.(interface{ Device() device.Device }); ok {
		return op.Device()
	}
	return nil
}

func (c *layerGradients) device() device.Device { return c.group.Device() }

// kernels returns the processor's kernels. Built-in ops compute there.
func kernels[T device.Float]() (device.Kernels[T], error) {
	d, err := device.Open("cpu")
	if err != nil {
		return nil, err
	}
	return device.For[T](d), nil
}

// dtypeOf returns the tensor dtype of T.
func dtypeOf[T device.Float]() tensor.Dtype {
	var zero T
	if _, ok := any(zero).(float32); ok {
		return tensor.Float32
	}
	return tensor.Float64
}

// matrixOf views v as rows×cols. A view whose rows have a common distance is
// used as it is; anything else, a transposed tensor say, is copied.
func matrixOf[T device.Float](what string, v gorgonia.Value, rows, cols int) (device.Matrix[T], error) {
	t, ok := v.(*tensor.Dense)
	if !ok || v.Dtype() != dtypeOf[T]() || !t.IsNativelyAccessible() {
		return device.Matrix[T]{}, fmt.Errorf("%s is a %T of %v, want a dense tensor of %v", what, v, v.Dtype(), dtypeOf[T]())
	}
	if shape := t.Shape(); shape.TotalSize() != rows*cols {
		return device.Matrix[T]{}, fmt.Errorf("%s has shape %v, want (%d, %d)", what, shape, rows, cols)
	}
	if data, err := values.Elements[T](t); err == nil {
		return device.MatrixOf(data, rows, cols), nil
	}
	if strides := t.Strides(); t.Dims() == 2 && len(strides) == 2 && strides[1] == 1 && strides[0] >= cols && !t.IsMasked() {
		return device.Matrix[T]{Data: elements[T](t), Rows: rows, Cols: cols, Stride: strides[0]}, nil
	}
	return device.MatrixOf(rowMajor[T](t), rows, cols), nil
}

// elements returns the memory of t, which has dtype T.
func elements[T device.Float](t *tensor.Dense) []T {
	var zero T
	if _, ok := any(zero).(float32); ok {
		return any(t.Float32s()).([]T)
	}
	return any(t.Float64s()).([]T)
}

// rowMajor copies the elements of t, whose strides are arbitrary.
func rowMajor[T device.Float](t *tensor.Dense) []T {
	data, shape, strides := elements[T](t), t.Shape(), t.Strides()
	out := make([]T, 0, shape.TotalSize())
	var from func(dim, offset int)
	from = func(dim, offset int) {
		for i := range shape[dim] {
			if at := offset + i*strides[dim]; dim == len(shape)-1 {
				out = append(out, data[at])
			} else {
				from(dim+1, at)
			}
		}
	}
	from(0, 0)
	return out
}

// roomFor returns a row-major tensor of the shape to write a result into: prev
// if it has that shape and dtype, or a new one.
func roomFor[T device.Float](prev gorgonia.Value, shape tensor.Shape) (*tensor.Dense, []T) {
	if t, ok := prev.(*tensor.Dense); ok && t.Dtype() == dtypeOf[T]() && slices.Equal(t.Shape(), shape) {
		if data, err := values.Elements[T](t); err == nil {
			return t, data
		}
	}
	t := tensor.New(tensor.WithShape(shape.Clone()...), tensor.Of(dtypeOf[T]()))
	return t, elements[T](t)
}

func otherDtype(v gorgonia.Value) error {
	return fmt.Errorf("dtype is %v, want float32 or float64", v.Dtype())
}

// product is op(A)·op(B), at most one of them transposed.
type product struct {
	transA, transB bool
	a, b, shape    tensor.Shape
}

func (c *product) keeps() bool { return true }

func (c *product) compute(results, args []gorgonia.Value) error {
	switch args[0].Dtype() {
	case tensor.Float32:
		return runProduct[float32](c, results, args)
	case tensor.Float64:
		return runProduct[float64](c, results, args)
	}
	return otherDtype(args[0])
}

func runProduct[T device.Float](c *product, results, args []gorgonia.Value) error {
	a, err := matrixOf[T]("A", args[0], c.a[0], c.a[1])
	if err != nil {
		return err
	}
	b, err := matrixOf[T]("B", args[1], c.b[0], c.b[1])
	if err != nil {
		return err
	}
	k, err := kernels[T]()
	if err != nil {
		return err
	}
	t, data := roomFor[T](results[0], c.shape)
	results[0] = t
	return multiply(k, device.MatrixOf(data, c.shape[0], c.shape[1]), a, b, c.transA, c.transB)
}

// multiply computes C = A·B, A·Bᵀ or Aᵀ·B: the product of a linear layer
// forward, or of the gradient of its weights.
func multiply[T device.Float](k device.Kernels[T], c, a, b device.Matrix[T], transA, transB bool) error {
	var none device.Matrix[T]
	if transA {
		return k.LinearBackward(none, c, nil, a, none, b, none, device.Activation{})
	}
	if transB {
		b.Rows, b.Cols, b.Transposed = b.Cols, b.Rows, true
	}
	return k.Linear(c, none, a, b, nil, device.Activation{})
}

// linear is Y = act(X·W + b), and Z = X·W + b if it is asked for.
//
//	X [rows, in]   W [in, out], or [out, in] if transposed   b [out], or as Y if wholeBias
type linear struct {
	act                          device.Activation
	transposed, wholeBias, keepZ bool
	rows, in, out                int
}

func (c *linear) keeps() bool { return true }

func (c *linear) compute(results, args []gorgonia.Value) error {
	switch args[0].Dtype() {
	case tensor.Float32:
		return runLinear[float32](c, results, args)
	case tensor.Float64:
		return runLinear[float64](c, results, args)
	}
	return otherDtype(args[0])
}

func runLinear[T device.Float](c *linear, results, args []gorgonia.Value) error {
	x, err := matrixOf[T]("X", args[0], c.rows, c.in)
	if err != nil {
		return err
	}
	w, err := weightsOf[T](args[1], c.in, c.out, c.transposed)
	if err != nil {
		return err
	}
	bRows := 1
	if c.wholeBias {
		bRows = c.rows
	}
	b, err := matrixOf[T]("b", args[2], bRows, c.out)
	if err != nil {
		return err
	}
	k, err := kernels[T]()
	if err != nil {
		return err
	}
	shape := tensor.Shape{c.rows, c.out}
	t, yData := roomFor[T](results[0], shape)
	results[0] = t
	y := device.MatrixOf(yData, c.rows, c.out)
	var z device.Matrix[T]
	if c.keepZ {
		t, data := roomFor[T](results[1], shape)
		results[1] = t
		z = device.MatrixOf(data, c.rows, c.out)
	}
	if !c.wholeBias {
		return k.Linear(y, z, x, w, b.Data[:c.out], c.act)
	}
	sum := y
	if z.Given() {
		sum = z
	}
	if err := k.Linear(sum, device.Matrix[T]{}, x, w, nil, device.Activation{}); err != nil {
		return err
	}
	for i := range c.rows {
		addTo(sum.Data[i*c.out:][:c.out], b.Data[i*b.Stride:][:c.out])
	}
	if z.Given() || c.act.Kind != device.Identity {
		return k.Activate(y.Data, sum.Data, c.act)
	}
	return nil
}

// weightsOf views v as W [in, out]; transposed, v is stored as [out, in].
func weightsOf[T device.Float](v gorgonia.Value, in, out int, transposed bool) (device.Matrix[T], error) {
	if !transposed {
		return matrixOf[T]("W", v, in, out)
	}
	w, err := matrixOf[T]("W", v, out, in)
	w.Rows, w.Cols, w.Transposed = in, out, true
	return w, err
}

// addTo adds b to a.
func addTo[T device.Float](a, b []T) {
	b = b[:len(a)]
	for i := range a {
		a[i] += b[i]
	}
}

// linearBackward computes those gradients of Y = act(X·W + b) that have a
// position in the results (−1 stands for none). With saved, the gradient of
// the activation is included; without, dy is dZ already.
type linearBackward struct {
	act             device.Activation
	rows, in, out   int
	x, w, dy, saved int // positions in the arguments
	dx, dw, db      int // positions in the results
	shapeOfDB       tensor.Shape
	// W, and its gradient, are stored as [out, in].
	wTransposed, dwTransposed bool
}

func (c *linearBackward) keeps() bool { return true }

func (c *linearBackward) compute(results, args []gorgonia.Value) error {
	switch args[0].Dtype() {
	case tensor.Float32:
		return runLinearBackward[float32](c, results, args)
	case tensor.Float64:
		return runLinearBackward[float64](c, results, args)
	}
	return otherDtype(args[0])
}

func runLinearBackward[T device.Float](c *linearBackward, results, args []gorgonia.Value) error {
	var x, w, saved, dx, dw device.Matrix[T]
	var db []T
	dy, err := matrixOf[T]("dY", args[c.dy], c.rows, c.out)
	if err != nil {
		return err
	}
	if c.saved >= 0 {
		if saved, err = matrixOf[T]("Y", args[c.saved], c.rows, c.out); err != nil {
			return err
		}
	}
	if c.dx >= 0 {
		if w, err = weightsOf[T](args[c.w], c.in, c.out, c.wTransposed); err != nil {
			return err
		}
		t, data := roomFor[T](results[c.dx], tensor.Shape{c.rows, c.in})
		results[c.dx], dx = t, device.MatrixOf(data, c.rows, c.in)
	}
	if c.dw >= 0 {
		if x, err = matrixOf[T]("X", args[c.x], c.rows, c.in); err != nil {
			return err
		}
		shape := tensor.Shape{c.in, c.out}
		if c.dwTransposed {
			shape = tensor.Shape{c.out, c.in}
		}
		t, _ := roomFor[T](results[c.dw], shape)
		results[c.dw] = t
		if dw, err = weightsOf[T](t, c.in, c.out, c.dwTransposed); err != nil {
			return err
		}
	}
	if c.db >= 0 {
		var t *tensor.Dense
		t, db = roomFor[T](results[c.db], c.shapeOfDB)
		results[c.db] = t
	}
	k, err := kernels[T]()
	if err != nil {
		return err
	}
	return k.LinearBackward(dx, dw, db, x, w, dy, saved, c.act)
}

// gorgonias tells whether an activation's derivative at 0 is 1, as Gorgonia has
// it, and not that of the kernels.
func gorgonias(act device.Activation) bool {
	return act.Kind == device.ReLU || act.Kind == device.LeakyReLU
}

// activationBackward computes dZ = dY ⊙ act'. Saved is Z for Rectify and
// LeakyRelu, whose derivative is Gorgonia's; it is what the kernels need
// otherwise.
type activationBackward struct {
	act   device.Activation
	shape tensor.Shape
}

func (c *activationBackward) keeps() bool { return true }

func (c *activationBackward) compute(results, args []gorgonia.Value) error {
	switch args[0].Dtype() {
	case tensor.Float32:
		return runActivationBackward[float32](c, results, args)
	case tensor.Float64:
		return runActivationBackward[float64](c, results, args)
	}
	return otherDtype(args[0])
}

func runActivationBackward[T device.Float](c *activationBackward, results, args []gorgonia.Value) error {
	dy, err := contiguous[T](args[0])
	if err != nil {
		return fmt.Errorf("dY: %w", err)
	}
	saved, err := contiguous[T](args[1])
	if err != nil {
		return fmt.Errorf("Y: %w", err)
	}
	if n := c.shape.TotalSize(); len(dy) != n || len(saved) != n {
		return fmt.Errorf("dY has shape %v and Y %v, want %v", args[0].Shape(), args[1].Shape(), c.shape)
	}
	t, dz := roomFor[T](results[0], c.shape)
	results[0] = t
	if !gorgonias(c.act) {
		k, err := kernels[T]()
		if err != nil {
			return err
		}
		return k.ActivationBackward(dz, dy, saved, c.act, 1)
	}
	if len(dz) < 2*elementsOfPart {
		deriveAsGorgonia(c.act, dz, dy, saved)
		return nil
	}
	cpu.Parallel(len(dz), elementsOfPart, func(lo, hi int) { deriveAsGorgonia(c.act, dz[lo:hi], dy[lo:hi], saved[lo:hi]) })
	return nil
}

func deriveAsGorgonia[T device.Float](act device.Activation, dz, dy, z []T) {
	if act.Kind == device.ReLU {
		maskNegative(dz, dy, z)
	} else {
		scaleNegative(dz, dy, z, T(act.Alpha))
	}
}

// number is a scalar that does not change.
type number struct{ value gorgonia.Value }

func newNumber(dt tensor.Dtype, x float64) computation {
	if dt == tensor.Float32 {
		return &number{gorgonia.NewF32(float32(x))}
	}
	return &number{gorgonia.NewF64(x)}
}

func (c *number) compute(results, _ []gorgonia.Value) error {
	results[0] = c.value
	return nil
}

func (c *number) keeps() bool { return false }
