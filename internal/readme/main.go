// Command readme draws the picture at the top of the README, the decision
// boundary of the training that the command does with no arguments:
//
//	go run ./internal/readme docs/boundary.png
//
// The tests beside it hold the README to what it says.
package main

import (
	"bytes"
	"context"
	"fmt"
	"os"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/internal/atomicfile"
	"github.com/affine-go/affine/train"
	"github.com/affine-go/affine/train/report"
	"github.com/affine-go/affine/train/report/chart"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: readme FILE.png")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "readme:", err)
		os.Exit(1)
	}
}

func write(path string) error {
	picture, err := draw()
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(path, picture)
}

// draw trains as the command does with no arguments and draws the boundary.
func draw() ([]byte, error) {
	dir, err := os.MkdirTemp("", "readme")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	c := train.DefaultConfig(datasets.DefaultName, nil)
	c.Seed = 1 // the command's
	run, err := train.Fit(context.Background(), c, train.InDirectory(dir))
	if err != nil {
		return nil, err
	}
	if err := run.Close(); err != nil {
		return nil, err
	}
	r, err := report.Load(dir)
	if err != nil {
		return nil, err
	}
	if err := r.Complete(nil); err != nil {
		return nil, err
	}
	plots, err := r.Plots()
	if err != nil {
		return nil, err
	}
	const dpi = 110
	var png bytes.Buffer
	err = chart.WritePNG(&png, plots["boundary.svg"], dpi)
	return png.Bytes(), err
}
