package gemm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/affine-go/affine/internal/cpu/arch/archtest"
	"github.com/affine-go/affine/internal/cpu/elementwise"
	"github.com/affine-go/affine/internal/kernel"
)

// everyPath runs f with operands read as they lie, in both orders, and with all
// of them packed, whatever the size.
func everyPath(t *testing.T, f func(t *testing.T)) {
	before := limits
	defer func() { limits = before }()
	limits.direct, limits.directColumns, limits.parallel, limits.sweep = math.MaxInt, math.MaxInt, math.MaxInt, math.MaxInt
	t.Run("direct", f)
	limits.sweep = 0
	t.Run("along the rows of W", f)
	limits.direct, limits.directColumns = -64, -64
	t.Run("packed", f)
}

// framed is a matrix with guard words before, after and between its rows.
type framed[T kernel.Float] struct {
	kernel.Matrix[T]
	all []T
}

func newFramed[T kernel.Float](rows, cols, stride int) framed[T] {
	all := make([]T, archtest.GuardWords+rows*stride+archtest.GuardWords)
	g := framed[T]{all: all, Matrix: kernel.Matrix[T]{Data: all[archtest.GuardWords:], Rows: rows, Cols: cols, Stride: stride}}
	for i := range all {
		all[i] = archtest.Guard[T]()
	}
	return g
}

// intact tells whether nothing but the matrix was written, and all of it was.
func (g framed[T]) intact() error {
	for i, v := range g.all {
		at := i - archtest.GuardWords
		inside := at >= 0 && at < g.Rows*g.Stride && at%g.Stride < g.Cols
		if inside && archtest.SameBits(v, archtest.Guard[T]()) {
			return fmt.Errorf("element (%d, %d) was not written", at/g.Stride, at%g.Stride)
		}
		if !inside && !archtest.SameBits(v, archtest.Guard[T]()) {
			return fmt.Errorf("wrote %v at element %d, outside of the %d×%d matrix with stride %d", v, at, g.Rows, g.Cols, g.Stride)
		}
	}
	return nil
}

// activation is one of the kind, with parameters as good as any.
func activation(kind kernel.ActivationKind) kernel.Activation {
	return kernel.Activation{Kind: kind, Alpha: 0.1, Beta: 1.5, Threshold: 2}
}

// part views the upper left corner.
func part[T kernel.Float](m kernel.Matrix[T], rows, cols int) kernel.Matrix[T] {
	m.Rows, m.Cols = rows, cols
	return m
}

func random[T kernel.Float](r *rand.Rand, rows, cols, stride int) kernel.Matrix[T] {
	m := newFramed[T](rows, cols, stride).Matrix
	for i := range rows {
		for j := range cols {
			m.Data[i*stride+j] = T(r.NormFloat64())
		}
	}
	return m
}

// dot2 is a sum kept in twice the precision of float64, with the sum of the
// terms' magnitudes: the Dot2 of Ogita, Rump and Oishi ("Accurate sum and dot
// product", SIAM J. Sci. Comput. 26(6), 2005).
type dot2 struct{ high, low, magnitude float64 }

func (e *dot2) add(a, b float64) {
	product := float64(a * b) // not fused with the addition
	sum := e.high + product
	z := sum - e.high
	e.low += (e.high - (sum - z)) + (product - z) + math.FMA(a, b, -product)
	e.high = sum
	e.magnitude += math.Abs(product)
}

func (e *dot2) value() float64 { return e.high + e.low }

// bound is the error that n additions in any order may make: γ_n·Σ|aᵢbᵢ|
// (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., §3.1).
func bound[T kernel.Float](n int, magnitude float64) float64 {
	nu := float64(n) * unitRoundoff[T]()
	return nu / (1 - nu) * magnitude
}

func unitRoundoff[T kernel.Float]() float64 {
	if size[T]() == 4 {
		return 0x1p-24
	}
	return 0x1p-53
}

// agree compares a matrix with the exact sums, of so many terms.
func agree[T kernel.Float](got kernel.Matrix[T], want [][]dot2, terms int) error {
	for i := range got.Rows {
		for j, v := range got.Row(i) {
			e := &want[i][j]
			if d := math.Abs(float64(v) - e.value()); !(d <= bound[T](terms, e.magnitude)) {
				return fmt.Errorf("element (%d, %d) = %v, want %v", i, j, v, e.value())
			}
		}
	}
	return nil
}

func sums(rows, cols int) [][]dot2 {
	s := make([][]dot2, rows)
	for i := range s {
		s[i] = make([]dot2, cols)
	}
	return s
}

func check(t *testing.T, what string, m, n, k int, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatalf("%s for m=%d n=%d k=%d: %v", what, m, n, k, err)
		}
	}
}

// Every m, n and k up to 40 (a choice of them, if time counts), in all three
// forms: Z = X·W + b, dX = dZ·Wᵀ and dW = Xᵀ·dZ with db.
func TestProductsOfEverySmallShape(t *testing.T) {
	archtest.EachSet(t, func(t *testing.T) {
		everyPath(t, func(t *testing.T) {
			t.Run("float32", everySmallShape[float32])
			t.Run("float64", everySmallShape[float64])
		})
	})
}

func everySmallShape[T kernel.Float](t *testing.T) {
	const most = 40
	r := rand.New(rand.NewPCG(3, 5))
	// A·B with A most×k and B k×most is the same sum for every m and n, so the
	// reference grows with k and is compared in part. at and bt are A and B
	// transposed, as dW and dX have them.
	a, at := random[T](r, most, most, most+3), random[T](r, most, most, most+1)
	b, bt := random[T](r, most, most, most+2), random[T](r, most, most, most)
	for i := range most {
		for j := range most {
			at.Row(j)[i], bt.Row(j)[i] = a.Row(i)[j], b.Row(i)[j]
		}
	}
	bias := random[T](r, 1, most, most).Row(0)
	saved := [][]T{append([]T(nil), a.Data...), append([]T(nil), at.Data...), append([]T(nil), b.Data...), append([]T(nil), bt.Data...)}

	product, biased, columns := sums(most, most), sums(most, most), sums(1, most)
	for i := range most {
		for j := range most {
			biased[i][j].add(float64(bias[j]), 1)
		}
	}
	for k := 1; k <= most; k++ {
		for i := range most {
			for j := range most {
				product[i][j].add(float64(a.Row(i)[k-1]), float64(b.Row(k - 1)[j]))
				biased[i][j].add(float64(a.Row(i)[k-1]), float64(b.Row(k - 1)[j]))
			}
			columns[0][i].add(float64(b.Row(k - 1)[i]), 1)
		}
		for m := 1; m <= most; m++ {
			for n := 1; n <= most; n++ {
				if !archtest.Long() && (m*n+k)%11 != 0 && m != n {
					continue
				}
				y := newFramed[T](m, n, n+m%3)
				linear(y.Matrix, kernel.Matrix[T]{}, part(a, m, k), part(b, k, n), bias[:n], kernel.Activation{})
				check(t, "X·W + b", m, n, k, y.intact(), agree(y.Matrix, biased, k+1))

				dx := newFramed[T](m, n, n+k%3)
				linearBackward(dx.Matrix, kernel.Matrix[T]{}, nil, kernel.Matrix[T]{}, part(bt, n, k), part(a, m, k), kernel.Matrix[T]{}, kernel.Activation{})
				check(t, "dZ·Wᵀ", m, n, k, dx.intact(), agree(dx.Matrix, product, k))

				dw, db := newFramed[T](m, n, n+k%3), newFramed[T](1, n, n)
				linearBackward(kernel.Matrix[T]{}, dw.Matrix, db.Row(0), part(at, k, m), kernel.Matrix[T]{}, part(b, k, n), kernel.Matrix[T]{}, kernel.Activation{})
				check(t, "Xᵀ·dZ", m, n, k, dw.intact(), agree(dw.Matrix, product, k))
				check(t, "column sums of dZ", m, n, k, db.intact(), agree(db.Matrix, columns, k))
			}
		}
	}
	for i, m := range []kernel.Matrix[T]{a, at, b, bt} {
		for j, v := range m.Data {
			if w := saved[i][j]; v != w && !archtest.SameBits(w, archtest.Guard[T]()) {
				t.Fatalf("input %d changed from %v to %v at element %d", i, w, v, j)
			}
		}
	}
}

// Every activation, with and without bias, with and without room for Z, for
// every remainder of rows and columns that a tile can be left with.
func TestEpilogues(t *testing.T) {
	archtest.EachSet(t, func(t *testing.T) {
		everyPath(t, func(t *testing.T) {
			for _, kind := range kernel.Activations() {
				for option := range 4 {
					epilogue[float32](t, activation(kind), option&1 != 0, option&2 != 0)
					epilogue[float64](t, activation(kind), option&1 != 0, option&2 != 0)
				}
			}
		})
	})
}

func epilogue[T kernel.Float](t *testing.T, act kernel.Activation, withBias, withZ bool) {
	const mostRows, mostColumns, k = 15, 33, 3
	r := rand.New(rand.NewPCG(7, 11))
	x, w := random[T](r, mostRows, k, k), random[T](r, k, mostColumns, mostColumns)
	var bias []T
	if withBias {
		bias = random[T](r, 1, mostColumns, mostColumns).Row(0)
	}
	for m := 1; m <= mostRows; m++ {
		for n := 1; n <= mostColumns; n++ {
			y, z := newFramed[T](m, n, n+2), framed[T]{}
			if withZ {
				z = newFramed[T](m, n, n+1)
			}
			linear(y.Matrix, z.Matrix, x, part(w, k, n), bias[:min(n, len(bias))], act)
			check(t, fmt.Sprintf("act %d", act.Kind), m, n, k, y.intact(), z.intact())

			dy := random[T](r, m, n, n)
			a := y.Matrix
			if act.Kind.Saved() == kernel.SavedZ {
				a = random[T](r, m, n, n+1)
			}
			dx, dw, db := newFramed[T](m, k, k+1), newFramed[T](k, n, n+1), newFramed[T](1, n, n)
			linearBackward(dx.Matrix, dw.Matrix, db.Row(0), part(x, m, k), part(w, k, n), dy, a, act)
			dz, sumX, sumW, sumB := make([]T, n), sums(m, k), sums(k, n), sums(1, n)
			for i := range m {
				elementwise.ActivationBackward(dz, dy.Row(i), a.Row(i), act, 1)
				for j := range n {
					var e dot2
					for p := range k {
						e.add(float64(x.Row(i)[p]), float64(w.Row(p)[j]))
						sumX[i][p].add(float64(dz[j]), float64(w.Row(p)[j]))
						sumW[p][j].add(float64(x.Row(i)[p]), float64(dz[j]))
					}
					sumB[0][j].add(float64(dz[j]), 1)
					if withBias {
						e.add(float64(bias[j]), 1)
					}
					// Activations have slopes below 1.13 and are right to a few
					// units in the last place.
					want, tolerance := e.value(), bound[T](k+1, e.magnitude)
					if withZ && !(math.Abs(float64(z.Row(i)[j])-want) <= tolerance) {
						t.Fatalf("act %d: z(%d, %d) = %v, want %v", act.Kind, i, j, z.Row(i)[j], want)
					}
					one := []float64{want}
					elementwise.Activate(one, one, act)
					if d := math.Abs(float64(y.Row(i)[j]) - one[0]); !(d <= 1.13*tolerance+8*unitRoundoff[T]()*math.Abs(one[0])) {
						t.Fatalf("act %d: y(%d, %d) = %v, want %v", act.Kind, i, j, y.Row(i)[j], one[0])
					}
				}
			}
			what := fmt.Sprintf("backward of act %d", act.Kind)
			check(t, what, m, n, k, dx.intact(), dw.intact(), db.intact())
			check(t, what, m, n, k, agree(dx.Matrix, sumX, n), agree(dw.Matrix, sumW, m), agree(db.Matrix, sumB, m))
		}
	}
}

// Large shapes are checked by a residual, C·v against A·(B·v) with signs for
// v, which takes m·n + n·k + m·k operations instead of m·n·k (Freivalds,
// "Probabilistic machines can use less running time", IFIP 1977).
func TestProductsOfLargeShapes(t *testing.T) {
	shapes := [][3]int{ // batch, in, out
		{1, 1000, 777}, {2, 513, 129}, {129, 1, 1000}, {300, 1000, 1}, {1000, 2, 3}, {257, 300, 515},
		{31, 1033, 257}, {600, 41, 95}, {1037, 64, 33}, {64, 1100, 31}, {130, 785, 513},
	}
	archtest.EachSet(t, func(t *testing.T) {
		for _, s := range shapes {
			largeShape[float32](t, s[0], s[1], s[2])
			largeShape[float64](t, s[0], s[1], s[2])
		}
	})
}

func largeShape[T kernel.Float](t *testing.T, batch, in, out int) {
	r := rand.New(rand.NewPCG(uint64(batch), uint64(out)))
	x, w, dz := random[T](r, batch, in, in+1), random[T](r, in, out, out+5), random[T](r, batch, out, out)
	y, dx, dw, db := newFramed[T](batch, out, out+3), newFramed[T](batch, in, in), newFramed[T](in, out, out+1), newFramed[T](1, out, out)
	linear(y.Matrix, kernel.Matrix[T]{}, x, w, nil, kernel.Activation{})
	linearBackward(dx.Matrix, dw.Matrix, db.Row(0), x, w, dz, kernel.Matrix[T]{}, kernel.Activation{})
	check(t, "X·W", batch, out, in, y.intact(), residual(y.Matrix, x, w, r))
	check(t, "dZ·Wᵀ", batch, in, out, dx.intact(), residual(dx.Matrix, dz, transpose(w), r))
	check(t, "Xᵀ·dZ", in, out, batch, dw.intact(), residual(dw.Matrix, transpose(x), dz, r))
	ones := newFramed[T](1, batch, batch)
	for i := range batch {
		ones.Row(0)[i] = 1
	}
	check(t, "column sums of dZ", 1, out, batch, db.intact(), residual(db.Matrix, ones.Matrix, dz, r))
}

func transpose[T kernel.Float](m kernel.Matrix[T]) kernel.Matrix[T] {
	t := newFramed[T](m.Cols, m.Rows, m.Rows).Matrix
	for i := range m.Rows {
		for j, v := range m.Row(i) {
			t.Row(j)[i] = v
		}
	}
	return t
}

func residual[T kernel.Float](c, a, b kernel.Matrix[T], r *rand.Rand) error {
	sign := make([]float64, c.Cols)
	for j := range sign {
		sign[j] = float64(r.IntN(2)*2 - 1)
	}
	bv := make([]dot2, b.Rows)
	for p := range bv {
		for j, v := range b.Row(p) {
			bv[p].add(float64(v), sign[j])
		}
	}
	for i := range c.Rows {
		var got, want dot2
		for j, v := range c.Row(i) {
			got.add(float64(v), sign[j])
		}
		var magnitude float64
		for p, v := range a.Row(i) {
			want.add(float64(v), bv[p].high)
			want.add(float64(v), bv[p].low)
			magnitude += math.Abs(float64(v)) * bv[p].magnitude
		}
		if d := math.Abs(got.value() - want.value()); !(d <= bound[T](len(bv), magnitude)) {
			return fmt.Errorf("row %d is off by %v", i, d)
		}
	}
	return nil
}

// Without rows, columns or terms the sums are empty, not forgotten.
func TestEmptyShapes(t *testing.T) {
	archtest.EachSet(t, func(t *testing.T) {
		everyPath(t, func(t *testing.T) {
			bias := []float32{1, -2, 3}
			y := newFramed[float32](2, 3, 4)
			linear(y.Matrix, kernel.Matrix[float32]{}, kernel.Matrix[float32]{Rows: 2}, kernel.Matrix[float32]{Cols: 3, Stride: 3}, bias, kernel.Activation{Kind: kernel.ReLU})
			for i := range 2 {
				if row := y.Row(i); row[0] != 1 || row[1] != 0 || row[2] != 3 {
					t.Errorf("no inputs: row %d = %v, want relu of the bias", i, row)
				}
			}
			linear(kernel.Matrix[float32]{Cols: 3, Stride: 3}, kernel.Matrix[float32]{}, kernel.Matrix[float32]{Cols: 2, Stride: 2}, random[float32](rand.New(rand.NewPCG(1, 1)), 2, 3, 3), bias, kernel.Activation{})

			dw, db := newFramed[float32](2, 3, 4), newFramed[float32](1, 3, 3)
			linearBackward(kernel.Matrix[float32]{}, dw.Matrix, db.Row(0), kernel.Matrix[float32]{Cols: 2, Stride: 2}, kernel.Matrix[float32]{}, kernel.Matrix[float32]{Cols: 3, Stride: 3}, kernel.Matrix[float32]{}, kernel.Activation{Kind: kernel.Tanh})
			for i := range 2 {
				if row := dw.Row(i); row[0] != 0 || row[1] != 0 || row[2] != 0 {
					t.Errorf("empty batch: row %d of dW = %v, want zeros", i, row)
				}
			}
			if row := db.Row(0); row[0] != 0 || row[1] != 0 || row[2] != 0 {
				t.Errorf("empty batch: db = %v, want zeros", row)
			}

			dx := newFramed[float32](2, 3, 4)
			linearBackward(dx.Matrix, kernel.Matrix[float32]{}, nil, kernel.Matrix[float32]{}, kernel.Matrix[float32]{Rows: 3}, kernel.Matrix[float32]{Rows: 2}, kernel.Matrix[float32]{}, kernel.Activation{})
			for i := range 2 {
				if row := dx.Row(i); row[0] != 0 || row[1] != 0 || row[2] != 0 {
					t.Errorf("no outputs: row %d of dX = %v, want zeros", i, row)
				}
			}
		})
	})
}

// The same bits come out of any number of threads, and of every run.
func TestBitsDoNotDependOnThreads(t *testing.T) {
	archtest.EachSet(t, func(t *testing.T) {
		t.Run("float32", threadsAgree[float32])
		t.Run("float64", threadsAgree[float64])
	})
}

func threadsAgree[T kernel.Float](t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(before)
	r := rand.New(rand.NewPCG(13, 17))
	for _, s := range [][3]int{{128, 300, 150}, {70, 530, 290}, {300, 33, 700}} {
		batch, in, out := s[0], s[1], s[2]
		x, w, dy := random[T](r, batch, in, in), random[T](r, in, out, out), random[T](r, batch, out, out)
		bias := random[T](r, 1, out, out).Row(0)
		act := kernel.Activation{Kind: kernel.Tanh}
		var want [4]kernel.Matrix[T]
		for run, threads := range []int{1, 2, 3, 8, 16, 33, 64} {
			runtime.GOMAXPROCS(threads)
			got := [4]kernel.Matrix[T]{
				newFramed[T](batch, out, out).Matrix, newFramed[T](batch, in, in).Matrix,
				newFramed[T](in, out, out).Matrix, newFramed[T](1, out, out).Matrix,
			}
			linear(got[0], kernel.Matrix[T]{}, x, w, bias, act)
			linearBackward(got[1], got[2], got[3].Row(0), x, w, dy, got[0], act)
			if run == 0 {
				want = got
				continue
			}
			for i, name := range []string{"Y", "dX", "dW", "db"} {
				for row := range got[i].Rows {
					for j, v := range got[i].Row(row) {
						if v != want[i].Row(row)[j] {
							t.Fatalf("%v: %s(%d, %d) = %v with %d threads, %v with one", s, name, row, j, v, threads, want[i].Row(row)[j])
						}
					}
				}
			}
		}
	}
}

// Calls from several goroutines at once do not disturb each other.
func TestConcurrentCalls(t *testing.T) {
	r := rand.New(rand.NewPCG(19, 23))
	x, w := random[float32](r, 60, 120, 120), random[float32](r, 120, 90, 90)
	want := newFramed[float32](60, 90, 90).Matrix
	linear(want, kernel.Matrix[float32]{}, x, w, nil, kernel.Activation{})
	failed := make(chan error, 8)
	for range cap(failed) {
		go func() {
			y := newFramed[float32](60, 90, 90).Matrix
			for range 30 {
				linear(y, kernel.Matrix[float32]{}, x, w, nil, kernel.Activation{})
				for i := range 60 {
					for j, v := range y.Row(i) {
						if v != want.Row(i)[j] {
							failed <- fmt.Errorf("y(%d, %d) = %v, want %v", i, j, v, want.Row(i)[j])
							return
						}
					}
				}
			}
			failed <- nil
		}()
	}
	for range cap(failed) {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
}

func TestLinearAllocatesNothing(t *testing.T) {
	if archtest.UnderRace {
		t.Skip("the race detector makes sync.Pool forget")
	}
	r := rand.New(rand.NewPCG(29, 31))
	for _, s := range [][3]int{{32, 2, 16}, {64, 64, 64}, {128, 256, 128}} {
		x, w, dy := random[float32](r, s[0], s[1], s[1]), random[float32](r, s[1], s[2], s[2]), random[float32](r, s[0], s[2], s[2])
		y, dx, dw := newFramed[float32](s[0], s[2], s[2]), newFramed[float32](s[0], s[1], s[1]), newFramed[float32](s[1], s[2], s[2])
		db := make([]float32, s[2])
		step := func() {
			linear(y.Matrix, kernel.Matrix[float32]{}, x, w, db, kernel.Activation{Kind: kernel.Tanh})
			linearBackward(dx.Matrix, dw.Matrix, db, x, w, dy, y.Matrix, kernel.Activation{Kind: kernel.Tanh})
		}
		step()
		if a := testing.AllocsPerRun(50, step); a >= 1 {
			t.Errorf("%v: %v allocations a step, want 0", s, a)
		}
	}
}

// A gradient that is asked for alone has the same bits as among the others.
func TestGradientsOneByOne(t *testing.T) {
	archtest.EachSet(t, func(t *testing.T) {
		everyPath(t, func(t *testing.T) {
			for _, kind := range kernel.Activations() {
				oneByOne[float32](t, activation(kind))
				oneByOne[float64](t, activation(kind))
			}
		})
	})
}

func oneByOne[T kernel.Float](t *testing.T, act kernel.Activation) {
	const batch, in, out = 37, 45, 150
	r := rand.New(rand.NewPCG(37, 41))
	x, w := random[T](r, batch, in, in), random[T](r, in, out, out)
	dy, a := random[T](r, batch, out, out+1), random[T](r, batch, out, out)
	var none kernel.Matrix[T]
	dx, dw, db := newFramed[T](batch, in, in), newFramed[T](in, out, out), newFramed[T](1, out, out)
	linearBackward(dx.Matrix, dw.Matrix, db.Row(0), x, w, dy, a, act)

	dx1, dw1, db1 := newFramed[T](batch, in, in), newFramed[T](in, out, out), newFramed[T](1, out, out)
	linearBackward(dx1.Matrix, none, nil, none, w, dy, a, act)
	linearBackward(none, dw1.Matrix, nil, x, none, dy, a, act)
	linearBackward(none, none, db1.Row(0), none, none, dy, a, act)
	for i, name := range []string{"dX", "dW", "db"} {
		if !archtest.EqualBits([][]T{dx.all, dw.all, db.all}[i], [][]T{dx1.all, dw1.all, db1.all}[i]) {
			t.Errorf("act %d: %s alone differs from %s with the other gradients", act.Kind, name, name)
		}
	}
}

// linear is Linear of matrices that need not be variables.
func linear[T kernel.Float](y, z, x, w kernel.Matrix[T], b []T, act kernel.Activation) {
	Linear(&y, &z, &x, &w, b, act)
}

// linearBackward is LinearBackward of matrices that need not be variables.
func linearBackward[T kernel.Float](dx, dw kernel.Matrix[T], db []T, x, w, dy, saved kernel.Matrix[T], act kernel.Activation) {
	LinearBackward(&dx, &dw, db, &x, &w, &dy, &saved, act)
}
