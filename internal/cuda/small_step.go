//go:build gpu

package cuda

import (
	"cmp"
	"errors"
	"slices"
	"unsafe"

	"github.com/affine-go/affine/internal/cuda/driver"
	"github.com/affine-go/affine/internal/kernel"
	"gorgonia.org/cu"
)

const (
	// smallWork is the largest number of multiplications of a step that one block
	// does: it takes them some 32 at a time, and 2¹⁹ then take as long as the
	// launches that are saved.
	smallWork = 1 << 19
	// Limits of kernels/small_step.cu.
	smallWords, smallRows, smallScalars = 1024, 1024, 4
	// smallStatic bounds the shared memory that the kernel has besides the arena.
	smallStatic = 16 << 10
	// segmentElements is how much of a matrix a warp brings to shared memory at a time.
	segmentElements = 128
)

// What an op does, as in kernels/small_step.cu.
const (
	opMultiply = iota
	opChain
	opCrossEntropy
	opSquaredError
	opLogisticLoss
	opUpdate // by the first of smallRules; the others follow
)

// smallOp is small_step.cu's Op.
type smallOp struct {
	what, together, m, n, k                    int32
	a, strideA, transA, b, strideB, transB     int32
	y, strideY, transY, z, strideZ, bias, sums int32
	kind, scalars                              int32
	alpha, limit, factor, count                uint64
	results                                    uint64
	constants                                  [4]uint64
	flags                                      uint64
}

// segment is small_step.cu's Segment.
type segment struct {
	global                                    uint64
	at, rows, cols, stride, strideGlobal, row int32
}

// buffer is a matrix in memory with its place in the arena.
type buffer struct {
	addr                     uint64
	rows, cols, strideGlobal int
	at, stride               int  // in the arena
	known                    bool // it has its place
	flat                     bool // some op takes it as a vector
	weight                   bool // it may be read across its rows
	loaded, written          bool
}

// smallStep makes a program of the launches of a step.
type smallStep struct {
	d        *Device
	s        *steps
	typed    typed
	size     int // of an element
	buffers  map[uint64]*buffer
	top      int // of the arena, in elements
	loads    []segment
	ops      []smallOp
	scalars  [smallScalars]int // words of the ring
	groups   int
	work     int
	rows     int
	temp     int // matrices for dY ⊙ act' need that many elements, after all others
	temps    []int
	unsuited bool
}

// smallStep returns the launch of one kernel that does the same as the work of the
// current step, or false if there is none: if the step is too large for one block,
// or has launches that the kernel does not know.
func (d *Device) smallStep() (w driver.Work, program uintptr, ok bool, err error) {
	p := smallStep{d: d, s: &d.steps, buffers: map[uint64]*buffer{}}
	if !d.fuses || d.sharedMost <= smallStatic || !p.compile() {
		return w, 0, false, nil
	}
	words := p.program()
	arena := (p.top*p.size + 15) / 16 * 16
	if len(words) > smallWords || arena > d.sharedMost-smallStatic {
		return w, 0, false, nil
	}
	leave := d.enter()
	defer leave()
	f, err := d.smallFunction(p.typed)
	if err != nil {
		return w, 0, false, err
	}
	memory, err := cu.MemAlloc(int64(8 * len(words)))
	if err != nil {
		return w, 0, false, explained(err)
	}
	if err := cu.MemcpyHtoD(memory, unsafe.Pointer(unsafe.SliceData(words)), int64(8*len(words))); err != nil {
		return w, 0, false, errors.Join(explained(err), cu.MemFree(memory))
	}
	s := p.s
	w = driver.Work{Kind: driver.Launch, Function: uint64(handle(f)), GridX: 1, GridY: 1, Block: threads, Shared: uint64(arena)}
	copy(w.Args[:], []uint64{uint64(memory), uint64(len(words)), uint64(arena / 8), uint64(addressOfWords(s.ring)), s.count, stepSlots,
		uint64(s.words), uint64(p.rows), uint64(p.scalars[0]), uint64(p.scalars[1]), uint64(p.scalars[2]), uint64(p.scalars[3])})
	return w, uintptr(memory), true, nil
}

// smallFunction returns the kernel. When it is new, it is launched once without a
// program: its first use must not be in a capture.
func (d *Device) smallFunction(t typed) (cu.Function, error) {
	if f := d.lib.known(kSmallStep, t); f != (cu.Function{}) {
		return f, nil
	}
	f, err := d.lib.function(d.cubins, kSmallStep, t)
	if err != nil {
		return f, err
	}
	if err := driver.AllowShared(handle(f), d.sharedMost-smallStatic); err != nil {
		return f, err
	}
	return f, d.queue.Submit([]driver.Work{{Kind: driver.Launch, Function: uint64(handle(f)), GridX: 1, GridY: 1, Block: threads}}, false)
}

// compile reports whether all launches of the step could be turned into ops.
func (p *smallStep) compile() bool {
	work := p.s.work
	for _, w := range work {
		if w.Kind != driver.Launch {
			return false
		}
	}
	if len(work) < 2 {
		return false
	}
	if _, p.typed, _ = p.d.lib.entryOf(work[1].Function); p.typed == untyped {
		return false
	}
	p.size = [...]int{4, 8}[p.typed]
	// The shapes of matrices first, then the places of what an optimizer updates:
	// weights, gradients and moments each lie side by side.
	if !p.gathered() {
		return false
	}
	for _, w := range work[1:] {
		if !p.shapes(w) {
			return false
		}
	}
	if p.work > smallWork {
		return false
	}
	for _, g := range p.s.updates {
		for role := range len(update{}.memory) {
			for i := range g.count {
				l := g.learnable(i)
				addr := l.memory(role)
				if addr == 0 {
					continue
				}
				// What no product has shown as a matrix has the shape of the weights.
				if w := p.vector(l.memory(0), l.n()); p.buffers[addr] == nil {
					p.matrix(addr, w.rows, w.cols, uint64(w.cols))
				}
				p.place(p.vector(addr, l.n()))
			}
		}
	}
	p.gathers()
	for i, w := range work[1:] {
		if !p.add(i+1, w) {
			return false
		}
	}
	for i, at := range p.temps { // chained matrices take turns in the same place
		op := &p.ops[at]
		op.y = int32(p.top)
		for j := at + 1; j < len(p.ops) && (i+1 == len(p.temps) || j < p.temps[i+1]); j++ {
			for _, o := range []*int32{&p.ops[j].a, &p.ops[j].b} {
				if *o == tempPlace {
					*o = op.y
				}
			}
		}
	}
	p.top += p.temp
	return !p.unsuited && !p.overlaps()
}

// tempPlace stands for the place of the matrix that was chained last.
const tempPlace = -2

// matrix returns the buffer of a matrix at addr, which must be the same in every
// launch.
func (p *smallStep) matrix(addr uint64, rows, cols int, stride uint64) *buffer {
	if rows == 1 {
		stride = uint64(cols)
	}
	b := p.buffers[addr]
	if b == nil {
		b = &buffer{addr: addr, rows: rows, cols: cols, strideGlobal: int(stride)}
		p.buffers[addr] = b
	}
	if b.rows != rows || b.cols != cols || b.strideGlobal != int(stride) {
		if b.rows*b.cols != rows*cols || b.strideGlobal != b.cols || int(stride) != cols || rows != 1 {
			p.unsuited = true
		}
	}
	return b
}

// vector returns the buffer of n elements at addr, which may be a whole matrix.
func (p *smallStep) vector(addr uint64, n int) *buffer { return p.matrix(addr, 1, n, uint64(n)) }

// place gives a buffer its place in the arena. The rows of matrices that are read
// down their columns lie an odd number of elements apart, in different banks.
func (p *smallStep) place(b *buffer) *buffer {
	if b.known {
		return b
	}
	b.known, b.at, b.stride = true, p.top, b.cols
	if !b.flat && b.rows > 1 {
		b.stride |= 1
	}
	p.top += b.rows * b.stride
	return b
}

// read brings a buffer to the arena at the beginning, unless the step itself has
// computed it by then.
func (p *smallStep) read(b *buffer) (at, stride int32) {
	p.place(b)
	if !b.written && !b.loaded {
		b.loaded = true
		p.loads = append(p.loads, b.segments(p.size, -1, b.addr, b.strideGlobal)...)
	}
	return int32(b.at), int32(b.stride)
}

// write notes that a buffer is to be brought back at the end.
func (p *smallStep) write(b *buffer) (at, stride int32) {
	p.place(b)
	b.written = true
	return int32(b.at), int32(b.stride)
}

// segments cuts a matrix into pieces. row is the first row of a batch that it
// gathers from addr, or −1.
func (b *buffer) segments(size, row int, addr uint64, stride int) (s []segment) {
	step := max(1, segmentElements/b.cols)
	for i := 0; i < b.rows; i += step {
		g := segment{global: addr, at: int32(b.at + i*b.stride), rows: int32(min(step, b.rows-i)), cols: int32(b.cols),
			stride: int32(b.stride), strideGlobal: int32(stride), row: -1}
		if row >= 0 {
			g.row = int32(row + i)
		} else {
			g.global += uint64(i * stride * size)
		}
		s = append(s, g)
	}
	return s
}

// overlaps reports whether two buffers share memory.
func (p *smallStep) overlaps() bool {
	all := []*buffer{}
	for _, b := range p.buffers {
		all = append(all, b)
	}
	slices.SortFunc(all, func(a, b *buffer) int { return cmp.Compare(a.addr, b.addr) })
	for i := 1; i < len(all); i++ {
		b := all[i-1]
		if b.addr+uint64(((b.rows-1)*b.strideGlobal+b.cols)*p.size) > all[i].addr {
			return true
		}
	}
	return false
}

// productView reads the arguments of a product; see product.words.
type productView []uint64

func (v productView) shape() (m, n, k int) { return int(v[16]), int(v[17]), int(v[18]) }

// factors returns A and B as they lie in memory, with what act' is written in.
func (v productView) matrices(p *smallStep) (a, b, saved, y, z, bias, sums *buffer) {
	m, n, k := v.shape()
	of := func(addr uint64, rows, cols int, transposed, stride uint64) *buffer {
		if addr == 0 {
			return nil
		}
		if transposed != 0 {
			rows, cols = cols, rows
		}
		return p.matrix(addr, rows, cols, stride)
	}
	a, b = of(v[0], m, k, v[4], v[2]), of(v[1], k, n, v[5], v[3])
	if v[6] != 0 {
		of := a
		if v[8] == 0 {
			of = b
		}
		saved = p.matrix(v[6], of.rows, of.cols, v[7])
	}
	y, z = of(v[9], m, n, v[14], v[12]), of(v[10], m, n, 0, v[13])
	if v[11] != 0 {
		bias = p.vector(v[11], n)
	}
	if v[15] != 0 {
		sums = p.vector(v[15], n)
	}
	return a, b, saved, y, z, bias, sums
}

// parts returns the products of a launch.
func parts(w *driver.Work) (views []productView) {
	for i := range 2 {
		if v := w.Args[i*productWords : (i+1)*productWords]; v[22] > 0 {
			views = append(views, v)
		}
	}
	return views
}

// lossView is where the arguments of a loss are.
type lossView struct {
	what             int32
	rows, cols       int
	z, t, dz         uint64
	strideZ, strideT uint64
	strideDZ         uint64
	factor           uint64
	count, results   uint64
}

func lossOf(k entry, w *driver.Work) (v lossView, ok bool) {
	a := &w.Args
	switch k {
	case kCrossEntropy:
		return lossView{opCrossEntropy, int(a[4]), int(a[5]), a[0], a[2], a[6], a[1], a[3], a[7], a[8], a[9], a[12]}, true
	case kSquaredError, kLogisticLoss:
		v = lossView{opSquaredError, 1, int(a[2]), a[0], a[1], a[3], a[2], a[2], a[2], a[4], a[5], a[8]}
		if k == kLogisticLoss {
			v.what = opLogisticLoss
		}
		return v, true
	}
	return v, false
}

// shapes notes the matrices of a launch.
func (p *smallStep) shapes(w driver.Work) bool {
	k, t, known := p.d.lib.entryOf(w.Function)
	if !known || t != p.typed {
		return false
	}
	if k == kProducts[small] || k == kProducts[medium] {
		for _, v := range parts(&w) {
			m, n, k := v.shape()
			if m == 0 || n == 0 || k == 0 {
				return false
			}
			p.work += m * n * k
			v.matrices(p)
		}
		return true
	}
	if v, ok := lossOf(k, &w); ok {
		for _, m := range []struct{ addr, stride uint64 }{{v.z, v.strideZ}, {v.t, v.strideT}, {v.dz, v.strideDZ}} {
			if m.addr != 0 {
				// A vector may be the whole of a matrix. What is not known yet has the
				// shape of the logits.
				if z := p.buffers[v.z]; z != nil && v.rows == 1 && p.buffers[m.addr] == nil {
					p.matrix(m.addr, z.rows, z.cols, uint64(z.cols))
				}
				b := p.matrix(m.addr, v.rows, v.cols, m.stride)
				b.flat = b.flat || v.what != opCrossEntropy
			}
		}
		return v.rows*v.cols > 0
	}
	_, _, ok := updateOf(k)
	return ok
}

// updateOf returns the op of an optimizer's kernel and the number of its constants.
// The ops of optimizers are in the order of their rules.
func updateOf(k entry) (what int32, constants int, ok bool) {
	for rule, point := range optimizers {
		if k == point {
			return opUpdate + int32(rule), (&kernel.Update{Rule: rule}).Scalars().Constants, true
		}
	}
	return 0, 0, false
}

// batch is what step_begin gathers, in elements.
func (p *smallStep) batch(g gather) (b *buffer, strideSrc int) {
	words := uint64(p.size / 4)
	return p.matrix(g.dst, p.rows, int(g.words/words), g.strideDst/words), int(g.strideSrc / words)
}

// gathered notes the matrices that step_begin gathers.
func (p *smallStep) gathered() bool {
	if p.s.joined > 0 {
		p.rows = p.s.rows
	}
	words := uint64(p.size / 4)
	for _, g := range p.s.gathers[:p.s.joined] {
		if g.words%words != 0 || g.strideDst%words != 0 || g.strideSrc%words != 0 {
			return false
		}
		p.batch(g)
	}
	return p.rows <= smallRows
}

// gathers adds the loads of what step_begin gathers.
func (p *smallStep) gathers() {
	for _, g := range p.s.gathers[:p.s.joined] {
		b, stride := p.batch(g)
		p.write(b)
		b.loaded = true
		p.loads = append(p.loads, b.segments(p.size, 0, g.src, stride)...)
	}
}

// add adds the ops of a launch, the at-th of the step.
func (p *smallStep) add(at int, w driver.Work) bool {
	k, _, _ := p.d.lib.entryOf(w.Function)
	if v, ok := lossOf(k, &w); ok {
		op := smallOp{what: v.what, m: int32(v.rows), n: int32(v.cols), factor: v.factor, count: v.count, results: v.results, y: -1}
		op.a, op.strideA = p.read(p.matrix(v.z, v.rows, v.cols, v.strideZ))
		op.b, op.strideB = p.read(p.matrix(v.t, v.rows, v.cols, v.strideT))
		if v.dz != 0 {
			op.y, op.strideY = p.write(p.matrix(v.dz, v.rows, v.cols, v.strideDZ))
		}
		p.ops = append(p.ops, op)
		return true
	}
	if what, constants, ok := updateOf(k); ok {
		return p.update(at, what, constants, &w)
	}
	p.products(parts(&w))
	return true
}

// products adds the products of one launch, after their dY ⊙ act'.
func (p *smallStep) products(views []productView) {
	chained := false
	for i, v := range views {
		m, n, k := v.shape()
		a, b, saved, y, z, bias, sums := v.matrices(p)
		op := smallOp{what: opMultiply, m: int32(m), n: int32(n), k: int32(k), transA: int32(v[4]), transB: int32(v[5]),
			transY: int32(v[14]), kind: int32(v[19]), alpha: v[20], limit: v[21], z: -1, bias: -1, sums: -1, together: int32(i)}
		op.a, op.strideA = p.read(a)
		op.b, op.strideB = p.read(b)
		if saved != nil {
			of, place, stride := b, &op.b, &op.strideB
			if v[8] != 0 {
				of, place, stride = a, &op.a, &op.strideA
			}
			if !chained {
				c := smallOp{what: opChain, m: int32(of.rows), n: int32(of.cols), strideY: int32(of.cols | 1), kind: op.kind,
					alpha: op.alpha, limit: op.limit, together: int32(i)}
				c.a, c.strideA = p.read(of)
				c.b, c.strideB = p.read(saved)
				p.temps = append(p.temps, len(p.ops))
				p.temp = max(p.temp, of.rows*(of.cols|1))
				p.ops = append(p.ops, c)
				op.together = 0
				chained = true
			}
			*place, *stride, op.kind = tempPlace, int32(of.cols|1), 0
		}
		op.y, op.strideY = p.write(y)
		if z != nil {
			op.z, op.strideZ = p.write(z)
		}
		if bias != nil {
			op.bias, _ = p.read(bias)
		}
		if sums != nil {
			op.sums, _ = p.write(sums)
		}
		p.ops = append(p.ops, op)
	}
}

// update adds the update of a group of learnables, which lie side by side.
func (p *smallStep) update(at int, what int32, constants int, w *driver.Work) bool {
	i := slices.IndexFunc(p.s.updates, func(g group) bool { return g.at == at })
	if i < 0 || p.groups == smallScalars {
		return false
	}
	g := &p.s.updates[i]
	op := smallOp{what: what, scalars: int32(p.groups), flags: w.Args[1+constants]}
	copy(op.constants[:], w.Args[1:1+constants])
	p.scalars[p.groups] = int((w.Args[0] - p.s.block) / 8)
	p.groups++
	places := [5]int32{-1, -1, -1, -1, -1}
	for role := range places {
		var first, next int
		for i := range g.count {
			addr := g.learnable(i).memory(role)
			if addr == 0 {
				continue
			}
			b := p.vector(addr, g.learnable(i).n())
			p.read(b)
			p.write(b)
			// The places of one role must follow each other, as those of the others do.
			if i == 0 {
				first, next = b.at, b.at
			}
			if b.at != next {
				return false
			}
			next += b.rows * b.stride
			places[role] = int32(first)
		}
		if places[role] >= 0 {
			if n := int32(next - first); op.n != 0 && op.n != n {
				return false
			} else {
				op.n = n
			}
		}
	}
	op.a, op.b, op.y, op.z, op.bias = places[0], places[1], places[2], places[3], places[4]
	p.ops = append(p.ops, op)
	return true
}

// program returns the words that the kernel reads.
func (p *smallStep) program() []int64 {
	var stores []segment
	for _, b := range p.buffers {
		if b.written {
			stores = append(stores, b.segments(p.size, -1, b.addr, b.strideGlobal)...)
		}
	}
	slices.SortFunc(stores, func(a, b segment) int { return cmp.Compare(a.global, b.global) })
	words := []int64{int64(len(p.loads)), int64(len(p.ops)), int64(len(stores)), 0}
	words = appendWords(words, p.loads)
	words = appendWords(words, p.ops)
	return appendWords(words, stores)
}

// appendWords appends structs whose size is a multiple of 8 bytes.
func appendWords[E any](words []int64, s []E) []int64 {
	if len(s) == 0 {
		return words
	}
	n := len(s) * int(unsafe.Sizeof(s[0])) / 8
	return append(words, unsafe.Slice((*int64)(unsafe.Pointer(unsafe.SliceData(s))), n)...)
}
