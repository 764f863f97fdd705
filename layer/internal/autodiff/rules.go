package autodiff

import (
	"fmt"
	"math"
	"reflect"
	"strings"

	"gorgonia.org/gorgonia"
)

// How Gorgonia's own ops are differentiated. Each op of the tables below was
// compared with finite differences (TestGradOfEveryBuiltinOp); an op of
// Gorgonia that is in none of them is refused, since several inherit a gradient
// from the op that they embed, which belongs to that op alone.

// gorgoniaPath is the import path of the package whose ops the tables describe.
const gorgoniaPath = "gorgonia.org/gorgonia"

// builtinRule is a rule for one of Gorgonia's ops. dependsOn holds the inputs'
// dependences, the last one standing for all further inputs.
type builtinRule struct {
	dependsOn []Dependence
	// gradients is nil if the op's own SymDiff is right.
	gradients func(r *ruleContext) gorgonia.Nodes
}

// ruleContext is what a rule builds its gradients from. Its Expression keeps
// the first error.
type ruleContext struct {
	Expression
	op     gorgonia.Op
	wanted []bool
	in     gorgonia.Nodes
	out    *gorgonia.Node
	grad   *gorgonia.Node
}

// builtinRules is keyed by the name of the op's type, for pointwise ops
// followed by a space and the operator.
var builtinRules = map[string]builtinRule{
	"linAlgBinOp":    {dependsOn: []Dependence{Smooth}, gradients: linAlgGradients},
	"tensordotOp":    {dependsOn: []Dependence{Smooth}},
	"sumOp":          {dependsOn: []Dependence{Smooth}, gradients: sumGradients},
	"maxOp":          {dependsOn: []Dependence{Smooth}},
	"repeatOp":       {dependsOn: []Dependence{Smooth, Constant}, gradients: repeatGradients},
	"sizeOp":         {dependsOn: []Dependence{Constant}},
	"sliceOp":        {dependsOn: []Dependence{Smooth}},
	"sliceIncrOp":    {dependsOn: []Dependence{Constant, Smooth}}, // T is read for its shape only
	"transposeOp":    {dependsOn: []Dependence{Smooth}},
	"concatOp":       {dependsOn: []Dependence{Smooth}},
	"reshapeOp":      {dependsOn: []Dependence{Smooth}, gradients: reshapeGradients},
	"softmaxOp":      {dependsOn: []Dependence{Smooth}, gradients: softmaxGradients},
	"minBetween":     {dependsOn: []Dependence{Smooth}},
	"maxBetween":     {dependsOn: []Dependence{Smooth}},
	"constantScalar": {dependsOn: []Dependence{Constant}},
	"constantTensor": {dependsOn: []Dependence{Constant}},

	// The gradients of these have no gradient of their own.
	"maxPoolOp":   {dependsOn: []Dependence{Smooth}},
	"im2colOp":    {dependsOn: []Dependence{Smooth}},
	"byIndicesOp": {dependsOn: []Dependence{Smooth, Constant}},
	"upsampleOp":  {dependsOn: []Dependence{Smooth}},
	"BatchNormOp": {dependsOn: []Dependence{Smooth, Unknown}},
	"sparsemaxOp": {dependsOn: []Dependence{Smooth}},
	"GroupNormOp": {dependsOn: []Dependence{Smooth}},

	"elemBinOp +":  {dependsOn: []Dependence{Smooth}, gradients: binaryRule(gradAdd)},
	"elemBinOp -":  {dependsOn: []Dependence{Smooth}, gradients: binaryRule(gradSub)},
	"elemBinOp ⊙":  {dependsOn: []Dependence{Smooth}, gradients: binaryRule(gradMul)},
	"elemBinOp ÷":  {dependsOn: []Dependence{Smooth}, gradients: binaryRule(gradDiv)},
	"elemBinOp ^":  {dependsOn: []Dependence{Smooth}, gradients: binaryRule(gradPow)},
	"elemBinOp <":  {dependsOn: []Dependence{Constant}},
	"elemBinOp >":  {dependsOn: []Dependence{Constant}},
	"elemBinOp <=": {dependsOn: []Dependence{Constant}},
	"elemBinOp >=": {dependsOn: []Dependence{Constant}},
	"elemBinOp ==": {dependsOn: []Dependence{Constant}},
	"elemBinOp !=": {dependsOn: []Dependence{Constant}},

	"elemUnaryOp sign":     {dependsOn: []Dependence{Constant}},
	"elemUnaryOp ceil":     {dependsOn: []Dependence{Constant}},
	"elemUnaryOp floor":    {dependsOn: []Dependence{Constant}},
	"elemUnaryOp abs":      {dependsOn: []Dependence{Smooth}},
	"elemUnaryOp sin":      {dependsOn: []Dependence{Smooth}},
	"elemUnaryOp cos":      {dependsOn: []Dependence{Smooth}},
	"elemUnaryOp exp":      {dependsOn: []Dependence{Smooth}},
	"elemUnaryOp ln":       {dependsOn: []Dependence{Smooth}},
	"elemUnaryOp log2":     {dependsOn: []Dependence{Smooth}, gradients: log2Gradients},
	"elemUnaryOp neg":      {dependsOn: []Dependence{Smooth}},
	"elemUnaryOp square":   {dependsOn: []Dependence{Smooth}},
	"elemUnaryOp sqrt":     {dependsOn: []Dependence{Smooth}},
	"elemUnaryOp inv":      {dependsOn: []Dependence{Smooth}},
	"elemUnaryOp invSqrt":  {dependsOn: []Dependence{Smooth}, gradients: inverseSqrtGradients},
	"elemUnaryOp cube":     {dependsOn: []Dependence{Smooth}},
	"elemUnaryOp tanh":     {dependsOn: []Dependence{Smooth}},
	"elemUnaryOp sigmoid":  {dependsOn: []Dependence{Smooth}},
	"elemUnaryOp log1p":    {dependsOn: []Dependence{Smooth}},
	"elemUnaryOp expm1":    {dependsOn: []Dependence{Smooth}},
	"elemUnaryOp softplus": {dependsOn: []Dependence{Smooth}},
}

// wrongBuiltins says what is wrong with ops of Gorgonia that are refused.
var wrongBuiltins = map[string]string{
	"avgPoolOp": ": Gorgonia's own is wrong",
	"dropoutOp": ": Gorgonia's own divides by the probability to drop where it should divide by that to keep",
	"atOp":      ": use gorgonia.Slice, which has one",
	"ctcLossOp": ": Gorgonia's own disregards the gradient that arrives at the loss",
}

// builtinRuleOf returns the rule of an op of Gorgonia; known is false if the op
// is one of Gorgonia's without a rule, and builtin if it is one of Gorgonia's.
func builtinRuleOf(op gorgonia.Op) (rule builtinRule, known, builtin bool) {
	t := reflect.TypeOf(op)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.PkgPath() != gorgoniaPath {
		return builtinRule{}, false, false
	}
	name := t.Name()
	if name == "elemBinOp" || name == "elemUnaryOp" {
		operator, _, _ := strings.Cut(fmt.Sprint(op), " ")
		name += " " + operator
	}
	rule, known = builtinRules[name]
	return rule, known, true
}

// whyUnknown adds to an error why an op is refused, if there is more to say.
func whyUnknown(op gorgonia.Op, input int) string {
	t := reflect.TypeOf(op)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if why := wrongBuiltins[t.Name()]; t.PkgPath() == gorgoniaPath && why != "" {
		return why
	}
	if e, ok := op.(Explainer); ok {
		return e.WhyUnknown(input)
	}
	return ""
}

// dependencesOf says how the result of op depends on each of its inputs. An op
// of another package is taken at its word.
func dependencesOf(op gorgonia.Op, inputs int) []Dependence {
	if inputs == 0 {
		return nil
	}
	if d, ok := op.(Differentiable); ok {
		return d.Dependences()
	}
	all := make([]Dependence, inputs) // unknown
	rule, known, builtin := builtinRuleOf(op)
	switch {
	case known:
		for i := range all {
			all[i] = rule.dependsOn[min(i, len(rule.dependsOn)-1)]
		}
	case builtin:
	default:
		if d, ok := op.(gorgonia.SDOp); ok {
			for i, has := range d.DiffWRT(inputs) {
				all[i] = Constant
				if has {
					all[i] = Smooth
				}
			}
		}
	}
	return all
}

// gradientsOf returns the wanted gradients by the inputs of an op.
func gradientsOf(op gorgonia.Op, wanted []bool, inputs gorgonia.Nodes, output, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	if d, ok := op.(Differentiable); ok {
		return d.Gradients(wanted, inputs, output, grad)
	}
	if rule, known, _ := builtinRuleOf(op); known && rule.gradients != nil {
		r := &ruleContext{Expression{Dtype: output.Dtype()}, op, wanted, inputs, output, grad}
		byInput := rule.gradients(r)
		return byInput, r.Err
	}
	byInput, err := op.(gorgonia.SDOp).SymDiff(inputs, output, grad)
	if err == nil && len(byInput) < len(inputs) {
		err = fmt.Errorf("SymDiff gives %d gradients for %d inputs", len(byInput), len(inputs))
	}
	if err != nil {
		return nil, err
	}
	return byInput[:len(inputs)], nil // BatchNorm gives more
}

// one returns the gradient of an op with one input.
func one(grad *gorgonia.Node) gorgonia.Nodes { return gorgonia.Nodes{grad} }

// binaryRule makes a rule of a function that gives the gradient by input i of a
// pointwise op, one of whose inputs may be a scalar: its gradient is the sum.
func binaryRule(gradient func(r *ruleContext, i int) *gorgonia.Node) func(*ruleContext) gorgonia.Nodes {
	return func(r *ruleContext) gorgonia.Nodes {
		grads := make(gorgonia.Nodes, 2)
		for i := range grads {
			if !r.wanted[i] {
				continue
			}
			grads[i] = gradient(r, i)
			if r.Err == nil && grads[i] != nil && r.in[i].IsScalar() && !grads[i].IsScalar() {
				grads[i] = r.Sum(grads[i])
			}
		}
		return grads
	}
}

func gradAdd(r *ruleContext, _ int) *gorgonia.Node { return r.grad }

func gradSub(r *ruleContext, i int) *gorgonia.Node {
	if i == 0 {
		return r.grad
	}
	return r.Unary(gorgonia.Neg, r.grad)
}

func gradMul(r *ruleContext, i int) *gorgonia.Node {
	return r.Binary(gorgonia.HadamardProd, r.in[1-i], r.grad)
}

// gradDiv: by x it is g/y, by y it is −z·g/y for z = x/y.
func gradDiv(r *ruleContext, i int) *gorgonia.Node {
	perY := r.Binary(gorgonia.HadamardDiv, r.grad, r.in[1])
	if i == 0 {
		return perY
	}
	return r.Unary(gorgonia.Neg, r.Binary(gorgonia.HadamardProd, r.out, perY))
}

// gradPow: by x it is g·y·x^(y−1), by y it is g·z·log x for z = x^y. For a
// constant exponent 0, 1 or 2 no power is left, so that the next derivatives
// are right at x = 0 too.
func gradPow(r *ruleContext, i int) *gorgonia.Node {
	x, y := r.in[0], r.in[1]
	if i == 1 {
		// Log rewrites some nodes that it is given (gorgonia#569); not this one.
		log := r.Unary(gorgonia.Log, r.Do(Reshaped(x, x.Shape())))
		return r.Binary(gorgonia.HadamardProd, r.Binary(gorgonia.HadamardProd, r.grad, r.out), log)
	}
	if exponent, ok := scalarConstant(y); ok {
		switch exponent {
		case 0:
			return nil
		case 1:
			return r.grad
		case 2:
			return r.Scaled(r.Binary(gorgonia.HadamardProd, r.grad, x), 2)
		}
		power := r.Binary(gorgonia.Pow, x, r.Constant(exponent-1))
		return r.Scaled(r.Binary(gorgonia.HadamardProd, r.grad, power), exponent)
	}
	power := r.Binary(gorgonia.Pow, x, r.Shifted(y, -1))
	return r.Binary(gorgonia.HadamardProd, r.Binary(gorgonia.HadamardProd, r.grad, y), power)
}

// scalarConstant returns the number that a constant node stands for.
func scalarConstant(n *gorgonia.Node) (float64, bool) {
	if n.Op() == nil || n.Value() == nil || !n.IsScalar() || !strings.HasPrefix(fmt.Sprintf("%T", n.Op()), "gorgonia.constant") {
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

// log2Gradients: (log₂ x)' = 1/(x·ln 2). Gorgonia multiplies by ln 2.
func log2Gradients(r *ruleContext) gorgonia.Nodes {
	return one(r.Scaled(r.Binary(gorgonia.HadamardDiv, r.grad, r.in[0]), 1/math.Ln2))
}

// inverseSqrtGradients: (x^−½)' = −y³/2. Gorgonia divides by y³.
func inverseSqrtGradients(r *ruleContext) gorgonia.Nodes {
	return one(r.Scaled(r.Binary(gorgonia.HadamardProd, r.grad, r.Unary(gorgonia.Cube, r.out)), -0.5))
}

// linAlgGradients takes Gorgonia's SymDiff but for two cases. The outer
// product: with Z = x·yᵀ, dx = G·y and dy = Gᵀ·x. And a product Aᵀ·B or A·Bᵀ
// whose factors are the same node: Gorgonia transposes the tensor in place, so
// both factors would be transposed.
func linAlgGradients(r *ruleContext) gorgonia.Nodes {
	if strings.Contains(fmt.Sprint(r.op), "⊗") {
		grads := make(gorgonia.Nodes, 2)
		for i := range grads {
			if !r.wanted[i] {
				continue
			}
			g := r.grad
			if i == 1 {
				g = r.Do(gorgonia.Transpose(g, 1, 0))
			}
			grads[i] = r.Binary(gorgonia.Mul, g, r.in[1-i])
		}
		return grads
	}
	in := append(gorgonia.Nodes{}, r.in...)
	for i, n := range in {
		if n == r.grad {
			in[i] = r.Do(Reshaped(n, n.Shape()))
		}
	}
	if r.Err != nil {
		return nil
	}
	grads, err := r.op.(gorgonia.SDOp).SymDiff(in, r.out, r.grad)
	r.Do(nil, err)
	return grads
}

// sumGradients: each element of x gets the gradient of the sum that it is in.
func sumGradients(r *ruleContext) gorgonia.Nodes {
	shape := r.in[0].Shape()
	kept := shape.Clone()
	along := opField(r.op, "along")
	for i := range along.Len() {
		kept[along.Index(i).Int()] = 1
	}
	g := r.Do(Reshaped(r.grad, kept))
	if r.Err != nil {
		return nil
	}
	return one(r.Do(Spread(g, shape)))
}

// reshapeGradients: the gradient in the shape of the input.
func reshapeGradients(r *ruleContext) gorgonia.Nodes {
	return one(r.Do(Reshaped(r.grad, r.in[0].Shape())))
}

// repeatGradients: each element of x stands rep times in a row along an axis,
// so its gradient is the sum over these.
func repeatGradients(r *ruleContext) gorgonia.Nodes {
	axis := int(opField(r.op, "along").Int())
	x, g := r.in[0].Shape().Clone(), r.grad.Shape()
	for len(x) < len(g) {
		x = append(x, 1)
	}
	if x[axis] == 0 || g[axis]%x[axis] != 0 {
		r.Do(nil, fmt.Errorf("gradient has shape %v, want %v repeated along axis %d", g, r.in[0].Shape(), axis))
		return nil
	}
	// [..., d·rep, ...] → [..., d, rep, ...]
	split := append(append(x[:axis:axis], x[axis], g[axis]/x[axis]), g[axis+1:]...)
	return one(r.Sum(r.Do(Reshaped(r.grad, split)), axis+1))
}

// opField reads a field of one of Gorgonia's ops.
func opField(op gorgonia.Op, name string) reflect.Value {
	return reflect.Indirect(reflect.ValueOf(op)).FieldByName(name)
}

// softmaxGradients: with y = softmax x along an axis, dx = y ⊙ (G − Σ G⊙y); with
// y = log softmax x, dx = G − exp(y)·ΣG. Gorgonia's own have no derivatives.
func softmaxGradients(r *ruleContext) gorgonia.Nodes {
	axis := int(opField(r.op, "axis").Int())
	if axis < 0 {
		axis = r.out.Dims() - 1
		if r.out.IsColVec() {
			axis = 0
		}
	}
	if opField(r.op, "isLog").Bool() {
		s := r.Binary(gorgonia.HadamardProd, r.Unary(gorgonia.Exp, r.out), r.SumAcross(r.grad, axis))
		return one(r.Binary(gorgonia.Sub, r.grad, s))
	}
	s := r.SumAcross(r.Binary(gorgonia.HadamardProd, r.grad, r.out), axis)
	return one(r.Binary(gorgonia.HadamardProd, r.out, r.Binary(gorgonia.Sub, r.grad, s)))
}
