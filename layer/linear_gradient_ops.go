package layer

import (
	"fmt"
	"slices"

	"github.com/affine-go/affine/layer/device"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// activationBackwardOp is dZ = dY ⊙ D(A): order 1 takes the derivative of act,
// order 2 the derivative of that. A is Y or Z, whichever act' is written in.
//
//	dY [..., out]   A [..., out]   dZ [..., out]
type activationBackwardOp struct {
	signature
	act   Activation
	order int
}

func newActivationBackwardOp(rank int, act Activation, order int, dev device.Device) *activationBackwardOp {
	op := &activationBackwardOp{act: act, order: order}
	op.signature = signature{
		label: fmt.Sprintf("activationBackward(%v, order %d)", act, order),
		ranks: []int{rank, rank}, out: rank, dev: dev,
		float32: func(prev gorgonia.Value, in []gorgonia.Value) (gorgonia.Value, error) {
			return activationBackward[float32](op, prev, in)
		},
		float64: func(prev gorgonia.Value, in []gorgonia.Value) (gorgonia.Value, error) {
			return activationBackward[float64](op, prev, in)
		},
	}
	return op
}

func (op *activationBackwardOp) InferShape(inputs ...gorgonia.DimSizer) (tensor.Shape, error) {
	s, err := op.shapes(inputs)
	if err != nil {
		return nil, err
	}
	if !s[0].Eq(s[1]) {
		return nil, fmt.Errorf("%s: dY has shape %v and Y %v, want the same", op, s[0], s[1])
	}
	return s[0].Clone(), nil
}

func activationBackward[T device.Float](op *activationBackwardOp, prev gorgonia.Value, in []gorgonia.Value) (gorgonia.Value, error) {
	dy, err := elementsOf[T]("dY", in[0])
	if err != nil {
		return nil, err
	}
	a, err := elementsOf[T]("Y", in[1])
	if err != nil {
		return nil, err
	}
	dz, dzm, err := roomFor[T](op.dev, prev, in[0].Shape(), -1)
	if err != nil {
		return nil, err
	}
	return dz, device.For[T](op.dev).ActivationBackward(dzm.Data, dy, a, op.act.spec, op.order)
}

// DiffWRT says that both inputs have gradients.
func (op *activationBackwardOp) DiffWRT(int) []bool { return []bool{true, true} }

// next is the op whose D is the derivative of this one's. From the second
// derivative on, that of a piecewise linear activation is zero.
func (op *activationBackwardOp) next() (*activationBackwardOp, error) {
	order := op.order + 1
	if order > 2 {
		if k := op.act.spec.Kind; k != device.ReLU && k != device.LeakyReLU {
			return nil, fmt.Errorf("%s: third derivatives of %v are not available, only first and second", op, op.act)
		}
		order = 2
	}
	return newActivationBackwardOp(op.out, op.act, order, op.dev), nil
}

// SymDiff gives G ⊙ D(A) by dY and G ⊙ dY ⊙ D'(A) by A.
func (op *activationBackwardOp) SymDiff(inputs gorgonia.Nodes, _, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	dy, a := inputs[0], inputs[1]
	byDY, err := gorgonia.ApplyOp(newActivationBackwardOp(op.out, op.act, op.order, op.dev), grad, a)
	if err != nil {
		return nil, err
	}
	next, err := op.next()
	if err != nil {
		return nil, err
	}
	product, err := gorgonia.HadamardProd(grad, dy)
	if err != nil {
		return nil, err
	}
	byA, err := gorgonia.ApplyOp(next, product, a)
	return gorgonia.Nodes{byDY, byA}, err
}

// DoDiff adds the same gradients to the dual values of the inputs.
func (op *activationBackwardOp) DoDiff(_ gorgonia.ExecutionContext, inputs gorgonia.Nodes, output *gorgonia.Node) error {
	grad, err := output.Grad()
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	dy, a := inputs[0], inputs[1]
	byDY, err := op.Do(grad, a.Value())
	if err != nil {
		return err
	}
	next, err := op.next()
	if err != nil {
		return err
	}
	product, err := tensor.Mul(grad, dy.Value())
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	byA, err := next.Do(product, a.Value())
	if err != nil {
		return err
	}
	if err := accumulate(dy, byDY); err != nil {
		return err
	}
	return accumulate(a, byA)
}

// newInputBackwardOp returns the op dX = dZ·Wᵀ.
//
//	dZ [..., out]   W [in, out]   dX [..., in]
//
// With G the gradient of dX, its own gradients are G·W by dZ and Gᵀ·dZ by W.
func newInputBackwardOp(rank int, dev device.Device) *derivedOp {
	return &derivedOp{
		signature: signature{label: "linearInputBackward", ranks: []int{rank, 2}, out: rank, dev: dev,
			float32: inputBackward[float32](dev), float64: inputBackward[float64](dev)},
		role: inputGradient,
		infer: func(s []tensor.Shape) (tensor.Shape, error) {
			dz, w := s[0], s[1]
			if len(dz) == 0 || len(w) != 2 || dz[len(dz)-1] != w[1] {
				return nil, fmt.Errorf("dZ has shape %v and W %v, want [..., out] and [in, out]", dz, w)
			}
			dx := dz.Clone()
			dx[len(dx)-1] = w[0]
			return dx, nil
		},
		derivatives: func() []*derivative {
			return []*derivative{
				{newLinearOp(rank, Identity, false, true, dev), []operand{theGrad, 1}},
				{newWeightBackwardOp(rank, dev), []operand{theGrad, 0}},
			}
		},
	}
}

func inputBackward[T device.Float](dev device.Device) body {
	return func(prev gorgonia.Value, in []gorgonia.Value) (gorgonia.Value, error) {
		dz, err := rowsOf[T]("dZ", in[0])
		if err != nil {
			return nil, err
		}
		w, err := rowsOf[T]("W", in[1])
		if err != nil {
			return nil, err
		}
		shape := in[0].Shape()
		dx, dxm, err := roomFor[T](dev, prev, shape[:len(shape)-1], w.Rows)
		if err != nil {
			return nil, err
		}
		var none device.Matrix[T]
		return dx, device.For[T](dev).LinearBackward(dxm, none, nil, none, w, dz, none, device.Activation{})
	}
}

// newWeightBackwardOp returns the op dW = Xᵀ·dZ, summed over all leading dimensions.
//
//	X [..., in]   dZ [..., out]   dW [in, out]
//
// With G the gradient of dW, its own gradients are dZ·Gᵀ by X and X·G by dZ.
func newWeightBackwardOp(rank int, dev device.Device) *derivedOp {
	return &derivedOp{
		signature: signature{label: "linearWeightBackward", ranks: []int{rank, rank}, out: 2, dev: dev,
			float32: weightBackward[float32](dev), float64: weightBackward[float64](dev)},
		role: weightGradient,
		infer: func(s []tensor.Shape) (tensor.Shape, error) {
			x, dz := s[0], s[1]
			last := len(x) - 1
			if last < 0 || len(dz) != len(x) || !slices.Equal(x[:last], dz[:last]) {
				return nil, fmt.Errorf("X has shape %v and dZ %v, want [..., in] and [..., out]", x, dz)
			}
			return tensor.Shape{x[last], dz[last]}, nil
		},
		derivatives: func() []*derivative {
			return []*derivative{
				{newInputBackwardOp(rank, dev), []operand{1, theGrad}},
				{newLinearOp(rank, Identity, false, true, dev), []operand{0, theGrad}},
			}
		},
	}
}

func weightBackward[T device.Float](dev device.Device) body {
	return func(prev gorgonia.Value, in []gorgonia.Value) (gorgonia.Value, error) {
		x, err := rowsOf[T]("X", in[0])
		if err != nil {
			return nil, err
		}
		dz, err := rowsOf[T]("dZ", in[1])
		if err != nil {
			return nil, err
		}
		lead := [1]int{x.Cols}
		dw, dwm, err := roomFor[T](dev, prev, lead[:], dz.Cols)
		if err != nil {
			return nil, err
		}
		var none device.Matrix[T]
		return dw, device.For[T](dev).LinearBackward(none, dwm, nil, x, none, dz, none, device.Activation{})
	}
}

// newBiasBackwardOp returns the op db = Σ of dZ over all leading dimensions.
//
//	dZ [..., out]   db [out]
//
// Its own gradient is that of db copied into every row.
func newBiasBackwardOp(rank int, dev device.Device) *derivedOp {
	return &derivedOp{
		signature: signature{label: "linearBiasBackward", ranks: []int{rank}, out: 1, dev: dev,
			float32: biasBackward[float32](dev), float64: biasBackward[float64](dev)},
		role: biasGradient,
		infer: func(s []tensor.Shape) (tensor.Shape, error) {
			if len(s[0]) == 0 {
				return nil, fmt.Errorf("dZ is a scalar, want [..., out]")
			}
			return tensor.Shape{s[0][len(s[0])-1]}, nil
		},
		derivatives: func() []*derivative {
			return []*derivative{{newBroadcastRowsOp(rank, dev), []operand{theGrad, 0}}}
		},
	}
}

func biasBackward[T device.Float](dev device.Device) body {
	return func(prev gorgonia.Value, in []gorgonia.Value) (gorgonia.Value, error) {
		dz, err := rowsOf[T]("dZ", in[0])
		if err != nil {
			return nil, err
		}
		shape := [1]int{dz.Cols}
		db, dbm, err := roomFor[T](dev, prev, shape[:], -1)
		if err != nil {
			return nil, err
		}
		var none device.Matrix[T]
		return db, device.For[T](dev).LinearBackward(none, none, dbm.Data, none, none, dz, none, device.Activation{})
	}
}

// newBroadcastRowsOp returns the op that copies v into every row of a tensor
// shaped like its second input, whose values it does not read.
//
//	v [out]   like [..., out]   result [..., out]
func newBroadcastRowsOp(rank int, dev device.Device) *derivedOp {
	return &derivedOp{
		signature: signature{label: "broadcastRows", ranks: []int{1, rank}, out: rank, dev: dev,
			float32: broadcastRows[float32](dev), float64: broadcastRows[float64](dev)},
		infer: func(s []tensor.Shape) (tensor.Shape, error) {
			v, like := s[0], s[1]
			if len(v) != 1 || len(like) == 0 || like[len(like)-1] != v[0] {
				return nil, fmt.Errorf("got shapes %v and %v, want [out] and [..., out]", v, like)
			}
			return like.Clone(), nil
		},
		derivatives: func() []*derivative {
			return []*derivative{{newBiasBackwardOp(rank, dev), []operand{theGrad}}, nil}
		},
	}
}

func broadcastRows[T device.Float](dev device.Device) body {
	return func(prev gorgonia.Value, in []gorgonia.Value) (gorgonia.Value, error) {
		v, err := vectorOf[T]("v", in[0])
		if err != nil {
			return nil, err
		}
		y, ym, err := roomFor[T](dev, prev, in[1].Shape(), -1)
		if err != nil {
			return nil, err
		}
		return y, device.For[T](dev).BroadcastRows(ym, v)
	}
}
