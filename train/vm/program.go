package vm

import (
	"errors"
	"fmt"
	"slices"

	"github.com/affine-go/affine/layer"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// program is what a machine executes: first read the inputs, then run the
// instructions in order. Values live in slots.
type program struct {
	inputs       []input
	instructions []instruction
	slots        int
}

// input is a node whose value comes from outside.
type input struct {
	node  *gorgonia.Node
	shape tensor.Shape
	dtype tensor.Dtype
	to    int // slot
}

// instruction computes one node, or the nodes of a gradient group.
type instruction struct {
	nodes    gorgonia.Nodes
	op       gorgonia.Op
	buffered layer.BufferedOp     // op, where it is one
	group    *layer.GradientGroup // in place of op
	from     []int                // slots of the arguments
	args     []gorgonia.Value     // room for the arguments, so that a call allocates nothing
	to       []int                // slots of the results
	results  []gorgonia.Value     // room for the results
}

// keepsBuffers reports whether results are written to where the results of the
// run before lie.
func (inst *instruction) keepsBuffers() bool { return inst.buffered != nil || inst.group != nil }

// run computes results from the values in the slots of the arguments.
func (inst *instruction) run(values []gorgonia.Value) (err error) {
	for i, slot := range inst.from {
		inst.args[i] = values[slot]
	}
	switch {
	case inst.group != nil:
		for i, slot := range inst.to {
			inst.results[i] = values[slot]
		}
		return inst.group.Compute(inst.results, inst.args)
	case inst.buffered != nil:
		inst.results[0], err = inst.buffered.DoInto(values[inst.to[0]], inst.args...)
	default:
		inst.results[0], err = inst.op.Do(inst.args...)
	}
	if err == nil && inst.results[0] == nil {
		err = errors.New("op returned no value")
	}
	return err
}

// compile makes the program that computes outputs, or every node of g where
// outputs is empty.
func compile(g *gorgonia.ExprGraph, outputs gorgonia.Nodes) (*program, error) {
	if g == nil || len(g.AllNodes()) == 0 {
		return nil, errors.New("graph is empty")
	}
	for _, n := range g.AllNodes() {
		if isStatement(n) {
			return nil, fmt.Errorf("graph has the statement %q: a Machine runs ops only; read values with Value after a run, or use gorgonia.NewTapeMachine", n.Name())
		}
	}
	for i, n := range outputs {
		if n == nil {
			return nil, fmt.Errorf("output %d is nil", i)
		}
		if n.Graph() != g || g.Node(n.ID()) != n {
			return nil, fmt.Errorf("output %d, %s, is not a node of the graph", i, describe(n))
		}
	}
	rootsFirst, err := gorgonia.Sort(g)
	if err != nil {
		return nil, err
	}
	needed := make(map[*gorgonia.Node]bool, len(rootsFirst))
	for _, n := range outputs {
		needed[n] = true
	}
	for _, n := range rootsFirst {
		if len(outputs) == 0 {
			needed[n] = true
		}
		if needed[n] {
			for _, child := range children(g, n) {
				needed[child] = true
			}
		}
	}

	var order gorgonia.Nodes
	for _, n := range slices.Backward(rootsFirst) {
		if needed[n] {
			order = append(order, n)
		}
	}
	return arrange(g, order, outputs), nil
}

// arrange gives every node a slot and turns the nodes, in the order of their
// execution, into instructions. Gradients of one layer that nothing keeps apart
// become a single instruction in the place of the first of them; where all
// nodes are outputs, each is computed by its own op.
func arrange(g *gorgonia.ExprGraph, order, outputs gorgonia.Nodes) *program {
	p := &program{}
	slot := make(map[*gorgonia.Node]int, len(order))
	for _, n := range order {
		slot[n] = p.slots
		p.slots++
	}
	arguments := func(n *gorgonia.Node) gorgonia.Nodes { return children(g, n) }
	grouped := make(map[*gorgonia.Node]*layer.GradientGroup)
	for _, group := range layer.GradientGroups(order, arguments, func(n *gorgonia.Node) bool { return len(outputs) == 0 || outputs.Contains(n) }) {
		for _, n := range group.Outputs {
			grouped[n] = group
		}
		if group.Hidden != nil {
			grouped[group.Hidden] = group
		}
	}
	placed := make(map[*layer.GradientGroup]bool)
	for _, n := range order {
		group := grouped[n]
		switch {
		case n.Op() == nil:
			p.inputs = append(p.inputs, input{node: n, shape: n.Shape(), dtype: n.Dtype(), to: slot[n]})
		case group == nil:
			inst := instruction{op: n.Op()}
			inst.buffered, _ = n.Op().(layer.BufferedOp)
			p.add(inst, arguments(n), gorgonia.Nodes{n}, slot)
		case n != group.Hidden && !placed[group]:
			placed[group] = true
			p.add(instruction{group: group}, group.Inputs, group.Outputs, slot)
		}
	}
	return p
}

// add appends inst after giving it its nodes, its slots and room for its values.
func (p *program) add(inst instruction, arguments, nodes gorgonia.Nodes, slot map[*gorgonia.Node]int) {
	inst.nodes = nodes
	for _, n := range arguments {
		inst.from = append(inst.from, slot[n])
	}
	for _, n := range nodes {
		inst.to = append(inst.to, slot[n])
	}
	inst.args = make([]gorgonia.Value, len(inst.from))
	inst.results = make([]gorgonia.Value, len(inst.to))
	p.instructions = append(p.instructions, inst)
}

// isStatement reports whether n is a statement (Read, Set), which has no type.
func isStatement(n *gorgonia.Node) bool { return n.Op() != nil && n.Type() == nil }

// children returns the arguments of n's op in order, repeated where n uses a
// node more than once.
func children(g *gorgonia.ExprGraph, n *gorgonia.Node) gorgonia.Nodes {
	var list gorgonia.Nodes
	for it := g.From(n.ID()); it.Next(); {
		list = append(list, it.Node().(*gorgonia.Node))
	}
	return list
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
