package autodiff_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/affine-go/affine/layer/gradcheck"
	"github.com/affine-go/affine/layer/internal/autodiff"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// builtinCase is an op of Gorgonia between inputs of the given shapes.
type builtinCase struct {
	name   string
	shapes []tensor.Shape
	build  func(in G.Nodes) (*G.Node, error)
	// order is the highest derivative that must be right; beyond it Grad must
	// refuse.
	order int
	// positive inputs are drawn from (0.5, 1.5), others from the normal
	// distribution and kept away from 0.
	positive bool
}

func unaryCase(name string, f func(*G.Node) (*G.Node, error), positive bool) builtinCase {
	return builtinCase{name: name, shapes: []tensor.Shape{{2, 3}}, order: 3, positive: positive,
		build: func(in G.Nodes) (*G.Node, error) { return f(in[0]) }}
}

func binaryCase(name string, f func(a, b *G.Node) (*G.Node, error), a, b tensor.Shape, positive bool) builtinCase {
	return builtinCase{name: name, shapes: []tensor.Shape{a, b}, order: 3, positive: positive,
		build: func(in G.Nodes) (*G.Node, error) { return f(in[0], in[1]) }}
}

func builtinCases() []builtinCase {
	m, v, s := tensor.Shape{2, 3}, tensor.Shape{3}, tensor.Shape{}
	cases := []builtinCase{
		unaryCase("abs", G.Abs, false), unaryCase("sin", G.Sin, false), unaryCase("cos", G.Cos, false),
		unaryCase("exp", G.Exp, false), unaryCase("log", G.Log, true), unaryCase("log2", G.Log2, true),
		unaryCase("neg", G.Neg, false), unaryCase("square", G.Square, false), unaryCase("sqrt", G.Sqrt, true),
		unaryCase("inverse", G.Inverse, true), unaryCase("inverse sqrt", G.InverseSqrt, true),
		unaryCase("cube", G.Cube, false), unaryCase("tanh", G.Tanh, false), unaryCase("sigmoid", G.Sigmoid, false),
		unaryCase("log1p", G.Log1p, true), unaryCase("expm1", G.Expm1, false), unaryCase("softplus", G.Softplus, false),
		unaryCase("rectify", G.Rectify, false),
		unaryCase("leaky relu", func(a *G.Node) (*G.Node, error) { return G.LeakyRelu(a, 0.1) }, false),
		unaryCase("sum", func(a *G.Node) (*G.Node, error) { return G.Sum(a) }, false),
		unaryCase("sum along 0", func(a *G.Node) (*G.Node, error) { return G.Sum(a, 0) }, false),
		unaryCase("sum along 1", func(a *G.Node) (*G.Node, error) { return G.Sum(a, 1) }, false),
		unaryCase("mean", func(a *G.Node) (*G.Node, error) { return G.Mean(a) }, false),
		unaryCase("mean along 1", func(a *G.Node) (*G.Node, error) { return G.Mean(a, 1) }, false),
		unaryCase("norm", func(a *G.Node) (*G.Node, error) { return G.Norm(a, 0, 2) }, false),
		unaryCase("softmax along 0", func(a *G.Node) (*G.Node, error) { return G.SoftMax(a, 0) }, false),
		unaryCase("softmax along 1", func(a *G.Node) (*G.Node, error) { return G.SoftMax(a, 1) }, false),
		unaryCase("softmax", func(a *G.Node) (*G.Node, error) { return G.SoftMax(a) }, false),
		unaryCase("log softmax", func(a *G.Node) (*G.Node, error) { return G.LogSoftMax(a, 1) }, false),
		unaryCase("log of softmax", func(a *G.Node) (*G.Node, error) { return G.Log(G.Must(G.SoftMax(a, 1))) }, false),
		unaryCase("reshape", func(a *G.Node) (*G.Node, error) { return G.Reshape(a, tensor.Shape{3, 2}) }, false),
		unaryCase("transpose", func(a *G.Node) (*G.Node, error) { return G.Transpose(a, 1, 0) }, false),
		unaryCase("slice of rows", func(a *G.Node) (*G.Node, error) { return G.Slice(a, G.S(0, 2)) }, false),
		unaryCase("slice of one row", func(a *G.Node) (*G.Node, error) { return G.Slice(a, G.S(1)) }, false),
		unaryCase("slice of columns", func(a *G.Node) (*G.Node, error) { return G.Slice(a, nil, G.S(1, 3)) }, false),
		unaryCase("one element", func(a *G.Node) (*G.Node, error) { return G.Slice(a, G.S(1), G.S(2)) }, false),
		unaryCase("power of 2.5", func(a *G.Node) (*G.Node, error) { return G.Pow(a, G.NewConstant(2.5)) }, true),
		unaryCase("power of 2", func(a *G.Node) (*G.Node, error) { return G.Pow(a, G.NewConstant(2.0)) }, false),
		binaryCase("add", G.Add, m, m, false), binaryCase("sub", G.Sub, m, m, false),
		binaryCase("hadamard product", G.HadamardProd, m, m, false), binaryCase("hadamard quotient", G.HadamardDiv, m, m, true),
		binaryCase("power", G.Pow, m, m, true),
		binaryCase("add a scalar", G.Add, m, s, false), binaryCase("subtract from a scalar", G.Sub, s, m, false),
		binaryCase("multiply by a scalar", G.HadamardProd, m, s, false), binaryCase("divide by a scalar", G.HadamardDiv, m, s, true),
		binaryCase("divide a scalar", G.HadamardDiv, s, m, true),
		binaryCase("power of a softmax", func(a, b *G.Node) (*G.Node, error) { return G.Pow(G.Must(G.SoftMax(a, 1)), b) }, m, m, true),
		binaryCase("matrix product", G.Mul, m, tensor.Shape{3, 4}, false),
		binaryCase("matrix times vector", G.Mul, m, v, false),
		binaryCase("vector times matrix", G.Mul, tensor.Shape{2}, m, false),
		binaryCase("dot product", G.Mul, v, v, false),
		binaryCase("outer product", G.OuterProd, v, tensor.Shape{2}, false),
		binaryCase("outer product of equal lengths", G.OuterProd, v, v, false),
		binaryCase("tensordot", func(a, b *G.Node) (*G.Node, error) { return G.Tensordot([]int{1}, []int{0}, a, b) }, m, tensor.Shape{3, 4}, false),
		binaryCase("broadcast of a row", func(a, b *G.Node) (*G.Node, error) { return G.BroadcastAdd(a, b, nil, []byte{0}) }, m, v, false),
		binaryCase("broadcast of a (1, n) row", func(a, b *G.Node) (*G.Node, error) { return G.BroadcastAdd(a, b, nil, []byte{0}) }, m, tensor.Shape{1, 3}, false),
		binaryCase("broadcast of a column", func(a, b *G.Node) (*G.Node, error) { return G.BroadcastHadamardProd(a, b, nil, []byte{1}) }, m, tensor.Shape{2, 1}, false),
		binaryCase("quotient by a column", func(a, b *G.Node) (*G.Node, error) { return G.BroadcastHadamardDiv(a, b, nil, []byte{1}) }, m, tensor.Shape{2, 1}, true),
		binaryCase("concat of rows", func(a, b *G.Node) (*G.Node, error) { return G.Concat(0, a, b) }, m, tensor.Shape{1, 3}, false),
		binaryCase("concat of columns", func(a, b *G.Node) (*G.Node, error) { return G.Concat(1, a, b) }, m, tensor.Shape{2, 2}, false),
		binaryCase("larger of two", G.MaxBetween, m, m, false), binaryCase("smaller of two", G.MinBetween, m, m, false),
		// The gradient by the right factor is Xᵀ·X of one and the same node.
		{name: "square matrix product with itself", shapes: []tensor.Shape{{3, 3}, {3, 3}}, order: 3,
			build: func(in G.Nodes) (*G.Node, error) { return G.HadamardProd(in[0], G.Must(G.Mul(in[0], in[1]))) }},
		{name: "batched product", shapes: []tensor.Shape{{2, 2, 3}, {2, 3, 2}}, order: 3,
			build: func(in G.Nodes) (*G.Node, error) { return G.BatchedMatMul(in[0], in[1]) }},
		{name: "max along 1", shapes: []tensor.Shape{{2, 3}}, order: 3, build: func(in G.Nodes) (*G.Node, error) { return G.Max(in[0], 1) }},
		{name: "max", shapes: []tensor.Shape{{2, 3}}, order: 3, build: func(in G.Nodes) (*G.Node, error) { return G.Max(in[0]) }},
		{name: "softmax of a vector", shapes: []tensor.Shape{{4}}, order: 3, build: func(in G.Nodes) (*G.Node, error) { return G.SoftMax(in[0]) }},
		{name: "softmax of 3 dimensions", shapes: []tensor.Shape{{2, 2, 3}}, order: 3, build: func(in G.Nodes) (*G.Node, error) { return G.SoftMax(in[0], 2) }},
		{name: "max pool", shapes: []tensor.Shape{{1, 1, 4, 4}}, order: 1,
			build: func(in G.Nodes) (*G.Node, error) {
				return G.MaxPool2D(in[0], tensor.Shape{2, 2}, []int{0, 0}, []int{2, 2})
			}},
		{name: "convolution", shapes: []tensor.Shape{{1, 2, 4, 4}, {2, 2, 3, 3}}, order: 1,
			build: func(in G.Nodes) (*G.Node, error) {
				return G.Conv2d(in[0], in[1], tensor.Shape{3, 3}, []int{1, 1}, []int{1, 1}, []int{1, 1})
			}},
		{name: "upsample", shapes: []tensor.Shape{{1, 1, 2, 2}}, order: 1, build: func(in G.Nodes) (*G.Node, error) { return G.Upsample2D(in[0], 2) }},
		{name: "sparsemax", shapes: []tensor.Shape{{2, 3}}, order: 1, build: func(in G.Nodes) (*G.Node, error) { return G.Sparsemax(in[0]) }},
		{name: "rows by indices", shapes: []tensor.Shape{{4, 3}}, order: 1, build: func(in G.Nodes) (*G.Node, error) {
			indices := G.NewTensor(in[0].Graph(), tensor.Int, 1, G.WithShape(3), G.WithName("indices"), G.WithValue(tensor.New(tensor.WithBacking([]int{2, 0, 2}))))
			return G.ByIndices(in[0], indices, 0)
		}},
		{name: "batch norm", shapes: []tensor.Shape{{3, 2}, {3, 2}, {3, 2}}, order: 1, build: func(in G.Nodes) (*G.Node, error) {
			y, _, _, _, err := G.BatchNorm(in[0], in[1], in[2], 0.9, 1e-5)
			return y, err
		}},
		{name: "group norm", shapes: []tensor.Shape{{2, 2, 2, 2}, {1, 2, 1, 1}, {1, 2, 1, 1}}, order: 1, build: func(in G.Nodes) (*G.Node, error) {
			return G.GroupNorm(in[0], in[1], in[2], 1, 2, 1e-5)
		}},
	}
	return cases
}

// inputs adds a node for each shape, with values drawn from a seeded generator.
func inputs(g *G.ExprGraph, shapes []tensor.Shape, positive bool) (in G.Nodes) {
	rng := rand.New(rand.NewPCG(5, uint64(len(shapes))))
	for i, shape := range shapes {
		data := make([]float64, max(1, shape.TotalSize()))
		for j := range data {
			data[j] = 0.5 + rng.Float64()
			if !positive && rng.IntN(2) == 0 {
				data[j] *= -1
			}
		}
		name := fmt.Sprintf("in%d", i)
		if len(shape) == 0 {
			in = append(in, G.NewScalar(g, tensor.Float64, G.WithName(name), G.WithValue(data[0])))
			continue
		}
		in = append(in, G.NewTensor(g, tensor.Float64, len(shape), G.WithShape(shape...), G.WithName(name),
			G.WithValue(tensor.New(tensor.WithShape(shape...), tensor.WithBacking(data)))))
	}
	return in
}

// weighted is Σ V ⊙ tanh-free function of n: the sum of the squares weighted
// by constants, so that second derivatives of linear ops are not all zero.
func weighted(n *G.Node, seed uint64) *G.Node {
	if n.IsScalar() {
		return G.Must(G.Add(n, G.Must(G.Square(n))))
	}
	rng := rand.New(rand.NewPCG(seed, 1))
	data := make([]float64, n.Shape().TotalSize())
	for i := range data {
		data[i] = 0.5 + rng.Float64()
	}
	v := G.NewConstant(tensor.New(tensor.WithShape(n.Shape()...), tensor.WithBacking(data)), G.WithName(fmt.Sprint("V", seed, n.Shape())))
	both := G.Must(G.Add(n, G.Must(G.Square(n))))
	return G.Must(G.Sum(G.Must(G.HadamardProd(both, v))))
}

func TestGradOfEveryBuiltinOp(t *testing.T) {
	for _, c := range builtinCases() {
		t.Run(c.name, func(t *testing.T) {
			g := G.NewGraph()
			in := inputs(g, c.shapes, c.positive)
			y, err := c.build(in)
			if err != nil {
				t.Fatal(err)
			}
			cost := weighted(y, 1)
			check := func(order int, report *gradcheck.Report, err error) {
				t.Helper()
				if err != nil {
					t.Fatalf("order %d: %v", order, err)
				}
				if !report.OK() {
					t.Fatalf("order %d: %v", order, report)
				}
			}
			report, err := gradcheck.Check(cost, in, gradcheck.WithGrad(autodiff.Grad))
			check(1, report, err)
			report, err = gradcheck.CheckSecond(cost, in)
			if c.order == 1 {
				if err == nil || !strings.Contains(err.Error(), "has no symbolic gradient") {
					t.Fatalf("order 2: error is %v, want one that says that an op has no symbolic gradient", err)
				}
				return
			}
			check(2, report, err)
			first, err := autodiff.Grad(cost, in[0])
			if err != nil {
				t.Fatal(err)
			}
			report, err = gradcheck.CheckSecond(weighted(first[0], 2), in)
			check(3, report, err)
		})
	}
}
