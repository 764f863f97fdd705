package neon

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/printer"
	"github.com/mmcloughlin/avo/reg"
)

// Write writes the assembly and, to stubs, its declarations in package pkg.
func Write(f *ir.File, out, stubs, pkg string) error {
	config := printer.NewGoRunConfig()
	config.Pkg = pkg
	var s strings.Builder
	fmt.Fprintf(&s, "// %s\n\n//go:build !purego\n\n#include \"textflag.h\"\n", config.GeneratedWarning())
	for _, section := range f.Sections {
		switch section := section.(type) {
		case *ir.Function:
			text, err := function(section)
			if err != nil {
				return err
			}
			s.WriteString(text)
		case *ir.Global:
			global(&s, section)
		}
	}
	if err := os.WriteFile(out, []byte(s.String()), 0o644); err != nil {
		return err
	}
	declarations, err := printer.NewStubs(config).Print(f)
	if err != nil {
		return err
	}
	return os.WriteFile(stubs, declarations, 0o644)
}

func global(s *strings.Builder, g *ir.Global) {
	s.WriteByte('\n')
	for _, d := range g.Data {
		fmt.Fprintf(s, "DATA %s+%d(SB)/%d, %s\n", g.Symbol, d.Offset, d.Value.Bytes(), d.Value.Asm())
	}
	flags := g.Attributes
	if flags == 0 {
		flags = attr.RODATA | attr.NOPTR
	}
	fmt.Fprintf(s, "GLOBL %s(SB), %s, $%d\n", g.Symbol, flags.Asm(), g.Size)
}

// A translation is a function while it is translated.
type translation struct {
	strings.Builder
	*ir.Function
	numbers map[reg.ID]int
	labels  int
	err     error
}

func function(f *ir.Function) (string, error) {
	if err := dropUnused(f); err != nil {
		return "", err
	}
	if err := renameMoves(f); err != nil {
		return "", err
	}
	numbers, err := allocate(f)
	if err != nil {
		return "", err
	}
	t := &translation{Function: f, numbers: numbers}
	fmt.Fprintf(t, "\n// %s\nTEXT ·%s(SB), %s, $0-%d\n", f.Stub(), f.Name, f.Attributes.Asm(), f.ArgumentBytes())
	for i, n := range f.Nodes {
		switch n := n.(type) {
		case ir.Label:
			fmt.Fprintf(t, "\n%s:\n", n)
		case *ir.Instruction:
			if name, ok := strings.CutPrefix(n.Opcode, prefix); ok {
				name, elem, _ := strings.Cut(name, ".")
				bytes, _ := strconv.Atoi(elem)
				t.vector(n, name, arranged(bytes))
			} else {
				t.integer(n, t.needsFlags(i))
			}
		}
	}
	return t.String(), t.err
}

func (t *translation) fail(in *ir.Instruction) {
	var ops []string
	for _, o := range in.Operands {
		ops = append(ops, o.Asm())
	}
	if t.err == nil {
		t.err = fmt.Errorf("%s: no translation of %s %s", t.Name, in.Opcode, strings.Join(ops, ", "))
	}
}

// line writes an instruction in Go's syntax.
func (t *translation) line(format string, args ...any) { fmt.Fprintf(t, "\t"+format+"\n", args...) }

func (t *translation) word(w word) { t.line("%s", w) }

// number is that of a register.
func (t *translation) number(o operand.Op) int { return t.numbers[o.(reg.Register).ID()] }

// register is the name of a general register.
func (t *translation) register(o operand.Op) string { return fmt.Sprintf("R%d", t.number(o)) }

// The registers that a translation may use within one instruction.
const (
	scratch = 16
	other   = 17
)

// needsFlags tells whether a branch reads the flags that node i leaves.
func (t *translation) needsFlags(i int) bool {
	for _, n := range t.Nodes[i+1:] {
		in, ok := n.(*ir.Instruction)
		if !ok {
			continue
		}
		if in.IsBranch && in.IsConditional {
			return true
		}
		switch in.Opcode {
		case "ADDQ", "SUBQ", "CMPQ", "TESTQ", "TESTB", "DECQ", "RET", "JMP":
			return false
		}
	}
	return false
}

// parameter is the place of a parameter in memory, if that is what m is.
func parameter(m operand.Mem) (string, bool) {
	if m.Base == reg.FramePointer {
		return fmt.Sprintf("%s+%d(FP)", m.Symbol, m.Disp), true
	}
	return "", false
}

// place returns a base and an offset that address m, with what is needed in a
// scratch register.
func (t *translation) place(m operand.Mem) (base, off int) {
	if m.Base == reg.StaticBase {
		t.line("MOVD $%s+%d(SB), R%d", m.Symbol, m.Disp, scratch)
		base, m.Disp = scratch, 0
	} else {
		base = t.number(m.Base)
	}
	if m.Index != nil && m.Scale > 0 {
		t.add(scratch, base, m.Index, m.Scale)
		base = scratch
	}
	return base, m.Disp
}

// add writes dst = base + index·scale.
func (t *translation) add(dst, base int, index reg.Register, scale uint8) {
	shift := map[uint8]string{1: "", 2: "<<1", 4: "<<2", 8: "<<3"}[scale]
	t.line("ADD %s%s, R%d, R%d", t.register(index), shift, base, dst)
}

// memory returns m as the operand of an integer instruction.
func (t *translation) memory(m operand.Mem) string {
	if p, ok := parameter(m); ok {
		return p
	}
	base, off := t.place(m)
	return fmt.Sprintf("%d(R%d)", off, base)
}

var conditions = map[string]string{
	"JE": "BEQ", "JEQ": "BEQ", "JZ": "BEQ", "JNE": "BNE", "JNZ": "BNE",
	"JLT": "BLT", "JLE": "BLE", "JGT": "BGT", "JGE": "BGE",
}

// integer translates the integer instructions that the generators use.
func (t *translation) integer(in *ir.Instruction, flags bool) {
	op := in.Operands
	set := "" // whether the flags are
	if flags {
		set = "S"
	}
	// value returns an operand as Go's assembler has it, immediate or register,
	// and loads memory to a scratch register.
	value := func(o operand.Op) string {
		switch o := o.(type) {
		case reg.Register:
			return t.register(o)
		case operand.Mem:
			t.line("MOVD %s, R%d", t.memory(o), other)
			return fmt.Sprintf("R%d", other)
		}
		return o.Asm()
	}
	// change writes to = f(from), for a destination that may be memory.
	change := func(name string, from string, to operand.Op) {
		m, inMemory := to.(operand.Mem)
		if !inMemory {
			t.line("%s %s, %s", name, from, t.register(to))
			return
		}
		at := t.memory(m)
		t.line("MOVD %s, R%d", at, other)
		t.line("%s %s, R%d", name, from, other)
		t.line("MOVD R%d, %s", other, at)
	}
	switch name := in.Opcode; name {
	case "MOVQ":
		if isMove(in) && t.number(op[0]) == t.number(op[1]) {
			return
		}
		from, to := "", ""
		if m, ok := op[0].(operand.Mem); ok {
			from = t.memory(m)
		} else {
			from = value(op[0])
		}
		if m, ok := op[1].(operand.Mem); ok {
			to = t.memory(m)
		} else {
			to = t.register(op[1])
		}
		t.line("MOVD %s, %s", from, to)
	case "MOVB":
		t.line("MOVBU %s, %s", t.memory(op[0].(operand.Mem)), t.register(op[1]))
	case "ADDQ":
		change("ADD"+set, value(op[0]), op[1])
	case "SUBQ":
		change("SUB"+set, value(op[0]), op[1])
	case "DECQ":
		change("SUB"+set, "$1", op[0])
	case "CMPQ":
		t.line("CMP %s, %s", value(op[1]), value(op[0]))
	case "TESTQ", "TESTB":
		t.line("CMP $0, %s", t.register(op[0]))
	case "NEGQ":
		t.line("NEG %s, %[1]s", t.register(op[0]))
	case "XORQ":
		t.line("MOVD ZR, %s", t.register(op[1]))
	case "SHLQ":
		t.line("LSL %s, %s", op[0].Asm(), t.register(op[1]))
	case "SARQ":
		t.line("ASR %s, %s", op[0].Asm(), t.register(op[1]))
	case "IMULQ":
		t.line("MUL %s, %s", value(op[0]), t.register(op[1]))
	case "IMUL3Q":
		t.line("MOVD %s, R%d", op[0].Asm(), scratch)
		t.line("MUL R%d, %s, %s", scratch, t.register(op[1]), t.register(op[2]))
	case "LEAQ":
		m, dst := op[0].(operand.Mem), t.number(op[1])
		if m.Base == reg.StaticBase {
			t.line("MOVD $%s+%d(SB), R%d", m.Symbol, m.Disp, dst)
			return
		}
		base := t.number(m.Base)
		if m.Index != nil {
			to := dst
			if m.Disp != 0 {
				to = scratch
			}
			t.add(to, base, m.Index, m.Scale)
			base = to
		}
		if m.Disp != 0 || m.Index == nil {
			t.line("ADD $%d, R%d, R%d", m.Disp, base, dst)
		}
	case "PREFETCHT0", "PREFETCHT1":
		level := map[string]string{"PREFETCHT0": "PLDL1KEEP", "PREFETCHT1": "PLDL2KEEP"}[name]
		t.line("PRFM %s, %s", t.memory(op[0].(operand.Mem)), level)
	case "JMP":
		t.line("JMP %s", op[0].Asm())
	case "PAUSE": // YIELD does nothing on most; this waits for what is under way
		t.line("ISB $15")
	case "RET":
		t.line("RET")
	case "VZEROUPPER":
	default:
		branch, ok := conditions[name]
		if !ok {
			t.fail(in)
			return
		}
		t.line("%s %s", branch, op[0].Asm())
	}
}

// vector translates the instructions of this package.
func (t *translation) vector(in *ir.Instruction, name string, a arrangement) {
	op := in.Operands
	immediate := func(i int) int { return int(op[i].(operand.I32)) }
	if w, ok := words[name]; ok {
		d, n, m := t.number(op[0]), t.number(op[1]), 0
		if w.sources == 2 {
			m = t.number(op[2])
		}
		t.word(vector(name, a, d, n, m))
		return
	}
	switch name {
	case "cmlt":
		t.word(negative(a, t.number(op[0]), t.number(op[1])))
	case "fmlae":
		t.word(byElement(a, t.number(op[0]), t.number(op[1]), t.number(op[2]), immediate(3)))
	case "shl", "ushr":
		t.word(shift(name == "shl", a, t.number(op[0]), t.number(op[1]), immediate(2)))
	case "swap":
		t.word(swapped(t.number(op[0]), t.number(op[1])))
	case "zero":
		t.word(zero(t.number(op[0])))
	case "move":
		if d, n := t.number(op[0]), t.number(op[1]); d != n {
			t.word(move(d, n))
		}
	case "widen":
		t.word(widen(t.number(op[0]), t.number(op[1])))
	case "narrow":
		t.word(narrow(t.number(op[0]), t.number(op[1])))
	case "pair":
		t.word(pair(a, t.number(op[0]), t.number(op[1])))
	case "load", "store":
		mem, v := op[1], op[0]
		if name == "store" {
			mem, v = op[0], op[1]
		}
		t.transfer(transfer{name == "store", immediate(2)}, t.number(v), mem.(operand.Mem))
	case "loadn":
		t.firstLanes(false, t.number(op[0]), op[1].(operand.Mem), t.register(op[2]), immediate(3), a.elem)
	case "storen":
		t.firstLanes(true, t.number(op[1]), op[0].(operand.Mem), t.register(op[2]), immediate(3), a.elem)
	case "spread":
		m, d := op[1].(operand.Mem), t.number(op[0])
		if p, ok := parameter(m); ok {
			t.line("FMOV%s %s, F%d", map[int]string{4: "S", 8: "D"}[a.elem], p, d)
			t.word(first(a, d, d))
			return
		}
		base, off := t.place(m)
		if off != 0 {
			t.line("ADD $%d, R%d, R%d", off, base, scratch)
			base = scratch
		}
		t.word(spread(a, d, base))
	default:
		t.fail(in)
	}
}

// transfer writes a load or a store.
func (t *translation) transfer(x transfer, v int, m operand.Mem) {
	if p, ok := parameter(m); ok {
		letter := map[int]string{4: "S", 8: "D"}[x.bytes]
		if x.store {
			t.line("FMOV%s F%d, %s", letter, v, p)
		} else {
			t.line("FMOV%s %s, F%d", letter, p, v)
		}
		return
	}
	if m.Index != nil && m.Disp == 0 && (m.Scale == 1 || int(m.Scale) == x.bytes) {
		t.word(x.indexed(v, t.number(m.Base), t.number(m.Index), m.Scale > 1))
		return
	}
	base, off := t.place(m)
	t.at(x, v, base, off)
}

// at writes a load or a store with an offset.
func (t *translation) at(x transfer, v int, base, off int) {
	w, ok := x.at(v, base, off)
	if !ok {
		t.line("ADD $%d, R%d, R%d", off, base, scratch)
		w, _ = x.at(v, scratch, 0)
	}
	t.word(w)
}

// firstLanes writes the load or store of the first n elements of a vector of so
// many bytes.
func (t *translation) firstLanes(store bool, v int, m operand.Mem, n string, bytes, elem int) {
	base, off := t.place(m)
	t.labels++
	end := fmt.Sprintf("lanes%d", t.labels)
	label := func(suffix string) { fmt.Fprintf(t, "\n%s%s:\n", end, suffix) }
	move := func(bytes int) { t.at(transfer{store, bytes}, v, base, off) }
	t.line("CMP $%d, %s", bytes/elem, n)
	t.line("BLT %sless", end)
	move(bytes)
	t.line("JMP %s", end)
	label("less")
	if bytes == 4*elem {
		t.line("CMP $2, %s", n)
		t.line("BLT %sone", end)
		move(2 * elem)
		t.line("BEQ %s", end)
		t.line("ADD $%d, R%d, R%d", off+2*elem, base, other)
		t.word(transfer{store, elem}.third(v, other))
		t.line("JMP %s", end)
		label("one")
	}
	move(elem)
	label("")
}
