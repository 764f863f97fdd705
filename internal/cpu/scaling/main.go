// Command scaling draws how the products of linear layers gain from more
// threads, and prints the table: for each shape, forward and all gradients under
// GOMAXPROCS 1, 2, 4, ... up to the number of processors. All of them take turns
// in one run. It is worth running on a quiet machine only:
//
//	go run ./internal/cpu/scaling --output scaling.svg
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"runtime"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"

	"github.com/affine-go/affine/internal/timing"
	"github.com/affine-go/affine/layer/device"
)

// shapes are batch, inputs and outputs.
var shapes = [][3]int{{64, 64, 64}, {128, 784, 512}, {256, 1024, 1024}, {512, 2048, 2048}}

func main() {
	log.SetFlags(0)
	log.SetPrefix("scaling: ")
	output := flag.String("output", "", "file for the curve, .svg, .png or .pdf; none if empty")
	most := flag.Int("threads", runtime.NumCPU(), "most threads")
	samples := flag.Int("samples", 15, "samples of each case, of which the median counts")
	sample := flag.Duration("sample", 20*time.Millisecond, "least time of a sample")
	flag.Parse()
	if err := run(*output, *most, timing.Options{Samples: *samples, Sample: *sample}); err != nil {
		log.Fatal(err)
	}
}

func run(output string, most int, o timing.Options) error {
	if err := o.Check(); err != nil {
		return err
	}
	var threads []int
	for n := 1; n < most; n *= 2 {
		threads = append(threads, n)
	}
	threads = append(threads, most)
	dev, err := device.Open("cpu")
	if err != nil {
		return err
	}
	p := plot.New()
	p.X.Label.Text, p.Y.Label.Text = "threads", "times the speed of one"
	p.Legend.Top, p.Legend.Left = true, true
	fmt.Printf("%s, %s, float32\n\n%16s %8s %10s %10s %8s\n", timing.Processor(), dev.Description(), "shape", "threads", "time", "GFLOP/s", "speedup")
	for i, s := range shapes {
		name := fmt.Sprintf("%d×%d×%d", s[0], s[1], s[2])
		results, err := measure(dev.Float32(), s, threads, o)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		var curve plotter.XYs
		flops := 3 * 2 * float64(s[0]) * float64(s[1]) * float64(s[2])
		for j, r := range results {
			speedup := results[0].NsPerRun() / r.NsPerRun()
			curve = append(curve, plotter.XY{X: float64(threads[j]), Y: speedup})
			fmt.Printf("%16s %8d %10v %10.1f %8.2f\n", name, threads[j], time.Duration(r.NsPerRun()).Round(100), flops/r.NsPerRun(), speedup)
		}
		line, points, err := plotter.NewLinePoints(curve)
		if err != nil {
			return err
		}
		line.Color, points.Color, points.Shape = plotutil.Color(i), plotutil.Color(i), plotutil.Shape(i)
		p.Add(line, points)
		p.Legend.Add(name, line, points)
	}
	if output == "" {
		return nil
	}
	return p.Save(16*vg.Centimeter, 11*vg.Centimeter, output)
}

// measure times a layer of one shape with each number of threads.
func measure(k device.Kernels[float32], shape [3]int, threads []int, o timing.Options) ([]timing.Result, error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	batch, in, out := shape[0], shape[1], shape[2]
	r := rand.New(rand.NewPCG(1, 2))
	matrix := func(rows, cols int) device.Matrix[float32] {
		data, err := k.Alloc(rows * cols)
		if err != nil {
			log.Fatal(err)
		}
		for i := range data {
			data[i] = float32(r.NormFloat64())
		}
		return device.MatrixOf(data, rows, cols)
	}
	x, w, b, y := matrix(batch, in), matrix(in, out), matrix(1, out), matrix(batch, out)
	dx, dw, db, dy := matrix(batch, in), matrix(in, out), matrix(1, out), matrix(batch, out)
	var subjects []timing.Subject
	for _, n := range threads {
		layer := timing.InProcess(func() error {
			if err := k.Linear(y, device.Matrix[float32]{}, x, w, b.Data, device.Activation{}); err != nil {
				return err
			}
			return k.LinearBackward(dx, dw, db.Data, x, w, dy, device.Matrix[float32]{}, device.Activation{})
		})
		subjects = append(subjects, func(runs int) (time.Duration, uint64, error) {
			runtime.GOMAXPROCS(n)
			return layer(runs)
		})
	}
	fmt.Fprintf(os.Stderr, "%d×%d×%d ...\n", batch, in, out)
	return timing.Turns(context.Background(), subjects, o, func() {})
}
