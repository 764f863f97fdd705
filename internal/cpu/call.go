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
	dy, a  Matrix[T]
	act    Activation
	db     []T

	deriveRows int // rows of dZ in a part
	dzStrips   int // parts of dZ that are packed
	// Buffers: X packed; dZ as it lies, or packed for dX; dZ packed for dW.
	x, dz, dzRight []T
}

type stage int

const (
	packingX      stage = iota // X, as the left factor of Y
	computingY                 // Y, packed
	directY                    // Y
	deriving                   // dZ, as it lies
	directDXDW                 // db, dX and dW
	packingDZX                 // dZ, for dX and dW, with db; and X
	computingDXDW              // dX and dW, packed
)

const (
	// packGroup is how many tiles of A one part of the work packs.
	packGroup = 8
	// deriveElements is about how many elements of dZ one part makes.
	deriveElements = 1 << 13
)

// forward computes Y.
func (c *call[T]) forward(p *product[T]) {
	if p.small() {
		c.y.product = *p
		c.spread(directY, c.parts(p))
		return
	}
	c.y.cut(c.kernels, p)
	c.y.packedA = room(&c.x, p.m*p.depth)
	c.spread(packingX, (c.y.rowTiles.pieces+packGroup-1)/packGroup)
	c.spread(computingY, c.y.jobs())
}

// backwardDirect computes the gradients from factors as they lie.
func (c *call[T]) backwardDirect(dx, dw *product[T]) {
	c.dx.product, c.dw.product = *dx, *dw
	if c.act.Kind != Identity {
		dz := Matrix[T]{Data: room(&c.dz, c.dy.Rows*c.dy.Cols), Rows: c.dy.Rows, Cols: c.dy.Cols, Stride: c.dy.Cols}
		c.dx.a, c.dw.b = dz, dz
		c.deriveRows = max(1, deriveElements/dz.Cols)
		c.spread(deriving, (dz.Rows+c.deriveRows-1)/c.deriveRows)
		c.dy = dz
	}
	c.spread(directDXDW, 1+c.parts(dx)+c.parts(dw))
}

// backwardPacked computes the gradients from packed factors.
func (c *call[T]) backwardPacked(dx, dw *product[T]) {
	c.dx.cut(c.kernels, dx)
	c.dw.cut(c.kernels, dw)
	if c.dx.given() {
		c.dx.packedA = room(&c.dz, dx.m*dx.depth)
	}
	groups := 0
	if c.dw.given() {
		c.dw.packedA = room(&c.x, dw.m*dw.depth)
		c.dw.packedB = room(&c.dzRight, c.dw.panels*c.dw.width()*dw.depth)
		groups = (c.dw.rowTiles.pieces + packGroup - 1) / packGroup
	}
	c.dzStrips = (c.dy.Cols + stripColumns - 1) / stripColumns
	c.spread(packingDZX, c.dzStrips+groups)
	c.spread(computingDXDW, c.dw.jobs()+c.dx.jobs())
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
	case packingX:
		c.y.packTiles(s, i*packGroup, min((i+1)*packGroup, c.y.rowTiles.pieces))
	case computingY:
		c.y.job(s, i)
	case directY:
		c.directPart(s, &c.y.product, i)
	case deriving:
		lo, hi := i*c.deriveRows, min((i+1)*c.deriveRows, c.dy.Rows)
		dz, n := c.dx.a, c.dy.Cols
		c.derive(dz.Data[lo*n:hi*n], c.dy.view(lo, hi, 0, n), c.a.view(lo, hi, 0, n), c.act)
	case directDXDW:
		wide := c.parts(&c.dx.product)
		switch {
		case i == 0:
			clear(c.db)
			c.addRows(s, c.db, c.dy)
		case i <= wide:
			c.directPart(s, &c.dx.product, i-1)
		default:
			c.directPart(s, &c.dw.product, i-1-wide)
		}
	case packingDZX:
		if i < c.dzStrips {
			c.packDZ(s, i*stripColumns, min((i+1)*stripColumns, c.dy.Cols))
			return
		}
		t := (i - c.dzStrips) * packGroup
		c.dw.packTiles(s, t, min(t+packGroup, c.dw.rowTiles.pieces))
	case computingDXDW:
		if i < c.dw.jobs() {
			c.dw.job(s, i)
			return
		}
		c.dx.job(s, i-c.dw.jobs())
	}
}

// done gives the call back, without the references to the caller's memory.
func (c *call[T]) done() {
	p := c.pool
	*c = call[T]{x: c.x, dz: c.dz, dzRight: c.dzRight}
	p.calls.Put(c)
}
