// Package layer is a linear layer for Gorgonia that trains like a native op:
// one node Y = act(X·W + b) with its gradient derived by hand.
//
// With Z = X·W + b and dY the gradient that arrives from above,
//
//	dZ = dY ⊙ act'   dX = dZ·Wᵀ   dW = Xᵀ·dZ   db = Σ over rows of dZ
//
// [Apply] adds the op to a graph whose weights are yours, [NewLinear] makes a
// layer that owns them, [SoftmaxCrossEntropy], [MSE] and [BinaryCrossEntropy]
// are losses on logits, and [Builtin] is the same function made of Gorgonia's
// own ops, to compare with. All of them run on any of Gorgonia's machines, in
// float32 and float64, and with Gorgonia's solvers as well as with those of
// the train package.
//
// Inputs are never written, restrided or transposed in place, so graphs that
// run side by side may share weights. Make their machines one after another:
// gorgonia.NewTapeMachine writes its engine into every tensor of the graph.
//
// Gradients are differentiable again, to any order, with [Grad]. Gorgonia's own
// Grad does not pass a second time through a node that it has differentiated by
// before; it is refused on the gradient ops of this package.
package layer
