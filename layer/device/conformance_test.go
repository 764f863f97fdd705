package device

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// The conformance tests run every kernel of every device that opens here, in
// both element types, beside a plain loop in float64.

// onDevices runs the tests on all devices.
func onDevices(t *testing.T, test32 func(*testing.T, suite[float32]), test64 func(*testing.T, suite[float64])) {
	for _, name := range []string{"cpu", "cuda"} {
		d, err := Open(name)
		if err != nil {
			if name == "cpu" {
				t.Fatal(err)
			}
			continue
		}
		t.Run(name+"/float32", func(t *testing.T) { test32(t, newSuite[float32](t, d, 0x1p-23)) })
		t.Run(name+"/float64", func(t *testing.T) { test64(t, newSuite[float64](t, d, 0x1p-52)) })
	}
}

// A suite is a device under test for one element type.
type suite[T Float] struct {
	Kernels[T]
	device  Device
	rng     *rand.Rand
	epsilon float64 // the distance from 1 to the next number
}

func newSuite[T Float](t *testing.T, d Device, epsilon float64) suite[T] {
	t.Helper()
	return suite[T]{For[T](d), d, rand.New(rand.NewPCG(1, 2)), epsilon}
}

// gapValue fills the space between the rows of matrices.
const gapValue = -777

// matrix returns rows×cols normal numbers in the device's memory, with gap
// elements between the rows.
func (s suite[T]) matrix(t *testing.T, rows, cols, gap int) Matrix[T] {
	t.Helper()
	data, err := s.Alloc(rows * (cols + gap))
	if err != nil {
		t.Fatal(err)
	}
	m := Matrix[T]{Data: data, Rows: rows, Cols: cols, Stride: cols + gap}
	for i := range data {
		data[i] = gapValue
	}
	for i := range rows {
		for j := range cols {
			data[i*m.Stride+j] = T(s.rng.NormFloat64())
		}
	}
	return m
}

// empty is a matrix whose elements are NaN, for results.
func (s suite[T]) empty(t *testing.T, rows, cols, gap int) Matrix[T] {
	t.Helper()
	m := s.matrix(t, rows, cols, gap)
	for i := range rows {
		for j := range cols {
			m.Data[i*m.Stride+j] = T(math.NaN())
		}
	}
	return m
}

// vector is one row of a matrix.
func (s suite[T]) vector(t *testing.T, n int) []T {
	t.Helper()
	return s.matrix(t, 1, n, 0).Data
}

// done checks that the kernel and all work of the device went well.
func (s suite[T]) done(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.device.Sync(); err != nil {
		t.Fatalf("sync: %v", err)
	}
}

// transposed is m with its columns in order in memory.
func (s suite[T]) transposed(t *testing.T, m Matrix[T], gap int) Matrix[T] {
	t.Helper()
	c := s.matrix(t, m.Cols, m.Rows, gap)
	for i := range m.Rows {
		for j := range m.Cols {
			c.Data[j*c.Stride+i] = m.Data[i*m.Stride+j]
		}
	}
	c.Rows, c.Cols, c.Transposed = m.Rows, m.Cols, true
	return c
}

// at is element (i, j) of m.
func at[T Float](m Matrix[T], i, j int) float64 {
	if m.Transposed {
		i, j = j, i
	}
	return float64(m.Data[i*m.Stride+j])
}

// check compares got with want(i, j) and with the size of what may be lost:
// bound(i, j) in units of epsilon. The gaps must be untouched.
func (s suite[T]) check(t *testing.T, name string, got Matrix[T], want func(i, j int) (value, bound float64)) {
	t.Helper()
	stored := got.Stored()
	for i := range stored.Rows {
		for j := range stored.Stride {
			if j >= stored.Cols {
				if i*stored.Stride+j < len(stored.Data) && at(stored, i, j) != gapValue {
					t.Fatalf("%s: written beside row %d", name, i)
				}
				continue
			}
			row, col := i, j
			if got.Transposed {
				row, col = j, i
			}
			value, bound := want(row, col)
			if d := math.Abs(at(stored, i, j) - value); !(d <= bound*s.epsilon) {
				t.Fatalf("%s (%d, %d): got %v, want %v, off by %g, more than %g", name, row, col, at(stored, i, j), value, d, bound*s.epsilon)
			}
		}
	}
}

// checkVector is check for one row.
func (s suite[T]) checkVector(t *testing.T, name string, got []T, want func(j int) (value, bound float64)) {
	t.Helper()
	s.check(t, name, MatrixOf(got, 1, len(got)), func(_, j int) (float64, float64) { return want(j) })
}

// unchanged returns a function that checks that the slices are as they were.
func unchanged[T Float](slices ...[]T) func(t *testing.T) {
	var before [][]T
	for _, s := range slices {
		before = append(before, append([]T(nil), s...))
	}
	return func(t *testing.T) {
		t.Helper()
		for i, s := range slices {
			for j := range s {
				if s[j] != before[i][j] {
					t.Fatalf("input %d was written: element %d was %v and is %v", i, j, before[i][j], s[j])
				}
			}
		}
	}
}

var activations = []Activation{{Kind: Identity}, {Kind: ReLU}, {Kind: LeakyReLU, Alpha: 0.2}, {Kind: Tanh}, {Kind: Sigmoid}, {Kind: GELU}, {Kind: SiLU},
	{Kind: Softplus, Beta: 1, Threshold: 20}, {Kind: Softplus, Beta: -2.5, Threshold: 1}}

// apply is act(z).
func apply(act Activation, z float64) float64 {
	switch act.Kind {
	case ReLU:
		return math.Max(z, 0)
	case LeakyReLU:
		return math.Max(z, 0) + act.Alpha*math.Min(z, 0)
	case Tanh:
		return math.Tanh(z)
	case Sigmoid:
		return 1 / (1 + math.Exp(-z))
	case GELU:
		return z * 0.5 * math.Erfc(-z/math.Sqrt2)
	case SiLU:
		return z / (1 + math.Exp(-z))
	case Softplus:
		if act.Beta*z <= act.Threshold {
			return math.Log1p(math.Exp(act.Beta*z)) / act.Beta
		}
	}
	return z
}

// derivative is the derivative D(a) of act in the quantity that it is written
// in, or the derivative of D.
func derivative(act Activation, a float64, order int) float64 {
	cdf, pdf := 0.5*math.Erfc(-a/math.Sqrt2), math.Exp(-a*a/2)/math.Sqrt(2*math.Pi)
	s, c := 1/(1+math.Exp(-a)), 1/(1+math.Exp(a))
	d := [2]float64{1, 0}
	switch act.Kind {
	case ReLU:
		d = [2]float64{0, 0}
		if a > 0 {
			d[0] = 1
		}
	case LeakyReLU:
		d = [2]float64{act.Alpha, 0}
		if a > 0 {
			d[0] = 1
		}
	case Tanh:
		d = [2]float64{1 - a*a, -2 * a}
	case Sigmoid:
		d = [2]float64{a * (1 - a), 1 - 2*a}
	case GELU:
		d = [2]float64{cdf + a*pdf, pdf * (2 - a*a)}
	case SiLU:
		d = [2]float64{s + a*s*c, s * c * (2 + a*(c-s))}
	case Softplus:
		if act.Beta*a <= act.Threshold {
			e := math.Exp(act.Beta * a)
			d = [2]float64{e / (1 + e), act.Beta * e / (1 + e) / (1 + e)}
		}
	}
	return d[order-1]
}

func TestAlloc(t *testing.T) { onDevices(t, testAlloc[float32], testAlloc[float64]) }

func testAlloc[T Float](t *testing.T, s suite[T]) {
	for _, n := range []int{0, 1, 1000} {
		data, err := s.Alloc(n)
		s.done(t, err)
		if len(data) != n {
			t.Fatalf("%d elements asked for, got %d", n, len(data))
		}
		for i, v := range data {
			if v != 0 {
				t.Fatalf("element %d of %d is %v, want 0", i, n, v)
			}
			data[i] = 1
		}
		s.Free(data)
	}
	if _, err := s.Alloc(-1); err == nil {
		t.Error("-1 elements: no error")
	}
}

func TestActivate(t *testing.T) { onDevices(t, testActivate[float32], testActivate[float64]) }

func testActivate[T Float](t *testing.T, s suite[T]) {
	for _, act := range activations {
		for _, n := range []int{0, 1, 7, 64, 1000} {
			name := fmt.Sprintf("activation %d of %d elements", act.Kind, n)
			z, y := s.vector(t, n), s.empty(t, 1, n, 0).Data
			same := unchanged(z)
			s.done(t, s.Activate(y, z, act))
			same(t)
			s.checkVector(t, name, y, func(j int) (float64, float64) {
				return apply(act, float64(z[j])), 4 * (1 + math.Abs(float64(z[j])))
			})
			s.done(t, s.Activate(z, z, act))
			s.checkVector(t, name+" in place", z, func(j int) (float64, float64) { return float64(y[j]), 0 })
		}
	}
}

func TestActivationBackward(t *testing.T) {
	onDevices(t, testActivationBackward[float32], testActivationBackward[float64])
}

func testActivationBackward[T Float](t *testing.T, s suite[T]) {
	for _, act := range activations {
		for order := 1; order <= 2; order++ {
			for _, n := range []int{0, 1, 7, 64, 1000} {
				name := fmt.Sprintf("derivative %d of activation %d of %d elements", order, act.Kind, n)
				a, dy, dz := s.vector(t, n), s.vector(t, n), s.empty(t, 1, n, 0).Data
				same := unchanged(a, dy)
				s.done(t, s.ActivationBackward(dz, dy, a, act, order))
				same(t)
				s.checkVector(t, name, dz, func(j int) (float64, float64) {
					x, d := float64(a[j]), float64(dy[j])
					return d * derivative(act, x, order), 8 * math.Abs(d) * (1 + x*x)
				})
				s.done(t, s.ActivationBackward(dy, dy, a, act, order))
				s.checkVector(t, name+" in place", dy, func(j int) (float64, float64) { return float64(dz[j]), 0 })
			}
		}
	}
}

func TestRowKernels(t *testing.T) { onDevices(t, testRowKernels[float32], testRowKernels[float64]) }

func testRowKernels[T Float](t *testing.T, s suite[T]) {
	for _, shape := range [][2]int{{0, 3}, {3, 0}, {1, 1}, {5, 3}, {40, 70}} {
		rows, cols := shape[0], shape[1]
		src, y := s.matrix(t, 9, cols, 2), s.empty(t, rows, cols, 1)
		v := s.vector(t, cols)
		same := unchanged(src.Data, v)
		s.done(t, s.BroadcastRows(y, v))
		s.check(t, "broadcast rows", y, func(_, j int) (float64, float64) { return float64(v[j]), 0 })
		index := make([]int, rows)
		for i := range index {
			index[i] = s.rng.IntN(9)
		}
		s.done(t, s.GatherRows(y, src, index))
		s.check(t, "gather rows", y, func(i, j int) (float64, float64) { return at(src, index[i], j), 0 })
		same(t)
	}
}

func TestVectorKernels(t *testing.T) {
	onDevices(t, testVectorKernels[float32], testVectorKernels[float64])
}

func testVectorKernels[T Float](t *testing.T, s suite[T]) {
	for _, n := range []int{0, 1, 7, 64, 1000, 100_000} {
		x := s.vector(t, n)
		same := unchanged(x)
		var want float64
		for _, v := range x {
			want += float64(v) * float64(v)
		}
		got, err := s.SumOfSquares(x)
		s.done(t, err)
		same(t)
		if !(math.Abs(got-want) <= 1e-12*want) {
			t.Fatalf("sum of %d squares: got %v, want %v", n, got, want)
		}
		before := append([]T(nil), x...)
		s.done(t, s.Clamp(x, 0.7))
		s.checkVector(t, "clamp", x, func(j int) (float64, float64) {
			return math.Min(math.Max(float64(before[j]), -float64(T(0.7))), float64(T(0.7))), 0
		})
		copy(before, x)
		s.done(t, s.Scale(x, -1.3))
		s.checkVector(t, "scale", x, func(j int) (float64, float64) { return -1.3 * float64(before[j]), 2 })
	}
}

// Slices need not come from Alloc.
func TestKernelsTakeOrdinarySlices(t *testing.T) {
	onDevices(t, testOrdinarySlices[float32], testOrdinarySlices[float64])
}

func testOrdinarySlices[T Float](t *testing.T, s suite[T]) {
	x, w, b := []T{1, 2, 3, 4}, []T{1, 0, -1, 0, 1, 1}, []T{10, 20, 30}
	y := make([]T, 6)
	s.done(t, s.Linear(MatrixOf(y, 2, 3), Matrix[T]{}, MatrixOf(x, 2, 2), MatrixOf(w, 2, 3), b, Activation{}))
	for i, want := range []T{11, 22, 31, 13, 24, 31} {
		if y[i] != want {
			t.Fatalf("got %v, want 11 22 31 13 24 31", y)
		}
	}
	s.done(t, s.Scale(y[1:3], 2))
	if y[0] != 11 || y[1] != 44 || y[2] != 62 || y[3] != 13 {
		t.Errorf("elements 1 and 2 doubled: got %v", y)
	}
}
