package cpu

// Large products follow Goto and van de Geijn ("Anatomy of high-performance
// matrix multiplication", ACM TOMS 34(3), 2008) as BLIS arranges it (Van Zee
// and van de Geijn, "BLIS: a framework for rapidly instantiating BLAS
// functionality", ACM TOMS 41(3), 2015):
//
//	for each block of C, some rows × a group of panels       (shared by threads)
//		for each block of the sums, depthBlock terms         (block of A in L2)
//			for each panel of B, as wide as a tile           (panel in L1)
//				for each tile of rows                        (sums in registers)
//
// A is packed ahead, in the order in which its elements are read. A panel of B
// is packed by the thread that is about to use it, into a buffer that never
// leaves the core's cache: a batch has few rows, and the panel is used for one
// or two blocks of them. All terms of a sum are added by one thread, in an
// order that depends on the shapes alone.

const (
	// depthBlock is the most terms that are added in registers before a tile
	// goes to C. A panel of B is then 256 · 128 bytes = 32 KiB and stays in an
	// L1 of 48 KiB, while A's 14 rows pass by. Twice as many terms halve the
	// traffic with C, but both go through L2 then; on a Xeon (Granite Rapids)
	// the two are even alone and 256 is ahead when others use the cache.
	depthBlock = 256
	// depthStep divides the length of all but the last block of terms. Every
	// panel's width is a divisor, so that a panel of dZ, as the right factor
	// of dW, lies within one block of terms, as the left one of dX.
	depthStep = 32

	// blockBytes is the most that a block of A takes: half of a 2 MiB L2,
	// leaving the rest to the panel of B and to C.
	blockBytes = 1 << 20

	// groupPanels is the most panels that a block of C is wide. The more, the
	// less often a block of A comes from L3; the fewer, the more evenly
	// threads share the blocks.
	groupPanels = 8
)

// A blocked product is one that is cut into blocks, with packed factors.
type blocked[T Float] struct {
	product[T]
	*kernels[T]
	rowTiles split // of m
	blocks   split // of the row tiles
	depths   split // of depth
	panels   int   // of n
	group    int   // panels in a block of C

	// Packed factors lie block of terms after block of terms, in each tile of
	// rows after tile of rows, or panel after panel, and there term by term.
	packedA []T
	packedB []T // nil where panels are packed when they are used
}

// A split cuts a length into pieces whose sizes differ by at most step.
type split struct {
	pieces, size int // size is that of the first pieces
	big          int // pieces after these are step shorter
	step, length int
}

// splitEvenly cuts length into the fewest pieces of at most limit, in multiples
// of step but for the last.
func splitEvenly(length, limit, step int) split {
	if length == 0 {
		return split{step: step}
	}
	pieces := (length + limit - 1) / limit
	units := (length + step - 1) / step
	size := (units + pieces - 1) / pieces
	return split{pieces: pieces, size: size * step, big: units - pieces*(size-1), step: step, length: length}
}

// start returns where piece i begins.
func (s split) start(i int) int {
	return min(i*s.size-max(i-s.big, 0)*s.step, s.length)
}

// bounds returns where piece i begins and ends.
func (s split) bounds(i int) (lo, hi int) { return s.start(i), s.start(i + 1) }

// cut derives the blocks from the shapes.
func (p *blocked[T]) cut(k *kernels[T], of *product[T]) {
	p.kernels, p.product = k, *of
	p.rowTiles = splitEvenly(p.m, k.rows, 1)
	p.depths = splitEvenly(p.depth, depthBlock, depthStep)
	if p.depth == 0 { // one block without terms, so that C is written
		p.depths = split{pieces: 1, big: 1, step: depthStep}
	}
	blockTiles := blockBytes / (max(p.depths.size, 1) * size[T]()) / k.rows
	p.blocks = splitEvenly(p.rowTiles.pieces, blockTiles, 1)
	p.panels = (p.n + p.width() - 1) / p.width()
	p.group = max(1, min(groupPanels, p.panels/8))
}

// width returns the columns of a panel.
func (p *blocked[T]) width() int { return p.vectors * p.lanes }

// given reports whether there is anything to compute.
func (p *blocked[T]) given() bool { return p.m > 0 && p.n > 0 }

// jobs returns the number of blocks of C.
func (p *blocked[T]) jobs() int {
	return p.blocks.pieces * ((p.panels + p.group - 1) / p.group)
}

// job computes block i of C.
func (p *blocked[T]) job(s *scratch[T], i int) {
	groups := (p.panels + p.group - 1) / p.group
	t0, t1 := p.blocks.bounds(i / groups)
	first := i % groups * p.group
	last := min(first+p.group, p.panels)
	for d := range p.depths.pieces {
		for j := first; j < last; j++ {
			next := p.lookAhead(d, d, j+1)
			if j+1 == last {
				next = p.lookAhead(d, d+1, first)
			}
			p.panelTimesTiles(s, d, j, t0, t1, next)
		}
	}
	p.activate(p.rowTiles.start(t0), p.rowTiles.start(t1), first*p.width(), min(last*p.width(), p.n))
}

// panelTimesTiles multiplies tiles t0 to t1 of rows of A with block d of the
// terms of panel j of B.
func (p *blocked[T]) panelTimesTiles(s *scratch[T], d, j, t0, t1 int, next ahead[T]) {
	element := size[T]()
	width := p.width()
	j0, j1 := j*width, min((j+1)*width, p.n)
	d0, d1 := p.depths.bounds(d)
	vectors := (j1 - j0 + p.lanes - 1) / p.lanes

	t := &s.tile
	t.k, t.whole = d1-d0, d1-d0
	t.mask = p.masks[j1-j0-(vectors-1)*p.lanes]
	t.bStep = vectors * p.lanes * element
	if p.packedB != nil {
		t.b = pointer(p.packedB, d0*p.panels*width+j0*(d1-d0))
	} else {
		p.packStrip(s, s.panel, vectors*p.lanes, p.b, p.bRows, j0, j1, d0, d1, true)
		t.b = pointer(s.panel, 0)
	}

	t.bias, t.add = nil, 1
	if d == 0 {
		t.bias, t.add = pointer(p.bias, j0), 0
	}
	t.act, t.z = tileIdentity, nil
	last := d == p.depths.pieces-1
	if last {
		t.act, t.alpha = tileActivation(p.act.Kind), T(p.act.Alpha)
	}
	t.cStep, t.zStep = p.c.Stride*element, p.z.Stride*element

	for t0 < t1 {
		rows := p.rowTiles.size
		end := min(t1, p.rowTiles.big)
		if t0 >= p.rowTiles.big {
			rows--
			end = t1
		}
		if next.tiles > 0 {
			end = min(end, t0+next.tiles)
			t.prefetch, t.prefetchStep, t.prefetchTile = pointer(next.data, 0), next.step, next.tile
			next.advance(end - t0)
		} else {
			t.prefetch, t.prefetchStep, t.prefetchTile = t.b, 0, 0
		}
		i0 := p.rowTiles.start(t0)
		t.a = pointer(p.packedA, p.m*d0+i0*(d1-d0))
		t.rowStep, t.colStep, t.tileStep = element, rows*element, rows*(d1-d0)*element
		t.c = pointer(p.c.Data, i0*p.c.Stride+j0)
		if last {
			t.z = pointer(p.z.Data, i0*p.z.Stride+j0)
		}
		t.tiles = end - t0
		p.tiles[vectors-1][rows-1](t)
		t0 = end
	}
}

// ahead is where the next panel of B will be read from, and how the tiles walk
// over it, a cache line or two at a time, to have it in the cache by then.
// Steps are in bytes.
type ahead[T Float] struct {
	data       []T
	step, tile int
	tiles      int // that walk
}

func (a *ahead[T]) advance(tiles int) {
	a.tiles -= tiles
	a.data = a.data[min(len(a.data), tiles*a.tile/size[T]()):]
}

// tileTurn is how many terms a turn of the tile kernels' loop adds; it
// prefetches once.
const tileTurn = 4

// lookAhead returns how to prefetch block d of panel j of B while block now of
// the terms is used.
func (p *blocked[T]) lookAhead(now, d, j int) ahead[T] {
	if d >= p.depths.pieces || j >= p.panels {
		return ahead[T]{}
	}
	element := size[T]()
	width := p.width()
	turns := (p.depths.start(now+1) - p.depths.start(now)) / tileTurn
	d0, d1 := p.depths.bounds(d)
	switch {
	case p.packedB != nil:
		step := width * element
		return ahead[T]{p.packedB[d0*p.panels*width+j*width*(d1-d0):], step, turns * step, tileTurn}
	case p.bRows:
		// A walk down the rows of B, each tile a little further to the right.
		// It goes on to panels behind the next one, which does no harm.
		return ahead[T]{p.b.Data[j*width*p.b.Stride+d0:], p.b.Stride * element, 2 * cacheLine, (d1 - d0) * element / (2 * cacheLine)}
	default:
		step := p.b.Stride * element
		return ahead[T]{p.b.Data[d0*p.b.Stride+j*width:], step, turns * step, tileTurn}
	}
}

// packTiles packs tiles t0 to t1 of A, all of their terms.
func (p *blocked[T]) packTiles(s *scratch[T], t0, t1 int) {
	for d := range p.depths.pieces {
		d0, d1 := p.depths.bounds(d)
		for t := t0; t < t1; t++ {
			i0, i1 := p.rowTiles.bounds(t)
			p.packStrip(s, p.packedA[p.m*d0+i0*(d1-d0):], i1-i0, p.a, p.aRows, i0, i1, d0, d1, false)
		}
	}
}
