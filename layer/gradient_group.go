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

	label           string
	dev             device.Device
	act             Activation
	layouts         [biasGradient + 1]layout // by role
	dx, dw, db      int                      // positions in Outputs, -1 if there is none
	x, w, dy, saved int                      // positions in Inputs, -1 if there is none
}

// Device is where the group computes.
func (g *GradientGroup) Device() device.Device { return g.dev }

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
	// A dZ that has no dimension for the outputs is another matrix.
	type key struct {
		dz     *gorgonia.Node
		vector bool
	}
	members := map[key]*[biasGradient + 1]*gorgonia.Node{}
	var shared []key // each dZ once, in order
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
		dz := key{args[op.role.dZ()], op.layout.weight == oneOutput}
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
	for _, k := range shared {
		dz := k.dz
		g := newGradientGroup(dz, members[k], arguments, func(size int) bool { return uses[dz] == size && !keep(dz) })
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
	g := &GradientGroup{dx: -1, dw: -1, db: -1, x: -1, w: -1, saved: -1}
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
	for role, n := range members {
		if n != nil {
			op := n.Op().(*derivedOp)
			g.dev, g.layouts[role] = op.dev, op.layout
		}
	}
	g.label = fmt.Sprintf("linearBackward(%d gradients)", len(g.Outputs))
	back, ok := dz.Op().(*activationBackwardOp)
	if !ok || back.order != 1 || back.dev != g.dev || !onlyUsers(len(g.Outputs)) {
		g.dy = add(&g.Inputs, dz)
		return g
	}
	g.Hidden, g.act = dz, back.act
	g.dy = add(&g.Inputs, arguments(dz)[0])
	g.saved = add(&g.Inputs, arguments(dz)[1])
	return g
}

// Compute puts the values of Outputs into out, given those of Inputs. What
// stands in out is written to if dtype and shape fit, as in DoInto.
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
	var x, w, saved, dx, dw device.Matrix[T]
	var db []T
	l := g.layouts[g.Outputs[0].Op().(*derivedOp).role] // all view dY alike
	dy, err := outputOf[T](l, "dY", in[g.dy])
	if err != nil {
		return err
	}
	if g.saved >= 0 {
		if saved, err = outputOf[T](l, g.act.spec.Kind.Saved().String(), in[g.saved]); err != nil {
			return err
		}
	}
	// put replaces an output that does not fit; storing only then keeps steady
	// runs free of writes that the collector has to follow.
	put := func(i int, v gorgonia.Value) {
		if out[i] != v {
			out[i] = v
		}
	}
	if g.dx >= 0 {
		l := g.layouts[inputGradient]
		if w, err = weightOf[T](l, "W", in[g.w]); err != nil {
			return err
		}
		t, m, err := roomForInput[T](l, g.dev, out[g.dx], in[g.dy].Shape(), w.Rows)
		if err != nil {
			return err
		}
		dx = m
		put(g.dx, t)
	}
	if g.dw >= 0 {
		if x, err = rowsOf[T]("X", in[g.x]); err != nil {
			return err
		}
		t, m, err := roomForWeight[T](g.layouts[weightGradient], g.dev, out[g.dw], x.Cols, dy.Cols)
		if err != nil {
			return err
		}
		dw = m
		put(g.dw, t)
	}
	scalarBias := g.db >= 0 && g.layouts[biasGradient].bias == 0
	if g.db >= 0 {
		v, data, err := roomForBias[T](g.layouts[biasGradient], g.dev, out[g.db], dy.Cols)
		if err != nil {
			return err
		}
		db = data
		if !scalarBias {
			put(g.db, v)
		}
	}
	if err := device.For[T](g.dev).LinearBackward(dx, dw, db, x, w, dy, saved, g.act.spec); err != nil {
		return err
	}
	if scalarBias {
		put(g.db, scalarValue(out[g.db], db[0]))
	}
	return nil
}
