// Package bench times the fused linear op beside Gorgonia's built-in ops, in
// one run: every case is timed in many short samples, the samples of all cases
// of one shape take turns, and the median counts, so that a machine that slows
// down or is busy elsewhere slows both sides alike. Quote ratios of one run.
package bench

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/affine-go/affine/layer/device"
)

// The operations that can be timed.
const (
	// Linear is Y = X·W + b with all three gradients through a Gorgonia
	// TapeMachine: what the layer costs in anybody's model.
	Linear = "linear"
	// LinearDirect is the same by two calls to the device, without a graph.
	LinearDirect = "linear-direct"
	// MLPStep is one training step of a multi-layer perceptron with ReLU:
	// forward, softmax cross-entropy, backward, Adam. The fused side runs on
	// train.Machine with train's Adam, the built-in side on a TapeMachine with
	// Gorgonia's.
	MLPStep = "mlp-step"
)

// Case is one thing to time.
type Case struct {
	Op     string `json:"op"`
	Dtype  string `json:"dtype"`
	Batch  int    `json:"batch"`
	In     int    `json:"in"`
	Out    int    `json:"out"`
	Dims   []int  `json:"dims,omitempty"` // widths of an MLP, inputs first
	Impl   string `json:"impl"`           // "fused" or "builtin"
	Device string `json:"device"`
}

// Shape names the case without what is compared: "linear float32 128×784×512".
func (c Case) Shape() string {
	if c.Op == MLPStep {
		s := fmt.Sprintf("%s %s %d×(", c.Op, c.Dtype, c.Batch)
		for i, d := range c.Dims {
			if i > 0 {
				s += "-"
			}
			s += fmt.Sprint(d)
		}
		return s + ")"
	}
	return fmt.Sprintf("%s %s %d×%d×%d", c.Op, c.Dtype, c.Batch, c.In, c.Out)
}

// FLOPs is the number of multiplications and additions of the products: 2·b·i·o
// each for forward, dX and dW. An MLP's first layer has no dX.
func (c Case) FLOPs() float64 {
	b := float64(c.Batch)
	if c.Op != MLPStep {
		return 6 * b * float64(c.In) * float64(c.Out)
	}
	sum := 0.0
	for i, out := range c.Dims[1:] {
		products := 6.0
		if i == 0 {
			products = 4
		}
		sum += products * b * float64(c.Dims[i]) * float64(out)
	}
	return sum
}

// Result is a timed case.
type Result struct {
	Case
	NsPerOp      float64 `json:"ns_per_op"`     // median over the samples
	GFLOPS       float64 `json:"gflops"`        // 10⁹ operations a second
	PeakFraction float64 `json:"peak_fraction"` // of the processor's FMA peak; 0 where it is not known
	AllocsPerOp  float64 `json:"allocs_per_op"`
}

// Report is what [Run] returns.
type Report struct {
	Device      string             `json:"device"`
	Description string             `json:"description"`
	Threads     int                `json:"threads"`
	PeakGFLOPS  map[string]float64 `json:"peak_gflops"` // by dtype, measured in the same run
	Cases       []Result           `json:"cases"`
}

// Options says how long to measure.
type Options struct {
	Device  device.Device
	Samples int           // samples of each case, at least 1
	Sample  time.Duration // how long one sample should take at least
}

// DefaultCases returns the layer sizes and the two models that the module is
// judged by, in both dtypes, fused and built-in, on the device.
func DefaultCases(dev device.Device) []Case {
	var cases []Case
	add := func(c Case) {
		c.Device = dev.Name()
		c.Impl = "fused"
		cases = append(cases, c)
		// Gorgonia's built-in ops know the processor only, and no plain calls.
		if c.Op != LinearDirect && dev.Name() == "cpu" {
			c.Impl = "builtin"
			cases = append(cases, c)
		}
	}
	for _, dtype := range []string{"float32", "float64"} {
		for _, op := range []string{Linear, LinearDirect} {
			for _, s := range [][3]int{{32, 2, 16}, {64, 64, 64}, {128, 784, 512}, {256, 1024, 1024}, {512, 2048, 2048}} {
				add(Case{Op: op, Dtype: dtype, Batch: s[0], In: s[1], Out: s[2]})
			}
		}
		for _, s := range []struct {
			batch int
			dims  []int
		}{{32, []int{2, 16, 16, 2}}, {128, []int{784, 512, 256, 10}}} {
			add(Case{Op: MLPStep, Dtype: dtype, Batch: s.batch, In: s.dims[0], Out: s.dims[len(s.dims)-1], Dims: s.dims})
		}
	}
	return cases
}

// runner performs a case once.
type runner interface {
	run() error
	close() error
}

func newRunner(c Case, dev device.Device) (runner, error) {
	if c.Dtype != "float32" && c.Dtype != "float64" {
		return nil, fmt.Errorf("dtype is %q, want float32 or float64", c.Dtype)
	}
	if c.Impl != "fused" && c.Impl != "builtin" {
		return nil, fmt.Errorf("impl is %q, want fused or builtin", c.Impl)
	}
	if c.Batch < 1 || c.In < 1 || c.Out < 1 {
		return nil, fmt.Errorf("sizes are %d×%d×%d, want all at least 1", c.Batch, c.In, c.Out)
	}
	switch c.Op {
	case Linear:
		return newLinear(c, dev)
	case LinearDirect:
		if c.Impl == "builtin" {
			return nil, fmt.Errorf("built-in ops cannot be called without a graph")
		}
		if c.Dtype == "float32" {
			return newDirect[float32](c, dev)
		}
		return newDirect[float64](c, dev)
	case MLPStep:
		return newMLP(c, dev)
	}
	return nil, fmt.Errorf("op is %q, want %s, %s or %s", c.Op, Linear, LinearDirect, MLPStep)
}

// Run times the cases. Cases of the same shape are timed together. progress,
// where given, is told of each shape before it starts. On cancellation the
// results so far are returned with the context's error.
func Run(ctx context.Context, cases []Case, o Options, progress func(shape string)) (*Report, error) {
	if o.Samples < 1 || o.Sample <= 0 {
		return nil, fmt.Errorf("bench: %d samples of %v, want at least 1 of more than 0", o.Samples, o.Sample)
	}
	r := &Report{Device: o.Device.Name(), Description: o.Device.Description(), Threads: runtime.GOMAXPROCS(0), PeakGFLOPS: map[string]float64{}}
	for start := 0; start < len(cases); {
		end := start + 1
		for end < len(cases) && cases[end].Shape() == cases[start].Shape() {
			end++
		}
		if err := ctx.Err(); err != nil {
			return r, err
		}
		if progress != nil {
			progress(cases[start].Shape())
		}
		results, err := runGroup(ctx, cases[start:end], o, r.PeakGFLOPS)
		if err != nil {
			return r, fmt.Errorf("bench: %s: %w", cases[start].Shape(), err)
		}
		r.Cases = append(r.Cases, results...)
		start = end
	}
	// The peak is the best that was seen in the whole run.
	for i := range r.Cases {
		if peak := r.PeakGFLOPS[r.Cases[i].Dtype]; peak > 0 {
			r.Cases[i].PeakFraction = r.Cases[i].GFLOPS / peak
		}
	}
	return r, nil
}

// timed is a case on its way.
type timed struct {
	runner
	times   int // runs in a sample
	samples []float64
	allocs  float64
}

func runGroup(ctx context.Context, cases []Case, o Options, peaks map[string]float64) (results []Result, err error) {
	group := make([]*timed, len(cases))
	defer func() {
		for _, t := range group {
			if t != nil {
				if closed := t.close(); err == nil {
					err = closed
				}
			}
		}
	}()
	for i, c := range cases {
		r, err := newRunner(c, o.Device)
		if err != nil {
			return nil, err
		}
		group[i] = &timed{runner: r}
		if err := group[i].calibrate(o.Sample); err != nil {
			return nil, err
		}
	}
	for range o.Samples {
		for _, t := range group {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if err := t.sample(); err != nil {
				return nil, err
			}
		}
		measurePeak(o.Device, cases[0].Dtype, peaks)
	}
	for i, t := range group {
		slices.Sort(t.samples)
		ns := t.samples[len(t.samples)/2]
		results = append(results, Result{Case: cases[i], NsPerOp: ns, GFLOPS: cases[i].FLOPs() / ns, AllocsPerOp: t.allocs})
	}
	return results, nil
}

// calibrate warms up, then finds how many runs fill a sample.
func (t *timed) calibrate(sample time.Duration) error {
	for t.times = 1; ; t.times *= 2 {
		start := time.Now()
		if err := t.repeat(); err != nil {
			return err
		}
		if elapsed := time.Since(start); elapsed >= sample/2 {
			t.times = max(1, int(float64(t.times)*float64(sample)/float64(elapsed)))
			return nil
		}
	}
}

func (t *timed) repeat() error {
	for range t.times {
		if err := t.run(); err != nil {
			return err
		}
	}
	return nil
}

// sample times one sample. Each side pays for the garbage that it makes and
// for none of the other's: the heap is collected before.
func (t *timed) sample() error {
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	if err := t.repeat(); err != nil {
		return err
	}
	elapsed := time.Since(start)
	runtime.ReadMemStats(&after)
	t.samples = append(t.samples, float64(elapsed.Nanoseconds())/float64(t.times))
	t.allocs = float64(after.Mallocs-before.Mallocs) / float64(t.times)
	return nil
}

// measurePeak keeps the best peak seen so far.
func measurePeak(dev device.Device, dtype string, peaks map[string]float64) {
	meter, ok := dev.(device.PeakMeter)
	if !ok {
		return
	}
	peak := meter.PeakFLOPS32
	if dtype == "float64" {
		peak = meter.PeakFLOPS64
	}
	peaks[dtype] = max(peaks[dtype], peak(runtime.GOMAXPROCS(0))/1e9)
}
