package main

import (
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// peakChains is the number of independent sums in the loop that measures the
// processor's peak: more than latency × units of any processor (4 × 2), and
// few enough for the 16 registers of AVX2.
const peakChains = 15

// peak emits a loop of nothing but fused multiply-adds.
func (t target) peak() {
	t.function("peak"+t.name(), "func(n int)")
	t.Doc("peak"+t.name()+" does n rounds of 15 independent fused multiply-adds on full vectors:",
		"", "	for range n { for i := range sums { sums[i] += x * y } }")
	n := t.GP64()
	t.Load(t.Param("n"), n)
	x := t.vec()
	t.zero(x)
	sums := make([]reg.VecVirtual, peakChains)
	for i := range sums {
		sums[i] = t.vec()
		t.zero(sums[i])
	}
	t.Label("loop")
	for range 8 {
		for _, s := range sums {
			t.fma(x, x, s)
		}
	}
	t.SUBQ(Imm(1), n)
	t.JNZ(LabelRef("loop"))
	t.VZEROUPPER()
	t.RET()
}
