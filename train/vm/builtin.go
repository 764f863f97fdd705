package vm

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/affine-go/affine/layer/device"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Gorgonia's ops are of types that it does not export, so they are told apart
// by the names of the types and by what they print. An op that is not
// recognised is run as it is.

// builtin returns the type's name and the text of a node's op, if it is one of
// Gorgonia's.
func builtin(n *gorgonia.Node) (name, text string) {
	if n.Op() == nil {
		return "", ""
	}
	t := reflect.TypeOf(n.Op())
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.PkgPath() != "gorgonia.org/gorgonia" {
		return "", ""
	}
	return t.Name(), fmt.Sprint(n.Op())
}

func is(n *gorgonia.Node, name, text string) bool {
	gotName, gotText := builtin(n)
	return gotName == name && gotText == text
}

func isConstant(n *gorgonia.Node) bool {
	name, _ := builtin(n)
	return name == "constantScalar" || name == "constantTensor"
}

// isNumber reports whether n is the scalar constant x.
func isNumber(n *gorgonia.Node, x float64) bool {
	y, ok := number64(n)
	return ok && y == x
}

// number64 returns the value of a scalar constant.
func number64(n *gorgonia.Node) (x float64, ok bool) {
	if name, _ := builtin(n); name != "constantScalar" {
		return 0, false
	}
	switch v := n.Value().(type) {
	case *gorgonia.F32:
		return float64(*v), true
	case *gorgonia.F64:
		return float64(*v), true
	}
	return 0, false
}

// matchSize recognises Gorgonia's SizeOf. The shapes of nodes are known, so
// that the node that it is the size of need not be computed.
func matchSize(n *gorgonia.Node) *part {
	name, text := builtin(n)
	if name != "sizeOp" || !isFloat(n) {
		return nil
	}
	var size int
	if _, err := fmt.Sscanf(text, "SizeOf=%d", &size); err != nil {
		return nil
	}
	return &part{outputs: gorgonia.Nodes{n}, size: true, make: func() computation { return newNumber(n.Dtype(), float64(size)) }}
}

// isMatrix reports whether n is a matrix of a dtype that devices know.
func isMatrix(n *gorgonia.Node) bool {
	return n.Dims() == 2 && !n.IsScalar() && isFloat(n)
}

func isFloat(n *gorgonia.Node) bool {
	dt := n.Dtype()
	return dt == tensor.Float32 || dt == tensor.Float64
}

// match returns the part that computes n, or nil.
func (f *fusion) match(n *gorgonia.Node) *part {
	if n.Op() == nil || isStatement(n) {
		return nil
	}
	for _, try := range []func(*gorgonia.Node) *part{f.matchLinear, f.matchProduct, f.matchBackward, f.matchRowSum, f.matchSoftmax, f.matchElementwise} {
		if p := try(n); p != nil {
			return p
		}
	}
	return nil
}

// operand looks through a transposition of a matrix.
func (f *fusion) operand(n *gorgonia.Node) (of *gorgonia.Node, transposed bool) {
	if is(n, "transposeOp", "Aᵀ{1, 0}") {
		return f.args[n][0], true
	}
	return n, false
}

// asProduct sees n as a product of matrices: Mul with or without
// transpositions of its operands, or the transposition of such a product.
func (f *fusion) asProduct(n *gorgonia.Node) *productOf {
	if !isMatrix(n) {
		return nil
	}
	if of, transposed := f.operand(n); transposed {
		p := f.asProduct(of)
		if p == nil {
			return nil
		}
		p = &productOf{p.b, p.a, !p.transB, !p.transA, true} // (A·B)ᵀ = Bᵀ·Aᵀ
		if p.transA && p.transB {
			return nil
		}
		return p
	}
	name, text := builtin(n)
	if name != "linAlgBinOp" {
		return nil
	}
	p := &productOf{}
	switch text {
	case "A × B":
	case "Aᵀ × B":
		p.transA = true
	case "A × Bᵀ":
		p.transB = true
	default:
		return nil
	}
	args := f.args[n]
	if !isMatrix(args[0]) || !isMatrix(args[1]) {
		return nil
	}
	a, transA := f.operand(args[0])
	b, transB := f.operand(args[1])
	p.a, p.b = a, b
	p.transA, p.transB = p.transA != transA, p.transB != transB
	p.folded = transA || transB
	if p.transA && p.transB {
		return nil // the kernels have no such product
	}
	if p.multiplications() < smallLayer {
		return nil
	}
	return p
}

func (f *fusion) matchProduct(n *gorgonia.Node) *part {
	p := f.asProduct(n)
	if p == nil {
		return nil
	}
	result := &part{outputs: gorgonia.Nodes{n}, inputs: gorgonia.Nodes{p.a, p.b}, product: p, what: "a matrix product"}
	if of, transposed := f.operand(n); transposed {
		result.absorbed = gorgonia.Nodes{of}
		result.what = "a transposed matrix product"
	}
	result.make = func() computation {
		return &product{transA: p.transA, transB: p.transB, a: p.a.Shape(), b: p.b.Shape(), shape: n.Shape()}
	}
	return result
}

// matchLinear recognises act(X·W + b).
func (f *fusion) matchLinear(n *gorgonia.Node) *part {
	act, z := f.activationOf(n)
	if act.Kind == device.Identity {
		z = n
	}
	name, text := builtin(z)
	if name != "elemBinOp" || text != "+ false" || !isMatrix(z) {
		return nil
	}
	for i, xw := range f.args[z] {
		p := f.asProduct(xw)
		if p == nil || p.transA {
			continue
		}
		bias := f.biasOf(f.args[z][1-i], xw)
		if bias == nil || bias == xw {
			continue
		}
		c := linear{act: act, transposed: p.transB, rows: n.Shape()[0], in: p.a.Shape()[1], out: n.Shape()[1], wholeBias: bias.Shape().TotalSize() != n.Shape()[1]}
		result := &part{outputs: gorgonia.Nodes{n}, inputs: gorgonia.Nodes{p.a, p.b, bias}, absorbed: gorgonia.Nodes{xw}, z: z}
		result.what = "a linear layer, X·W + b"
		if act.Kind != device.Identity {
			result.what = "a linear layer, " + activationName(act) + "(X·W + b)"
		}
		result.make = func() computation {
			c.keepZ = len(result.outputs) == 2
			return &c
		}
		return result
	}
	return nil
}

// biasOf returns the node of the bias that is added to xw: a vector that
// BroadcastAdd repeats for every row, or a matrix of xw's shape.
func (f *fusion) biasOf(added, xw *gorgonia.Node) *gorgonia.Node {
	if !isMatrix(added) || !added.Shape().Eq(xw.Shape()) {
		return nil
	}
	if !is(added, "repeatOp", "Repeat0") {
		return added
	}
	b := f.args[added][0]
	if b.Dims() != 2 || b.Shape()[0] != 1 || b.Shape()[1] != xw.Shape()[1] {
		return added
	}
	if name, _ := builtin(b); name == "reshapeOp" && f.args[b][0].Shape().TotalSize() == b.Shape()[1] && !f.args[b][0].IsScalar() {
		b = f.args[b][0]
	}
	return b
}

// activationOf sees n as an activation of a node.
func (f *fusion) activationOf(n *gorgonia.Node) (device.Activation, *gorgonia.Node) {
	switch name, text := builtin(n); {
	case name == "elemUnaryOp" && text == "tanh":
		return device.Activation{Kind: device.Tanh}, f.args[n][0]
	case name == "elemUnaryOp" && text == "sigmoid":
		return device.Activation{Kind: device.Sigmoid}, f.args[n][0]
	case name == "elemUnaryOp" && text == "softplus":
		act := device.Activation{Kind: device.Softplus, Beta: 1, Threshold: 16} // Gorgonia's
		if n.Dtype() == tensor.Float32 {
			act.Threshold = 14
		}
		return act, f.args[n][0]
	case name == "elemBinOp" && text == "⊙ false":
		z, mask := f.args[n][0], f.args[n][1]
		if f.masks(mask, z) {
			return device.Activation{Kind: device.ReLU}, z
		}
		for i, z := range f.args[n] {
			if y := f.args[n][1-i]; is(y, "elemUnaryOp", "sigmoid") && f.args[y][0] == z && z.Shape().Eq(n.Shape()) {
				return device.Activation{Kind: device.SiLU}, z
			}
		}
	case name == "elemBinOp" && text == "+ false":
		if alpha, z, ok := f.leaky(f.args[n][0], f.args[n][1]); ok {
			return device.Activation{Kind: device.LeakyReLU, Alpha: alpha}, z
		}
	}
	return device.Activation{}, nil
}

// leaky recognises what Gorgonia's LeakyRelu adds up:
//
//	z ⊙ [z ≥ 0] + (z ⊙ [z < 0]) ⊙ α
func (f *fusion) leaky(positive, negative *gorgonia.Node) (alpha float64, z *gorgonia.Node, ok bool) {
	const product = "⊙ false"
	if !is(positive, "elemBinOp", product) || !is(negative, "elemBinOp", product) {
		return 0, nil, false
	}
	z = f.args[positive][0]
	part := f.args[negative][0]
	alpha, ok = number64(f.args[negative][1])
	ok = ok && alpha >= 0 && alpha <= 1 && f.masks(f.args[positive][1], z) &&
		is(part, "elemBinOp", product) && f.args[part][0] == z && f.masksNegative(f.args[part][1], z)
	return alpha, z, ok
}

// masks reports whether mask is 1 where z ≥ 0 and 0 elsewhere, as Rectify
// makes it.
func (f *fusion) masks(mask, z *gorgonia.Node) bool {
	return (is(mask, "elemBinOp", ">= true") || is(mask, "elemBinOp", "≥ true")) && f.args[mask][0] == z && isNumber(f.args[mask][1], 0)
}

// masksNegative reports whether mask is 1 where z < 0 and 0 elsewhere.
func (f *fusion) masksNegative(mask, z *gorgonia.Node) bool {
	return is(mask, "elemBinOp", "< true") && f.args[mask][0] == z && isNumber(f.args[mask][1], 0)
}

func activationName(act device.Activation) string {
	switch act.Kind {
	case device.LeakyReLU:
		return "leaky relu"
	case device.SiLU:
		return "silu"
	case device.Tanh:
		return "tanh"
	case device.Sigmoid:
		return "sigmoid"
	case device.ReLU:
		return "relu"
	case device.Softplus:
		return "softplus"
	}
	return "act"
}

// matchBackward recognises what gorgonia.Grad makes of an activation:
//
//	rectify   dZ = [Z ≥ 0] ⊙ dY
//	tanh      dZ = (1 − Y ⊙ Y) ⊙ dY
//	sigmoid   dZ = (Y ⊙ σ(−Z)) ⊙ dY, or (Y ⊙ (1 − Y)) ⊙ dY
//
// and, of those made of several ops,
//
//	leaky relu   dZ = [Z < 0] ⊙ (α ⊙ dY) + [Z ≥ 0] ⊙ dY
//	silu         dZ = σ(Z) ⊙ dY + (the gradient of sigmoid with Z ⊙ dY for dY)
func (f *fusion) matchBackward(n *gorgonia.Node) *part {
	if !isFloat(n) || n.IsScalar() || n.Shape().TotalSize() < smallTensor {
		return nil
	}
	var b *backwardOf
	switch {
	case is(n, "elemBinOp", "⊙ false"):
		b = f.backwardOfOne(n)
	case is(n, "elemBinOp", "+ false"):
		b = f.backwardOfSum(f.args[n][0], f.args[n][1])
	}
	if b == nil || !b.saved.Shape().Eq(n.Shape()) || b.dy.IsScalar() || !b.dy.Shape().Eq(n.Shape()) {
		return nil
	}
	return &part{outputs: gorgonia.Nodes{n}, inputs: gorgonia.Nodes{b.dy, b.saved}, backward: b,
		what: "the gradient of " + activationName(b.act),
		make: func() computation { return &activationBackward{act: b.act, shape: n.Shape()} }}
}

// backwardOfSum recognises the gradient of an activation of several ops.
func (f *fusion) backwardOfSum(p, q *gorgonia.Node) *backwardOf {
	const product = "⊙ false"
	if !is(p, "elemBinOp", product) || !is(q, "elemBinOp", product) {
		return nil
	}
	if mask, scaled := f.args[p][0], f.args[p][1]; is(mask, "elemBinOp", "< true") && is(scaled, "elemBinOp", product) {
		z, dy := f.args[mask][0], f.args[q][1]
		alpha, ok := number64(f.args[scaled][0])
		if ok && alpha >= 0 && alpha <= 1 && f.args[scaled][1] == dy && f.masksNegative(mask, z) && f.masks(f.args[q][0], z) {
			return &backwardOf{dy, z, device.Activation{Kind: device.LeakyReLU, Alpha: alpha}}
		}
		return nil
	}
	y, dy := f.args[p][0], f.args[p][1]
	b := f.backwardOfOne(q)
	if b == nil || b.act.Kind != device.Sigmoid || b.saved != y || !is(b.dy, "elemBinOp", product) {
		return nil
	}
	if z := f.args[y][0]; f.args[b.dy][0] == z && f.args[b.dy][1] == dy {
		return &backwardOf{dy, z, device.Activation{Kind: device.SiLU}}
	}
	return nil
}

// backwardOfOne recognises the gradient of an activation of one op, or of
// Rectify.
func (f *fusion) backwardOfOne(n *gorgonia.Node) *backwardOf {
	factor, dy := f.args[n][0], f.args[n][1]
	if factor.IsScalar() {
		return nil
	}
	if name, _ := builtin(factor); name == "elemBinOp" {
		args := f.args[factor]
		switch {
		case f.masks(factor, args[0]):
			return &backwardOf{dy, args[0], device.Activation{Kind: device.ReLU}}
		case is(factor, "elemBinOp", "- false") && isNumber(args[0], 1):
			if square := f.args[args[1]]; is(args[1], "elemBinOp", "⊙ false") && square[0] == square[1] && is(square[0], "elemUnaryOp", "tanh") {
				return &backwardOf{dy, square[0], device.Activation{Kind: device.Tanh}}
			}
		case is(factor, "elemBinOp", "⊙ false") && is(args[0], "elemUnaryOp", "sigmoid") && f.isComplement(args[1], args[0]):
			return &backwardOf{dy, args[0], device.Activation{Kind: device.Sigmoid}}
		}
	}
	return nil
}

// isComplement reports whether n is 1 − y for y = σ(z).
func (f *fusion) isComplement(n, y *gorgonia.Node) bool {
	if is(n, "elemBinOp", "- false") {
		return isNumber(f.args[n][0], 1) && f.args[n][1] == y
	}
	if is(n, "elemUnaryOp", "sigmoid") {
		neg := f.args[n][0]
		return is(neg, "elemUnaryOp", "neg") && f.args[neg][0] == f.args[y][0]
	}
	return false
}

// isRowSum reports whether n is the sum over the rows of a matrix.
func isRowSum(n *gorgonia.Node) bool {
	return is(n, "sumOp", "Σ[0]") && n.Dims() == 1 && isFloat(n)
}

func (f *fusion) matchRowSum(n *gorgonia.Node) *part {
	if !isRowSum(n) || !isMatrix(f.args[n][0]) {
		return nil
	}
	of := f.args[n][0]
	return &part{outputs: gorgonia.Nodes{n}, inputs: gorgonia.Nodes{of}, sum: true, what: "the sum over rows",
		make: func() computation {
			return &linearBackward{rows: of.Shape()[0], out: of.Shape()[1], dy: 0, x: -1, w: -1, saved: -1, dx: -1, dw: -1, shapeOfDB: n.Shape()}
		}}
}

// Explain says in one line for each computation of a run what it is, and what
// was not fused and why.
func (m *Machine) Explain() string {
	if m.program == nil {
		return "the machine is closed\n"
	}
	var b strings.Builder
	for i := range m.program.instructions {
		inst := &m.program.instructions[i]
		names := make([]string, len(inst.nodes))
		for j, n := range inst.nodes {
			names[j] = fmt.Sprintf("%q", n.Name())
		}
		what := inst.what
		if what == "" {
			what = fmt.Sprint(inst.nodes[0].Op())
		} else {
			what = "fused: " + what
		}
		fmt.Fprintf(&b, "%s: %s\n", strings.Join(names, ", "), what)
	}
	for _, note := range m.program.notes {
		fmt.Fprintf(&b, "not fused: %s\n", note)
	}
	return b.String()
}
