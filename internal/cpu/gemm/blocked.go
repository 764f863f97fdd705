package gemm

import (
	"cmp"
	"runtime"
	"sync/atomic"

	"github.com/affine-go/affine/internal/kernel"
)

// Large products follow Goto and van de Geijn ("Anatomy of high-performance
// matrix multiplication", ACM TOMS 34(3), 2008) as BLIS arranges it (Van Zee
// and van de Geijn, "BLIS: a framework for rapidly instantiating BLAS
// functionality", ACM TOMS 41(3), 2015), with the threads' share outermost:
//
//	for each job, a range of rows × a group of panels of C     (threads)
//		for each block of MC rows
//			for each block of KC terms                         (packed A in L2)
//				for each panel of B, NR columns                (packed B in L1)
//					for each tile of MR rows                   (sums in registers)
//
// Each thread packs what it uses into buffers of its own, which stay in its
// core's cache: a block of A once for all of its jobs, a panel of B when its
// turn comes. Memory is slow compared with the few operations that a batch's
// rows do on each element, so while one panel is multiplied, the micro-kernels
// prefetch the next. All terms of a sum are added by one thread, in an order
// that depends on their number alone.

const (
	// kc (BLIS's KC) is the most terms that are added in registers before a tile
	// goes to C. A panel of B is then 256 · 128 bytes = 32 KiB and stays in an
	// L1 of 48 KiB, while A's 14 rows pass by. Twice as many terms halve the
	// traffic with C, but both go through L2 then; on a Xeon (Granite Rapids)
	// 192 to 384 are within 1 % of each other, 128 and 512 are 2 to 4 % behind.
	kc = 256
	// kcStep divides the length of all but the last block of terms, so that
	// rows of a block begin on cache lines if those of the matrix do.
	kcStep = 32

	// mc (MC) is the most rows of a block of A, which is then 512 KiB, or 1 MiB
	// in float64, of a 2 MiB L2. Fewer rows use a panel of B less often; more
	// touch more pages of C than the address cache holds.
	mc = 512
	// mcAVX2F64 is MC for float64 with AVX2, where an L2 of 512 KiB is common. On a
	// Zen 3, 1024×1024×1024 has 73 GFLOP/s instead of 69 (medians of six); in
	// float32, 128, 256 and 512 rows are even.
	mcAVX2F64 = 128

	// groupPanels is the most panels of a job; NC is then that times NR. The
	// more, the less often a block of A comes from L3; the fewer, the more evenly
	// threads share the jobs.
	groupPanels = 8

	// keepElements is the most elements of A, and of B, that a thread keeps
	// packed. What is more is packed again for each job.
	keepElements = 1 << 22
)

// splitDepth cuts the terms of a sum into the blocks that all products add them
// up in: the terms of a block in order, then block after block. The order
// depends on the number of terms alone, so that an element of C has the same
// bits however many rows and columns are computed with it.
func splitDepth(depth int) split {
	if depth <= kc { // with no terms too there is a block, so that C is written
		return split{pieces: 1, size: depth, big: 1, step: kcStep, length: depth}
	}
	return splitEvenly(depth, kc, kcStep)
}

// A factor is one side of a product, as it lies in memory.
type factor[T kernel.Float] struct {
	kernel.Matrix[T]
	alongRows bool // the terms of a sum lie along its rows
	// act other than Identity multiplies the matrix with act'(saved) while it is
	// packed: dZ = dY ⊙ act'.
	act   kernel.Activation
	saved kernel.Matrix[T]
}

// A blocked product is one that is cut into blocks. As work, its parts are the
// jobs.
type blocked[T kernel.Float] struct {
	product[T]
	*kernels[T]
	a, b     factor[T]
	alpha    T     // factor of A
	rowTiles split // of m, into tiles
	blocks   split // of the tiles, MC rows each
	ranges   split // of the blocks
	depths   split // of depth, KC terms each
	panels   int   // of n, NR columns each
	group    int   // panels in a job

	// sums, if there are any, get the column sums of B.
	sums   []T
	serial uint64 // tells calls apart
}

var serials atomic.Uint64

// cut derives the blocks from the shapes, and the jobs from the threads.
func (p *blocked[T]) cut(k *kernels[T], of *product[T]) {
	p.kernels, p.product = k, *of
	p.a = factor[T]{Matrix: of.a, alongRows: of.aRows}
	p.b = factor[T]{Matrix: of.b, alongRows: of.bRows}
	p.alpha, p.sums = 1, nil
	p.serial = serials.Add(1)
	p.rowTiles = splitEvenly(p.m, k.mr, 1)
	p.blocks = splitEvenly(p.rowTiles.pieces, (cmp.Or(k.mc, mc)+k.mr-1)/k.mr, 1)
	p.depths = splitDepth(p.depth)
	p.panels = (p.n + p.nr() - 1) / p.nr()
	p.group = max(1, min(groupPanels, p.panels/8))
	p.ranges = split{}
	// Four jobs for each thread even out what disturbs one of them.
	wanted := 4 * runtime.GOMAXPROCS(0)
	if groups := p.groups(); groups > 0 && p.blocks.pieces > 0 {
		p.ranges = splitEvenly(p.blocks.pieces, max(1, p.blocks.pieces*groups/wanted), 1)
	}
}

// groups returns the groups of panels.
func (p *blocked[T]) groups() int { return (p.panels + p.group - 1) / p.group }

// parts returns the number of jobs.
func (p *blocked[T]) parts() int { return p.ranges.pieces * p.groups() }

// A job is a part of a product, and how far a thread is in it.
type job[T kernel.Float] struct {
	firstBlock, endBlock int  // of rows
	first, last          int  // panels
	keepA, keepB         bool // what is packed serves other jobs, or blocks, too
	block, depth         int  // at hand
	a                    []T  // the packed block at hand
}

// part computes job i of C.
func (p *blocked[T]) part(s *scratch[T], i int) {
	r := i / p.groups()
	b0, b1 := p.ranges.bounds(r)
	t0, t1 := p.blocks.start(b0), p.blocks.start(b1)
	i0, i1 := p.rowTiles.start(t0), p.rowTiles.start(t1)
	j := &s.job
	j.firstBlock, j.endBlock = b0, b1
	j.first = i % p.groups() * p.group
	j.last = min(j.first+p.group, p.panels)

	j.keepA = (i1-i0)*p.depth <= keepElements
	j.keepB = b1-b0 > 1 && (j.last-j.first)*p.nr()*p.depth <= keepElements
	heldA := j.keepA && s.heldSerial == p.serial && s.heldRange == r
	if !heldA {
		s.heldSerial = 0
	}
	for b := b0; b < b1; b++ {
		for d := range p.depths.pieces {
			d0, d1 := p.depths.bounds(d)
			lo, hi := p.blocks.bounds(b)
			rowLo, rowHi := p.rowTiles.start(lo), p.rowTiles.start(hi)
			j.block, j.depth = b, d
			j.a = p.bufferA(s, i1-i0, rowLo-i0, rowHi-rowLo, d0, d1)
			if !heldA {
				p.packA(s, j.a[:(rowHi-rowLo)*(d1-d0)], lo, hi, d0, d1)
			}
			for panel := j.first; panel < j.last; panel++ {
				p.multiplyPanel(s, panel, lo, hi)
			}
		}
	}
	if j.keepA {
		s.heldSerial, s.heldRange = p.serial, r
	}
}

// bufferA returns the buffer for terms d0 to d1 of so many rows, from row at on,
// of a range of rows. It holds all terms of the range if A is kept, block of
// rows after block of rows.
func (p *blocked[T]) bufferA(s *scratch[T], all, at, rows, d0, d1 int) []T {
	if s.job.keepA {
		return grow(&s.packedA, all*p.depth)[at*p.depth+rows*d0:]
	}
	return grow(&s.packedA, rows*(d1-d0))
}

// bufferB returns the buffer for terms d0 to d1 of a panel, step elements from
// one to the next, and whether it is packed there already.
func (p *blocked[T]) bufferB(s *scratch[T], panel, step, d0, d1 int) (buffer []T, packed bool) {
	j := &s.job
	if !j.keepB {
		return s.panel[:step*(d1-d0)], false
	}
	all := grow(&s.packedB, (j.last-j.first)*p.nr()*p.depth)
	return all[(j.last-j.first)*p.nr()*d0+(panel-j.first)*p.nr()*(d1-d0):][:step*(d1-d0)], j.block > j.firstBlock
}

// multiplyPanel multiplies tiles t0 to t1 of rows of A with a panel of B.
func (p *blocked[T]) multiplyPanel(s *scratch[T], panel, t0, t1 int) {
	element := size[T]()
	j0, j1 := panel*p.nr(), min((panel+1)*p.nr(), p.n)
	d0, d1 := p.depths.bounds(s.job.depth)
	vectors := (j1 - j0 + p.lanes - 1) / p.lanes
	rest := j1 - j0 - (vectors-1)*p.lanes
	step := vectors * p.lanes
	b, packed := p.bufferB(s, panel, step, d0, d1)

	// A panel that lies in rows is packed by the first tile that reads it.
	rows, _ := p.sameRows(t0, t1)
	packing := !packed && !p.b.alongRows && p.b.act.Kind == kernel.Identity && j1-j0 == p.nr() && p.packing[rows-1] != nil
	if !packed && !packing {
		p.packB(s, b, j0, j1, d0, d1)
	}
	p.prefetchB(s, panel, d0, d1)

	t := &s.tile
	t.k, t.whole = d1-d0, d1-d0
	t.mask = p.masks[rest]
	t.pack = pointer(b, 0)
	t.bias, t.add = nil, 1
	if s.job.depth == 0 {
		rows := p.c.View(p.rowTiles.start(t0), p.rowTiles.start(t1), j0, j1)
		t.bias, t.add = pointer(p.bias, j0), startAt(rows, p.beta)
	}
	t.act, t.z = tileIdentity, nil
	whole := s.job.depth == p.depths.pieces-1 // the sums are, after this
	if whole {
		t.act, t.alpha = tileActivation(p.act.Kind), T(p.act.Alpha)
	}
	t.cStep, t.zStep = p.c.Stride*element, p.z.Stride*element

	first, end := p.rowTiles.start(t0), 0
	for i := t0; i < t1; i = end {
		rows, end = p.sameRows(i, t1)
		i0 := p.rowTiles.start(i)
		t.a = pointer(s.job.a, (i0-first)*(d1-d0))
		t.rowStep, t.colStep, t.tileStep = element, rows*element, rows*(d1-d0)*element
		t.c = pointer(p.c.Data, i0*p.c.Stride+j0)
		if whole {
			t.z = pointer(p.z.Data, i0*p.z.Stride+j0)
		}
		if packing {
			packing = false
			end = i + 1
			t.b, t.bStep, t.tiles = pointer(p.b.Data, d0*p.b.Stride+j0), p.b.Stride*element, 1
			p.packing[rows-1](t)
			continue
		}
		t.b, t.bStep = t.pack, step*element
		t.tiles = s.prefetchNext(t, end-i)
		end = i + t.tiles
		p.tiles[vectors-1][rows-1](t)
	}

	if whole && !p.act.Kind.Info().InMicroKernel {
		p.activate(s, first, p.rowTiles.start(t1), j0, j1)
	}
	if p.sums != nil && s.job.block == 0 {
		sums := p.sums[j0:j1]
		if s.job.depth == 0 {
			clear(sums)
		}
		p.addBlock(s, sums, kernel.Matrix[T]{Data: b, Rows: d1 - d0, Cols: j1 - j0, Stride: step}, s.job.depth == 0)
	}
}

// sameRows returns the rows of tile t0, and before which tile up to t1 the next
// one with less is.
func (p *blocked[T]) sameRows(t0, t1 int) (rows, end int) {
	if t0 < p.rowTiles.big {
		return p.rowTiles.size, min(t1, p.rowTiles.big)
	}
	return p.rowTiles.size - 1, t1
}

// activate applies an activation that the micro-kernels lack to rows i0 to i1
// and columns j0 to j1 of C, which are in the cache.
func (p *blocked[T]) activate(s *scratch[T], i0, i1, j0, j1 int) {
	from := p.c
	if p.z.Given() {
		from = p.z
	}
	p.applyRows(s, p.act, p.c.View(i0, i1, j0, j1), from.View(i0, i1, j0, j1))
}
