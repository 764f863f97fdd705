// Package gradcheck compares the first and second derivatives of any Gorgonia
// graph with central finite differences. It is for people who write ops: it
// needs no op of this module, only a graph with a scalar cost and inputs that
// hold values.
//
//	cost, x, w := ...                       // a graph with values bound to x and w
//	report, err := gradcheck.Check(cost, gorgonia.Nodes{x, w})
//	if err == nil && !report.OK() {
//		fmt.Println(report)
//	}
package gradcheck

import (
	"fmt"
	"math"
	"strings"

	"github.com/affine-go/affine/layer/internal/autodiff"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Option changes how [Check] and [CheckSecond] compare.
type Option func(*settings)

type settings struct {
	step               float64
	absolute, relative float64
	grad               func(cost *gorgonia.Node, wrt ...*gorgonia.Node) (gorgonia.Nodes, error)
}

// WithGrad sets what the analytic gradients of [Check] are made with, such as
// layer.Grad. The default is gorgonia.Grad. [CheckSecond] always uses
// layer.Grad, since gorgonia.Grad cannot differentiate twice.
func WithGrad(grad func(cost *gorgonia.Node, wrt ...*gorgonia.Node) (gorgonia.Nodes, error)) Option {
	return func(s *settings) { s.grad = grad }
}

// WithStep sets the step h of (f(x+h) − f(x−h)) / 2h, which is multiplied by
// max(1, |x|). The default is the cube root of the dtype's machine epsilon,
// where the error of the formula, O(h²), meets its rounding error, O(ε/h):
// 6e-6 in float64 and 5e-3 in float32.
func WithStep(h float64) Option { return func(s *settings) { s.step = h } }

// WithTolerance accepts |analytic − numeric| ≤ absolute + relative·|numeric|.
// The default is 1e-7 and 1e-6 in float64, 1e-2 and 1e-2 in float32.
func WithTolerance(absolute, relative float64) Option {
	return func(s *settings) { s.absolute, s.relative = absolute, relative }
}

// Element is the comparison for one element of one input.
type Element struct {
	Input    string // name of the node
	Of       string // what was differentiated: "" for the cost, else the input whose gradient it is
	Index    []int  // position in it, empty for a scalar
	Analytic float64
	Numeric  float64
	Error    float64 // |Analytic − Numeric|
	Allowed  float64 // what Error may be
}

// OK reports whether the two gradients agree. NaN never does.
func (e Element) OK() bool { return e.Error <= e.Allowed }

func (e Element) String() string {
	index := ""
	if len(e.Index) > 0 {
		index = strings.ReplaceAll(fmt.Sprint(e.Index), " ", ",")
	}
	of := ""
	if e.Of != "" {
		of = fmt.Sprintf(" (of the gradient by %s)", e.Of)
	}
	return fmt.Sprintf("%s%s%s: analytic %.10g, numeric %.10g, error %.3g, allowed %.3g",
		e.Input, index, of, e.Analytic, e.Numeric, e.Error, e.Allowed)
}

// Report holds the comparison for every element of every input.
type Report struct{ Elements []Element }

// OK reports whether all elements agree.
func (r *Report) OK() bool { return len(r.Failures()) == 0 }

// Failures returns the elements that do not agree.
func (r *Report) Failures() []Element {
	var failures []Element
	for _, e := range r.Elements {
		if !e.OK() {
			failures = append(failures, e)
		}
	}
	return failures
}

// Worst returns the element with the largest error relative to what is allowed.
func (r *Report) Worst() Element {
	var worst Element
	score := math.Inf(-1)
	for _, e := range r.Elements {
		s := e.Error / e.Allowed
		if math.IsNaN(s) {
			return e
		}
		if s > score {
			worst, score = e, s
		}
	}
	return worst
}

// String is one line for a report that is all right, else one for each failure.
func (r *Report) String() string {
	failures := r.Failures()
	if len(failures) == 0 {
		return fmt.Sprintf("ok: %d elements, worst %v", len(r.Elements), r.Worst())
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d of %d elements differ:", len(failures), len(r.Elements))
	for _, e := range failures {
		fmt.Fprintf(&b, "\n  %v", e)
	}
	return b.String()
}

// Check differentiates cost by the inputs wrt with gorgonia.Grad, unless that
// was done before for all of them, and compares each element of each gradient
// with the central difference of cost. Gorgonia cannot differentiate a graph
// twice: inputs that are left out of the first Grad stay without a gradient,
// unless [WithGrad] chooses layer.Grad. Every input of the graph must hold a
// value; those of wrt are float32 or float64 and hold their values again
// afterwards. The gradient nodes stay in the graph.
//
// A function that is not differentiable at the given point (ReLU at 0) does not
// pass: choose another point.
func Check(cost *gorgonia.Node, wrt gorgonia.Nodes, opts ...Option) (*Report, error) {
	s, err := prepare(cost, wrt, opts)
	if err != nil {
		return nil, fmt.Errorf("gradcheck: %w", err)
	}
	nodes, err := s.gradients(cost, wrt)
	if err != nil {
		return nil, fmt.Errorf("gradcheck: %w", err)
	}
	report := new(Report)
	if err := report.compare(cost, "", nodes, wrt, s); err != nil {
		return nil, fmt.Errorf("gradcheck: %w", err)
	}
	return report, nil
}

// CheckSecond compares second derivatives: for each input a of wrt it
// differentiates Σ V ⊙ ∂cost/∂a, with a constant V whose elements differ, by
// all of wrt, and compares each element with the central difference of that
// sum. All gradients are those of layer.Grad. So every pair of inputs is
// checked, a pair without a second derivative for being zero. The report's
// elements name both inputs. What is said of values, points and options for
// [Check] holds here too; check the first derivatives as well, since the second
// ones are compared with differences of those.
func CheckSecond(cost *gorgonia.Node, wrt gorgonia.Nodes, opts ...Option) (*Report, error) {
	s, err := prepare(cost, wrt, opts)
	if err != nil {
		return nil, fmt.Errorf("gradcheck: %w", err)
	}
	first, err := autodiff.Grad(cost, wrt...)
	if err != nil {
		return nil, fmt.Errorf("gradcheck: %w", err)
	}
	report := new(Report)
	for i, a := range wrt {
		err := func() error {
			sum, err := weightedSum(first[i])
			if err != nil {
				return err
			}
			second, err := autodiff.Partial(sum, wrt...)
			if err != nil {
				return err
			}
			return report.compare(sum, a.Name(), second, wrt, s)
		}()
		if err != nil {
			return nil, fmt.Errorf("gradcheck: gradient by %s: %w", a.Name(), err)
		}
	}
	return report, nil
}

// weightedSum is Σ V ⊙ n for a constant V with elements between 0.5 and 1.5.
func weightedSum(n *gorgonia.Node) (*gorgonia.Node, error) {
	if n.IsScalar() {
		return n, nil
	}
	v := make([]float64, n.Shape().TotalSize())
	for i := range v {
		v[i] = 1 + math.Sin(float64(7*i+1))/2
	}
	var backing any = v
	if n.Dtype() == tensor.Float32 {
		rounded := make([]float32, len(v))
		for i := range v {
			rounded[i] = float32(v[i])
		}
		backing = rounded
	}
	name := fmt.Sprintf("gradcheck weights %v %v", n.Dtype(), n.Shape())
	product, err := gorgonia.HadamardProd(n, gorgonia.NewConstant(
		tensor.New(tensor.WithShape(n.Shape()...), tensor.WithBacking(backing)), gorgonia.WithName(name)))
	if err != nil {
		return nil, err
	}
	return gorgonia.Sum(product)
}

// prepare checks the arguments and applies the options.
func prepare(cost *gorgonia.Node, wrt gorgonia.Nodes, opts []Option) (settings, error) {
	s := settings{step: math.Cbrt(0x1p-52), absolute: 1e-7, relative: 1e-6}
	if err := validate(cost, wrt); err != nil {
		return s, err
	}
	if cost.Dtype() == tensor.Float32 {
		s = settings{step: math.Cbrt(0x1p-23), absolute: 1e-2, relative: 1e-2}
	}
	for i, opt := range opts {
		if opt == nil {
			return s, fmt.Errorf("option %d is nil", i)
		}
		opt(&s)
	}
	if !(s.step > 0) || !(s.absolute >= 0) || !(s.relative >= 0) {
		return s, fmt.Errorf("step %g, tolerance %g and %g, want a positive step and tolerances ≥ 0",
			s.step, s.absolute, s.relative)
	}
	return s, nil
}

func validate(cost *gorgonia.Node, wrt gorgonia.Nodes) error {
	if cost == nil {
		return fmt.Errorf("cost is nil, want a scalar node")
	}
	if !cost.IsScalar() {
		return fmt.Errorf("cost %v has shape %v, want a scalar", cost, cost.Shape())
	}
	if len(wrt) == 0 {
		return fmt.Errorf("no inputs given to differentiate by")
	}
	for i, n := range wrt {
		switch {
		case n == nil:
			return fmt.Errorf("input %d is nil", i)
		case n.Graph() != cost.Graph():
			return fmt.Errorf("input %s belongs to another graph than the cost", n.Name())
		case n.Op() != nil:
			return fmt.Errorf("node %s is the result of an op, want an input", n.Name())
		case n.Value() == nil:
			return fmt.Errorf("input %s holds no value", n.Name())
		case n.Dtype() != tensor.Float32 && n.Dtype() != tensor.Float64:
			return fmt.Errorf("input %s has dtype %v, want float32 or float64", n.Name(), n.Dtype())
		}
	}
	return nil
}

// gradients returns the nodes of the analytic gradients.
func (s *settings) gradients(cost *gorgonia.Node, wrt gorgonia.Nodes) (gorgonia.Nodes, error) {
	if s.grad != nil {
		nodes, err := s.grad(cost, wrt...)
		if err == nil && len(nodes) != len(wrt) {
			err = fmt.Errorf("WithGrad: got %d gradients, want %d", len(nodes), len(wrt))
		}
		return nodes, err
	}
	nodes := make(gorgonia.Nodes, 0, len(wrt))
	var done, open *gorgonia.Node
	for _, n := range wrt {
		if d := n.Deriv(); d != nil {
			nodes, done = append(nodes, d), n
		} else {
			open = n
		}
	}
	switch {
	case open != nil && done != nil:
		return nil, fmt.Errorf("the graph has a gradient by %s but none by %s, want one by all inputs or by none", done.Name(), open.Name())
	case open != nil:
		return gorgonia.Grad(cost, wrt...)
	}
	return nodes, nil
}

// valuesOf computes the gradients by wrt; a nil node stands for zero. It takes a
// machine for each: a TapeMachine computes in place, and may overwrite an output
// that another one is computed from.
func valuesOf(g *gorgonia.ExprGraph, nodes, wrt gorgonia.Nodes) ([][]float64, error) {
	grads := make([][]float64, len(wrt))
	for i, n := range nodes {
		size := wrt[i].Shape().TotalSize()
		if n == nil {
			grads[i] = make([]float64, size)
			continue
		}
		err := func() error {
			m, err := newEvaluator(g, gorgonia.Nodes{n})
			if err != nil {
				return err
			}
			defer m.close()
			if err := m.run(); err != nil {
				return err
			}
			grads[i], err = elements(n.Value())
			return err
		}()
		if err == nil && len(grads[i]) != size {
			err = fmt.Errorf("got %d elements, want %d", len(grads[i]), size)
		}
		if err != nil {
			return nil, fmt.Errorf("gradient by %s: %w", wrt[i].Name(), err)
		}
	}
	return grads, nil
}

// evaluator computes some outputs of a graph and nothing else. A TapeMachine
// may write into its inputs (into one that is reshaped, say), so it gets a copy
// of each for every run.
type evaluator struct {
	vm     gorgonia.VM
	inputs gorgonia.Nodes
}

func newEvaluator(g *gorgonia.ExprGraph, outputs gorgonia.Nodes) (*evaluator, error) {
	inputs := g.ExactSubgraphRoots(outputs...).Inputs()
	if len(inputs) == 0 { // a gradient may be constant; Gorgonia's compiler panics without an input
		inputs = g.Inputs()[:1]
		outputs = append(append(gorgonia.Nodes{}, outputs...), inputs...)
	}
	program, locations, err := gorgonia.CompileFunction(g, inputs, outputs)
	if err != nil {
		return nil, err
	}
	return &evaluator{gorgonia.NewTapeMachine(g, gorgonia.WithPrecompiled(program, locations)), inputs}, nil
}

// run computes the outputs from the values that the inputs hold now.
func (e *evaluator) run() error {
	held := make([]gorgonia.Value, len(e.inputs))
	for i, n := range e.inputs {
		held[i] = n.Value()
		if held[i] == nil {
			return fmt.Errorf("input %s holds no value", n.Name())
		}
		copied, err := gorgonia.CloneValue(held[i])
		if err == nil {
			err = gorgonia.UnsafeLet(n, copied)
		}
		if err != nil {
			return fmt.Errorf("input %s: %w", n.Name(), err)
		}
	}
	e.vm.Reset()
	err := e.vm.RunAll()
	for i, n := range e.inputs {
		if restored := gorgonia.UnsafeLet(n, held[i]); err == nil {
			err = restored
		}
	}
	return err
}

func (e *evaluator) close() { e.vm.Close() }

// compare moves one element after the other by ±h and adds what it finds to the
// report. nodes are the analytic gradients of f by wrt, nil for zero.
func (r *Report) compare(f *gorgonia.Node, of string, nodes, wrt gorgonia.Nodes, s settings) error {
	analytic, err := valuesOf(f.Graph(), nodes, wrt)
	if err != nil {
		return err
	}
	m, err := newEvaluator(f.Graph(), gorgonia.Nodes{f})
	if err != nil {
		return err
	}
	defer m.close()
	evaluate := func() (float64, error) {
		if err := m.run(); err != nil {
			return 0, err
		}
		c, err := elements(f.Value())
		if err != nil {
			return 0, err
		}
		return c[0], nil
	}
	for i, n := range wrt {
		at, err := pointOf(n)
		if err != nil {
			return err
		}
		err = at.each(func(index []int, k int) error {
			numeric, err := at.difference(k, s.step, evaluate)
			if err != nil {
				return err
			}
			r.Elements = append(r.Elements, Element{
				Input: n.Name(), Of: of, Index: index, Analytic: analytic[i][k], Numeric: numeric,
				Error:   math.Abs(analytic[i][k] - numeric),
				Allowed: s.absolute + s.relative*math.Abs(numeric),
			})
			return nil
		})
		if restored := at.restore(); err == nil {
			err = restored
		}
		if err != nil {
			return fmt.Errorf("input %s: %w", n.Name(), err)
		}
	}
	return nil
}
