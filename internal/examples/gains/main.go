// Gains prints how many times faster each change of docs/MIGRATING.md makes a
// training step, as a Markdown table:
//
//	go run ./internal/examples/gains
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/affine-go/affine/internal/cpu"
	"github.com/affine-go/affine/internal/examples"
	"github.com/affine-go/affine/internal/timing"
)

func main() {
	samples := flag.Int("samples", 15, "measure each `number` of times")
	sample := flag.Duration("sample", 300*time.Millisecond, "how long a measurement takes at least")
	flag.Parse()
	if err := run(timing.Options{Samples: *samples, Sample: *sample, Pause: 5 * time.Millisecond}); err != nil {
		fmt.Fprintln(os.Stderr, "gains:", err)
		os.Exit(1)
	}
}

func run(o timing.Options) error {
	if err := o.Check(); err != nil {
		return err
	}
	set, threads := cpu.Features()
	fmt.Printf("%s, %s, %s, %d threads, %s; float32, medians of %d samples that take turns.\n\n",
		time.Now().Format(time.DateOnly), timing.Processor(), set, threads, runtime.Version(), o.Samples)
	fmt.Print("| batch × widths |")
	for _, c := range examples.Changes {
		fmt.Printf(" %s |", c.Name)
	}
	fmt.Printf("\n|---%s|\n", strings.Repeat("|---:", len(examples.Changes)))
	for _, c := range []struct {
		size   int
		widths []int
	}{{32, []int{2, 16, 16, 2}}, {128, []int{784, 512, 256, 10}}} {
		var subjects []timing.Subject
		for _, change := range examples.Changes {
			step, _, err := examples.ClassifierStep(change, c.size, c.widths...)
			if err != nil {
				return err
			}
			subjects = append(subjects, timing.InProcess(step))
		}
		results, err := timing.Turns(context.Background(), subjects, o, nil)
		if err != nil {
			return err
		}
		fmt.Printf("| %d × %s |", c.size, strings.Trim(strings.ReplaceAll(fmt.Sprint(c.widths), " ", "-"), "[]"))
		for i, r := range results {
			if i == 0 {
				fmt.Printf(" %v |", time.Duration(r.NsPerRun()).Round(time.Microsecond))
				continue
			}
			// Of the samples of one round, which the machine's other work slows alike.
			var ratios []float64
			for round, ns := range r.Samples {
				ratios = append(ratios, results[0].Samples[round]/ns)
			}
			fmt.Printf(" %.3g |", timing.Median(ratios))
		}
		fmt.Println()
	}
	return nil
}
