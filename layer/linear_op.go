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

// linearOp is Y = act(X·W + b), or act(X·W) where it has two inputs.
//
//	X [..., in]   W [in, out]   b [out]   Y [..., out]
type linearOp struct {
	signature
	act       Activation
	hasBias   bool
	inputGrad bool
	pre       preactivations
}

func newLinearOp(rank int, act Activation, hasBias, inputGrad bool, dev device.Device) *linearOp {
	ranks := []int{rank, 2}
	if hasBias {
		ranks = append(ranks, 1)
	}
	label := "linear(" + act.String()
	if !inputGrad {
		label += ", without input gradient"
	}
	op := &linearOp{act: act, hasBias: hasBias, inputGrad: inputGrad}
	op.signature = signature{label: label + ")", ranks: ranks, out: rank, dev: dev,
		float32: func(prev gorgonia.Value, in []gorgonia.Value) (gorgonia.Value, error) {
			return linearForward[float32](op, prev, in)
		},
		float64: func(prev gorgonia.Value, in []gorgonia.Value) (gorgonia.Value, error) {
			return linearForward[float64](op, prev, in)
		},
	}
	return op
}

func (op *linearOp) InferShape(inputs ...gorgonia.DimSizer) (tensor.Shape, error) {
	s, err := op.shapes(inputs)
	if err != nil {
		return nil, err
	}
	x, w := s[0], s[1]
	if len(x) == 0 || len(w) != 2 || x[len(x)-1] != w[0] {
		return nil, fmt.Errorf("%s: X has shape %v and W %v, want [..., in] and [in, out]", op, x, w)
	}
	if op.hasBias && (len(s[2]) != 1 || s[2][0] != w[1]) {
		return nil, fmt.Errorf("%s: b has shape %v, want (%d), the columns of W %v", op, s[2], w[1], w)
	}
	y := x.Clone()
	y[len(y)-1] = w[1]
	return y, nil
}

func linearForward[T device.Float](op *linearOp, prev gorgonia.Value, in []gorgonia.Value) (gorgonia.Value, error) {
	x, w, b, err := linearInputs[T](in, op.hasBias)
	if err != nil {
		return nil, err
	}
	shape := in[0].Shape()
	y, ym, err := roomFor[T](op.dev, prev, shape[:len(shape)-1], w.Cols)
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
		if z, zm, err = roomFor[T](op.dev, kept, shape[:len(shape)-1], w.Cols); err != nil {
			return nil, err
		}
		op.pre.keep(y, z)
	}
	return y, device.For[T](op.dev).Linear(ym, zm, x, w, b, op.act.spec)
}

// linearInputs views the inputs of a linear op, b only where it has one.
func linearInputs[T device.Float](in []gorgonia.Value, hasBias bool) (x, w device.Matrix[T], b []T, err error) {
	if x, err = rowsOf[T]("X", in[0]); err != nil {
		return
	}
	if w, err = rowsOf[T]("W", in[1]); err != nil {
		return
	}
	if hasBias {
		b, err = vectorOf[T]("b", in[2])
	}
	return
}

// DiffWRT says that all inputs have gradients, X unless it was opted out.
func (op *linearOp) DiffWRT(int) []bool {
	wrt := []bool{op.inputGrad, true}
	if op.hasBias {
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
	rank := op.ranks[0]
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
		if dz, err = gorgonia.ApplyOp(newActivationBackwardOp(rank, op.act, 1, op.dev), grad, saved); err != nil {
			return nil, err
		}
	}
	grads := make(gorgonia.Nodes, len(inputs))
	var err error
	if wanted[0] {
		if grads[0], err = gorgonia.ApplyOp(newInputBackwardOp(rank, op.dev), dz, w); err != nil {
			return nil, err
		}
	}
	if wanted[1] {
		if grads[1], err = gorgonia.ApplyOp(newWeightBackwardOp(rank, op.dev), x, dz); err != nil {
			return nil, err
		}
	}
	if op.hasBias && wanted[2] {
		if grads[2], err = gorgonia.ApplyOp(newBiasBackwardOp(rank, op.dev), dz); err != nil {
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
	x, w, b, err := linearInputs[T](in, op.hasBias)
	if err != nil {
		return nil, err
	}
	dym, err := rowsOf[T]("dY", dy)
	if err != nil {
		return nil, err
	}
	a := y
	if op.act.spec.Kind.Saved() == device.SavedZ {
		op.pre.wanted.Store(true)
		if a, err = preactivation[T](op, in, y); err != nil {
			return nil, err
		}
	}
	am, err := rowsOf[T]("Y", a)
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
	if grads[1], dw, err = roomFor[T](op.dev, collected, in[1].Shape(), -1); err != nil {
		return nil, err
	}
	if op.hasBias {
		var dbm device.Matrix[T]
		if grads[2], dbm, err = roomFor[T](op.dev, collected, tensor.Shape{len(b)}, -1); err != nil {
			return nil, err
		}
		db = dbm.Data
	}
	return grads, device.For[T](op.dev).LinearBackward(dx, dw, db, x, w, dym, am, op.act.spec)
}

// preactivations keeps Z = X·W + b of the forward pass beside the Y that it
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
	x, w, b, err := linearInputs[T](in, op.hasBias)
	if err != nil {
		return nil, err
	}
	z, zm, err := roomFor[T](op.dev, collected, y.Shape(), -1)
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
	return newLinearOp(f.ranks[0], Identity, f.hasBias, f.inputGrad, f.dev)
}
