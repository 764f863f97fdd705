package main

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/affine-go/affine/layer"
	"github.com/affine-go/affine/train/optim"
	"github.com/affine-go/affine/train/vm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// inProcess is a peer that runs Gorgonia in this process: with the fused op,
// or with the built-in ops and one of the BLAS libraries behind them.
type inProcess struct {
	group, variant string
	fused          bool
	blas           gorgonia.BLAS
	blasThreads    int // for OpenBLAS
	job            *job
}

// job is a graph with a machine on it.
type job struct {
	machine gorgonia.VM
	run     func() error
	restart func() error // back to the weights of the start
	checks  func() ([]float64, error)
}

func (p *inProcess) Group() string   { return p.group }
func (p *inProcess) Variant() string { return p.variant }

func (p *inProcess) Prepare(c benchCase) (checks []float64, err error) {
	p.activate()
	switch c.Op {
	case "linear":
		p.job, err = p.linear(c)
	case "mlp-step":
		p.job, err = p.mlpStep(c)
	default:
		err = fmt.Errorf("no op %q", c.Op)
	}
	if err != nil {
		return nil, err
	}
	return p.job.checks()
}

func (p *inProcess) Time(runs int) (time.Duration, error) {
	p.activate()
	if err := p.job.restart(); err != nil {
		return 0, err
	}
	for range 1 + runs/10 {
		if err := p.job.run(); err != nil {
			return 0, err
		}
	}
	// What others have left behind is not for this peer to collect; what it
	// leaves itself while it is timed is.
	runtime.GC()
	start := time.Now()
	for range runs {
		if err := p.job.run(); err != nil {
			return 0, err
		}
	}
	return time.Since(start), nil
}

func (p *inProcess) Finish() error {
	err := p.job.machine.Close()
	p.job = nil
	return err
}

// activate makes the peer's BLAS the one that Gorgonia calls.
func (p *inProcess) activate() {
	if p.blas != nil {
		gorgonia.Use(p.blas)
		setOpenBLASThreads(p.blasThreads)
	}
}

// linear runs through Gorgonia's TapeMachine, whichever op it has.
func (p *inProcess) linear(c benchCase) (*job, error) {
	g := gorgonia.NewGraph()
	in, out := c.Dims[0], c.Dims[1]
	x := input(g, "x", values(seedX, c.Batch*in, 1), c.Batch, in)
	w := input(g, "w", weight(seedW, in, out), in, out)
	b := input(g, "b", values(seedB, out, 1), out)
	dy := input(g, "dy", values(seedDY, c.Batch*out, 1), c.Batch, out)
	apply := layer.Builtin
	if p.fused {
		apply = layer.Apply
	}
	y, err := apply(x, w, b)
	if err != nil {
		return nil, err
	}
	gradients, err := gorgonia.Backpropagate(gorgonia.Nodes{y}, gorgonia.Nodes{dy}, gorgonia.Nodes{x, w, b})
	if err != nil {
		return nil, err
	}
	machine := gorgonia.NewTapeMachine(g)
	j := &job{machine: machine, restart: func() error { return nil }}
	j.run = func() error {
		machine.Reset()
		return machine.RunAll()
	}
	j.checks = func() ([]float64, error) {
		if err := j.run(); err != nil {
			return nil, err
		}
		var sums []float64
		for _, n := range append(gorgonia.Nodes{y}, gradients...) {
			var sum float64
			for _, v := range n.Value().Data().([]float32) {
				sum += float64(v) * float64(v)
			}
			sums = append(sums, sum)
		}
		return sums, nil
	}
	return j, nil
}

// mlpStep is what a user of each side would write: this module's layers, loss,
// machine and Adam, or Gorgonia's ops, TapeMachine and AdamSolver.
func (p *inProcess) mlpStep(c benchCase) (*job, error) {
	g := gorgonia.NewGraph()
	last := len(c.Dims) - 1
	hidden := input(g, "x", values(seedX, c.Batch*c.Dims[0], 1), c.Batch, c.Dims[0])
	var learnables gorgonia.Nodes
	var initial [][]float32
	for i, in := range c.Dims[:last] {
		out := c.Dims[i+1]
		seed := uint32(seedFirstLayer + 2*i)
		initial = append(initial, weight(seed, in, out), values(seed+1, out, 0.1))
		w := input(g, fmt.Sprint("w", i), weight(seed, in, out), in, out)
		b := input(g, fmt.Sprint("b", i), values(seed+1, out, 0.1), out)
		learnables = append(learnables, w, b)
		apply := layer.Builtin
		var opts []layer.Option
		if i < last-1 {
			opts = append(opts, layer.WithActivation(layer.ReLU))
		}
		if p.fused {
			apply = layer.Apply
			if i == 0 {
				opts = append(opts, layer.WithoutInputGrad())
			}
		}
		var err error
		if hidden, err = apply(hidden, w, b, opts...); err != nil {
			return nil, err
		}
	}
	classes := c.Dims[last]
	targets := input(g, "targets", oneHot(c.Batch, classes), c.Batch, classes)

	j, loss, err := p.trainer(hidden, targets, learnables)
	if err != nil {
		return nil, err
	}
	newOptimizer := j.restart
	j.restart = func() error {
		for i, n := range learnables {
			copy(n.Value().Data().([]float32), initial[i])
		}
		return newOptimizer()
	}
	j.checks = func() ([]float64, error) {
		var losses []float64
		if err := j.restart(); err != nil {
			return nil, err
		}
		for range 5 {
			if err := j.run(); err != nil {
				return nil, err
			}
			v, ok := loss.Value().Data().(float32)
			if !ok {
				return nil, errors.New("loss is not a float32")
			}
			losses = append(losses, float64(v))
		}
		return losses, nil
	}
	return j, nil
}

// trainer adds the loss and returns a job whose run is a training step and
// whose restart makes a new optimizer.
func (p *inProcess) trainer(logits, targets *gorgonia.Node, learnables gorgonia.Nodes) (*job, *gorgonia.Node, error) {
	g := logits.Graph()
	if !p.fused {
		loss, err := layer.BuiltinSoftmaxCrossEntropy(logits, targets)
		if err != nil {
			return nil, nil, err
		}
		if _, err := gorgonia.Grad(loss, learnables...); err != nil {
			return nil, nil, err
		}
		machine := gorgonia.NewTapeMachine(g, gorgonia.BindDualValues(learnables...))
		model := gorgonia.NodesToValueGrads(learnables)
		var adam gorgonia.Solver
		return &job{
			machine: machine,
			run: func() error {
				machine.Reset()
				if err := machine.RunAll(); err != nil {
					return err
				}
				return adam.Step(model)
			},
			restart: func() error { adam = gorgonia.NewAdamSolver(); return nil },
		}, loss, nil
	}
	loss, err := layer.SoftmaxCrossEntropy(logits, targets)
	if err != nil {
		return nil, nil, err
	}
	gradients, err := gorgonia.Grad(loss, learnables...)
	if err != nil {
		return nil, nil, err
	}
	params, err := vm.NewParams(learnables, gradients)
	if err != nil {
		return nil, nil, err
	}
	machine, err := vm.New(g, vm.WithOutputs(loss), vm.WithOutputs(params.Gradients()...))
	if err != nil {
		return nil, nil, err
	}
	var adam *optim.Optimizer
	return &job{
		machine: machine,
		run: func() error {
			if err := machine.RunAll(); err != nil {
				return err
			}
			return adam.Step(params.ValueGrads())
		},
		restart: func() (err error) { adam, err = optim.NewAdam(); return err },
	}, loss, nil
}

// input adds a node with a value.
func input(g *gorgonia.ExprGraph, name string, data []float32, shape ...int) *gorgonia.Node {
	return gorgonia.NodeFromAny(g, tensor.New(tensor.WithShape(shape...), tensor.WithBacking(data)), gorgonia.WithName(name))
}
