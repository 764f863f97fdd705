// Package gradcheck compares the gradients of any Gorgonia graph with central
// finite differences. It is for people who write ops: it needs nothing of this
// module, only a graph with a scalar cost and inputs that hold values.
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

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Option changes how [Check] compares.
type Option func(*settings)

type settings struct {
	step               float64
	absolute, relative float64
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
	return fmt.Sprintf("%s%s: analytic %.10g, numeric %.10g, error %.3g, allowed %.3g",
		e.Input, index, e.Analytic, e.Numeric, e.Error, e.Allowed)
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
// twice: inputs that are left out of the first Grad stay without a gradient.
// Every input of the graph must hold a value; those of wrt
// are float32 or float64 and hold their values again afterwards. The gradient
// nodes stay in the graph.
//
// A function that is not differentiable at the given point (ReLU at 0) does not
// pass: choose another point.
func Check(cost *gorgonia.Node, wrt gorgonia.Nodes, opts ...Option) (*Report, error) {
	if err := validate(cost, wrt); err != nil {
		return nil, fmt.Errorf("gradcheck: %w", err)
	}
	s := settings{step: math.Cbrt(0x1p-52), absolute: 1e-7, relative: 1e-6}
	if cost.Dtype() == tensor.Float32 {
		s = settings{step: math.Cbrt(0x1p-23), absolute: 1e-2, relative: 1e-2}
	}
	for i, opt := range opts {
		if opt == nil {
			return nil, fmt.Errorf("gradcheck: option %d is nil", i)
		}
		opt(&s)
	}
	if !(s.step > 0) || !(s.absolute >= 0) || !(s.relative >= 0) {
		return nil, fmt.Errorf("gradcheck: step %g, tolerance %g and %g, want a positive step and tolerances ≥ 0",
			s.step, s.absolute, s.relative)
	}
	analytic, err := gradients(cost, wrt)
	if err != nil {
		return nil, fmt.Errorf("gradcheck: %w", err)
	}
	report, err := compare(cost, wrt, analytic, s)
	if err != nil {
		return nil, fmt.Errorf("gradcheck: %w", err)
	}
	return report, nil
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

// gradients returns the elements of each analytic gradient.
func gradients(cost *gorgonia.Node, wrt gorgonia.Nodes) ([][]float64, error) {
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
		var err error
		if nodes, err = gorgonia.Grad(cost, wrt...); err != nil {
			return nil, err
		}
	}
	m, err := compile(cost.Graph(), nodes)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	if err := m.RunAll(); err != nil {
		return nil, err
	}
	grads := make([][]float64, len(wrt))
	for i, n := range nodes {
		if grads[i], err = elements(n.Value()); err != nil {
			return nil, fmt.Errorf("gradient of %s: %w", wrt[i].Name(), err)
		}
	}
	return grads, nil
}

// compile returns a machine that computes outputs and nothing else.
func compile(g *gorgonia.ExprGraph, outputs gorgonia.Nodes) (gorgonia.VM, error) {
	program, locations, err := gorgonia.CompileFunction(g, g.ExactSubgraphRoots(outputs...).Inputs(), outputs)
	if err != nil {
		return nil, err
	}
	return gorgonia.NewTapeMachine(g, gorgonia.WithPrecompiled(program, locations)), nil
}

// compare moves one element after the other by ±h.
func compare(cost *gorgonia.Node, wrt gorgonia.Nodes, analytic [][]float64, s settings) (*Report, error) {
	m, err := compile(cost.Graph(), gorgonia.Nodes{cost})
	if err != nil {
		return nil, err
	}
	defer m.Close()
	evaluate := func() (float64, error) {
		m.Reset()
		if err := m.RunAll(); err != nil {
			return 0, err
		}
		c, err := elements(cost.Value())
		if err != nil {
			return 0, err
		}
		return c[0], nil
	}
	report := new(Report)
	for i, n := range wrt {
		at, err := pointOf(n)
		if err != nil {
			return nil, err
		}
		err = at.each(func(index []int, k int) error {
			numeric, err := at.difference(k, s.step, evaluate)
			if err != nil {
				return err
			}
			report.Elements = append(report.Elements, Element{
				Input: n.Name(), Index: index, Analytic: analytic[i][k], Numeric: numeric,
				Error:   math.Abs(analytic[i][k] - numeric),
				Allowed: s.absolute + s.relative*math.Abs(numeric),
			})
			return nil
		})
		if restored := at.restore(); err == nil {
			err = restored
		}
		if err != nil {
			return nil, fmt.Errorf("input %s: %w", n.Name(), err)
		}
	}
	return report, nil
}
