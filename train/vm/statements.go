package vm

import (
	"errors"
	"fmt"
	"reflect"

	"gorgonia.org/gorgonia"
)

// A Read or Set is a node whose op is a type that Gorgonia does not export.
// Read's op has one field, the pointer to the variable that it fills. All of
// this is checked when a machine is built, so that another Gorgonia leads to an
// error and not to a crash.

// isStatement reports whether n is a statement (Read, Set), which has no type.
func isStatement(n *gorgonia.Node) bool { return n.Op() != nil && n.Type() == nil }

// statement returns the computation of a statement node.
func statement(n *gorgonia.Node, arguments gorgonia.Nodes) (computation, error) {
	name, _ := builtin(n)
	switch {
	case name == "readOp" && len(arguments) == 1:
		field := reflect.ValueOf(n.Op())
		if field.Kind() == reflect.Struct && field.NumField() == 1 && field.Type().Field(0).Type == reflect.TypeFor[*gorgonia.Value]() {
			if into := (*gorgonia.Value)(field.Field(0).UnsafePointer()); into != nil {
				return &read{into}, nil
			}
			return nil, fmt.Errorf("%s reads into a nil pointer", describe(n))
		}
	case name == "letOp" && len(arguments) == 2:
		return &set{arguments[0]}, nil
	}
	return nil, fmt.Errorf("%s is a statement of an unknown kind, %T: this Gorgonia is not the one that affine knows", describe(n), n.Op())
}

// read is gorgonia.Read: it copies its argument to a variable, to the memory of
// the value that stands there if there is one.
type read struct{ into *gorgonia.Value }

func (r *read) compute(_, args []gorgonia.Value) error {
	if *r.into != nil {
		_, err := gorgonia.Copy(*r.into, args[0])
		return err
	}
	v, err := gorgonia.CloneValue(args[0])
	if err == nil {
		*r.into = v
	}
	return err
}

func (r *read) keeps() bool { return false }

// set is gorgonia.Set(a, b): a copy of b's value becomes the value of a. In the
// run at hand a keeps the value that it had; the next one reads the new value.
type set struct{ node *gorgonia.Node }

func (s *set) compute(_, args []gorgonia.Value) error {
	v, err := gorgonia.CloneValue(args[1])
	if err != nil {
		return err
	}
	return gorgonia.UnsafeLet(s.node, v)
}

func (s *set) keeps() bool { return false }

// Let gives the node n of the machine's graph a value, as gorgonia.Let does.
// The shape must be the node's.
func (m *Machine) Let(n *gorgonia.Node, be any) error {
	if err := m.owns(n); err != nil {
		return fmt.Errorf("let: %w", err)
	}
	if err := gorgonia.Let(n, be); err != nil {
		return fmt.Errorf("let %s: %w", describe(n), err)
	}
	return nil
}

// Set makes the value of b the value of a, both nodes of the machine's graph.
func (m *Machine) Set(a, b *gorgonia.Node) error {
	for _, n := range []*gorgonia.Node{a, b} {
		if err := m.owns(n); err != nil {
			return fmt.Errorf("set: %w", err)
		}
	}
	v := b.Value()
	if v == nil {
		return fmt.Errorf("set %s: %s has no value", describe(a), describe(b))
	}
	if err := gorgonia.UnsafeLet(a, v); err != nil {
		return fmt.Errorf("set %s to %s: %w", describe(a), describe(b), err)
	}
	return nil
}

func (m *Machine) owns(n *gorgonia.Node) error {
	if n == nil {
		return errors.New("node is nil")
	}
	if m.graph == nil {
		return errors.New("machine is closed")
	}
	if n.Graph() != m.graph || !m.graph.AllNodes().Contains(n) {
		return fmt.Errorf("%s is not a node of the machine's graph", describe(n))
	}
	return nil
}
