package vm

import (
	"fmt"
	"log"

	"gorgonia.org/gorgonia"
)

// Option changes how [New] builds a machine.
type Option func(*settings) error

type settings struct {
	outputs  gorgonia.Nodes
	bind     bool
	bound    gorgonia.Nodes // the nodes that get dual values, all if empty
	softmax  gorgonia.Nodes
	eval     bool
	unfused  bool
	watchNaN bool
	watchInf bool
	watchAll bool
	watched  gorgonia.Nodes
	logger   *log.Logger
}

// WithOutputs names the nodes whose values are wanted. What none of them needs
// is not computed, and a gorgonia.Read is carried out only if what it reads is
// computed. Without this option every node is computed; with
// [BindDualValues] all but gradients that nobody asked for.
func WithOutputs(nodes ...*gorgonia.Node) Option {
	return func(s *settings) error {
		for i, n := range nodes {
			if n == nil {
				return fmt.Errorf("output %d is nil", len(s.outputs)+i)
			}
		}
		s.outputs = append(s.outputs, nodes...)
		return nil
	}
}

// BindDualValues collects gradients as gorgonia.BindDualValues does on a
// TapeMachine: each of the nodes gets a dual value, to which every run adds the
// node's gradient until a solver zeroes it, so that Node.Grad, Gorgonia's
// solvers and gorgonia.NodesToValueGrads work. Each node has a gradient of its
// own, also if the graph computes one gradient for two of them. Without nodes,
// every node that gorgonia.Grad found a gradient for gets a dual value, constants
// apart; all of these gradients and values are then computed, and little is
// fused. gorgonia.Grad must have been called before.
func BindDualValues(nodes ...*gorgonia.Node) Option {
	return func(s *settings) error {
		for i, n := range nodes {
			if n == nil {
				return fmt.Errorf("dual value %d is for a node that is nil", i)
			}
		}
		s.bind = true
		s.bound = append(s.bound, nodes...)
		return nil
	}
}

// WithProbabilities gives nodes of gorgonia.SoftMax the value that their name
// says. gorgonia.Log of such a node does not add a node: it makes the node itself
// the logarithm of the softmax, so that its Value and what a gorgonia.Read of it
// gets are logarithms (gorgonia#569). With this option they are probabilities,
// and the ops that use the node still get logarithms.
func WithProbabilities(nodes ...*gorgonia.Node) Option {
	return func(s *settings) error {
		for i, n := range nodes {
			if n == nil {
				return fmt.Errorf("softmax node %d is nil", i)
			}
			if name, _ := builtin(n); name != "softmaxOp" {
				return fmt.Errorf("%s is not a SoftMax", describe(n))
			}
		}
		s.softmax = append(s.softmax, nodes...)
		return nil
	}
}

// WithEvalMode runs ops that have a training mode, such as dropout, in
// evaluation mode.
func WithEvalMode() Option {
	return func(s *settings) error { s.eval = true; return nil }
}

// WithoutFusion computes every node by itself, with its own op.
func WithoutFusion() Option {
	return func(s *settings) error { s.unfused = true; return nil }
}

// WithNaNWatch ends a run with an error that names the first node whose value
// has a NaN. Nodes are then computed one by one.
func WithNaNWatch() Option {
	return func(s *settings) error { s.watchNaN = true; return nil }
}

// WithInfWatch ends a run with an error that names the first node whose value
// has an infinite number. Nodes are then computed one by one.
func WithInfWatch() Option {
	return func(s *settings) error { s.watchInf = true; return nil }
}

// WithWatchlist logs the values of the nodes in every run, or those of all
// nodes if none is given, to the logger of [WithLogger].
func WithWatchlist(nodes ...*gorgonia.Node) Option {
	return func(s *settings) error {
		for i, n := range nodes {
			if n == nil {
				return fmt.Errorf("watched node %d is nil", i)
			}
		}
		s.watched = append(s.watched, nodes...)
		s.watchAll = s.watchAll || len(nodes) == 0
		return nil
	}
}

// WithLogger logs a line for everything that a run computes, and the values of
// the nodes of [WithWatchlist].
func WithLogger(logger *log.Logger) Option {
	return func(s *settings) error { s.logger = logger; return nil }
}

// separate reports whether every node has to be computed by itself.
func (s *settings) separate() bool { return s.unfused || s.watchNaN || s.watchInf || s.watchAll }
