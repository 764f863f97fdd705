package device

import (
	"fmt"
	"unsafe"
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

func checkLinear[T Float](y, z, x, w Matrix[T], b []T, act Activation) error {
	const k = "linear"
	n, in, out := x.Rows, x.Cols, w.Cols
	if err := checkKind(k, act); err != nil {
		return err
	}
	if err := checkMatrix(k, "X", x, n, in); err != nil {
		return err
	}
	if err := checkMatrix(k, "W", w, in, out); err != nil {
		return err
	}
	if b != nil && len(b) != out {
		return fmt.Errorf("%s: b has %d elements, want %d, one for each column of W", k, len(b), out)
	}
	if err := checkOutput(k, "Y", y, n, out, named[T]{"X", x}, named[T]{"W", w}, named[T]{"b", row(b)}); err != nil {
		return err
	}
	if !z.Given() {
		return nil
	}
	return checkOutput(k, "Z", z, n, out, named[T]{"X", x}, named[T]{"W", w}, named[T]{"b", row(b)}, named[T]{"Y", y})
}

func checkLinearBackward[T Float](dx, dw Matrix[T], db []T, x, w, dy, a Matrix[T], act Activation) error {
	const k = "linear backward"
	n, out := dy.Rows, dy.Cols
	if err := checkKind(k, act); err != nil {
		return err
	}
	if err := checkMatrix(k, "dY", dy, n, out); err != nil {
		return err
	}
	if act.Kind != Identity || a.Given() {
		name := "Y"
		if act.Kind.UsesZ() {
			name = "Z"
		}
		if err := checkMatrix(k, name, a, n, out); err != nil {
			return err
		}
	}
	if dw.Given() {
		if err := checkMatrix(k, "X", x, n, dw.Rows); err != nil {
			return err
		}
		if err := checkOutput(k, "dW", dw, x.Cols, out,
			named[T]{"X", x}, named[T]{"dY", dy}, named[T]{"a", a}, named[T]{"W", w}, named[T]{"dX", dx}); err != nil {
			return err
		}
	}
	if dx.Given() {
		if err := checkMatrix(k, "W", w, dx.Cols, out); err != nil {
			return err
		}
		if err := checkOutput(k, "dX", dx, n, w.Rows,
			named[T]{"W", w}, named[T]{"dY", dy}, named[T]{"a", a}, named[T]{"X", x}); err != nil {
			return err
		}
	}
	if db == nil {
		return nil
	}
	if len(db) != out {
		return fmt.Errorf("%s: db has %d elements, want %d, one for each column of dY", k, len(db), out)
	}
	return checkOutput(k, "db", row(db), 1, out,
		named[T]{"dY", dy}, named[T]{"a", a}, named[T]{"X", x}, named[T]{"W", w}, named[T]{"dX", dx}, named[T]{"dW", dw})
}

func checkActivate[T Float](y, z []T, act Activation) error {
	const k = "activate"
	if err := checkKind(k, act); err != nil {
		return err
	}
	return checkElementwise(k, named[T]{"y", row(y)}, true, named[T]{"z", row(z)})
}

func checkActivationBackward[T Float](dz, dy, a []T, act Activation, order int) error {
	const k = "activation backward"
	if err := checkKind(k, act); err != nil {
		return err
	}
	if order != 1 && order != 2 {
		return fmt.Errorf("%s: derivative of order %d asked for, want 1 or 2", k, order)
	}
	return checkElementwise(k, named[T]{"dz", row(dz)}, true, named[T]{"dy", row(dy)}, named[T]{"a", row(a)})
}

func checkSoftmaxCrossEntropy[T Float](logits, targets Matrix[T]) error {
	const k = "softmax cross-entropy"
	if err := checkMatrix(k, "logits", logits, logits.Rows, logits.Cols); err != nil {
		return err
	}
	if logits.Rows == 0 || logits.Cols == 0 {
		return fmt.Errorf("%s: logits are %d×%d, want at least one row and one class", k, logits.Rows, logits.Cols)
	}
	return checkMatrix(k, "targets", targets, logits.Rows, logits.Cols)
}

func checkSoftmaxCrossEntropyBackward[T Float](dlogits, logits, targets Matrix[T]) error {
	const k = "softmax cross-entropy backward"
	if err := checkMatrix(k, "logits", logits, logits.Rows, logits.Cols); err != nil {
		return err
	}
	if err := checkMatrix(k, "targets", targets, logits.Rows, logits.Cols); err != nil {
		return err
	}
	return checkOutput(k, "dlogits", dlogits, logits.Rows, logits.Cols,
		named[T]{"logits", logits}, named[T]{"targets", targets})
}

func checkMean[T Float](kernel, name string, p, t []T) error {
	if len(p) == 0 {
		return fmt.Errorf("%s: %s is empty, want at least one element", kernel, name)
	}
	return checkLength(kernel, "target", len(t), name, len(p))
}

func checkMeanBackward[T Float](kernel, name string, dp, p, t []T) error {
	return checkElementwise(kernel, named[T]{"d" + name, row(dp)}, false,
		named[T]{name, row(p)}, named[T]{"target", row(t)})
}

func checkSoftmax[T Float](y, z Matrix[T]) error {
	const k = "softmax"
	if err := checkMatrix(k, "z", z, z.Rows, z.Cols); err != nil {
		return err
	}
	if same(y, z) {
		return checkMatrix(k, "y", y, z.Rows, z.Cols)
	}
	return checkOutput(k, "y", y, z.Rows, z.Cols, named[T]{"z", z})
}

func checkBroadcastRows[T Float](y Matrix[T], v []T) error {
	return checkOutput("broadcast rows", "y", y, y.Rows, len(v), named[T]{"v", row(v)})
}

func checkGatherRows[T Float](dst, src Matrix[T], index []int) error {
	const k = "gather rows"
	if err := checkMatrix(k, "src", src, src.Rows, src.Cols); err != nil {
		return err
	}
	if err := checkOutput(k, "dst", dst, len(index), src.Cols, named[T]{"src", src}); err != nil {
		return err
	}
	for i, j := range index {
		if j < 0 || j >= src.Rows {
			return fmt.Errorf("%s: index[%d] is %d, want 0 to %d, a row of src", k, i, j, src.Rows-1)
		}
	}
	return nil
}

func checkClamp[T Float](limit T) error {
	if !(limit >= 0) {
		return fmt.Errorf("clamp: limit is %v, want 0 or more", limit)
	}
	return nil
}

func checkSGD[T Float](w, g, momentum []T, s SGDStep) error {
	if s.Momentum == 0 {
		return checkUpdate("sgd", w, named[T]{"g", row(g)})
	}
	return checkUpdate("sgd", w, named[T]{"g", row(g)}, named[T]{"momentum", row(momentum)})
}

func checkAdam[T Float](w, g, m, v []T, s AdamStep) error {
	if err := checkStep("adam", s.Step); err != nil {
		return err
	}
	return checkUpdate("adam", w, named[T]{"g", row(g)}, named[T]{"m", row(m)}, named[T]{"v", row(v)})
}

func checkRMSprop[T Float](w, g, square, momentum, mean []T, s RMSpropStep) error {
	moments := []named[T]{{"g", row(g)}, {"square", row(square)}, {}, {}}[:2]
	if s.Momentum > 0 {
		moments = append(moments, named[T]{"momentum", row(momentum)})
	}
	if s.Centered {
		moments = append(moments, named[T]{"mean", row(mean)})
	}
	return checkUpdate("rmsprop", w, moments...)
}

func checkAdagrad[T Float](w, g, sum []T, s AdagradStep) error {
	if err := checkStep("adagrad", s.Step); err != nil {
		return err
	}
	return checkUpdate("adagrad", w, named[T]{"g", row(g)}, named[T]{"sum", row(sum)})
}

// named is an argument with the name that errors call it by.
type named[T Float] struct {
	name string
	Matrix[T]
}

// row views v as one row.
func row[T Float](v []T) Matrix[T] { return MatrixOf(v, 1, len(v)) }

func checkKind(kernel string, act Activation) error {
	if act.Kind > SiLU {
		return fmt.Errorf("%s: activation kind %d is unknown, want Identity (0) to SiLU (%d)", kernel, act.Kind, SiLU)
	}
	return nil
}

func checkStep(kernel string, step int) error {
	if step < 1 {
		return fmt.Errorf("%s: step %d, want steps counted from 1", kernel, step)
	}
	return nil
}

func checkLength(kernel, name string, n int, like string, want int) error {
	if n != want {
		return fmt.Errorf("%s: %s has %d elements, want %d as in %s", kernel, name, n, want, like)
	}
	return nil
}

// checkElementwise checks that out and the inputs are equally long and that
// out overlaps none of them; with inPlace it may be the first.
func checkElementwise[T Float](kernel string, out named[T], inPlace bool, inputs ...named[T]) error {
	for i, in := range inputs {
		if err := checkLength(kernel, out.name, out.Cols, in.name, in.Cols); err != nil {
			return err
		}
		if i == 0 && inPlace && same(out.Matrix, in.Matrix) {
			continue
		}
		if overlap(out.Matrix, in.Matrix) {
			return overlapError(kernel, out.name, in.name)
		}
	}
	return nil
}

// checkUpdate checks that the gradient and the moments are as long as w and
// that no two of these overlap.
func checkUpdate[T Float](kernel string, w []T, moments ...named[T]) error {
	for i, m := range moments {
		if err := checkLength(kernel, m.name, m.Cols, "w", len(w)); err != nil {
			return err
		}
		if overlap(m.Matrix, row(w)) {
			return overlapError(kernel, m.name, "w")
		}
		for _, o := range moments[:i] {
			if overlap(m.Matrix, o.Matrix) {
				return overlapError(kernel, m.name, o.name)
			}
		}
	}
	return nil
}

// checkOutput checks the shape of out and that it overlaps no input.
func checkOutput[T Float](kernel, name string, out Matrix[T], rows, cols int, inputs ...named[T]) error {
	if err := checkMatrix(kernel, name, out, rows, cols); err != nil {
		return err
	}
	for _, in := range inputs {
		if overlap(out, in.Matrix) {
			return overlapError(kernel, name, in.name)
		}
	}
	return nil
}

// checkMatrix checks that m is rows×cols and that its data reach that far.
func checkMatrix[T Float](kernel, name string, m Matrix[T], rows, cols int) error {
	switch {
	case m.Rows != rows || m.Cols != cols:
		return fmt.Errorf("%s: %s is %d×%d, want %d×%d", kernel, name, m.Rows, m.Cols, rows, cols)
	case rows < 0 || cols < 0:
		return fmt.Errorf("%s: %s is %d×%d, want no negative size", kernel, name, rows, cols)
	case m.Stride < cols:
		return fmt.Errorf("%s: %s has stride %d, want at least its %d columns", kernel, name, m.Stride, cols)
	case len(m.Data) < extent(m):
		return fmt.Errorf("%s: %s holds %d elements, want %d for %d×%d with stride %d",
			kernel, name, len(m.Data), extent(m), rows, cols, m.Stride)
	}
	return nil
}

// extent is the number of elements from the first of m to its last.
func extent[T Float](m Matrix[T]) int {
	if m.Rows <= 0 || m.Cols <= 0 {
		return 0
	}
	return (m.Rows-1)*m.Stride + m.Cols
}

func overlapError(kernel, out, in string) error {
	return fmt.Errorf("%s: %s shares memory with %s, want separate memory", kernel, out, in)
}

// same reports whether a and b are one view of one memory.
func same[T Float](a, b Matrix[T]) bool {
	return unsafe.SliceData(a.Data) == unsafe.SliceData(b.Data) && (a.Stride == b.Stride || a.Rows <= 1)
}

// overlap reports whether a and b have an element in common. Column blocks of
// one matrix lie between each other in memory and have none.
func overlap[T Float](a, b Matrix[T]) bool {
	na, nb := extent(a), extent(b)
	if na == 0 || nb == 0 || len(a.Data) < na || len(b.Data) < nb {
		return false
	}
	var zero T
	size := int(unsafe.Sizeof(zero))
	pa := uintptr(unsafe.Pointer(unsafe.SliceData(a.Data)))
	pb := uintptr(unsafe.Pointer(unsafe.SliceData(b.Data)))
	if pa+uintptr(na*size) <= pb || pb+uintptr(nb*size) <= pa {
		return false
	}
	if a.Rows == 1 {
		a.Stride = b.Stride
	}
	if b.Rows == 1 {
		b.Stride = a.Stride
	}
	if a.Stride != b.Stride || a.Cols+b.Cols > a.Stride {
		return true
	}
	// b starts in column c of the matrix that a is the first columns of.
	c := (int(pb-pa) / size) % a.Stride
	if c < 0 {
		c += a.Stride
	}
	return c < a.Cols || c+b.Cols > a.Stride
}
