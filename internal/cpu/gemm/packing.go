package gemm

import (
	"github.com/affine-go/affine/internal/cpu/elementwise"
	"github.com/affine-go/affine/internal/kernel"
)

// packA packs terms d0 to d1 of tiles t0 to t1 of A.
func (p *blocked[T]) packA(s *scratch[T], packed []T, t0, t1, d0, d1 int) {
	a, dst := &p.a, packed
	for t := t0; t < t1; {
		rows, end := p.sameRows(t, t1)
		i0 := p.rowTiles.start(t)
		if !a.alongRows {
			columns := (end - t) * rows
			m := a.View(d0, d1, i0, i0+columns)
			if a.act.Kind != kernel.Identity {
				m = p.derived(s, a, d0, d1, i0, i0+columns)
			}
			p.packAcross(s, dst, rows*(d1-d0), m, rows, end-t, false)
			dst = dst[columns*(d1-d0):]
			t = end
			continue
		}
		if a.act.Kind == kernel.Identity {
			p.packAlong(s, dst, rows, a.Matrix, i0, i0+rows, d0, d1, false)
		} else {
			p.packAlong(s, dst, rows, p.derived(s, a, i0, i0+rows, d0, d1), 0, rows, 0, d1-d0, false)
		}
		dst = dst[rows*(d1-d0):]
		t++
	}
	if p.alpha != 1 {
		elementwise.Scale(packed, p.alpha)
	}
}

// packB packs terms d0 to d1 of columns j0 to j1 of B.
func (p *blocked[T]) packB(s *scratch[T], panel []T, j0, j1, d0, d1 int) {
	step := (j1 - j0 + p.lanes - 1) / p.lanes * p.lanes
	b := &p.b
	switch {
	case b.alongRows:
		p.packAlong(s, panel, step, b.Matrix, j0, j1, d0, d1, true)
	case b.act.Kind != kernel.Identity:
		dst := kernel.Matrix[T]{Data: panel, Rows: d1 - d0, Cols: j1 - j0, Stride: step}
		p.deriveRows(s, b.act, dst, b.View(d0, d1, j0, j1), b.saved.View(d0, d1, j0, j1))
	default:
		p.packAcross(s, panel, 0, b.View(d0, d1, j0, j1), j1-j0, 1, true)
	}
}

// derived returns part of dZ = dY ⊙ act', in a buffer.
func (p *blocked[T]) derived(s *scratch[T], f *factor[T], i0, i1, j0, j1 int) kernel.Matrix[T] {
	step := (j1 - j0 + p.lanes - 1) / p.lanes * p.lanes
	dz := kernel.Matrix[T]{Data: grow(&s.dz, (i1-i0)*step), Rows: i1 - i0, Cols: j1 - j0, Stride: step}
	p.deriveRows(s, f.act, dz, f.View(i0, i1, j0, j1), f.saved.View(i0, i1, j0, j1))
	return dz
}

// packAcross packs a matrix whose rows are the terms, in strips of columns of
// the same width, each next elements after the last in dst. With pad, terms are
// filled up with zeros to whole vectors.
func (k *kernels[T]) packAcross(s *scratch[T], dst []T, next int, m kernel.Matrix[T], width, strips int, pad bool) {
	if strips == 0 {
		return
	}
	element := size[T]()
	p := &s.pack
	p.vectors = (width + k.lanes - 1) / k.lanes
	p.load[0] = k.masks[min(width, k.lanes)]
	p.load[1] = k.masks[width-(p.vectors-1)*k.lanes]
	p.save = p.load
	p.dstStep = width * element
	if pad {
		p.save = [2]mask{k.masks[k.lanes], k.masks[k.lanes]}
		p.dstStep = p.vectors * k.lanes * element
	}
	p.n, p.strips = m.Rows, strips
	p.dst, p.dstNext = pointer(dst, 0), next*element
	p.src, p.srcNext = pointer(m.Data, 0), width*element
	p.srcStep = m.Stride * element
	k.packRows(p)
}

// packAlong packs rows lo to hi of a factor whose sums run along the rows:
// terms d0 to d1, step elements from one to the next in dst. With pad, terms
// are filled up to whole vectors with what does not matter.
func (k *kernels[T]) packAlong(s *scratch[T], dst []T, step int, m kernel.Matrix[T], lo, hi, d0, d1 int, pad bool) {
	element := size[T]()
	p := &s.pack
	p.n = d1 - d0
	p.dstStep = step * element
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

// applyRows computes dst = act(src).
func (k *kernels[T]) applyRows(s *scratch[T], act kernel.Activation, dst, src kernel.Matrix[T]) {
	if f := k.apply[act.Kind]; f != nil {
		k.overRows(s, f, act, dst, src, kernel.Matrix[T]{})
		return
	}
	for i := range src.Rows {
		elementwise.Activate(dst.Row(i), src.Row(i), act)
	}
}

// deriveRows computes dst = dY ⊙ act' and fills up the last vector of each row
// with zeros.
func (k *kernels[T]) deriveRows(s *scratch[T], act kernel.Activation, dst, dy, saved kernel.Matrix[T]) {
	if f := k.derive[act.Kind]; f != nil {
		k.overRows(s, f, act, dst, dy, saved)
		return
	}
	for i := range dy.Rows {
		d := dst.Row(i)
		elementwise.ActivationBackward(d, dy.Row(i), saved.Row(i), act, 1)
		clear(d[len(d) : (len(d)+k.lanes-1)/k.lanes*k.lanes])
	}
}

// overRows calls a kernel that goes over rows, for all of dst. saved may be
// missing.
func (k *kernels[T]) overRows(s *scratch[T], f func(*rows[T]), act kernel.Activation, dst, src, saved kernel.Matrix[T]) {
	if src.Rows == 0 || src.Cols == 0 {
		return
	}
	element := size[T]()
	r := &s.rows
	r.dst, r.dstStep = &dst.Data[0], dst.Stride*element
	r.src, r.srcStep = &src.Data[0], src.Stride*element
	r.saved, r.savedStep = pointer(saved.Data, 0), saved.Stride*element
	r.n = src.Rows
	r.vectors = (src.Cols + k.lanes - 1) / k.lanes
	r.rest = src.Cols - (r.vectors-1)*k.lanes
	r.alpha = T(act.Alpha)
	f(r)
}
