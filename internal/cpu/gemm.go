package cpu

// The products follow Goto and van de Geijn ("Anatomy of high-performance
// matrix multiplication", ACM TOMS 34(3), 2008) as BLIS arranges it (Van Zee
// and van de Geijn, "BLIS: a framework for rapidly instantiating BLAS
// functionality", ACM TOMS 41(3), 2015):
//
//	for each block of C, rowBlock rows × a few panels        (threads)
//		for each block of the sum, depthBlock terms          (A's block in L2)
//			for each panel of B, tile columns wide           (B's panel in L1 and L2)
//				for each tile of rows                        (in registers)
//
// A is packed ahead, in the order in which its elements are read. A panel of B
// is packed by the thread that is about to use it, into a buffer that never
// leaves that core's cache, because with the few rows that a batch has it is
// used for one block of rows only. All of a sum's terms are added up by one
// thread in one order that depends on the shapes alone.

const (
	// depthBlock is the most terms that are added up in registers before a
	// tile goes to C. The longer, the less often C is read and written: a tile
	// of 14×32 runs at 0.94, 0.97, 0.98 and 0.985 of the peak with 128, 256,
	// 384 and 512 terms (Xeon Granite Rapids, data in L2). A panel of B is
	// then 64 KiB, twice what fits L1 beside A; but at 128 bytes in 14 cycles
	// it streams from L2 without delay.
	depthBlock = 256

	// blockBytes is the most that a block of A takes: half of a 2 MiB L2,
	// leaving the rest to the panel of B and to C.
	blockBytes = 1 << 20
)

// An operand is one factor of a product, as it lies in memory.
type operand[T Float] struct {
	Matrix[T]
	// alongRows: terms of a sum lie beside each other, so that packing has to
	// transpose. Else they lie below each other.
	alongRows bool
	// packed is the whole operand in the kernels' order, where it was packed
	// ahead; inPlace: the kernels read it as it lies.
	packed  []T
	inPlace bool
}

// A product is C = act(A·B + bias), split into blocks.
type product[T Float] struct {
	*kernels[T]
	m, n, depth int
	a, b        operand[T]
	c, z        Matrix[T] // z may be missing
	bias        []T       // may be nil
	act         Activation

	rowTiles split // of m
	depths   split // of depth
	blocks   split // of the row tiles
	panels   int   // of n
	group    int   // panels in a block of C
}

// A split cuts a length into pieces whose sizes differ by at most step.
type split struct {
	pieces, size int // size is that of the first big pieces
	big          int // pieces after these are step shorter
	step, length int
}

// splitEvenly cuts length into the fewest pieces of at most limit, in multiples
// of step but for the last.
func splitEvenly(length, limit, step int) split {
	pieces := (length + limit - 1) / limit
	if pieces == 0 {
		return split{step: step}
	}
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

// prepare derives the blocks from the shapes.
func (p *product[T]) prepare(k *kernels[T]) {
	p.kernels = k
	width := k.vectors * k.lanes
	p.rowTiles = splitEvenly(p.m, k.rows, 1)
	p.depths = splitEvenly(p.depth, depthBlock, depthStep)
	if p.depth == 0 { // one block without terms, so that C is written
		p.depths = split{pieces: 1, big: 1, step: depthStep}
	}
	rowBlock := blockBytes / (max(p.depths.size, 1) * size[T]()) / k.rows
	p.blocks = splitEvenly(p.rowTiles.pieces, max(rowBlock, 1), 1)
	p.panels = (p.n + width - 1) / width
	p.group = max(1, min(8, p.panels/8))
}

// depthStep divides the length of all but the last block of a sum.
const depthStep = 32

// given reports whether there is anything to compute.
func (p *product[T]) given() bool { return p.m > 0 && p.n > 0 }

// jobs returns the number of blocks of C.
func (p *product[T]) jobs() int {
	return p.blocks.pieces * ((p.panels + p.group - 1) / p.group)
}

// scratch is what one thread needs while it works on blocks.
type scratch[T Float] struct {
	tile  tile[T]
	pack  pack[T]
	panel []T // a panel of B, or of dZ
}

// job computes block i of C.
func (p *product[T]) job(i int, s *scratch[T]) {
	groups := (p.panels + p.group - 1) / p.group
	block, first := i/groups, i%groups*p.group
	last := min(first+p.group, p.panels)
	t0, t1 := p.blocks.bounds(block)
	for d := range p.depths.pieces {
		for j := first; j < last; j++ {
			next := p.lookAhead(d, j+1, p.depths.start(d+1)-p.depths.start(d))
			if j+1 == last {
				next = p.lookAhead(d+1, first, p.depths.start(d+1)-p.depths.start(d))
			}
			p.panelTimesTiles(d, j, t0, t1, next, s)
		}
	}
	p.activate(p.rowTiles.start(t0), p.rowTiles.start(t1), first, last)
}

// whole computes all of C.
func (p *product[T]) whole(s *scratch[T]) {
	for i := range p.jobs() {
		p.job(i, s)
	}
}

// panelTimesTiles multiplies block d of panel j of B with tiles t0 to t1 of
// rows of A.
func (p *product[T]) panelTimesTiles(d, j, t0, t1 int, ahead ahead[T], s *scratch[T]) {
	element := size[T]()
	width := p.vectors * p.lanes
	j0, j1 := j*width, min((j+1)*width, p.n)
	d0, d1 := p.depths.bounds(d)
	vectors := (j1 - j0 + p.lanes - 1) / p.lanes

	t := &s.tile
	t.k, t.whole = d1-d0, d1-d0
	t.mask = p.masks[j1-j0-(vectors-1)*p.lanes]
	t.bStep = vectors * p.lanes * element
	switch {
	case p.b.inPlace:
		t.b = pointer(p.b.Data, d0*p.b.Stride+j0)
		t.bStep = p.b.Stride * element
		if (j1-j0)%p.lanes != 0 {
			t.whole = 0
		}
	case p.b.packed != nil:
		t.b = pointer(p.b.packed, d0*p.panels*width+j*width*(d1-d0))
	default:
		p.packStrip(s, s.panel, vectors*p.lanes, &p.b, j0, j1, d0, d1, true)
		t.b = pointer(s.panel, 0)
	}

	t.bias, t.add = nil, 1
	if d == 0 {
		t.add = 0
		if p.bias != nil {
			t.bias = pointer(p.bias, j0)
		}
	}
	t.cStep = p.c.Stride * element
	t.act, t.z = tileIdentity, nil
	last := d == p.depths.pieces-1
	if last {
		t.act = tileActivation(p.act.Kind)
		t.alpha = T(p.act.Alpha)
		t.zStep = p.z.Stride * element
	}
	for t0 < t1 {
		rows := p.rowTiles.size
		end := min(t1, p.rowTiles.big)
		if t0 >= p.rowTiles.big {
			rows--
			end = t1
		}
		if ahead.tiles > 0 {
			end = min(end, t0+ahead.tiles)
			ahead.tiles -= end - t0
			t.prefetch, t.prefetchStep, t.prefetchTile = pointer(ahead.data, 0), ahead.step, ahead.tile
			ahead.data = ahead.data[min(len(ahead.data), (end-t0)*ahead.tile/element):]
		} else {
			t.prefetch, t.prefetchStep, t.prefetchTile = t.b, 0, 0
		}
		i0 := p.rowTiles.start(t0)
		switch {
		case !p.a.inPlace:
			t.a = pointer(p.a.packed, p.m*d0+i0*(d1-d0))
			t.rowStep, t.colStep, t.tileStep = element, rows*element, rows*(d1-d0)*element
		case p.a.alongRows:
			t.a = pointer(p.a.Data, i0*p.a.Stride+d0)
			t.rowStep, t.colStep, t.tileStep = p.a.Stride*element, element, rows*p.a.Stride*element
		default:
			t.a = pointer(p.a.Data, d0*p.a.Stride+i0)
			t.rowStep, t.colStep, t.tileStep = element, p.a.Stride*element, rows*element
		}
		t.c = pointer(p.c.Data, i0*p.c.Stride+j0)
		if last && p.z.Given() {
			t.z = pointer(p.z.Data, i0*p.z.Stride+j0)
		}
		t.tiles = end - t0
		p.tiles[vectors-1][rows-1](t)
		t0 = end
	}
}

// ahead is where the next panel of B will be read from, and how the tiles walk
// over it to have it in the cache by then. Steps are in bytes.
type ahead[T Float] struct {
	data              []T
	step, tile, tiles int
}

// lookAhead returns how to prefetch block d of panel j of B while a panel of
// depth terms is used.
func (p *product[T]) lookAhead(d, j, depth int) ahead[T] {
	element := size[T]()
	width := p.vectors * p.lanes
	d0, d1 := p.depths.bounds(d)
	turns := depth / tileTurn
	switch {
	case p.b.inPlace || d >= p.depths.pieces || j >= p.panels:
		return ahead[T]{}
	case p.b.packed != nil:
		return ahead[T]{p.b.packed[d0*p.panels*width+j*width*(d1-d0):], width * element, turns * width * element, tileTurn}
	case p.b.alongRows:
		return ahead[T]{p.b.Data[j*width*p.b.Stride+d0:], p.b.Stride * element, 2 * cacheLine, (d1 - d0) * element / (2 * cacheLine)}
	default:
		return ahead[T]{p.b.Data[d0*p.b.Stride+j*width:], p.b.Stride * element, turns * p.b.Stride * element, tileTurn}
	}
}

// tileTurn is how many terms a turn of the tile kernels' loop adds up, in which
// they prefetch once.
const tileTurn = 4

// pointer returns the address of element i, or nil behind the end of a slice:
// nothing is read there then.
func pointer[T Float](s []T, i int) *T {
	if i >= len(s) {
		return nil
	}
	return &s[i]
}

// tileActivation returns what the tile kernels can apply themselves.
func tileActivation(k ActivationKind) int {
	switch k {
	case ReLU:
		return tileReLU
	case LeakyReLU:
		return tileLeakyReLU
	}
	return tileIdentity
}

// activate applies the activations that the tile kernels lack to rows i0 to i1
// of some panels, which are still in the cache.
func (p *product[T]) activate(i0, i1, first, last int) {
	if p.act.Kind <= LeakyReLU {
		return
	}
	width := p.vectors * p.lanes
	j0, j1 := first*width, min(last*width, p.n)
	from := p.c
	if p.z.Given() {
		from = p.z
	}
	for i := i0; i < i1; i++ {
		Activate(p.c.Row(i)[j0:j1], from.Row(i)[j0:j1], p.act)
	}
}
