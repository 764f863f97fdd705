package gemm

import "github.com/affine-go/affine/internal/kernel"

// Gradients of few rows read or write the weights once, which takes longer than
// the arithmetic: dX = dZ·Wᵀ goes along the rows of W as they lie (dots), and
// dW = Xᵀ·dZ writes whole rows of dW one after the other (outer).

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
	o.b, o.bStep, o.cStep = &p.b.Data[0], p.b.Stride*element, p.c.Stride*element
	o.k, o.vectors = p.depth, (p.n+k.lanes-1)/k.lanes
	o.mask = k.masks[p.n-(o.vectors-1)*k.lanes]
	for i := 0; i < p.m; {
		o.a, o.c = &p.a.Data[i*o.rowStep/element], &p.c.Data[i*p.c.Stride]
		if i+4 <= p.m {
			k.outer4(o)
			i += 4
		} else {
			k.outer(o)
			i++
		}
	}
}

// traffic is how many multiply-adds take as long as it takes to move an element
// from or to memory.
const traffic = 16

// cost is the work of a product in multiply-adds, or in what it takes to move
// its matrices.
func (p *product[T]) cost() int {
	return max(p.work(), traffic*(p.m*p.depth+p.depth*p.n+p.m*p.n))
}

// multiply computes a product from factors as they lie, in this thread.
func (k *kernels[T]) multiply(s *scratch[T], p *product[T]) {
	switch {
	case p.m == 0 || p.n == 0:
	case k.canDot(p):
		k.dotRows(s, p)
	case k.byRows(p):
		k.outerRows(s, p)
	default:
		k.direct(s, p)
	}
}
