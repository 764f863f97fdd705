package gemm

import "github.com/affine-go/affine/internal/kernel"

// Small products: the micro-kernels read A and B as they lie. Only a B whose
// sums run along its rows (Wᵀ) is packed, a panel at a time, since a vector of
// it has to be gathered from as many rows.

// direct computes a product in this thread, panel of columns by panel, or in one
// of the ways of thin.go and vectors.go.
func (k *kernels[T]) direct(s *scratch[T], p *product[T]) {
	switch {
	case p.m == 0 || p.n == 0:
		return
	case k.byVectors(p):
		k.multiplyVectors(s, p)
		return
	case k.canDot(p):
		k.dotRows(s, p)
		return
	case k.canSweep(p):
		k.sweepRowsOfB(s, p)
		return
	case k.byRows(p):
		k.outerRows(s, p)
		return
	}
	element := size[T]()
	t := &s.tile
	t.alpha = T(p.act.Alpha)
	t.cStep, t.zStep = p.c.Stride*element, p.z.Stride*element
	t.rowStep, t.colStep = element, p.a.Stride*element
	if p.aRows {
		t.rowStep, t.colStep = t.colStep, t.rowStep
	}
	t.prefetchStep, t.prefetchTile = 0, 0
	first := 0
	if p.beta != 0 {
		first = startAt(p.c, p.beta)
	}

	// Tiles of rows are as even as can be: big ones, then some with a row less.
	tiles := (p.m + k.mr - 1) / k.mr
	rows := (p.m + tiles - 1) / tiles
	big := p.m - tiles*(rows-1)

	most := k.nrVectors
	if wide := len(k.tiles); p.m <= len(k.tiles[wide-1]) {
		most = wide
	}
	depths := split{pieces: 1}
	if p.depth > kc {
		depths = splitDepth(p.depth)
	}
	for j := 0; j < p.n; {
		vectors := most
		columns := vectors * k.lanes
		if left := p.n - j; left < columns {
			vectors = (left + k.lanes - 1) / k.lanes
			for len(k.tiles[vectors-1]) == 0 {
				vectors--
			}
			columns = min(left, vectors*k.lanes)
		}
		t.mask = k.masks[columns-(vectors-1)*k.lanes]
		for d := range depths.pieces {
			d0, d1 := 0, p.depth
			if depths.pieces > 1 {
				d0, d1 = depths.bounds(d)
			}
			t.k, t.whole = d1-d0, d1-d0
			t.add, t.bias, t.act = 1, nil, tileIdentity
			if d == 0 {
				t.add, t.bias = first, pointer(p.bias, j)
			}
			last := d == depths.pieces-1
			if last {
				t.act = tileActivation(p.act.Kind)
			}
			switch {
			case p.bRows:
				step := vectors * k.lanes
				panel := grow(&s.panel, (d1-d0)*step)
				k.packAlong(s, panel, step, p.b, j, j+columns, d0, d1, true)
				t.b, t.bStep = pointer(panel, 0), step*element
			case columns%k.lanes != 0:
				t.whole = 0
				fallthrough
			default:
				t.b, t.bStep = pointer(p.b.Data, d0*p.b.Stride+j), p.b.Stride*element
			}
			t.prefetch = t.b
			for i := 0; i < p.m; {
				height, count := rows, big
				if i > 0 {
					height, count = rows-1, tiles-big
				}
				t.tiles, t.tileStep = count, height*t.rowStep
				t.a = pointer(p.a.Data, (i*t.rowStep+d0*t.colStep)/element)
				t.c, t.z = pointer(p.c.Data, i*p.c.Stride+j), nil
				if last {
					t.z = pointer(p.z.Data, i*p.z.Stride+j)
				}
				k.tiles[vectors-1][height-1](t)
				i += count * height
			}
		}
		j += columns
	}
	if !p.act.Kind.Info().InMicroKernel {
		p.activate()
	}
}

// strips is the work of a direct product: strips of columns, or of rows.
type strips[T kernel.Float] struct {
	*kernels[T]
	product[T]
}

// partWork is how many multiply-adds one part of a direct product has at
// least, when threads share it: some 5 µs, ten times what taking a part costs.
const partWork = 1 << 19

// packRepeat is how many tiles of rows share a packed B that parts do not share.
const packRepeat = 8

func (d *strips[T]) parts() int {
	if d.m == 0 || d.n == 0 {
		return 0
	}
	strips := d.strips()
	if d.bRows && !d.byColumns() {
		strips /= packRepeat
	}
	return max(1, min(d.cost()/partWork, strips))
}

// byColumns tells which way the product is cut.
func (d *strips[T]) byColumns() bool {
	return d.n > 2*d.nr() && !d.byRows(&d.product) && !d.byVectors(&d.product)
}

// columns returns how many a strip has at least.
func (d *strips[T]) columns() int {
	if d.canSweep(&d.product) {
		return sweepPart / size[T]()
	}
	return d.nr()
}

// strips returns into how many strips the product can be cut: panels of columns,
// or tiles of rows if there are few columns.
func (d *strips[T]) strips() int {
	if d.byColumns() {
		return (d.n + d.columns() - 1) / d.columns()
	}
	return (d.m + d.mr - 1) / d.mr
}

func (d *strips[T]) part(s *scratch[T], i int) {
	parts, strips := d.parts(), d.strips()
	lo, hi := i*strips/parts, (i+1)*strips/parts
	var q product[T]
	if d.byColumns() {
		q = d.product.part(0, d.m, lo*d.columns(), min(hi*d.columns(), d.n))
	} else {
		q = d.product.part(lo*d.mr, min(hi*d.mr, d.m), 0, d.n)
	}
	d.direct(s, &q)
}
