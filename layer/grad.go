package layer

import (
	"fmt"

	"github.com/affine-go/affine/layer/internal/autodiff"
	"gorgonia.org/gorgonia"
)

// Grad adds the gradients of the scalar cost by each of wrt to their graph and
// returns their nodes, in the order of wrt and with the shapes of wrt. It does
// what gorgonia.Grad does, and
//
//   - it may be called again on what it returned, to any order, and for several
//     costs of one graph, before and after gorgonia.Grad: it neither reads nor
//     sets what gorgonia.Grad remembers in the nodes (Node.Deriv);
//   - it sums over all paths from each node to the cost;
//   - it builds no gradient that nobody asked for;
//   - it gives gradients by the targets of losses, too.
//
// What it cannot differentiate is an error: one that names the op, if a path
// from a node of wrt to the cost crosses an op without a symbolic gradient, and
// one that names the node, if no path leads from it to the cost. Ops of
// Gorgonia whose own gradient is wrong (InverseSqrt, Log2, OuterProd; SoftMax
// and Slice for second derivatives) get a right one here; of those for which
// there is none, Dropout, AveragePool2D, At and CTCLoss are refused, and so are
// second derivatives of pooling, convolution, BatchNorm and GroupNorm. Ops of
// other packages are taken at their word, the SymDiff and DiffWRT of an SDOp.
//
// A cost that is not a scalar is an error: take gorgonia.Sum or gorgonia.Mean
// of it first, or the sum of its product with a vector.
//
// The nodes of wrt may be inputs or results of ops. A TapeMachine with
// gorgonia.BindDualValues looks for gradients in Node.Deriv: hand one over with
// gorgonia.SetDerivOf(grads[i], wrt[i]).
func Grad(cost *gorgonia.Node, wrt ...*gorgonia.Node) (gorgonia.Nodes, error) {
	grads, err := autodiff.Grad(cost, wrt...)
	if err != nil {
		return nil, fmt.Errorf("layer.Grad: %w", err)
	}
	return grads, nil
}

// dependences turns an op's DiffWRT into what Grad asks for; an input without
// a gradient there is one that the result does not smoothly depend on.
func dependences(diffWRT []bool) []autodiff.Dependence {
	all := make([]autodiff.Dependence, len(diffWRT))
	for i, has := range diffWRT {
		all[i] = autodiff.Constant
		if has {
			all[i] = autodiff.Smooth
		}
	}
	return all
}

// refuseSecondGrad refuses that gorgonia.Grad differentiates a gradient op of
// this package: it would pass over inputs that it has differentiated before,
// and their part of the gradient would be missing.
func refuseSecondGrad(op gorgonia.Op, inputs gorgonia.Nodes) error {
	for _, n := range inputs {
		if n.Deriv() != nil {
			return fmt.Errorf("%v: gorgonia.Grad has differentiated by %v before and would pass over it now, which gives wrong second derivatives: use layer.Grad", op, n)
		}
	}
	return nil
}
