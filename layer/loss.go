package layer

import (
	"fmt"
	"slices"

	"github.com/affine-go/affine/layer/device"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// SoftmaxCrossEntropy adds the scalar node
//
//	L = −(1/n) Σ_rows Σ_j t_j · log softmax(z)_j
//
// for logits z and targets t, both [..., classes] with the leading dimensions
// flattened to n rows. A row of targets is a distribution over the classes
// (one-hot for hard labels). Any finite logits give a finite loss:
// log softmax(z) is computed as z − max z − log Σ exp(z − max z). The gradient
// by z is (softmax(z)·Σ_j t_j − t)/n; targets have none.
// It equals PyTorch's cross_entropy with class probabilities.
func SoftmaxCrossEntropy(logits, targets *gorgonia.Node, opts ...Option) (*gorgonia.Node, error) {
	return addLoss(softmaxCrossEntropy, logits, targets, opts)
}

// MSE adds the scalar node L = (1/N) Σ (p − t)², the mean over all N elements
// of pred p and target t, which have the same shape. Both have gradients:
// 2(p − t)/N by p and its negative by t. It equals PyTorch's mse_loss.
func MSE(pred, target *gorgonia.Node, opts ...Option) (*gorgonia.Node, error) {
	return addLoss(meanSquaredError, pred, target, opts)
}

// BinaryCrossEntropy adds the scalar node
//
//	L = (1/N) Σ max(z, 0) − z·t + log(1 + exp(−|z|))
//
// the mean over all N elements of logits z and targets t, probabilities of the
// same shape. The gradient by z is (σ(z) − t)/N; targets have none. It equals
// PyTorch's binary_cross_entropy_with_logits.
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
	fail := func(err error) (*gorgonia.Node, error) { return nil, fmt.Errorf("layer: %v: %w", kind, err) }
	o, err := collect(opts)
	if err != nil {
		return fail(err)
	}
	if err := checkLossNodes(kind, pred, target); err != nil {
		return fail(err)
	}
	n, err := addNode(newLossOp(kind, pred.Dims(), o.dev), o.name, pred, target)
	if err != nil {
		return fail(err)
	}
	return n, nil
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
	}
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
	return &lossBackwardOp{signature{label: kind.String() + "Backward",
		ranks: []int{rank, rank, scalarRank}, out: rank, dev: dev,
		float32: lossBackward[float32](kind, dev), float64: lossBackward[float64](kind, dev)}}
}

// lossBackwardOp is the gradient of a loss. It has no derivative of its own.
type lossBackwardOp struct{ signature }

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
