package gemm

import (
	"math/bits"
	"runtime"
	"sync/atomic"
	"unsafe"

	"github.com/affine-go/affine/internal/kernel"
)

// genericKernels are the kernels in plain Go: a tile of 4×4 sums in local
// variables, which compilers keep in registers if there are 32 of them.
func genericKernels[T kernel.Float]() *kernels[T] {
	k := &kernels[T]{
		lanes: 4, mr: 4, nrVectors: 1,
		packRows: packRowsGeneric[T], packColumns: packColumnsGeneric[T], addUp: sumRowsGeneric[T], peak: peakGeneric[T], peakLanes: 1, masks: bitMasks(4),
	}
	k.packing = make([]func(*tile[T]), k.mr)
	k.tiles = [][]func(*tile[T]){{}}
	for rows := 1; rows <= k.mr; rows++ {
		k.tiles[0] = append(k.tiles[0], func(t *tile[T]) { tileGeneric(t, rows) })
	}
	return k
}

// offset returns the pointer so many bytes beyond p.
func offset[T kernel.Float](p *T, bytes int) *T { return (*T)(unsafe.Add(unsafe.Pointer(p), bytes)) }

// at returns element j after the pointer.
func at[T kernel.Float](p *T, j int) *T { return offset(p, j*size[T]()) }

func tileGeneric[T kernel.Float](t *tile[T], rows int) {
	columns := bits.OnesCount64(t.mask[0])
	for {
		switch {
		case columns != 4:
			t.any(rows, columns)
		case rows != 4 || fewRegisters:
			for i := range rows {
				t.oneByFour(i)
			}
		default:
			t.fourByFour()
		}
		if t.tiles--; t.tiles == 0 {
			return
		}
		t.a = offset(t.a, t.tileStep)
		t.c = offset(t.c, rows*t.cStep)
		if t.z != nil {
			t.z = offset(t.z, rows*t.zStep)
		}
	}
}

// any computes a tile of any shape.
func (t *tile[T]) any(rows, columns int) {
	for i := range rows {
		for j := range columns {
			var sum T
			if t.bias != nil {
				sum = *at(t.bias, j)
			}
			for p := range t.k {
				sum += *offset(t.a, i*t.rowStep+p*t.colStep) * *at(offset(t.b, p*t.bStep), j)
			}
			t.finish(i, j, sum)
		}
	}
}

// fewRegisters tells that 16 sums and their factors do not fit into registers.
const fewRegisters = runtime.GOARCH == "amd64" || runtime.GOARCH == "386"

// oneByFour computes row i of a tile with four columns. With 16 registers that
// is 2.4 times as fast as to spill some of 4×4 sums to memory.
func (t *tile[T]) oneByFour(i int) {
	var s0, s1, s2, s3 T
	if t.bias != nil {
		b := (*[4]T)(unsafe.Pointer(t.bias))
		s0, s1, s2, s3 = b[0], b[1], b[2], b[3]
	}
	a, b := t.a, t.b
	atA, atB, colStep, bStep := i*t.rowStep, 0, t.colStep, t.bStep
	for range t.k {
		x, b := *offset(a, atA), (*[4]T)(unsafe.Pointer(offset(b, atB)))
		s0, s1, s2, s3 = s0+x*b[0], s1+x*b[1], s2+x*b[2], s3+x*b[3]
		atA, atB = atA+colStep, atB+bStep
	}
	t.finish(i, 0, s0)
	t.finish(i, 1, s1)
	t.finish(i, 2, s2)
	t.finish(i, 3, s3)
}

// fourByFour computes a tile of 4×4.
func (t *tile[T]) fourByFour() {
	var (
		s00, s01, s02, s03 T
		s10, s11, s12, s13 T
		s20, s21, s22, s23 T
		s30, s31, s32, s33 T
	)
	if t.bias != nil {
		b := (*[4]T)(unsafe.Pointer(t.bias))
		s00, s01, s02, s03 = b[0], b[1], b[2], b[3]
		s10, s11, s12, s13 = b[0], b[1], b[2], b[3]
		s20, s21, s22, s23 = b[0], b[1], b[2], b[3]
		s30, s31, s32, s33 = b[0], b[1], b[2], b[3]
	}
	for p := range t.k {
		a := offset(t.a, p*t.colStep)
		b := (*[4]T)(unsafe.Pointer(offset(t.b, p*t.bStep)))
		b0, b1, b2, b3 := b[0], b[1], b[2], b[3]
		x := *a
		s00, s01, s02, s03 = s00+x*b0, s01+x*b1, s02+x*b2, s03+x*b3
		x = *offset(a, t.rowStep)
		s10, s11, s12, s13 = s10+x*b0, s11+x*b1, s12+x*b2, s13+x*b3
		x = *offset(a, 2*t.rowStep)
		s20, s21, s22, s23 = s20+x*b0, s21+x*b1, s22+x*b2, s23+x*b3
		x = *offset(a, 3*t.rowStep)
		s30, s31, s32, s33 = s30+x*b0, s31+x*b1, s32+x*b2, s33+x*b3
	}
	for i, row := range [4][4]T{{s00, s01, s02, s03}, {s10, s11, s12, s13}, {s20, s21, s22, s23}, {s30, s31, s32, s33}} {
		for j, sum := range row {
			t.finish(i, j, sum)
		}
	}
}

// finish adds what is in C, applies the activation and stores.
func (t *tile[T]) finish(i, j int, sum T) {
	c := at(offset(t.c, i*t.cStep), j)
	if t.add != 0 {
		sum += *c
	}
	if t.z != nil {
		*at(offset(t.z, i*t.zStep), j) = sum
	}
	switch {
	case t.act == tileReLU && sum < 0:
		sum = 0
	case t.act == tileLeakyReLU && sum < 0:
		sum *= t.alpha
	}
	*c = sum
}

func packRowsGeneric[T kernel.Float](p *pack[T]) {
	columns := 4 * p.vectors
	for i := range p.n {
		for s := range p.strips {
			for j := range columns {
				bit := uint64(1) << (j % 4)
				var v T
				if p.load[j/4][0]&bit != 0 {
					v = *at(offset(p.src, i*p.srcStep+s*p.srcNext), j)
				}
				if p.save[j/4][0]&bit != 0 {
					*at(offset(p.dst, i*p.dstStep+s*p.dstNext), j) = v
				}
			}
		}
	}
}

func packColumnsGeneric[T kernel.Float](p *pack[T]) {
	for i := range p.n {
		dst := offset(p.dst, i*p.dstStep)
		for j := range 4 {
			if p.save[0][0]>>j&1 != 0 {
				*at(dst, j) = *at(p.rows[j], i)
			}
		}
	}
}

func sumRowsGeneric[T kernel.Float](p *pack[T]) {
	columns := 4*(p.vectors-1) + bits.OnesCount64(p.load[0][0])
	for i := range p.n {
		src := offset(p.src, i*p.srcStep)
		for j := range columns {
			*at(p.dst, j) += *at(src, j)
		}
	}
}

// peakSink keeps the compiler from dropping the sums.
var peakSink atomic.Uint64

// peakGeneric does what the assembly does on vectors with single elements, in
// as many chains as leave room for the factors in 16 registers.
func peakGeneric[T kernel.Float](rounds int) {
	const x, y = 0.7071067811865476, 0.2839164152987164
	var a, b, c, d, e, f, g T = y, y, y, y, y, y, y
	for range rounds * peakWork / 7 {
		a, b, c, d, e, f, g = a*x+y, b*x+y, c*x+y, d*x+y, e*x+y, f*x+y, g*x+y
	}
	peakSink.Store(uint64(a + b + c + d + e + f + g))
}
