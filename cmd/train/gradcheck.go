package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/affine-go/affine/internal/format"
	"github.com/affine-go/affine/layer"
	"github.com/affine-go/affine/layer/device"
	"github.com/affine-go/affine/layer/gradcheck"
)

type gradcheckCommand struct {
	Activation []string `placeholder:"NAME" help:"Check only these activations."`
	Dtype      []string `placeholder:"NAME" default:"float64,float32" help:"Element types: float64, float32."`
	Order      int      `placeholder:"N" default:"1" help:"Derivatives to check: 1, or 2 for second ones by every pair of inputs."`
	Device     string   `placeholder:"NAME" default:"cpu" help:"Device that computes: auto, cpu, cuda, cuda:N."`
	Seed       uint64   `placeholder:"N" default:"1" help:"Seed of the inputs."`
	JSON       bool     `name:"json" help:"Print one JSON object and nothing else."`
}

func (gradcheckCommand) Help() string {
	return `Each case is a small graph with random inputs: an op of this module, its outputs weighted and summed to one number. For every element of every input the analytic gradient is compared with the central difference (f(x+h) − f(x−h)) / 2h; with --order 2 the gradient of each weighted gradient by every input is. The largest error of the case is printed with what it may be; the exit code is 1 if any case fails.

Examples:

    train gradcheck
    train gradcheck --activation gelu,silu --dtype float64
    train gradcheck --order 2
    train gradcheck --device cuda --json`
}

// gradcheckCase is the verdict on one graph.
type gradcheckCase struct {
	Op         string  `json:"op"`
	Activation string  `json:"activation,omitempty"`
	Dtype      string  `json:"dtype"`
	Order      int     `json:"order"`
	Elements   int     `json:"elements"`
	MaxError   float64 `json:"max_error"` // of the element that comes nearest to what it may be
	Allowed    float64 `json:"allowed"`
	OK         bool    `json:"ok"`
	Failure    string  `json:"failure,omitempty"` // the worst element: input, index, both values
}

type gradcheckReport struct {
	OK     bool            `json:"ok"`
	Device string          `json:"device"`
	Seed   uint64          `json:"seed"`
	Cases  []gradcheckCase `json:"cases"`
}

func (c *gradcheckCommand) Run(t *terminal) error {
	activations, err := c.activations()
	if err != nil {
		return err
	}
	for _, name := range c.Dtype {
		if err := oneOf("--dtype", name, dtypeNames); err != nil {
			return err
		}
	}
	if c.Order != 1 && c.Order != 2 {
		return usagef("--order %d: want 1 or 2", c.Order)
	}
	dev, err := openDevice(c.Device)
	if err != nil {
		return err
	}
	defer dev.Close()
	report, err := c.check(activations, dev)
	if err != nil {
		return err
	}
	if c.JSON {
		err = t.printJSON(report)
	} else {
		report.print(t)
	}
	if err == nil && !report.OK {
		return fmt.Errorf("gradcheck: %d of %d cases failed", report.failed(), len(report.Cases))
	}
	return err
}

func (c *gradcheckCommand) activations() ([]layer.Activation, error) {
	names := c.Activation
	if len(names) == 0 {
		names = layer.ActivationNames()
	}
	var activations []layer.Activation
	for _, name := range names {
		a, err := parseActivation(name)
		if err != nil {
			return nil, err
		}
		activations = append(activations, a)
	}
	return activations, nil
}

func (c *gradcheckCommand) check(activations []layer.Activation, dev device.Device) (*gradcheckReport, error) {
	report := &gradcheckReport{OK: true, Device: dev.Name(), Seed: c.Seed}
	for _, dtype := range slices.Compact(slices.Clone(c.Dtype)) {
		for _, g := range gradientCases(activations) {
			inputs := newInputs(c.Seed, dtypes[dtype])
			cost, wrt, err := g.build(inputs, layer.WithDevice(dev))
			if err != nil {
				return nil, fmt.Errorf("gradcheck %s %s %s: %w", g.op, g.activation, dtype, err)
			}
			var found *gradcheck.Report
			if c.Order == 2 {
				found, err = gradcheck.CheckSecond(cost, wrt)
			} else {
				found, err = gradcheck.Check(cost, wrt, gradcheck.WithGrad(layer.Grad))
			}
			if err != nil {
				return nil, fmt.Errorf("gradcheck %s %s %s: %w", g.op, g.activation, dtype, err)
			}
			worst := found.Worst()
			row := gradcheckCase{Op: g.op, Activation: g.activation, Dtype: dtype, Order: c.Order, Elements: len(found.Elements),
				MaxError: worst.Error, Allowed: worst.Allowed, OK: found.OK()}
			if !row.OK {
				row.Failure = worst.String()
				report.OK = false
			}
			report.Cases = append(report.Cases, row)
		}
	}
	return report, nil
}

func (r *gradcheckReport) failed() int {
	n := 0
	for _, c := range r.Cases {
		if !c.OK {
			n++
		}
	}
	return n
}

func (r *gradcheckReport) print(t *terminal) {
	rows := newTable("op", "activation", "dtype", ">elements", ">max error", ">allowed", "")
	for _, c := range r.Cases {
		verdict := styled(t.stdout, green, "ok")
		if !c.OK {
			verdict = styled(t.stdout, red, "FAILED ") + c.Failure
		}
		rows.add(c.Op, c.Activation, c.Dtype, strconv.Itoa(c.Elements),
			format.Difference(c.MaxError), format.Difference(c.Allowed), verdict)
	}
	rows.write(t.stdout)
	verdict := fmt.Sprintf("all %d cases pass", len(r.Cases))
	if !r.OK {
		verdict = fmt.Sprintf("%d of %d cases FAILED", r.failed(), len(r.Cases))
	}
	fmt.Fprintf(t.stdout, "%s on %s\n", verdict, strings.TrimSpace(r.Device))
}
