package layer

import (
	"fmt"
	"slices"

	"github.com/affine-go/affine/layer/device"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// GradientGroup is a set of gradient nodes of one linear layer that a machine
// can compute with one call to the device instead of one for each: those of
// dX, dW and db that share a dZ. The device then applies act' while it reads
// dY and sums db in the pass that computes dW, and dZ itself is never stored.
type GradientGroup struct {
	Outputs gorgonia.Nodes // what Compute computes
	Inputs  gorgonia.Nodes // whose values it takes
	Hidden  *gorgonia.Node // dZ, if nobody needs it any more; else nil

	label                string
	dev                  device.Device
	act                  Activation
	dx, dw, db           int // positions in Outputs, -1 where there is none
	x, w, dy, activation int // positions in Inputs, -1 where there is none
}

// gradientRole says which gradient of a linear layer a derivedOp computes.
type gradientRole uint8

const (
	noGradient gradientRole = iota
	inputGradient
	weightGradient
	biasGradient
)

// dZ returns the position of dZ among the arguments of an op of this role.
func (r gradientRole) dZ() int {
	if r == weightGradient {
		return 1
	}
	return 0
}

// GradientGroups finds the groups among nodes, which are in the order of their
// execution; arguments returns the inputs of a node's op. A dZ for which keep
// reports true is stored all the same. No node is in two groups, and the
// inputs of a group come before the first of its outputs.
func GradientGroups(nodes gorgonia.Nodes, arguments func(*gorgonia.Node) gorgonia.Nodes, keep func(*gorgonia.Node) bool) []*GradientGroup {
	position := make(map[*gorgonia.Node]int, len(nodes))
	uses := make(map[*gorgonia.Node]int, len(nodes))
	members := map[*gorgonia.Node]*[biasGradient + 1]*gorgonia.Node{}
	var shared gorgonia.Nodes // each dZ once, in order
	for i, n := range nodes {
		position[n] = i
		args := arguments(n)
		for _, arg := range args {
			uses[arg]++
		}
		op, ok := n.Op().(*derivedOp)
		if !ok || op.role == noGradient {
			continue
		}
		dz := args[op.role.dZ()]
		if members[dz] == nil {
			members[dz] = new([biasGradient + 1]*gorgonia.Node)
			shared = append(shared, dz)
		}
		// A second dW of the same dZ, with another X, stays alone.
		if members[dz][op.role] == nil {
			members[dz][op.role] = n
		}
	}
	var groups []*GradientGroup
	for _, dz := range shared {
		g := newGradientGroup(dz, members[dz], arguments, func(size int) bool { return uses[dz] == size && !keep(dz) })
		if len(g.Outputs) < 2 && g.Hidden == nil {
			continue
		}
		first := len(nodes)
		for _, n := range g.Outputs {
			first = min(first, position[n])
		}
		if !slices.ContainsFunc(g.Inputs, func(n *gorgonia.Node) bool { return position[n] >= first }) {
			groups = append(groups, g)
		}
	}
	return groups
}

func newGradientGroup(dz *gorgonia.Node, members *[biasGradient + 1]*gorgonia.Node, arguments func(*gorgonia.Node) gorgonia.Nodes, onlyUsers func(size int) bool) *GradientGroup {
	g := &GradientGroup{dx: -1, dw: -1, db: -1, x: -1, w: -1, activation: -1}
	add := func(nodes *gorgonia.Nodes, n *gorgonia.Node) int {
		*nodes = append(*nodes, n)
		return len(*nodes) - 1
	}
	if n := members[inputGradient]; n != nil {
		g.dx, g.w = add(&g.Outputs, n), add(&g.Inputs, arguments(n)[1])
	}
	if n := members[weightGradient]; n != nil {
		g.dw, g.x = add(&g.Outputs, n), add(&g.Inputs, arguments(n)[0])
	}
	if n := members[biasGradient]; n != nil {
		g.db = add(&g.Outputs, n)
	}
	g.dev = g.Outputs[0].Op().(*derivedOp).dev
	g.label = fmt.Sprintf("linearBackward(%d gradients)", len(g.Outputs))
	back, ok := dz.Op().(*activationBackwardOp)
	if !ok || back.order != 1 || back.dev != g.dev || !onlyUsers(len(g.Outputs)) {
		g.dy = add(&g.Inputs, dz)
		return g
	}
	g.Hidden, g.act = dz, back.act
	g.dy = add(&g.Inputs, arguments(dz)[0])
	g.activation = add(&g.Inputs, arguments(dz)[1])
	return g
}

// Compute puts the values of Outputs into out, given those of Inputs. What
// stands in out is written to where dtype and shape fit, as in DoInto.
func (g *GradientGroup) Compute(out, in []gorgonia.Value) error {
	if len(out) != len(g.Outputs) || len(in) != len(g.Inputs) {
		return fmt.Errorf("%s: got room for %d values and %d inputs, want %d and %d", g.label, len(out), len(in), len(g.Outputs), len(g.Inputs))
	}
	for i, v := range in {
		if v == nil {
			return fmt.Errorf("%s: input %d has no value", g.label, i)
		}
	}
	var err error
	switch dt := in[g.dy].Dtype(); dt {
	case tensor.Float32:
		err = computeGroup[float32](g, out, in)
	case tensor.Float64:
		err = computeGroup[float64](g, out, in)
	default:
		err = fmt.Errorf("dtype is %v, want float32 or float64", dt)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", g.label, err)
	}
	return nil
}

func computeGroup[T device.Float](g *GradientGroup, out, in []gorgonia.Value) error {
	var x, w, a, dx, dw, db device.Matrix[T]
	dy, err := rowsOf[T]("dY", in[g.dy])
	if err != nil {
		return err
	}
	if g.activation >= 0 {
		if a, err = rowsOf[T]("Y", in[g.activation]); err != nil {
			return err
		}
	}
	// room replaces an output that does not fit; storing only then keeps
	// steady runs free of writes that the collector has to follow.
	room := func(i int, lead tensor.Shape, last int) (device.Matrix[T], error) {
		t, m, err := roomFor[T](g.dev, out[i], lead, last)
		if err == nil && out[i] != gorgonia.Value(t) {
			out[i] = t
		}
		return m, err
	}
	if g.dx >= 0 {
		if w, err = rowsOf[T]("W", in[g.w]); err != nil {
			return err
		}
		shape := in[g.dy].Shape()
		if dx, err = room(g.dx, shape[:len(shape)-1], w.Rows); err != nil {
			return err
		}
	}
	if g.dw >= 0 {
		if x, err = rowsOf[T]("X", in[g.x]); err != nil {
			return err
		}
		lead := [1]int{x.Cols}
		if dw, err = room(g.dw, lead[:], dy.Cols); err != nil {
			return err
		}
	}
	if g.db >= 0 {
		shape := [1]int{dy.Cols}
		if db, err = room(g.db, shape[:], -1); err != nil {
			return err
		}
	}
	return device.For[T](g.dev).LinearBackward(dx, dw, db.Data, x, w, dy, a, g.act.spec)
}
