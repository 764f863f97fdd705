package layer

import (
	"fmt"
	"math"
	"slices"

	"github.com/affine-go/affine/layer/device"
	"github.com/affine-go/affine/layer/internal/autodiff"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// SoftmaxCrossEntropy adds the scalar node
//
//	L = −(1/n) Σ_rows Σ_j w_j · t_j · log softmax(z)_j
//
// for logits z and targets t, both [..., classes] with the leading dimensions
// flattened to n rows. A row of targets is a distribution over the classes
// (one-hot for hard labels). The class weights w are 1 or those of
// [WithClassWeights]. Any finite logits give a finite loss: log softmax(z) is
// computed as z − max z − log Σ exp(z − max z). The gradient by z is
// (softmax(z)·Σ_j w_j·t_j − w ⊙ t)/n. Targets are data: gorgonia.Grad has no
// gradient by them, [Grad] gives one if it is asked.
//
// It equals PyTorch's cross_entropy with class probabilities, which divides by
// n under weights too. It takes [WithName], [WithDevice], [WithReduction] and
// [WithClassWeights].
func SoftmaxCrossEntropy(logits, targets *gorgonia.Node, opts ...Option) (*gorgonia.Node, error) {
	return addLoss(softmaxCrossEntropy, logits, targets, opts)
}

// MSE adds the scalar node L = (1/N) Σ (p − t)², the mean over all N elements
// of pred p and target t, which have the same shape. Both have gradients:
// 2(p − t)/N by p and its negative by t. It equals PyTorch's mse_loss. It takes
// [WithName], [WithDevice] and [WithReduction].
func MSE(pred, target *gorgonia.Node, opts ...Option) (*gorgonia.Node, error) {
	return addLoss(meanSquaredError, pred, target, opts)
}

// BinaryCrossEntropy adds the scalar node
//
//	L = (1/N) Σ max(z, 0) − z·t + log(1 + exp(−|z|))
//
// the mean over all N elements of logits z and targets t, probabilities of the
// same shape. The gradient by z is (σ(z) − t)/N. Targets are data: gorgonia.Grad
// has no gradient by them, [Grad] gives one if it is asked. It equals PyTorch's
// binary_cross_entropy_with_logits. It takes [WithName], [WithDevice] and
// [WithReduction].
func BinaryCrossEntropy(logits, targets *gorgonia.Node, opts ...Option) (*gorgonia.Node, error) {
	return addLoss(binaryCrossEntropy, logits, targets, opts)
}

// lossKind tells the three losses apart; they share everything but the kernels.
type lossKind uint8

const (
	softmaxCrossEntropy lossKind = iota
	meanSquaredError
	binaryCrossEntropy
)

func (k lossKind) String() string {
	return [...]string{"softmaxCrossEntropy", "mse", "binaryCrossEntropy"}[k]
}

func addLoss(kind lossKind, pred, target *gorgonia.Node, opts []Option) (*gorgonia.Node, error) {
	n, err := lossNode(kind, pred, target, opts)
	if err != nil {
		return nil, fmt.Errorf("layer: %v: %w", kind, err)
	}
	return n, nil
}

func lossNode(kind lossKind, pred, target *gorgonia.Node, opts []Option) (*gorgonia.Node, error) {
	taken := lossOptions
	if kind == softmaxCrossEntropy {
		taken = crossEntropyOptions
	}
	o, err := collect(opts, taken)
	if err != nil {
		return nil, err
	}
	if err := checkLossNodes(kind, pred, target); err != nil {
		return nil, err
	}
	e := newExpression(pred)
	if o.classWeights != nil {
		if target, err = e.weightedTargets(target, o.classWeights, o.dev); err != nil {
			return nil, err
		}
	}
	var l *gorgonia.Node
	if o.reduction == NoReduction {
		l = e.losses(kind, pred, target, o.dev)
	} else {
		l = e.Do(gorgonia.ApplyOp(newLossOp(kind, pred.Dims(), o.dev), pred, target))
	}
	if o.reduction == Sum {
		terms := pred.Shape().TotalSize()
		if kind == softmaxCrossEntropy {
			terms, _ = flat(pred.Shape())
		}
		l = e.Scaled(l, float64(terms))
	}
	if e.Err == nil && o.name != "" {
		gorgonia.WithName(o.name)(l)
	}
	return l, e.Err
}

// losses are those of the rows or elements.
func (e *expression) losses(kind lossKind, pred, target *gorgonia.Node, dev device.Device) *gorgonia.Node {
	switch kind {
	case softmaxCrossEntropy:
		terms := e.Binary(gorgonia.HadamardProd, e.logSoftmax(pred), target)
		return e.Unary(gorgonia.Neg, e.Sum(terms, pred.Dims()-1))
	case meanSquaredError:
		return e.Unary(gorgonia.Square, e.Binary(gorgonia.Sub, pred, target))
	}
	// softplus(z) − z·t, with a threshold beyond which log(1 + e^z) is z in float64.
	softplus := e.Do(gorgonia.ApplyOp(newActivateOp(pred.Dims(), Softplus(1, 40), dev), pred))
	return e.Binary(gorgonia.Sub, softplus, e.Binary(gorgonia.HadamardProd, pred, target))
}

// weightedTargets is the targets with each class multiplied by its weight.
func (e *expression) weightedTargets(targets *gorgonia.Node, weights []float64, dev device.Device) (*gorgonia.Node, error) {
	shape := targets.Shape()
	if classes := shape[len(shape)-1]; len(weights) != classes {
		return nil, fmt.Errorf("got %d class weights, want %d, one for each class of targets %v", len(weights), classes, shape)
	}
	for i, w := range weights {
		if !(w >= 0) || math.IsInf(w, 1) {
			return nil, fmt.Errorf("weight of class %d is %g, want a finite number ≥ 0", i, w)
		}
	}
	w := e.vector(weights)
	each := e.Do(gorgonia.ApplyOp(newBroadcastRowsOp(layout{rank: len(shape), bias: 1}, dev), w, targets))
	return e.Binary(gorgonia.HadamardProd, targets, each), e.Err
}

// vector is a constant; its name holds its values, since Gorgonia takes
// constants of one name for the same.
func (e *expression) vector(values []float64) *gorgonia.Node {
	var backing any = slices.Clone(values)
	if e.Dtype == tensor.Float32 {
		rounded := make([]float32, len(values))
		for i, v := range values {
			rounded[i] = float32(v)
		}
		backing = rounded
	}
	return gorgonia.NewConstant(tensor.New(tensor.WithShape(len(values)), tensor.WithBacking(backing)),
		gorgonia.WithName(fmt.Sprintf("%v %v", e.Dtype, values)))
}

func checkLossNodes(kind lossKind, pred, target *gorgonia.Node) error {
	names := []string{"logits", "targets"}
	if kind == meanSquaredError {
		names = []string{"pred", "target"}
	}
	if err := checkNodes(names, gorgonia.Nodes{pred, target}); err != nil {
		return err
	}
	if pred.Dims() == 0 || !slices.Equal(pred.Shape(), target.Shape()) {
		return fmt.Errorf("%s has shape %v and %s %v, want the same shape with at least one dimension",
			names[0], pred.Shape(), names[1], target.Shape())
	}
	if pred.Shape().TotalSize() == 0 {
		return fmt.Errorf("%s has shape %v, want at least one element: the mean of none is not a number", names[0], pred.Shape())
	}
	return nil
}

// newLossOp returns the op L = loss(pred, target), a scalar.
//
//	pred [..., d]   target [..., d]
func newLossOp(kind lossKind, rank int, dev device.Device) *derivedOp {
	return &derivedOp{
		signature: signature{label: kind.String(), ranks: []int{rank, rank}, out: scalarRank, dev: dev,
			float32: loss[float32](kind, dev), float64: loss[float64](kind, dev)},
		infer: func(s []tensor.Shape) (tensor.Shape, error) {
			if !slices.Equal(s[0], s[1]) {
				return nil, fmt.Errorf("got shapes %v and %v, want the same", s[0], s[1])
			}
			return tensor.ScalarShape(), nil
		},
		derivatives: func() []*derivative {
			backward := newLossBackwardOp(kind, rank, dev)
			by := []*derivative{{backward, []operand{0, 1, theGrad}}, nil}
			if kind == meanSquaredError {
				by[1] = &derivative{backward, []operand{1, 0, theGrad}}
			}
			return by
		},
		onDemand: func(e *expression, _ int, in gorgonia.Nodes, grad *gorgonia.Node) *gorgonia.Node {
			return e.lossByTarget(kind, in[0], grad)
		},
	}
}

// lossByTarget is −dL·log softmax(z)/n or −dL·z/N: that of a loss which is
// linear in its targets.
func (e *expression) lossByTarget(kind lossKind, logits, grad *gorgonia.Node) *gorgonia.Node {
	if kind == softmaxCrossEntropy {
		rows, _ := flat(logits.Shape())
		return e.Binary(gorgonia.HadamardProd, e.Scaled(e.logSoftmax(logits), -1/float64(rows)), grad)
	}
	return e.Binary(gorgonia.HadamardProd, e.Scaled(logits, -1/float64(logits.Shape().TotalSize())), grad)
}

// logSoftmax is z − max z − log Σ exp(z − max z) along the last dimension.
func (e *expression) logSoftmax(z *gorgonia.Node) *gorgonia.Node {
	last := z.Dims() - 1
	most := e.Unary(func(z *gorgonia.Node) (*gorgonia.Node, error) { return gorgonia.Max(z, last) }, z)
	shifted := e.Binary(gorgonia.Sub, z, e.spreadRows(most, z.Shape()))
	sum := e.SumAcross(e.Unary(gorgonia.Exp, shifted), last)
	return e.Binary(gorgonia.Sub, shifted, e.Unary(gorgonia.Log, sum))
}

// spreadRows repeats the values a, one for each row, along the last dimension.
func (e *expression) spreadRows(a *gorgonia.Node, shape tensor.Shape) *gorgonia.Node {
	kept := shape.Clone()
	kept[len(kept)-1] = 1
	if e.Err == nil {
		a = e.Do(autodiff.Reshaped(a, kept))
	}
	if e.Err == nil {
		a = e.Do(autodiff.Spread(a, shape))
	}
	return a
}

func loss[T device.Float](kind lossKind, dev device.Device) body {
	return func(prev gorgonia.Value, in []gorgonia.Value) (gorgonia.Value, error) {
		k := device.For[T](dev)
		var l T
		if kind == softmaxCrossEntropy {
			logits, targets, err := lossRows[T](in)
			if err != nil {
				return nil, err
			}
			if l, err = k.SoftmaxCrossEntropy(logits, targets); err != nil {
				return nil, err
			}
			return scalarValue(prev, l), nil
		}
		pred, target, err := lossElements[T](in)
		if err != nil {
			return nil, err
		}
		if kind == meanSquaredError {
			l, err = k.MSE(pred, target)
		} else {
			l, err = k.BinaryCrossEntropy(pred, target)
		}
		if err != nil {
			return nil, err
		}
		return scalarValue(prev, l), nil
	}
}

// newLossBackwardOp returns the op dpred = dL · ∂L/∂pred.
//
//	pred [..., d]   target [..., d]   dL scalar   dpred [..., d]
func newLossBackwardOp(kind lossKind, rank int, dev device.Device) gorgonia.Op {
	return &lossBackwardOp{kind: kind, signature: signature{label: kind.String() + "Backward",
		ranks: []int{rank, rank, scalarRank}, out: rank, dev: dev,
		float32: lossBackward[float32](kind, dev), float64: lossBackward[float64](kind, dev)}}
}

// lossBackwardOp is the gradient of a loss. Its own gradients are made of
// simpler ops, so that derivatives of any order follow.
type lossBackwardOp struct {
	signature
	kind lossKind
}

// DiffWRT says that all inputs have gradients.
func (op *lossBackwardOp) DiffWRT(int) []bool { return []bool{true, true, true} }

// Dependences says the same.
func (op *lossBackwardOp) Dependences() []autodiff.Dependence {
	return dependences(op.DiffWRT(op.Arity()))
}

// SymDiff adds all gradients.
func (op *lossBackwardOp) SymDiff(inputs gorgonia.Nodes, output, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	if err := refuseSecondGrad(op, inputs); err != nil {
		return nil, err
	}
	return op.Gradients(op.DiffWRT(len(inputs)), inputs, output, grad)
}

// Gradients adds those gradients that are wanted. With G the gradient of dpred,
// s = softmax(z), T = Σ_j t_j and ⟨,⟩ the scalar product of two rows:
//
//	by          softmax cross-entropy             mean squared error    binary cross-entropy
//	prediction  dL/n·T·s ⊙ (G − ⟨G, s⟩)           2·dL/N·G              dL/N·σ'(z) ⊙ G
//	target      dL/n·(⟨G, s⟩ − G)                 −2·dL/N·G             −dL/N·G
//	dL          Σ G ⊙ ∂L/∂pred, for each
func (op *lossBackwardOp) Gradients(wanted []bool, inputs gorgonia.Nodes, _, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	pred, target, dl := inputs[0], inputs[1], inputs[2]
	e := newExpression(pred)
	times := func(a, b *gorgonia.Node) *gorgonia.Node { return e.Binary(gorgonia.HadamardProd, a, b) }
	last := pred.Dims() - 1
	rows, _ := flat(pred.Shape())
	var softmax, product *gorgonia.Node // s and ⟨G, s⟩
	if op.kind == softmaxCrossEntropy && (wanted[0] || wanted[1]) {
		softmax = e.Do(gorgonia.ApplyOp(newSoftmaxOp(pred.Dims(), op.dev), pred))
		product = e.SumAcross(times(grad, softmax), last)
	}
	factor := 1 / float64(pred.Shape().TotalSize())
	switch op.kind {
	case softmaxCrossEntropy:
		factor = 1 / float64(rows)
	case meanSquaredError:
		factor *= 2
	}
	grads := make(gorgonia.Nodes, 3)
	if wanted[0] {
		byPred := grad
		switch op.kind {
		case softmaxCrossEntropy:
			byPred = times(times(softmax, e.Binary(gorgonia.Sub, grad, product)), e.SumAcross(target, last))
		case binaryCrossEntropy:
			s := e.Unary(gorgonia.Sigmoid, pred)
			byPred = times(grad, times(s, e.Binary(gorgonia.Sub, e.Constant(1), s)))
		}
		grads[0] = times(e.Scaled(byPred, factor), dl)
	}
	if wanted[1] {
		byTarget := e.Unary(gorgonia.Neg, grad)
		if op.kind == softmaxCrossEntropy {
			byTarget = e.Binary(gorgonia.Sub, product, grad)
		}
		grads[1] = times(e.Scaled(byTarget, factor), dl)
	}
	if wanted[2] {
		unit := e.Do(gorgonia.ApplyOp(op, pred, target, e.Constant(1)))
		grads[2] = e.Sum(times(grad, unit))
	}
	return grads, e.Err
}

// newActivateOp returns the op y = act(z) of each element, for an activation
// whose derivative is written in Z.
func newActivateOp(rank int, act Activation, dev device.Device) *derivedOp {
	return &derivedOp{
		signature: signature{label: "activate(" + act.String() + ")", ranks: []int{rank}, out: rank, dev: dev,
			float32: activate[float32](act, dev), float64: activate[float64](act, dev)},
		infer: func(s []tensor.Shape) (tensor.Shape, error) { return s[0].Clone(), nil },
		derivatives: func() []*derivative {
			return []*derivative{{newActivationBackwardOp(rank, act, 1, dev), []operand{theGrad, 0}}}
		},
	}
}

func activate[T device.Float](act Activation, dev device.Device) body {
	return func(prev gorgonia.Value, in []gorgonia.Value) (gorgonia.Value, error) {
		z, err := elementsOf[T]("z", in[0])
		if err != nil {
			return nil, err
		}
		y, m, err := roomFor[T](dev, prev, in[0].Shape(), -1)
		if err != nil {
			return nil, err
		}
		return y, device.For[T](dev).Activate(m.Data, z, act.spec)
	}
}

// newSoftmaxOp returns the op s = softmax(z) of each row.
//
//	z [..., classes]   s [..., classes]
//
// With G the gradient of s, its own is s ⊙ (G − ⟨G, s⟩).
func newSoftmaxOp(rank int, dev device.Device) *softmaxOp {
	return &softmaxOp{signature{label: "softmax", ranks: []int{rank}, out: rank, dev: dev,
		float32: softmax[float32](dev), float64: softmax[float64](dev)}}
}

type softmaxOp struct{ signature }

// InferShape returns the shape of z.
func (op *softmaxOp) InferShape(inputs ...gorgonia.DimSizer) (tensor.Shape, error) {
	s, err := op.shapes(inputs)
	if err != nil {
		return nil, err
	}
	return s[0].Clone(), nil
}

// DiffWRT says that z has a gradient.
func (op *softmaxOp) DiffWRT(int) []bool { return []bool{true} }

// Dependences says the same.
func (op *softmaxOp) Dependences() []autodiff.Dependence {
	return []autodiff.Dependence{autodiff.Smooth}
}

// SymDiff adds the gradient.
func (op *softmaxOp) SymDiff(inputs gorgonia.Nodes, output, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	return op.Gradients([]bool{true}, inputs, output, grad)
}

// Gradients adds the gradient.
func (op *softmaxOp) Gradients(_ []bool, _ gorgonia.Nodes, output, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	e := newExpression(output)
	product := e.SumAcross(e.Binary(gorgonia.HadamardProd, grad, output), output.Dims()-1)
	byZ := e.Binary(gorgonia.HadamardProd, output, e.Binary(gorgonia.Sub, grad, product))
	return gorgonia.Nodes{byZ}, e.Err
}

func softmax[T device.Float](dev device.Device) body {
	return func(prev gorgonia.Value, in []gorgonia.Value) (gorgonia.Value, error) {
		z, err := rowsOf[T]("z", in[0])
		if err != nil {
			return nil, err
		}
		s, m, err := roomFor[T](dev, prev, in[0].Shape(), -1)
		if err != nil {
			return nil, err
		}
		return s, device.For[T](dev).Softmax(m, z)
	}
}

func (op *lossBackwardOp) InferShape(inputs ...gorgonia.DimSizer) (tensor.Shape, error) {
	s, err := op.shapes(inputs)
	if err != nil {
		return nil, err
	}
	return s[0].Clone(), nil
}

func lossBackward[T device.Float](kind lossKind, dev device.Device) body {
	return func(prev gorgonia.Value, in []gorgonia.Value) (gorgonia.Value, error) {
		k := device.For[T](dev)
		scale, err := scalarOf[T]("dL", in[2])
		if err != nil {
			return nil, err
		}
		out, m, err := roomFor[T](dev, prev, in[0].Shape(), -1)
		if err != nil {
			return nil, err
		}
		if kind == softmaxCrossEntropy {
			logits, targets, err := lossRows[T](in)
			if err != nil {
				return nil, err
			}
			return out, k.SoftmaxCrossEntropyBackward(m, logits, targets, scale)
		}
		pred, target, err := lossElements[T](in)
		if err != nil {
			return nil, err
		}
		if kind == meanSquaredError {
			return out, k.MSEBackward(m.Data, pred, target, scale)
		}
		return out, k.BinaryCrossEntropyBackward(m.Data, pred, target, scale)
	}
}

func lossRows[T device.Float](in []gorgonia.Value) (logits, targets device.Matrix[T], err error) {
	if logits, err = rowsOf[T]("logits", in[0]); err == nil {
		targets, err = rowsOf[T]("targets", in[1])
	}
	return
}

func lossElements[T device.Float](in []gorgonia.Value) (pred, target []T, err error) {
	if pred, err = elementsOf[T]("prediction", in[0]); err == nil {
		target, err = elementsOf[T]("target", in[1])
	}
	return
}
