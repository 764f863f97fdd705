//go:build gpu

package cuda

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/affine-go/affine/internal/cudasim"
	"github.com/affine-go/affine/internal/kernel"
)

// set sets a knob of the stand-in until the test ends.
func set(t *testing.T, knob string, value int) {
	t.Helper()
	before := cudasim.Get(knob)
	cudasim.Set(knob, value)
	t.Cleanup(func() { cudasim.Set(knob, before) })
}

// The losses of steps after a fault are those of steps without one.
func TestStepsAfterAFaultUseTheirOwnBatches(t *testing.T) {
	standIn(t)
	// Each step multiplies x by its learning rate's complement: the loss of step i
	// is the square of the element that its index names.
	train := func(t *testing.T, d *Device, steps int, at int, fault func()) (losses []float64, failures int) {
		src, dst := alloc(t, d, 1.0, 2, 4, 8, 16, 32, 64, 128), alloc(t, d, 0.0)
		zero := alloc(t, d, 0.0)
		for i := range steps {
			if i == at {
				fault()
			}
			err := d.Step(func() error {
				if err := NewKernels[float64](d).GatherRows(kernel.MatrixOf(dst, 1, 1), kernel.MatrixOf(src, 8, 1), []int{i}); err != nil {
					return err
				}
				_, err := NewKernels[float64](d).MSE(dst, zero)
				return err
			})
			if err != nil {
				failures++
			}
		}
		losses, err := d.Losses(nil)
		must(t, err)
		return losses, failures
	}
	for _, c := range []struct {
		call     string
		n, at    int // the n-th call from step at on fails
		failures int
	}{
		{"cuStreamBeginCapture", 1, 1, 0},
		{"cuLaunchKernel", 2, 1, 0}, // within the capture
		{"cuStreamEndCapture", 1, 1, 0},
		{"cuGraphInstantiateWithFlags", 1, 1, 0},
		{"cuLaunchKernel", 1, 0, 1},
		{"cuLaunchKernel", 2, 0, 1}, // the card has counted the step, the host has not
		{"cuGraphLaunch", 1, 3, 1},
	} {
		t.Run(c.call, func(t *testing.T) {
			d := open(t)
			const steps = 6
			train(t, d, 1, -1, nil) // loads the kernels
			losses, failures := train(t, d, steps, c.at, func() { cudasim.Fail(c.call, c.n) })
			cudasim.Fail(c.call, 0)
			if failures != c.failures {
				t.Errorf("%d steps failed, want %d", failures, c.failures)
			}
			var want []float64
			for i := range steps {
				if i != c.at || c.failures == 0 {
					want = append(want, math.Pow(4, float64(i)))
				}
			}
			if len(losses) != len(want) {
				t.Fatalf("losses %v, want %v", losses, want)
			}
			for i := range want {
				if losses[i] != want[i] {
					t.Fatalf("losses %v, want %v", losses, want)
				}
			}
		})
	}
}

// While the card's count of steps cannot be restored, no step is taken.
func TestNoStepIsTakenOnAWrongCount(t *testing.T) {
	standIn(t)
	d := open(t)
	x := alloc(t, d, 1.0)
	double := func() error { return d.Step(func() error { return NewKernels[float64](d).Scale(x, 2) }) }
	for range 2 {
		must(t, double())
	}
	cudasim.Fail("cuGraphLaunch", 1)
	if double() == nil {
		t.Error("a step that was not launched went well")
	}
	cudasim.Fail("cuMemcpyAsync", 1)
	if err := double(); err == nil || !strings.Contains(err.Error(), "count of steps") {
		t.Errorf("error %v, want one about the count of steps", err)
	}
	must(t, double())
	must(t, d.Sync())
	if x[0] != 8 {
		t.Errorf("x is %v after three good steps, want 8", x[0])
	}
}

// A kernel that fails while it runs is reported by a later call.
func TestFaultsOfRunningKernelsAreReported(t *testing.T) {
	standIn(t)
	d := open(t)
	x := alloc(t, d, 1.0)
	must(t, NewKernels[float64](d).Scale(x, 2))
	cudasim.Set("kernel_fails", 1)
	err := NewKernels[float64](d).Scale(x, 2)
	if err == nil || !strings.Contains(err.Error(), "illegal memory access") {
		t.Errorf("error %v, want one about an illegal access", err)
	}
	if d.Step(func() error { return NewKernels[float64](d).Scale(x, 2) }) == nil && d.Sync() == nil {
		t.Error("the lost card took a step")
	}
	cudasim.Set("lost", 0)
}

// Whichever call of the driver fails, and whichever time: there is an error, or
// the numbers are right all the same, and the device can be closed without
// leaving anything behind.
func TestEveryCallMayFail(t *testing.T) {
	standIn(t)
	none := kernel.Matrix[float32]{}
	const n, steps = 64, 4
	work := func(d *Device) (err error) {
		k := NewKernels[float32](d)
		var data [4][]float32
		for i := range data {
			if data[i], err = k.Alloc(n * n); err != nil {
				return err
			}
		}
		x, w, y := kernel.MatrixOf(data[0], n, n), kernel.MatrixOf(data[1], n, n), kernel.MatrixOf(data[2], n, n)
		copy(x.Data, slices.Repeat([]float32{1}, n*n))
		copy(w.Data, x.Data)
		host := make([]float32, n)
		for range steps {
			if err := d.Step(func() error {
				if err := k.Linear(y, none, x, w, nil, kernel.Activation{}); err != nil {
					return err
				}
				if _, err := k.MSE(y.Data, x.Data); err != nil {
					return err
				}
				return k.Update(w.Data, x.Data, kernel.Moments[float32]{}, &kernel.Update{Rule: kernel.SGD, LR: 0})
			}); err != nil {
				return err
			}
		}
		losses, err := d.Losses(nil)
		if err != nil {
			return err
		}
		if err := k.Activate(host, y.Data[:n], kernel.Activation{}); err != nil {
			return err
		}
		if _, err := d.Info(); err != nil {
			return err
		}
		for _, v := range losses {
			if v != (n-1)*(n-1) {
				return fmt.Errorf("wrong number: loss %v, want %v", v, (n-1)*(n-1))
			}
		}
		if host[n-1] != n || len(losses) != steps {
			return fmt.Errorf("wrong number: product %v, want %v; %d losses, want %d", host[n-1], n, len(losses), steps)
		}
		return nil
	}
	// What a release that fails would leave behind is left behind: those calls are
	// not among these. Nor is cuCtxSetCurrent, which does not fail once and then
	// never again: see Device.enter.
	for _, call := range []string{
		"cuDeviceGet", "cuDeviceGetAttribute", "cuDeviceGetName", "cuDeviceGetCount", "cuDevicePrimaryCtxRetain",
		"cuStreamCreate", "cuStreamSynchronize", "cuStreamBeginCapture", "cuStreamEndCapture", "cuGraphInstantiateWithFlags",
		"cuGraphLaunch", "cuLaunchKernel", "cuMemAlloc", "cuMemAllocManaged", "cuMemHostAlloc", "cuMemGetInfo", "cuMemAdvise",
		"cuMemcpyAsync", "cuMemcpyHtoD", "cuMemsetD8Async", "cuModuleLoadDataEx", "cuModuleGetFunction", "cuFuncSetAttribute",
		"cuEventCreate", "cuEventRecord", "cuEventSynchronize", "cuEventElapsedTime", "cublasLtCreate", "cublasLtMatmul",
	} {
		met := 0
		for number := 1; number <= 40; number++ {
			cudasim.Fail(call, number)
			d, err := Open(0)
			var failed bool
			if err == nil {
				err = work(d)
				failed = cudasim.Get("failing") == 0
				if closed := d.Close(); closed != nil && failed {
					t.Errorf("%s, call %d: close: %v", call, number, closed)
				}
			} else {
				failed = true
			}
			left := cudasim.Get("failing") != 0
			cudasim.Fail(call, 0)
			switch {
			case err != nil && strings.Contains(err.Error(), "wrong number"):
				t.Errorf("%s, call %d: %v", call, number, err)
			case err != nil && !failed:
				t.Errorf("%s, call %d has not come: error %v", call, number, err)
			}
			if left {
				break
			}
			met++
		}
		if met == 0 && !(strings.HasPrefix(call, "cublas") || strings.HasPrefix(call, "cuEvent") || call == "cuMemcpyHtoD" || call == "cuFuncSetAttribute") {
			t.Errorf("%s is never called", call)
		}
		for _, what := range []string{"handles", "bytes", "contexts", "violations"} {
			if v := cudasim.Get(what); v != 0 {
				t.Fatalf("%s failed: %d %s are left over", call, v, what)
			}
		}
	}
}

func ones(t *testing.T, d *Device, rows, cols int) kernel.Matrix[float32] {
	t.Helper()
	data, err := NewKernels[float32](d).Alloc(rows * cols)
	must(t, err)
	for i := range data {
		data[i] = 1
	}
	return kernel.MatrixOf(data, rows, cols)
}

func withLt(t *testing.T) *Device {
	t.Helper()
	standIn(t)
	if os.Getenv("AFFINE_CUBLASLT") == "0" {
		t.Skip("cublasLt is off")
	}
	d := open(t)
	if !d.lt.Available() {
		t.Fatalf("there is no cublasLt: %v", d.noLt)
	}
	return d
}

// What cublasLt fails at, the own kernels do, at once and from then on.
func TestOwnKernelsDoWhatCublasLtFailsAt(t *testing.T) {
	none := kernel.Matrix[float32]{}
	const n = 64
	for _, c := range []struct {
		name        string
		fault, late func()
	}{
		{"no way at all", func() { cudasim.Set("lt_refuses", 1|2|4|256) }, func() {}},
		{"no sums of columns", func() { cudasim.Set("lt_refuses", 256) }, func() {}},
		{"the first ways fail", func() { cudasim.Fail("cublasLtMatmul", 1) }, func() {}},
		{"a product fails later", func() {}, func() { cudasim.Fail("cublasLtMatmul", 1) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := withLt(t)
			x, w, dy, y, dx, dw, db := ones(t, d, n, n), ones(t, d, n, n), ones(t, d, n, n), ones(t, d, n, n),
				ones(t, d, n, n), ones(t, d, n, n), ones(t, d, 1, n)
			c.fault()
			t.Cleanup(func() {
				cudasim.Set("lt_refuses", 0)
				cudasim.Fail("cublasLtMatmul", 0)
			})
			both := func() error {
				for _, m := range []kernel.Matrix[float32]{y, dx, dw, db} {
					if err := NewKernels[float32](d).Scale(m.Data, 0); err != nil {
						return err
					}
				}
				if err := NewKernels[float32](d).Linear(y, none, x, w, db.Data, kernel.Activation{Kind: kernel.ReLU}); err != nil {
					return err
				}
				return NewKernels[float32](d).LinearBackward(dx, dw, db.Data, x, w, dy, none, kernel.Activation{})
			}
			for range 2 {
				must(t, both())
			}
			c.late()
			must(t, both())
			for range 4 { // replayed from the third on
				must(t, d.Step(both))
				must(t, d.Sync())
				for what, m := range map[string]kernel.Matrix[float32]{"Y": y, "dX": dx, "dW": dw, "db": db} {
					for i, v := range m.Data {
						if v != n {
							t.Fatalf("%s: element %d is %v, want %v", what, i, v, n)
						}
					}
				}
			}
			info, err := d.Info()
			must(t, err)
			if c.name == "a product fails later" && !strings.Contains(info.CublasLt, "status 13") {
				t.Errorf("cublasLt is %q, want its failure told", info.CublasLt)
			}
		})
	}
}

func TestPrecisionThatNeedsCublasLtIsAnErrorWithoutIt(t *testing.T) {
	standIn(t)
	t.Setenv("AFFINE_CUBLASLT", "0")
	d := open(t)
	for _, name := range []string{"high", "medium"} {
		if err := d.SetMatmulPrecision(name); err == nil || !strings.Contains(err.Error(), "cublasLt") {
			t.Errorf("%s: error %v, want one that names cublasLt", name, err)
		}
	}
	must(t, d.SetMatmulPrecision("highest"))
}

func TestCublasLtThatCannotBeOpenedIsExplained(t *testing.T) {
	standIn(t)
	cudasim.Fail("cublasLtCreate", 1)
	d := open(t)
	cudasim.Fail("cublasLtCreate", 0)
	if d.lt.Available() {
		return // another version was found
	}
	info, err := d.Info()
	must(t, err)
	if !strings.HasPrefix(info.CublasLt, "none: ") {
		t.Errorf("cublasLt is %q, want none and why", info.CublasLt)
	}
}

func TestCardWithoutConcurrentAccessIsRefused(t *testing.T) {
	standIn(t)
	set(t, "concurrent", 0)
	d, err := Open(0)
	if err == nil {
		d.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "same time") {
		t.Errorf("error %v, want one that says what the card cannot do", err)
	}
}

// Memory is given back to the driver when no step that is under way uses it.
func TestMemoryIsFreedAfterTheStepsThatUseIt(t *testing.T) {
	standIn(t)
	d := open(t)
	const n = largeBytes
	x, err := NewKernels[float32](d).Alloc(n)
	must(t, err)
	for range 3 {
		must(t, d.Step(func() error { return NewKernels[float32](d).Scale(x, 2) }))
	}
	NewKernels[float32](d).Free(x)
	cudasim.Set("fail_alloc", 1)
	y, err := NewKernels[float32](d).Alloc(2 * n) // trims the pool
	must(t, err)
	NewKernels[float32](d).Free(y)
	if v := cudasim.Get("violations"); v != 0 {
		t.Errorf("%d rules of CUDA were broken", v)
	}
}

// Where the driver does not take the machine code, it compiles PTX.
func TestKernelsComeAsPTXWhereMachineCodeIsRefused(t *testing.T) {
	standIn(t)
	d := open(t)
	if cubin(d.cubins, "elementwise") == nil {
		t.Skip("there is no machine code for this card")
	}
	cubins, jitted := cudasim.Get("cubins"), cudasim.Get("jitted")
	x := alloc(t, d, 1.0)
	must(t, NewKernels[float64](d).Scale(x, 2))
	if c, j := cudasim.Get("cubins")-cubins, cudasim.Get("jitted")-jitted; c != 1 || j != 0 {
		t.Errorf("%d modules as machine code and %d as PTX, want 1 and none", c, j)
	}
	cudasim.Fail("cuModuleLoadDataEx", 1)
	if _, err := NewKernels[float64](d).SumOfSquares(x); err != nil {
		t.Error(err)
	}
	if j := cudasim.Get("jitted") - jitted; j != 1 {
		t.Errorf("%d modules as PTX, want 1", j)
	}
	cudasim.Fail("cuModuleLoadDataEx", 0)
}

// All processors of a large card get work.
func TestTilesFillTheCard(t *testing.T) {
	for _, c := range []struct {
		processors, m, n, k int
		typed               typed
		tile                tile
		splits              int
	}{
		{132, 4096, 4096, 4096, f32, large, 1},
		{132, 1024, 1024, 1024, f32, medium, 1}, // 256 tiles; large ones would be 64
		{132, 128, 512, 784, f32, small, 2},     // 64 tiles
		{132, 784, 512, 128, f32, medium, 1},    // 104 tiles: 4 waves of small ones take longer
		{132, 32, 16, 2, f32, small, 1},
		{4, 32, 16, 2, f64, small, 1},
		{4, 256, 256, 256, f32, large, 1},
		{4, 256, 256, 256, f64, medium, 1},
	} {
		d := &Device{processors: c.processors}
		if tile, splits := d.plan(c.typed, c.m, c.n, c.k); tile != c.tile || splits != c.splits {
			t.Errorf("%d×%d×%d on %d processors: %s tiles in %d parts, want %s in %d",
				c.m, c.n, c.k, c.processors, tile.name, splits, c.tile.name, c.splits)
		}
	}
}

// The faster of cublasLt and the own kernels does a product, and keeps doing it.
func TestProductsGoTheFasterWay(t *testing.T) {
	const n = 64
	for _, c := range []struct{ productMicroseconds, products int }{{5, 4}, {500, 0}} {
		d := withLt(t)
		x, y := ones(t, d, n, n), ones(t, d, n, n)
		product := func() {
			must(t, NewKernels[float32](d).Linear(y, kernel.Matrix[float32]{}, x, x, nil, kernel.Activation{}))
		}
		set(t, "product_us", c.productMicroseconds)
		product()
		set(t, "product_us", 5) // what was measured once counts
		before := cudasim.Get("products")
		for range 4 {
			product()
		}
		if got := cudasim.Get("products") - before; got != c.products {
			t.Errorf("products of %d µs: cublasLt did %d of 4, want %d", c.productMicroseconds, got, c.products)
		}
		if y.Data[n+1] != n {
			t.Errorf("got %v, want %v", y.Data[n+1], n)
		}
	}
}
