// Package neon takes what the generators emit with avo to arm64.
//
// avo knows x86 alone, but its representation of a program does not: virtual
// registers, instructions with inputs and outputs, labels. The generators keep to
// a dozen integer instructions of x86, all of which have a counterpart on arm64;
// for vectors they emit the instructions of this package into the same functions.
// [Write] allocates the registers of arm64 and translates both. So loops,
// formulas and signatures are written once for all instruction sets.
//
// A vector register has 16 bytes, the lanes beyond what a load reads are zero. A
// mask of the first lanes is their number, in a general register.
package neon

import (
	"fmt"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Bytes is the width of a vector.
const Bytes = 16

// A Vector emits instructions on vectors whose elements have so many bytes.
type Vector struct {
	*build.Context
	Elem int
}

// prefix marks the instructions of this package.
const prefix = "neon."

// emit appends an instruction. The first operand is the destination.
func (v Vector) emit(name string, outputs int, ops ...operand.Op) {
	in := ops[outputs:]
	if accumulates(name) {
		in = ops
	}
	v.Instruction(&ir.Instruction{
		Opcode: fmt.Sprintf("%s%s.%d", prefix, name, v.Elem), Operands: ops,
		Inputs: append([]operand.Op(nil), in...), Outputs: append([]operand.Op(nil), ops[:outputs]...),
	})
}

// Op emits dst = name(sources), one of the instructions in words.
func (v Vector) Op(name string, dst reg.Register, sources ...reg.Register) {
	ops := []operand.Op{dst}
	for _, s := range sources {
		ops = append(ops, s)
	}
	v.emit(name, 1, ops...)
}

// Negative emits the mask of the lanes whose sign is set.
func (v Vector) Negative(dst, a reg.Register) { v.emit("cmlt", 1, dst, a) }

// MulElement emits acc += a·b[i].
func (v Vector) MulElement(acc, a, b reg.Register, i int) {
	v.emit("fmlae", 1, acc, a, b, operand.I32(i))
}

// ShiftLeft and ShiftRight emit shifts of each lane.
func (v Vector) ShiftLeft(dst, a reg.Register, bits int) { v.emit("shl", 1, dst, a, operand.I32(bits)) }

// ShiftRight emits a shift that fills with zeros.
func (v Vector) ShiftRight(dst, a reg.Register, bits int) {
	v.emit("ushr", 1, dst, a, operand.I32(bits))
}

// Swap emits dst = the halves of a exchanged.
func (v Vector) Swap(dst, a reg.Register) { v.emit("swap", 1, dst, a) }

// Zero emits dst = 0.
func (v Vector) Zero(dst reg.Register) { v.emit("zero", 1, dst) }

// Move emits dst = a.
func (v Vector) Move(dst, a reg.Register) { v.emit("move", 1, dst, a) }

// Widen emits dst = the first two of a, float32, as float64.
func (v Vector) Widen(dst, a reg.Register) { v.emit("widen", 1, dst, a) }

// Narrow emits dst = a, float64, rounded to float32.
func (v Vector) Narrow(dst, a reg.Register) { v.emit("narrow", 1, dst, a) }

// Pair emits dst = the sum of the first two lanes of a; all other lanes are
// zero.
func (v Vector) Pair(dst, a reg.Register) { v.emit("pair", 1, dst, a) }

// Load and Store move so many bytes: 4, 8 or 16.
func (v Vector) Load(bytes int, from operand.Mem, dst reg.Register) {
	v.emit("load", 1, dst, from, operand.I32(bytes))
}

// Store writes the first so many bytes of a register.
func (v Vector) Store(bytes int, src reg.Register, to operand.Mem) {
	v.emit("store", 1, to, src, operand.I32(bytes))
}

// LoadFirst reads the first n elements, up to a vector of size bytes; none
// beyond is touched. n is positive and a general register.
func (v Vector) LoadFirst(n reg.Register, bytes int, from operand.Mem, dst reg.Register) {
	v.emit("loadn", 1, dst, from, n, operand.I32(bytes))
}

// StoreFirst writes the first n elements likewise.
func (v Vector) StoreFirst(n reg.Register, bytes int, src reg.Register, to operand.Mem) {
	v.emit("storen", 1, to, src, n, operand.I32(bytes))
}

// Spread reads an element into all lanes.
func (v Vector) Spread(from operand.Mem, dst reg.Register) { v.emit("spread", 1, dst, from) }
