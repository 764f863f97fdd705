package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/affine-go/affine/layer/device"
	"github.com/affine-go/affine/train/bench"
)

type benchCommand struct {
	Op      []string       `placeholder:"NAME" help:"Time only these: ${bench_ops}."`
	Dtype   []string       `placeholder:"NAME" default:"float32,float64" help:"Element types: float32, float64."`
	Size    []string       `placeholder:"BxIxO" help:"Sizes instead of the usual ones: batch, inputs, outputs; with hidden widths in between, such as 32x2x16x16x2, the step of an MLP."`
	Sweep   bool           `help:"A sweep over the batch, 1 to 1024 in powers of two, of linear-direct and predict: where memory is the limit, and where arithmetic."`
	Samples *int           `placeholder:"N" help:"Samples of each case, of which the median counts (default: ${bench_samples})."`
	Sample  *time.Duration `placeholder:"TIME" help:"Least time of a sample (default: ${bench_sample})."`
	Device  string         `placeholder:"NAME" default:"cpu" help:"auto, cpu, cuda or cuda:N. The built-in ops know cpu only."`
	Quick   bool           `help:"Short samples, and none of the sizes that take long."`
	JSON    bool           `name:"json" help:"Print one JSON object and nothing else."`
}

func (benchCommand) Help() string {
	return `Times the fused op beside Gorgonia's built-in ops in one run: samples of both take turns, so that a machine that slows down slows both alike. Compare ratios of one run rather than times of two.

linear is Y = X·W + b with all three gradients through a Gorgonia TapeMachine; linear-direct is the same by plain calls to the device; mlp-step is a whole training step: forward, softmax cross-entropy, backward, Adam; predict is rows through the predictor of an MLP. GFLOP/s count the products, and "of peak" is their share of what the processor's multiply-add instructions reach in the same run. GB/s count what the calls read and write, each matrix once.

allreduce is the sum of gradients over the processes of a job, for docs/CLUSTER.md's formula of when several machines pay. It is timed by itself, by a program that mpirun started.

Examples:

    train bench --quick
    train bench --op linear --dtype float32
    train bench --size 100x300x200 --size 32x2x16x16x2
    train bench --sweep --op predict --dtype float32
    mpirun -n 2 train bench --op allreduce
    train bench --samples 31 --sample 100ms --json > bench.json`
}

// How long is measured if no flag says otherwise.
const (
	benchSamples = 15
	quickSamples = 5
	benchSample  = 50 * time.Millisecond
	quickSample  = 10 * time.Millisecond
	quickFLOPs   = 2e9 // the most that a case of a quick run computes in one go
)

func (c *benchCommand) Run(t *terminal) error {
	if err := c.check(); err != nil {
		return err
	}
	if c.sharesWork() {
		return c.sums(t)
	}
	dev, err := openDevice(c.Device)
	if err != nil {
		return err
	}
	defer dev.Close()
	cases, err := c.cases(dev)
	if err != nil {
		return err
	}
	ctx, done := untilInterrupted(context.Background(), t.stderr, "stopping after this sample")
	defer done()
	report, err := measure(ctx, t, cases, c.options(dev))
	switch {
	case err != nil:
		return err
	case c.JSON:
		return t.printJSON(report)
	}
	if err := bench.WriteTable(t.stdout, report); err != nil {
		return err
	}
	if text := unmeasured(dev); text != "" {
		fmt.Fprintf(t.stdout, "\n%s\n", text)
	}
	return nil
}

// sharesWork reports whether all processes of a job take part.
func (c *benchCommand) sharesWork() bool { return slices.Equal(c.Op, []string{bench.AllReduce}) }

// sums times the sums over the processes of the job.
func (c *benchCommand) sums(t *terminal) error {
	if t.job.Size() == 1 {
		return usagef("--op %s is for several processes: want the program started by mpirun -n 2 or more", bench.AllReduce)
	}
	if len(c.Size) > 0 || c.Sweep {
		return usagef("--op %s has sizes of its own: want it without --size and --sweep", bench.AllReduce)
	}
	dev, err := openDevice("cpu")
	if err != nil {
		return err
	}
	report, err := bench.RunAllReduce(t.job.Ranks(), c.Dtype, c.options(dev))
	if err != nil {
		return err
	}
	if first, err := t.job.Leave(); err != nil || !first {
		return err
	}
	if c.JSON {
		return t.printJSON(report)
	}
	return bench.WriteSums(t.stdout, report)
}

// measure times the cases and shows which is at work.
func measure(ctx context.Context, t *terminal, cases []bench.Case, o bench.Options) (*bench.Report, error) {
	live := liveLine{w: t.stderr}
	defer live.clear()
	shapes, begun := countShapes(cases), 0
	report, err := bench.Run(ctx, cases, o, func(shape string) {
		begun++
		live.show("%d of %d: %s", begun, shapes, shape)
	})
	if errors.Is(err, context.Canceled) {
		return nil, &interruptedError{fmt.Errorf("interrupted after %d of %d shapes; a benchmark keeps nothing", max(begun-1, 0), shapes)}
	}
	return report, err
}

func (c *benchCommand) check() error {
	for _, name := range c.Op {
		if name == bench.AllReduce { // no op of a process alone
			if len(c.Op) > 1 {
				return usagef("--op %s is timed by itself, want no other ops with it", name)
			}
			continue
		}
		if err := oneOf("--op", name, bench.Ops()); err != nil {
			return err
		}
	}
	for _, name := range c.Dtype {
		if err := oneOf("--dtype", name, dtypeNames); err != nil {
			return err
		}
	}
	if c.Sweep && len(c.Size) > 0 {
		return usagef("--sweep has sizes of its own: want it without --size")
	}
	if c.Samples != nil && *c.Samples < 1 {
		return usagef("--samples %d: want at least 1", *c.Samples)
	}
	if c.Sample != nil && *c.Sample <= 0 {
		return usagef("--sample %v: want more than 0, such as %v", *c.Sample, benchSample)
	}
	return nil
}

func (c *benchCommand) options(dev device.Device) bench.Options {
	o := bench.Options{Device: dev, Samples: benchSamples, Sample: benchSample}
	if c.Quick {
		o.Samples, o.Sample = quickSamples, quickSample
	}
	set(&o.Samples, c.Samples)
	set(&o.Sample, c.Sample)
	return o
}

// cases returns what is to be timed: of the usual cases, or of those of the
// given sizes, what the other flags leave.
func (c *benchCommand) cases(dev device.Device) ([]bench.Case, error) {
	all := bench.DefaultCases(dev)
	switch {
	case c.Sweep:
		all = bench.SweepCases(dev)
	case len(c.Size) > 0:
		var err error
		if all, err = sizedCases(c.Size, dev); err != nil {
			return nil, err
		}
	}
	kept := slices.DeleteFunc(all, func(k bench.Case) bool {
		return len(c.Op) > 0 && !slices.Contains(c.Op, k.Op) || !slices.Contains(c.Dtype, k.Dtype) ||
			c.Quick && len(c.Size) == 0 && k.FLOPs() > quickFLOPs
	})
	switch {
	case len(kept) > 0:
		return kept, nil
	case c.Sweep:
		return nil, usagef("--op %s is in no sweep: want %s or %s", strings.Join(c.Op, ","), bench.LinearDirect, bench.Predict)
	}
	return nil, usagef("--op %s has nothing to do with --size %s: want BxIxO for %s and %s, at least one width more for %s and %s",
		strings.Join(c.Op, ","), strings.Join(c.Size, ","), bench.Linear, bench.LinearDirect, bench.MLPStep, bench.Predict)
}

// sizedCases returns, for each size, the ops that it can stand for, in both
// dtypes: three numbers are a layer, more of them an MLP.
func sizedCases(sizes []string, dev device.Device) ([]bench.Case, error) {
	var cases []bench.Case
	for _, dtype := range dtypeNames {
		for _, size := range sizes {
			n, err := parseSize(size)
			if err != nil {
				return nil, err
			}
			ops := []string{bench.Linear, bench.LinearDirect}
			if len(n) > 3 {
				ops = []string{bench.MLPStep, bench.Predict}
			}
			for _, op := range ops {
				cases = append(cases, bench.Sized(op, dtype, dev, n...)...)
			}
		}
	}
	return cases, nil
}

// mostElements is what a matrix of a benchmark may have: a GiB in float64.
const mostElements = 1 << 27

// parseSize reads "128x784x512".
func parseSize(size string) ([]int, error) {
	words := strings.FieldsFunc(size, func(r rune) bool { return r == 'x' || r == '×' })
	n := make([]int, len(words))
	for i, word := range words {
		var err error
		if n[i], err = strconv.Atoi(word); err != nil || n[i] < 1 || n[i] > mostElements {
			n = nil
			break
		}
	}
	if len(n) < 3 {
		return nil, usagef("--size %q: want batch, inputs and outputs of at least 1, such as 128x784x512", size)
	}
	for i, width := range n[1:] {
		if rows := max(n[0], n[i]); rows*width > mostElements {
			return nil, usagef("--size %q: a matrix of %d×%d is more than can be timed, want at most %d elements", size, rows, width, mostElements)
		}
	}
	return n, nil
}

// countShapes counts the groups that bench.Run times together.
func countShapes(cases []bench.Case) int {
	shapes := 0
	for i, k := range cases {
		if i == 0 || k.Shape() != cases[i-1].Shape() {
			shapes++
		}
	}
	return shapes
}
