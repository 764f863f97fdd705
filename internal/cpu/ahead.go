package cpu

// A walk goes over part of a matrix that will be packed soon, so that it is in
// L2 by then: two cache lines of one row after the other, in each turn of the
// tile kernels' loop.
type walk[T Float] struct {
	Matrix[T]
	at int // how many tiles have walked
}

// tileTurn is how many terms a turn of the tile kernels' loop adds; it
// prefetches once.
const tileTurn = 4

// take has the next tiles, up to so many, walk on, and returns how many do.
func (w *walk[T]) take(t *tile[T], tiles int) int {
	element := size[T]()
	turns := t.k / tileTurn
	if w.Rows == 0 || turns == 0 {
		return 0
	}
	line := 2 * cacheLine / element
	across, down := (w.Cols+line-1)/line, (w.Rows+turns-1)/turns
	if w.at == across*down {
		return 0
	}
	i, j := w.at/across, w.at%across
	t.prefetch = &w.Data[i*turns*w.Stride+j*line]
	t.prefetchStep = w.Stride * element
	if across == 1 {
		tiles = min(tiles, down-i)
		t.prefetchTile = turns * t.prefetchStep
	} else {
		tiles = min(tiles, across-j)
		t.prefetchTile = 2 * cacheLine
	}
	w.at += tiles
	return tiles
}

// prefetch sets what the next tiles, up to so many, prefetch, and returns how
// many do the same.
func (s *scratch[T]) prefetch(t *tile[T], tiles int) int {
	for i := range s.ahead {
		if n := s.ahead[i].take(t, tiles); n > 0 {
			return n
		}
	}
	t.prefetch, t.prefetchStep, t.prefetchTile = t.b, 0, 0
	return tiles
}

// aheadB sets the walks over the panel of B that comes after panel j.
func (p *blocked[T]) aheadB(s *scratch[T], j, d0, d1 int) {
	w := &s.work
	s.ahead[0], s.ahead[1] = walk[T]{}, walk[T]{}
	block, d := w.block, w.depth
	if j++; j == w.last {
		j = w.first
		if d++; d == p.depths.pieces {
			d = 0
			if block++; block == w.endBlock {
				return
			}
		}
		d0, d1 = p.depths.bounds(d)
	}
	width := p.width()
	j0, j1 := j*width, min((j+1)*width, p.n)
	switch {
	case w.keepB && block > w.firstBlock:
		columns := (w.last - w.first) * width
		at := columns*d0 + (j-w.first)*width*(d1-d0)
		s.ahead[0].Matrix = Matrix[T]{Data: s.b[at:], Rows: d1 - d0, Cols: width, Stride: width}
	case p.b.alongRows:
		s.ahead[0].Matrix = p.b.View(j0, j1, d0, d1)
	default:
		s.ahead[0].Matrix = p.b.View(d0, d1, j0, j1)
		if p.b.act.Kind != Identity {
			s.ahead[1].Matrix = p.b.saved.View(d0, d1, j0, j1)
		}
	}
}
