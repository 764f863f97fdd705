package vm

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unsafe"

	"github.com/affine-go/affine/internal/cpu"
	"github.com/affine-go/affine/internal/values"
	"github.com/affine-go/affine/layer/device"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// manyElements is the number of elements from which on an activation by itself
// is computed by the device.
const manyElements = 1024

// matchElementwise recognises ops that compute element by element on large
// tensors. They are computed as Gorgonia does, but into memory that is kept.
func (f *fusion) matchElementwise(n *gorgonia.Node) *part {
	if n.IsScalar() || !isFloat(n) || n.Shape().TotalSize() < smallTensor {
		return nil
	}
	args := f.args[n]
	c := &elementwise{shape: n.Shape()}
	if act, z := f.activationOf(n); z != nil && z.Shape().Eq(n.Shape()) {
		switch act.Kind {
		case device.ReLU:
			c.op = 'r'
		case device.LeakyReLU, device.SiLU: // several ops
			c.op, c.act = 'a', act
		}
		if c.op != 0 {
			return &part{outputs: gorgonia.Nodes{n}, inputs: gorgonia.Nodes{z}, what: activationName(act), make: func() computation { return c }}
		}
	}
	switch name, text := builtin(n); {
	case name == "elemBinOp" && len(args) == 2:
		switch text {
		case "+ false":
			c.op = '+'
		case "- false":
			c.op = '-'
		case "⊙ false":
			c.op = '*'
		default:
			return nil
		}
		c.left, c.right = args[0].IsScalar(), args[1].IsScalar()
		for i, scalar := range []bool{c.left, c.right} {
			if !scalar && !args[i].Shape().Eq(n.Shape()) {
				return nil
			}
		}
	case name == "elemUnaryOp" && (text == "neg" || text == "square"):
		c.op = rune(text[0])
	case name == "elemUnaryOp" && (text == "tanh" || text == "sigmoid" || text == "softplus") && n.Shape().TotalSize() >= manyElements:
		c.op = 'a'
		c.act, _ = f.activationOf(n)
	case name == "repeatOp" && len(args) == 2:
		return f.matchRepeat(n, text)
	case name == "transposeOp":
		return f.matchTranspose(n, text)
	default:
		return nil
	}
	return &part{outputs: gorgonia.Nodes{n}, inputs: args, make: func() computation { return c }}
}

// elementwise computes c = a op b or c = op(a). One of a and b may be a scalar.
type elementwise struct {
	op          rune // + - * of two arguments, n(eg), s(quare), r(elu), a(ctivation) of one
	left, right bool // the argument is a scalar
	act         device.Activation
	shape       tensor.Shape
}

func (c *elementwise) keeps() bool { return true }

func (c *elementwise) compute(results, args []gorgonia.Value) error {
	switch args[0].Dtype() {
	case tensor.Float32:
		return runElementwise[float32](c, results, args)
	case tensor.Float64:
		return runElementwise[float64](c, results, args)
	}
	return otherDtype(args[0])
}

func runElementwise[T device.Float](c *elementwise, results, args []gorgonia.Value) error {
	var operands [2][]T
	for i, v := range args {
		x, err := contiguous[T](v)
		if err != nil {
			return err
		}
		want := c.shape.TotalSize()
		if i == 0 && c.left || i == 1 && c.right {
			want = 1
		}
		if len(x) != want {
			return fmt.Errorf("argument %d has shape %v, want %d elements", i, v.Shape(), want)
		}
		operands[i] = x
	}
	t, y := roomFor[T](results[0], c.shape)
	results[0] = t
	if c.op == 'a' {
		k, err := kernels[T]()
		if err != nil {
			return err
		}
		return k.Activate(y, operands[0], c.act)
	}
	if len(y) < 2*elementsOfPart {
		runLoop(c, y, operands, 0, len(y))
		return nil
	}
	cpu.Parallel(len(y), elementsOfPart, func(lo, hi int) { runLoop(c, y, operands, lo, hi) })
	return nil
}

// elementsOfPart is how many elements of a loop one part has, if threads share
// it: some 15 µs, three times what waking a thread takes.
const elementsOfPart = 1 << 15

// runLoop computes elements lo to hi.
func runLoop[T device.Float](c *elementwise, y []T, operands [2][]T, lo, hi int) {
	y = y[lo:hi]
	a, b := operands[0], operands[1]
	if !c.left {
		a = a[lo:hi]
	}
	if b != nil && !c.right {
		b = b[lo:hi]
	}
	switch {
	case c.op == 'r':
		maskNegative(y, a, a)
	case c.op == 'n':
		for i := range y {
			y[i] = -a[i]
		}
	case c.op == 's':
		for i := range y {
			y[i] = a[i] * a[i]
		}
	case c.left && c.op == '+':
		addNumber(y, b, a[0])
	case c.left && c.op == '-':
		for i := range y {
			y[i] = a[0] - b[i]
		}
	case c.left:
		multiplyNumber(y, b, a[0])
	case c.right && c.op == '+':
		addNumber(y, a, b[0])
	case c.right && c.op == '-':
		addNumber(y, a, -b[0])
	case c.right:
		multiplyNumber(y, a, b[0])
	case c.op == '+':
		a, b = a[:len(y)], b[:len(y)]
		for i := range y {
			y[i] = a[i] + b[i]
		}
	case c.op == '-':
		a, b = a[:len(y)], b[:len(y)]
		for i := range y {
			y[i] = a[i] - b[i]
		}
	default:
		a, b = a[:len(y)], b[:len(y)]
		for i := range y {
			y[i] = a[i] * b[i]
		}
	}
}

func addNumber[T device.Float](y, a []T, x T) {
	a = a[:len(y)]
	for i := range y {
		y[i] = a[i] + x
	}
}

func multiplyNumber[T device.Float](y, a []T, x T) {
	a = a[:len(y)]
	for i := range y {
		y[i] = a[i] * x
	}
}

// contiguous returns the elements of v in row-major order.
func contiguous[T device.Float](v gorgonia.Value) ([]T, error) {
	x, err := values.Elements[T](v)
	if err == nil {
		return x, nil
	}
	if t, ok := v.(*tensor.Dense); ok && t.Dtype() == dtypeOf[T]() && t.IsNativelyAccessible() && !t.IsMasked() && len(t.Strides()) == t.Dims() {
		return rowMajor[T](t), nil
	}
	return nil, err
}

// matchRepeat recognises the op of a broadcast: every element is repeated along
// one dimension.
func (f *fusion) matchRepeat(n *gorgonia.Node, text string) *part {
	from := f.args[n][0]
	var along int
	if _, err := fmt.Sscanf(text, "Repeat%d", &along); err != nil || from.Dims() != n.Dims() || along >= n.Dims() {
		return nil
	}
	c := &repeat{shape: n.Shape(), outer: 1, inner: 1, count: n.Shape()[along] / max(from.Shape()[along], 1)}
	for i, d := range from.Shape() {
		switch {
		case i == along && d*c.count != n.Shape()[i], i != along && d != n.Shape()[i]:
			return nil
		case i <= along:
			c.outer *= d
		default:
			c.inner *= d
		}
	}
	return &part{outputs: gorgonia.Nodes{n}, inputs: gorgonia.Nodes{from}, make: func() computation { return c }}
}

// repeat copies each of outer blocks of inner elements count times.
type repeat struct {
	outer, count, inner int
	shape               tensor.Shape
}

func (c *repeat) keeps() bool { return true }

func (c *repeat) compute(results, args []gorgonia.Value) error {
	switch args[0].Dtype() {
	case tensor.Float32:
		return runRepeat[float32](c, results, args)
	case tensor.Float64:
		return runRepeat[float64](c, results, args)
	}
	return otherDtype(args[0])
}

func runRepeat[T device.Float](c *repeat, results, args []gorgonia.Value) error {
	x, err := contiguous[T](args[0])
	if err != nil {
		return err
	}
	if len(x) != c.outer*c.inner {
		return fmt.Errorf("argument has shape %v, want %d elements", args[0].Shape(), c.outer*c.inner)
	}
	t, y := roomFor[T](results[0], c.shape)
	results[0] = t
	for i := range c.outer {
		block := x[i*c.inner:][:c.inner]
		for range c.count {
			copy(y, block)
			y = y[c.inner:]
		}
	}
	return nil
}

// matchTranspose recognises a transposition that is part of no product.
func (f *fusion) matchTranspose(n *gorgonia.Node, text string) *part {
	from := f.args[n][0]
	c := &transpose{from: from.Shape(), shape: n.Shape(), pattern: make([]int, n.Dims())}
	fields := strings.FieldsFunc(text, func(r rune) bool { return r < '0' || r > '9' })
	if len(fields) != n.Dims() || from.Dims() != n.Dims() {
		return nil
	}
	for i, field := range fields {
		d, err := strconv.Atoi(field)
		if err != nil || d >= from.Dims() || from.Shape()[d] != n.Shape()[i] {
			return nil
		}
		c.pattern[i] = d
	}
	return &part{outputs: gorgonia.Nodes{n}, inputs: gorgonia.Nodes{from}, make: func() computation { return c }}
}

// transpose permutes dimensions: dimension i of the result is dimension
// pattern[i] of the argument.
type transpose struct {
	from, shape tensor.Shape
	pattern     []int
}

func (c *transpose) keeps() bool { return true }

func (c *transpose) compute(results, args []gorgonia.Value) error {
	switch args[0].Dtype() {
	case tensor.Float32:
		return runTranspose[float32](c, results, args)
	case tensor.Float64:
		return runTranspose[float64](c, results, args)
	}
	return otherDtype(args[0])
}

func runTranspose[T device.Float](c *transpose, results, args []gorgonia.Value) error {
	x, err := contiguous[T](args[0])
	if err != nil {
		return err
	}
	if len(x) != c.shape.TotalSize() {
		return fmt.Errorf("argument has shape %v, want %v", args[0].Shape(), c.from)
	}
	t, y := roomFor[T](results[0], c.shape)
	results[0] = t
	distance := make([]int, len(c.from)) // between neighbours in the argument
	step := 1
	for i := len(c.from) - 1; i >= 0; i-- {
		distance[i] = step
		step *= c.from[i]
	}
	last := len(c.shape) - 1
	var write func(dim, offset int)
	write = func(dim, offset int) {
		by := distance[c.pattern[dim]]
		if dim < last {
			for i := range c.shape[dim] {
				write(dim+1, offset+i*by)
			}
			return
		}
		row := y[:c.shape[last]]
		y = y[len(row):]
		if by == 1 {
			copy(row, x[offset:])
			return
		}
		for i := range row {
			row[i] = x[offset+i*by]
		}
	}
	write(0, 0)
	return nil
}

// exponential is exp(x) of each element.
type exponential struct{}

func (*exponential) keeps() bool { return true }

func (*exponential) compute(results, args []gorgonia.Value) error {
	switch args[0].Dtype() {
	case tensor.Float32:
		return runExponential[float32](results, args)
	case tensor.Float64:
		return runExponential[float64](results, args)
	}
	return otherDtype(args[0])
}

func runExponential[T device.Float](results, args []gorgonia.Value) error {
	x, err := values.Elements[T](args[0])
	if err != nil {
		return err
	}
	t, y := roomFor[T](results[0], args[0].Shape())
	results[0] = t
	for i, v := range x {
		y[i] = T(math.Exp(float64(v)))
	}
	return nil
}

// maskNegative computes dz = dy where z ≥ 0, and 0 elsewhere. The sign bit
// decides, without a branch that a processor could not foresee; adding 0 makes
// −0 a 0.
func maskNegative[T device.Float](dz, dy, z []T) {
	if len(dz) == 0 {
		return
	}
	switch unsafe.Sizeof(dz[0]) {
	case 4:
		dz, dy, z := any(dz).([]float32), any(dy).([]float32), any(z).([]float32)
		dy, z = dy[:len(dz)], z[:len(dz)]
		for i := range dz {
			negative := uint32(int32(math.Float32bits(z[i]+0)) >> 31)
			dz[i] = math.Float32frombits(math.Float32bits(dy[i]) &^ negative)
		}
	default:
		dz, dy, z := any(dz).([]float64), any(dy).([]float64), any(z).([]float64)
		dy, z = dy[:len(dz)], z[:len(dz)]
		for i := range dz {
			negative := uint64(int64(math.Float64bits(z[i]+0)) >> 63)
			dz[i] = math.Float64frombits(math.Float64bits(dy[i]) &^ negative)
		}
	}
}

// scaleNegative computes dz = dy where z ≥ 0, and alpha·dy elsewhere.
func scaleNegative[T device.Float](dz, dy, z []T, alpha T) {
	factors := [2]T{1, alpha}
	dy, z = dy[:len(dz)], z[:len(dz)]
	for i := range dz {
		negative := math.Float64bits(float64(z[i]+0)) >> 63
		dz[i] = dy[i] * factors[negative]
	}
}
