package device

import (
	"fmt"

	kernels "github.com/affine-go/affine/internal/kernel"
)

// The checks that every device makes before it computes. Each takes the
// arguments of the kernel that it is named for and returns nil, or an error
// that names the kernel, what came and what was wanted.

func checkAlloc(n int) error {
	if n < 0 {
		return fmt.Errorf("alloc: %d elements asked for, want 0 or more", n)
	}
	return nil
}

func checkLinear[T Float](y, z, x, w *Matrix[T], b []T, act Activation) error {
	const k = "linear"
	n, in, out := x.Rows, x.Cols, w.Cols
	if err := checkActivation(k, act); err != nil {
		return err
	}
	if err := checkMatrix(k, "X", x, n, in); err != nil {
		return err
	}
	if err := checkWeight(k, "W", w, in, out); err != nil {
		return err
	}
	if b != nil && len(b) != out {
		return fmt.Errorf("%s: b has %d elements, want %d, one for each column of W", k, len(b), out)
	}
	if err := checkMatrix(k, "Y", y, n, out); err != nil {
		return err
	}
	if z.Given() {
		if err := checkMatrix(k, "Z", z, n, out); err != nil {
			return err
		}
	}
	if apart([]span{spanOf(y), spanOf(z)}, []span{spanOf(x), spanOf(w), spanOfSlice(b)}) {
		return nil
	}
	return checkOverlap(k, []named[T]{{"Y", *y}, {"Z", *z}}, []named[T]{{"X", *x}, {"W", *w}, {"b", row(b)}})
}

func checkLinearBackward[T Float](dx, dw *Matrix[T], db []T, x, w, dy, saved *Matrix[T], act Activation) error {
	const k = "linear backward"
	n, out := dy.Rows, dy.Cols
	if err := checkActivation(k, act); err != nil {
		return err
	}
	if err := checkMatrix(k, "dY", dy, n, out); err != nil {
		return err
	}
	if act.Kind != Identity || saved.Given() {
		if err := checkMatrix(k, act.Kind.Saved().String(), saved, n, out); err != nil {
			return err
		}
	}
	if dw.Given() {
		if err := checkMatrix(k, "X", x, n, dw.Rows); err != nil {
			return err
		}
		if err := checkWeight(k, "dW", dw, x.Cols, out); err != nil {
			return err
		}
	}
	if dx.Given() {
		if err := checkWeight(k, "W", w, dx.Cols, out); err != nil {
			return err
		}
		if err := checkMatrix(k, "dX", dx, n, w.Rows); err != nil {
			return err
		}
	}
	if db != nil && len(db) != out {
		return fmt.Errorf("%s: db has %d elements, want %d, one for each column of dY", k, len(db), out)
	}
	if apart([]span{spanOf(dx), spanOf(dw), spanOfSlice(db)}, []span{spanOf(x), spanOf(w), spanOf(dy), spanOf(saved)}) {
		return nil
	}
	return checkOverlap(k, []named[T]{{"dX", *dx}, {"dW", *dw}, {"db", row(db)}},
		[]named[T]{{"X", *x}, {"W", *w}, {"dY", *dy}, {act.Kind.Saved().String(), *saved}})
}

func checkActivate[T Float](y, z []T, act Activation) error {
	const k = "activate"
	if err := checkActivation(k, act); err != nil {
		return err
	}
	if err := checkLength(k, "y", y, "z", z); err != nil {
		return err
	}
	if sameStart(y, z) || apart([]span{spanOfSlice(y)}, []span{spanOfSlice(z)}) {
		return nil
	}
	return checkOverlap(k, []named[T]{{"y", row(y)}}, []named[T]{{"z", row(z)}})
}

func checkActivationBackward[T Float](dz, dy, saved []T, act Activation, order int) error {
	const k = "activation backward"
	if err := checkActivation(k, act); err != nil {
		return err
	}
	if order != 1 && order != 2 {
		return fmt.Errorf("%s: derivative of order %d asked for, want 1 or 2", k, order)
	}
	if err := checkLength(k, "dz", dz, "dy", dy); err != nil {
		return err
	}
	if err := checkLength(k, "saved", saved, "dz", dz); err != nil {
		return err
	}
	if sameStart(dz, dy) {
		dy = nil
	}
	if apart([]span{spanOfSlice(dz)}, []span{spanOfSlice(saved), spanOfSlice(dy)}) {
		return nil
	}
	return checkOverlap(k, []named[T]{{"dz", row(dz)}}, []named[T]{{"saved", row(saved)}, {"dy", row(dy)}})
}

func checkSoftmaxCrossEntropy[T Float](logits, targets Matrix[T]) error {
	const k = "softmax cross-entropy"
	if err := checkMatrix(k, "logits", &logits, logits.Rows, logits.Cols); err != nil {
		return err
	}
	if logits.Rows == 0 || logits.Cols == 0 {
		return fmt.Errorf("%s: logits are %d×%d, want at least one row and one class", k, logits.Rows, logits.Cols)
	}
	return checkMatrix(k, "targets", &targets, logits.Rows, logits.Cols)
}

func checkSoftmaxCrossEntropyBackward[T Float](dlogits, logits, targets Matrix[T]) error {
	const k = "softmax cross-entropy backward"
	if err := checkMatrix(k, "logits", &logits, logits.Rows, logits.Cols); err != nil {
		return err
	}
	if err := checkMatrix(k, "targets", &targets, logits.Rows, logits.Cols); err != nil {
		return err
	}
	if err := checkMatrix(k, "dlogits", &dlogits, logits.Rows, logits.Cols); err != nil {
		return err
	}
	if apart([]span{spanOf(&dlogits)}, []span{spanOf(&logits), spanOf(&targets)}) {
		return nil
	}
	return checkOverlap(k, []named[T]{{"dlogits", dlogits}}, []named[T]{{"logits", logits}, {"targets", targets}})
}

func checkMean[T Float](kernel, name string, p, t []T) error {
	if len(p) == 0 {
		return fmt.Errorf("%s: %s is empty, want at least one element", kernel, name)
	}
	return checkLength(kernel, "target", t, name, p)
}

func checkMeanBackward[T Float](kernel, name string, dp, p, t []T) error {
	if len(dp) != len(p) {
		return checkLength(kernel, "d"+name, dp, name, p)
	}
	if err := checkLength(kernel, "target", t, name, p); err != nil {
		return err
	}
	if apart([]span{spanOfSlice(dp)}, []span{spanOfSlice(p), spanOfSlice(t)}) {
		return nil
	}
	return checkOverlap(kernel, []named[T]{{"d" + name, row(dp)}}, []named[T]{{name, row(p)}, {"target", row(t)}})
}

func checkSoftmax[T Float](y, z Matrix[T]) error {
	const k = "softmax"
	if err := checkMatrix(k, "z", &z, z.Rows, z.Cols); err != nil {
		return err
	}
	if err := checkMatrix(k, "y", &y, z.Rows, z.Cols); err != nil {
		return err
	}
	if sameStart(y.Data, z.Data) && (y.Stride == z.Stride || y.Rows <= 1) {
		return nil
	}
	return checkOverlap(k, []named[T]{{"y", y}}, []named[T]{{"z", z}})
}

func checkDropout[T Float](y, x Matrix[T], d Dropout) error {
	const k = "dropout"
	if !(d.P >= 0 && d.P < 1) {
		return fmt.Errorf("%s: probability is %v, want at least 0 and less than 1", k, d.P)
	}
	if err := checkMatrix(k, "X", &x, x.Rows, x.Cols); err != nil {
		return err
	}
	if err := checkMatrix(k, "Y", &y, x.Rows, x.Cols); err != nil {
		return err
	}
	if sameStart(y.Data, x.Data) && (y.Stride == x.Stride || y.Rows <= 1) {
		return nil
	}
	return checkOverlap(k, []named[T]{{"Y", y}}, []named[T]{{"X", x}})
}

func checkBroadcastRows[T Float](y Matrix[T], v []T) error {
	const k = "broadcast rows"
	if err := checkMatrix(k, "y", &y, y.Rows, len(v)); err != nil {
		return err
	}
	return checkOverlap(k, []named[T]{{"y", y}}, []named[T]{{"v", row(v)}})
}

func checkGatherRows[T Float](dst, src Matrix[T], index []int) error {
	const k = "gather rows"
	if err := checkMatrix(k, "src", &src, src.Rows, src.Cols); err != nil {
		return err
	}
	if err := checkMatrix(k, "dst", &dst, len(index), src.Cols); err != nil {
		return err
	}
	for i, j := range index {
		if j < 0 || j >= src.Rows {
			return fmt.Errorf("%s: index[%d] is %d, want 0 to %d, a row of src", k, i, j, src.Rows-1)
		}
	}
	return checkOverlap(k, []named[T]{{"dst", dst}}, []named[T]{{"src", src}})
}

func checkClamp[T Float](limit T) error {
	if !(limit >= 0) {
		return fmt.Errorf("clamp: limit is %v, want 0 or more", limit)
	}
	return nil
}

// checkUpdate checks that the gradient and the moments in use are as long as w
// and that no two of these overlap.
func checkUpdate[T Float](w, g []T, moments Moments[T], u *Update) error {
	if !u.Rule.Known() {
		return fmt.Errorf("update: %v is unknown, want one of %v", u.Rule, kernels.Rules())
	}
	k := u.Rule.String()
	if u.Rule.Counts() && u.Step < 1 {
		return fmt.Errorf("%s: step %d, want steps counted from 1", k, u.Step)
	}
	if err := checkLength(k, "g", g, "w", w); err != nil {
		return err
	}
	names, used := u.Rule.Moments(), u.Uses()
	spans := [5]span{spanOfSlice(w), spanOfSlice(g)}
	for i, m := range moments {
		if !used[i] {
			continue
		}
		if err := checkLength(k, names[i], m, "w", w); err != nil {
			return err
		}
		spans[2+i] = spanOfSlice(m)
	}
	if apart(spans[:], nil) {
		return nil
	}
	all := []named[T]{{"w", row(w)}, {"g", row(g)}}
	for i, m := range moments {
		if used[i] {
			all = append(all, named[T]{names[i], row(m)})
		}
	}
	return checkOverlap(k, all, nil)
}

func checkActivation(kernel string, act Activation) error {
	if err := act.Check(); err != nil {
		return fmt.Errorf("%s: %w", kernel, err)
	}
	return nil
}

func checkLength[T Float](kernel, name string, data []T, like string, want []T) error {
	if len(data) != len(want) {
		return fmt.Errorf("%s: %s has %d elements, want %d as in %s", kernel, name, len(data), len(want), like)
	}
	return nil
}

// checkMatrix checks that m is rows×cols and that its data reach that far.
func checkMatrix[T Float](kernel, name string, m *Matrix[T], rows, cols int) error {
	if m.Transposed {
		return fmt.Errorf("%s: %s is transposed, want its rows in order; only W and dW may be transposed", kernel, name)
	}
	return checkWeight(kernel, name, m, rows, cols)
}

// checkWeight is checkMatrix for one that may be transposed.
func checkWeight[T Float](kernel, name string, m *Matrix[T], rows, cols int) error {
	row, across := cols, "columns" // what lies together in memory
	if m.Transposed {
		row, across = rows, "rows, transposed"
	}
	if m.Rows == rows && m.Cols == cols && rows >= 0 && cols >= 0 && m.Stride >= row && len(m.Data) >= m.Extent() {
		return nil
	}
	switch {
	case m.Rows != rows || m.Cols != cols:
		return fmt.Errorf("%s: %s is %d×%d, want %d×%d", kernel, name, m.Rows, m.Cols, rows, cols)
	case rows < 0 || cols < 0:
		return fmt.Errorf("%s: %s is %d×%d, want no negative size", kernel, name, rows, cols)
	case m.Stride < row:
		return fmt.Errorf("%s: %s has stride %d, want at least its %d %s", kernel, name, m.Stride, row, across)
	}
	return fmt.Errorf("%s: %s holds %d elements, want %d for %d×%d with stride %d",
		kernel, name, len(m.Data), m.Extent(), rows, cols, m.Stride)
}
