// Package bench times the fused linear op beside Gorgonia's built-in ops, in
// one run: every case is timed in many short samples, the samples of all cases
// of one shape take turns, and the median counts, so that a machine that slows
// down or is busy elsewhere slows both sides alike. Quote ratios of one run.
package bench

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/affine-go/affine/internal/timing"
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
	// Predict is rows through the predictor of a multi-layer perceptron with
	// ReLU: features in, probabilities of the classes out. A graph has no part
	// in it, so the built-in ops have none either.
	Predict = "predict"
)

// Ops returns the operations that can be timed.
func Ops() []string { return []string{Linear, LinearDirect, MLPStep, Predict} }

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
	if c.isMLP() {
		widths := strings.ReplaceAll(strings.Trim(fmt.Sprint(c.Dims), "[]"), " ", "-")
		return fmt.Sprintf("%s %s %d×(%s)", c.Op, c.Dtype, c.Batch, widths)
	}
	return fmt.Sprintf("%s %s %d×%d×%d", c.Op, c.Dtype, c.Batch, c.In, c.Out)
}

func (c Case) isMLP() bool { return c.Op == MLPStep || c.Op == Predict }

// hasBuiltin reports whether the case can be made of Gorgonia's built-in ops:
// they know the processor alone, and no call without a graph.
func (c Case) hasBuiltin() bool { return c.Device == "cpu" && (c.Op == Linear || c.Op == MLPStep) }

// FLOPs is the number of multiplications and additions of the products: 2·b·i·o
// each for forward, dX and dW. An MLP's first layer has no dX, a prediction no
// gradient.
func (c Case) FLOPs() float64 {
	b := float64(c.Batch)
	if !c.isMLP() {
		return 6 * b * float64(c.In) * float64(c.Out)
	}
	sum := 0.0
	for i, out := range c.Dims[1:] {
		products := 6.0
		switch {
		case c.Op == Predict:
			products = 2
		case i == 0:
			products = 4
		}
		sum += products * b * float64(c.Dims[i]) * float64(out)
	}
	return sum
}

// Bytes is the least that the calls of a linear-direct or a prediction read and
// write in memory: each matrix once for each call that has it as argument,
// whatever stays in a cache. It is 0 for other operations, whose graphs move
// more than the products need.
func (c Case) Bytes() float64 {
	size := 4.0
	if c.Dtype == "float64" {
		size = 8
	}
	b, in, out := float64(c.Batch), float64(c.In), float64(c.Out)
	switch c.Op {
	case LinearDirect: // reads X, W, b, writes Y; reads X, W, dY, writes dX, dW, db
		return size * (3*b*in + 3*in*out + 2*b*out + 2*out)
	case Predict: // weights and rows are of the dtype, what the caller passes is float64
		parameters := 0.0
		for i, width := range c.Dims[1:] {
			parameters += float64((c.Dims[i] + 1) * width)
		}
		return size*parameters + 8*b*(in+out)
	}
	return 0
}

// Result is a timed case.
type Result struct {
	Case
	NsPerOp      float64 `json:"ns_per_op"`          // median over the samples
	GFLOPS       float64 `json:"gflops"`             // 10⁹ operations a second
	PeakFraction float64 `json:"peak_fraction"`      // of the processor's FMA peak; 0 if it is not known
	GBPerS       float64 `json:"gb_per_s,omitempty"` // 10⁹ bytes of [Case.Bytes] a second
	AllocsPerOp  float64 `json:"allocs_per_op"`
}

// Report is what [Run] returns.
type Report struct {
	Device      string             `json:"device"`
	Description string             `json:"description"`
	Threads     int                `json:"threads"`
	PeakGFLOPS  map[string]float64 `json:"peak_gflops"` // by dtype, measured in the same run
	Cases       []Result           `json:"cases"`
	Link        *Link              `json:"link,omitempty"` // of sums over processes
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
	for _, dtype := range []string{"float32", "float64"} {
		for _, op := range []string{Linear, LinearDirect} {
			for _, s := range [][]int{{32, 2, 16}, {64, 64, 64}, {128, 784, 512}, {256, 1024, 1024}, {512, 2048, 2048}} {
				cases = append(cases, Sized(op, dtype, dev, s...)...)
			}
		}
		cases = append(cases, Sized(MLPStep, dtype, dev, 32, 2, 16, 16, 2)...)
		cases = append(cases, Sized(MLPStep, dtype, dev, 128, 784, 512, 256, 10)...)
		for _, batch := range []int{1, 32, 1024} {
			cases = append(cases, Sized(Predict, dtype, dev, batch, 784, 512, 256, 10)...)
		}
		cases = append(cases, Sized(Predict, dtype, dev, 1, 2, 16, 16, 2)...)
	}
	return cases
}

// SweepCases returns a sweep over the batch, 1 to 1024 in powers of two, of the
// plain calls at 784×512 and of predictions by 784-512-256-10: where the batch
// is small the speed of memory is the limit, then that of the arithmetic.
func SweepCases(dev device.Device) []Case {
	var cases []Case
	for _, dtype := range []string{"float32", "float64"} {
		for batch := 1; batch <= 1024; batch *= 2 {
			cases = append(cases, Sized(LinearDirect, dtype, dev, batch, 784, 512)...)
		}
		for batch := 1; batch <= 1024; batch *= 2 {
			cases = append(cases, Sized(Predict, dtype, dev, batch, 784, 512, 256, 10)...)
		}
	}
	return cases
}

// Sized returns the cases of an operation at a size, fused and, if there is
// such a thing, built-in. sizes are the batch, the inputs and the outputs, with
// the widths of the hidden layers in between for an MLP.
func Sized(op, dtype string, dev device.Device, sizes ...int) []Case {
	c := Case{Op: op, Dtype: dtype, Batch: sizes[0], In: sizes[1], Out: sizes[len(sizes)-1], Impl: "fused", Device: dev.Name()}
	if c.isMLP() {
		c.Dims = sizes[1:]
	}
	if !c.hasBuiltin() {
		return []Case{c}
	}
	builtin := c
	builtin.Impl = "builtin"
	return []Case{c, builtin}
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
	if c.isMLP() && len(c.Dims) < 2 {
		return nil, fmt.Errorf("dims are %v, want at least inputs and outputs", c.Dims)
	}
	if c.Impl == "builtin" && (c.Op == LinearDirect || c.Op == Predict) {
		return nil, fmt.Errorf("built-in ops cannot be called without a graph")
	}
	switch c.Op {
	case Linear:
		return newLinear(c, dev)
	case LinearDirect:
		if c.Dtype == "float32" {
			return newDirect[float32](c, dev)
		}
		return newDirect[float64](c, dev)
	case MLPStep:
		return newMLP(c, dev)
	case Predict:
		return newPredict(c, dev)
	}
	return nil, fmt.Errorf("op is %q, want one of %s", c.Op, strings.Join(Ops(), ", "))
}

// Run times the cases. Cases of the same shape are timed together. progress, if
// given, is told of each shape before it starts. On cancellation the results so
// far are returned with the context's error.
func Run(ctx context.Context, cases []Case, o Options, progress func(shape string)) (*Report, error) {
	if err := o.timing().Check(); err != nil {
		return nil, fmt.Errorf("bench: %w", err)
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

func (o Options) timing() timing.Options { return timing.Options{Samples: o.Samples, Sample: o.Sample} }

func runGroup(ctx context.Context, cases []Case, o Options, peaks map[string]float64) (results []Result, err error) {
	var subjects []timing.Subject
	for _, c := range cases {
		r, err := newRunner(c, o.Device)
		if err != nil {
			return nil, err
		}
		defer func() {
			if closed := r.close(); err == nil {
				err = closed
			}
		}()
		subjects = append(subjects, timing.InProcess(r.run))
	}
	timed, err := timing.Turns(ctx, subjects, o.timing(), func() { measurePeak(o.Device, cases[0].Dtype, peaks) })
	if err != nil {
		return nil, err
	}
	for i, t := range timed {
		ns := t.NsPerRun()
		results = append(results, Result{Case: cases[i], NsPerOp: ns, GFLOPS: cases[i].FLOPs() / ns, GBPerS: cases[i].Bytes() / ns, AllocsPerOp: t.Allocs})
	}
	return results, nil
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
