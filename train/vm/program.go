package vm

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// program is what a machine executes: first read the inputs, then run the
// instructions in order. Values live in slots.
type program struct {
	inputs       []input
	instructions []instruction
	slots        int
	notes        []string // what was not fused, and why
}

// input is a node whose value comes from outside.
type input struct {
	node  *gorgonia.Node
	shape tensor.Shape
	dtype tensor.Dtype
	to    int // slot
}

// computation computes the values of one or more nodes, or carries out a
// statement.
type computation interface {
	// compute puts the values of the nodes into results. What stands there
	// before is nil or, if keeps, the results of the run before, to be written
	// over if dtype and shape fit.
	compute(results, args []gorgonia.Value) error
	keeps() bool
}

// instruction is a computation with its place in the program.
type instruction struct {
	computation
	nodes   gorgonia.Nodes   // the results', or the statement
	what    string           // what Explain says, if more than the op of the node
	from    []int            // slots of the arguments
	args    []gorgonia.Value // room for the arguments, so that a call allocates nothing
	to      []int            // slots of the results
	results []gorgonia.Value // room for the results
}

// load takes the arguments from their slots, and the results of the run before.
func (inst *instruction) load(values []gorgonia.Value) {
	for i, slot := range inst.from {
		inst.args[i] = values[slot]
	}
	if inst.keeps() {
		for i, slot := range inst.to {
			inst.results[i] = values[slot]
			if inst.nodes[i].Value() != values[slot] {
				// Somebody has bound another value, or UnbindAllNonInputs
				// has given this one to Gorgonia's pool of tensors.
				inst.results[i] = nil
			}
		}
	}
}

// check tells whether there are results.
func (inst *instruction) check() error {
	for _, v := range inst.results {
		if v == nil {
			return errors.New("op returned no value")
		}
	}
	return nil
}

// compile makes the program that computes what the settings ask for.
func (m *Machine) compile() error {
	g, s := m.graph, &m.settings
	if g == nil || len(g.AllNodes()) == 0 {
		return errors.New("graph is empty")
	}
	l, err := nodeLayout()
	if err != nil {
		return err
	}
	m.layout = l
	order := l.topological(g)
	for _, asked := range []struct {
		what  string
		nodes gorgonia.Nodes
	}{{"output", s.outputs}, {"dual value", s.bound}, {"watched node", s.watched}, {"softmax node", s.softmax}} {
		for i, n := range asked.nodes {
			if n.Graph() != g || !slices.Contains(order, n) {
				return fmt.Errorf("%s %d, %s, is not a node of the graph", asked.what, i, describe(n))
			}
		}
	}
	f := newFusion(l, s, order)
	f.choose()
	if m.program, err = f.program(); err != nil {
		return err
	}
	m.duals = f.duals
	m.model = f.valueGrads()
	return nil
}

// valueGrads returns the learnables: the nodes of BindDualValues, or else the
// inputs that have a gradient.
func (f *fusion) valueGrads() []gorgonia.ValueGrad {
	nodes := f.settings.bound
	if len(nodes) == 0 {
		derived := make(map[*gorgonia.Node]bool)
		for _, grad := range f.order {
			for _, n := range grad.DerivOf() {
				derived[n] = f.needed[grad]
			}
		}
		for _, n := range f.order {
			if n.Op() == nil && derived[n] {
				nodes = append(nodes, n)
			}
		}
	}
	return gorgonia.NodesToValueGrads(nodes)
}

// wanted returns the nodes whose values somebody asked for, directly or by a
// statement, and the statements to carry out. Everything else is computed only
// for their sake, and if it is, may be part of a larger computation.
func (f *fusion) wanted() (wanted map[*gorgonia.Node]bool, statements gorgonia.Nodes) {
	wanted = make(map[*gorgonia.Node]bool)
	want := func(nodes ...*gorgonia.Node) {
		for _, n := range nodes {
			wanted[n] = true
		}
	}
	want(f.settings.outputs...)
	want(f.settings.watched...)
	want(f.settings.softmax...)
	for _, d := range f.duals {
		want(d.node, d.grad)
	}
	switch {
	case len(f.settings.outputs) > 0:
		computed := f.ancestors(wanted)
		for _, n := range f.order {
			if isStatement(n) && !slices.ContainsFunc(f.args[n], func(arg *gorgonia.Node) bool { return !computed[arg] }) {
				statements = append(statements, n)
				want(f.args[n]...)
			}
		}
	case f.settings.bind:
		// The results of the forward pass, and the gradients that somebody asked
		// for; not what gorgonia.Grad made for nobody, such as the gradient of
		// a first layer by its input.
		goesOn := make(map[*gorgonia.Node]bool)
		for _, n := range f.order {
			if !f.isGradient(n) {
				for _, arg := range f.args[n] {
					goesOn[arg] = true
				}
			}
		}
		for _, n := range f.order {
			switch {
			case isStatement(n):
				statements = append(statements, n)
				want(f.args[n]...)
			case f.isGradient(n) && f.learnable(n.DerivOf()), !f.isGradient(n) && !goesOn[n]:
				want(n)
			}
		}
	default:
		for _, n := range f.order {
			if isStatement(n) {
				statements = append(statements, n)
			} else {
				want(n)
			}
		}
	}
	return wanted, statements
}

// learnable reports whether one of the nodes is an input.
func (f *fusion) learnable(nodes gorgonia.Nodes) bool {
	return slices.ContainsFunc(nodes, func(n *gorgonia.Node) bool { return n.Op() == nil })
}

// ancestors returns the nodes and everything that they are computed from.
func (f *fusion) ancestors(nodes map[*gorgonia.Node]bool) map[*gorgonia.Node]bool {
	all := make(map[*gorgonia.Node]bool, len(f.order))
	for _, n := range slices.Backward(f.order) {
		if nodes[n] {
			all[n] = true
		}
		if all[n] {
			for _, arg := range f.args[n] {
				all[arg] = true
			}
		}
	}
	return all
}

// program turns what was chosen into instructions, in the order of the graph.
func (f *fusion) program() (*program, error) {
	p := &program{notes: f.notes}
	slot := make(map[*gorgonia.Node]int, len(f.order))
	slotOf := func(n *gorgonia.Node) int {
		s, ok := slot[n]
		if !ok {
			s = p.slots
			slot[n] = s
			p.slots++
		}
		return s
	}
	placed := make(map[*part]bool)
	probabilities := make(map[*gorgonia.Node]int) // slots of what nodes of WithProbabilities show
	statements := make(map[*gorgonia.Node]bool)
	for _, n := range f.statements {
		statements[n] = true
	}
	for _, n := range f.order {
		inst := instruction{}
		args := f.args[n]
		switch part := f.parts[n]; {
		case statements[n]:
			c, err := statement(n, args)
			if err != nil {
				return nil, err
			}
			inst.computation, inst.nodes = c, gorgonia.Nodes{n}
		case !f.needed[n]:
			continue
		case n.Op() == nil:
			p.inputs = append(p.inputs, input{node: n, shape: n.Shape(), dtype: n.Dtype(), to: slotOf(n)})
			continue
		case part != nil && placed[part]:
			continue
		case part != nil:
			placed[part] = true
			inst.computation, inst.nodes, inst.what, args = part.make(), part.outputs, part.what, part.inputs
			inst.results = make([]gorgonia.Value, len(part.outputs))
		default:
			inst.computation, inst.nodes = single(n), gorgonia.Nodes{n}
			inst.results = make([]gorgonia.Value, 1)
		}
		for _, arg := range args {
			from := slotOf(arg)
			if p, ok := probabilities[arg]; ok && statements[n] {
				from = p
			}
			inst.from = append(inst.from, from)
		}
		inst.args = make([]gorgonia.Value, len(args))
		for i := range inst.results {
			inst.to = append(inst.to, slotOf(inst.nodes[i]))
		}
		p.instructions = append(p.instructions, inst)
		if _, text := builtin(n); f.settings.softmax.Contains(n) && strings.HasSuffix(text, "true}()") {
			// The node shows the exponential; other ops read the slot of the logarithm.
			probabilities[n] = p.slots
			p.instructions = append(p.instructions, instruction{computation: &exponential{}, nodes: gorgonia.Nodes{n}, what: "the probabilities of a SoftMax that Log rewrote",
				from: inst.to, args: make([]gorgonia.Value, 1), to: []int{p.slots}, results: make([]gorgonia.Value, 1)})
			p.slots++
		}
	}
	for i := range f.duals {
		f.duals[i].from = slotOf(f.duals[i].grad)
	}
	return p, nil
}

// describe names a node in an error.
func describe(n *gorgonia.Node) string {
	switch {
	case n == nil:
		return "the graph"
	case n.Op() == nil:
		return fmt.Sprintf("input %q", n.Name())
	default:
		return fmt.Sprintf("node %q", n.Name())
	}
}
