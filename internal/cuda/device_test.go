//go:build gpu

package cuda

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/affine-go/affine/internal/cudasim"

	"github.com/affine-go/affine/internal/kernel"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 && cudasim.Present() {
		for _, left := range []string{"handles", "bytes", "contexts", "violations"} {
			if n := cudasim.Get(left); n != 0 {
				fmt.Printf("%d %s are left over\n", n, left)
				code = 1
			}
		}
		if n := cudasim.LtObjects(); n != 0 {
			fmt.Printf("%d objects of cublasLt are left over\n", n)
			code = 1
		}
	}
	os.Exit(code)
}

// open opens card 0, and closes it when the test ends.
func open(t testing.TB) *Device {
	t.Helper()
	d, err := Open(0)
	if err != nil {
		t.Skipf("there is no card: %v", err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return d
}

// standIn skips tests that only the stand-in driver can be made to run.
func standIn(t testing.TB) {
	t.Helper()
	if _, err := Count(); err != nil || !cudasim.Present() {
		t.Skip("the driver is not the stand-in")
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func alloc[T kernel.Float](t testing.TB, d *Device, values ...T) []T {
	t.Helper()
	data, err := NewKernels[T](d).Alloc(len(values))
	must(t, err)
	copy(data, values)
	return data
}

func TestOpeningAndClosingLeavesNothing(t *testing.T) {
	standIn(t)
	for range 1000 {
		d, err := Open(0)
		must(t, err)
		must(t, NewKernels[float32](d).Scale(alloc[float32](t, d, 1, 2), 3))
		must(t, d.Close())
	}
	for _, left := range []string{"handles", "bytes", "contexts", "violations"} {
		if n := cudasim.Get(left); n != 0 {
			t.Errorf("%d %s are left over", n, left)
		}
	}
}

func TestClosedDeviceAnswersWithErrors(t *testing.T) {
	d, err := Open(0)
	if err != nil {
		t.Skip(err)
	}
	must(t, d.Close())
	x := []float32{1}
	_, allocError := NewKernels[float32](d).Alloc(1)
	_, infoError := d.Info()
	_, lossError := NewKernels[float32](d).MSE(x, x)
	for what, err := range map[string]error{
		"close": d.Close(), "sync": d.Sync(), "alloc": allocError, "info": infoError, "loss": lossError,
		"scale": NewKernels[float32](d).Scale(x, 2), "step": d.Step(func() error { return nil }),
	} {
		if !errors.Is(err, errClosed) {
			t.Errorf("%s: error %v, want %v", what, err, errClosed)
		}
	}
	NewKernels[float32](d).Free(x)
}

func TestOpenSaysWhichCardsThereAre(t *testing.T) {
	n, err := Count()
	if err != nil {
		t.Skip(err)
	}
	if _, err := Open(n); err == nil || !strings.Contains(err.Error(), fmt.Sprint(n)) {
		t.Errorf("error %v, want one that says that there are %d cards", err, n)
	}
}

func TestWithoutCardOpenSaysWhy(t *testing.T) {
	if _, err := Count(); err == nil {
		t.Skip("there is a card")
	}
	_, err := Open(0)
	if err == nil || !strings.Contains(err.Error(), "driver") {
		t.Errorf("error %v, want one that speaks of the driver", err)
	}
}

func TestEveryAllocationMayFail(t *testing.T) {
	standIn(t)
	failed := 0
	for n := 1; ; n++ {
		if n > 100 {
			t.Fatal("the work never ends without an allocation that fails")
		}
		cudasim.Set("fail_alloc", n)
		err := func() error {
			d, err := Open(0)
			if err != nil {
				return err
			}
			defer func() { must(t, d.Close()) }()
			x, err := NewKernels[float32](d).Alloc(10)
			if err != nil {
				return err
			}
			if err := d.Step(func() error { return NewKernels[float32](d).Scale(x, 2) }); err != nil {
				return err
			}
			big := make([]float32, firstWorkspace)
			return NewKernels[float32](d).Scale(big, 2)
		}()
		left := cudasim.Get("fail_alloc")
		cudasim.Set("fail_alloc", 0)
		if left > 0 {
			must(t, err)
			break
		}
		// A failed allocation of managed memory is tried again after collection.
		if err != nil {
			failed++
			if !isOutOfMemory(err) {
				t.Errorf("allocation %d: error %v, want out of memory", n, err)
			}
		}
	}
	if failed < 3 {
		t.Errorf("only %d allocations failed", failed)
	}
}

func TestLostDeviceAnswersWithErrorsAndCloses(t *testing.T) {
	standIn(t)
	for calls := 1; calls < 120; calls += 7 {
		d, err := Open(0)
		must(t, err)
		x := alloc[float64](t, d, 1, 2, 3)
		cudasim.Set("lost_after", calls)
		for range 50 {
			if err = NewKernels[float64](d).Scale(x, 1); err != nil {
				break
			}
		}
		if err == nil || !strings.Contains(err.Error(), "unspecified launch failure") {
			t.Errorf("error %v, want the driver's", err)
		}
		if err := d.Sync(); err == nil {
			t.Error("sync of a lost device went well")
		}
		cudasim.Set("lost", 0)
		// The card is back, so that Close can give everything back for the next round.
		must(t, d.Close())
	}
}

func TestResultsArriveFromSeveralGoroutines(t *testing.T) {
	d := open(t)
	errs := make(chan error)
	for g := range 4 {
		go func() {
			var err error
			for i := range 20 {
				x := []float64{float64(g), float64(i)}
				var sum float64
				if sum, err = NewKernels[float64](d).SumOfSquares(x); err == nil && sum != float64(g*g+i*i) {
					err = fmt.Errorf("sum of squares of %v is %v", x, sum)
				}
				if err != nil {
					break
				}
			}
			errs <- err
		}()
	}
	for range 4 {
		must(t, <-errs)
	}
}

func TestFreedMemoryIsHandedOutAgainZeroed(t *testing.T) {
	d := open(t)
	for _, n := range []int{1, 100, 3000, largeBytes/4 - 1, largeBytes / 4, 1 << 20, chunkBytes / 4} {
		a, err := NewKernels[float32](d).Alloc(n)
		must(t, err)
		for i := range a {
			a[i] = 7
		}
		address := addressOf(a)
		NewKernels[float32](d).Free(a)
		b, err := NewKernels[float32](d).Alloc(n)
		must(t, err)
		if addressOf(b) != address {
			t.Errorf("%d elements: new memory, want that which was freed", n)
		}
		for i, v := range b {
			if v != 0 {
				t.Fatalf("%d elements: element %d is %v, want 0", n, i, v)
			}
		}
	}
}

func TestSizeClassesWasteAtMostAnEighth(t *testing.T) {
	for n := 1; n < 1<<22; n += 1 + n/7 {
		c := sizeClass(n)
		if c < n || c%granule != 0 || float64(c) > math.Max(float64(n+granule), 1.13*float64(n)) || sizeClass(c) != c {
			t.Errorf("the class of %d is %d", n, c)
		}
	}
}

func TestProductsLoseMantissaOnlyIfAsked(t *testing.T) {
	if os.Getenv("AFFINE_CUBLASLT") == "" {
		t.Setenv("AFFINE_CUBLASLT", "first") // the own kernels may be faster, and do not round
	}
	d := open(t)
	if !d.lt.Available() {
		t.Skip("there is no cublasLt")
	}
	const n = 128
	x := make([]float32, n*n)
	for i := range x {
		x[i] = 1 + 0x1p-20*float32(i%16) + 0x1p-9*float32(i%3)
	}
	y := make([]float32, n*n)
	m := func(data []float32) kernel.Matrix[float32] {
		return kernel.Matrix[float32]{Data: data, Rows: n, Cols: n, Stride: n}
	}
	product := func() float64 {
		must(t, NewKernels[float32](d).Linear(m(y), kernel.Matrix[float32]{}, m(x), m(x), nil, kernel.Activation{}))
		return float64(y[n+1])
	}
	exact := product()
	for _, c := range []struct {
		precision  string
		least, top float64 // of the error, relative
	}{{"high", 1e-8, 0x1p-10}, {"medium", 1e-5, 0x1p-7}} {
		must(t, d.SetMatmulPrecision(c.precision))
		if e := math.Abs(product()-exact) / exact; !(e >= c.least && e <= c.top) {
			t.Errorf("%s: relative error %v, want %v to %v", c.precision, e, c.least, c.top)
		}
	}
	must(t, d.SetMatmulPrecision("highest"))
	if again := product(); again != exact {
		t.Errorf("got %v after switching back, want %v", again, exact)
	}
	if err := d.SetMatmulPrecision("low"); err == nil || !strings.Contains(err.Error(), "highest, high or medium") {
		t.Errorf("error %v, want the names of the precisions", err)
	}
}

// The bias gradient comes with the weight gradient where cublasLt computes that.
func TestBiasGradientComesWithTheLargeProduct(t *testing.T) {
	standIn(t)
	d := open(t)
	if !d.lt.Available() {
		t.Skip("there is no cublasLt")
	}
	const n = 64
	matrix := func() kernel.Matrix[float32] {
		data, err := NewKernels[float32](d).Alloc(n * n)
		must(t, err)
		for i := range data {
			data[i] = float32(i % 7)
		}
		return kernel.Matrix[float32]{Data: data, Rows: n, Cols: n, Stride: n}
	}
	x, w, dy, dx, dw, db := matrix(), matrix(), matrix(), matrix(), matrix(), matrix().Data[:n]
	must(t, NewKernels[float32](d).LinearBackward(dx, dw, db, x, w, dy, kernel.Matrix[float32]{}, kernel.Activation{})) // measures
	products, kernels := cudasim.Get("products"), cudasim.Get("kernels")
	must(t, NewKernels[float32](d).LinearBackward(dx, dw, db, x, w, dy, kernel.Matrix[float32]{}, kernel.Activation{}))
	if p, k := cudasim.Get("products")-products, cudasim.Get("kernels")-kernels; p != 2 || k != 0 {
		t.Errorf("%d products and %d kernels, want 2 and none", p, k)
	}
	for j, v := range db {
		want := float32(0)
		for i := range n {
			want += dy.Data[i*n+j]
		}
		if v != want {
			t.Fatalf("db[%d] is %v, want %v", j, v, want)
		}
	}
}
