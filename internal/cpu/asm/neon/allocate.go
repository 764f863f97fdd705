package neon

import (
	"fmt"
	"strings"

	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/pass"
	"github.com/mmcloughlin/avo/reg"
)

// The general registers in use: not R16 and R17, which the translation needs, R18
// of the platform, R27 of the assembler, nor those from R28 on, which Go and the
// ABI own. All vector registers are free.
var general = []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 19, 20, 21, 22, 23, 24, 25, 26}

const vectorRegisters = 32

// live computes which registers are live where.
func live(f *ir.Function) error {
	for _, in := range f.Instructions() {
		in.Pred, in.Succ = nil, nil
	}
	for _, p := range []func(*ir.Function) error{pass.LabelTarget, pass.CFG, pass.Liveness} {
		if err := p(f); err != nil {
			return err
		}
	}
	return nil
}

// dropUnused removes loads and arithmetic whose results nobody reads.
func dropUnused(f *ir.Function) error {
	for {
		if err := live(f); err != nil {
			return err
		}
		kept := f.Nodes[:0]
		for _, n := range f.Nodes {
			if in, ok := n.(*ir.Instruction); ok && unused(in) {
				continue
			}
			kept = append(kept, n)
		}
		if len(kept) == len(f.Nodes) {
			return nil
		}
		f.Nodes = kept
	}
}

func unused(in *ir.Instruction) bool {
	switch {
	case strings.HasPrefix(in.Opcode, prefix):
	case in.Opcode == "MOVQ", in.Opcode == "LEAQ", in.Opcode == "NEGQ":
	default:
		return false
	}
	for _, o := range in.Outputs {
		if operand.IsMem(o) {
			return false
		}
	}
	for _, r := range in.OutputRegisters() {
		if in.LiveOut[r.ID()] != 0 {
			return false
		}
	}
	return true
}

// renameMoves removes "x = t" where t is not used otherwise after it, by calling
// x by the name of t until the end of the block, if x is not live there. Horner's
// rule needs a move for each coefficient else.
func renameMoves(f *ir.Function) error {
	if err := live(f); err != nil {
		return err
	}
	for at := 0; at < len(f.Nodes); at++ {
		mov, ok := f.Nodes[at].(*ir.Instruction)
		if !ok || !strings.HasPrefix(mov.Opcode, prefix+"move.") {
			continue
		}
		x, t := mov.Operands[0].(reg.Register), mov.Operands[1].(reg.Register)
		if mov.LiveOut[t.ID()] != 0 {
			continue
		}
		var block []*ir.Instruction
		ends := false // x is no longer live
		for _, n := range f.Nodes[at+1:] {
			in, ok := n.(*ir.Instruction)
			if !ok || in.IsBranch {
				break
			}
			block = append(block, in)
			if in.LiveOut[x.ID()] == 0 {
				ends = true
				break
			}
			if defines(in, t) || defines(in, x) && !reads(in, x) {
				break
			}
		}
		if !ends {
			continue
		}
		for _, in := range block {
			for _, ops := range [][]operand.Op{in.Operands, in.Inputs, in.Outputs} {
				for i, o := range ops {
					if r, ok := o.(reg.Register); ok && r.ID() == x.ID() {
						ops[i] = t
					}
				}
			}
		}
		f.Nodes = append(f.Nodes[:at], f.Nodes[at+1:]...)
		at--
		if err := live(f); err != nil {
			return err
		}
	}
	return nil
}

func defines(in *ir.Instruction, r reg.Register) bool { return holds(in.OutputRegisters(), r) }

func reads(in *ir.Instruction, r reg.Register) bool { return holds(in.InputRegisters(), r) }

func holds(all []reg.Register, r reg.Register) bool {
	for _, x := range all {
		if x.ID() == r.ID() {
			return true
		}
	}
	return false
}

// allocate gives every virtual register a number: the first that nothing live at
// the same time has, in the order in which they are first written. Registers that
// are moved into each other get the same one if they can.
func allocate(f *ir.Function) (map[reg.ID]int, error) {
	if err := live(f); err != nil {
		return nil, err
	}
	apart := map[reg.ID]map[reg.ID]bool{}
	moved := map[reg.ID][]reg.ID{}
	var order []reg.ID
	for _, in := range f.Instructions() {
		for _, r := range in.OutputRegisters() {
			if id := r.ID(); apart[id] == nil {
				apart[id] = map[reg.ID]bool{}
				order = append(order, id)
			}
		}
	}
	for _, in := range f.Instructions() {
		var from reg.Register
		if isMove(in) {
			from, _ = in.Operands[moveSource(in)].(reg.Register)
		}
		for _, r := range in.OutputRegisters() {
			if from != nil && from.Kind() == r.Kind() {
				moved[r.ID()] = append(moved[r.ID()], from.ID())
				moved[from.ID()] = append(moved[from.ID()], r.ID())
			}
			for id := range in.LiveOut {
				if id != r.ID() && id.Kind() == r.Kind() && (from == nil || id != from.ID()) {
					if apart[id] == nil {
						return nil, fmt.Errorf("%s: a register is read before it is written", f.Name)
					}
					apart[r.ID()][id], apart[id][r.ID()] = true, true
				}
			}
		}
	}
	numbers := map[reg.ID]int{}
	for _, id := range order {
		taken := map[int]bool{}
		for other := range apart[id] {
			if n, ok := numbers[other]; ok {
				taken[n] = true
			}
		}
		candidates := general
		if id.Kind() == reg.KindVector {
			candidates = nil
			for n := range vectorRegisters {
				candidates = append(candidates, n)
			}
		}
		number := -1
		for _, other := range moved[id] {
			if n, ok := numbers[other]; ok && !taken[n] {
				number = n
				break
			}
		}
		for _, n := range candidates {
			if number < 0 && !taken[n] {
				number = n
			}
		}
		if number < 0 {
			return nil, fmt.Errorf("%s: out of registers of kind %v", f.Name, id.Kind())
		}
		numbers[id] = number
	}
	return numbers, nil
}

// isMove tells whether the instruction copies a register.
func isMove(in *ir.Instruction) bool {
	if strings.HasPrefix(in.Opcode, prefix+"move.") {
		return true
	}
	if in.Opcode != "MOVQ" {
		return false
	}
	_, from := in.Operands[0].(reg.Register)
	_, to := in.Operands[1].(reg.Register)
	return from && to
}

// moveSource is the place of the operand that a move reads.
func moveSource(in *ir.Instruction) int {
	if in.Opcode == "MOVQ" {
		return 0
	}
	return 1
}
