package cpu

// packStrip packs rows or columns lo to hi of a factor, terms d0 to d1 of its
// sums, into dst: term by term, step elements from one to the next. alongRows
// tells whether terms lie along rows, so that packing has to transpose. With
// pad, each term is filled up to whole vectors with what does not matter.
func (k *kernels[T]) packStrip(s *scratch[T], dst []T, step int, m Matrix[T], alongRows bool, lo, hi, d0, d1 int, pad bool) {
	element := size[T]()
	p := &s.pack
	p.n = d1 - d0
	p.dstStep = step * element
	if !alongRows {
		width := hi - lo
		p.vectors = (width + k.lanes - 1) / k.lanes
		p.load[0] = k.masks[min(width, k.lanes)]
		p.load[1] = k.masks[max(width-k.lanes, 0)]
		p.save = p.load
		if pad {
			p.save = [2]mask{k.masks[k.lanes], k.masks[k.lanes]}
		}
		p.dst = pointer(dst, 0)
		p.src = pointer(m.Data, d0*m.Stride+lo)
		p.srcStep = m.Stride * element
		k.packRows(p)
		return
	}
	if p.n*element < 16 { // less than the kernel reads of a row at once
		for i := range p.n {
			for j := lo; j < hi; j++ {
				dst[i*step+j-lo] = m.Data[j*m.Stride+d0+i]
			}
		}
		return
	}
	for j := lo; j < hi; j += k.lanes {
		width := min(hi-j, k.lanes)
		for r := range k.lanes {
			p.rows[r] = &m.Data[min(j+r, hi-1)*m.Stride+d0]
		}
		p.save[0] = k.masks[width]
		if pad {
			p.save[0] = k.masks[k.lanes]
		}
		p.dst = pointer(dst, j-lo)
		k.packColumns(p)
	}
}
