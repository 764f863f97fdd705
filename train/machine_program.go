package train

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

// instruction computes one node.
type instruction struct {
	node     *gorgonia.Node
	op       gorgonia.Op
	buffered layer.BufferedOp // op, where it is one
	from     []int            // slots of the arguments
	args     []gorgonia.Value // room for the arguments, so that a call allocates nothing
	to       int              // slot of the result
}

// run calls the op on the values in its slots. A buffered op gets its result
// of the run before to write into.
func (inst *instruction) run(values []gorgonia.Value) (v gorgonia.Value, err error) {
	for i, slot := range inst.from {
		inst.args[i] = values[slot]
	}
	if inst.buffered != nil {
		v, err = inst.buffered.DoInto(values[inst.to], inst.args...)
	} else {
		v, err = inst.op.Do(inst.args...)
	}
	if err == nil && v == nil {
		err = errors.New("op returned no value")
	}
	return v, err
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

	p := &program{}
	slot := make(map[*gorgonia.Node]int, len(needed))
	for _, n := range slices.Backward(rootsFirst) {
		if !needed[n] {
			continue
		}
		slot[n] = p.slots
		p.slots++
		if n.Op() == nil {
			p.inputs = append(p.inputs, input{node: n, shape: n.Shape(), dtype: n.Dtype(), to: slot[n]})
			continue
		}
		inst := instruction{node: n, op: n.Op(), to: slot[n]}
		inst.buffered, _ = n.Op().(layer.BufferedOp)
		for _, child := range children(g, n) {
			inst.from = append(inst.from, slot[child])
		}
		inst.args = make([]gorgonia.Value, len(inst.from))
		p.instructions = append(p.instructions, inst)
	}
	return p, nil
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
