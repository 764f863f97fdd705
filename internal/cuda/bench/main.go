//go:build gpu

// Command bench times the module on a CUDA card beside PyTorch on the same
// card, in one run, and prints a table:
//
//	go run -tags gpu ./internal/cuda/bench
//
// With -predict it prints instead what a step should take on an H100, by a model,
// with the kernels of a step counted on the stand-in driver:
//
//	CUDASIM=processors=132 LD_LIBRARY_PATH=$PWD/internal/cudasim/build go run -tags gpu ./internal/cuda/bench -predict
//
// PyTorch runs in python3, which must be able to import torch; without it the
// table has our numbers alone. For a machine without Go, build the program with
// go build -tags gpu and carry it there: it needs no other file.
package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"time"

	"github.com/affine-go/affine/internal/timing"
	"github.com/affine-go/affine/layer/device"
)

//go:embed pytorch.py
var pytorch []byte

// result is the median time of a case in microseconds.
type result struct {
	Case string  `json:"case"`
	Mode string  `json:"mode"` // ours, eager, graphs or compiled
	US   float64 `json:"us"`
}

func main() {
	seconds := flag.Float64("seconds", 1, "time spent on each case")
	alone := flag.Bool("alone", false, "leave PyTorch out")
	predict := flag.Bool("predict", false, "predict the times of steps on an H100, with the stand-in driver")
	only := flag.String("run", "", "regular expression of the cases wanted")
	flag.Parse()
	pattern, err := regexp.Compile(*only)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if err := run(*seconds, *alone, *predict, pattern); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(seconds float64, alone, predict bool, only *regexp.Regexp) error {
	d, err := device.Open("cuda")
	if err != nil {
		return err
	}
	defer d.Close()
	b := &bench{device: d.(device.Stepper), seconds: seconds, only: only, work: map[string]float64{}}
	if predict {
		b.counts = map[string]counts{}
		if err := b.mlps(); err != nil {
			return err
		}
		b.predict()
		return nil
	}
	if err := b.all(); err != nil {
		return err
	}
	fmt.Println(d.Description())
	if inspector, ok := d.(device.Inspector); ok {
		details, err := inspector.Details()
		if err != nil {
			return err
		}
		for _, detail := range details {
			fmt.Printf("%s: %s\n", detail.Name, detail.Value)
		}
	}
	if !alone {
		if err := b.pytorch(); err != nil {
			fmt.Println("PyTorch:", err)
		}
	}
	fmt.Println(time.Now().Format(time.DateOnly))
	fmt.Println()
	b.print()
	return nil
}

type bench struct {
	device  device.Stepper
	seconds float64
	only    *regexp.Regexp
	cases   []string
	work    map[string]float64 // floating-point operations
	counts  map[string]counts  // to predict from; nil when times are measured
	results []result
}

// samples is how many timings the median is taken of.
const samples = 15

// measure times step, which hands one step to the device. Many steps are handed
// over, and the host waits at the end of each sample.
func (b *bench) measure(name string, flops float64, c counts, step func() error) error {
	if b.counts != nil {
		return b.count(name, flops, c, step)
	}
	if !b.only.MatchString(name) {
		return nil
	}
	subject := func(runs int) (time.Duration, uint64, error) {
		start := time.Now()
		for range runs {
			if err := b.device.Step(step); err != nil {
				return 0, 0, err
			}
		}
		if _, err := b.device.Losses(nil); err != nil {
			return 0, 0, err
		}
		err := b.device.Sync()
		return time.Since(start), 0, err
	}
	if _, _, err := subject(5); err != nil { // compiles kernels, captures the graph
		return fmt.Errorf("%s: %w", name, err)
	}
	o := timing.Options{Samples: samples, Sample: time.Duration(b.seconds / samples * float64(time.Second))}
	timed, err := timing.Turns(context.Background(), []timing.Subject{subject}, o, nil)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	b.cases = append(b.cases, name)
	b.work[name] = flops
	b.results = append(b.results, result{name, "ours", timed[0].NsPerRun() / 1000})
	return nil
}

// pytorch adds PyTorch's times of the same cases.
func (b *bench) pytorch() error {
	c := exec.Command("python3", "-", fmt.Sprint(b.seconds))
	c.Stdin = bytes.NewReader(pytorch)
	c.Stderr = os.Stderr
	out, err := c.Output()
	if err != nil {
		return err
	}
	var report struct {
		Version string   `json:"version"`
		Results []result `json:"results"`
	}
	if err := json.Unmarshal(out, &report); err != nil {
		return fmt.Errorf("reading the output: %w", err)
	}
	fmt.Println(report.Version)
	b.results = append(b.results, report.Results...)
	return nil
}

func (b *bench) time(name, mode string) float64 {
	for _, r := range b.results {
		if r.Case == name && r.Mode == mode {
			return r.US
		}
	}
	return 0
}

// print writes a table in Markdown. Ratios above 1 are in our favour.
func (b *bench) print() {
	fmt.Println("| case | ours, µs | TFLOP/s | PyTorch eager, µs | PyTorch graphs, µs | torch.compile, µs | eager / ours | graphs / ours | compiled / ours |")
	fmt.Println("|---|---|---|---|---|---|---|---|---|")
	for _, name := range b.cases {
		ours, eager, graphs, compiled := b.time(name, "ours"), b.time(name, "eager"), b.time(name, "graphs"), b.time(name, "compiled")
		fmt.Printf("| %s | %.1f | %s | %s | %s | %s | %s | %s | %s |\n", name, ours, cell(b.work[name]/ours/1e6, "%.2f"),
			cell(eager, "%.1f"), cell(graphs, "%.1f"), cell(compiled, "%.1f"),
			cell(eager/ours, "%.2f"), cell(graphs/ours, "%.2f"), cell(compiled/ours, "%.2f"))
	}
}

func cell(v float64, format string) string {
	if v == 0 {
		return "–"
	}
	return fmt.Sprintf(format, v)
}
