package vm

import (
	"errors"
	"fmt"

	"github.com/affine-go/affine/layer"
	"gorgonia.org/gorgonia"
)

// ForTraining returns a machine for a training loop: it adds the gradients of
// cost by the learnables to the graph, pairs them with the learnables and
// computes cost and gradients, and nothing else.
//
//	m, err := vm.ForTraining(cost, learnables...)
//	for … {
//		err = m.RunAll()
//		err = solver.Step(m.ValueGrads())
//	}
//
// The gradients are layer.Grad's. cost is a scalar that depends on every
// learnable. A gorgonia.Read of a node
// that is computed anyway is carried out.
func ForTraining(cost *gorgonia.Node, learnables ...*gorgonia.Node) (*Machine, error) {
	m, err := forTraining(cost, learnables)
	if err != nil {
		return nil, fmt.Errorf("for training: %w", err)
	}
	return m, nil
}

func forTraining(cost *gorgonia.Node, learnables gorgonia.Nodes) (*Machine, error) {
	switch {
	case cost == nil:
		return nil, errors.New("cost is nil")
	case len(learnables) == 0:
		return nil, errors.New("got no learnables, want at least one")
	case !cost.IsScalar():
		return nil, fmt.Errorf("cost has shape %v, want a scalar", cost.Shape())
	}
	for i, n := range learnables {
		if n == nil {
			return nil, fmt.Errorf("learnable %d is nil", i)
		}
	}
	l, err := nodeLayout()
	if err != nil {
		return nil, err
	}
	grads, err := layer.Grad(cost, learnables...)
	if err != nil {
		return nil, err
	}
	params, err := newParams(learnables, grads, ownMemory(l))
	if err != nil {
		return nil, err
	}
	m, err := New(cost.Graph(), WithOutputs(cost), WithOutputs(params.Gradients()...))
	if err != nil {
		return nil, err
	}
	m.model = params.ValueGrads()
	return m, nil
}

// ownMemory returns a function that reports whether a Machine computes a node
// into memory that no node has that it was asked for before.
func ownMemory(l *layout) func(*gorgonia.Node) bool {
	taken := make(map[*gorgonia.Node]bool)
	return func(n *gorgonia.Node) bool {
		base := memoryOf(n, l.childrenOf)
		if taken[base] {
			return false
		}
		taken[base] = true
		if name, _ := builtin(n); name == "transposeOp" || name == "sliceOp" || name == "repeatOp" {
			return false // not row-major, or not whole
		}
		if _, own := base.Op().(layer.BufferedOp); own {
			return true
		}
		switch name, _ := builtin(base); name {
		case "linAlgBinOp", "elemBinOp", "elemUnaryOp", "sumOp":
			return true
		}
		return false
	}
}
