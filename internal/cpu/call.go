package cpu

// A call is one call of Linear or LinearBackward that several threads may
// share. It goes through stages; each is a number of parts that threads take.
type call[T Float] struct {
	*kernels[T]
	pool  *pool[T]
	work  int
	stage stage

	y      blocked[T] // Y, or
	dx, dw blocked[T] // dX and dW
	dy     Matrix[T]
	saved  Matrix[T] // what act' is written in
	act    Activation
	db     []T
	// transposed: dW is computed as dZᵀ·X, in the order that it is stored in.
	transposed bool

	partRows int // rows of dZ in a part
	sumParts int // of db, where it is summed alone
	dz       []T // dZ as it lies
}

type stage int

const (
	computingY    stage = iota // Y
	directY                    // Y, from factors as they lie
	deriving                   // dZ
	directDXDW                 // db, dX and dW, from factors as they lie
	computingDXDW              // dX, dW and db
)

const (
	// deriveElements is about how many elements of dZ one part makes.
	deriveElements = 1 << 13
	// sumColumns is how many columns of dZ one part sums, whole vectors all.
	sumColumns = 128
)

// forward computes Y, or a general product with A multiplied with alpha.
func (c *call[T]) forward(p *product[T], alpha T) {
	if p.small() {
		p.times(&c.dz, alpha)
		c.y.product = *p
		c.spread(directY, c.parts(p))
		return
	}
	c.y.cut(c.kernels, p)
	c.y.alpha = alpha
	c.spread(computingY, c.y.jobs())
}

// backwardDirect computes the gradients from factors as they lie.
func (c *call[T]) backwardDirect(dx, dw *product[T]) {
	c.dx.product, c.dw.product = *dx, *dw
	if c.act.Kind != Identity {
		dz := Matrix[T]{Data: room(&c.dz, c.dy.Rows*c.dy.Cols), Rows: c.dy.Rows, Cols: c.dy.Cols, Stride: c.dy.Cols}
		c.dx.product.a = dz
		if c.transposed {
			c.dw.product.a = dz
		} else {
			c.dw.product.b = dz
		}
		c.partRows = max(1, deriveElements/dz.Cols)
		c.spread(deriving, (dz.Rows+c.partRows-1)/c.partRows)
		c.dy = dz
	}
	c.spread(directDXDW, 1+c.parts(dx)+c.parts(dw))
}

// backwardBlocked computes the gradients from packed factors, which dZ is made
// of while it is packed.
func (c *call[T]) backwardBlocked(dx, dw *product[T]) {
	c.dx.cut(c.kernels, dx)
	c.dw.cut(c.kernels, dw)
	if c.act.Kind != Identity {
		c.dx.a.act, c.dx.a.saved = c.act, c.saved
		dz := &c.dw.b
		if c.transposed {
			dz = &c.dw.a
		}
		dz.act, dz.saved = c.act, c.saved
	}
	c.sumParts = 0
	if c.dw.jobs() > 0 && !c.transposed {
		c.dw.sums = c.db
	} else {
		c.sumParts = (len(c.db) + sumColumns - 1) / sumColumns
	}
	c.spread(computingDXDW, c.dw.jobs()+c.dx.jobs()+c.sumParts)
}

// sum computes part i of db, if dW, along with which it is computed else, is
// not asked for.
func (c *call[T]) sum(s *scratch[T], i int) {
	j0, j1 := i*sumColumns, min((i+1)*sumColumns, len(c.db))
	sums, blocks := c.db[j0:j1], splitDepth(c.dy.Rows)
	clear(sums)
	for b := range blocks.pieces {
		lo, hi := blocks.bounds(b)
		dz := c.dy.View(lo, hi, j0, j1)
		if c.act.Kind != Identity {
			dz = Matrix[T]{Data: room(&s.dz, depthBlock*sumColumns), Rows: hi - lo, Cols: j1 - j0, Stride: sumColumns}
			c.deriveRows(s, c.act, dz, c.dy.View(lo, hi, j0, j1), c.saved.View(lo, hi, j0, j1))
		}
		c.addBlock(s, sums, dz, b == 0)
	}
}

// spread does a stage, on several threads where the work is worth it.
func (c *call[T]) spread(s stage, parts int) {
	c.stage = s
	if c.work < limits.parallel {
		c.run(0, parts)
		return
	}
	parallelTask(parts, 1, c)
}

// run does some parts of the stage.
func (c *call[T]) run(lo, hi int) {
	s := c.pool.scratch.Get().(*scratch[T])
	for i := lo; i < hi; i++ {
		c.do(s, i)
	}
	c.pool.scratch.Put(s)
}

// do does part i of the stage.
func (c *call[T]) do(s *scratch[T], i int) {
	switch c.stage {
	case computingY:
		c.y.job(s, i)
	case directY:
		c.directPart(s, &c.y.product, i)
	case deriving:
		lo, hi := i*c.partRows, min((i+1)*c.partRows, c.dy.Rows)
		dz, n := c.dx.product.a, c.dy.Cols
		c.deriveInto(dz.Data[lo*n:hi*n], c.dy.View(lo, hi, 0, n), c.saved.View(lo, hi, 0, n), c.act)
	case directDXDW:
		wide := c.parts(&c.dx.product)
		switch {
		case i == 0:
			c.sumRows(s, c.db, c.dy)
		case i <= wide:
			c.directPart(s, &c.dx.product, i-1)
		default:
			c.directPart(s, &c.dw.product, i-1-wide)
		}
	case computingDXDW:
		dw, dx := c.dw.jobs(), c.dx.jobs()
		switch {
		case i < dw:
			c.dw.job(s, i)
		case i < dw+dx:
			c.dx.job(s, i-dw)
		default:
			c.sum(s, i-dw-dx)
		}
	}
}

// done gives the call back, without the references to the caller's memory.
func (c *call[T]) done() {
	p := c.pool
	*c = call[T]{dz: c.dz}
	p.calls.Put(c)
}
