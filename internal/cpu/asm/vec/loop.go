package vec

import (
	"flag"
	"fmt"
	"go/format"
	"log"
	"os"
	"strings"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/affine-go/affine/internal/cpu/asm/neon"
)

// labels numbers the labels of a file.
var labels int

// NewLabel returns a label of its own.
func (t *Type) NewLabel(name string) string {
	labels++
	return fmt.Sprintf("%s%d", name, labels)
}

// A Pass is one run through the body of a loop: it knows where in the slices
// the vector lies and which of its lanes exist. Lanes that do not exist read
// as 0 and are not written.
type Pass struct {
	t     *Type
	index reg.GPVirtual // of the first element of the pass
	skip  int           // elements between that and the vector
	tail  bool
	mask  Mask
}

// Load returns the vector of the slice that starts at base.
func (p Pass) Load(base reg.Register) Reg {
	if !p.tail {
		return p.t.LoadVector(p.at(base))
	}
	return p.t.LoadMask(p.at(base), p.mask)
}

// Store writes the vector to the slice that starts at base.
func (p Pass) Store(r Reg, base reg.Register) {
	if !p.tail {
		p.t.StoreVector(r, p.at(base))
		return
	}
	p.t.StoreMask(r, p.at(base), p.mask)
}

// Existing returns r, with 0 in the lanes that do not exist.
func (p Pass) Existing(r Reg) Reg {
	if !p.tail {
		return r
	}
	return p.t.KeepMask(r, p.mask)
}

// Number is that of the vector among those that the main loop handles at a
// time, and 0 outside it.
func (p Pass) Number() int { return p.skip / p.t.Lanes() }

// LoadOr is [Pass.Load] with the lanes that do not exist from other. float64
// only.
func (p Pass) LoadOr(base reg.Register, other Reg) Reg {
	if !p.tail {
		return p.Load(base)
	}
	return p.t.LoadMaskOr(p.at(base), p.mask, other)
}

func (p Pass) at(base reg.Register) operand.Mem {
	if p.index == nil {
		return operand.Mem{Base: base, Disp: p.skip * p.t.Size()}
	}
	return operand.Mem{Base: base, Index: p.index, Scale: uint8(p.t.Size()), Disp: p.skip * p.t.Size()}
}

// Single returns the pass over the vector of this number, in a slice that ends
// behind it or later.
func (t *Type) Single(number int) Pass { return Pass{t: t, skip: number * t.Lanes()} }

// SingleMasked is [Type.Single] for a vector of which the lanes of the mask
// exist.
func (t *Type) SingleMasked(number int, m Mask) Pass {
	return Pass{t: t, skip: number * t.Lanes(), tail: true, mask: m}
}

// Loop emits a loop over n elements. body emits the work on one vector; it is
// emitted unroll times for the main loop, once for single vectors and once for
// the tail. Every element goes through the same operations, wherever it lies.
func (t *Type) Loop(n reg.GPVirtual, unroll int, body func(Pass)) {
	lanes := t.Lanes()
	left, index := t.GP64(), t.GP64()
	t.MOVQ(n, left)
	t.XORQ(index, index)
	for _, vectors := range []int{unroll, 1} {
		label := t.NewLabel("loop")
		t.Label(label)
		t.CMPQ(left, operand.Imm(uint64(vectors*lanes)))
		t.JLT(operand.LabelRef(label + "_end"))
		for v := range vectors {
			body(Pass{t: t, index: index, skip: v * lanes})
		}
		t.ADDQ(operand.Imm(uint64(vectors*lanes)), index)
		t.SUBQ(operand.Imm(uint64(vectors*lanes)), left)
		t.JMP(operand.LabelRef(label))
		t.Label(label + "_end")
		if unroll == 1 {
			break
		}
	}
	end := t.NewLabel("end")
	t.TESTQ(left, left)
	t.JZ(operand.LabelRef(end))
	body(Pass{t: t, index: index, tail: true, mask: t.FirstLanes(left)})
	t.Label(end)
}

// Begin starts the kernel [Type.Name](function). The lines, indented, are the
// body of the Go loop over n elements that it must equal.
func (t *Type) Begin(function, signature string, lines ...string) {
	t.begin(function, signature, "n", lines)
}

// BeginRows is [Type.Begin] for a loop over rows.
func (t *Type) BeginRows(function, signature string, lines ...string) {
	t.begin(function, signature, "rows", lines)
}

func (t *Type) begin(function, signature, count string, lines []string) {
	name := t.Name(function)
	t.Function(name)
	t.Attributes(attr.NOSPLIT)
	t.SignatureExpr(signature)
	t.Pragma("noescape")
	doc := []string{name + " computes", "", "\tfor i := range " + count + " {"}
	for _, line := range lines {
		doc = append(doc, "\t\t"+line)
	}
	t.Doc(append(doc, "\t}")...)
	t.Base()
}

// Pointer returns the parameter called name, a pointer.
func (t *Type) Pointer(name string) reg.Register { return t.Load(t.Param(name), t.GP64()) }

// Int returns the parameter called name, an int.
func (t *Type) Int(name string) reg.GPVirtual {
	r := t.GP64()
	t.Load(t.Param(name), r)
	return r
}

// Scalar returns the parameter called name, an element, in every lane.
func (t *Type) Scalar(name string) Reg {
	p, err := t.Param(name).Resolve()
	if err != nil {
		log.Fatal(err)
	}
	return t.Spread(p.Addr)
}

// ReturnTotal makes the sum of all lanes the result of the kernel. float64
// only.
func (t *Type) ReturnTotal(r Reg) {
	result, err := t.ReturnIndex(0).Resolve()
	if err != nil {
		log.Fatal(err)
	}
	t.StoreLowest(t.Total(r), result.Addr)
}

// End ends the kernel.
func (t *Type) End() {
	t.VZEROUPPER()
	t.RET()
}

// options are the flags of a generator.
var options struct {
	*flag.FlagSet
	*build.Flags
	neon  bool
	table string
}

// NewContext reads the flags: -neon for arm64 instead of amd64, and the files -out,
// -stubs and -table of package -pkg.
func NewContext() *build.Context {
	options.FlagSet = flag.NewFlagSet(os.Args[0], flag.ExitOnError)
	options.BoolVar(&options.neon, "neon", false, "NEON instead of AVX2 and AVX-512")
	options.StringVar(&options.table, "table", "", "file for the table of kernels")
	options.Flags = build.NewFlags(options.FlagSet)
	options.Parse(os.Args[1:])
	c := build.NewContext()
	c.ConstraintExpr("!purego")
	return c
}

// Generate writes the files; table returns the body of a Go file with the kernels
// by instruction set.
func Generate(c *build.Context, table func() string) {
	value := func(name string) string { return options.Lookup(name).Value.String() }
	if table != nil {
		WriteTable(options.table, value("pkg"), table())
	}
	if options.neon {
		Assemble(c, value("out"), value("stubs"), value("pkg"))
		return
	}
	if status := build.Main(options.Config(), c); status != 0 {
		os.Exit(status)
	}
}

// Assemble writes the assembly of arm64 and its declarations.
func Assemble(c *build.Context, out, stubs, pkg string) {
	file, err := c.Result()
	if err != nil {
		log.Fatal(err)
	}
	if err := neon.Write(file, out, stubs, pkg); err != nil {
		log.Fatal(err)
	}
}

// WriteTable writes a file of Go source with this body.
func WriteTable(name, pkg, body string) {
	source := fmt.Sprintf("// Code generated by the generator of the assembly. DO NOT EDIT.\n\n//go:build !purego\n\npackage %s\n\n%s", pkg, body)
	text, err := format.Source([]byte(source))
	if err != nil {
		log.Fatalf("%v in\n%s", err, source)
	}
	if err := os.WriteFile(name, text, 0o644); err != nil {
		log.Fatal(err)
	}
}

// Tables returns Go source for the variables name32 and name64, the kernels of
// each element type by instruction set: typ, the type of one, with the fields
// that fields returns for a vector type.
func Tables(name, typ string, fields func(t *Type) string) string {
	var s strings.Builder
	for _, double := range []bool{false, true} {
		bits := map[bool]int{false: 32, true: 64}[double]
		fmt.Fprintf(&s, "var %s%d = [arch.Sets]%s[float%[2]d]{\n", name, bits, typ)
		sets := []Type{{}, {AVX512: true}}
		if options.neon {
			sets = []Type{{NEON: true}}
		}
		for _, t := range sets {
			t.Double = double
			fmt.Fprintf(&s, "arch.%s: {\n%s},\n", t.set(), fields(&t))
		}
		s.WriteString("}\n\n")
	}
	return s.String()
}
