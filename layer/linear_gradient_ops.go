package layer

import (
	"fmt"
	"slices"

	"github.com/affine-go/affine/layer/device"
	"github.com/affine-go/affine/layer/internal/autodiff"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// activationBackwardOp is dZ = dY ⊙ D(saved): order 1 takes the derivative of act,
// order 2 the derivative of that. saved is what act' is written in, Y or Z.
//
//	dY [..., out]   saved [..., out]   dZ [..., out]
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
		return nil, fmt.Errorf("%s: dY has shape %v and %v %v, want the same", op, s[0], op.act.spec.Kind.Saved(), s[1])
	}
	return s[0].Clone(), nil
}

func activationBackward[T device.Float](op *activationBackwardOp, prev gorgonia.Value, in []gorgonia.Value) (gorgonia.Value, error) {
	dy, err := elementsOf[T]("dY", in[0])
	if err != nil {
		return nil, err
	}
	saved, err := elementsOf[T](op.act.spec.Kind.Saved().String(), in[1])
	if err != nil {
		return nil, err
	}
	dz, dzm, err := roomFor[T](op.dev, prev, in[0].Shape(), -1)
	if err != nil {
		return nil, err
	}
	return dz, device.For[T](op.dev).ActivationBackward(dzm.Data, dy, saved, op.act.spec, op.order)
}

// DiffWRT says that both inputs have gradients.
func (op *activationBackwardOp) DiffWRT(int) []bool { return []bool{true, true} }

// Dependences says that both inputs have gradients.
func (op *activationBackwardOp) Dependences() []autodiff.Dependence {
	return []autodiff.Dependence{autodiff.Smooth, autodiff.Smooth}
}

// next is the op whose D is the derivative of this one's. From the second
// derivative on, that of a piecewise linear activation is zero. It is nil if
// the device has no kernel for it.
func (op *activationBackwardOp) next() *activationBackwardOp {
	order := op.order + 1
	if order > 2 {
		if k := op.act.spec.Kind; k != device.ReLU && k != device.LeakyReLU {
			return nil
		}
		order = 2
	}
	return newActivationBackwardOp(op.out, op.act, order, op.dev)
}

// SymDiff gives G ⊙ D(saved) by dY and G ⊙ dY ⊙ D'(saved) by saved.
func (op *activationBackwardOp) SymDiff(inputs gorgonia.Nodes, output, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	if err := refuseSecondGrad(op, inputs); err != nil {
		return nil, err
	}
	return op.Gradients([]bool{true, true}, inputs, output, grad)
}

// Gradients are those of SymDiff that are wanted.
func (op *activationBackwardOp) Gradients(wanted []bool, inputs gorgonia.Nodes, _, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	dy, saved := inputs[0], inputs[1]
	grads := make(gorgonia.Nodes, 2)
	var err error
	if wanted[0] {
		if grads[0], err = gorgonia.ApplyOp(newActivationBackwardOp(op.out, op.act, op.order, op.dev), grad, saved); err != nil {
			return nil, err
		}
	}
	if !wanted[1] {
		return grads, nil
	}
	product, err := gorgonia.HadamardProd(grad, dy)
	if err != nil {
		return nil, err
	}
	if next := op.next(); next != nil {
		grads[1], err = gorgonia.ApplyOp(next, product, saved)
		return grads, err
	}
	e := newExpression(saved)
	grads[1] = e.timesThirdDerivative(op.act, product, saved)
	return grads, e.Err
}

// DoDiff adds the same gradients to the dual values of the inputs.
func (op *activationBackwardOp) DoDiff(_ gorgonia.ExecutionContext, inputs gorgonia.Nodes, output *gorgonia.Node) error {
	grad, err := output.Grad()
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	dy, saved := inputs[0], inputs[1]
	byDY, err := op.Do(grad, saved.Value())
	if err != nil {
		return err
	}
	next := op.next()
	if next == nil {
		return fmt.Errorf("%s: third derivatives of %v are not available on a LispMachine, only first and second", op, op.act)
	}
	product, err := tensor.Mul(grad, dy.Value())
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	bySaved, err := next.Do(product, saved.Value())
	if err != nil {
		return err
	}
	if err := accumulate(dy, byDY); err != nil {
		return err
	}
	return accumulate(saved, bySaved)
}

// newInputBackwardOp returns the op dX = dZ·Wᵀ.
//
//	dZ [..., out]   W [in, out]   dX [..., in]
//
// With G the gradient of dX, its own gradients are G·W by dZ and Gᵀ·dZ by W.
func newInputBackwardOp(l layout, dev device.Device) *derivedOp {
	l = l.withoutBias()
	return &derivedOp{
		signature: signature{label: "linearInputBackward" + l.suffix(), ranks: []int{l.outRank(), l.weightRank()}, out: l.rank, dev: dev,
			float32: inputBackward[float32](l, dev), float64: inputBackward[float64](l, dev)},
		role: inputGradient, layout: l,
		infer: func(s []tensor.Shape) (tensor.Shape, error) {
			dz, w := s[0], s[1]
			in, out := l.inAndOut(w)
			dx := append(dz.Clone(), in)
			if l.weight != oneOutput {
				dx = append(dz[:len(dz)-1].Clone(), in)
			}
			if !slices.Equal(l.outShape(dx, out), dz) {
				return nil, fmt.Errorf("dZ has shape %v and W %v, want [..., out] and %v", dz, w, l.weight)
			}
			return dx, nil
		},
		derivatives: func() []*derivative {
			return []*derivative{
				{newLinearOp(l, Identity, true, dev), []operand{theGrad, 1}},
				{newWeightBackwardOp(l, dev), []operand{theGrad, 0}},
			}
		},
	}
}

func inputBackward[T device.Float](l layout, dev device.Device) body {
	return func(prev gorgonia.Value, in []gorgonia.Value) (gorgonia.Value, error) {
		dz, err := outputOf[T](l, "dZ", in[0])
		if err != nil {
			return nil, err
		}
		w, err := weightOf[T](l, "W", in[1])
		if err != nil {
			return nil, err
		}
		dx, dxm, err := roomForInput[T](l, dev, prev, in[0].Shape(), w.Rows)
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
func newWeightBackwardOp(l layout, dev device.Device) *derivedOp {
	l = l.withoutBias()
	return &derivedOp{
		signature: signature{label: "linearWeightBackward" + l.suffix(), ranks: []int{l.rank, l.outRank()}, out: l.weightRank(), dev: dev,
			float32: weightBackward[float32](l, dev), float64: weightBackward[float64](l, dev)},
		role: weightGradient, layout: l,
		infer: func(s []tensor.Shape) (tensor.Shape, error) {
			x, dz := s[0], s[1]
			out := 1
			if l.weight != oneOutput {
				out = dz[len(dz)-1]
			}
			if !slices.Equal(l.outShape(x, out), dz) {
				return nil, fmt.Errorf("X has shape %v and dZ %v, want [..., in] and [..., out]", x, dz)
			}
			return l.weightShape(x[len(x)-1], out), nil
		},
		derivatives: func() []*derivative {
			return []*derivative{
				{newInputBackwardOp(l, dev), []operand{1, theGrad}},
				{newLinearOp(l, Identity, true, dev), []operand{0, theGrad}},
			}
		},
	}
}

func weightBackward[T device.Float](l layout, dev device.Device) body {
	return func(prev gorgonia.Value, in []gorgonia.Value) (gorgonia.Value, error) {
		x, err := rowsOf[T]("X", in[0])
		if err != nil {
			return nil, err
		}
		dz, err := outputOf[T](l, "dZ", in[1])
		if err != nil {
			return nil, err
		}
		dw, dwm, err := roomForWeight[T](l, dev, prev, x.Cols, dz.Cols)
		if err != nil {
			return nil, err
		}
		var none device.Matrix[T]
		return dw, device.For[T](dev).LinearBackward(none, dwm, nil, x, none, dz, none, device.Activation{})
	}
}

// newBiasBackwardOp returns the op db = Σ of dZ over all leading dimensions, in
// the shape of b.
//
//	dZ [..., out]   db [out]
//
// Its own gradient is that of db copied into every row.
func newBiasBackwardOp(l layout, dev device.Device) *derivedOp {
	return &derivedOp{
		signature: signature{label: "linearBiasBackward", ranks: []int{l.outRank()}, out: l.bias, dev: dev,
			float32: biasBackward[float32](l, dev), float64: biasBackward[float64](l, dev)},
		role: biasGradient, layout: l,
		infer: func(s []tensor.Shape) (tensor.Shape, error) {
			dz := s[0]
			if len(dz) == 0 {
				return nil, fmt.Errorf("dZ is a scalar, want [..., out]")
			}
			if l.weight == oneOutput {
				return l.biasShape(1), nil
			}
			return l.biasShape(dz[len(dz)-1]), nil
		},
		derivatives: func() []*derivative {
			return []*derivative{{newBroadcastRowsOp(l, dev), []operand{theGrad, 0}}}
		},
	}
}

func biasBackward[T device.Float](l layout, dev device.Device) body {
	return func(prev gorgonia.Value, in []gorgonia.Value) (gorgonia.Value, error) {
		dz, err := outputOf[T](l, "dZ", in[0])
		if err != nil {
			return nil, err
		}
		value, db, err := roomForBias[T](l, dev, prev, dz.Cols)
		if err != nil {
			return nil, err
		}
		var none device.Matrix[T]
		err = device.For[T](dev).LinearBackward(none, none, db, none, none, dz, none, device.Activation{})
		if l.bias == 0 {
			value = scalarValue(prev, db[0])
		}
		return value, err
	}
}

// newBroadcastRowsOp returns the op that copies v, which has the shape of b, into
// every row of a tensor shaped like its second input, whose values it does not
// read.
//
//	v [out]   like [..., out]   result [..., out]
func newBroadcastRowsOp(l layout, dev device.Device) *derivedOp {
	return &derivedOp{
		signature: signature{label: "broadcastRows", ranks: []int{l.bias, l.outRank()}, out: l.outRank(), dev: dev,
			float32: broadcastRows[float32](l, dev), float64: broadcastRows[float64](l, dev)},
		layout: l,
		infer: func(s []tensor.Shape) (tensor.Shape, error) {
			v, like := s[0], s[1]
			out := 1
			if l.weight != oneOutput && len(like) > 0 {
				out = like[len(like)-1]
			}
			if len(like) == 0 || !slices.Equal(v, l.biasShape(out)) {
				return nil, fmt.Errorf("got shapes %v and %v, want [out] and [..., out]", v, like)
			}
			return like.Clone(), nil
		},
		derivatives: func() []*derivative {
			return []*derivative{{newBiasBackwardOp(l, dev), []operand{theGrad}}, nil}
		},
	}
}

func broadcastRows[T device.Float](l layout, dev device.Device) body {
	return func(prev gorgonia.Value, in []gorgonia.Value) (gorgonia.Value, error) {
		v, err := biasOf[T]("v", in[0])
		if err != nil {
			return nil, err
		}
		y, ym, err := roomFor[T](dev, prev, in[1].Shape(), -1)
		if err != nil {
			return nil, err
		}
		if l.weight == oneOutput {
			ym.Rows, ym.Cols, ym.Stride = ym.Rows*ym.Cols, 1, 1
		}
		return y, device.For[T](dev).BroadcastRows(ym, v)
	}
}
