package gradcheck_test

import (
	"fmt"
	"hash"
	"hash/fnv"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/chewxy/hm"

	"github.com/affine-go/affine/layer/gradcheck"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// powerCost is the graph Σ tanh(x·w) over a 2×3 x and a 3×2 w.
func powerCost(dt tensor.Dtype) (cost *gorgonia.Node, wrt gorgonia.Nodes) {
	g := gorgonia.NewGraph()
	value := func(shape ...int) *tensor.Dense {
		n := tensor.Shape(shape).TotalSize()
		if dt == tensor.Float32 {
			data := make([]float32, n)
			for i := range data {
				data[i] = float32(math.Sin(float64(i + n)))
			}
			return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(data))
		}
		data := make([]float64, n)
		for i := range data {
			data[i] = math.Sin(float64(i + n))
		}
		return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(data))
	}
	x := gorgonia.NewMatrix(g, dt, gorgonia.WithShape(2, 3), gorgonia.WithName("x"), gorgonia.WithValue(value(2, 3)))
	w := gorgonia.NewMatrix(g, dt, gorgonia.WithShape(3, 2), gorgonia.WithName("w"), gorgonia.WithValue(value(3, 2)))
	cost = gorgonia.Must(gorgonia.Sum(gorgonia.Must(gorgonia.Tanh(gorgonia.Must(gorgonia.Mul(x, w))))))
	return cost, gorgonia.Nodes{x, w}
}

func TestRightGradientsPassInBothDtypes(t *testing.T) {
	for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
		cost, wrt := powerCost(dt)
		before := fmt.Sprint(wrt[0].Value(), wrt[1].Value())
		report, err := gradcheck.Check(cost, wrt)
		if err != nil {
			t.Fatal(err)
		}
		if !report.OK() || len(report.Elements) != 12 {
			t.Errorf("%v: %v", dt, report)
		}
		if after := fmt.Sprint(wrt[0].Value(), wrt[1].Value()); after != before {
			t.Errorf("%v: inputs changed from %v to %v", dt, before, after)
		}
	}
}

func TestScalarInputsAreChecked(t *testing.T) {
	g := gorgonia.NewGraph()
	x := gorgonia.NewScalar(g, tensor.Float64, gorgonia.WithName("x"), gorgonia.WithValue(1.5))
	cost := gorgonia.Must(gorgonia.Exp(gorgonia.Must(gorgonia.Square(x))))
	report, err := gradcheck.Check(cost, gorgonia.Nodes{x})
	if err != nil {
		t.Fatal(err)
	}
	if !report.OK() || math.Abs(report.Elements[0].Numeric-3*math.Exp(2.25)) > 1e-5 {
		t.Errorf("derivative of exp(x²) at 1.5: %v", report)
	}
}

// wrongCube is the op Σ x³ whose gradient is twice what it should be at one element.
type wrongCube struct{}

func (wrongCube) Arity() int { return 1 }
func (wrongCube) Type() hm.Type {
	a := hm.TypeVariable('a')
	return hm.NewFnType(gorgonia.TensorType{Dims: 1, Of: a}, a)
}
func (wrongCube) InferShape(...gorgonia.DimSizer) (tensor.Shape, error) {
	return tensor.ScalarShape(), nil
}
func (wrongCube) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	sum := 0.0
	for _, x := range in[0].Data().([]float64) {
		sum += x * x * x
	}
	return gorgonia.NewF64(sum), nil
}
func (wrongCube) ReturnsPtr() bool      { return false }
func (wrongCube) CallsExtern() bool     { return false }
func (wrongCube) OverwritesInput() int  { return -1 }
func (wrongCube) WriteHash(h hash.Hash) { io.WriteString(h, "wrongCube") }
func (o wrongCube) Hashcode() uint32 {
	h := fnv.New32a()
	o.WriteHash(h)
	return h.Sum32()
}
func (wrongCube) String() string     { return "wrongCube" }
func (wrongCube) DiffWRT(int) []bool { return []bool{true} }
func (wrongCube) SymDiff(inputs gorgonia.Nodes, _, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	factors := tensor.New(tensor.WithShape(3), tensor.WithBacking([]float64{3, 6, 3}))
	square, err := gorgonia.Square(inputs[0])
	if err != nil {
		return nil, err
	}
	slope, err := gorgonia.HadamardProd(square, gorgonia.NewConstant(factors))
	if err != nil {
		return nil, err
	}
	n, err := gorgonia.HadamardProd(slope, grad)
	return gorgonia.Nodes{n}, err
}

func TestWrongGradientIsNamedWithInputElementAndBothValues(t *testing.T) {
	g := gorgonia.NewGraph()
	x := gorgonia.NewVector(g, tensor.Float64, gorgonia.WithShape(3), gorgonia.WithName("x"),
		gorgonia.WithValue(tensor.New(tensor.WithShape(3), tensor.WithBacking([]float64{1, 2, 3}))))
	cost, err := gorgonia.ApplyOp(wrongCube{}, x)
	if err != nil {
		t.Fatal(err)
	}
	report, err := gradcheck.Check(cost, gorgonia.Nodes{x})
	if err != nil {
		t.Fatal(err)
	}
	failures := report.Failures()
	if len(failures) != 1 || failures[0].Input != "x" || fmt.Sprint(failures[0].Index) != "[1]" {
		t.Fatalf("got %v, want one failure at x[1]", report)
	}
	for _, part := range []string{"1 of 3 elements", "x[1]", "analytic 24", "numeric 12"} {
		if !strings.Contains(report.String(), part) {
			t.Errorf("report lacks %q:\n%v", part, report)
		}
	}
	if report.Worst().Index[0] != 1 {
		t.Errorf("worst element is %v, want x[1]", report.Worst())
	}
}

func TestBadArgumentsAreRefused(t *testing.T) {
	cost, wrt := powerCost(tensor.Float64)
	other, _ := powerCost(tensor.Float64)
	empty := gorgonia.NewVector(cost.Graph(), tensor.Float64, gorgonia.WithShape(2), gorgonia.WithName("empty"))
	vector := gorgonia.Must(gorgonia.Tanh(wrt[0]))
	for _, c := range []struct {
		name string
		cost *gorgonia.Node
		wrt  gorgonia.Nodes
		opts []gradcheck.Option
		want string
	}{
		{"nil cost", nil, wrt, nil, "cost is nil"},
		{"cost not scalar", vector, wrt, nil, "want a scalar"},
		{"no inputs", cost, nil, nil, "no inputs"},
		{"nil input", cost, gorgonia.Nodes{nil}, nil, "input 0 is nil"},
		{"foreign cost", other, wrt, nil, "another graph"},
		{"not an input", cost, gorgonia.Nodes{vector}, nil, "result of an op"},
		{"no value", cost, gorgonia.Nodes{empty}, nil, "holds no value"},
		{"nil option", cost, wrt, []gradcheck.Option{nil}, "option 0 is nil"},
		{"zero step", cost, wrt, []gradcheck.Option{gradcheck.WithStep(0)}, "positive step"},
	} {
		_, err := gradcheck.Check(c.cost, c.wrt, c.opts...)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error is %v, want one that says %q", c.name, err, c.want)
		}
	}
}

func TestGradientsByAllInputsOrByNone(t *testing.T) {
	cost, wrt := powerCost(tensor.Float64)
	if _, err := gorgonia.Grad(cost, wrt[1]); err != nil {
		t.Fatal(err)
	}
	report, err := gradcheck.Check(cost, wrt[1:])
	if err != nil || !report.OK() {
		t.Errorf("by the input that has a gradient: %v, %v", report, err)
	}
	_, err = gradcheck.Check(cost, wrt)
	if err == nil || !strings.Contains(err.Error(), "a gradient by w but none by x") {
		t.Errorf("by another one as well: error is %v, want one that names both", err)
	}
}

// The central difference of x³ is 3x² + h².
func TestStepAndToleranceDecideWhatPasses(t *testing.T) {
	const h = 0.01
	for _, c := range []struct {
		absolute float64
		ok       bool
	}{{1.01 * h * h, true}, {0.99 * h * h, false}} {
		g := gorgonia.NewGraph()
		x := gorgonia.NewScalar(g, tensor.Float64, gorgonia.WithName("x"), gorgonia.WithValue(0.5))
		cost := gorgonia.Must(gorgonia.Cube(x))
		report, err := gradcheck.Check(cost, gorgonia.Nodes{x}, gradcheck.WithStep(h), gradcheck.WithTolerance(c.absolute, 0))
		if err != nil {
			t.Fatal(err)
		}
		if report.OK() != c.ok {
			t.Errorf("tolerance %g passes: %t, want %t: %v", c.absolute, report.OK(), c.ok, report.Worst())
		}
	}
}

func ExampleCheck() {
	g := gorgonia.NewGraph()
	x := gorgonia.NewVector(g, tensor.Float64, gorgonia.WithShape(2), gorgonia.WithName("x"),
		gorgonia.WithValue(tensor.New(tensor.WithBacking([]float64{0.5, -1}))))
	cost := gorgonia.Must(gorgonia.Sum(gorgonia.Must(gorgonia.Exp(x))))

	report, err := gradcheck.Check(cost, gorgonia.Nodes{x})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(report.OK(), len(report.Elements), "elements")
	// Output: true 2 elements
}

func TestSecondDerivativesByEveryPair(t *testing.T) {
	for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
		cost, wrt := powerCost(dt)
		report, err := gradcheck.CheckSecond(cost, wrt)
		if err != nil {
			t.Fatal(err)
		}
		if !report.OK() || len(report.Elements) != 24 {
			t.Errorf("%v: %v", dt, report)
		}
		pairs := map[string]bool{}
		for _, e := range report.Elements {
			pairs[e.Of+" "+e.Input] = true
		}
		if len(pairs) != 4 {
			t.Errorf("%v: pairs are %v, want all of x and w", dt, pairs)
		}
	}
}

// Of exp(L) the second derivatives by x have the first ones of L in them, which
// are wrong in one element of wrongCube.
func TestWrongSecondDerivativeIsNamedWithBothInputs(t *testing.T) {
	g := gorgonia.NewGraph()
	x := gorgonia.NewVector(g, tensor.Float64, gorgonia.WithShape(3), gorgonia.WithName("x"),
		gorgonia.WithValue(tensor.New(tensor.WithShape(3), tensor.WithBacking([]float64{0.6, 0.7, 0.8}))))
	cube, err := gorgonia.ApplyOp(wrongCube{}, x)
	if err != nil {
		t.Fatal(err)
	}
	report, err := gradcheck.CheckSecond(gorgonia.Must(gorgonia.Exp(cube)), gorgonia.Nodes{x})
	if err != nil {
		t.Fatal(err)
	}
	failures := report.Failures()
	if len(failures) != 1 || failures[0].Of != "x" || fmt.Sprint(failures[0].Index) != "[1]" || !strings.Contains(report.String(), "x[1] (of the gradient by x)") {
		t.Errorf("got %v, want one failure at x[1] of the gradient by x", report)
	}
}

func TestGradientsOfAnotherFunctionAreChecked(t *testing.T) {
	cost, wrt := powerCost(tensor.Float64)
	twice := func(cost *gorgonia.Node, wrt ...*gorgonia.Node) (gorgonia.Nodes, error) {
		return gorgonia.Grad(gorgonia.Must(gorgonia.Add(cost, cost)), wrt...)
	}
	report, err := gradcheck.Check(cost, wrt, gradcheck.WithGrad(twice))
	if err != nil || report.OK() {
		t.Errorf("gradients of twice the cost pass: %v, %v", report, err)
	}
}
