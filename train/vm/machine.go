package vm

import (
	"errors"
	"fmt"

	"github.com/affine-go/affine/internal/values"
	"gorgonia.org/gorgonia"
)

// Machine runs a graph whose nodes are ops with a Do method. It implements
// gorgonia.VM, takes the place of Gorgonia's TapeMachine and differs from it in
// this:
//
//   - It computes what the requested outputs need and nothing else.
//   - A run is a loop over the ops on the caller's goroutine.
//   - Chains of built-in ops that are a linear layer, and the gradients that
//     gorgonia.Grad made of them, are computed together by this module's
//     kernels ([Machine.Explain] says which). So are the gradients of a linear
//     layer of package layer.
//   - Ops that are layer.BufferedOps, and everything fused, write into the
//     value that they returned in the run before. Values of nodes are therefore
//     good until the next run; clone what has to live longer.
//   - Inputs are never written or transposed in place.
//   - It runs from the start each time; Reset is not needed between runs.
//   - Two learnables never share the memory of one gradient.
//   - gorgonia.Set takes effect: the node has its new value from the next run on.
//
// After a run, Value of every node that was asked for holds its value: outputs,
// watched nodes, nodes with dual values, what a gorgonia.Read reads; with
// [BindDualValues] also everything that nothing else is computed from; without
// that and without [WithOutputs] every node. Inputs are read from their nodes
// (gorgonia.Let) at each run.
//
// A Machine must not be used by two goroutines at once. Machines of graphs that
// share a tensor may run side by side if only this module's ops and products
// read it.
type Machine struct {
	graph    *gorgonia.ExprGraph
	layout   *layout
	program  *program
	settings settings
	values   []gorgonia.Value // by slot: the values of this run, or of the run before
	modal    []gorgonia.TrainModeOp
	duals    []dualOf
	model    []gorgonia.ValueGrad
	watched  map[*gorgonia.Node]bool
}

// New sorts the graph and keeps what the outputs need. It takes the place of
// gorgonia.NewTapeMachine, with the same options by the same names. It fails
// on an empty graph and on nodes that are not of g.
func New(g *gorgonia.ExprGraph, opts ...Option) (*Machine, error) {
	m, err := newMachine(g, opts)
	if err != nil {
		return nil, fmt.Errorf("new machine: %w", err)
	}
	return m, nil
}

func newMachine(g *gorgonia.ExprGraph, opts []Option) (*Machine, error) {
	m := &Machine{graph: g, watched: map[*gorgonia.Node]bool{}}
	for i, opt := range opts {
		if opt == nil {
			return nil, fmt.Errorf("option %d is nil", i)
		}
		if err := opt(&m.settings); err != nil {
			return nil, err
		}
	}
	for _, n := range m.settings.watched {
		m.watched[n] = true
	}
	if err := m.compile(); err != nil {
		return nil, err
	}
	m.values = make([]gorgonia.Value, m.program.slots)
	for i := range m.program.instructions {
		var op gorgonia.Op
		switch c := m.program.instructions[i].computation.(type) {
		case *plainOp:
			op = c.op
		case *bufferedOp:
			op = c.op
		}
		if op, ok := op.(gorgonia.TrainModeOp); ok {
			m.modal = append(m.modal, op)
		}
	}
	return m, nil
}

// ValueGrads returns what Step of a solver takes: each learnable with its
// gradient, in the order in which [ForTraining] or [BindDualValues] got them.
// For a machine that got none, those are the inputs that have a gradient.
// Callers must not change it.
func (m *Machine) ValueGrads() []gorgonia.ValueGrad { return m.model }

// RunAll computes the outputs and carries out the statements. Every input that
// they need must have a value of its node's shape and dtype. An error names the
// node that it arose in.
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
		op.SetTraining(!m.settings.eval)
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
		inst.load(m.values)
		err := inst.compute(inst.results, inst.args)
		if err == nil {
			err = inst.check()
		}
		if err != nil {
			return fmt.Errorf("run %s: %w", describe(running), err)
		}
		for j, v := range inst.results {
			n := inst.nodes[j]
			m.values[inst.to[j]] = v
			if n.Value() != v {
				if err := m.bind(n, v); err != nil {
					return fmt.Errorf("run %s: %w", describe(n), err)
				}
			}
		}
		if m.settings.logger != nil || m.settings.watchNaN || m.settings.watchInf {
			if err := m.look(inst); err != nil {
				return fmt.Errorf("run %s: %w", describe(running), err)
			}
		}
	}
	for i := range m.duals {
		d := &m.duals[i]
		running = d.node
		if err := d.update(m.layout, m.values[d.from]); err != nil {
			return fmt.Errorf("run: gradient of %s: %w", describe(d.node), err)
		}
	}
	return nil
}

// look logs and checks what an instruction has computed.
func (m *Machine) look(inst *instruction) error {
	if l := m.settings.logger; l != nil {
		l.Printf("%s: %v", describe(inst.nodes[0]), inst.nodes[0].Op())
	}
	for j, v := range inst.results {
		if n := inst.nodes[j]; m.settings.logger != nil && (m.settings.watchAll || m.watched[n]) {
			m.settings.logger.Printf("%s = %v", describe(n), v)
		}
		nan, inf := notFinite(v)
		if nan && m.settings.watchNaN {
			return errors.New("the value has a NaN")
		}
		if inf && m.settings.watchInf {
			return errors.New("the value has an infinite number")
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
			if inst.keeps() && values.Overlap(m.values[slot], v) {
				m.values[slot] = nil
			}
		}
	}
}

// Reset does nothing: every run starts from the beginning, and buffers are
// kept. It is there for gorgonia.VM.
func (m *Machine) Reset() {}

// Close forgets the program and gives the buffers back. Values stay bound to their
// nodes: what lay in a card's memory lies in the host's from then on, also for
// those who hold the tensor, but not for views that they took of it.
// The error is always nil.
func (m *Machine) Close() error {
	m.giveBack()
	*m = Machine{}
	return nil
}

var _ gorgonia.VM = (*Machine)(nil)
