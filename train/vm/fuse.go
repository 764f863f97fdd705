package vm

import (
	"fmt"
	"slices"
	"strings"

	"github.com/affine-go/affine/layer"
	"github.com/affine-go/affine/layer/device"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// smallLayer and smallProduct are the numbers of multiplications below which a
// linear layer and a matrix product by itself stay with Gorgonia's ops: there
// is nothing to gain.
const (
	smallLayer   = 256
	smallProduct = 4096
)

// smallTensor is the number of elements below which elementwise ops stay with
// Gorgonia, for the same reason.
const smallTensor = 64

// part is a computation of ours in the place of the ops of one or more nodes.
type part struct {
	outputs, inputs gorgonia.Nodes
	// absorbed are nodes between inputs and outputs that the part makes
	// unnecessary. If one of them is needed by somebody else, the part does not
	// pay, and is given up.
	absorbed gorgonia.Nodes
	what     string
	make     func() computation
	z        *gorgonia.Node // X·W + b, if it is a linear layer
	product  *productOf     // if it is a matrix product
	sum      bool           // if it is the sum over rows
	size     bool           // if it is the size of a node
	backward *backwardOf    // if it is the gradient of an activation
}

// productOf is op(a)·op(b) of two nodes. Folded says that a transposition in
// the graph is part of it.
type productOf struct {
	a, b           *gorgonia.Node
	transA, transB bool
	folded         bool
}

func (p *productOf) multiplications() int {
	inner := p.a.Shape()[1]
	rows := p.a.Shape()[0]
	if p.transA {
		inner, rows = rows, inner
	}
	return rows * p.b.Shape().TotalSize() / max(inner, 1) * inner
}

// backwardOf is dZ = dY ⊙ act' with act' written in saved.
type backwardOf struct {
	dy, saved *gorgonia.Node
	act       device.Activation
}

// fusion chooses what computes each node of a graph.
type fusion struct {
	*layout
	settings   *settings
	order      gorgonia.Nodes                    // in the order of execution
	position   map[*gorgonia.Node]int            // in order
	args       map[*gorgonia.Node]gorgonia.Nodes // what each node's own op needs
	duals      []dualOf
	wantedSet  map[*gorgonia.Node]bool
	statements gorgonia.Nodes
	parts      map[*gorgonia.Node]*part // by output
	needed     map[*gorgonia.Node]bool
	cost       int64 // the highest ID of a node that gorgonia.Grad was called for, or −1
	notes      []string
}

// dualOf is a node that gets a dual value, and its gradient.
type dualOf struct {
	dual
	grad *gorgonia.Node
}

func newFusion(l *layout, s *settings, order gorgonia.Nodes) *fusion {
	f := &fusion{layout: l, settings: s, order: order,
		position: make(map[*gorgonia.Node]int, len(order)), args: make(map[*gorgonia.Node]gorgonia.Nodes, len(order)),
		parts: map[*gorgonia.Node]*part{}}
	for i, n := range order {
		f.position[n] = i
		f.args[n] = l.childrenOf(n)
	}
	f.cost = -1
	for _, n := range order {
		if isConstant(n) {
			for _, of := range n.DerivOf() {
				f.cost = max(f.cost, of.ID())
			}
		}
	}
	f.findDuals()
	return f
}

// isGradient reports whether gorgonia.Grad made n. What was there before the
// cost is not a gradient, though Grad may have found it and made use of it.
func (f *fusion) isGradient(n *gorgonia.Node) bool {
	return n.ID() > f.cost && f.layout.isGradient(n)
}

// choose decides which parts compute what is wanted.
func (f *fusion) choose() {
	f.wantedSet, f.statements = f.wanted()
	for _, n := range f.order {
		if p := matchSize(n); p != nil {
			f.parts[n] = p
		} else if !f.settings.separate() {
			if p := f.match(n); p != nil {
				f.parts[n] = p
			}
		}
	}
	f.reach()
	for f.giveUp() {
		f.reach()
	}
	f.joinActivations()
	f.reach()
	if !f.settings.separate() {
		f.joinGradients()
		f.joinLayerGradients()
	}
	f.leaveSmallProducts()
	f.reach()
	f.leaveSizes()
	f.explainProducts()
}

// inputsOf returns what a node is computed from.
func (f *fusion) inputsOf(n *gorgonia.Node) gorgonia.Nodes {
	if p := f.parts[n]; p != nil {
		return p.inputs
	}
	return f.args[n]
}

// reach finds the nodes that are needed, given the parts.
func (f *fusion) reach() {
	f.needed = make(map[*gorgonia.Node]bool, len(f.order))
	for _, n := range f.statements {
		for _, arg := range f.args[n] {
			f.needed[arg] = true
		}
	}
	// Gradients joined to one part are needed together; their inputs come
	// before all of them.
	for _, n := range slices.Backward(f.order) {
		if isStatement(n) {
			continue
		}
		if f.wantedSet[n] {
			f.needed[n] = true
		}
		if f.needed[n] {
			for _, arg := range f.inputsOf(n) {
				f.needed[arg] = true
			}
		}
	}
}

// giveUp drops the parts that absorb a node that is needed all the same.
func (f *fusion) giveUp() (changed bool) {
	for _, n := range f.order {
		p := f.parts[n]
		if p == nil || !f.needed[n] {
			continue
		}
		for _, a := range p.absorbed {
			if f.needed[a] {
				f.notes = append(f.notes, fmt.Sprintf("%s is not %s: the value of %q is wanted by itself", describe(n), p.what, a.Name()))
				delete(f.parts, n)
				changed = true
				break
			}
		}
	}
	return changed
}

// joinActivations computes Z and Y = act(Z) of a linear layer together if both
// are needed.
func (f *fusion) joinActivations() {
	for _, n := range f.order {
		p := f.parts[n]
		if p == nil || p.z == nil || p.z == n || !f.needed[n] {
			continue
		}
		z := p.z
		// A part that computes Z itself, for a gradient that reads it or for
		// somebody who reads its value.
		keepsZ := f.needed[z] && f.parts[z] != nil && f.parts[z].z != nil
		if f.settings.bind && f.parts[z] != nil {
			keepsZ = true // as on a TapeMachine, where Z can be read
		}
		if keepsZ {
			p.outputs = gorgonia.Nodes{n, z}
			f.parts[z] = p
			f.needed[z] = true
		}
	}
}

// joinGradients makes the gradients of one dZ a single computation:
//
//	dX = dZ·Wᵀ   dW = Xᵀ·dZ   db = Σ over rows of dZ
func (f *fusion) joinGradients() {
	type members struct{ dx, dw, db *gorgonia.Node }
	byDZ := map[*gorgonia.Node]*members{}
	var order gorgonia.Nodes
	of := func(dz *gorgonia.Node) *members {
		if byDZ[dz] == nil {
			byDZ[dz] = &members{}
			order = append(order, dz)
		}
		return byDZ[dz]
	}
	set := func(member **gorgonia.Node, n *gorgonia.Node) {
		if *member == nil {
			*member = n
		}
	}
	for _, n := range f.order {
		p := f.parts[n]
		if p == nil || !f.needed[n] {
			continue
		}
		switch {
		case p.sum:
			set(&of(p.inputs[0]).db, n)
		case p.product == nil:
		case !p.product.transA && p.product.transB != p.product.folded: // dZ·Wᵀ, or dZ·W with W as [out, in]
			set(&of(p.product.a).dx, n)
		case p.product.transA && p.product.folded: // dWᵀ = dZᵀ·X
			set(&of(p.product.a).dw, n)
		case p.product.transA:
			set(&of(p.product.b).dw, n)
		}
	}
	for _, dz := range order {
		f.joinGradientsOf(dz, byDZ[dz].dx, byDZ[dz].dw, byDZ[dz].db)
	}
}

func (f *fusion) joinGradientsOf(dz, dx, dw, db *gorgonia.Node) {
	var outputs gorgonia.Nodes
	for _, n := range []*gorgonia.Node{dx, dw, db} {
		if n != nil {
			outputs = append(outputs, n)
		}
	}
	// A sum alone is no product, and one product no group.
	if dw == nil || len(outputs) < 2 || slices.ContainsFunc(outputs, func(n *gorgonia.Node) bool { return f.parts[n].product == nil && !f.parts[n].sum }) {
		return
	}
	c := linearBackward{rows: dz.Shape()[0], out: dz.Shape()[1], x: -1, w: -1, saved: -1, dx: -1, dw: -1, db: -1}
	p := &part{outputs: outputs}
	input := func(n *gorgonia.Node) int {
		p.inputs = append(p.inputs, n)
		return len(p.inputs) - 1
	}
	back := f.parts[dz]
	if back != nil && back.backward != nil && !gorgonias(back.backward.act) && !f.wantedSet[dz] && f.onlyUsedBy(dz, outputs) {
		c.act = back.backward.act
		c.saved = input(back.backward.saved)
		c.dy = input(back.backward.dy)
	} else {
		c.dy = input(dz)
	}
	var names []string
	for i, n := range outputs {
		switch n {
		case dx:
			c.dx, c.w, c.in = i, input(f.parts[n].product.b), n.Shape()[1]
			c.wTransposed = f.parts[n].product.folded
			names = append(names, "dX")
		case dw:
			if of := f.parts[n].product; of.folded {
				c.dw, c.x, c.in, c.dwTransposed = i, input(of.b), n.Shape()[1], true
			} else {
				c.dw, c.x, c.in = i, input(of.a), n.Shape()[0]
			}
			names = append(names, "dW")
		case db:
			c.db = i
			names = append(names, "db")
		}
	}
	if dx != nil && dx.Shape()[1] != c.in {
		return // another layer's dX
	}
	first := len(f.order)
	for _, n := range outputs {
		first = min(first, f.position[n])
	}
	for _, n := range p.inputs {
		if f.position[n] >= first {
			return // an input of one gradient depends on another
		}
	}
	c.shapeOfDB = tensor.Shape{c.out}
	if db != nil {
		c.shapeOfDB = db.Shape()
	}
	p.what = fmt.Sprintf("gradients %s of a linear layer", strings.Join(names, ", "))
	if c.act.Kind != device.Identity {
		p.what += " with the gradient of its activation"
	}
	p.make = func() computation { return &c }
	for _, n := range outputs {
		f.parts[n] = p
	}
}

// leaveSizes lets SizeOf look at a value that is computed anyway: Gorgonia's ops
// may return another shape than their node has.
func (f *fusion) leaveSizes() {
	for n, p := range f.parts {
		if p.size && f.needed[f.args[n][0]] {
			delete(f.parts, n)
		}
	}
}

// leaveSmallProducts leaves small products, and sums over few rows, that are
// part of nothing else.
func (f *fusion) leaveSmallProducts() {
	for n, p := range f.parts {
		if p.product != nil && len(p.absorbed) == 0 && p.product.multiplications() < smallProduct ||
			p.sum && p.inputs[0].Shape().TotalSize() < smallTensor {
			delete(f.parts, n)
		}
	}
}

// onlyUsedBy reports whether n is an argument of the given nodes alone.
func (f *fusion) onlyUsedBy(n *gorgonia.Node, users gorgonia.Nodes) bool {
	for _, other := range f.order {
		if f.needed[other] && !users.Contains(other) && f.inputsOf(other).Contains(n) {
			return false
		}
	}
	return true
}

// joinLayerGradients computes the gradients of package layer's ops together.
// Those of one layer that nothing keeps apart become a single part.
func (f *fusion) joinLayerGradients() {
	f.reach()
	var order gorgonia.Nodes
	for _, n := range f.order {
		if f.needed[n] {
			order = append(order, n)
		}
	}
	for _, group := range layer.GradientGroups(order, f.inputsOf, func(n *gorgonia.Node) bool { return f.wantedSet[n] }) {
		p := &part{outputs: group.Outputs, inputs: group.Inputs, what: "gradients of a layer.Apply",
			make: func() computation { return &layerGradients{group} }}
		for _, n := range group.Outputs {
			f.parts[n] = p
		}
	}
}

// findDuals pairs the nodes that get dual values with their gradients. Without
// BindDualValues those are the learnables whose gradient is not theirs alone: a
// solver that zeroes one would zero the other.
func (f *fusion) findDuals() {
	memory := make(map[*gorgonia.Node]bool)
	for _, grad := range f.order {
		for _, n := range grad.DerivOf() {
			switch {
			case f.settings.bind:
				if len(f.settings.bound) == 0 && !isConstant(n) || f.settings.bound.Contains(n) {
					f.duals = append(f.duals, dualOf{dual{node: n, accumulate: true}, grad})
				}
			case len(f.settings.outputs) > 0 && !f.settings.outputs.Contains(grad):
			case n.Op() == nil:
				base := memoryOf(grad, func(n *gorgonia.Node) gorgonia.Nodes { return f.args[n] })
				if memory[base] || base.Op() == nil || isConstant(base) {
					f.duals = append(f.duals, dualOf{dual{node: n}, grad})
				}
				memory[base] = true
			}
		}
	}
}

// memoryOf follows a node that may be a view of its argument to the node whose
// memory it shares.
func memoryOf(n *gorgonia.Node, arguments func(*gorgonia.Node) gorgonia.Nodes) *gorgonia.Node {
	for {
		if name, _ := builtin(n); name != "reshapeOp" && name != "transposeOp" && name != "sliceOp" && name != "repeatOp" {
			return n
		}
		n = arguments(n)[0]
	}
}

// explainProducts notes the matrix products that stay with Gorgonia's op.
func (f *fusion) explainProducts() {
	for _, n := range f.order {
		if name, _ := builtin(n); name == "linAlgBinOp" && f.needed[n] && f.parts[n] == nil {
			f.notes = append(f.notes, fmt.Sprintf("%s stays with Gorgonia's op: %s", describe(n), f.whyNoProduct(n)))
		}
	}
}

func (f *fusion) whyNoProduct(n *gorgonia.Node) string {
	args := f.args[n]
	switch {
	case f.settings.unfused:
		return "WithoutFusion"
	case f.settings.separate():
		return "every node is watched"
	case n.Dims() != 2 || args[0].Dims() != 2 || args[1].Dims() != 2:
		return fmt.Sprintf("shapes %v and %v, want two matrices", args[0].Shape(), args[1].Shape())
	case n.Dtype() != tensor.Float32 && n.Dtype() != tensor.Float64:
		return fmt.Sprintf("dtype %v, want float32 or float64", n.Dtype())
	}
	return fmt.Sprintf("shapes %v and %v are small, or both transposed", args[0].Shape(), args[1].Shape())
}
