package layer

import (
	"fmt"
	"slices"

	"github.com/affine-go/affine/layer/device"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// layout is how the operands of a linear layer are stored. The layer and all of
// its gradients have it in common; it turns values into the matrices that the
// device computes with, X [n, in], W [in, out] and Y [n, out], and back.
type layout struct {
	rank   int // of X
	weight weightForm
	bias   int // rank of b: [out] is 1, [1, out] is 2, a scalar 0; noBias
}

const noBias = -1

// weightForm is the way W is stored.
type weightForm uint8

const (
	inOut     weightForm = iota // [in, out]
	outIn                       // [out, in], WithTransposedWeight
	oneOutput                   // [in]: out is 1, and Y has no dimension for it
)

func (f weightForm) String() string {
	return [...]string{"[in, out]", "[out, in]", "[in]"}[f]
}

func (l layout) hasBias() bool { return l.bias != noBias }

func (l layout) withoutBias() layout {
	l.bias = noBias
	return l
}

// suffix is what tells two layouts apart that have the same ranks.
func (l layout) suffix() string {
	if l.weight == outIn {
		return ", transposed weight"
	}
	return ""
}

func (l layout) weightRank() int {
	if l.weight == oneOutput {
		return 1
	}
	return 2
}

// outRank is the rank of Y.
func (l layout) outRank() int {
	if l.weight == oneOutput {
		return l.rank - 1
	}
	return l.rank
}

// inAndOut returns the numbers of inputs and outputs of a weight of shape w.
func (l layout) inAndOut(w tensor.Shape) (in, out int) {
	switch l.weight {
	case outIn:
		return w[1], w[0]
	case oneOutput:
		return w[0], 1
	}
	return w[0], w[1]
}

func (l layout) weightShape(in, out int) tensor.Shape {
	switch l.weight {
	case outIn:
		return tensor.Shape{out, in}
	case oneOutput:
		return tensor.Shape{in}
	}
	return tensor.Shape{in, out}
}

func (l layout) biasShape(out int) tensor.Shape {
	return [...]tensor.Shape{{}, {out}, {1, out}}[l.bias]
}

// outShape is the shape of Y for the shape of X.
func (l layout) outShape(x tensor.Shape, out int) tensor.Shape {
	lead := x[:len(x)-1].Clone()
	if l.weight == oneOutput {
		return lead
	}
	return append(lead, out)
}

// check refuses shapes that do not fit, and says the cure if there is one.
// b is nil for a layer without bias.
func (l layout) check(x, w, b tensor.Shape) error {
	if len(x) == 0 {
		return fmt.Errorf("X is a scalar, want [..., in]")
	}
	if len(w) != l.weightRank() {
		return fmt.Errorf("W has shape %v, want %v", w, l.weight)
	}
	if l.weight == oneOutput && len(x) == 1 {
		return fmt.Errorf("X and W are vectors, %v and %v: reshape X to (1, %d)", x, w, x[0])
	}
	in, out := l.inAndOut(w)
	if last := x[len(x)-1]; last != in {
		cure := ""
		switch {
		case l.weight == inOut && last == out:
			cure = "; a weight that is stored [out, in] needs WithTransposedWeight"
		case l.weight == outIn && last == out:
			cure = "; a weight that is stored [in, out] needs no WithTransposedWeight"
		}
		return fmt.Errorf("X has shape %v and W %v: the last dimension of X is %d, want %d, the %s of W%s", x, w, last, in, [...]string{"rows", "columns", "length"}[l.weight], cure)
	}
	if b == nil || slices.Equal(b, l.biasShape(out)) {
		return nil
	}
	cure := fmt.Sprintf("; (1, %d) is taken too", out)
	switch {
	case len(b) == 2 && b[0] == out && b[1] == 1:
		cure = fmt.Sprintf("; reshape b to (1, %d)", out)
	case len(b) == 2 && b[1] == out:
		cure = "; for another bias in each row give no bias and use gorgonia.Add"
	}
	if l.weight == oneOutput && len(b) > 0 && b.TotalSize() != 1 {
		return fmt.Errorf("W has shape %v, want [in, out] for the outputs that b %v has", w, b)
	}
	part := [...]string{"for each column of", "for each row of", "for the only output of"}[l.weight]
	return fmt.Errorf("b has shape %v, want (%d), one value %s W %v%s", b, out, part, w, cure)
}

// layoutOf finds the layout that the nodes of a layer have. It is checked by
// layout.check.
func layoutOf(x, w, b *gorgonia.Node, transposed bool) (layout, error) {
	l := layout{rank: x.Dims(), bias: noBias}
	switch {
	case transposed:
		l.weight = outIn
	case w.Dims() == 1:
		l.weight = oneOutput
	}
	var shape tensor.Shape
	if b != nil {
		l.bias, shape = min(b.Dims(), 2), b.Shape()
		if b.Dims() == 0 {
			shape = tensor.Shape{}
		}
		if b.Dims() == 0 && l.weight != oneOutput {
			return l, fmt.Errorf("b is a scalar, want (out) or (1, out)")
		}
		if b.Dims() > 2 {
			return l, fmt.Errorf("b has shape %v, want (out) or (1, out)", shape)
		}
	}
	return l, l.check(x.Shape(), w.Shape(), shape)
}

// weightOf views a weight, or the gradient of one, as a matrix [in, out].
func weightOf[T device.Float](l layout, what string, v gorgonia.Value) (device.Matrix[T], error) {
	m, err := rowsOf[T](what, v)
	if err != nil {
		return m, err
	}
	switch l.weight {
	case outIn:
		m.Rows, m.Cols, m.Transposed = m.Cols, m.Rows, true
	case oneOutput:
		data, err := elementsOf[T](what, v)
		return device.MatrixOf(data, len(data), 1), err
	}
	return m, nil
}

// outputOf views Y, or what has its shape, as a matrix [n, out].
func outputOf[T device.Float](l layout, what string, v gorgonia.Value) (device.Matrix[T], error) {
	if l.weight == oneOutput {
		data, err := elementsOf[T](what, v)
		return device.MatrixOf(data, len(data), 1), err
	}
	return rowsOf[T](what, v)
}

// biasOf returns the elements of b, which may be a scalar.
func biasOf[T device.Float](what string, v gorgonia.Value) ([]T, error) {
	if v.Shape().Dims() == 0 {
		b, err := scalarOf[T](what, v)
		return []T{b}, err
	}
	return elementsOf[T](what, v)
}

// roomForOutput is roomFor a result of the shape of Y for an X of shape x.
func roomForOutput[T device.Float](l layout, dev device.Device, prev gorgonia.Value, x tensor.Shape, out int) (*tensor.Dense, device.Matrix[T], error) {
	lead := x[:len(x)-1]
	if l.weight != oneOutput {
		return roomFor[T](dev, prev, lead, out)
	}
	t, m, err := roomFor[T](dev, prev, lead, -1)
	m.Rows, m.Cols, m.Stride = m.Rows*m.Cols, 1, 1
	return t, m, err
}

// roomForInput is roomFor a result of the shape of X, given that of Y.
func roomForInput[T device.Float](l layout, dev device.Device, prev gorgonia.Value, y tensor.Shape, in int) (*tensor.Dense, device.Matrix[T], error) {
	if l.weight != oneOutput {
		y = y[:len(y)-1]
	}
	return roomFor[T](dev, prev, y, in)
}

// roomForWeight is roomFor a gradient of the shape of W, as a matrix [in, out].
func roomForWeight[T device.Float](l layout, dev device.Device, prev gorgonia.Value, in, out int) (*tensor.Dense, device.Matrix[T], error) {
	lead, last := [1]int{in}, out
	switch l.weight {
	case outIn:
		lead, last = [1]int{out}, in
	case oneOutput:
		last = -1
	}
	t, m, err := roomFor[T](dev, prev, lead[:], last)
	switch l.weight {
	case outIn:
		m.Rows, m.Cols, m.Transposed = in, out, true
	case oneOutput:
		m.Rows, m.Cols, m.Stride = in, 1, 1
	}
	return t, m, err
}

// roomForBias is roomFor a gradient of the shape of b. Of a scalar, value is nil:
// scalarValue takes the element later.
func roomForBias[T device.Float](l layout, dev device.Device, prev gorgonia.Value, out int) (value gorgonia.Value, db []T, err error) {
	lead, last := [1]int{out}, -1
	switch l.bias {
	case 0:
		return nil, make([]T, 1), nil
	case 2:
		lead, last = [1]int{1}, out
	}
	t, m, err := roomFor[T](dev, prev, lead[:], last)
	return t, m.Data, err
}
