package cpu

// packStrip packs rows or columns lo to hi of an operand, terms d0 to d1 of
// their sums, into dst: term by term, step elements from one to the next. With
// pad, each term is filled up with zeros, or what does not matter, to whole
// vectors.
func (k *kernels[T]) packStrip(s *scratch[T], dst []T, step int, o *operand[T], lo, hi, d0, d1 int, pad bool) {
	element := size[T]()
	p := &s.pack
	p.n = d1 - d0
	p.dstStep = step * element
	if !o.alongRows {
		width := hi - lo
		p.vectors = (width + k.lanes - 1) / k.lanes
		p.load[0] = k.masks[min(width, k.lanes)]
		p.load[1] = k.masks[max(width-k.lanes, 0)]
		p.save = p.load
		if pad {
			p.save = [2]mask{k.masks[k.lanes], k.masks[k.lanes]}
		}
		p.dst = pointer(dst, 0)
		p.src = pointer(o.Data, d0*o.Stride+lo)
		p.srcStep = o.Stride * element
		k.packRows(p)
		return
	}
	if p.n*element < 16 {
		for i := range p.n {
			for j := lo; j < hi; j++ {
				dst[i*step+j-lo] = o.Data[j*o.Stride+d0+i]
			}
		}
		return
	}
	for j := lo; j < hi; j += k.lanes {
		width := min(hi-j, k.lanes)
		for r := range k.lanes {
			p.rows[r] = pointer(o.Data, min(j+r, hi-1)*o.Stride+d0)
		}
		p.save[0] = k.masks[width]
		if pad {
			p.save[0] = k.masks[k.lanes]
		}
		p.dst = pointer(dst, j-lo)
		k.packColumns(p)
	}
}

// packTiles packs tiles t0 to t1 of A, all of their terms.
func (p *product[T]) packTiles(s *scratch[T], t0, t1 int) {
	for d := range p.depths.pieces {
		d0, d1 := p.depths.bounds(d)
		for t := t0; t < t1; t++ {
			i0, i1 := p.rowTiles.bounds(t)
			p.packStrip(s, p.a.packed[p.m*d0+i0*(d1-d0):], i1-i0, &p.a, i0, i1, d0, d1, false)
		}
	}
}
