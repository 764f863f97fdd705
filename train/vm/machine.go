package vm

import (
	"errors"
	"fmt"

	"github.com/affine-go/affine/internal/values"

	"gorgonia.org/gorgonia"
)

// Machine runs a graph whose nodes are ops with a Do method. It implements
// gorgonia.VM and differs from Gorgonia's machines in this:
//
//   - It computes what the requested outputs need and nothing else.
//   - A run is a loop over the ops on the caller's goroutine.
//   - The gradients of a linear layer of package layer are computed together.
//   - Ops that are layer.BufferedOps write into the value that they returned in
//     the run before. Values of nodes are therefore good until the next run;
//     clone what has to live longer.
//   - It runs from the start each time; Reset is not needed between runs.
//   - It cannot run statements (gorgonia.Read, gorgonia.Set) and does not fill
//     dual values: ask for gradient nodes as outputs and see [NewParams].
//
// After a run, Value of every node that was computed holds its value. Inputs
// are read from their nodes (gorgonia.Let) at each run. A Machine must not be
// used by two goroutines at once. Machines of graphs that share a tensor may
// run side by side where only ops of this module read it: Gorgonia's matrix
// product transposes its arguments in place for a while.
type Machine struct {
	program  *program
	values   []gorgonia.Value // by slot: the values of this run, or of the run before
	modal    []gorgonia.TrainModeOp
	training bool
}

// MachineOption changes how NewMachine builds a machine.
type Option func(*settings)

type settings struct {
	outputs gorgonia.Nodes
	eval    bool
}

// WithOutputs names the nodes whose values are wanted. What none of them needs
// is not computed. Without this option every node is.
func WithOutputs(nodes ...*gorgonia.Node) Option {
	return func(s *settings) { s.outputs = append(s.outputs, nodes...) }
}

// WithEvalMode runs ops that have a training mode, such as dropout, in
// evaluation mode.
func WithEvalMode() Option {
	return func(s *settings) { s.eval = true }
}

// NewMachine sorts the graph and keeps what the outputs need. It fails on an
// empty graph, on outputs that are not nodes of g, and on statement nodes,
// which only gorgonia.NewTapeMachine can run.
func New(g *gorgonia.ExprGraph, opts ...Option) (*Machine, error) {
	var settings settings
	for i, opt := range opts {
		if opt == nil {
			return nil, fmt.Errorf("new machine: option %d is nil", i)
		}
		opt(&settings)
	}
	p, err := compile(g, settings.outputs)
	if err != nil {
		return nil, fmt.Errorf("new machine: %w", err)
	}
	m := &Machine{program: p, values: make([]gorgonia.Value, p.slots), training: !settings.eval}
	for i := range p.instructions {
		if op, ok := p.instructions[i].op.(gorgonia.TrainModeOp); ok {
			m.modal = append(m.modal, op)
		}
	}
	return m, nil
}

// RunAll computes the outputs. Every input that they need must have a value of
// its node's shape and dtype. An error names the node that it arose in.
func (m *Machine) RunAll() (err error) {
	if m.program == nil {
		return errors.New("run: machine is closed")
	}
	var running *gorgonia.Node
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("run %s: panic: %v", describe(running), cause)
		}
	}()
	for _, op := range m.modal {
		op.SetTraining(m.training)
	}
	for i := range m.program.inputs {
		in := &m.program.inputs[i]
		running = in.node
		v, err := in.read()
		if err != nil {
			return fmt.Errorf("run: %w", err)
		}
		if v != m.values[in.to] {
			m.values[in.to] = v
			m.giveUpBuffers(v)
		}
	}
	for i := range m.program.instructions {
		inst := &m.program.instructions[i]
		running = inst.nodes[0]
		if err := inst.run(m.values); err != nil {
			return fmt.Errorf("run %s: %w", describe(running), err)
		}
		for j, v := range inst.results {
			m.values[inst.to[j]] = v
			if inst.nodes[j].Value() != v {
				if err := bind(inst.nodes[j], v); err != nil {
					return fmt.Errorf("run %s: %w", describe(inst.nodes[j]), err)
				}
			}
		}
	}
	return nil
}

// giveUpBuffers forgets the kept values that share memory with v, a value that
// an input has newly got: an output fed back as an input must not be written
// to while it is read.
func (m *Machine) giveUpBuffers(v gorgonia.Value) {
	for i := range m.program.instructions {
		inst := &m.program.instructions[i]
		for _, slot := range inst.to {
			if inst.keepsBuffers() && values.Overlap(m.values[slot], v) {
				m.values[slot] = nil
			}
		}
	}
}

// Reset does nothing: every run starts from the beginning, and buffers are
// kept. It is there for gorgonia.VM.
func (m *Machine) Reset() {}

// Close forgets the program and the buffers. Values stay bound to their nodes.
// The error is always nil.
func (m *Machine) Close() error {
	m.program, m.values, m.modal = nil, nil, nil
	return nil
}

var _ gorgonia.VM = (*Machine)(nil)
