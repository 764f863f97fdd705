package bench

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// WriteTable prints a report for people: one row for each shape, with the
// built-in ops' time beside the fused op's and the ratio if there is one.
func WriteTable(w io.Writer, r *Report) error {
	fmt.Fprintf(w, "%s: %s, %d threads", r.Device, r.Description, r.Threads)
	for _, dtype := range []string{"float32", "float64"} {
		if peak := r.PeakGFLOPS[dtype]; peak > 0 {
			fmt.Fprintf(w, ", %s peak %.0f GFLOP/s", dtype, peak)
		}
	}
	fmt.Fprint(w, "\n\n")
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "case\tfused\tGFLOP/s\tof peak\tGB/s\tallocs\tbuilt-in\tallocs\tspeedup\t")
	for start := 0; start < len(r.Cases); {
		var fused, builtin *Result
		end := start
		for ; end < len(r.Cases) && r.Cases[end].Shape() == r.Cases[start].Shape(); end++ {
			if r.Cases[end].Impl == "fused" {
				fused = &r.Cases[end]
			} else {
				builtin = &r.Cases[end]
			}
		}
		fmt.Fprintf(t, "%s\t%s%s", r.Cases[start].Shape(), fusedColumns(fused), builtinColumns(builtin))
		speedup := "-"
		if fused != nil && builtin != nil {
			speedup = fmt.Sprintf("%.1f×", builtin.NsPerOp/fused.NsPerOp)
		}
		fmt.Fprintf(t, "%s\t\n", speedup)
		start = end
	}
	return t.Flush()
}

func fusedColumns(r *Result) string {
	if r == nil {
		return "-\t-\t-\t-\t-\t"
	}
	peak := "-"
	if r.PeakFraction > 0 {
		peak = fmt.Sprintf("%.0f %%", 100*r.PeakFraction)
	}
	memory := "-"
	if r.GBPerS > 0 {
		memory = fmt.Sprintf("%.1f", r.GBPerS)
	}
	return fmt.Sprintf("%s\t%.1f\t%s\t%s\t%.0f\t", duration(r.NsPerOp), r.GFLOPS, peak, memory, r.AllocsPerOp)
}

func builtinColumns(r *Result) string {
	if r == nil {
		return "-\t-\t"
	}
	return fmt.Sprintf("%s\t%.0f\t", duration(r.NsPerOp), r.AllocsPerOp)
}

// duration prints nanoseconds with three digits.
func duration(ns float64) string {
	switch {
	case ns < 1e3:
		return fmt.Sprintf("%.0f ns", ns)
	case ns < 1e5:
		return fmt.Sprintf("%.1f µs", ns/1e3)
	case ns < 1e6:
		return fmt.Sprintf("%.0f µs", ns/1e3)
	case ns < 1e8:
		return fmt.Sprintf("%.2f ms", ns/1e6)
	}
	return time.Duration(ns).Round(time.Millisecond).String()
}
