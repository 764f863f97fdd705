package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/affine-go/affine/train/bench"
	comparison "github.com/affine-go/affine/train/compare"
)

// opsReport is what compare --op prints as JSON.
type opsReport struct {
	Device      string             `json:"device"`
	Description string             `json:"description"`
	Dtype       string             `json:"dtype"`
	Shapes      []comparison.OpRow `json:"shapes"`
}

// How long each side of each shape is timed.
const (
	opSamples = 9
	opSample  = 20 * time.Millisecond
)

func (c *compareCommand) compareOps(t *terminal) error {
	shapes, err := c.shapes()
	if err != nil {
		return err
	}
	name := "cpu"
	set(&name, c.Device)
	dev, err := openDevice(name)
	if err != nil {
		return err
	}
	defer dev.Close()
	ctx, done := untilInterrupted(context.Background(), t.stderr, "stopping after this sample")
	defer done()
	live, begun := liveLine{w: t.stderr}, 0
	rows, err := comparison.Ops(ctx, shapes, bench.Options{Device: dev, Samples: opSamples, Sample: opSample}, func(shape string) {
		begun++
		live.show("%d of %d: %s", begun, len(shapes), shape)
	})
	live.clear()
	if errors.Is(err, context.Canceled) {
		return &interruptedError{fmt.Errorf("interrupted after %d of %d shapes; a comparison keeps nothing", max(begun-1, 0), len(shapes))}
	}
	if err != nil {
		return err
	}
	report := opsReport{Device: dev.Name(), Description: dev.Description(), Dtype: "float32", Shapes: rows}
	if c.JSON {
		return t.printJSON(report)
	}
	printOps(t, &report)
	return nil
}

// shapes returns the grid and refuses flags that say something of a training.
func (c *compareCommand) shapes() ([][3]int, error) {
	model := c.modelFlags
	model.Device = nil
	if c.dataFlags != (dataFlags{}) || model != (modelFlags{}) || c.trainingFlags != (trainingFlags{}) || c.Steps != nil || c.Out != "" {
		return nil, usagef("--op compares the op without a model or data: want no flags beside --size, --device and --json")
	}
	if len(c.Size) == 0 {
		return comparison.OpShapes(), nil
	}
	var shapes [][3]int
	for _, size := range c.Size {
		n, err := parseSize(size)
		if err != nil {
			return nil, err
		}
		if len(n) != 3 {
			return nil, usagef("--size %q: want batch, inputs and outputs, such as 128x784x512", size)
		}
		shapes = append(shapes, [3]int(n))
	}
	return shapes, nil
}

func printOps(t *terminal, r *opsReport) {
	heading(t.stdout, "Linear layer, forward and all gradients, %s", r.Dtype)
	fmt.Fprintf(t.stdout, "%s: %s\n\n", r.Device, r.Description)
	speed := newTable("batch×in×out", ">fused", ">built-in", ">speedup")
	exact := newTable("error against float64", ">Y fused", ">built-in", ">dX fused", ">built-in", ">dW fused", ">built-in", ">db fused", ">built-in")
	for _, s := range r.Shapes {
		shape := fmt.Sprintf("%d×%d×%d", s.Batch, s.In, s.Out)
		speed.add(shape, microseconds(s.FusedNs/1e3), microseconds(s.BuiltinNs/1e3), fmt.Sprintf("%.1f×", s.Speedup))
		cells := []string{shape}
		for _, pair := range [][2]float64{
			{s.FusedError.Y, s.BuiltinError.Y}, {s.FusedError.DX, s.BuiltinError.DX},
			{s.FusedError.DW, s.BuiltinError.DW}, {s.FusedError.DB, s.BuiltinError.DB},
		} {
			cells = append(cells, fmt.Sprintf("%.1e", pair[0]), fmt.Sprintf("%.1e", pair[1]))
		}
		exact.add(cells...)
	}
	speed.write(t.stdout)
	fmt.Fprintln(t.stdout)
	exact.write(t.stdout)
	fmt.Fprintln(t.stdout, "\nTimes are medians of samples that take turns. Errors are max |got − exact| / max |exact| of each result.")
}
