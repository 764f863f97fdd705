package vec

import (
	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/affine-go/affine/internal/cpu/asm/neon"
)

// LoadVector returns the vector at addr.
func (t *Type) LoadVector(addr operand.Mem) Reg {
	r := t.Reg()
	switch {
	case t.NEON && t.Widened:
		t.vector().Load(neon.Bytes/2, addr, r)
		t.vector().Widen(r, r)
	case t.Widened:
		t.VCVTPS2PD(addr, r)
	default:
		t.move(addr, r)
	}
	return r
}

// StoreVector writes the vector to addr.
func (t *Type) StoreVector(r Reg, addr operand.Mem) {
	switch {
	case t.NEON && t.Widened:
		t.vector().Store(neon.Bytes/2, t.narrow(r), addr)
	case t.Widened:
		t.VMOVUPS(t.narrow(r), addr)
	default:
		t.move(r, addr)
	}
}

// narrow rounds float64 to float32, in a register of half the size.
func (t *Type) narrow(r Reg) Reg {
	if t.NEON {
		n := t.Reg()
		t.vector().Narrow(n, r)
		return n
	}
	if t.AVX512 {
		n := t.YMM()
		t.VCVTPD2PS(r, n)
		return n
	}
	n := t.XMM()
	t.VCVTPD2PSY(r, n)
	return n
}

// A Mask chooses lanes: an opmask in AVX-512; in AVX2 a vector, of elements as
// they are in memory and as they are in registers; in NEON the number of lanes,
// for memory, and a vector, which tells the lanes that are left out if without is
// set.
type Mask struct {
	k            reg.OpmaskVirtual
	memory, lane Reg
	count        reg.GPVirtual
	without      bool
}

// maskTable holds 32 bytes of ones and 32 of zeros.
const maskTable = "lanes"

// FirstLanes returns the mask of the first n lanes, 0 ≤ n ≤ Lanes.
func (t *Type) FirstLanes(n reg.GPVirtual) Mask {
	if t.AVX512 {
		t.MOVQ(n, reg.RCX)
		bits, k := t.GP64(), t.K()
		t.MOVQ(operand.I32(1), bits)
		t.SHLQ(reg.CL, bits)
		t.DECQ(bits)
		t.KMOVW(bits.As32(), k)
		return Mask{k: k}
	}
	base, back := t.GP64(), t.GP64()
	t.LEAQ(operand.NewDataAddr(operand.NewStaticSymbol(maskTable), 32), base)
	t.MOVQ(n, back)
	t.NEGQ(back)
	m := Mask{lane: t.Reg()}
	if t.NEON {
		m.count = n
		at := t.GP64()
		t.LEAQ(operand.Mem{Base: base, Index: back, Scale: uint8(t.width())}, at)
		t.vector().Load(neon.Bytes, operand.Mem{Base: at}, m.lane)
		return m
	}
	t.VMOVDQU(operand.Mem{Base: base, Index: back, Scale: uint8(t.width())}, m.lane)
	m.memory = m.lane
	if t.Widened {
		m.memory = t.XMM()
		t.VMOVDQU(operand.Mem{Base: base, Index: back, Scale: uint8(t.Size())}, m.memory)
	}
	return m
}

// MaskTable emits what [Type.FirstLanes] reads but for AVX-512.
func MaskTable(c *build.Context) {
	c.StaticGlobal(maskTable)
	c.DataAttributes(attr.RODATA | attr.NOPTR)
	for i := range 4 {
		c.AddDatum(8*i, operand.U64(1<<64-1))
	}
	for i := range 4 {
		c.AddDatum(32+8*i, operand.U64(0))
	}
}

// LoadMask returns the vector at addr, with 0 in the lanes outside the mask,
// which are not read.
func (t *Type) LoadMask(addr operand.Mem, m Mask) Reg {
	r := t.Reg()
	switch {
	case t.NEON:
		memory := neon.Vector{Context: t.Context, Elem: t.Size()}
		memory.LoadFirst(m.count, t.Lanes()*t.Size(), addr, r)
		if t.Widened {
			t.vector().Widen(r, r)
		}
	case t.AVX512 && t.Widened:
		t.VCVTPS2PD_Z(addr, m.k, r)
	case t.AVX512 && t.Double:
		t.VMOVUPD_Z(addr, m.k, r)
	case t.AVX512:
		t.VMOVUPS_Z(addr, m.k, r)
	case t.Widened:
		half := t.XMM()
		t.VMASKMOVPS(addr, m.memory, half)
		t.VCVTPS2PD(half, r)
	case t.Double:
		t.VMASKMOVPD(addr, m.memory, r)
	default:
		t.VMASKMOVPS(addr, m.memory, r)
	}
	return r
}

// LoadMaskOr is [Type.LoadMask] with the lanes outside the mask from other.
func (t *Type) LoadMaskOr(addr operand.Mem, m Mask, other Reg) Reg {
	switch {
	case t.AVX512 && t.Widened:
		r := t.Copy(other)
		t.VCVTPS2PD(addr, m.k, r)
		return r
	case t.AVX512:
		r := t.Copy(other)
		t.VMOVUPD(addr, m.k, r)
		return r
	}
	if t.NEON {
		r := t.Copy(m.lane)
		t.vector().Op("bsl", r, t.LoadMask(addr, m), other)
		return r
	}
	r := t.Reg()
	t.VBLENDVPD(m.lane, t.LoadMask(addr, m), other, r)
	return r
}

// StoreMask writes the lanes in the mask.
func (t *Type) StoreMask(r Reg, addr operand.Mem, m Mask) {
	switch {
	case t.NEON:
		if t.Widened {
			r = t.narrow(r)
		}
		memory := neon.Vector{Context: t.Context, Elem: t.Size()}
		memory.StoreFirst(m.count, t.Lanes()*t.Size(), r, addr)
	case t.AVX512 && t.Widened:
		t.VMOVUPS(t.narrow(r), m.k, addr)
	case t.AVX512 && t.Double:
		t.VMOVUPD(r, m.k, addr)
	case t.AVX512:
		t.VMOVUPS(r, m.k, addr)
	case t.Widened:
		t.VMASKMOVPS(t.narrow(r), m.memory, addr)
	case t.Double:
		t.VMASKMOVPD(r, m.memory, addr)
	default:
		t.VMASKMOVPS(r, m.memory, addr)
	}
}

// StoreLowest writes the first lane. float64 only.
func (t *Type) StoreLowest(r Reg, addr operand.Mem) {
	if t.NEON {
		t.vector().Store(t.width(), r, addr)
	} else {
		t.VMOVSD(r.AsX(), addr)
	}
}

// laneTable holds the numbers of eight lanes.
const laneTable = "numbers"

// LaneNumbers is a vector of eight int32, the number of each lane.
func LaneNumbers() operand.Mem {
	return operand.NewDataAddr(operand.NewStaticSymbol(laneTable), 0)
}

// LaneTable emits what [LaneNumbers] refers to.
func LaneTable(c *build.Context) {
	c.StaticGlobal(laneTable)
	c.DataAttributes(attr.RODATA | attr.NOPTR)
	for i := range 8 {
		c.AddDatum(4*i, operand.U32(i))
	}
}

// Gather returns the elements at addr, whose index is a vector of eight int32,
// and 0 in the lanes outside the mask, which are not read. AVX-512 and float64
// only.
func (t *Type) Gather(addr operand.Mem, m Mask) Reg {
	k, r := t.copyMask(m), t.Zero()
	if !t.Widened {
		t.VGATHERDPD(addr, k, r)
		return r
	}
	narrow := t.YMM()
	t.VPXORQ(narrow, narrow, narrow)
	t.VGATHERDPS(addr, k, narrow)
	t.VCVTPS2PD(narrow, r)
	return r
}

// Scatter writes the lanes in the mask to where [Type.Gather] reads them.
func (t *Type) Scatter(r Reg, addr operand.Mem, m Mask) {
	k := t.copyMask(m)
	if t.Widened {
		t.VSCATTERDPS(t.narrow(r), k, addr)
	} else {
		t.VSCATTERDPD(r, k, addr)
	}
}

// copyMask returns a copy, for instructions that use their mask up.
func (t *Type) copyMask(m Mask) reg.OpmaskVirtual {
	k := t.K()
	t.KMOVW(m.k, k)
	return k
}

// Total returns the sum of all lanes, in every lane, in a fixed order.
// float64 only.
func (t *Type) Total(r Reg) Reg { return t.fold(t.Add, r) }

// Largest returns the largest of all lanes, in every lane. float64 only.
func (t *Type) Largest(r Reg) Reg { return t.fold(t.Max, r) }

// fold combines each lane with the one half a vector away, then with the one
// a quarter away, and so on.
func (t *Type) fold(f func(a Reg, b operand.Op) Reg, r Reg) Reg {
	swapped := func(swap func(to Reg)) Reg {
		to := t.Reg()
		swap(to)
		return to
	}
	if t.NEON {
		return f(r, swapped(func(to Reg) { t.vector().Swap(to, r) }))
	}
	if t.AVX512 {
		r = f(r, swapped(func(to Reg) { t.VSHUFF64X2(operand.U8(0b01001110), r, r, to) }))
		r = f(r, swapped(func(to Reg) { t.VSHUFF64X2(operand.U8(0b10110001), r, r, to) }))
		return f(r, swapped(func(to Reg) { t.VPERMILPD(operand.U8(0b01010101), r, to) }))
	}
	r = f(r, swapped(func(to Reg) { t.VPERM2F128(operand.U8(0x01), r, r, to) }))
	return f(r, swapped(func(to Reg) { t.VPERMILPD(operand.U8(0b0101), r, to) }))
}
