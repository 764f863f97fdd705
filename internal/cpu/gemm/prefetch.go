package gemm

import (
	"github.com/affine-go/affine/internal/cpu/arch"
	"github.com/affine-go/affine/internal/kernel"
)

// A prefetch goes over part of a matrix that will be packed soon, so that it is
// in L2 by then: two cache lines of one row after the other, in each turn of the
// micro-kernels' loop.
type prefetch[T kernel.Float] struct {
	kernel.Matrix[T]
	at int // how many tiles have prefetched
}

// tileTurn is how many terms a turn of the micro-kernels' loop adds; it
// prefetches once.
const tileTurn = 4

// take has the next tiles, up to so many, go on, and returns how many do.
func (f *prefetch[T]) take(t *tile[T], tiles int) int {
	element := size[T]()
	turns := t.k / tileTurn
	if f.Rows == 0 || turns == 0 {
		return 0
	}
	line := 2 * arch.CacheLine / element
	across, down := (f.Cols+line-1)/line, (f.Rows+turns-1)/turns
	if f.at == across*down {
		return 0
	}
	i, j := f.at/across, f.at%across
	t.prefetch = &f.Data[i*turns*f.Stride+j*line]
	t.prefetchStep = f.Stride * element
	if across == 1 {
		tiles = min(tiles, down-i)
		t.prefetchTile = turns * t.prefetchStep
	} else {
		tiles = min(tiles, across-j)
		t.prefetchTile = 2 * arch.CacheLine
	}
	f.at += tiles
	return tiles
}

// prefetchNext sets what the next tiles, up to so many, prefetch, and returns
// how many do the same.
func (s *scratch[T]) prefetchNext(t *tile[T], tiles int) int {
	for i := range s.prefetch {
		if n := s.prefetch[i].take(t, tiles); n > 0 {
			return n
		}
	}
	t.prefetch, t.prefetchStep, t.prefetchTile = t.b, 0, 0
	return tiles
}

// prefetchB begins to prefetch the panel of B that comes after this one.
func (p *blocked[T]) prefetchB(s *scratch[T], panel, d0, d1 int) {
	j := &s.job
	s.prefetch = [2]prefetch[T]{}
	block, d := j.block, j.depth
	if panel++; panel == j.last {
		panel = j.first
		if d++; d == p.depths.pieces {
			d = 0
			if block++; block == j.endBlock {
				return
			}
		}
		d0, d1 = p.depths.bounds(d)
	}
	j0, j1 := panel*p.nr(), min((panel+1)*p.nr(), p.n)
	switch {
	case j.keepB && block > j.firstBlock:
		columns := (j.last - j.first) * p.nr()
		at := columns*d0 + (panel-j.first)*p.nr()*(d1-d0)
		s.prefetch[0].Matrix = kernel.MatrixOf(s.packedB[at:], d1-d0, p.nr())
	case p.b.alongRows:
		s.prefetch[0].Matrix = p.b.View(j0, j1, d0, d1)
	default:
		s.prefetch[0].Matrix = p.b.View(d0, d1, j0, j1)
		if p.b.act.Kind != kernel.Identity {
			s.prefetch[1].Matrix = p.b.saved.View(d0, d1, j0, j1)
		}
	}
}
