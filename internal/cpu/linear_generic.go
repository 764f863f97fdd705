package cpu

// The products in plain loops: the reference for the packed kernels.

func linearGeneric[T Float](y, z, x, w Matrix[T], b []T, act Activation) {
	if y.Cols == 0 {
		return
	}
	for i := range y.Rows {
		yi := y.Row(i)
		clear(yi)
		for p := range w.Rows {
			axpy(yi, x.Data[i*x.Stride+p], w.Row(p))
		}
		for j, v := range b {
			yi[j] += v
		}
		if z.Given() {
			copy(z.Row(i), yi)
		}
		Activate(yi, yi, act)
	}
}

func linearBackwardGeneric[T Float](dx, dw Matrix[T], db []T, x, w, dy, a Matrix[T], act Activation) {
	if dw.Given() && dw.Cols > 0 {
		for p := range dw.Rows {
			clear(dw.Row(p))
		}
	}
	clear(db)
	dz := make([]T, dy.Cols)
	for i := range dy.Rows {
		if len(dz) > 0 {
			copy(dz, dy.Row(i))
			if act.Kind != Identity {
				ActivationBackward(dz, dz, a.Row(i), act, 1)
			}
		}
		for j := range db {
			db[j] += dz[j]
		}
		if dw.Given() && dw.Cols > 0 {
			for p := range dw.Rows {
				axpy(dw.Row(p), x.Data[i*x.Stride+p], dz)
			}
		}
		if dx.Given() {
			for p := range dx.Cols {
				var sum T
				for j, v := range dz {
					sum += v * w.Data[p*w.Stride+j]
				}
				dx.Data[i*dx.Stride+p] = sum
			}
		}
	}
}

// axpy computes y += a·x.
func axpy[T Float](y []T, a T, x []T) {
	for j, v := range x {
		y[j] += a * v
	}
}
