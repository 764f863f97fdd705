package vm

import (
	"fmt"
	"hash"
	"hash/fnv"

	"github.com/chewxy/hm"

	"github.com/affine-go/affine/layer"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Params pairs learnables with the nodes that hold their gradients, for
// solvers to read a gradient where a machine computed it. With Gorgonia's
// TapeMachine, BindDualValues is then not needed.
//
//	grads, err := gorgonia.Grad(loss, learnables...)
//	params, err := vm.NewParams(learnables, grads)
//	m, err := vm.New(g, vm.WithOutputs(loss), vm.WithOutputs(params.Gradients()...))
//	for … {
//		err = m.RunAll()
//		err = solver.Step(params.ValueGrads())
//	}
type Params struct {
	valueGrads []gorgonia.ValueGrad
	gradients  gorgonia.Nodes
}

// NewParams pairs learnables[i] with grads[i], which must have its shape and
// dtype. Solvers write to gradients. If the value of a gradient node is not
// certain to be its own (it belongs to two learnables, or its op may return
// its argument), a node that copies it is added to the graph. Call NewParams
// before [New] or gorgonia.NewTapeMachine for that reason.
func NewParams(learnables, grads gorgonia.Nodes) (*Params, error) {
	p, err := newParams(learnables, grads, func(grad *gorgonia.Node) bool {
		_, own := grad.Op().(layer.BufferedOp)
		return own
	})
	if err != nil {
		return nil, fmt.Errorf("new params: %w", err)
	}
	return p, nil
}

// newParams copies the gradients that own does not report to have memory of
// their own.
func newParams(learnables, grads gorgonia.Nodes, own func(grad *gorgonia.Node) bool) (*Params, error) {
	if len(learnables) != len(grads) {
		return nil, fmt.Errorf("got %d gradients for %d learnables", len(grads), len(learnables))
	}
	p := &Params{}
	taken := make(map[*gorgonia.Node]bool, 2*len(grads))
	for i, w := range learnables {
		grad := grads[i]
		if w == nil || grad == nil {
			return nil, fmt.Errorf("learnable or gradient %d is nil", i)
		}
		if taken[w] {
			return nil, fmt.Errorf("learnable %d, %q, is there twice", i, w.Name())
		}
		if !grad.Shape().Eq(w.Shape()) || grad.Dtype() != w.Dtype() {
			return nil, fmt.Errorf("gradient of %q is %v of shape %v, want %v of shape %v",
				w.Name(), grad.Dtype(), grad.Shape(), w.Dtype(), w.Shape())
		}
		if taken[grad] || !own(grad) {
			var err error
			if grad, err = copyFor(w, grad); err != nil {
				return nil, fmt.Errorf("gradient of %q: %w", w.Name(), err)
			}
		}
		taken[w], taken[grad] = true, true
		p.valueGrads = append(p.valueGrads, &param{value: w, grad: grad})
		p.gradients = append(p.gradients, grad)
	}
	return p, nil
}

// ValueGrads returns what Step of a solver takes. Callers must not change it.
func (p *Params) ValueGrads() []gorgonia.ValueGrad { return p.valueGrads }

// Gradients returns the gradient nodes in the order of the learnables. They
// must be among the outputs of the machine. Callers must not change it.
func (p *Params) Gradients() gorgonia.Nodes { return p.gradients }

// param is a learnable and its gradient node.
type param struct{ value, grad *gorgonia.Node }

func (p *param) Value() gorgonia.Value { return p.value.Value() }
func (p *param) Name() string          { return p.value.Name() }

func (p *param) Grad() (gorgonia.Value, error) {
	if g := p.grad.Value(); g != nil {
		return g, nil
	}
	return nil, fmt.Errorf("gradient of %q has not been computed", p.Name())
}

// Copy adds a node that copies the value of n to memory of its own.
func Copy(n *gorgonia.Node) (*gorgonia.Node, error) { return copyFor(n, n) }

func copyFor(owner, n *gorgonia.Node) (*gorgonia.Node, error) {
	return gorgonia.ApplyOp(&copyOp{of: owner.ID()}, n)
}

// copyOp copies its argument to memory of its own. The node that the copy
// is made for is part of its identity: Gorgonia merges equal nodes.
type copyOp struct{ of int64 }

func (op *copyOp) Arity() int           { return 1 }
func (op *copyOp) ReturnsPtr() bool     { return false }
func (op *copyOp) CallsExtern() bool    { return false }
func (op *copyOp) OverwritesInput() int { return -1 }
func (op *copyOp) String() string       { return fmt.Sprintf("copy for %x", op.of) }

func (op *copyOp) Type() hm.Type {
	a := hm.TypeVariable('a')
	return hm.NewFnType(a, a)
}

func (op *copyOp) InferShape(in ...gorgonia.DimSizer) (tensor.Shape, error) {
	shapes, err := gorgonia.DimSizersToShapes(in)
	if err != nil {
		return nil, err
	}
	return shapes[0].Clone(), nil
}

func (op *copyOp) WriteHash(h hash.Hash) { fmt.Fprintf(h, "affine.%v", op) }

func (op *copyOp) Hashcode() uint32 {
	h := fnv.New32a()
	op.WriteHash(h)
	return h.Sum32()
}

func (op *copyOp) Do(in ...gorgonia.Value) (gorgonia.Value, error) { return op.DoInto(nil, in...) }

// DoInto copies in[0] to prev where that has its type and shape.
func (op *copyOp) DoInto(prev gorgonia.Value, in ...gorgonia.Value) (gorgonia.Value, error) {
	if len(in) != 1 {
		return nil, fmt.Errorf("%v: got %d inputs, want 1", op, len(in))
	}
	t, ok := in[0].(*tensor.Dense)
	if ok && t.IsMaterializable() {
		return t.Materialize().(*tensor.Dense), nil
	}
	if prev == nil || prev.Dtype() != in[0].Dtype() || !prev.Shape().Eq(in[0].Shape()) {
		return gorgonia.CloneValue(in[0])
	}
	return gorgonia.Copy(prev, in[0])
}
