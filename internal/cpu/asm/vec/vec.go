// Package vec emits vector code, with avo, for one instruction set and one
// element type at a time: arithmetic that reads like expressions, loops with
// masked tails, and the functions of math.go (exponential, activations).
//
// Values are virtual registers; avo finds the real ones. A function allocates
// a register for its result and leaves its arguments as they were, except for
// those whose comment says "in place". The last argument of arithmetic may be
// a constant or memory.
package vec

import (
	"fmt"
	"math"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/affine-go/affine/internal/cpu/asm/neon"
)

// A Reg is a vector register.
type Reg = reg.VecVirtual

// Type is a vector type: an instruction set with an element type, in one file
// of assembly. Emit the code first and [Type.Constants] last.
type Type struct {
	*build.Context
	AVX512 bool // else AVX2 and FMA, or
	NEON   bool // NEON of arm64
	Double bool // float64, else float32
	// Widened elements are float64 in registers and float32 in memory.
	Widened bool

	constants []uint64
	base      reg.GPVirtual // where they are, in NEON
}

// Types returns the vector types of the file: AVX-512 and AVX2, or NEON.
func Types(c *build.Context) []*Type {
	if options.neon {
		return []*Type{{Context: c, NEON: true}, {Context: c, NEON: true, Double: true}}
	}
	return []*Type{
		{Context: c, AVX512: true}, {Context: c, AVX512: true, Double: true},
		{Context: c}, {Context: c, Double: true},
	}
}

// DoubleTypes returns the vector types that compute in float64, with float32
// or float64 in memory.
func DoubleTypes(c *build.Context) []*Type {
	if options.neon {
		return []*Type{{Context: c, NEON: true, Double: true, Widened: true}, {Context: c, NEON: true, Double: true}}
	}
	return []*Type{
		{Context: c, AVX512: true, Double: true, Widened: true}, {Context: c, AVX512: true, Double: true},
		{Context: c, Double: true, Widened: true}, {Context: c, Double: true},
	}
}

// Size is the number of bytes of an element in memory.
func (t *Type) Size() int {
	if t.Double && !t.Widened {
		return 8
	}
	return 4
}

// width is the number of bytes of an element in a register.
func (t *Type) width() int {
	if t.Double {
		return 8
	}
	return 4
}

// Lanes is the number of elements of a vector.
func (t *Type) Lanes() int { return t.bytes() / t.width() }

// bytes is the width of a register.
func (t *Type) bytes() int {
	switch {
	case t.AVX512:
		return 64
	case t.NEON:
		return neon.Bytes
	}
	return 32
}

// vector emits the instructions of NEON.
func (t *Type) vector() neon.Vector { return neon.Vector{Context: t.Context, Elem: t.width()} }

// Elem is the Go name of the element type, as it is in memory.
func (t *Type) Elem() string { return fmt.Sprintf("float%d", 8*t.Size()) }

// Name appends the instruction set and the element type to the name of a
// function: tanh becomes tanhAVX512Float32.
func (t *Type) Name(function string) string {
	return fmt.Sprintf("%s%sFloat%d", function, t.set(), 8*t.Size())
}

// set is the name of the instruction set, as package arch has it.
func (t *Type) set() string {
	switch {
	case t.AVX512:
		return "AVX512"
	case t.NEON:
		return "NEON"
	}
	return "AVX2"
}

// Reg returns a register of the type.
func (t *Type) Reg() Reg {
	if t.AVX512 {
		return t.ZMM()
	}
	return t.YMM()
}

// A Const is an element in the table of constants, read into every lane.
type Const struct{ addr operand.Mem }

// Const returns the constant x, rounded to the element type.
func (t *Type) Const(x float64) Const {
	if t.Double {
		return t.Bits(math.Float64bits(x))
	}
	return t.Bits(uint64(math.Float32bits(float32(x))))
}

// Bits returns the constant that is stored as these bits.
func (t *Type) Bits(bits uint64) Const {
	i := 0
	for i < len(t.constants) && t.constants[i] != bits {
		i++
	}
	if i == len(t.constants) {
		t.constants = append(t.constants, bits)
	}
	if t.NEON {
		return Const{operand.Mem{Base: t.base, Disp: i * t.pitch()}}
	}
	return Const{operand.NewDataAddr(operand.NewStaticSymbol(t.table()), i*t.pitch())}
}

// Base readies the constants for the function that begins, as NEON needs it.
func (t *Type) Base() {
	if t.NEON {
		t.base = t.GP64()
		t.LEAQ(operand.NewDataAddr(operand.NewStaticSymbol(t.table()), 0), t.base)
	}
}

func (t *Type) table() string {
	if t.Widened {
		return t.Name("constantsWidened")
	}
	return t.Name("constants")
}

// pitch is the distance of constants. Arithmetic of AVX-512 spreads one
// element over the lanes as it reads it; the others read a vector.
func (t *Type) pitch() int {
	if t.AVX512 {
		return t.width()
	}
	return t.bytes()
}

// Constants emits the table of the constants used so far.
func (t *Type) Constants() {
	if len(t.constants) == 0 {
		return
	}
	t.StaticGlobal(t.table())
	t.DataAttributes(attr.RODATA | attr.NOPTR)
	for i, bits := range t.constants {
		for at := 0; at < t.pitch(); at += t.width() {
			if t.Double {
				t.AddDatum(i*t.pitch()+at, operand.U64(bits))
			} else {
				t.AddDatum(i*t.pitch()+at, operand.U32(bits))
			}
		}
	}
}
