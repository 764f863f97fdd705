package layer

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/affine-go/affine/layer/device"
	"github.com/affine-go/affine/layer/internal/autodiff"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// linearOp is Y = act(X·W + b), or act(X·W) in a layout without bias.
//
//	X [..., in]   W [in, out]   b [out]   Y [..., out]
//
// W and b may have other forms, see layout.
type linearOp struct {
	signature
	layout
	act       Activation
	inputGrad bool
	pre       preactivations
}

func newLinearOp(l layout, act Activation, inputGrad bool, dev device.Device) *linearOp {
	ranks := []int{l.rank, l.weightRank()}
	if l.hasBias() {
		ranks = append(ranks, l.bias)
	}
	label := "linear(" + act.String() + l.suffix()
	if !inputGrad {
		label += ", without input gradient"
	}
	op := &linearOp{layout: l, act: act, inputGrad: inputGrad}
	op.signature = signature{label: label + ")", ranks: ranks, out: l.outRank(), dev: dev,
		float32: linearForward[float32](op), float64: linearForward[float64](op)}
	return op
}

// InferShape returns the shape of Y.
func (op *linearOp) InferShape(inputs ...gorgonia.DimSizer) (tensor.Shape, error) {
	s, err := op.shapes(inputs)
	if err != nil {
		return nil, err
	}
	var b tensor.Shape
	if op.hasBias() {
		b = append(tensor.Shape{}, s[2]...)
	}
	if err := op.check(s[0], s[1], b); err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	_, out := op.inAndOut(s[1])
	return op.outShape(s[0], out), nil
}

func linearForward[T device.Float](op *linearOp) body {
	return func(prev gorgonia.Value, in []gorgonia.Value) (gorgonia.Value, error) {
		x, w, b, err := linearInputs[T](op.layout, in)
		if err != nil {
			return nil, err
		}
		shape := in[0].Shape()
		y, ym, err := roomForOutput[T](op.layout, op.dev, prev, shape, w.Cols)
		if err != nil {
			return nil, err
		}
		var zm device.Matrix[T]
		if op.pre.wanted.Load() {
			var z *tensor.Dense
			kept := op.pre.of(y)
			if kept == nil && prev == collected {
				kept = collected
			}
			if z, zm, err = roomForOutput[T](op.layout, op.dev, kept, shape, w.Cols); err != nil {
				return nil, err
			}
			op.pre.keep(y, z)
		}
		return y, device.For[T](op.dev).Linear(ym, zm, x, w, b, op.act.spec)
	}
}

// linearInputs views the inputs of a linear op, b only if it has one.
func linearInputs[T device.Float](l layout, in []gorgonia.Value) (x, w device.Matrix[T], b []T, err error) {
	if x, err = rowsOf[T]("X", in[0]); err != nil {
		return
	}
	if w, err = weightOf[T](l, "W", in[1]); err != nil {
		return
	}
	if l.hasBias() {
		b, err = biasOf[T]("b", in[2])
	}
	return
}

// DiffWRT says that all inputs have gradients, X unless it was opted out.
func (op *linearOp) DiffWRT(int) []bool {
	wrt := []bool{op.inputGrad, true}
	if op.hasBias() {
		wrt = append(wrt, true)
	}
	return wrt
}

// SymDiff adds the nodes dZ = dY ⊙ act', dX = dZ·Wᵀ, dW = Xᵀ·dZ and
// db = Σ over rows of dZ.
func (op *linearOp) SymDiff(inputs gorgonia.Nodes, output, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	return op.Gradients(op.DiffWRT(len(inputs)), inputs, output, grad)
}

// Dependences says that all inputs have gradients, X unless it was opted out.
func (op *linearOp) Dependences() []autodiff.Dependence {
	all := dependences(op.DiffWRT(op.Arity()))
	if !op.inputGrad {
		all[0] = autodiff.Unknown
	}
	return all
}

// WhyUnknown explains the only input without a gradient.
func (op *linearOp) WhyUnknown(int) string {
	return ": WithoutInputGrad says that nobody wants it"
}

// Gradients adds dZ and the nodes of those gradients that are wanted.
func (op *linearOp) Gradients(wanted []bool, inputs gorgonia.Nodes, output, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	x, w := inputs[0], inputs[1]
	l := op.layout
	dz := grad
	if op.act.spec.Kind != device.Identity {
		saved := output
		var err error
		if op.act.spec.Kind.Saved() == device.SavedZ {
			op.pre.wanted.Store(true)
			if saved, err = gorgonia.ApplyOp(newPreactivationOp(op), append(append(gorgonia.Nodes{}, inputs...), output)...); err != nil {
				return nil, err
			}
		}
		if dz, err = gorgonia.ApplyOp(newActivationBackwardOp(l.outRank(), op.act, 1, op.dev), grad, saved); err != nil {
			return nil, err
		}
	}
	grads := make(gorgonia.Nodes, len(inputs))
	var err error
	if wanted[0] {
		if grads[0], err = gorgonia.ApplyOp(newInputBackwardOp(l, op.dev), dz, w); err != nil {
			return nil, err
		}
	}
	if wanted[1] {
		if grads[1], err = gorgonia.ApplyOp(newWeightBackwardOp(l, op.dev), x, dz); err != nil {
			return nil, err
		}
	}
	if op.hasBias() && wanted[2] {
		if grads[2], err = gorgonia.ApplyOp(newBiasBackwardOp(l, op.dev), dz); err != nil {
			return nil, err
		}
	}
	return grads, nil
}

// DoDiff adds the gradients to the dual values of the inputs, all of them with
// one call to the device.
func (op *linearOp) DoDiff(_ gorgonia.ExecutionContext, inputs gorgonia.Nodes, output *gorgonia.Node) error {
	dy, err := output.Grad()
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	in := make([]gorgonia.Value, len(inputs))
	for i, n := range inputs {
		in[i] = n.Value()
	}
	var grads []gorgonia.Value
	if output.Dtype() == tensor.Float32 {
		grads, err = linearBackward[float32](op, in, output.Value(), dy)
	} else {
		grads, err = linearBackward[float64](op, in, output.Value(), dy)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	for i, grad := range grads {
		if grad == nil {
			continue
		}
		if err := accumulate(inputs[i], grad); err != nil {
			return fmt.Errorf("%s: %w", op, err)
		}
	}
	return nil
}

// linearBackward returns fresh gradients of all inputs, nil for dX if it was
// opted out.
func linearBackward[T device.Float](op *linearOp, in []gorgonia.Value, y, dy gorgonia.Value) ([]gorgonia.Value, error) {
	x, w, b, err := linearInputs[T](op.layout, in)
	if err != nil {
		return nil, err
	}
	dym, err := outputOf[T](op.layout, "dY", dy)
	if err != nil {
		return nil, err
	}
	saved := y
	if op.act.spec.Kind.Saved() == device.SavedZ {
		op.pre.wanted.Store(true)
		if saved, err = preactivation[T](op, in, y); err != nil {
			return nil, err
		}
	}
	savedm, err := outputOf[T](op.layout, op.act.spec.Kind.Saved().String(), saved)
	if err != nil {
		return nil, err
	}
	grads := make([]gorgonia.Value, len(in))
	var dx, dw device.Matrix[T]
	var db []T
	if op.inputGrad {
		if grads[0], dx, err = roomFor[T](op.dev, collected, in[0].Shape(), -1); err != nil {
			return nil, err
		}
	}
	if grads[1], dw, err = roomForWeight[T](op.layout, op.dev, collected, w.Rows, w.Cols); err != nil {
		return nil, err
	}
	if op.hasBias() {
		if grads[2], db, err = roomForBias[T](op.layout, op.dev, collected, len(b)); err != nil {
			return nil, err
		}
	}
	if err := device.For[T](op.dev).LinearBackward(dx, dw, db, x, w, dym, savedm, op.act.spec); err != nil {
		return nil, err
	}
	if op.bias == 0 && op.hasBias() {
		grads[2] = scalarValue(nil, db[0])
	}
	return grads, nil
}

// preactivations keeps Z = X·W + b of the forward pass together with the Y that it
// belongs to, for activations whose derivative needs Z. It is a cache: whoever
// finds another Y there computes Z anew, so machines that share an op, or a
// graph that was copied, still get right numbers.
type preactivations struct {
	wanted atomic.Bool // somebody differentiates this op
	mu     sync.Mutex
	y, z   *tensor.Dense
}

func (p *preactivations) keep(y, z *tensor.Dense) {
	p.mu.Lock()
	p.y, p.z = y, z
	p.mu.Unlock()
}

// of returns the Z that belongs to y, or nil.
func (p *preactivations) of(y gorgonia.Value) gorgonia.Value {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t, ok := y.(*tensor.Dense); ok && p.y == t && p.z != nil {
		return p.z
	}
	return nil
}

// preactivationOp returns Z = X·W + b of a linear op whose result Y is its
// last input: what the forward pass kept, or else computed once more.
type preactivationOp struct {
	signature
	forward *linearOp
}

func newPreactivationOp(forward *linearOp) *preactivationOp {
	last := len(forward.ranks)
	return &preactivationOp{
		signature: signature{
			label: "preactivation of " + forward.label,
			ranks: append(append([]int{}, forward.ranks...), forward.out), out: forward.out, dev: forward.dev,
			float32: func(_ gorgonia.Value, in []gorgonia.Value) (gorgonia.Value, error) {
				return preactivation[float32](forward, in[:last], in[last])
			},
			float64: func(_ gorgonia.Value, in []gorgonia.Value) (gorgonia.Value, error) {
				return preactivation[float64](forward, in[:last], in[last])
			},
		},
		forward: forward,
	}
}

func (op *preactivationOp) InferShape(inputs ...gorgonia.DimSizer) (tensor.Shape, error) {
	s, err := op.shapes(inputs)
	if err != nil {
		return nil, err
	}
	return s[len(s)-1].Clone(), nil
}

// preactivation returns the Z that the forward pass kept for y or else computes
// it into fresh memory: what was kept is the forward op's, not to be reused.
func preactivation[T device.Float](op *linearOp, in []gorgonia.Value, y gorgonia.Value) (gorgonia.Value, error) {
	if z := op.pre.of(y); z != nil {
		return z, nil
	}
	x, w, b, err := linearInputs[T](op.layout, in)
	if err != nil {
		return nil, err
	}
	z, zm, err := roomForOutput[T](op.layout, op.dev, collected, in[0].Shape(), w.Cols)
	if err != nil {
		return nil, err
	}
	return z, device.For[T](op.dev).Linear(zm, device.Matrix[T]{}, x, w, b, device.Activation{})
}

// DiffWRT excludes Y, which is only there to find Z by.
func (op *preactivationOp) DiffWRT(inputs int) []bool {
	return append(op.forward.DiffWRT(inputs-1), false)
}

// SymDiff is that of Z = X·W + b.
func (op *preactivationOp) SymDiff(inputs gorgonia.Nodes, output, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	if err := refuseSecondGrad(op, inputs[:len(inputs)-1]); err != nil {
		return nil, err
	}
	return op.Gradients(op.DiffWRT(len(inputs)), inputs, output, grad)
}

// Dependences excludes Y as DiffWRT does.
func (op *preactivationOp) Dependences() []autodiff.Dependence {
	return append(op.forward.Dependences(), autodiff.Constant)
}

// WhyUnknown is that of the forward op.
func (op *preactivationOp) WhyUnknown(input int) string { return op.forward.WhyUnknown(input) }

// Gradients are those of Z = X·W + b.
func (op *preactivationOp) Gradients(wanted []bool, inputs gorgonia.Nodes, output, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	last := len(inputs) - 1
	grads, err := op.linear().Gradients(wanted[:last], inputs[:last], output, grad)
	return append(grads, nil), err
}

// DoDiff is that of Z = X·W + b.
func (op *preactivationOp) DoDiff(ctx gorgonia.ExecutionContext, inputs gorgonia.Nodes, output *gorgonia.Node) error {
	return op.linear().DoDiff(ctx, inputs[:len(inputs)-1], output)
}

func (op *preactivationOp) linear() *linearOp {
	f := op.forward
	return newLinearOp(f.layout, Identity, f.inputGrad, f.dev)
}
