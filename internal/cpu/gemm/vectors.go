package gemm

import "github.com/affine-go/affine/internal/kernel"

// Products in plain Go, if there are assembly kernels for the product of a
// vector and a matrix: C is computed row by row, from blocks of B that stay in
// the L2 cache.

const (
	// vectorBytes is how much of a row of B is read at a time.
	vectorBytes = 1024
	// vectorColumns and vectorTerms are the least for which the kernel is faster
	// than a tile in Go. They say nothing about rows, so that a row of C has the
	// same bits in any batch.
	vectorColumns, vectorTerms = 64, 16
	// vectorRows is how many columns of A are copied to rows at a time.
	vectorRows = 16
)

// byVectors tells whether the product is computed row by row.
func (k *kernels[T]) byVectors(p *product[T]) bool {
	return k.addProduct != nil && p.n >= vectorColumns && p.depth >= vectorTerms &&
		!(p.anyOrder && p.bRows && p.m < vectorRows) // B would be packed for a few rows
}

// multiplyVectors computes the product in this thread.
func (k *kernels[T]) multiplyVectors(s *scratch[T], p *product[T]) {
	add, width, depths := startAt(p.c, p.beta), vectorBytes/size[T](), splitDepth(p.depth)
	for j := 0; j < p.n; j += width {
		c := p.c.View(0, p.m, j, min(j+width, p.n))
		for d := range depths.pieces {
			d0, d1 := depths.bounds(d)
			b, step := p.b.Data, p.b.Stride
			if p.bRows {
				step = (c.Cols + k.lanes - 1) / k.lanes * k.lanes
				b = grow(&s.panel, (d1-d0)*step)
				k.packAlong(s, b, step, p.b, j, j+c.Cols, d0, d1, true)
			} else {
				b = b[d0*step+j:]
			}
			for i := range p.m {
				sums := c.Row(i)
				switch {
				case d > 0:
					sums = grow(&s.sums, c.Cols)
					clear(sums)
				case add != 0:
				case p.bias != nil:
					copy(sums, p.bias[j:])
				default:
					clear(sums)
				}
				k.addProduct(sums, p.row(s, i, d0, d1), b, step)
				if d > 0 {
					for e, sum := range sums {
						c.Row(i)[e] += sum
					}
				}
			}
		}
	}
	p.finish()
}

// row returns terms d0 to d1 of row i of A. If they lie in a column, those of the
// next rows are copied along with them; rows are asked for in order.
func (p *product[T]) row(s *scratch[T], i, d0, d1 int) []T {
	if p.aRows {
		return p.a.Row(i)[d0:d1]
	}
	depth := d1 - d0
	rows := grow(&s.rowsOfA, vectorRows*kc)
	if i%vectorRows == 0 {
		for d := range depth {
			for r, v := range p.a.Row(d0 + d)[i:min(i+vectorRows, p.m)] {
				rows[r*kc+d] = v
			}
		}
	}
	return rows[i%vectorRows*kc:][:depth]
}

// finish stores Z and applies the activation to C, which holds the sums.
func (p *product[T]) finish() {
	if p.z.Given() {
		for i := range p.m {
			copy(p.z.Row(i), p.c.Row(i))
		}
	}
	if p.act.Kind != kernel.Identity {
		p.activate()
	}
}
