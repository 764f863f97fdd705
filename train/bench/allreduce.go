package bench

import (
	"encoding/binary"
	"fmt"
	"io"
	"runtime"
	"text/tabwriter"
	"time"

	"github.com/affine-go/affine/internal/timing"
	"github.com/affine-go/affine/train"
)

// AllReduce is the sum of gradients over the processes of a job, as every step
// of a shared training has one. It is timed by [RunAllReduce], by all processes
// of a job together.
const AllReduce = "allreduce"

// Link is what sums over processes cost: a sum of n bytes takes about
// LatencyMicroseconds + n/(1000·GBPerS) µs.
type Link struct {
	Ranks               int     `json:"ranks"`
	LatencyMicroseconds float64 `json:"latency_us"`
	GBPerS              float64 `json:"gb_per_s"`
}

// sumSizes are how many numbers are summed: from a small model to a large one.
var sumSizes = []int{1 << 8, 1 << 12, 1 << 16, 1 << 19, 1 << 20, 1 << 22}

// RunAllReduce times sums over the processes of r, of different sizes and the
// dtypes given. All processes call it; the times are those of rank 0.
func RunAllReduce(r train.Ranks, dtypes []string, o Options) (*Report, error) {
	report := &Report{Device: o.Device.Name(), Description: o.Device.Description(), Threads: runtime.GOMAXPROCS(0), PeakGFLOPS: map[string]float64{}}
	if err := o.timing().Check(); err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	for _, dtype := range dtypes {
		for _, n := range sumSizes {
			single, size := make([]float32, n), 4
			run := func() error { return r.Sum32(single) }
			if dtype == "float64" {
				double := make([]float64, n)
				run, size = func() error { return r.Sum64(double) }, 8
			}
			ns, err := together(r, run, o)
			if err != nil {
				return nil, fmt.Errorf("bench: %s of %d numbers: %w", AllReduce, n, err)
			}
			c := Case{Op: AllReduce, Dtype: dtype, Batch: r.Size(), In: n, Out: 1, Impl: "fused", Device: o.Device.Name()}
			report.Cases = append(report.Cases, Result{Case: c, NsPerOp: ns, GBPerS: float64(n*size) / ns})
		}
	}
	report.Link = linkOf(report.Cases, r.Size())
	return report, nil
}

// together times run, which all processes call as often: rank 0 says how many
// times fill a sample.
func together(r train.Ranks, run func() error, o Options) (ns float64, err error) {
	runs := uint64(1)
	var samples []float64
	for len(samples) <= o.Samples { // the first one warms up and is not counted
		started := time.Now()
		for range runs {
			if err := run(); err != nil {
				return 0, err
			}
		}
		each := float64(time.Since(started)) / float64(runs)
		if runs == 1 && len(samples) == 0 {
			wanted := uint64(min(max(float64(o.Sample)/max(each, 1), 1), 1e6))
			data, err := r.Broadcast(0, binary.LittleEndian.AppendUint64(nil, wanted))
			if err != nil {
				return 0, err
			}
			runs = binary.LittleEndian.Uint64(data)
		}
		samples = append(samples, each)
	}
	return timing.Median(samples[1:]), nil
}

// linkOf draws a line through the smallest and the largest sum of the first
// dtype.
func linkOf(results []Result, ranks int) *Link {
	small, large := results[0], results[0]
	for _, r := range results {
		if r.Dtype == small.Dtype && r.In > large.In {
			large = r
		}
	}
	bytes := func(r Result) float64 { return r.GBPerS * r.NsPerOp }
	perByte := (large.NsPerOp - small.NsPerOp) / (bytes(large) - bytes(small))
	return &Link{Ranks: ranks, LatencyMicroseconds: max(small.NsPerOp-perByte*bytes(small), 0) / 1000, GBPerS: 1 / perByte}
}

// WriteSums prints a report of [RunAllReduce] for people.
func WriteSums(w io.Writer, r *Report) error {
	fmt.Fprintf(w, "%s: %s, %d ranks\n\n", r.Device, r.Description, r.Link.Ranks)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "numbers\tdtype\ttime\tGB/s\t")
	for _, c := range r.Cases {
		fmt.Fprintf(t, "%d\t%s\t%s\t%.2f\t\n", c.In, c.Dtype, duration(c.NsPerOp), c.GBPerS)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\na sum takes about %.0f µs and 1 µs for every %.0f bytes\n", r.Link.LatencyMicroseconds, 1000*r.Link.GBPerS)
	return err
}
