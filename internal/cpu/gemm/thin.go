package gemm

import "github.com/affine-go/affine/internal/kernel"

// Products of few rows read or write the weights once, which takes longer than
// the arithmetic: they go along the rows of W as they lie. dX = dZ·Wᵀ takes dot
// products of them (dots), dW = Xᵀ·dZ writes them, and Y = X·W adds up some of
// them at a time (both outer).

// thin is the most rows, or terms, of such a product.
const thin = 16

// canDot tells whether the product may be computed by dot products: nobody asks
// for the same order of terms as in a larger batch.
func (k *kernels[T]) canDot(p *product[T]) bool {
	return p.anyOrder && p.aRows && p.bRows && p.m <= thin && p.depth >= 2*k.lanes && k.dots != nil
}

// dotRows computes a product whose sums run along the rows of both factors.
func (k *kernels[T]) dotRows(s *scratch[T], p *product[T]) {
	d := &s.dots
	d.vectors = (p.depth + k.lanes - 1) / k.lanes
	d.mask = k.masks[p.depth-(d.vectors-1)*k.lanes]
	for j := 0; j < p.n; j += len(d.b) {
		for r := range d.b {
			d.b[r] = &p.b.Data[min(j+r, p.n-1)*p.b.Stride]
		}
		for i := 0; i < p.m; i += len(d.a) {
			for r := range d.a {
				d.a[r] = &p.a.Data[min(i+r, p.m-1)*p.a.Stride]
			}
			k.dots(d)
			for r := range min(len(d.a), p.m-i) {
				copy(p.c.Row(i + r)[j:], d.sums[len(d.b)*r:][:len(d.b)])
			}
		}
	}
}

// byRows tells whether rows of C are better written one after the other: there
// are few terms, and rows enough.
func (k *kernels[T]) byRows(p *product[T]) bool {
	return p.depth > 0 && p.depth <= thin && p.m > 2*k.mr && p.n > k.nr() && k.outer != nil && p.plain()
}

// plain tells whether C = A·B and nothing else is wanted.
func (p *product[T]) plain() bool {
	return p.bias == nil && p.beta == 0 && p.act.Kind == kernel.Identity && !p.z.Given() && !p.bRows
}

// outerRows computes a plain product, four rows of C at a time.
func (k *kernels[T]) outerRows(s *scratch[T], p *product[T]) {
	element := size[T]()
	o := &s.outer
	o.rowStep, o.colStep = element, p.a.Stride*element
	if p.aRows {
		o.rowStep, o.colStep = o.colStep, o.rowStep
	}
	o.b, o.bStep = &p.b.Data[0], p.b.Stride*element
	o.k, o.add = p.depth, 0
	k.eachOuter(o, p.a.Data, p.c)
}

// eachOuter calls the kernel for all rows of C.
func (k *kernels[T]) eachOuter(o *outer[T], a []T, c kernel.Matrix[T]) {
	element := size[T]()
	o.vectors = (c.Cols + k.lanes - 1) / k.lanes
	o.mask = k.masks[c.Cols-(o.vectors-1)*k.lanes]
	o.cStep = c.Stride * element
	for i := 0; i < c.Rows; {
		o.a, o.c = &a[i*o.rowStep/element], &c.Data[i*c.Stride]
		if i+4 <= c.Rows {
			k.outer4(o)
			i += 4
		} else {
			k.outer(o)
			i++
		}
	}
}

const (
	// sweepBytes is how much of a row of W is read at a time, a page, and
	// sweepTerms of how many rows: the sums and these stay in L1.
	sweepBytes = 4096
	sweepTerms = 8
	// sweepRows is the most rows of X. More make better use of what is read if
	// it is a panel of W that stays in L1.
	sweepRows = 8
	// sweepPart is the least columns, in bytes of a row, that a thread takes.
	sweepPart = 1024
)

// canSweep tells whether the product is computed along the rows of B.
func (k *kernels[T]) canSweep(p *product[T]) bool {
	return p.aRows && !p.bRows && p.m <= sweepRows && p.depth > thin && p.n > 2*k.nr() && p.beta == 0 && k.outer != nil &&
		p.depth*p.n*size[T]() >= limits.sweep
}

// sweepRowsOfB computes a product of few rows along the rows of B: the sums lie
// in C, or, from the second block of terms on, in a buffer. Each adds its terms
// in the same order as a tile does.
func (k *kernels[T]) sweepRowsOfB(s *scratch[T], p *product[T]) {
	element := size[T]()
	width, depths := sweepBytes/element, splitDepth(p.depth)
	o := &s.outer
	o.rowStep, o.colStep, o.bStep, o.add = p.a.Stride*element, element, p.b.Stride*element, 1
	for j := 0; j < p.n; j += width {
		c := p.c.View(0, p.m, j, min(j+width, p.n))
		for d := range depths.pieces {
			d0, d1 := depths.bounds(d)
			sums := c
			if d > 0 {
				sums = kernel.MatrixOf(grow(&s.panel, p.m*c.Cols), p.m, c.Cols)
			}
			for i := range p.m {
				if row := sums.Row(i); d == 0 && p.bias != nil {
					copy(row, p.bias[j:])
				} else {
					clear(row)
				}
			}
			for t := d0; t < d1; t += sweepTerms {
				o.b, o.k = &p.b.Data[t*p.b.Stride+j], min(sweepTerms, d1-t)
				k.eachOuter(o, p.a.Data[t:], sums)
			}
			for i := range p.m {
				if d > 0 {
					k.addRows(s, c.Row(i), sums.View(i, i+1, 0, c.Cols))
				}
			}
		}
	}
	p.finish()
}

// traffic is how many multiply-adds take as long as it takes to move an element
// from or to memory.
const traffic = 16

// cost is the work of a product in multiply-adds, or in what it takes to move
// its matrices.
func (p *product[T]) cost() int {
	return max(p.work(), traffic*(p.m*p.depth+p.depth*p.n+p.m*p.n))
}
