package cpu

const (
	// stripColumns is how many columns of dZ are packed together: enough for
	// the calls that do it not to count, few enough for several threads to
	// have some. Every panel's width divides it.
	stripColumns = 128
	// stripTiles is how many tiles of rows of dZ are made at a time, so that
	// they are still in L1 when they are packed for the second product.
	stripTiles = 4
)

// packDZ makes columns j0 to j1 of dZ = dY ⊙ act', a few tiles of rows at a
// time, adds them to db and packs them for both products while they are in the
// cache.
func (c *call[T]) packDZ(s *scratch[T], j0, j1 int) {
	var db []T
	if c.db != nil {
		db = c.db[j0:j1]
		clear(db)
	}
	tiles := c.dx.rowTiles
	if !c.dx.given() {
		tiles = splitEvenly(c.dy.Rows, c.rows, 1)
	}
	for t := 0; t < tiles.pieces; t += stripTiles {
		last := min(t+stripTiles, tiles.pieces)
		i0, i1 := tiles.start(t), tiles.start(last)
		dz := c.dy.view(i0, i1, j0, j1)
		if c.act.Kind != Identity {
			dz = c.derive(s.panel, dz, c.a.view(i0, i1, j0, j1), c.act)
		}
		c.addRows(s, db, dz)
		if c.dw.given() {
			c.dw.packRight(s, dz, i0, i1, j0, j1)
		}
		if c.dx.given() {
			c.dx.packLeft(s, dz, t, last, j0, j1)
		}
	}
}

// packRight packs dz, which is rows i0 to i1 and columns j0 to j1 of B.
func (p *blocked[T]) packRight(s *scratch[T], dz Matrix[T], i0, i1, j0, j1 int) {
	width := p.width()
	for d := range p.depths.pieces {
		d0, d1 := p.depths.bounds(d)
		from, to := max(d0, i0), min(d1, i1)
		if from >= to {
			continue
		}
		for j := j0; j < j1; j += width {
			last := min(j+width, j1)
			step := (last - j + p.lanes - 1) / p.lanes * p.lanes
			dst := p.packedB[d0*p.panels*width+j*(d1-d0)+(from-d0)*step:]
			p.packStrip(s, dst, step, dz, false, j-j0, last-j0, from-i0, to-i0, true)
		}
	}
}

// packLeft packs dz, which is columns j0 to j1 of tiles t0 to t1 of A.
func (p *blocked[T]) packLeft(s *scratch[T], dz Matrix[T], t0, t1, j0, j1 int) {
	first := p.rowTiles.start(t0)
	for d := range p.depths.pieces {
		d0, d1 := p.depths.bounds(d)
		from, to := max(d0, j0), min(d1, j1)
		if from >= to {
			continue
		}
		for t := t0; t < t1; t++ {
			i0, i1 := p.rowTiles.bounds(t)
			dst := p.packedA[p.m*d0+i0*(d1-d0)+(from-d0)*(i1-i0):]
			p.packStrip(s, dst, i1-i0, dz, true, i0-first, i1-first, from-j0, to-j0, false)
		}
	}
}
