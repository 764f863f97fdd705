package cpu

// A product is C = act(A·B + bias + beta·C): m×n sums of depth terms.
type product[T Float] struct {
	m, n, depth int
	a, b        Matrix[T]
	// The terms of a sum lie along rows of A where aRows says so, and along
	// its columns else; likewise for B.
	aRows, bRows bool
	c, z         Matrix[T] // z, the sums before act, may be missing
	bias         []T       // may be nil
	beta         T         // beta·C is added to the sums; 0: C is not read
	act          Activation
}

// work returns the number of multiply-adds.
func (p *product[T]) work() int { return p.m * p.n * p.depth }

// small tells whether packing A and B would cost more than it gains: everything
// is in the cache, or A or B is read but once or twice.
func (p *product[T]) small() bool {
	return p.work() <= limits.direct || limits.direct >= 0 && min(p.m, p.depth, p.n/4) <= 16
}

// part returns rows i0 to i1 and columns j0 to j1 of the product.
func (p *product[T]) part(i0, i1, j0, j1 int) product[T] {
	q := *p
	q.m, q.n = i1-i0, j1-j0
	if p.aRows {
		q.a = p.a.View(i0, i1, 0, p.depth)
	} else {
		q.a = p.a.View(0, p.depth, i0, i1)
	}
	if p.bRows {
		q.b = p.b.View(j0, j1, 0, p.depth)
	} else {
		q.b = p.b.View(0, p.depth, j0, j1)
	}
	q.c, q.z = p.c.View(i0, i1, j0, j1), p.z.View(i0, i1, j0, j1)
	q.bias = p.bias[min(j0, len(p.bias)):]
	return q
}

// activate applies the activations that the tile kernels lack to rows i0 to i1
// and columns j0 to j1 of C, which are still in the cache.
func (p *product[T]) activate(i0, i1, j0, j1 int) {
	if p.act.Kind.Info().InMicroKernel {
		return
	}
	from := p.c
	if p.z.Given() {
		from = p.z
	}
	if n := j1 - j0; n == p.c.Stride && n == from.Stride {
		Activate(p.c.Data[i0*n:i1*n], from.Data[i0*n:i1*n], p.act)
		return
	}
	for i := i0; i < i1; i++ {
		at := i * p.c.Stride
		z := i * from.Stride
		Activate(p.c.Data[at+j0:at+j1], from.Data[z+j0:z+j1], p.act)
	}
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
