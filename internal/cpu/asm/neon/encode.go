package neon

import "fmt"

// Go's assembler lacks most floating-point instructions on vectors, so all
// vector instructions are written as words, each with its text in a comment. The
// encodings are those of the Arm Architecture Reference Manual (DDI 0487), part
// C7; TestWords compares them with an independent assembler.

// An arrangement is how a register is divided into lanes.
type arrangement struct {
	name string // as in v0.4s
	elem int    // bytes of an element
	size uint32 // the bit that tells float64 from float32, if set
}

var (
	s4  = arrangement{"4s", 4, 0}
	d2  = arrangement{"2d", 8, 1 << 22}
	b16 = arrangement{"16b", 1, 0}
)

func arranged(elem int) arrangement {
	if elem == 8 {
		return d2
	}
	return s4
}

// element is the name of one element's type.
func (a arrangement) element() string { return a.name[1:] }

// words are the instructions on whole registers that differ between element
// types in one bit alone, or not at all: destination and up to two sources.
var words = map[string]struct {
	base    uint32
	sources int
	bitwise bool
}{
	"fadd":  {0x4e20d400, 2, false},
	"fsub":  {0x4ea0d400, 2, false},
	"fmul":  {0x6e20dc00, 2, false},
	"fdiv":  {0x6e20fc00, 2, false},
	"fmla":  {0x4e20cc00, 2, false},
	"fmls":  {0x4ea0cc00, 2, false},
	"fcmeq": {0x4e20e400, 2, false},
	"fcmge": {0x6e20e400, 2, false},
	"fcmgt": {0x6ea0e400, 2, false},
	"faddp": {0x6e20d400, 2, false},
	"add":   {0x4ea08400, 2, false},
	"zip1":  {0x4e803800, 2, false},
	"zip2":  {0x4e807800, 2, false},
	"fsqrt": {0x6ea1f800, 1, false},
	"fabs":  {0x4ea0f800, 1, false},
	"and":   {0x4e201c00, 2, true},
	"bic":   {0x4e601c00, 2, true},
	"orr":   {0x4ea01c00, 2, true},
	"bsl":   {0x6e601c00, 2, true},
	"bif":   {0x6ee01c00, 2, true},
}

// accumulates tells of instructions that read their destination.
func accumulates(name string) bool {
	switch name {
	case "fmla", "fmls", "fmlae", "bsl", "bif":
		return true
	}
	return false
}

// A word is an instruction and its text.
type word struct {
	code uint32
	text string
}

func (w word) String() string { return fmt.Sprintf("WORD $0x%08x // %s", w.code, w.text) }

// vector encodes one of the words.
func vector(name string, a arrangement, d, n, m int) word {
	in := words[name]
	if in.bitwise {
		a = b16
	}
	code := in.base | a.size | uint32(n)<<5 | uint32(d)
	if in.sources == 1 {
		return word{code, fmt.Sprintf("%s v%d.%s, v%d.%s", name, d, a.name, n, a.name)}
	}
	return word{code | uint32(m)<<16, fmt.Sprintf("%s v%[2]d.%[5]s, v%[3]d.%[5]s, v%[4]d.%[5]s", name, d, n, m, a.name)}
}

// byElement encodes d += n·m[i].
func byElement(a arrangement, d, n, m, i int) word {
	code := 0x4f801000 | uint32(i&1)<<21 | uint32(i>>1)<<11
	if a.elem == 8 {
		code = 0x4fc01000 | uint32(i)<<11
	}
	return word{code | uint32(m)<<16 | uint32(n)<<5 | uint32(d), fmt.Sprintf("fmla v%d.%s, v%d.%[2]s, v%[4]d.%[5]s[%[6]d]", d, a.name, n, m, a.element(), i)}
}

// negative encodes the mask of the lanes whose sign is set.
func negative(a arrangement, d, n int) word {
	return word{0x4ea0a800 | a.size | uint32(n)<<5 | uint32(d), fmt.Sprintf("cmlt v%d.%s, v%d.%[2]s, #0", d, a.name, n)}
}

// shift encodes a shift of each lane by so many bits, to the left or right.
func shift(left bool, a arrangement, d, n, bits int) word {
	name, base, field := "ushr", uint32(0x6f000400), 16*a.elem-bits
	if left {
		name, base, field = "shl", 0x4f005400, 8*a.elem+bits
	}
	return word{base | uint32(field)<<16 | uint32(n)<<5 | uint32(d), fmt.Sprintf("%s v%d.%s, v%d.%[3]s, #%[5]d", name, d, a.name, n, bits)}
}

// swapped encodes d = the halves of n exchanged.
func swapped(d, n int) word {
	return word{0x6e004000 | uint32(n)<<16 | uint32(n)<<5 | uint32(d), fmt.Sprintf("ext v%d.16b, v%d.16b, v%[2]d.16b, #8", d, n)}
}

// first encodes d = element 0 of n, in every lane.
func first(a arrangement, d, n int) word {
	return word{0x4e000400 | uint32(a.elem)<<16 | uint32(n)<<5 | uint32(d), fmt.Sprintf("dup v%d.%s, v%d.%s[0]", d, a.name, n, a.element())}
}

func zero(d int) word { return word{0x6f00e400 | uint32(d), fmt.Sprintf("movi v%d.2d, #0", d)} }

func move(d, n int) word {
	return word{0x4ea01c00 | uint32(n)<<16 | uint32(n)<<5 | uint32(d), fmt.Sprintf("mov v%d.16b, v%d.16b", d, n)}
}

// widen encodes float64 from the first two float32, narrow the reverse.
func widen(d, n int) word {
	return word{0x0e617800 | uint32(n)<<5 | uint32(d), fmt.Sprintf("fcvtl v%d.2d, v%d.2s", d, n)}
}

func narrow(d, n int) word {
	return word{0x0e616800 | uint32(n)<<5 | uint32(d), fmt.Sprintf("fcvtn v%d.2s, v%d.2d", d, n)}
}

// pair encodes d = the sum of the first two elements of n.
func pair(a arrangement, d, n int) word {
	return word{0x7e30d800 | a.size | uint32(n)<<5 | uint32(d), fmt.Sprintf("faddp %s%d, v%d.2%[1]s", a.element(), d, n)}
}

// A transfer is a load or a store of 4, 8 or 16 bytes.
type transfer struct {
	store bool
	bytes int
}

func (t transfer) name(unscaled bool) string {
	name := "ld"
	if t.store {
		name = "st"
	}
	if unscaled {
		return name + "ur"
	}
	return name + "r"
}

func (t transfer) register(v int) string {
	return fmt.Sprintf("%s%d", map[int]string{4: "s", 8: "d", 16: "q"}[t.bytes], v)
}

// bits are those that all forms have in common.
func (t transfer) bits() uint32 {
	code := map[int]uint32{4: 0xbc000000, 8: 0xfc000000, 16: 0x3c800000}[t.bytes]
	if !t.store {
		code |= 1 << 22
	}
	return code
}

// at encodes the transfer to or from an address with an offset; ok tells
// whether it fits.
func (t transfer) at(v, base, off int) (w word, ok bool) {
	place := fmt.Sprintf("[x%d, #%d]", base, off)
	if off == 0 {
		place = fmt.Sprintf("[x%d]", base)
	}
	switch {
	case off >= 0 && off%t.bytes == 0 && off/t.bytes < 1<<12:
		return word{t.bits() | 1<<24 | uint32(off/t.bytes)<<10 | uint32(base)<<5 | uint32(v), fmt.Sprintf("%s %s, %s", t.name(false), t.register(v), place)}, true
	case off >= -256 && off < 256:
		return word{t.bits() | uint32(off&0x1ff)<<12 | uint32(base)<<5 | uint32(v), fmt.Sprintf("%s %s, %s", t.name(true), t.register(v), place)}, true
	}
	return word{}, false
}

// indexed encodes the transfer to or from base + index, which is multiplied
// with the bytes of the transfer if scaled is set.
func (t transfer) indexed(v, base, index int, scaled bool) word {
	code, by := uint32(0), ""
	if scaled {
		code, by = 1<<12, fmt.Sprintf(", lsl #%d", map[int]int{4: 2, 8: 3, 16: 4}[t.bytes])
	}
	return word{t.bits() | 1<<21 | 0x6800 | code | uint32(index)<<16 | uint32(base)<<5 | uint32(v),
		fmt.Sprintf("%s %s, [x%d, x%d%s]", t.name(false), t.register(v), base, index, by)}
}

// third encodes the transfer of element 2 of four.
func (t transfer) third(v, base int) word {
	code, name := uint32(0x4d008000), "st1"
	if !t.store {
		code, name = 0x4d408000, "ld1"
	}
	return word{code | uint32(base)<<5 | uint32(v), fmt.Sprintf("%s {v%d.s}[2], [x%d]", name, v, base)}
}

// spread encodes the load of an element into every lane.
func spread(a arrangement, v, base int) word {
	code := uint32(0x4d40c800)
	if a.elem == 8 {
		code = 0x4d40cc00
	}
	return word{code | uint32(base)<<5 | uint32(v), fmt.Sprintf("ld1r {v%d.%s}, [x%d]", v, a.name, base)}
}
