package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/affine-go/affine/internal/format"
	"github.com/affine-go/affine/layer"
	"github.com/affine-go/affine/layer/device"
	"github.com/affine-go/affine/layer/gradcheck"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
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
	return `Each case is a small graph with random inputs: an op of this module, its outputs weighted and summed to one number. For every element of every input the analytic gradient is compared with the central difference (f(x+h) − f(x−h)) / 2h; with --order 2 the gradient of each weighted gradient by every input is. The largest error of the case is printed with its limit; the exit code is 1 if any case fails.

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

// gradientCase is a graph whose gradients are checked.
type gradientCase struct {
	op, activation string
	// build returns a scalar cost and the inputs to differentiate it by.
	build func(in *inputs, opts ...layer.Option) (*gorgonia.Node, gorgonia.Nodes, error)
}

// gradientCases lists the linear op with each activation, with and without a
// bias, for a batch of one and of two leading dimensions, and the losses.
func gradientCases(activations []layer.Activation) []gradientCase {
	var cases []gradientCase
	for _, act := range activations {
		cases = append(cases,
			gradientCase{"linear", act.String(), linearCase(act, true, 4, 3)},
			gradientCase{"linear, no bias", act.String(), linearCase(act, false, 4, 3)},
			gradientCase{"linear, 3 dimensions", act.String(), linearCase(act, true, 2, 3, 3)})
	}
	return append(cases,
		gradientCase{"softmax cross-entropy", "", lossCase(layer.SoftmaxCrossEntropy, (*inputs).distribution)},
		gradientCase{"binary cross-entropy", "", lossCase(layer.BinaryCrossEntropy, (*inputs).probability)},
		gradientCase{"mean squared error", "", lossCase(layer.MSE, (*inputs).normal)})
}

const gradcheckOutputs = 3

// linearCase is Σ V ⊙ act(X·W + b) for X of the given shape and constant V.
func linearCase(act layer.Activation, bias bool, shape ...int) func(*inputs, ...layer.Option) (*gorgonia.Node, gorgonia.Nodes, error) {
	return func(in *inputs, opts ...layer.Option) (*gorgonia.Node, gorgonia.Nodes, error) {
		wrt := in.linear(bias, shape...)
		var b *gorgonia.Node
		if bias {
			b = wrt[2]
		}
		y, err := layer.Apply(wrt[0], wrt[1], b, append(opts, layer.WithActivation(act))...)
		if err != nil {
			return nil, nil, err
		}
		cost, err := in.weighted(y)
		return cost, wrt, err
	}
}

// lossCase is a loss of predictions and targets, differentiated by both.
func lossCase(loss func(pred, target *gorgonia.Node, opts ...layer.Option) (*gorgonia.Node, error),
	targets func(in *inputs, row, column int) float64) func(*inputs, ...layer.Option) (*gorgonia.Node, gorgonia.Nodes, error) {
	return func(in *inputs, opts ...layer.Option) (*gorgonia.Node, gorgonia.Nodes, error) {
		pred := in.node("prediction", (*inputs).normal, 4, gradcheckOutputs)
		target := in.node("target", targets, 4, gradcheckOutputs)
		cost, err := loss(pred, target, opts...)
		return cost, gorgonia.Nodes{pred, target}, err
	}
}

// inputs draws the values of one graph.
type inputs struct {
	g     *gorgonia.ExprGraph
	dtype tensor.Dtype
	rng   *rand.Rand
	names int
}

func newInputs(seed uint64, dtype tensor.Dtype) *inputs {
	const stream = 7 // any number: no other generator of the program uses it
	return &inputs{g: gorgonia.NewGraph(), dtype: dtype, rng: rand.New(rand.NewPCG(seed, stream))}
}

func (in *inputs) normal(int, int) float64 { return in.rng.NormFloat64() }

func (in *inputs) probability(int, int) float64 { return in.rng.Float64() }

// distribution gives rows that sum to 1: (1, 2, 3)/6 turned by the row's number.
func (in *inputs) distribution(row, column int) float64 {
	return float64((row+column)%gradcheckOutputs+1) / (gradcheckOutputs * (gradcheckOutputs + 1) / 2)
}

// node adds an input with values drawn for each row and column.
func (in *inputs) node(name string, draw func(in *inputs, row, column int) float64, shape ...int) *gorgonia.Node {
	columns := shape[len(shape)-1]
	values := make([]float64, tensor.Shape(shape).TotalSize())
	for i := range values {
		values[i] = draw(in, i/columns, i%columns)
	}
	return in.with(name, values, shape...)
}

func (in *inputs) with(name string, values []float64, shape ...int) *gorgonia.Node {
	var backing any = values
	if in.dtype == tensor.Float32 {
		rounded := make([]float32, len(values))
		for i, v := range values {
			rounded[i] = float32(v)
		}
		backing = rounded
	}
	return gorgonia.NewTensor(in.g, in.dtype, len(shape), gorgonia.WithShape(shape...), gorgonia.WithName(name),
		gorgonia.WithValue(tensor.New(tensor.WithShape(shape...), tensor.WithBacking(backing))))
}

// awayFromKinks is how far every element of X·W + b stays from 0, where ReLU
// has no derivative: several times what one step of a finite difference in
// float32 moves it.
const awayFromKinks = 0.05

// linear adds X, W and, where wanted, b.
func (in *inputs) linear(bias bool, shape ...int) gorgonia.Nodes {
	k := shape[len(shape)-1]
	rows := tensor.Shape(shape).TotalSize() / k
	draw := func(n int) []float64 {
		values := make([]float64, n)
		for i := range values {
			values[i] = in.rng.NormFloat64()
		}
		return values
	}
	for {
		x, w, b := draw(rows*k), draw(k*gradcheckOutputs), make([]float64, gradcheckOutputs)
		if bias {
			b = draw(gradcheckOutputs)
		}
		if nearestToZero(x, w, b, k) < awayFromKinks {
			continue
		}
		nodes := gorgonia.Nodes{in.with("X", x, shape...), in.with("W", w, k, gradcheckOutputs)}
		if bias {
			nodes = append(nodes, in.with("b", b, gradcheckOutputs))
		}
		return nodes
	}
}

// nearestToZero returns the least |x·W + b| of all rows and columns.
func nearestToZero(x, w, b []float64, k int) float64 {
	least := math.Inf(1)
	for row := 0; row < len(x); row += k {
		for j, z := range b {
			for i := range k {
				z += x[row+i] * w[i*len(b)+j]
			}
			least = min(least, math.Abs(z))
		}
	}
	return least
}

// weighted is Σ V ⊙ n with constant V, so that every element counts differently.
func (in *inputs) weighted(n *gorgonia.Node) (*gorgonia.Node, error) {
	in.names++
	v := in.node(fmt.Sprintf("V%d", in.names), (*inputs).normal, n.Shape()...)
	product, err := gorgonia.HadamardProd(v, n)
	if err != nil {
		return nil, err
	}
	return gorgonia.Sum(product)
}
