package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

const (
	// peakChains is the number of independent sums in the loop that measures
	// the processor's peak: more than latency × units (4 × 2), and few enough
	// for the 16 registers of AVX2.
	peakChains = 14
	// peakUnroll keeps the end of the loop from being felt.
	peakUnroll = 8
)

// peak emits a loop of nothing but fused multiply-adds. The sums stay near one
// and the factors are no round numbers: a multiplier fed with zeros draws less
// power, and the processor would run faster than with any real work.
func (t target) peak() {
	name := "peak" + t.name()
	chains, unroll, formula := peakChains, peakUnroll, "sums[i] = sums[i]*x + y"
	if t.neon() { // twice the units and the registers, and no other form
		chains, unroll, formula = 2*peakChains, peakUnroll/2, "sums[i] += x * y"
	}
	t.function(name, "func(rounds int)")
	t.Doc(name+" must equal this loop on vectors, whose sums it forgets:", "",
		"	for range rounds {",
		fmt.Sprintf("		for i := range %d {", chains),
		fmt.Sprintf("			for range %d {", unroll),
		"				"+formula,
		"			}",
		"		}",
		"	}")
	n := t.GP64()
	t.Load(t.Param("rounds"), n)
	// sum·x + y with x = 0.7…, y = 0.28… stays at y/(1−x).
	x, y := t.vec(), t.vec()
	t.broadcast(t.constant("peakX", 0.7071067811865476), x)
	t.broadcast(t.constant("peakY", 0.2839164152987164), y)
	sums := make([]reg.VecVirtual, chains)
	for i := range sums {
		sums[i] = t.vec()
		t.move(y, sums[i])
	}
	t.Label("loop")
	for range unroll {
		for _, s := range sums {
			if t.neon() {
				t.fma(x, y, s)
			} else {
				t.fma213(y, x, s)
			}
		}
	}
	t.SUBQ(Imm(1), n)
	t.JNZ(LabelRef("loop"))
	t.VZEROUPPER()
	t.RET()
}

// constant places a number next to the code.
func (t target) constant(name string, v float64) Mem {
	if t.elem == 4 {
		return t.ConstData(name+t.name(), F32(float32(v)))
	}
	return t.ConstData(name+t.name(), F64(v))
}
